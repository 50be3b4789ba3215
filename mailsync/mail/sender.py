"""Who sent a mail, as far as it can be proved: tokens in the recipient's address or in a header.

A token `ID.TOKEN` stands behind the `+` of the envelope recipient, or in the field `X-Mailsync-Token`. Sites keep its
SHA-256 only, up to two live ones an id. Every presented token is compared with every stored one, in constant time, so
that the time taken says nothing about how much of a guess was right.

    condition      accepted when
    TokenOf        one of the presented tokens has the id and one of its live digests
    AnyOf, AllOf   any / all of their conditions are, and there is at least one

A token is known to everybody who has seen the address: it proves that the mail may use the route, never its From.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

from mailsync.mail.headers import Headers

TOKEN_FIELD = "X-Mailsync-Token"  # noqa: S105 - a field's name
MIN_TOKEN_BYTES, MAX_TOKEN_BYTES = 16, 32
MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
_MAX_PRESENTED = 4
# 26 base32 digits are 130 bits; the id may have dots, the token has none.
_PRESENTED = re.compile(r"([A-Za-z0-9_.-]{1,32})\.([a-z2-7]{26,52})\Z", re.ASCII)
_RUN = re.compile(r"[^\s@]+@?")
# A token may touch other letters and digits; run ids are hex, which hardly any token is, and must stay readable.
_LONG_WORD = re.compile(r"[A-Za-z0-9]{26,}", re.ASCII)
_TOKEN_WITHIN = re.compile(r"[A-Za-z2-7]{26}", re.ASCII)
_BARE = re.compile(r"[A-Za-z2-7]{26,52}\Z", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]+\Z", re.ASCII)
_EXTENSION = re.compile(r"\+[A-Za-z0-9_.-]{1,32}\.[A-Za-z2-7]{26,}", re.ASCII)
_BEGUN_EXTENSION = re.compile(r"\+[A-Za-z0-9_.-]{1,32}\.[A-Za-z2-7]{8,}", re.ASCII)


class Presented(NamedTuple):
    """A token a mail shows: its id and its lower-case text."""

    id: str
    token: str


class TokenOf(NamedTuple):
    """Asks for a live token of `id`; `digests` are their SHA-256 as hex (see `token_digest`)."""

    id: str
    digests: tuple[str, ...]


class AnyOf(NamedTuple):
    """Asks for one of several conditions."""

    conditions: tuple[Condition, ...]


class AllOf(NamedTuple):
    """Asks for every one of several conditions."""

    conditions: tuple[Condition, ...]


Condition = TokenOf | AnyOf | AllOf


class Authentication(NamedTuple):
    """What a mail could prove. `covers_from`: the From address is proved too, so that it may be answered.

    `method` names what was accepted (`token nightly`); `reason` says for the operator what was missing.
    """

    accepted: bool
    covers_from: bool
    method: str
    reason: str


def token_text(random: bytes) -> str:
    """The token made of 16 to 32 random bytes: lower-case base32 without padding."""
    import base64

    if not MIN_TOKEN_BYTES <= len(random) <= MAX_TOKEN_BYTES:
        raise ValueError(f"a token is made of {MIN_TOKEN_BYTES} to {MAX_TOKEN_BYTES} random bytes")
    return base64.b32encode(random).decode().rstrip("=").lower()


def token_digest(token: str) -> str:
    """What a site stores of a token: SHA-256 of its lower-case text, as hex."""
    return hashlib.sha256(token.lower().encode()).hexdigest()


def presented_tokens(recipient: str, headers: Headers) -> tuple[Presented, ...]:
    """The tokens a mail shows: in the extension of the recipient, and in its `X-Mailsync-Token` fields."""
    texts = [extension(recipient), *headers.all(TOKEN_FIELD.lower())][:_MAX_PRESENTED]
    found = (_PRESENTED.match(text.strip().lower()) for text in texts)
    return tuple(Presented(match[1], match[2]) for match in found if match)


def authenticate(condition: Condition, presented: tuple[Presented, ...]) -> Authentication:
    """Whether the presented tokens meet a route's condition, and how or why not."""
    if isinstance(condition, TokenOf):
        return _authenticate_token(condition, presented)
    parts = [authenticate(one, presented) for one in condition.conditions]
    accepted = [one for one in parts if one.accepted]
    missing = "; ".join(one.reason for one in parts if not one.accepted)
    enough = len(parts) if isinstance(condition, AllOf) else 1
    if not parts or len(accepted) < enough:
        return Authentication(accepted=False, covers_from=False, method="", reason=missing or "no condition is set")
    covered = any(one.covers_from for one in accepted)
    method = " and ".join(one.method for one in accepted)
    return Authentication(accepted=True, covers_from=covered, method=method, reason="")


def redact(text: str) -> str:
    """The text with every token in it hidden, as `local+...@domain` or `...`: for everything derived from a mail.

    Cut a text to length only afterwards: half a token is not recognised.
    """
    return _LONG_WORD.sub(_redact_word, _RUN.sub(_redact_address, text))


def redact_extensions(text: str) -> str:
    """The text with every `+ID.TOKEN` in it as `+...`, and nothing else: for addresses and ids that must stay whole."""
    return _EXTENSION.sub("+...", text)


def redact_told(text: str) -> str:
    """As `redact_extensions`, also where a token was cut off: for texts that quote what a report says, maybe in part.

    What is left when a token is cut off before its eighth character helps nobody to guess the others.
    """
    return _BEGUN_EXTENSION.sub("+...", text) if "+" in text else text


def _authenticate_token(condition: TokenOf, presented: tuple[Presented, ...]) -> Authentication:
    live = False
    for one in presented:
        digest = token_digest(one.token)
        for stored in condition.digests:
            live |= hmac.compare_digest(digest, stored) & (one.id == condition.id.lower())
    if live:
        return Authentication(accepted=True, covers_from=False, method=f"token {condition.id}", reason="")
    shown = any(one.id == condition.id.lower() for one in presented)
    reason = f"the token {condition.id} it shows is not a live one" if shown else f"it shows no token {condition.id}"
    return Authentication(accepted=False, covers_from=False, method="", reason=reason)


def extension(recipient: str) -> str:
    """What follows the first `+` of an address, or of an extension that came alone; "" when it is too long."""
    local, at, _ = recipient.rpartition("@")
    local = local if at else recipient
    if len(local) > MAX_LOCAL_PART:
        return ""
    _, plus, extension = local.partition("+")
    return extension if plus or at else local


def _redact_word(match: re.Match[str]) -> str:
    word = match[0]
    hidden = _BARE.match(word) or (_TOKEN_WITHIN.search(word) and not _HEX.match(word))
    return "..." if hidden else word


def _redact_address(match: re.Match[str]) -> str:
    run = match[0]
    local, plus, _ = run.partition("+")
    return f"{local}+...@" if plus and run.endswith("@") else run
