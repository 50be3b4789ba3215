"""gzip and zip, unpacked within limits and whole or not at all.

A compressed file says how large it is, and may lie: nothing is believed but what comes out, and it comes out in pieces
that stop at the limit. Members of other methods than stored and deflated are refused (a 1 KB LZMA member may ask for
gigabytes of dictionary).
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, NamedTuple

from mailsync.mail.kinds import Unreadable

if TYPE_CHECKING:  # imported only where a mail has an archive
    from zipfile import ZipFile, ZipInfo

_FEED, _PIECE = 65_536, 262_144
_SMALL = 1_048_576  # what any file may unfold into, whatever its ratio: small lists compress extremely well
_MOST_STREAMS = 10_000  # of one gzip file; parallel compressors write one per 64 KB
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8
_AGAIN = "send it again"


class Member(NamedTuple):
    """A file of an archive: its content, or why there is none."""

    name: str
    content: bytes | Unreadable


class Archive(NamedTuple):
    """A zip archive: how many entries its directory has, folders too, and its files in order, read one by one."""

    entries: int
    members: Iterator[Member]


class Allowance(NamedTuple):
    """How much may come out: `size` bytes in all, `ratio` times what went in."""

    size: int
    ratio: int


def gunzip(data: bytes, allowance: Allowance) -> bytes | Unreadable:
    """The content of a gzip file, all its streams after each other (RFC 1952), or why there is none."""
    try:
        return _bounded(_inflate(data), len(data), allowance)
    except EOFError:
        return Unreadable("the gzip file is cut off", _AGAIN)
    except zlib.error:
        return Unreadable("the gzip file is damaged", _AGAIN)


def most_entries(data: bytes) -> int:
    """How many entries the directory of a zip archive has at most, before it is read: each begins with a signature."""
    return data.count(b"PK\x01\x02")


def is_workbook(data: bytes, most: int) -> bool:
    """True for a zip of at most `most` files that is one file to people: an .xlsx or .ods workbook."""
    import io
    import zipfile

    if most_entries(data) > most:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if not {"mimetype", "content.xml"} <= names:
                return {"[Content_Types].xml", "xl/workbook.xml"} <= names
            # Texts and slides of that family look alike but for this (OpenDocument 1.3 part 2, section 3.3).
            with archive.open("mimetype") as kind:
                return b"opendocument.spreadsheet" in kind.read(100)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError, OverflowError):
        return False


def unzip(data: bytes, allowance: Allowance) -> Archive | Unreadable:
    """The files of a zip archive, or why there are none."""
    import io
    import zipfile

    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, OverflowError, NotImplementedError):
        return Unreadable("the archive is damaged or cut off", _AGAIN)
    names = archive.namelist()
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= set(names):
        return Unreadable("it is an Office file other than .xlsx and .ods, which is not read", "send the list as CSV")
    return Archive(len(names), _members(archive, allowance))


def _members(archive: ZipFile, allowance: Allowance) -> Iterator[Member]:
    left = allowance.size
    starts = [*sorted(entry.header_offset for entry in archive.infolist()), archive.start_dir]
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        # The directory may claim any compressed size: a file has no more bytes than there are before the next one.
        following = bisect_right(starts, entry.header_offset, hi=len(starts) - 1)
        room = starts[following] - entry.header_offset
        content = _member(archive, entry, min(entry.compress_size, room), allowance._replace(size=left))
        left -= len(content) if isinstance(content, bytes) else 0
        yield Member(entry.filename, content)


def _member(archive: ZipFile, entry: ZipInfo, compressed: int, allowance: Allowance) -> bytes | Unreadable:
    from zipfile import BadZipFile

    if entry.flag_bits & _ENCRYPTED:
        return Unreadable("it is encrypted", "send it without a password")
    if entry.compress_type not in (_STORED, _DEFLATED):
        return Unreadable("its compression method is not read", "let the program write an ordinary zip file")
    try:
        with archive.open(entry) as stream:
            return _bounded(_pieces(stream), compressed, allowance)
    except (BadZipFile, zlib.error, EOFError, ValueError, OSError, OverflowError, NotImplementedError):
        return Unreadable("it is damaged or cut off", _AGAIN)


def _inflate(data: bytes) -> Iterator[bytes]:
    """The content of a gzip file in pieces. Raises EOFError when it is cut off, zlib.error when it is damaged."""
    position = 0
    for _ in range(_MOST_STREAMS):
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            chunk = data[position : position + _FEED]
            if not chunk:
                raise EOFError
            position += len(chunk)
            yield from _drained(stream, chunk)
        position -= len(stream.unused_data)
        # Tapes and some tools fill up with zeros.
        if position == len(data) or (data[position] == 0 and not data[position:].strip(b"\0")):
            return
    raise zlib.error("too many streams")


def _drained(stream: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """All that comes out of a stream with this chunk."""
    while piece := stream.decompress(chunk, _PIECE):
        yield piece
        # Then the rest of the chunk is another stream's, and not to be fed to this one again.
        if stream.eof:
            return
        chunk = stream.unconsumed_tail


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def _bounded(pieces: Iterator[bytes], compressed: int, allowance: Allowance) -> bytes | Unreadable:
    """The pieces joined, or the limit they go beyond."""
    by_ratio = max(_SMALL, compressed * allowance.ratio)
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > allowance.size:
            return Unreadable("the mail unfolds to more bytes than mail_unpacked allows", "send fewer lines per mail")
        if size > by_ratio:
            text = f"it unfolds to more than archive_ratio: {allowance.ratio} times its size"
            return Unreadable(text, "send it without compression")
    return b"".join(kept)
