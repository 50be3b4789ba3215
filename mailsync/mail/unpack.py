"""The attachments of a mail, decoded and unpacked within limits: by content, not by label.

    part                                                   becomes
    text/plain without a name                              the body, an attachment with the path `(body)`
    text/html without a name                               nothing: it repeats the body
    cut off, not decodable, archive damaged or too large   a problem; nothing of it is read
    a forwarded mail                                       its parts, one deeper, `forwarded.eml!/list.csv`
    gzip, zip                                              its files, `lists.zip!/list.csv`
    everything else                                        as kinds.py says

An attachment is whole or a problem: half a list would look like a list. Names are the mail's own, made fit to be shown
and unique; nameless parts are called by their number (`part-2.csv`), the same each time the mail is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.model import Attachment, Origin, Problem
from mailsync.mail.address import shown
from mailsync.mail.compressed import Allowance, Member, gunzip, is_workbook, most_entries, unzip
from mailsync.mail.kinds import Fate, Unreadable, judge_content
from mailsync.mail.transfer import decode_transfer, known

if TYPE_CHECKING:  # mail-parser is imported only where a mail is unpacked: duplicates and held mails never are
    from mailsync.mail.message import Leaf

BODY = "(body)"
_ATTACH = "attach the list itself"
_LONGEST_NAME = 120
_MOST_TOLD = 100  # problems, and notes, of the parts of one mail
_EXTENSIONS = {
    "text/csv": ".csv",
    "text/plain": ".txt",
    "text/tab-separated-values": ".tsv",
    "application/gzip": ".gz",
    "application/x-gzip": ".gz",
    "application/zip": ".zip",
    "application/x-zip-compressed": ".zip",
}


class UnpackLimits(NamedTuple):
    """How much a mail may unfold into. Each is a key under `limits` of the site's file."""

    parts: int = 200  # a report mail has 1-20, a digest of forwarded reports some dozens; each costs 1 KB and more
    part_fields: int = 5_000  # header fields of all parts together; a part has 2-6, a forwarded mail 80
    nesting: int = 20  # parts within parts; every line is compared with every open boundary
    depth: int = 5  # forwarded mails within each other
    mail_lines: int = 1_000_000  # after big bodies were set aside (fold.py); each costs 70 bytes while parsed
    mail_unpacked: int = 268_435_456  # bytes of all attachments, decoded and decompressed, held in memory at once
    archive_ratio: int = 200  # decompressed by compressed; lists reach 10-60, a bomb 1,000
    archive_members: int = 200  # files and folders of all archives; a site packs some dozens of lists at most
    archive_depth: int = 3  # archives within each other


