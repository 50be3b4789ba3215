"""Columns: what is encoded comes back, and no bytes do anything but decode or be refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire import limits
from mailsync.wire.columns import (
    CONST,
    DICTIONARY,
    INTEGER,
    TEXT,
    Column,
    Reader,
    decode_integers,
    decode_texts,
    encode_integers,
    encode_number,
    encode_table,
    encode_text,
    encode_texts,
)
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(0, limits.VERSION)


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=60) | st.lists(st.sampled_from(["LIBR", "OFFS", "", "Ü"]), min_size=1))
def test_texts_come_back(texts):
    assert list(decode_texts(encode_texts(texts), len(texts))) == texts


@settings(deadline=None)
@given(st.lists(NUMBERS))
def test_numbers_come_back(numbers):
    assert list(decode_integers(encode_integers(numbers), len(numbers))) == numbers


def test_each_kind_of_column_is_used_where_it_is_smallest():
    assert encode_texts(["LTO"] * 50) == (CONST, b"LTO")
    assert encode_texts(["LIBR", "OFFS"] * 50).encoding == DICTIONARY
    assert encode_texts([f"A{n:05}" for n in range(50)]).encoding == TEXT
    assert encode_integers([10, 11, 12]) == (INTEGER, b"\1\x14\2\2")


def test_a_dictionary_of_more_than_256_words_has_two_planes():
    texts = [f"box {n % 300}" for n in range(1200)]
    column = encode_texts(texts)
    assert column.encoding == DICTIONARY
    assert decode_texts(column, 1200) == texts


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["a\0b"], "NUL"),
        (["a", "b\0"], "NUL"),
        (["\ud800"], "surrogate"),
        (["x" * (limits.TEXT + 1)], "characters"),
    ],
)
def test_what_cannot_travel_is_refused_here(texts, why):
    with pytest.raises(LocalProtocolError, match=why):
        encode_texts(texts)


@pytest.mark.parametrize("number", [-1, limits.VERSION + 1, 2**70])
def test_a_number_that_cannot_travel_is_refused_here(number):
    with pytest.raises(LocalProtocolError):
        encode_integers([number])
    with pytest.raises(LocalProtocolError):
        encode_number(number)


@pytest.mark.parametrize(
    ("encoding", "data", "rows"),
    [
        (TEXT, b"a\0b", 3),
        (TEXT, b"a\0b", 1),
        (TEXT, b"", 0),
        (TEXT, b"\xff", 1),
        (CONST, b"a\0b", 2),
        (CONST, b"\xed\xa0\x80", 2),  # a lone surrogate in WTF-8
        (3, b"", 1),
        (INTEGER, b"\1\2", 1),
        (DICTIONARY, b"", 1),
        (DICTIONARY, struct.pack(">HI", 2, 3) + b"a\0b\2", 1),  # an index outside the dictionary
        (DICTIONARY, struct.pack(">HI", 2, 3) + b"a\0b\0\0", 1),  # an index too many
        (DICTIONARY, struct.pack(">HI", 2, 2**31) + b"a\0b\0", 1),
        (DICTIONARY, struct.pack(">HI", 0, 0), 0),
    ],
)
def test_a_column_that_holds_no_texts_is_refused(encoding, data, rows):
    with pytest.raises(RemoteProtocolError):
        decode_texts(Column(encoding, data), rows)


@pytest.mark.parametrize(
    ("encoding", "data", "rows"),
    [
        (TEXT, b"1", 1),
        (INTEGER, b"", 0),
        (INTEGER, b"\3\0\0\0", 1),
        (INTEGER, b"\1\2", 2),
        (INTEGER, b"\1\2\2", 1),
        (INTEGER, b"\1\1", 1),  # -1
        (INTEGER, b"\x08\x00\x40\0\0\0\0\0\0", 1),  # 2^53
    ],
)
def test_a_column_that_holds_no_numbers_is_refused(encoding, data, rows):
    with pytest.raises(RemoteProtocolError):
        decode_integers(Column(encoding, data), rows)


def test_a_text_longer_than_the_limit_is_refused_as_too_large():
    for column in (Column(CONST, b"x" * (limits.TEXT + 1)), Column(TEXT, b"x" * (limits.TEXT + 1) + b"\0")):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_texts(column, 2)
        assert caught.value.code is Code.TOO_LARGE


def test_a_table_of_too_many_rows_is_refused_before_its_columns_are_read():
    with pytest.raises(RemoteProtocolError) as caught:
        Reader(struct.pack(">IB", 11, 200)).table(10)
    assert caught.value.code is Code.TOO_LARGE


def test_a_column_given_twice_is_refused():
    body = struct.pack(">IB", 1, 2) + (struct.pack(">BBI", 0, CONST, 1) + b"a") * 2
    with pytest.raises(RemoteProtocolError, match="twice"):
        Reader(body).table(10)


def test_a_column_nobody_knows_is_skipped_and_one_that_is_missing_has_its_default():
    body = encode_table(2, {0: encode_texts(["a", "b"]), 99: Column(77, b"?" * 500)})
    table = Reader(body).table(10)
    assert list(table.texts(0)) == ["a", "b"]
    assert list(table.texts(5, "none")) == ["none", "none"]
    for missing in (lambda: table.texts(5), lambda: table.integers(5)):
        with pytest.raises(RemoteProtocolError, match="missing"):
            missing()


def test_a_text_and_a_number_behind_their_lengths():
    reader = Reader(encode_text("Büro") + encode_number(limits.VERSION) + (limits.VERSION + 1).to_bytes(8, "big"))
    assert reader.text() == "Büro"
    assert reader.number() == limits.VERSION
    with pytest.raises(RemoteProtocolError, match="2\\^53"):
        reader.number()


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.integers(0, 20), st.sampled_from([CONST, DICTIONARY, TEXT, INTEGER, 9]))
def test_any_bytes_are_a_column_or_refused(data, rows, encoding):
    for decode in (decode_texts, decode_integers):
        try:
            assert len(decode(Column(encoding, data), rows)) == rows
        except RemoteProtocolError:
            continue
