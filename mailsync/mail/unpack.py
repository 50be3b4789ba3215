"""The attachments of a mail, decoded and unpacked within limits: by content, not by label.

    part                                                   becomes
    text/plain without a name                              the body, an attachment with the path `(body)`
    files pasted into it (uuencode)                        attachments of their own
    text/html without a name                               the body's HTML, or `(html)` where there is no text
    cut off, not decodable, archive damaged or too large   a problem; nothing of it is read
    a forwarded mail, also in base64 or as a file          its parts, one deeper, `forwarded.eml!/list.csv`
    gzip, bzip2, xz, zip, tar, winmail.dat                 its files, `lists.zip!/list.csv`
    the text in a winmail.dat                              the body, where the mail has no text of its own
    everything else                                        as kinds.py says

An attachment is whole or a problem: half a list would look like a list. Names are the mail's own, made fit to be shown
and unique; nameless parts are called by their number (`part-2.csv`), the same each time the mail is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.model import Attachment, Origin, Problem
from mailsync.mail.address import shown
from mailsync.mail.bodies import BODY, HTML, pair_bodies
from mailsync.mail.compressed import Allowance
from mailsync.mail.kinds import AGAIN, Fate, Unreadable, judge_content
from mailsync.mail.members import Archive, Member
from mailsync.mail.opened import open_archive
from mailsync.mail.paths import Paths, file_name
from mailsync.mail.transfer import decode_transfer, known

if TYPE_CHECKING:  # mail-parser is imported only where a mail is unpacked: duplicates and held mails never are
    from mailsync.mail.message import Leaf

_ATTACH = "attach the list itself"
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
_ARCHIVES = (Fate.GZIP, Fate.BZIP2, Fate.XZ, Fate.ZIP, Fate.TAR, Fate.TNEF, Fate.UUENCODED)
_MAILS = ("message/rfc822", "message/global")


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
    archive_memory: int = 70_000_000  # bytes of an xz file's dictionary; `xz -9` asks for 65 MiB


class Unpacked(NamedTuple):
    """What a mail holds: attachments in its order, what could not be read, and what was left out on purpose."""

    attachments: tuple[Attachment, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def unpack(mail: bytes, limits: UnpackLimits) -> Unpacked:
    """Every attachment of a mail that may be an extract, and its own text. Raises nothing because of the mail."""
    unpacking = _Unpacking(limits)
    unpacking.take_mail(mail, _Place())
    unpacking.settle_spare()
    problems = _first(unpacking.problems, "cannot be read either", "send a simpler mail")
    notes = _first(unpacking.notes, "are noted like these", "")
    return Unpacked(pair_bodies(unpacking.attachments), problems, notes)


class _Place(NamedTuple):
    """Where something lies: within what, in how many forwarded mails, in how many archives."""

    path: str = ""
    depth: int = 0
    archives: int = 0

    def within(self, *names: str) -> str:
        """The path of what has these names here."""
        return "!/".join((self.path, *names) if self.path else names)


class _Unpacking:
    """What has been found so far, and how much may still be."""

    def __init__(self, limits: UnpackLimits) -> None:
        from mailsync.mail.message import Budget

        self.limits = limits
        self.budget = Budget(limits)
        self.left = limits.mail_unpacked
        self.members = limits.archive_members
        self.attachments: list[Attachment] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._spare: list[Attachment] = []
        self._rich: list[Problem] = []
        self._paths = Paths()

    def take_mail(self, mail: bytes, place: _Place) -> None:
        """Takes what is in a mail that lies there."""
        from mailsync.mail.message import read_message

        leaves = read_message(mail, self.budget)
        if isinstance(leaves, Unreadable):
            self._problem(place.path, leaves)
            return
        for leaf in leaves:
            self._take_leaf(leaf, place)

    def settle_spare(self) -> None:
        """Outlook repeats a mail's text in its winmail.dat: it counts where the mail has none."""
        if not any(one.body for one in self.attachments):
            self.attachments += self._spare
        if not self.attachments:
            self.problems += self._rich
            return
        self.notes += (Problem(one.origin, "a text in rich text (RTF) was left out") for one in self._rich)

    def _take_leaf(self, leaf: Leaf, outer: _Place) -> None:
        """Decodes one part of the mail and takes what is in it."""
        around = (file_name(one) for one in leaf.containers)
        place = outer._replace(path=outer.within(*around), depth=outer.depth + len(leaf.containers))
        path = self._paths.unique(place.within(_leaf_name(leaf)))
        if not known(leaf.encoding):
            self._note(path, f'the transfer encoding "{shown(leaf.encoding)}" is unknown; taken as it is')
        content = self._undecodable(leaf, place) or decode_transfer(leaf.raw, leaf.encoding)
        if isinstance(content, Unreadable):
            self._problem(path, content)
            return
        found = Attachment(path, content, leaf.content_type, leaf.charset, place.depth, _is_body(leaf))
        if leaf.content_type in _MAILS:
            self._take_forwarded(found, place)
        elif found.body:
            self._take_body(found, leaf, place)
        else:
            self._take(found, place, embedded=leaf.embedded)

    def _undecodable(self, leaf: Leaf, place: _Place) -> Unreadable | None:
        """Why a part is not even decoded."""
        if leaf.cut_off:
            return Unreadable("it was cut off, or the last boundary behind it is missing", AGAIN)
        if place.depth > self.limits.depth:
            return self._too_deep()
        if leaf.content_type == "message/partial":
            return Unreadable("it is one piece of a mail that was sent in several", "send it as one mail")
        if leaf.content_type == "message/external-body":
            return Unreadable("it says where the list is, and is not the list", _ATTACH)
        if leaf.content_type.startswith("multipart/"):
            return Unreadable("it should have parts and has none: its boundary is missing", AGAIN)
        return None

    def _too_deep(self) -> Unreadable:
        return Unreadable(f"it is forwarded more often than depth: {self.limits.depth}", _ATTACH)

    def _take_body(self, found: Attachment, leaf: Leaf, place: _Place) -> None:
        """The mail's own text, and the files that were pasted into it."""
        text = found.content
        files: tuple[Member, ...] = ()
        if leaf.content_type == "text/plain":
            if b"begin" in text:
                from mailsync.mail.uuencoded import take_pasted

                text, files = take_pasted(text, self.members)
            if leaf.flowed:
                from mailsync.mail.flowed import unflow

                wrapped, text = text, unflow(text, delete_space=leaf.delete_space)
                found = found._replace(joined=wrapped.count(b"\n") - text.count(b"\n"))
            found = found._replace(content=text)
        if found.content and not found.content.isspace():
            self._take(found, place, embedded=leaf.embedded)
        if files:
            self._take_archive(place, Archive(len(files), iter(files)), found.path)

    def _take(self, found: Attachment, place: _Place, *, embedded: bool) -> None:
        """Adds an attachment, or what is in it."""
        self.left -= len(found.content)
        if self.left < 0:
            text = f"the mail unfolds to more bytes than mail_unpacked: {self.limits.mail_unpacked}"
            self._problem(found.path, Unreadable(text, "send fewer lines per mail"))
            return
        judged = judge_content(found.content, found.content_type, embedded=embedded)
        if found.body and judged.fate in (Fate.MAIL, Fate.UUENCODED):
            # Words that begin like one: what was pasted among them is taken out already.
            self.attachments.append(found)
        elif judged.fate in _ARCHIVES and not self._is_workbook(found, judged.fate):
            self._open(found, judged.fate, place)
        elif judged.fate is Fate.MAIL:
            self._take_forwarded(found, place)
        elif judged.fate is Fate.LEAVE_OUT:
            self._note(found.path, judged.text)
        elif judged.fate is Fate.REFUSE:
            self._problem(found.path, Unreadable(judged.text, judged.hint))
        else:
            self.attachments.append(found)

    def _take_forwarded(self, found: Attachment, place: _Place) -> None:
        """A mail that had to be decoded before it could be seen that it is one."""
        if place.depth >= self.limits.depth:
            self._problem(found.path, self._too_deep())
            return
        self.take_mail(found.content, place._replace(path=found.path, depth=place.depth + 1))

    def _is_workbook(self, found: Attachment, kind: Fate) -> bool:
        if kind is not Fate.ZIP:
            return False
        from mailsync.mail.zipped import is_workbook

        return is_workbook(found.content, self.members)

    def _open(self, found: Attachment, kind: Fate, place: _Place) -> None:
        if place.archives >= self.limits.archive_depth:
            text = f"it is an archive within more archives than archive_depth: {self.limits.archive_depth}"
            self._problem(found.path, Unreadable(text, _ATTACH))
            return
        allowance = Allowance(self.left, self.limits.archive_ratio, self.members, self.limits.archive_memory)
        archive = open_archive(found.content, kind, found.path.rpartition("!/")[2], allowance)
        if isinstance(archive, Unreadable):
            self._problem(found.path, archive)
        else:
            inner = _Place(found.path, found.depth, place.archives + 1)
            self._take_archive(inner, archive, found.path)

    def _take_archive(self, place: _Place, archive: Archive, path: str) -> None:
        """Takes the files of what has this path, which lie at the place."""
        if archive.entries > self.members:
            text = f"the mail's archives have more files than archive_members: {self.limits.archive_members}"
            self._problem(path, Unreadable(text, "send fewer files per mail"))
            return
        self.members -= archive.entries
        empty = True
        for member in archive.members:
            self._take_member(member, place)
            empty = False
        if empty:
            self._note(path, "there is no file in it")

    def _take_member(self, member: Member, place: _Place) -> None:
        usual = (HTML if member.content_type == "text/html" else BODY) if member.body else "file"
        path = self._paths.unique(place.within(file_name(member.name) or usual))
        if isinstance(member.content, Unreadable):
            (self._rich if member.body else self.problems).append(_about(path, member.content))
            return
        place = place._replace(depth=place.depth + member.forwarded)
        inner = Attachment(path, member.content, member.content_type, member.charset, place.depth, member.body)
        if place.depth > self.limits.depth:
            self._problem(path, self._too_deep())
        elif member.body:
            self._spare.append(inner)
        else:
            self._take(inner, place, embedded=False)

    def _note(self, path: str, text: str) -> None:
        """Notes what was left out on purpose."""
        self.notes.append(Problem(Origin(attachment=path), text))

    def _problem(self, path: str, why: Unreadable) -> None:
        self.problems.append(_about(path, why))


def _first(found: list[Problem], what: str, hint: str) -> tuple[Problem, ...]:
    """What was found, up to the bound, and then one line for the others."""
    more = len(found) - _MOST_TOLD
    if more <= 0:
        return tuple(found)
    return (*found[:_MOST_TOLD], Problem(Origin(), f"and {more} more attachments {what}", hint))


def _about(path: str, why: Unreadable) -> Problem:
    return Problem(Origin(attachment=path), *why)


def _is_body(leaf: Leaf) -> bool:
    return leaf.content_type in ("text/plain", "text/html") and not leaf.attached


def _leaf_name(leaf: Leaf) -> str:
    if _is_body(leaf):
        return HTML if leaf.content_type == "text/html" else BODY
    return file_name(leaf.name) or f"part-{leaf.number}{_EXTENSIONS.get(leaf.content_type, '')}"
