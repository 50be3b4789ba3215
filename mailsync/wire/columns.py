"""Rows as columns: how many like values travel as few bytes (the row encoding, docs/protocol.md).

A table is a head, `u32 rows | u8 columns`, and that many columns, each `u8 id | u8 encoding | u32 length | data`:

encoding      data
0 const       the one text of every row
1 dictionary  u16 count, u32 length, the distinct texts joined by NUL, then an index a row: one byte, or two planes
2 text        the texts joined by NUL
4 integer     u8 width (1, 2, 4, 8), then the zigzag difference to the row before, split into planes of bytes

A writer may use any encoding that holds the values; this one takes the first that is smallest before compression,
by rule and not by trial, so that equal tables are equal bytes. A reader skips columns it does not know, by length.
Texts are UTF-8 without NUL; numbers are 0 to 2^53 - 1.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mailsync.wire import limits
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError

CONST, DICTIONARY, TEXT, INTEGER = 0, 1, 2, 4
_TABLE = struct.Struct(">IB")
_COLUMN = struct.Struct(">BBI")
_DICTIONARY = struct.Struct(">HI")
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Column(NamedTuple):
    """One encoded column."""

    encoding: int
    data: bytes


class Table(NamedTuple):
    """The columns of a decoded table by id, still encoded, and how many rows each has."""

    rows: int
    columns: Mapping[int, Column]

    def texts(self, column: int, default: str | None = None) -> Sequence[str]:
        """The texts of a column. A missing one is `default` throughout, or RemoteProtocolError when that is None."""
        found = self.columns.get(column)
        if found is None:
            if default is None:
                raise RemoteProtocolError(f"column {column} is missing")
            return (default,) * self.rows
        return decode_texts(found, self.rows)

    def integers(self, column: int) -> Sequence[int]:
        """The numbers of a column. RemoteProtocolError when it is missing."""
        found = self.columns.get(column)
        if found is None:
            raise RemoteProtocolError(f"column {column} is missing")
        return decode_integers(found, self.rows)


class Reader:
    """Takes values off the front of a body; every step is checked against what is left."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > len(self._body) - self._at:
            raise RemoteProtocolError("body ends early")
        data = bytes(self._body[self._at : self._at + count])
        self._at += count
        return data

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """The next integers, as `form` says."""
        return form.unpack(self.take(form.size))

    def number(self) -> int:
        """The next u64, below 2^53."""
        number = int.from_bytes(self.take(8), "big")
        if number > limits.VERSION:
            raise RemoteProtocolError("a number is 2^53 or more")
        return number

    def text(self) -> str:
        """The next text, behind its u16 length."""
        return _text(self.take(int.from_bytes(self.take(2), "big")))

    def table(self, most: int) -> Table:
        """The next table, of at most `most` rows."""
        rows, count = self.unpack(_TABLE)
        if rows > most:
            raise RemoteProtocolError(f"{rows} rows where {most} may be", Code.TOO_LARGE)
        columns: dict[int, Column] = {}
        for _ in range(count):
            column, encoding, length = self.unpack(_COLUMN)
            if column in columns:
                raise RemoteProtocolError(f"column {column} occurs twice")
            columns[column] = Column(encoding, self.take(length))
        return Table(rows, columns)

    def finish(self) -> None:
        """RemoteProtocolError when anything is left."""
        if self._at != len(self._body):
            raise RemoteProtocolError("body goes on after its end")


def encode_table(rows: int, columns: Mapping[int, Column]) -> bytes:
    """The bytes of a table."""
    parts = [_TABLE.pack(rows, len(columns))]
    for column, (encoding, data) in columns.items():
        parts += (_COLUMN.pack(column, encoding, len(data)), data)
    return b"".join(parts)


def encode_text(text: str) -> bytes:
    """One text behind its u16 length."""
    data = _utf8([text])
    return len(data).to_bytes(2, "big") + data


def encode_number(number: int) -> bytes:
    """One number as u64."""
    return checked(number).to_bytes(8, "big")


def checked(number: int) -> int:
    """The number itself. LocalProtocolError when it cannot travel."""
    if not 0 <= number <= limits.VERSION:
        raise LocalProtocolError(f"{number} is not a whole number from 0 below 2^53")
    return number


