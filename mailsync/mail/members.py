"""The files of an archive, of Outlook's winmail.dat or of a text they were pasted into: one form for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailsync.mail.kinds import Unreadable


class Member(NamedTuple):
    """A file within another: its content, or why there is none.

    `body`: it is a mail's own text, not a file; then `content_type` and `charset` say how it is written. `forwarded`:
    it is a mail within the mail.
    """

    name: str
    content: bytes | Unreadable
    content_type: str = ""
    charset: str = ""
    body: bool = False
    forwarded: bool = False


class Archive(NamedTuple):
    """How many entries an archive has at least, folders too, and its files in order, read one by one."""

    entries: int
    members: Iterator[Member]
