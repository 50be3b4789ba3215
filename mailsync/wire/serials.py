"""Serial numbers as text, `A00017L8` or `BOX000123`: a frame (prefix, digits, suffix) for many rows, a number for each.

    u16 frames | u32 length | prefix and suffix of each frame, joined by NUL | u8 digits of each frame
    | an index into the frames per row, when there are several | integers

A number has the frame's count of digits, leading zeros included; no digits (0) means no number at all, and 0 in its
place. A digit is one of ASCII 0 to 9: other scripts have digits, too, and would not come back as they were.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from mailsync.wire import limits
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.integers import decode_indexes, decode_integers, encode_indexes, encode_integers
from mailsync.wire.reader import Reader, join_texts, split_texts

MOST_DIGITS = 15  # 10^15 is below 2^53
MOST_FRAMES = 256
_HEAD = struct.Struct(">HI")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
Frame = tuple[str, int, str]


def encode_serials(texts: Sequence[str]) -> bytes | None:
    """The bytes of these texts, or None when they are not serial numbers: too many frames for so few of them."""
    frames: dict[Frame, int] = {}
    indexes: list[int] = []
    numbers: list[int] = []
    most = min(max(1, len(texts) // 8), MOST_FRAMES)
    for text in texts:
        frame, number = _parted(text)
        indexes.append(frames.setdefault(frame, len(frames)))
        numbers.append(number)
        if len(frames) > most:
            return None
    words = join_texts([part for prefix, _, suffix in frames for part in (prefix, suffix)])
    which = encode_indexes(indexes, len(frames)) if len(frames) > 1 else b""
    digits = bytes(count for _, count, _ in frames)
    return b"".join((_HEAD.pack(len(frames), len(words)), words, digits, which, encode_integers(numbers)))


def decode_serials(reader: Reader, rows: int, most: int) -> list[str]:
    """The next `rows` texts. RemoteProtocolError when they are none, or have more than `most` characters together."""
    count, length = reader.unpack(_HEAD)
    if not 0 < count <= MOST_FRAMES:
        raise RemoteProtocolError(f"{count} frames of serial numbers")
    words = split_texts(reader.take(length), 2 * count)
    digits = reader.take(count)
    if max(digits) > MOST_DIGITS:
        raise RemoteProtocolError(f"a serial number of {max(digits)} digits")
    frames = [(words[2 * at], digits[at], words[2 * at + 1]) for at in range(count)]
    which = decode_indexes(reader, rows, count) if count > 1 else (0,) * rows
    numbers = decode_integers(reader, rows)
    widths = [len(prefix) + width + len(suffix) for prefix, width, suffix in frames]
    if max(widths) > limits.TEXT or sum(widths[index] for index in which) > most:
        raise RemoteProtocolError("serial numbers are too long", Code.TOO_LARGE)
    ends = [10**width for width in digits]
    if any(not 0 <= number < ends[index] for number, index in zip(numbers, which, strict=True)):
        raise RemoteProtocolError("a serial number does not have its digits")
    forms = [(prefix, f"0{width}d" if width else "", suffix) for prefix, width, suffix in frames]
    return [_joined(*forms[index], number) for number, index in zip(numbers, which, strict=True)]


def _joined(prefix: str, form: str, suffix: str, number: int) -> str:
    return f"{prefix}{number:{form}}{suffix}" if form else prefix + suffix


def _parted(text: str) -> tuple[Frame, int]:
    """The frame around a text's longest run of digits, the first of equals, and the number in it."""
    runs = list(_DIGITS.finditer(text))
    if not runs:
        return (text, 0, ""), 0
    run = max(runs, key=_length) if len(runs) > 1 else runs[0]
    start, end = max(run.start(), run.end() - MOST_DIGITS), run.end()
    return (text[:start], end - start, text[end:]), int(text[start:end])


def _length(run: re.Match[str]) -> int:
    return run.end() - run.start()