class Unpacked(NamedTuple):
    """What a mail holds: attachments in its order, what could not be read, and what was left out on purpose."""

    attachments: tuple[Attachment, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def unpack(mail: bytes, limits: UnpackLimits) -> Unpacked:
    """Every attachment of a mail that may be an extract, and its text body. Raises nothing because of the mail."""
    from mailsync.mail.message import read_message

    leaves = read_message(mail, limits)
    if isinstance(leaves, Unreadable):
        return Unpacked((), (Problem(Origin(), *leaves),), ())
    unpacking = _Unpacking(limits)
    for leaf in leaves:
        if not _is_html_body(leaf):
            unpacking.take_leaf(leaf)
    if not unpacking.attachments:
        # Beside a text it repeats the text; alone it may be the report itself.
        for leaf in filter(_is_html_body, leaves):
            unpacking.take_leaf(leaf)
    problems = _first(unpacking.problems, "cannot be read either", "send a simpler mail")
    return Unpacked(tuple(unpacking.attachments), problems, _first(unpacking.notes, "are noted like these", ""))


class _Unpacking:
    """What has been found so far, and how much may still be."""

    def __init__(self, limits: UnpackLimits) -> None:
        self.limits = limits
        self.left = limits.mail_unpacked
        self.members = limits.archive_members
        self.attachments: list[Attachment] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._paths: set[str] = set()

    def take_leaf(self, leaf: Leaf) -> None:
        """Decodes one part of the mail and takes what is in it."""
        path = self._unique(_leaf_path(leaf))
        if not known(leaf.encoding):
            self.note(path, f'the transfer encoding "{shown(leaf.encoding)}" is unknown; taken as it is')
        content = self._undecodable(leaf) or decode_transfer(leaf.raw, leaf.encoding)
        body = _is_body(leaf)
        if isinstance(content, Unreadable):
            self._problem(path, content)
        elif not (body and (not content or content.isspace())):
            found = Attachment(path, content, leaf.content_type, leaf.charset, len(leaf.containers), body)
            self._take(found, archives=0, embedded=leaf.embedded)

    def note(self, path: str, text: str) -> None:
        """Notes what was left out on purpose."""
        self.notes.append(Problem(Origin(attachment=path), text))

    def _undecodable(self, leaf: Leaf) -> Unreadable | None:
        """Why a part is not even decoded."""
        if leaf.cut_off:
            return Unreadable(
                "the mail ends within it: it was cut off, or its last boundary is missing", "send it again"
            )
        if len(leaf.containers) > self.limits.depth:
            return Unreadable(f"it is forwarded more often than depth: {self.limits.depth}", _ATTACH)
        if leaf.content_type.startswith("message/"):
            return Unreadable("it is a mail in base64, which is not read", _ATTACH)
        if leaf.content_type.startswith("multipart/"):
            return Unreadable("it should have parts and has none: its boundary is missing", "send it again")
        return None

    def _take(self, found: Attachment, *, archives: int, embedded: bool) -> None:
        """Adds an attachment, or what is in it."""
        self.left -= len(found.content)
        if self.left < 0:
            text = f"the mail unfolds to more bytes than mail_unpacked: {self.limits.mail_unpacked}"
            self._problem(found.path, Unreadable(text, "send fewer lines per mail"))
            return
        judged = judge_content(found.content, found.content_type, embedded=embedded)
        if judged.fate in (Fate.GZIP, Fate.ZIP):
            self._take_archive(found, judged.fate, archives)
        elif judged.fate is Fate.LEAVE_OUT:
            self.note(found.path, judged.text)
        elif judged.fate is Fate.REFUSE:
            self._problem(found.path, Unreadable(judged.text, judged.hint))
        else:
            self.attachments.append(found)

    def _take_archive(self, found: Attachment, kind: Fate, archives: int) -> None:
        if kind is Fate.ZIP and is_workbook(found.content, self.members):
            self.attachments.append(found)
            return
        members = self._members(found, kind, archives)
        if isinstance(members, Unreadable):
            self._problem(found.path, members)
            return
        for member in members:
            path = self._unique(f"{found.path}!/{_file_name(member.name) or 'file'}")
            if isinstance(member.content, Unreadable):
                self._problem(path, member.content)
            else:
                inner = Attachment(path, member.content, "", "", found.depth, body=False)
                self._take(inner, archives=archives + 1, embedded=False)

    def _members(self, found: Attachment, kind: Fate, archives: int) -> Iterable[Member] | Unreadable:
        if archives >= self.limits.archive_depth:
            text = f"it is an archive within more archives than archive_depth: {self.limits.archive_depth}"
            return Unreadable(text, _ATTACH)
        if (most_entries(found.content) if kind is Fate.ZIP else 1) > self.members:
            text = f"the mail's archives have more files than archive_members: {self.limits.archive_members}"
            return Unreadable(text, "send fewer files per mail")
        allowance = Allowance(self.left, self.limits.archive_ratio)
        if kind is Fate.ZIP:
            archive = unzip(found.content, allowance)
            if isinstance(archive, Unreadable):
                return archive
            self.members -= archive.entries
            return archive.members
        self.members -= 1
        content = gunzip(found.content, allowance)
        if isinstance(content, Unreadable):
            return content
        return (Member(found.path.rpartition("!/")[2].removesuffix(".gz"), content),)

    def _unique(self, path: str) -> str:
        """The path, with a number before its extension when the mail has used it already."""
        stem, dot, extension = path.rpartition(".")
        if not dot or "/" in extension:
            stem, extension = path, ""
        candidate, number = path, 1
        while candidate in self._paths:
            number += 1
            candidate = f"{stem} ({number}){dot if extension else ''}{extension}"
        self._paths.add(candidate)
        return candidate

    def _problem(self, path: str, why: Unreadable) -> None:
        self.problems.append(Problem(Origin(attachment=path), *why))


def _first(found: list[Problem], what: str, hint: str) -> tuple[Problem, ...]:
    """What was found, up to the bound, and then one line for the others."""
    more = len(found) - _MOST_TOLD
    if more <= 0:
        return tuple(found)
    return (*found[:_MOST_TOLD], Problem(Origin(), f"and {more} more attachments {what}", hint))


def _is_body(leaf: Leaf) -> bool:
    return leaf.content_type in ("text/plain", "text/html") and not leaf.attached


def _is_html_body(leaf: Leaf) -> bool:
    return leaf.content_type == "text/html" and not leaf.attached


def _leaf_path(leaf: Leaf) -> str:
    numbered = f"part-{leaf.number}{_EXTENSIONS.get(leaf.content_type, '')}"
    name = BODY if _is_body(leaf) else _file_name(leaf.name) or numbered
    return "!/".join((*(_file_name(one) for one in leaf.containers), name))


def _file_name(name: str) -> str:
    """The last component of a name, on one line and bounded; "" when nothing is left of it."""
    last = shown(re.split(r"[/\\]", name)[-1]).strip(". ") if name.strip("./\\ ") else ""
    return last if len(last) <= _LONGEST_NAME else f"{last[:80]}~{last[-39:]}"
