"""Addresses and encoded words in header fields: small linear readers of our own.

`email.utils` would cost its import on every mail, and is lenient where this must be strict: whoever may move tapes is
decided by *the one* address of From. Anything but exactly one plain address has none (the mail is held).
"""

from __future__ import annotations

import binascii
import re

from mailsync.mail.headers import Headers
from mailsync.mail.shown import UNSEEN

_MAX_FIELD = 4_096  # an address field or a subject beyond it is cut before it is read
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9._-]{1,255}\Z", re.ASCII)
_QUOTED = "\x00"
_NAMED = re.compile(r"[^<>:;()]*<([^<>]*)>\s*\Z")
# Codecs that decode text; `unicode_escape`, `idna` and their like are not charsets.
_CHARSET = re.compile(r"(?:utf|iso|us-ascii|ascii|windows|cp|koi8|latin|mac|big5|gb|euc|shift|ks_c|tis)", re.ASCII)
# RFC 2047 section 2: =?charset*language?encoding?text?=
_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([bBqQ])\?([!->@-~ ]{0,1000})\?=", re.ASCII)
_NOT_SHOWN = re.compile(f"[{UNSEEN}]+")


def from_address(headers: Headers) -> tuple[str, str]:
    """The one address of the one From field in lower case and "", or "" and why there is none."""
    fields = headers.all("from")
    if not fields:
        return "", "it has no From field"
    if len(fields) > 1:
        return "", f"it has {len(fields)} From fields"
    if len(fields[0]) > _MAX_FIELD:
        return "", "its From field is too long"
    found = addresses(fields[0])
    if found is None:
        return "", "its From field is not an address"
    if len(found) != 1:
        return "", f"its From field has {len(found)} addresses"
    return found[0].lower(), ""


def addresses(text: str) -> tuple[str, ...] | None:
    """The addresses of a field, `Name <local@domain>` or `local@domain` each; None when any of it is something else.

    Comments and quoted names are skipped. Groups, routes, quoted local parts and address literals are not addresses
    here: no report is sent from one, and forgers like them (RFC 5322 section 3.4).
    """
    outside = _outside(text)
    if outside is None:
        return None
    found = []
    for mailbox in outside.split(","):
        angle = _NAMED.match(mailbox)
        candidate = (angle[1] if angle else mailbox).strip()
        if not _ADDRESS.match(candidate):
            return None
        found.append(candidate)
    return tuple(found)


def decode_words(text: str) -> str:
    """A field's value for people: RFC 2047 words decoded, 8-bit text as UTF-8 where it is, on one line, bounded."""
    text = text[:_MAX_FIELD]
    pieces: list[str] = []
    position, pending, pending_charset = 0, b"", ""
    for match in _WORD.finditer(text):
        between = text[position : match.start()]
        charset, data = match[1].lower(), _word_bytes(match[2], match[3])
        # White space between two words is not shown, and a character may be cut in two by them.
        if pending and not between.strip() and charset == pending_charset:
            pending += data
        else:
            pieces.append(_decode(pending, pending_charset))
            if between.strip() or not pending_charset:
                pieces.append(_eight_bit(between))
            pending, pending_charset = data, charset
        position = match.end()
    pieces += (_decode(pending, pending_charset), _eight_bit(text[position:]))
    return shown("".join(pieces))


def shown(text: str) -> str:
    """The text on one line, without control characters and without anything unseen in it."""
    return " ".join(_NOT_SHOWN.sub(" ", text).split())


def _outside(text: str) -> str | None:
    """The text with each quoted string as one mark and each comment as a space; None when one is not closed."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = character != '"'
        elif depth or character == "(":
            depth += (character == "(") - (character == ")")
            kept.append(" ")
        elif character == '"':
            quoted = True
            kept.append(_QUOTED)
        else:
            kept.append(character)
    return None if depth or quoted else "".join(kept)


def _word_bytes(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        try:
            return binascii.a2b_base64(text + "==")
        except binascii.Error:
            return text.encode("ascii")
    return binascii.a2b_qp(text.encode("ascii"), header=True)


def _decode(data: bytes, charset: str) -> str:
    if not data:
        return ""
    if not _CHARSET.match(charset):
        return _eight_bit(data.decode("latin-1"))
    try:
        return data.decode(charset)
    except (LookupError, ValueError):
        return _eight_bit(data.decode("latin-1"))


def _eight_bit(text: str) -> str:
    """Latin-1 text as `headers` keeps raw bytes, read as UTF-8 where it is that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text
