"""Whole numbers of +-2^60 and what marks rows, as bytes that compress well.

integers   u8 width (1, 2, 4, 8), then zigzag(number - number of the row before), the first against 0, in planes
planes     all first (most significant) bytes, then all second bytes, and so on
bitmap     a bit per row, the first row the highest bit of the first byte; bits beyond the last row are 0

Numbers in a column are near the one before: their planes are mostly zeros.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

from mailsync.wire import limits
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.reader import Reader

_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def encode_integers(numbers: Sequence[int]) -> bytes:
    """The bytes of these numbers. LocalProtocolError when one lies beyond 2^60."""
    if numbers and (max(numbers) > limits.INTEGER or min(numbers) < -limits.INTEGER):
        raise LocalProtocolError("a number beyond 2^60 cannot travel")
    differences = [number - before for number, before in zip(numbers, (0, *numbers), strict=False)]
    zigzag = [2 * one if one >= 0 else -2 * one - 1 for one in differences]
    longest = max(zigzag, default=0)
    width = next(width for width in _WIDTHS if longest < 1 << (8 * width))
    return bytes((width,)) + to_planes(zigzag, width)


def decode_integers(reader: Reader, rows: int) -> list[int]:
    """The next `rows` numbers. RemoteProtocolError when they are not there."""
    width = reader.byte()
    if width not in _WIDTHS:
        raise RemoteProtocolError(f"integers of {width} bytes")
    zigzag = from_planes(reader.take(rows * width), width)
    numbers = list(itertools.accumulate(-((one + 1) >> 1) if one & 1 else one >> 1 for one in zigzag))
    if numbers and (min(numbers) < -limits.INTEGER or max(numbers) > limits.INTEGER):
        raise RemoteProtocolError("a number lies beyond 2^60")
    return numbers


def encode_indexes(indexes: Sequence[int], count: int) -> bytes:
    """Indexes into `count` (65,535 at most) things: one byte each, or two planes when there are more than 256."""
    return bytes(indexes) if count <= 256 else to_planes(indexes, 2)


def decode_indexes(reader: Reader, rows: int, count: int) -> Sequence[int]:
    """The next `rows` indexes. RemoteProtocolError when one is not below `count`."""
    width = 1 if count <= 256 else 2
    indexes = from_planes(reader.take(rows * width), width)
    if indexes and max(indexes) >= count:
        raise RemoteProtocolError("an index lies outside its dictionary")
    return indexes


def encode_bitmap(marks: Sequence[bool]) -> bytes:
    """The bits of these marks."""
    size = -(-len(marks) // 8)
    digits = "".join("1" if mark else "0" for mark in marks).ljust(8 * size, "0")
    return int(digits, 2).to_bytes(size, "big") if size else b""


def decode_bitmap(reader: Reader, rows: int) -> list[bool]:
    """The next `rows` marks. RemoteProtocolError when a bit beyond them is set."""
    size = -(-rows // 8)
    digits = f"{int.from_bytes(reader.take(size), 'big'):0{8 * size}b}" if size else ""
    if "1" in digits[rows:]:
        raise RemoteProtocolError("a bit is set for a row that is not there")
    return [digit == "1" for digit in digits[:rows]]


def to_planes(numbers: Sequence[int], width: int) -> bytes:
    """The numbers, of `width` bytes each, in planes."""
    packed = struct.pack(f">{len(numbers)}{_WIDTHS[width]}", *numbers)
    return b"".join(packed[plane::width] for plane in range(width))


def from_planes(data: bytes, width: int) -> Sequence[int]:
    """The numbers in planes of `width` bytes each."""
    rows = len(data) // width
    packed = bytearray(len(data))
    for plane in range(width):
        packed[plane::width] = data[plane * rows : (plane + 1) * rows]
    return struct.unpack(f">{rows}{_WIDTHS[width]}", packed)