def encode_texts(texts: Sequence[str]) -> Column:
    """The column of these texts. LocalProtocolError when one has a NUL, a lone surrogate or too many characters."""
    distinct = dict(zip(dict.fromkeys(texts), itertools.count()))
    if len(distinct) <= 1:
        return Column(CONST, _utf8(list(distinct)))
    if len(distinct) > min(len(texts) // 3, 65_535):
        return Column(TEXT, _utf8(texts))
    words = _utf8(list(distinct))
    indexes = [distinct[text] for text in texts]
    planes = bytes(indexes) if len(distinct) <= 256 else _planes(indexes, 2)
    return Column(DICTIONARY, _DICTIONARY.pack(len(distinct), len(words)) + words + planes)


def encode_integers(numbers: Sequence[int]) -> Column:
    """The column of these numbers. LocalProtocolError when one cannot travel."""
    for number in numbers:
        checked(number)
    differences = [number - before for number, before in zip(numbers, (0, *numbers), strict=False)]
    zigzag = [2 * one if one >= 0 else -2 * one - 1 for one in differences]
    longest = max(zigzag, default=0)
    width = next(width for width in _WIDTHS if longest < 1 << (8 * width))
    return Column(INTEGER, bytes((width,)) + _planes(zigzag, width))


def decode_texts(column: Column, rows: int) -> Sequence[str]:
    """The texts of a column of `rows` rows. RemoteProtocolError when it does not hold them."""
    if column.encoding == CONST:
        return (_text(column.data),) * rows
    if column.encoding == TEXT:
        return _split(column.data, rows)
    if column.encoding == DICTIONARY:
        reader = Reader(column.data)
        count, length = reader.unpack(_DICTIONARY)
        words = _split(reader.take(length), count)
        width = 1 if count <= 256 else 2
        indexes = _from_planes(reader.take(rows * width), width)
        reader.finish()
        if indexes and max(indexes) >= count:
            raise RemoteProtocolError("an index lies outside its dictionary")
        return [words[index] for index in indexes]
    raise RemoteProtocolError(f"encoding {column.encoding} does not hold texts")


def decode_integers(column: Column, rows: int) -> Sequence[int]:
    """The numbers of a column of `rows` rows. RemoteProtocolError when it does not hold them."""
    if column.encoding != INTEGER:
        raise RemoteProtocolError(f"encoding {column.encoding} does not hold numbers")
    reader = Reader(column.data)
    width = reader.take(1)[0]
    if width not in _WIDTHS:
        raise RemoteProtocolError(f"integers of {width} bytes")
    zigzag = _from_planes(reader.take(rows * width), width)
    reader.finish()
    numbers = list(itertools.accumulate(-((one + 1) >> 1) if one & 1 else one >> 1 for one in zigzag))
    if numbers and (min(numbers) < 0 or max(numbers) > limits.VERSION):
        raise RemoteProtocolError("a number is negative, or 2^53 or more")
    return numbers


def _planes(numbers: Sequence[int], width: int) -> bytes:
    packed = struct.pack(f">{len(numbers)}{_WIDTHS[width]}", *numbers)
    return b"".join(packed[plane::width] for plane in range(width))


def _from_planes(data: bytes, width: int) -> Sequence[int]:
    rows = len(data) // width
    packed = bytearray(len(data))
    for plane in range(width):
        packed[plane::width] = data[plane * rows : (plane + 1) * rows]
    return struct.unpack(f">{rows}{_WIDTHS[width]}", packed)


def _utf8(texts: Sequence[str]) -> bytes:
    joined = "\0".join(texts)
    if joined.count("\0") != max(len(texts) - 1, 0):
        raise LocalProtocolError("a NUL cannot travel")
    if max(map(len, texts), default=0) > limits.TEXT:
        raise LocalProtocolError(f"a text of more than {limits.TEXT} characters cannot travel")
    try:
        return joined.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a lone surrogate cannot travel") from error


def _split(data: bytes, count: int) -> list[str]:
    if count == 0 or data.count(0) != count - 1:
        raise RemoteProtocolError("texts are not as many as rows")
    try:
        texts = data.decode().split("\0")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("a text is not UTF-8") from error
    if max(map(len, texts)) > limits.TEXT:
        raise RemoteProtocolError(f"a text has more than {limits.TEXT} characters", Code.TOO_LARGE)
    return texts


def _text(data: bytes) -> str:
    return _split(data, 1)[0]
