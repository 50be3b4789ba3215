"""Rows as columns: how many like values travel as few bytes (the row encoding, docs/protocol.md).

A table is a head, `u32 rows | u8 columns`, and that many columns, each `u8 id | u8 encoding | u32 length | data`.
Encodings 0 to 4 stand for themselves (encodings.py). Two lean on a column before them, which does not lean itself:

5 relative    u8 column | u8 encoding (1 or 4) | numbers: the differences to the other column's numbers (null: 0)
6 derived     u8 column | u32 exceptions | u8 encoding | u32 length | their values as a column | their rows, ascending
+128          nullable, as of the others: the difference of a row without a value does not travel

A reader takes any encoding, and skips columns it does not know by their length. What a table's texts have together is
bounded, so that a few bytes cannot become many rows of long texts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from mailsync.wire import limits
from mailsync.wire.encodings import (
    CONST,
    DICTIONARY,
    NULLABLE,
    SERIAL,
    TEXT,
    Column,
    decode_numbers,
    decode_texts,
    encode_integers_of,
    encode_values,
)
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.forms import Form, converted, to_number, to_texts
from mailsync.wire.integers import decode_bitmap, decode_integers, encode_bitmap, encode_integers
from mailsync.wire.reader import Reader

RELATIVE, DERIVED = 5, 6
_TABLE = struct.Struct(">IB")
_COLUMN = struct.Struct(">BBI")
_DERIVED = struct.Struct(">BIBI")
_EXCEPTIONS = (CONST, DICTIONARY, TEXT, SERIAL)


class Table:
    """The columns of a table, still encoded, and how many rows each has. `forms` says which are dates and times."""

    def __init__(self, rows: int, columns: Mapping[int, Column], forms: Mapping[int, Form], most: int) -> None:
        self.rows = rows
        self._columns = columns
        self._forms = forms
        self._order = {column: place for place, column in enumerate(columns)}
        self.left = most  # characters that the texts not read yet may have

    def texts(self, column: int, default: str | None = None) -> Sequence[str]:
        """The texts of a column, "" for none. A missing one is `default` throughout; RemoteProtocolError without."""
        return [text or "" for text in self.values(column, default)]

    def values(self, column: int, default: str | None = None) -> Sequence[str | None]:
        """The same with None where a row has no value."""
        found = self._columns.get(column)
        if found is None:
            if default is None:
                raise RemoteProtocolError(f"column {column} is missing")
            return (default,) * self.rows
        texts = self._texts(column, found)
        self.left -= sum(len(text) for text in texts if text)
        if self.left < 0:
            raise RemoteProtocolError("the texts of a table are too long together", Code.TOO_LARGE)
        return texts

    def integers(self, column: int) -> Sequence[int]:
        """The numbers of a column, each from 0 below 2^53. RemoteProtocolError when it is missing."""
        found = self._columns.get(column)
        if found is None:
            raise RemoteProtocolError(f"column {column} is missing")
        leans = found.encoding & ~NULLABLE == RELATIVE
        numbers = self._relative(column, found, self.integers) if leans else decode_numbers(found, self.rows)
        there = [number for number in numbers if number is not None]
        if len(there) < self.rows or (there and not 0 <= min(there) <= max(there) <= limits.VERSION):
            raise RemoteProtocolError("a number is missing, negative, or 2^53 or more")
        return there

    def _texts(self, column: int, found: Column) -> Sequence[str | None]:
        encoding, form = found.encoding & ~NULLABLE, self._form(column)
        if encoding == RELATIVE:
            numbers = self._relative(column, found, self._base_of(form))
            there = iter(to_texts(form, [number for number in numbers if number is not None]))
            return [None if number is None else next(there) for number in numbers]
        if found.encoding == DERIVED:
            return self._derived(column, found)
        return decode_texts(found, self.rows, self.left, form)

    def _relative(self, column: int, found: Column, base_of: Callable[[int], Sequence[int]]) -> Sequence[int | None]:
        reader = Reader(found.data)
        nulls = decode_bitmap(reader, self.rows) if found.encoding & NULLABLE else [False] * self.rows
        other, encoding = reader.byte(), reader.byte()
        if encoding & NULLABLE:
            raise RemoteProtocolError("a difference may not be missing")
        differences = iter(decode_numbers(Column(encoding, reader.rest()), nulls.count(False)))
        self._check_lean(column, other)
        bases = base_of(other)
        return [None if null else base + (next(differences) or 0) for null, base in zip(nulls, bases, strict=True)]

    def _base_of(self, form: Form) -> Callable[[int], Sequence[int]]:
        """Reads a column of dates or times as numbers of `form`; a row without a value counts as 0."""

        def read(other: int) -> Sequence[int]:
            base = self._form(other)
            if Form.TEXT in (base, form):
                raise RemoteProtocolError("a date is relative to what is none")
            texts = decode_texts(self._columns[other], self.rows, self.left, base)
            return converted([to_number(base, text or "") or 0 for text in texts], base, form)

        return read

    def _derived(self, column: int, found: Column) -> Sequence[str | None]:
        reader = Reader(found.data)
        other, count, encoding, length = reader.unpack(_DERIVED)
        if encoding not in _EXCEPTIONS or count > self.rows:
            raise RemoteProtocolError("a derived column has more exceptions than rows, or of another encoding")
        values = decode_texts(Column(encoding, reader.take(length)), count, self.left)
        at = decode_integers(reader, count)
        reader.finish()
        if any(one >= two for one, two in zip((-1, *at), (*at, self.rows), strict=True)):
            raise RemoteProtocolError("the exceptions of a derived column are not in the order of their rows")
        self._check_lean(column, other)
        texts = list(decode_texts(self._columns[other], self.rows, self.left, self._form(other)))
        for row, value in zip(at, values, strict=True):
            texts[row] = value
        return texts

    def _check_lean(self, column: int, other: int) -> None:
        found = self._columns.get(other)
        leans = found is not None and found.encoding & ~NULLABLE in (RELATIVE, DERIVED)
        if found is None or leans or self._order[other] >= self._order[column]:
            raise RemoteProtocolError(f"column {column} leans on column {other}, which is not one before it")

    def _form(self, column: int) -> Form:
        return self._forms.get(column, Form.TEXT)


def read_table(
    reader: Reader, most: int, forms: Mapping[int, Form] | None = None, characters: int = limits.TABLE_TEXT
) -> Table:
    """The next table, of at most `most` rows and so many characters. RemoteProtocolError when there is none."""
    rows, count = reader.unpack(_TABLE)
    if rows > most:
        raise RemoteProtocolError(f"{rows} rows where {most} may be", Code.TOO_LARGE)
    columns: dict[int, Column] = {}
    for _ in range(count):
        column, encoding, length = reader.unpack(_COLUMN)
        if column in columns:
            raise RemoteProtocolError(f"column {column} occurs twice")
        columns[column] = Column(encoding, reader.take(length))
    return Table(rows, columns, forms or {}, characters)


def encode_table(rows: int, columns: Mapping[int, Column]) -> bytes:
    """The bytes of a table."""
    parts = [_TABLE.pack(rows, len(columns))]
    for column, (encoding, data) in columns.items():
        parts += (_COLUMN.pack(column, encoding, len(data)), data)
    return b"".join(parts)


def check_texts(columns: Iterable[Sequence[str]]) -> None:
    """LocalProtocolError when the texts of a table's columns are too long together for a reader to take."""
    if sum(sum(map(len, texts)) for texts in columns) > limits.TABLE_TEXT:
        raise LocalProtocolError(f"a table has at most {limits.TABLE_TEXT} characters")


def encode_relative(numbers: Sequence[int | None], other: int, bases: Sequence[int]) -> Column:
    """The column of these numbers as differences to column `other`, which has the numbers `bases`."""
    differences = [number - base for number, base in zip(numbers, bases, strict=True) if number is not None]
    encoding, data = encode_integers_of(differences)
    body = bytes((other, encoding)) + data
    if len(differences) == len(numbers):
        return Column(RELATIVE, body)
    return Column(RELATIVE | NULLABLE, encode_bitmap([number is None for number in numbers]) + body)


def encode_derived(texts: Sequence[str], other: int, others: Sequence[str]) -> Column | None:
    """The column of these texts by what sets them apart from column `other`; None when that is too much."""
    at = [row for row, (text, same) in enumerate(zip(texts, others, strict=True)) if text != same]
    if len(at) > len(texts) // 8:
        return None
    encoding, data = encode_values([texts[row] for row in at])  # "" is a value: an exception is never null
    return Column(DERIVED, _DERIVED.pack(other, len(at), encoding, len(data)) + data + encode_integers(at))
