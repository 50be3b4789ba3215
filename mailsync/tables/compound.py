"""A stream within a compound file (MS-CFB), which .xls workbooks lie in: sectors chained by tables, like a small disk.

Strategy: chains are followed for as many sectors as the file has and no more, so that one that bites its tail is found;
the directory, which is a tree of so many entries at most, is walked without recursion and every entry once. What is
not as it should be makes the whole file unreadable: half a stream would look like a list.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from struct import unpack_from
from typing import NamedTuple

from mailsync.tables.package import FlawError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DAMAGED = "it is damaged, or cut short"
_NONE = 0xFFFFFFFA  # sector numbers end here: what is above means free, the end of a chain, or a table's own
_IN_HEADER = 109
_ENTRY = 128
_STREAM, _ROOT = 2, 5
MOST_ENTRIES = 10_000  # a workbook has a few, and some for each thing that is embedded in it


class _Entry(NamedTuple):
    """A directory's entry: its name, its kind, the entries beside and below it, where it begins and its size."""

    name: str
    kind: int
    near: tuple[int, int]
    below: int
    start: int
    size: int


class _Chains(NamedTuple):
    """Bytes in sectors of a size, and which sector follows which. The first `skip` sectors are none of them."""

    content: bytes
    size: int
    skip: int
    follows: array[int]

    def sectors(self, start: int) -> Iterator[bytes]:
        """The sectors of a chain. Raises FlawError for one without an end."""
        seen, most = 0, len(self.content) // self.size + 1
        while start < _NONE:
            at = (start + self.skip) * self.size
            seen += 1
            if seen > most or start >= len(self.follows) or at >= len(self.content):
                raise FlawError(_DAMAGED)
            yield self.content[at : at + self.size]
            start = self.follows[start]


def compound_stream(content: bytes, names: tuple[str, ...]) -> bytes:
    """The first of these streams that lies in the root of the file. Raises FlawError."""
    if len(content) < 512 or not content.startswith(MAGIC):
        raise FlawError(_DAMAGED)
    shift, short_shift = unpack_from("<HH", content, 30)
    if shift not in (9, 12) or short_shift != 6:
        raise FlawError(_DAMAGED)
    first_directory, _, cutoff, first_short = unpack_from("<IIII", content, 48)
    long = _Chains(content, 1 << shift, 1, _table(content, 1 << shift))
    entries = _entries(b"".join(_bounded(long.sectors(first_directory), MOST_ENTRIES * _ENTRY)))
    found = {entry.name.casefold(): entry for entry in _in_root(entries) if entry.kind == _STREAM}
    entry = next((found[name.casefold()] for name in names if name.casefold() in found), None)
    if entry is None:
        raise FlawError("there is no workbook in it")
    if entry.size < cutoff:
        inner = b"".join(long.sectors(entries[0].start))
        follows = _numbers(b"".join(long.sectors(first_short)))
        long = _Chains(inner, 1 << short_shift, 0, follows)
    stream = b"".join(long.sectors(entry.start))[: entry.size]
    if len(stream) < entry.size:
        raise FlawError(_DAMAGED)
    return stream


def _bounded(sectors: Iterator[bytes], most: int) -> Iterator[bytes]:
    """The directory's sectors, of so many bytes at most."""
    size = 0
    for sector in sectors:
        size += len(sector)
        if size > most:
            raise FlawError(f"its directory has more than {MOST_ENTRIES} entries")
        yield sector


def _table(content: bytes, size: int) -> array[int]:
    """Which sector follows which, for the whole file."""
    most = len(content) // size + 1
    listed = list(unpack_from(f"<{_IN_HEADER}I", content, 76))
    (more,) = unpack_from("<I", content, 68)
    # A table's sector speaks of size / 4 others, and so does one of those that list the tables' sectors.
    for _ in range(most // (size // 4) // (size // 4 - 1) + 2):
        if more >= _NONE:
            break
        sector = content[(more + 1) * size : (more + 2) * size]
        if len(sector) < size:
            raise FlawError(_DAMAGED)
        *sectors, more = unpack_from(f"<{size // 4}I", sector)
        listed += sectors
    used = [sector for sector in listed if sector < _NONE]
    if len(used) > most:
        raise FlawError(_DAMAGED)
    return _numbers(b"".join(content[(sector + 1) * size : (sector + 2) * size] for sector in used))


def _numbers(table: bytes) -> array[int]:
    numbers = array("I")
    numbers.frombytes(table[: len(table) // 4 * 4])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _entries(directory: bytes) -> list[_Entry]:
    found = []
    for at in range(0, len(directory) - _ENTRY + 1, _ENTRY):
        length, kind, left, right, below = unpack_from("<HBxIII", directory, at + 64)
        start, size = unpack_from("<II", directory, at + 116)
        name = directory[at : at + min(max(length - 2, 0), 62)].decode("utf-16-le", "replace")
        found.append(_Entry(name, kind, (left, right), below, start, size))
    if not found or found[0].kind != _ROOT:
        raise FlawError(_DAMAGED)
    return found


def _in_root(entries: list[_Entry]) -> Iterator[_Entry]:
    """The entries that lie in the root: a storage's own, such as those of an embedded workbook, do not."""
    seen: set[int] = set()
    left = [entries[0].below]
    while left:
        number = left.pop()
        if number < len(entries) and number not in seen:
            seen.add(number)
            yield entries[number]
            left += entries[number].near
