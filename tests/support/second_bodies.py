"""Bodies and columns of MSYN/1 for the second client, from docs/protocol.md alone.

It reads every encoding, and writes 0, 2 and 4.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta

DATES = {11, 13}
DAY_ZERO, TIME_ZERO = date(1970, 1, 1), datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC


class Reader:
    """Takes values off the front of a body."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, count):
        data = self.body[self.at : self.at + count]
        if len(data) != count:
            raise ValueError("the body ends early")
        self.at += count
        return data

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2)).decode()

    def table(self):
        rows, columns = self.number(4), {}
        for _ in range(self.number(1)):
            number, encoding, length = self.number(1), self.number(1), self.number(4)
            columns[number] = (encoding, self.take(length))
        return rows, columns

    def planes(self, rows, width):
        data = self.take(rows * width)
        return [int.from_bytes(data[row::rows], "big") for row in range(rows)]

    def integers(self, rows):
        numbers, last = [], 0
        for zigzag in self.planes(rows, self.number(1)):
            last += -(zigzag + 1) // 2 if zigzag & 1 else zigzag // 2
            numbers.append(last)
        return numbers

    def indexes(self, rows, count):
        return self.planes(rows, 1 if count <= 256 else 2)

    def finish(self):
        if self.at != len(self.body):
            raise ValueError("the body goes on after its end")


def read_table(reader, kinds):
    """The rows of a table whose columns from 0 on are texts (`t`) or numbers (`n`)."""
    rows, columns = reader.table()
    if not rows:
        return []
    values = [
        texts_of(columns, number, rows, {}) if kind == "t" else numbers_of(columns[number], rows)
        for number, kind in enumerate(kinds)
    ]
    return list(zip(*values, strict=True))


def numbers_of(column, rows):
    """The numbers of a column that is none of texts."""
    encoding, data = column
    reader = Reader(data)
    if encoding == 4:
        return reader.integers(rows)
    count, inner, length = reader.number(2), reader.number(1), reader.number(4)
    words = numbers_of((inner, reader.take(length)), count)
    return [words[index] for index in reader.indexes(rows, count)]


def texts_of(columns, number, rows, others):
    """The texts of a column, None where a row has none."""
    if number not in columns:
        return [""] * rows
    encoding, data = columns[number]
    reader, nulls = Reader(data), [False] * rows
    if encoding & 128:
        bits = reader.take(-(-rows // 8))
        nulls = [bool(bits[row // 8] & 128 >> row % 8) for row in range(rows)]
    found = iter(_texts(reader, encoding & 127, nulls.count(False), (number, rows, nulls, others)))
    return [None if null else next(found) for null in nulls]


def _texts(reader, encoding, rows, place):
    number, all_rows, nulls, others = place
    if encoding == 0:
        return [reader.take(len(reader.body) - reader.at).decode()] * rows
    if encoding == 2:
        return reader.take(len(reader.body) - reader.at).decode().split("\0") if rows else []
    if encoding == 4:
        return [written(number, value) for value in reader.integers(rows)]
    if encoding == 1:
        count, inner, length = reader.number(2), reader.number(1), reader.number(4)
        words = _texts(Reader(reader.take(length)), inner, count, place)
        return [words[index] for index in reader.indexes(rows, count)]
    if encoding == 3:
        frames, length = reader.number(2), reader.number(4)
        words, digits = reader.take(length).decode().split("\0"), reader.take(frames)
        which = reader.indexes(rows, frames) if frames > 1 else [0] * rows
        return [
            words[2 * index] + (str(value).zfill(digits[index]) if digits[index] else "") + words[2 * index + 1]
            for index, value in zip(which, reader.integers(rows), strict=True)
        ]
    if encoding == 5:
        other, inner = reader.number(1), reader.number(1)
        bases = [
            value for value, null in zip(texts_of(others, other, all_rows, others), nulls, strict=True) if not null
        ]
        apart = numbers_of((inner, reader.take(len(reader.body) - reader.at)), rows)
        return [written(number, counted(number, base) + one) for base, one in zip(bases, apart, strict=True)]
    other, count, inner, length = reader.number(1), reader.number(4), reader.number(1), reader.number(4)
    values = _texts(Reader(reader.take(length)), inner, count, place)
    texts = texts_of(others, other, all_rows, others)
    for row, value in zip(reader.integers(count), values, strict=True):
        texts[row] = value
    return texts


def written(number, value):
    """The date or time that a number stands for."""
    if number in DATES:
        return str(DAY_ZERO + timedelta(days=value))
    return f"{TIME_ZERO + timedelta(seconds=value):%Y-%m-%dT%H:%M:%SZ}"


def counted(number, text):
    """What a column's differences are added to: days of dates, seconds of times."""
    if not text:
        return 0
    days = (date.fromisoformat(text[:10]) - DAY_ZERO).days
    if number in DATES:
        return days
    return days * 86_400 + (sum(int(text[at : at + 2]) * unit for at, unit in ((11, 3600), (14, 60), (17, 1))))


def encode_text(text):
    return struct.pack(">H", len(text.encode())) + text.encode()


def encode_column(rows, part):
    return 2, "\0".join(row[part] for row in rows).encode()


def encode_integers(numbers):
    apart = [number - before for number, before in zip(numbers, [0, *numbers[:-1]], strict=True)]
    packed = b"".join((2 * one if one >= 0 else -2 * one - 1).to_bytes(8, "big") for one in apart)
    return 4, b"\x08" + b"".join(packed[plane::8] for plane in range(8))


def encode_table(rows, columns):
    parts = [struct.pack(">IB", rows, len(columns))]
    parts += [struct.pack(">BBI", number, code, len(data)) + data for number, (code, data) in columns.items()]
    return b"".join(parts)
