"""Mails that must never be answered (RFC 3834), because an answer would come back: a loop of two programs.

    sign                                          verdict
    Message-ID is one of ours (HMAC)              hold, tell nobody
    X-Loop names this site                        hold, tell nobody
    Auto-Submitted: auto-replied                  hold, tell nobody
    Content-Type: multipart/report (a bounce)     hold, tell nobody
    Auto-Submitted: auto-generated                none: extracts are sent by machines
    null return-path                              none where a route matches (verdict.py decides)

Anyone can forge the last three, and gains no more than a mail that is held.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

from mailsync.core.model import RunId
from mailsync.mail.headers import Headers

_OWN = re.compile(r"<mailsync\.([0-9a-f]{40})\.([0-9a-f]{32})@[A-Za-z0-9.-]{1,255}>\Z", re.ASCII)


class OwnMarks(NamedTuple):
    """What this site's replies carry: the secret behind their Message-ID, and the text of their X-Loop."""

    secret: bytes
    x_loop: str


def own_message_id(run: RunId, audience: str, outcome: bytes, *, secret: bytes, domain: str) -> str:
    """The Message-ID of a reply: the same for the same run, audience and digest of the outcome, however often made."""
    state = hashlib.sha256(b"mailsync reply 1")
    for part in (run, audience.encode(), outcome):
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    name = state.hexdigest()[:40]
    return f"<mailsync.{name}.{_seal(name, secret)}@{domain}>"


def is_own_message_id(text: str, secret: bytes) -> bool:
    """True when `own_message_id` made the text with this secret, whatever the domain."""
    match = _OWN.match(text.strip())
    return match is not None and hmac.compare_digest(match[2], _seal(match[1], secret))


def loop_reason(headers: Headers, own: OwnMarks) -> str:
    """Why a mail must not be answered, "" when it may be."""
    if any(is_own_message_id(text, own.secret) for text in headers.all("message-id")):
        return "it is one of our own mails, come back"
    if any(text.strip() == own.x_loop for text in headers.all("x-loop")):
        return "it carries our own X-Loop: it is an answer to, or a copy of, one of our mails"
    if any(_keyword(text) == "auto-replied" for text in headers.all("auto-submitted")):
        return "it is an automatic reply (Auto-Submitted: auto-replied)"
    if any(_keyword(text) == "multipart/report" for text in headers.all("content-type")):
        return "it is a delivery report (multipart/report)"
    return ""


def _seal(name: str, secret: bytes) -> str:
    return hmac.new(secret, b"mailsync message-id 1" + name.encode(), hashlib.sha256).hexdigest()[:32]


def _keyword(value: str) -> str:
    """The value without parameters and comments (RFC 3834 section 5), in lower case."""
    return re.split(r"[;(\s]", value.strip(), maxsplit=1)[0].lower()
