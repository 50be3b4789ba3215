"""tar archives read from memory: ordinary files by name, each whole; anything else is stepped over or a problem.

The layouts are POSIX ustar and pax, and GNU's long names. `tarfile` is not used: it follows sparse maps, links and
header records as an archive asks for them, and its bounds would be ours to add around it. A file's content is where its
header says, so nothing unfolds, and the archive is read in one walk.

    type                         is
    0, NUL, 7                    a file
    L, x                         the name of the entry that follows
    5, g, K, 1, 2, 3, 4, 6       nothing to read: folders, links, devices, defaults
    S, anything else             a problem: its content is not as it lies there
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailsync.mail.kinds import AGAIN, Unreadable
from mailsync.mail.members import Archive, Member

_BLOCK = 512
_LONGEST_NAME = 65_536
_FILES, _STEPPED_OVER = b"0\x007", b"5gK12346"


class _Entry(NamedTuple):
    """One header: what it is called, its type, and where its content lies."""

    name: str
    type: bytes
    begin: int
    end: int


class _DamagedError(Exception):
    """The archive is not what its format asks for; it never leaves this module."""


def untar(data: bytes, most: int) -> Archive | Unreadable:
    """The files of a tar archive, or why there are none; not more than one entry beyond `most` is read."""
    try:
        entries = _entries(data, most)
    except _DamagedError:
        return Unreadable("the archive is damaged or cut off", AGAIN)
    return Archive(len(entries), _members(data, entries))


def _members(data: bytes, entries: list[_Entry]) -> Iterator[Member]:
    for entry in entries:
        if entry.type in _FILES:
            yield Member(entry.name, data[entry.begin : entry.end])
        elif entry.type not in _STEPPED_OVER:
            text = f"its type in the archive is {entry.type!r}, which is not read"
            yield Member(entry.name, Unreadable(text, "send it as .zip or .gz"))


def _entries(data: bytes, most: int) -> list[_Entry]:
    found: list[_Entry] = []
    position = 0
    name: str | None = None  # said in an entry before the one that it is of
    # An archive ends with blocks of zeros; one that ends without was cut off, maybe between two files. What stands
    # behind them, a second archive or the rest of one that lost a block, would be dropped without a word.
    while (block := data[position : position + _BLOCK]).strip(b"\0"):
        entry = _entry(block, position + _BLOCK)
        if entry.end > len(data):
            raise _DamagedError
        content = data[entry.begin : min(entry.end, entry.begin + _LONGEST_NAME)]
        if entry.type == b"L":
            name = _text(content)
        elif entry.type == b"x":
            name = _pax_path(content) or name or ""
        else:
            found.append(entry._replace(name=name or entry.name))
            name = None
        if len(found) > most:
            break
        position = entry.begin + -(-(entry.end - entry.begin) // _BLOCK) * _BLOCK
        if position >= len(data):
            raise _DamagedError
    zeros = len(found) > most or data.count(0, position) == len(data) - position
    if name is not None or not zeros:
        raise _DamagedError
    return found


def _entry(block: bytes, begin: int) -> _Entry:
    """The header in a block. Its checksum is of itself, with eight blanks in the checksum's own place."""
    if len(block) < _BLOCK or _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise _DamagedError
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    name = _text(block[:100])
    return _Entry(f"{prefix}/{name}" if prefix else name, block[156:157], begin, begin + _octal(block[124:136]))


def _octal(field: bytes) -> int:
    """A number of a header. GNU's binary form is for files larger than any mail."""
    digits = field.strip(b"\0 ")
    if digits.translate(None, b"01234567"):
        raise _DamagedError
    return int(digits or b"0", 8)


def _pax_path(content: bytes) -> str:
    """The path of a pax header, of records `LENGTH KEY=VALUE` each with a line end; "" without one."""
    position = 0
    while position < len(content):
        length, _, _ = content[position : position + 8].partition(b" ")
        if not length.isdigit() or int(length) <= len(length):
            return ""
        key, _, value = content[position + len(length) + 1 : position + int(length) - 1].partition(b"=")
        if key == b"path":
            return _text(value)
        position += int(length)
    return ""


def _text(field: bytes) -> str:
    text = field.split(b"\0", 1)[0]
    try:
        return text.decode()
    except ValueError:
        return text.decode("latin-1")
