"""Text of format=flowed (RFC 3676) with its lines put together again: a row that was wrapped comes out whole.

    line                                            becomes
    begins with a blank                             the line without it (space-stuffing)
    begins with `>`                                 stays a quotation of that depth
    ends with a blank, and was worth wrapping       goes on in the next line of its depth
    ends with a blank and is shorter or longer      a line: commands fill up their columns with blanks
    `-- `                                           a line: the signature begins

The label is a hint at most. Who wraps does so at 60 to 79 characters, where the next word would not have fitted. A text
is a table with blanks at its right, in which nothing is put together and no blank taken off, when it has

    a line that ends in two blanks or more, and is more than blanks
    three lines in a row that end with a blank and are equally long
    a line to go on in one that begins like it: `K10190L6,...` in `K10191L6,...`
Lines are never listed: a text of millions of empty ones would take a hundred times its size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NARROWEST, _WIDEST = 60, 79
_ALIKE = 3
_FIRST_WORD = re.compile(rb"[A-Za-z0-9-]{4,16}", re.ASCII)
_LETTERS_AND_DIGITS = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", b"A" * 52 + b"9" * 10
)


class _Line(NamedTuple):
    """A line without its quotation marks and the blank before it."""

    depth: int
    text: bytes


def unflow(text: bytes, *, delete_space: bool) -> bytes:
    """The text with LF line ends and its wrapped lines joined; `delete_space` is what DelSp=yes says.

    It has one line less for each that was joined to the one before.
    """
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 has line ends of its own
        return text
    text = text.replace(b"\r\n", b"\n")
    if _is_padded(_lines(text)):
        return text
    joined = bytearray()
    lines = _lines(text)
    line: _Line | None = next(lines)
    begins = True
    while line:
        following = next(lines, None)
        if begins and line.depth:
            joined += b">" * line.depth + b" "
        begins = not (following and _goes_on(line, following))
        joined += line.text[:-1] if delete_space and not begins else line.text
        if begins and following:
            joined += b"\n"
        line = following
    return bytes(joined)


def _lines(text: bytes) -> Iterator[_Line]:
    """The lines one by one, the last with or without its end."""
    position = 0
    while (end := text.find(b"\n", position)) >= 0:
        yield _line(text[position:end])
        position = end + 1
    yield _line(text[position:])


def _line(raw: bytes) -> _Line:
    text = raw.lstrip(b">")
    return _Line(len(raw) - len(text), text.removeprefix(b" "))


def _goes_on(line: _Line, following: _Line) -> bool:
    text = line.text
    if not text.endswith(b" ") or text == b"-- " or line.depth != following.depth or len(text) > _WIDEST:
        return False
    word = following.text.partition(b" ")[0]
    return len(text) + len(word) > _NARROWEST


def _is_padded(lines: Iterator[_Line]) -> bool:
    """True for a table whose lines are filled up with blanks."""
    alike, length = 0, 0
    before, start = _Line(-1, b""), b""
    for line in lines:
        goes_on = _goes_on(before, line)
        if (line.text.endswith(b"  ") and line.text.strip()) or (goes_on and _are_alike(start, line.text)):
            return True
        before, start = line, start if goes_on else line.text
        size = len(line.text) if line.text.endswith(b" ") else 0
        alike = alike + 1 if size and size == length else bool(size)
        if alike >= _ALIKE:
            return True
        length = size
    return False


def _are_alike(one: bytes, other: bytes) -> bool:
    """True for lines whose first words have letters and digits at the same places, as rows that begin with volumes."""
    first, second = _FIRST_WORD.match(one), _FIRST_WORD.match(other)
    if first is None or second is None:
        return False
    shape = first[0].translate(_LETTERS_AND_DIGITS)
    return b"9" in shape and shape == second[0].translate(_LETTERS_AND_DIGITS)
