"""The encodings of one column that stands for itself (columns.py has those that lean on another).

encoding      data
0 const       the one text of every row
1 dictionary  u16 count, u8 encoding (0, 2, 3 or 4), u32 length, the distinct values as a column of their own, an index
              per row
2 text        the texts joined by NUL
3 serial      frames and numbers, see serials.py
4 integer     numbers, see integers.py; in a column of dates or times, what forms.py says they stand for
+128          nullable: a bitmap of the rows that have no value, then the rest as above

A writer may use any encoding that holds the values. This one chooses by rule and not by trial, so that equal columns
are equal bytes: values that repeat become a dictionary, serial numbers and dates become numbers, the rest stays text.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from mailsync.wire import limits
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.forms import Form, to_numbers, to_texts
from mailsync.wire.integers import (
    decode_bitmap,
    decode_indexes,
    decode_integers,
    encode_bitmap,
    encode_indexes,
    encode_integers,
)
from mailsync.wire.reader import Reader, join_texts, split_texts
from mailsync.wire.serials import decode_serials, encode_serials

CONST, DICTIONARY, TEXT, SERIAL, INTEGER = 0, 1, 2, 3, 4
NULLABLE = 128
_LONGEST_DICTIONARY = 65_535
_DICTIONARY = struct.Struct(">HBI")
_WORDS = (CONST, TEXT, SERIAL, INTEGER)


class Column(NamedTuple):
    """One encoded column."""

    encoding: int
    data: bytes


def encode_texts(texts: Sequence[str], form: Form = Form.TEXT) -> Column:
    """The column of these texts, of which "" may become no value. LocalProtocolError when one cannot travel."""
    # Unset values would spoil the numbers of the others.
    if "" in texts and any(texts) and (form is not Form.TEXT or len(set(texts)) > len(texts) // 3):
        return _nullable([not text for text in texts], _encode([text for text in texts if text], form))
    return _encode(texts, form)


def encode_values(texts: Sequence[str | None]) -> Column:
    """The column of these texts, None being no value and "" one. LocalProtocolError when one cannot travel."""
    there = [text for text in texts if text is not None]
    column = _encode(there, Form.TEXT)
    return column if len(there) == len(texts) else _nullable([text is None for text in texts], column)


def encode_numbers(numbers: Sequence[int]) -> Column:
    """The column of these whole numbers from 0 below 2^53. LocalProtocolError when one is not."""
    check_numbers(numbers)
    return encode_integers_of(numbers)


def check_numbers(numbers: Sequence[int]) -> None:
    """LocalProtocolError when one of these is not a whole number from 0 below 2^53."""
    if numbers and not 0 <= min(numbers) <= max(numbers) <= limits.VERSION:
        raise LocalProtocolError(f"{min(numbers)} or {max(numbers)} is not a whole number from 0 below 2^53")


def encode_integers_of(numbers: Sequence[int]) -> Column:
    """The column of these numbers: a dictionary where they repeat, else as they are."""
    words = sorted(set(numbers))
    if not 1 < len(words) <= len(numbers) // 3 or len(words) > _LONGEST_DICTIONARY:
        return Column(INTEGER, encode_integers(numbers))
    place = {word: index for index, word in enumerate(words)}
    return _dictionary(Column(INTEGER, encode_integers(words)), len(words), [place[number] for number in numbers])


def decode_texts(column: Column, rows: int, most: int, form: Form = Form.TEXT) -> Sequence[str | None]:
    """The texts of a column of `rows` rows. RemoteProtocolError when it does not hold them, or more than `most`."""
    reader = Reader(column.data)
    if not column.encoding & NULLABLE:
        return _decode(reader, column.encoding, rows, most, form)
    nulls = decode_bitmap(reader, rows)
    texts = iter(_decode(reader, column.encoding - NULLABLE, nulls.count(False), most, form))
    return [None if null else next(texts) for null in nulls]


def decode_numbers(column: Column, rows: int) -> Sequence[int | None]:
    """The numbers of a column of `rows` rows. RemoteProtocolError when it does not hold them."""
    reader = Reader(column.data)
    nulls = decode_bitmap(reader, rows) if column.encoding & NULLABLE else []
    count = nulls.count(False) if nulls else rows
    numbers = _decode_numbers(reader, column.encoding & ~NULLABLE, count)
    reader.finish()
    if not nulls:
        return numbers
    left = iter(numbers)
    return [None if null else next(left) for null in nulls]


def _encode(texts: Sequence[str], form: Form) -> Column:
    distinct = dict.fromkeys(texts)
    if len(distinct) <= 1:
        return Column(CONST, join_texts(list(distinct)))
    numbers = to_numbers(form, texts) if form is not Form.TEXT else None
    if numbers is not None:
        return encode_integers_of(numbers)
    if len(distinct) > min(len(texts) // 3, _LONGEST_DICTIONARY):
        return _encode_words(texts)
    place = {word: index for index, word in enumerate(distinct)}
    return _dictionary(_encode_words(list(distinct)), len(distinct), [place[text] for text in texts])


def _encode_words(texts: Sequence[str]) -> Column:
    joined = join_texts(texts)
    serials = encode_serials(texts)
    return Column(TEXT, joined) if serials is None else Column(SERIAL, serials)


def _dictionary(words: Column, count: int, indexes: Sequence[int]) -> Column:
    head = _DICTIONARY.pack(count, words.encoding, len(words.data))
    return Column(DICTIONARY, head + words.data + encode_indexes(indexes, count))


def _nullable(nulls: Sequence[bool], column: Column) -> Column:
    return Column(column.encoding | NULLABLE, encode_bitmap(nulls) + column.data)


def _decode(reader: Reader, encoding: int, rows: int, most: int, form: Form) -> Sequence[str]:
    if encoding == DICTIONARY:
        count, words = _read_words(reader)
        known = _decode_plain(Reader(words.data), words.encoding, count, most, form)
        indexes = decode_indexes(reader, rows, count)
        texts: Sequence[str] = [known[index] for index in indexes]
        reader.finish()
    else:
        texts = _decode_plain(reader, encoding, rows, most, form)
    return texts


def _decode_plain(reader: Reader, encoding: int, rows: int, most: int, form: Form) -> Sequence[str]:
    texts: Sequence[str]
    if encoding == CONST:
        texts = (split_texts(reader.rest(), 1)[0],) * rows
    elif encoding == TEXT:
        # Nothing at all is no text as well as one empty text.
        texts = split_texts(reader.rest(), rows) if rows else ()
    elif encoding == SERIAL:
        texts = decode_serials(reader, rows, most)
    elif encoding == INTEGER:
        texts = to_texts(form, decode_integers(reader, rows))
    else:
        raise RemoteProtocolError(f"encoding {encoding} does not hold texts")
    reader.finish()
    return texts


def _decode_numbers(reader: Reader, encoding: int, rows: int) -> list[int]:
    if encoding == INTEGER:
        return decode_integers(reader, rows)
    if encoding != DICTIONARY:
        raise RemoteProtocolError(f"encoding {encoding} does not hold numbers")
    count, words = _read_words(reader)
    if words.encoding != INTEGER:
        raise RemoteProtocolError(f"a dictionary of encoding {words.encoding} does not hold numbers")
    inner = Reader(words.data)
    known = decode_integers(inner, count)
    inner.finish()
    return [known[index] for index in decode_indexes(reader, rows, count)]


def _read_words(reader: Reader) -> tuple[int, Column]:
    count, encoding, length = reader.unpack(_DICTIONARY)
    if encoding not in _WORDS:
        raise RemoteProtocolError(f"encoding {encoding} is not one of a dictionary's words")
    return count, Column(encoding, reader.take(length))
