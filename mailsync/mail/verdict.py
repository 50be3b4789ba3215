"""What to do with a mail: a decision over its header, the envelope and the routes, before any heavy import.

The first line that applies decides:

    it is empty, its header is beyond the limits or ambiguous     hold
    it is an automatic reply, a bounce or our own (loop.py)       hold, tell nobody
    From is not exactly one address                               hold
    no route matches, and the return-path is null                 hold, tell nobody
    no route matches                                              hold
    the first matching route does not list the From address       hold
    its authentication fails                                      hold
    otherwise                                                     process

A held mail is kept and moves nothing, and its claimed sender gets no reply. It belongs to no route: sent again with a
right token it must be another run. DUPLICATE and IGNORE are never given here: whether a mail was dealt with before is
the journal's to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from mailsync.mail.address import decode_words, from_address, shown
from mailsync.mail.headers import Headers
from mailsync.mail.loop import OwnMarks, loop_reason
from mailsync.mail.sender import Condition, authenticate, extension, presented_tokens, redact, redact_extensions

Matcher = Callable[[str], bool]
_CHUNK = 1 << 20
_MAX_MESSAGE_ID = 900  # RFC 5322 section 2.1.1: a line has at most 998 characters


class Action(Enum):
    """What becomes of a mail; the value is what is stored and shown."""

    PROCESS = "process"
    HOLD = "hold"
    IGNORE = "ignore"
    DUPLICATE = "duplicate"


class Envelope(NamedTuple):
    """What the MTA said about the mail. `recipient` is an address, or only its extension, or "" when not given.

    `sender` is None when not given, "" for the null return-path.
    """

    recipient: str = ""
    sender: str | None = None


class RouteRule(NamedTuple):
    """When a route takes a mail, and from whom. None = not asked; all that are given must match.

    Matchers are given addresses in lower case. `extension` is what `recipient` asks of the part between `+` and `@`,
    for MTAs that pass on only that.
    """

    name: str
    recipient: Matcher | None
    extension: Matcher | None
    from_: Matcher | None
    subject: Matcher | None
    senders: tuple[Matcher, ...]
    authenticate: Condition


class Verdict(NamedTuple):
    """The decision, why, and what of the header goes into journal, list and reply. All of it may be shown.

    `route` is "" unless the action is PROCESS. `notify` is false when no mail at all may be sent because of this one.
    `covers_from` allows an answer to `from_address`.
    """

    action: Action
    reason: str
    route: str = ""
    method: str = ""
    covers_from: bool = False
    notify: bool = True
    message_id: str = ""
    subject: str = ""
    from_address: str = ""
    recipient_shown: str = ""


def judge(headers: Headers, envelope: Envelope, rules: Iterable[RouteRule], own: OwnMarks) -> Verdict:
    """The verdict about a mail."""
    address, no_address = from_address(headers)
    recipient = _recipient(headers, envelope)
    verdict = Verdict(
        action=Action.HOLD,
        reason="",
        message_id=redact_extensions(shown("".join(headers.first("message-id").split())))[:_MAX_MESSAGE_ID],
        subject=redact(decode_words(headers.first("subject"))),
        from_address=redact_extensions(address),
        recipient_shown=redact(shown(recipient)),
    )
    if headers.fault:
        return verdict._replace(reason=headers.fault)
    loop = loop_reason(headers, own)
    if loop:
        return verdict._replace(reason=loop, notify=False)
    if no_address:
        return verdict._replace(reason=no_address)
    rule = next((rule for rule in rules if _matches(rule, recipient, address, verdict.subject)), None)
    if rule is None:
        reason = f"no route matches (recipient {verdict.recipient_shown or 'unknown'}, from {redact(address)})"
        return verdict._replace(reason=reason, notify=not _null_return_path(headers, envelope))
    return _admit(verdict, rule, recipient, address, headers)


def identity(headers: Headers, mail: bytes) -> tuple[bytes, ...]:
    """What names a mail for its run id when a token or nothing proved it (exactly-once.md section 1).

    The Message-ID without white space, or without one From, Date and Subject; then the SHA-256 of everything after the
    first blank line with LF line ends.
    """
    message_id = "".join(headers.first("message-id").split())
    named = (message_id,) if message_id else tuple(headers.first(name) for name in ("from", "date", "subject"))
    return (*(text.encode("latin-1") for text in named), _body_digest(mail, headers.body_offset))


def _admit(verdict: Verdict, rule: RouteRule, recipient: str, address: str, headers: Headers) -> Verdict:
    """The verdict once a route is found: its senders and its authentication decide."""
    if not any(matches(address) for matches in rule.senders):
        return verdict._replace(reason=f"{redact(address)} is not among the senders of route {rule.name}")
    proof = authenticate(rule.authenticate, presented_tokens(recipient, headers))
    if not proof.accepted:
        return verdict._replace(reason=f"its sender is not authenticated for route {rule.name}: {proof.reason}")
    return verdict._replace(
        action=Action.PROCESS,
        reason=f"route {rule.name}, {proof.method}",
        route=rule.name,
        method=proof.method,
        covers_from=proof.covers_from,
    )


def _matches(rule: RouteRule, recipient: str, address: str, subject: str) -> bool:
    if rule.recipient is not None:
        if "@" in recipient:
            if not rule.recipient(recipient):
                return False
        elif rule.extension is None or not recipient or not rule.extension(extension(recipient)):
            return False
    if rule.from_ is not None and not rule.from_(address):
        return False
    return rule.subject is None or rule.subject(subject)


def _recipient(headers: Headers, envelope: Envelope) -> str:
    """The envelope recipient in lower case: as given, else where the delivering MTA wrote it, else ""."""
    if envelope.recipient:
        return envelope.recipient.strip().lower()
    for name in ("x-original-to", "delivered-to"):
        for key, value in headers.top:
            if key == name:
                return value.strip().strip("<>").lower()
    return ""


def _null_return_path(headers: Headers, envelope: Envelope) -> bool:
    if envelope.sender is not None:
        return envelope.sender.strip() in ("", "<>")
    if headers.envelope_sender is not None:
        return headers.envelope_sender == ""
    return any(key == "return-path" and value == "<>" for key, value in headers.top)


def _body_digest(mail: bytes, offset: int) -> bytes:
    state = hashlib.sha256()
    view = memoryview(mail)
    if mail.find(b"\r\n", offset) < 0:
        state.update(view[offset:])
        return state.digest()
    while offset < len(mail):
        end = offset + _CHUNK
        # A CR LF pair cut in two would keep its CR.
        end += mail[end - 1 : end + 1] == b"\r\n"
        state.update(bytes(view[offset:end]).replace(b"\r\n", b"\n"))
        offset = end
    return state.digest()
