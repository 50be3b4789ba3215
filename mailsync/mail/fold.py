"""Big bodies set aside before a mail is parsed, and put back when a part's text is read.

A MIME parser looks at every line of a mail to find boundaries: 20 ms and 8 MB of memory for each megabyte of it. But a
boundary can only stand on a line that begins with `--` and a boundary the mail declares, so whatever lies between two
such lines, beyond a header, is one opaque run. Each long run is replaced by a line with a marker the mail does not
contain; `restore` replaces the markers by views of the mail. Nothing is decided here: the parser sees the same
structure, with shorter bodies, and every line of every header.

between two such lines                         set aside
nothing blank: it may all be a header          nothing
the header may announce a mail in this part    nothing: another header follows the first, however long
otherwise                                      what follows the first blank line, which ends any header
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

_SHORTEST = 32_768  # a shorter run is cheaper to parse than to set aside
_MAX_DECLARED = 50
_MAX_DELIMITERS = 20_000
_BLANK = re.compile(rb"\n\r?\n")
# White space may stand around the sign, and the field be folded there.
_DECLARED = re.compile(rb'boundary[ \t]{0,80}=(?:\r?\n?[ \t]){0,80}"?([^"\\;\s]{0,100})', re.IGNORECASE)


class Folded(NamedTuple):
    """A mail with its long runs replaced: `skeleton` to parse, and what `restore` needs."""

    skeleton: bytes
    marker: bytes
    runs: tuple[memoryview, ...]


def fold(mail: bytes, start: int = 0, *, shortest: int = _SHORTEST) -> Folded:
    """The mail from `start` on, with every opaque run of at least `shortest` bytes replaced by a marker."""
    marker, delimiters = _marker(mail), _delimiters(mail, start)
    if not marker or delimiters is None:
        return Folded(mail[start:], b"", ())
    runs: list[memoryview] = []
    skeleton: list[bytes] = []
    view = memoryview(mail)
    position = start
    for begin, end in _opaque(mail, start, delimiters):
        if end - begin >= shortest:
            skeleton += (bytes(view[position:begin]), marker + b"%d;" % len(runs))
            runs.append(view[begin:end])
            position = end
    skeleton.append(bytes(view[position:]))
    return Folded(b"".join(skeleton), marker, tuple(runs))


def restore(folded: Folded, text: bytes) -> bytes:
    """The text of a part of the skeleton with its runs put back."""
    first, *others = text.split(folded.marker) if folded.marker else [text]
    pieces: list[bytes | memoryview] = [first]
    for piece in others:
        number, _, rest = piece.partition(b";")
        pieces += (folded.runs[int(number)], rest)
    return b"".join(pieces) if others else text


def _opaque(mail: bytes, start: int, delimiters: list[int]) -> Iterator[tuple[int, int]]:
    """(begin, end) of what lies between possible boundaries and beyond a header, whole lines but for the last's end."""
    position = start
    for delimiter in (*delimiters, len(mail)):
        # The line end before a boundary belongs to it (RFC 2046 section 5.1.1).
        tail = mail[max(delimiter - 2, start) : delimiter]
        end = delimiter - (len(tail) if tail == b"\r\n" else tail.endswith((b"\n", b"\r")))
        blank = _BLANK.search(mail, position, end)
        if blank and b"message/" not in mail[position : blank.start()].lower():
            yield blank.end(), end
        position = delimiter


def _delimiters(mail: bytes, start: int) -> list[int] | None:
    """Where the lines begin that may be boundaries, ascending; None when they are too many to be worth folding.

    None for a digest too: its parts are mails without saying so.
    """
    lower = mail.lower()
    if b"multipart/digest" in lower:
        return None
    # A parser that takes a lone CR for a line end finds boundaries there too.
    breaks = (b"\n", b"\r") if b"\r--" in mail else (b"\n",)
    found: set[int] = set()
    for line_break, prefix in product(breaks, _declared(mail, lower)):
        position = mail.find(line_break + prefix, start)
        while position >= 0:
            found.add(position + 1)
            if len(found) > _MAX_DELIMITERS:
                return None
            position = mail.find(line_break + prefix, position + 1)
    return sorted(found)


def _declared(mail: bytes, lower: bytes) -> set[bytes]:
    """What a boundary line begins with, for every boundary the mail, `lower` in lower case, may declare anywhere."""
    found: set[bytes] = set()
    position = -1
    for _ in range(_MAX_DECLARED):
        position = lower.find(b"boundary", position + 1)
        if position < 0:
            return found
        match = _DECLARED.match(mail, position)
        if match:
            found.add(b"--" + match[1])
        elif lower.startswith(b"boundary*", position):
            break
    # Too many, or in RFC 2231's forms (boundary*0=): any line with two dashes counts.
    return {b"--"}


def _marker(mail: bytes) -> bytes:
    """A text that is not in the mail, "" when somebody has put all our candidates there."""
    for number in range(8):
        marker = b"mailsync-folded-%d-" % number
        if marker not in mail:
            return marker
    return b""
