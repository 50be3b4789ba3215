"""The only module that imports mail-parser: a mail as the leaves of its tree of parts.

Strategy: mail-parser's own lists are not used, because they forget nameless parts, name them at random, decode every
attachment twice and write to stderr; its `.message` is walked instead, which also knows how deep a part lies. What it
is given was folded (fold.py) and is built part by part within bounds, so that a hostile mail is refused before it is
expensive. Names come from mail-parser's view of a part's header, which survives 8-bit names and RFC 2231.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.errors import CloseBoundaryNotFoundDefect
from email.message import Message
from email.parser import BytesFeedParser
from itertools import count
from typing import Any, NamedTuple

from mailparser import MailParser
from mailparser.utils import mime_header_view

from mailsync.mail.address import decode_words
from mailsync.mail.fold import Folded, fold, restore
from mailsync.mail.headers import envelope
from mailsync.mail.kinds import Unreadable
from mailsync.mail.unpack import UnpackLimits

_CHUNK = 65_536
# Reading parameters takes time that grows with the square of a hostile value; RFC 2231 names reach 1,000 characters.
_MAX_STRUCTURE_FIELD = 2_000
_OPAQUE = ("message/partial", "message/external-body")
_ENCODED = ("base64", "quoted-printable")
_STRUCTURE = ("content-type", "content-disposition", "content-transfer-encoding", "content-id")


class _BeyondLimitError(Exception):
    """A limit was passed while the mail was being parsed; it never leaves this module."""


class Leaf(NamedTuple):
    """A part without parts.

    `number` counts the parts that are not multipart, forwarded mails included, from 1. `name` is the name the part was
    given, "" when none. `containers` are the names of the forwarded mails around it, outermost first. `attached`: the
    mail says that it is a file; `embedded`: that it belongs to another part, as a logo does. `cut_off`: it is the
    last of a multipart without an end. `flowed` and `delete_space` are what format=flowed and DelSp=yes say (RFC 3676).
    """

    number: int
    name: str
    containers: tuple[str, ...]
    content_type: str
    charset: str
    encoding: str
    attached: bool
    embedded: bool
    cut_off: bool
    flowed: bool
    delete_space: bool
    part: _Part
    folded: Folded

    @property
    def raw(self) -> bytes:
        """The part's text, still in its transfer encoding."""
        # Without the field the payload comes as it is; mail-parser and `email` decode leniently.
        del self.part["content-transfer-encoding"]
        text = self.part.get_payload(decode=True)
        return restore(self.folded, text if isinstance(text, bytes) else b"")


class _Tree(MailParser):  # type: ignore[misc] # no type information published
    """mail-parser's reading of a mail without its eager second half: only `.message` is used."""

    def parse(self) -> _Tree:
        return self


