"""zip archives, unpacked within limits and each file whole or not at all.

Members of other methods than stored and deflated are refused: a 1 KB LZMA member may ask for gigabytes of dictionary.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from mailsync.mail.compressed import AGAIN, Allowance, bounded
from mailsync.mail.kinds import Unreadable
from mailsync.mail.members import Archive, Member

if TYPE_CHECKING:  # imported only where a mail has an archive
    from zipfile import ZipFile, ZipInfo

_PIECE = 262_144
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8


def is_workbook(data: bytes, most: int) -> bool:
    """True for a zip of at most `most` files that is one file to people: an .xlsx or .ods workbook."""
    import io
    import zipfile

    if _most_entries(data) > most:
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
    """The files of a zip archive, or why there are none; the directory of one with too many files is not read."""
    import io
    import zipfile

    if (entries := _most_entries(data)) > allowance.members:
        return Archive(entries, iter(()))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, OverflowError, NotImplementedError):
        return Unreadable("the archive is damaged or cut off", AGAIN)
    names = archive.namelist()
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= set(names):
        return Unreadable("it is an Office file other than .xlsx and .ods, which is not read", "send the list as CSV")
    return Archive(len(names), _members(archive, allowance))


def _most_entries(data: bytes) -> int:
    """How many entries the directory of a zip archive has at most, before it is read: each begins with a signature."""
    return data.count(b"PK\x01\x02")


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
    if entry.compress_type not in (_STORED, _DEFLATED):
        return Unreadable("its compression method is not read", "let the program write an ordinary zip file")
    try:
        with archive.open(entry) as stream:
            return bounded(_pieces(stream), compressed, allowance)
    except (BadZipFile, zlib.error, EOFError, ValueError, OSError, OverflowError, NotImplementedError):
        return Unreadable("it is damaged or cut off", AGAIN)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece
