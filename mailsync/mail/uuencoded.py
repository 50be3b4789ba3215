"""Files pasted into a text as uuencode writes them (POSIX, both forms), and the text without them.

One walk over the lines. A file is whole or a problem, and none of its lines stays in the text: half a list would look
like a list, and what is left of it like a report.

    line                                      means
    `begin 644 name`                          a file begins: lines of a length character and four for three bytes
    ... and neither data nor `end` follows    no file; the line is one of the text's words
    `begin-base64 644 name`                   a file in base64 begins, up to a line `====`
    a data line                               its bytes. Blanks at its end may be gone, a blank may stand before it
                                              (format=flowed), one character may follow (a checksum)
    a line of no length, then `end`           the file is whole; some programs leave out the first of the two
    anything else in a file                   damaged: skipped up to its `end`, the next `begin` or the end of the text
"""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

from mailsync.mail.kinds import AGAIN, Unreadable
from mailsync.mail.members import Archive, Member

_BEGIN = re.compile(rb"begin(-base64)? [0-7]{3,4} ([^\r\n]{1,1000})\r?(?:\n|\Z)")
_CLOSING = re.compile(rb"^(?:end[ \t]*\r?$|begin(?:-base64)? [0-7]{3,4} )", re.MULTILINE)
_CLOSING_BASE64 = re.compile(rb"^(?:====[ \t]*\r?$|begin(?:-base64)? [0-7]{3,4} )", re.MULTILINE)
_BASE64_LINE = re.compile(rb"[ \t]?[A-Za-z0-9+/]{16,100}={0,2}[ \t]*\r?(?:\n|\Z)")
_LONGEST_LINE = 120  # a data line has at most 61 characters and some blanks
_CUT_OFF = Unreadable("the uuencoded file is cut off: it has no end", AGAIN)
_DAMAGED = Unreadable("the uuencoded file is damaged: a line of it is none", AGAIN)
_NOTHING = Unreadable("it is said to be uuencoded and has no uuencoded file", AGAIN)


class Pasted(NamedTuple):
    """A text without the files that were pasted into it, and those in their order."""

    text: bytes
    files: tuple[Member, ...]


class _Read(NamedTuple):
    """What follows a line that begins a file: its content, None when there is no file; and where the text goes on."""

    content: bytes | Unreadable | None
    end: int


def open_uuencoded(data: bytes, most: int) -> Archive | Unreadable:
    """The files of a uuencoded text, not more than one beyond `most`; words around them do not count."""
    files = take_pasted(data, most).files
    return Archive(len(files), iter(files)) if files else _NOTHING


def take_pasted(text: bytes, most: int) -> Pasted:
    """The text without the files in it, and these, not more than one beyond `most`."""
    kept: list[bytes] = []
    files: list[Member] = []
    begin = _next_begin(text, 0)
    position = 0
    while begin and len(files) <= most:
        found = _base64(text, begin.end()) if begin[1] else _lines(text, begin.end())
        if found.content is not None:
            kept.append(text[position : begin.start()])
            files.append(Member(begin[2].decode("latin-1").strip(), found.content))
            position = found.end
        begin = _next_begin(text, found.end)
    return Pasted(b"".join((*kept, text[position:])), tuple(files)) if files else Pasted(text, ())


def _next_begin(text: bytes, position: int) -> re.Match[bytes] | None:
    """The next line that may begin a file, at the position or behind it."""
    if position == 0 and (match := _BEGIN.match(text)):
        return match
    # The pattern is tried where a line begins so, and nowhere else: it may look at a thousand characters in vain.
    before = text.find(b"\nbegin", max(position - 1, 0))
    while before >= 0:
        if match := _BEGIN.match(text, before + 1):
            return match
        before = text.find(b"\nbegin", before + 1)
    return None


def _lines(text: bytes, start: int) -> _Read:
    pieces: list[bytes] = []
    position, shortened = start, False
    while position < len(text):
        line, following = _line(text, position)
        piece = _data(line)
        if not piece:
            break
        shortened = shortened or len(line) < _written(line)
        pieces.append(piece)
        position = following
    line, following = _line(text, position)
    if not line.strip(b"` ") and _line(text, following)[0].strip() == b"end":
        line, following = _line(text, following)
    if line.strip() != b"end":
        return _unfinished(text, start, position)
    # Who writes ` for nothing writes no blanks: then a short line has lost something else.
    if shortened and b"`" in text[start:position]:
        return _Read(_DAMAGED, following)
    return _Read(b"".join(pieces), following)


def _unfinished(text: bytes, start: int, position: int) -> _Read:
    """A file that stops being one at the position: damaged, cut off, or none at all."""
    closing = _CLOSING.search(text, position)
    if closing and closing[0].startswith(b"end"):
        return _Read(_DAMAGED, min(closing.end() + 1, len(text)))
    end = closing.start() if closing else len(text)
    return _Read(_CUT_OFF if position > start else None, end)


def _base64(text: bytes, start: int) -> _Read:
    closing = _CLOSING_BASE64.search(text, start)
    end = closing.start() if closing else len(text)
    if not (closing and closing[0].startswith(b"=")):
        return _Read(_CUT_OFF if _BASE64_LINE.match(text, start) else None, end)
    try:
        content = binascii.a2b_base64(text[start:end].translate(None, b" \t\r\n"), strict_mode=True)
    except binascii.Error:
        return _Read(_DAMAGED, min(closing.end() + 1, len(text)))
    return _Read(content, min(closing.end() + 1, len(text)))


def _line(text: bytes, position: int) -> tuple[bytes, int]:
    """The line that begins at the position, without its end, and where the next one begins."""
    end = text.find(b"\n", position, position + _LONGEST_LINE)
    if end < 0:
        end = min(len(text), position + _LONGEST_LINE)
    return text[position:end].removesuffix(b"\r"), min(end + 1, len(text))


def _data(line: bytes) -> bytes | None:
    """The bytes of a data line, None when it is none."""
    data = _decoded(line)
    return _decoded(line[1:]) if data is None and line.startswith(b" ") else data


def _decoded(line: bytes) -> bytes | None:
    if not line or not 0x20 <= line[0] <= 0x60:
        return None
    size = (line[0] - 0x20) & 0x3F
    full = 1 + -(-size // 3) * 4
    if len(line[full:].rstrip()) > 1:
        return None
    try:
        return binascii.a2b_uu(line[:full].ljust(full)) if size else b""
    except binascii.Error:
        return None


def _written(line: bytes) -> int:
    """How many characters a data line has at least, the one for its length with it."""
    return 1 + -(-((line[0] - 0x20) & 0x3F) * 4 // 3)