class _Part(Message):
    """A part that refuses to become more than its mail's limits allow, while it is being parsed."""

    budget: Budget
    nesting = 0

    def get_content_maintype(self) -> str:
        """The first half of the content type, by which the parser decides what has parts.

        What it would only misread is none of its business: a mail in base64, which is decoded first, and a piece of a
        mail (RFC 2046 section 5.2.2), which is nothing without the others.
        """
        kind = super().get_content_maintype()
        opaque = kind == "message" and (self.get_content_type() in _OPAQUE or _encoding(self) in _ENCODED)
        return "application" if opaque else kind

    def get_param(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as Message.get_param
        """A parameter of the content type, and what is given for a missing one where it cannot be read.

        `email` raises on some (a name that is continued and is not, at once), within the parser too.
        """
        try:
            return super().get_param(*arguments, **named)
        except (LookupError, TypeError, ValueError):
            return named.get("failobj", arguments[1] if len(arguments) > 1 else None)

    @property
    def children(self) -> tuple[_Part, ...]:
        """The parts of a multipart or of a forwarded mail."""
        payload = self.get_payload() if self.is_multipart() else ()
        return tuple(child for child in payload if isinstance(child, _Part))

    def attach(self, payload: Message) -> None:  # type: ignore[override] # only parts of ours are attached
        """Adds a part below this one, within the limit of nesting."""
        assert isinstance(payload, _Part)
        payload.nesting = self.nesting + 1
        if payload.nesting > self.budget.limits.nesting:
            raise _BeyondLimitError(f"its parts are nested deeper than nesting: {self.budget.limits.nesting}")
        super().attach(payload)

    def set_raw(self, name: str, value: str) -> None:
        """Adds a field, within the limits of number and length."""
        self.budget.fields += 1
        if self.budget.fields > self.budget.limits.part_fields:
            raise _BeyondLimitError(
                f"its parts have more header fields than part_fields: {self.budget.limits.part_fields}"
            )
        if name.lower() in _STRUCTURE and len(value) > _MAX_STRUCTURE_FIELD:
            raise _BeyondLimitError(f"a {name[:40]} field is longer than {_MAX_STRUCTURE_FIELD} characters")
        super().set_raw(name, value)


class Budget:
    """Counts what the parts of a mail, and of the mails found in it, have used; called, it makes the next part."""

    def __init__(self, limits: UnpackLimits) -> None:
        self.limits = limits
        self.parts = 0
        self.fields = 0
        self.lines = 0

    def __call__(self) -> _Part:
        """A part, within the limit of how many there may be."""
        self.parts += 1
        if self.parts > self.limits.parts:
            raise _BeyondLimitError(f"it has more parts than parts: {self.limits.parts}")
        part = _Part()
        part.budget = self
        return part


def read_message(mail: bytes, budget: Budget) -> tuple[Leaf, ...] | Unreadable:
    """The leaves of a mail in their order, or the limit it is beyond."""
    folded = fold(mail, envelope(mail)[0])
    try:
        root = _parse(folded.skeleton, budget)
    except _BeyondLimitError as beyond:
        return Unreadable(f"the mail cannot be unpacked: {beyond}", "send a simpler mail, or raise the limit")
    last = {id(leaf) for leaf in _cut_off(root)}
    return tuple(
        _leaf(node, folded, cut_off=id(node.part) in last) for node in _walk(root, (), count(1), related=False)
    )


def _parse(skeleton: bytes, budget: Budget) -> _Part:
    budget.lines += skeleton.count(b"\n") + skeleton.count(b"\r")
    if budget.lines > budget.limits.mail_lines:
        raise _BeyondLimitError(f"it has more lines to look at than mail_lines: {budget.limits.mail_lines}")
    parser = BytesFeedParser(_factory=budget)
    for position in range(0, len(skeleton), _CHUNK):
        parser.feed(skeleton[position : position + _CHUNK])
    root = _Tree(parser.close()).message
    assert isinstance(root, _Part)
    return root


class _Node(NamedTuple):
    """A part on the way, and what its surroundings say about it."""

    part: _Part
    number: int
    containers: tuple[str, ...]
    related: bool


def _walk(part: _Part, containers: tuple[str, ...], numbers: Iterator[int], *, related: bool) -> Iterator[_Node]:
    """The parts without parts, in their order."""
    kind = part.get_content_maintype()
    children = part.children
    number = 0 if children and kind == "multipart" else next(numbers)
    if not children or kind not in ("multipart", "message"):
        yield _Node(part, number, containers, related)
        return
    if kind == "message":
        containers = (*containers, _name(mime_header_view(part)[0]) or f"part-{number}")
    for child in children:
        yield from _walk(child, containers, numbers, related=related or part.get_content_subtype() == "related")


def _leaf(node: _Node, folded: Folded, *, cut_off: bool) -> Leaf:
    view = mime_header_view(node.part)[0]
    name = _name(view)
    disposition = (view.get_content_disposition() or "").lower()
    return Leaf(
        number=node.number,
        name=name,
        containers=node.containers,
        content_type=view.get_content_type(),
        charset=_charset(view),
        encoding=_encoding(node.part),
        attached=bool(name) or disposition == "attachment",
        embedded=node.related or disposition == "inline" or "content-id" in view,
        cut_off=cut_off,
        flowed=_parameter(view, "format") == "flowed",
        delete_space=_parameter(view, "delsp") == "yes",
        part=node.part,
        folded=folded,
    )


def _name(view: Message) -> str:
    """The name a part was given, decoded (RFC 2231, RFC 2047), "" when none or when it cannot be read."""
    try:
        return decode_words(view.get_filename() or "")
    except (LookupError, TypeError, ValueError):  # what `email` raises for broken RFC 2231 values
        return ""


def _charset(view: Message) -> str:
    try:
        return decode_words(view.get_content_charset() or "")[:40]
    except (LookupError, TypeError, ValueError):
        return ""


def _parameter(view: Message, name: str) -> str:
    """A parameter of the content type in lower case, "" without one."""
    try:
        return str(view.get_param(name) or "").strip().lower()[:40]
    except (LookupError, TypeError, ValueError):
        return ""


def _encoding(part: Message) -> str:
    return str(part.get("content-transfer-encoding", "")).strip().lower()[:40]


def _cut_off(root: _Part) -> Iterator[_Part]:
    """The last leaf of every multipart without its closing boundary: whether rows are missing there, nobody can say.

    A mail that was cut off and then forwarded has an end, and a multipart within it has none.
    """
    for part in root.walk():
        if any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in part.defects):
            last = part
            while isinstance(last, _Part) and last.children:
                last = last.children[-1]
            if isinstance(last, _Part):
                yield last
