"""zip archives, unpacked within limits and each file whole or not at all.

Members of other methods than stored and deflated are refused before they are opened: a 1 KB LZMA member may ask for
gigabytes of dictionary. An archive whose directory does not speak of all that is in it is refused whole: of two zips
after each other the last one's directory counts, and the other's files would be dropped without a word.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from mailsync.mail.compressed import Allowance, bounded
from mailsync.mail.kinds import AGAIN, Unreadable
from mailsync.mail.members import Archive, Member

if TYPE_CHECKING:  # imported only where a mail has an archive
    from zipfile import ZipFile, ZipInfo

_PIECE = 262_144
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8
_LOCAL, _END = 30, 22  # bytes of a file's own header, and of the end of the directory
_METHOD = Unreadable("its compression method is not read", "let the program write an ordinary zip file")
_DAMAGED = Unreadable("the archive is damaged or cut off", AGAIN)


def is_workbook(data: bytes, most: int) -> bool:
    """True for a zip of at most `most` files that is one file to people: an .xlsx or .ods workbook."""
    import io
    import zipfile

    if _most_entries(data) > most:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if not (_is_whole(data, archive) and all(map(_is_readable, archive.infolist()))):
                return False  # `unzip` says what is wrong with it
            if not {"mimetype", "content.xml"} <= names:
                return {"[Content_Types].xml", "xl/workbook.xml"} <= names
            # Texts and slides of that family look alike but for this (OpenDocument 1.3 part 2, section 3.3).
            with archive.open("mimetype") as kind:
                return b"opendocument.spreadsheet" in kind.read(100)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError, OverflowError):
        return False


def unzip(data: bytes, allowance: Allowance) -> Archive | Unreadable:
    """The files of a zip archive, or why there are none; the directory of one with too many files is not read."""
    import io
    import zipfile

    if (entries := _most_entries(data)) > allowance.members:
        return Archive(entries, iter(()))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, OverflowError, NotImplementedError):
        return _DAMAGED
    if not _is_whole(data, archive):
        return _DAMAGED
    names = archive.namelist()
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= set(names):
        if not all(map(_is_readable, archive.infolist())):
            return _METHOD
        return Unreadable("it is an Office file other than .xlsx and .ods, which is not read", "send the list as CSV")
    return Archive(len(names), _members(archive, allowance))


def _most_entries(data: bytes) -> int:
    """How many entries the directory of a zip archive has at most, before it is read: each begins with a signature."""
    return data.count(b"PK\x01\x02")


def _is_readable(entry: ZipInfo) -> bool:
    return entry.compress_type in (_STORED, _DEFLATED)


def _is_whole(data: bytes, archive: ZipFile) -> bool:
    """False when there is room for a file that the directory does not name: before, between or behind those it names.

    Less than a header between two files is a sum behind the first (APPNOTE 4.3.9).
    """
    position = 0
    for entry in sorted(archive.infolist(), key=lambda one: one.header_offset):
        start = entry.header_offset
        if start < 0 or start - position >= _LOCAL:
            return False
        around = sum(int.from_bytes(data[start + place : start + place + 2], "little") for place in (26, 28))
        position = max(position, start + _LOCAL + around + entry.compress_size)
    end = data.rfind(b"PK\x05\x06")
    behind = end + _END + int.from_bytes(data[end + 20 : end + _END], "little")
    return archive.start_dir - position < _LOCAL and not data[behind : behind + _LOCAL].strip(b"\0\r\n")


def _members(archive: ZipFile, allowance: Allowance) -> Iterator[Member]:
    left = allowance.size
    starts = [*sorted(entry.header_offset for entry in archive.infolist()), archive.start_dir]
    for entry in archive.infolist():
        if entry.filename.endswith("/"):  # ZipInfo.is_dir fails for an empty name, which a NUL makes
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
    if not _is_readable(entry):
        return _METHOD
    try:
        with archive.open(entry) as stream:
            return bounded(_pieces(stream), compressed, allowance)
    except (BadZipFile, zlib.error, EOFError, ValueError, OSError, OverflowError, NotImplementedError):
        return Unreadable("it is damaged or cut off", AGAIN)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece
