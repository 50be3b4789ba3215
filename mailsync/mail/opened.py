"""What is in an attachment that holds files: one call for every form, told apart by kinds.py."""

from __future__ import annotations

from mailsync.mail.compressed import Allowance, Compression, decompress, without_ending
from mailsync.mail.kinds import Fate, Unreadable
from mailsync.mail.members import Archive, Member

_COMPRESSED = {Fate.GZIP: Compression.GZIP, Fate.BZIP2: Compression.BZIP2, Fate.XZ: Compression.XZ}


def open_archive(data: bytes, kind: Fate, name: str, allowance: Allowance) -> Archive | Unreadable:
    """The files in it, or why there are none. `name` is its own; `allowance.members` files are enough to be refused."""
    compression = _COMPRESSED.get(kind)
    if compression:
        content = decompress(data, compression, allowance)
        if isinstance(content, Unreadable):
            return content
        return Archive(1, iter((Member(without_ending(name, compression), content),)))
    if kind is Fate.ZIP:
        from mailsync.mail.zipped import unzip

        return unzip(data, allowance)
    if kind is Fate.TAR:
        from mailsync.mail.tar import untar

        return untar(data, allowance.members)
    if kind is Fate.TNEF:
        from mailsync.mail.tnef import open_tnef

        return open_tnef(data)
    from mailsync.mail.uuencoded import open_uuencoded

    return open_uuencoded(data, allowance.members)
