"""Text of format=flowed (RFC 3676) with its lines put together again: a row that was wrapped comes out whole.

    line                                            becomes
    begins with a blank                             the line without it (space-stuffing)
    begins with `>`                                 stays a quotation of that depth
    ends with a blank, and was worth wrapping       goes on in the next line of its depth
    ends with a blank and is shorter or longer      a line: commands fill up their columns with blanks
    `-- `                                           a line: the signature begins

The label is a hint at most. Who wraps does so at 60 to 79 characters, where the next word would not have fitted; and
three such lines of the same length in a row are a table with blanks at its right: then nothing is put together at all.
"""

from __future__ import annotations

from typing import NamedTuple

_NARROWEST, _WIDEST = 60, 79
_ALIKE = 3


class _Line(NamedTuple):
    """A line without its quotation marks and the blank before it."""

    depth: int
    text: bytes


def unflow(text: bytes, *, delete_space: bool) -> bytes:
    """The text with LF line ends and its wrapped lines joined; `delete_space` is what DelSp=yes says."""
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 has line ends of its own
        return text
    lines = [_line(line) for line in text.replace(b"\r\n", b"\n").split(b"\n")]
    if _is_padded(lines):
        return b"\n".join(_quoted(line.depth, line.text) for line in lines)
    joined: list[bytes] = []
    pieces: list[bytes] = []
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else _Line(-1, b"")
        if _goes_on(line, following):
            pieces.append(line.text[:-1] if delete_space else line.text)
            continue
        joined.append(_quoted(line.depth, b"".join((*pieces, line.text))))
        pieces = []
    return b"\n".join(joined)


def _line(raw: bytes) -> _Line:
    text = raw.lstrip(b">")
    return _Line(len(raw) - len(text), text.removeprefix(b" "))


def _goes_on(line: _Line, following: _Line) -> bool:
    text = line.text
    if not text.endswith(b" ") or text == b"-- " or line.depth != following.depth or len(text) > _WIDEST:
        return False
    word = following.text.partition(b" ")[0]
    return len(text) + len(word) > _NARROWEST


def _is_padded(lines: list[_Line]) -> bool:
    """True when lines in a row that end with blanks are as long as each other."""
    alike, length = 0, 0
    for line in lines:
        size = len(line.text) if line.text.endswith(b" ") else 0
        alike = alike + 1 if size and size == length else bool(size)
        if alike >= _ALIKE:
            return True
        length = size
    return False


def _quoted(depth: int, text: bytes) -> bytes:
    return b">" * depth + b" " + text if depth else text
