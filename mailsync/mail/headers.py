"""A mail's header read from its raw bytes: enough for every verdict, before any heavy import.

Strategy: one forward walk over lines, bounded in bytes and fields. Where the header ends is decided as `email` decides
it, so that no verdict is about another header than the one the attachments are read under:

    line                                   meaning
    `From `, `>From ` on top               the envelope (mbox; procmail writes both); not part of the header
    blank                                  the header ends, the body begins after it
    starts with space or tab               continues the field above; dropped where there is none
    `name:`                                a field
    empty name, `From ` further down       fault: parsers disagree what such a line means
    has a carriage return within           fault: parsers disagree where such a line ends
    anything else                          the header ends, the body begins here
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FIELD = re.compile(rb"[!-9;-~]+:")
_ENVELOPE = (b"From ", b">From ")
_MAX_ENVELOPE_LINES = 4
_NULL_SENDERS = ("MAILER-DAEMON", "<>")


class HeaderLimits(NamedTuple):
    """How much header is read. Real ones have 2-20 KB and 20-80 fields; 16,000 fields cost mail-parser 0.9 s."""

    header_bytes: int = 262_144
    header_fields: int = 2_000


class Headers(NamedTuple):
    """A mail's header. `fields` are (lower-case name, unfolded value), top first, 8-bit text read as Latin-1.

    `envelope_sender` comes from the `From ` line: None without one, "" for the null sender. `body_offset` is where the
    body begins in the mail. `fault` says why the header could not be read; then there are no fields, the whole mail
    counts as body, and the mail is to be held.
    """

    envelope_sender: str | None
    fields: tuple[tuple[str, str], ...]
    body_offset: int
    raw: bytes
    fault: str = ""

    def first(self, name: str) -> str:
        """The value of the topmost field of that lower-case name, "" without one."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every field of that lower-case name, top first."""
        return tuple(value for key, value in self.fields if key == name)

    @property
    def top(self) -> tuple[tuple[str, str], ...]:
        """The fields above the first Received: only the MTA that delivered the mail can have put them there."""
        for index, (name, _) in enumerate(self.fields):
            if name == "received":
                return self.fields[:index]
        return self.fields


def scan_headers(mail: bytes, limits: HeaderLimits) -> Headers:
    """The header of a mail, or a `Headers` with its `fault` where it is beyond the limits or ambiguous."""
    start, sender = envelope(mail)
    if not mail[start : start + 4].strip(b"\r\n") and len(mail) <= start + 4:
        return Headers(sender, (), 0, b"", "the mail is empty")
    grouped: list[list[bytes]] = []
    body, fault = _walk(mail, start, limits, grouped)
    if fault:
        return Headers(sender, (), 0, b"", fault)
    return Headers(sender, tuple(_field(lines) for lines in grouped), body, mail[start:body])


def envelope(mail: bytes) -> tuple[int, str | None]:
    """Where the header begins behind the envelope lines, and the sender they name (None without one, "" = null)."""
    start, sender = 0, None
    for _ in range(_MAX_ENVELOPE_LINES):
        if not mail.startswith(_ENVELOPE, start):
            break
        end = mail.find(b"\n", start, start + 2_000)
        if end < 0:
            break
        words = mail[start:end].decode("latin-1").split(maxsplit=2)
        if sender is None and words[0] == "From":
            named = words[1] if len(words) > 1 else ""
            sender = "" if named in _NULL_SENDERS else named
        start = end + 1
    return start, sender


def _walk(mail: bytes, start: int, limits: HeaderLimits, grouped: list[list[bytes]]) -> tuple[int, str]:
    """Gathers the lines of each field; (where the body begins, fault)."""
    position, stop = start, start + limits.header_bytes
    while position < len(mail):
        end = mail.find(b"\n", position, stop)
        if end < 0 and len(mail) > stop:
            return 0, f"the header is longer than header_bytes: {limits.header_bytes}"
        following = end + 1 if end >= 0 else len(mail)
        line = mail[position:following].removesuffix(b"\n").removesuffix(b"\r")
        if not line:
            return following, ""
        fault = _ambiguity(line)
        if fault:
            return 0, fault
        if line[0] in b" \t":
            if grouped:
                grouped[-1].append(line)
        elif _FIELD.match(line):
            grouped.append([line])
        else:
            return position, ""
        if len(grouped) > limits.header_fields:
            return 0, f"the header has more fields than header_fields: {limits.header_fields}"
        position = following
    return position, ""


def _ambiguity(line: bytes) -> str:
    """What parsers disagree about in a line of the header, "" when nothing."""
    if b"\r" in line:
        return "the header has a carriage return within a line"
    if line.startswith(b":"):
        return "the header has a field without a name"
    return "the header has an envelope line (From ) within" if line.startswith(b"From ") else ""


def _field(lines: list[bytes]) -> tuple[str, str]:
    """One field, unfolded (RFC 5322 section 2.2.3: the line ends go, the white space stays)."""
    name, _, value = b"".join(lines).decode("latin-1").partition(":")
    return name.lower(), value.strip(" \t")
