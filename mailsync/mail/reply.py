"""A reply as the bytes of a message (RFC 5322, RFC 3834): the same bytes for the same arguments, on every host.

Strategy: nothing is random, and nothing of the answered mail is trusted. The header is written here, line by line,
from texts that were checked or made harmless first: Python's own folding would encode a long Message-ID, which breaks
the thread, and raises on some hostile ones. The bodies are quoted-printable or base64 throughout, so lines are short
and a boundary, which begins with `=_`, cannot occur in them (RFC 2045 section 6.7).

value of the answered mail      what becomes of it
Message-ID well-formed          In-Reply-To, and last of References
References                      the well-formed ids of it, the first and the newest ones
anything else of either         left out
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.header import Header
from email.message import MIMEPart
from email.utils import format_datetime
from typing import NamedTuple

from mailsync.mail.render import Rendered
from mailsync.mail.shown import one_line

MAX_ID, MAX_REFERENCES = 250, 20
# printable ASCII within the brackets; linear: each class excludes what ends it
_ID = re.compile(r"<[!-;=?-~]{1,248}>", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}\Z", re.ASCII)
_LINE = 76


class OriginalMail(NamedTuple):
    """The answered mail's own Message-ID and References, as they stand in its header: hostile until checked."""

    message_id: str = ""
    references: str = ""


class Envelope(NamedTuple):
    """Who a message is from and for, and what names it; `date` is in seconds, `loop` is the site's X-Loop text.

    `message_id` is `<...>`. Addresses are bare (`ops@example.com`). `ledger` has a text for each chain of the ledger
    that the message witnesses, of where it ended: `site 7 HASH`, `US01.LTO 12 HASH`.
    """

    from_: str
    to: tuple[str, ...]
    message_id: str
    date: int
    loop: str
    ledger: tuple[str, ...] = ()


def build_reply(envelope: Envelope, original: OriginalMail, rendered: Rendered) -> bytes:
    """The reply to a mail, text and HTML, with the move list attached when there is one; lines end in LF.

    Raises ValueError for an address or Message-ID of the envelope that cannot stand in a header.
    """
    bodies = _container("alternative", [_text(rendered.text, "plain"), _text(rendered.html, "html")], envelope)
    if rendered.csv:
        bodies = _container("mixed", [bodies, _attached(rendered.csv)], envelope)
    lines = _header(envelope, rendered.subject, "auto-replied")
    lines += _thread(original)
    return _message(lines, bodies)


def build_notice(envelope: Envelope, subject: str, text: str, original: OriginalMail | None = None) -> bytes:
    """A notice to people, plain text only; it answers `original` when there is one. Raises as `build_reply`."""
    kind = "auto-generated" if original is None else "auto-replied"
    lines = _header(envelope, one_line(subject), kind)
    if original is not None:
        lines += _thread(original)
    return _message(lines, _text(text, "plain"))


def references(original: OriginalMail) -> tuple[str, ...]:
    """The thread a reply belongs to, oldest first: at most 20 ids, the first and the newest (RFC 5322, 3.6.4)."""
    found = [match[0] for match in _ID.finditer(original.references[-100_000:])]
    own = message_id(original.message_id)
    thread = list(dict.fromkeys([one for one in found if one != own] + ([own] if own else [])))
    return tuple(thread if len(thread) <= MAX_REFERENCES else [thread[0], *thread[1 - MAX_REFERENCES :]])


def message_id(text: str) -> str:
    """The Message-ID in a header's value, or "" when it is not exactly one well-formed one."""
    match = _ID.fullmatch(text.strip())
    return match[0] if match else ""


def _header(envelope: Envelope, subject: str, kind: str) -> list[str]:
    if not message_id(envelope.message_id):
        raise ValueError(f"not a Message-ID: {one_line(envelope.message_id)}")
    return [
        f"From: {_address(envelope.from_)}",
        "To: " + ",\n ".join(_address(one) for one in envelope.to),
        _subject(subject),
        f"Date: {format_datetime(datetime.fromtimestamp(envelope.date, UTC))}",
        f"Message-ID: {envelope.message_id}",
        f"Auto-Submitted: {kind}",
        "X-Auto-Response-Suppress: All",
        f"X-Loop: {one_line(envelope.loop).encode('ascii', 'replace').decode()}",
        *(f"X-Mailsync-Ledger: {one_line(one)}" for one in envelope.ledger),
    ]


def _thread(original: OriginalMail) -> list[str]:
    answered = message_id(original.message_id)
    thread = references(original)
    lines = [f"In-Reply-To: {answered}"] if answered else []
    # One id a line: an id is never broken, and no line comes near 998 (RFC 5322 section 2.1.1).
    return lines + (["References: " + "\n ".join(thread)] if thread else [])


def _subject(text: str) -> str:
    line = f"Subject: {text}"
    if text.isascii() and len(line) <= _LINE:
        return line
    charset = "us-ascii" if text.isascii() else "utf-8"
    return f"Subject: {Header(text, charset, maxlinelen=_LINE, header_name='Subject').encode()}"


def _address(text: str) -> str:
    if not _ADDRESS.match(text):
        raise ValueError(f"not an address that can be written to: {one_line(text)}")
    return text


def _text(text: str, subtype: str) -> MIMEPart:
    part = MIMEPart()
    part.set_content(text.encode("utf-8", "replace").decode(), subtype=subtype, charset="utf-8", cte="quoted-printable")
    return part


def _attached(content: bytes) -> MIMEPart:
    part = MIMEPart()
    part.set_content(content, "text", "csv", cte="base64", disposition="attachment", filename="moves.csv")
    part.set_param("charset", "utf-8")
    return part


def _container(subtype: str, parts: Sequence[MIMEPart], envelope: Envelope) -> MIMEPart:
    name = hashlib.sha256(f"{subtype} {envelope.message_id}".encode()).hexdigest()[:32]
    container = MIMEPart()
    container["Content-Type"] = f'multipart/{subtype}; boundary="=_{name}"'
    container.set_payload([*parts])
    return container


def _message(lines: list[str], content: MIMEPart) -> bytes:
    header = "\n".join([*lines, "MIME-Version: 1.0"])
    return header.encode("ascii") + b"\n" + content.as_bytes()
