"""Columns: what is encoded comes back, and no bytes do anything but decode or be refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire import limits
from mailsync.wire.columns import (
    DERIVED,
    RELATIVE,
    check_texts,
    encode_derived,
    encode_relative,
    encode_table,
    read_table,
)
from mailsync.wire.encodings import (
    CONST,
    DICTIONARY,
    INTEGER,
    NULLABLE,
    SERIAL,
    TEXT,
    Column,
    decode_numbers,
    decode_texts,
    encode_numbers,
    encode_texts,
    encode_values,
)
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.forms import Form, converted, to_number, to_numbers, to_texts
from mailsync.wire.integers import decode_bitmap, decode_integers, encode_bitmap, encode_integers
from mailsync.wire.reader import Reader, encode_number, encode_text
from mailsync.wire.serials import decode_serials, encode_serials

ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
# Other scripts have digits, too, and numbers may begin with zeros or be very long.
DIGITS = st.text("0123456789٣\u0966", min_size=1, max_size=20)
SERIALS = st.builds(lambda prefix, digits, suffix: f"{prefix}{digits}{suffix}", st.sampled_from("AB"), DIGITS, ANY)
DATES = st.dates().map(str)
TIMES = st.datetimes().map(lambda time: time.replace(microsecond=0).isoformat() + "Z")
TEXTS = (
    st.lists(ANY | SERIALS | DATES | TIMES, max_size=60)
    | st.lists(st.sampled_from(["LIBR", "OFFS", "", "Ü"]), max_size=60)
    | st.lists(st.integers(0, 10**6).map(lambda number: f"A{number:07}L8"), max_size=60)
    | st.lists(DATES | st.just(""), max_size=60)
    | st.lists(TIMES | st.just(""), max_size=60)
)
FORMS = st.sampled_from(list(Form))
NUMBERS = st.integers(0, limits.VERSION)
INTEGERS = st.integers(-limits.INTEGER, limits.INTEGER)


def table(rows, columns, forms=None):
    """The table of these columns as a reader has it."""
    return read_table(Reader(encode_table(rows, columns)), limits.PAGE_ROWS, forms)


@settings(deadline=None)
@given(TEXTS, FORMS)
def test_texts_come_back(texts, form):
    column = encode_texts(texts, form)
    assert list(table(len(texts), {0: column}, {0: form}).texts(0)) == texts
    assert [text or "" for text in decode_texts(column, len(texts), limits.TABLE_TEXT, form)] == texts


@settings(deadline=None)
@given(st.lists(ANY | st.none(), max_size=60))
def test_values_and_their_lack_come_back(values):
    assert list(table(len(values), {0: encode_values(values)}).values(0)) == values


@settings(deadline=None)
@given(st.lists(NUMBERS) | st.lists(st.integers(0, 5)))
def test_numbers_come_back(numbers):
    assert list(table(len(numbers), {0: encode_numbers(numbers)}).integers(0)) == numbers


@settings(deadline=None)
@given(st.lists(INTEGERS))
def test_integers_of_either_sign_come_back(integers):
    reader = Reader(encode_integers(integers))
    assert decode_integers(reader, len(integers)) == integers
    reader.finish()


@settings(deadline=None)
@given(st.lists(st.booleans()))
def test_marks_come_back(marks):
    assert decode_bitmap(Reader(encode_bitmap(marks)), len(marks)) == marks


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["A", "B", "C", ""]), min_size=8), st.lists(st.sampled_from(["D", "E", ""]), max_size=4)
)
def test_a_column_derived_from_another_comes_back(texts, changes):
    other = [*texts * (1 + 2 * len(changes))]
    texts = list(other)
    for row, value in enumerate(changes):
        other[row * 2] = value
    column = encode_derived(other, 4, texts)
    if column is None:
        assert sum(one != two for one, two in zip(texts, other, strict=True)) > len(texts) // 8
    else:
        assert column.encoding == DERIVED
        assert table(len(texts), {4: encode_texts(texts), 5: column}).texts(5) == other


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(-(10**5), 10**5), TIMES | st.just("")), max_size=40))
def test_dates_relative_to_times_come_back(rows):
    dates, times = [row[0] for row in rows], [row[1] for row in rows]
    bases = converted([to_number(Form.TIME, time) or 0 for time in times], Form.TIME, Form.DATE)
    columns = {1: encode_texts(times, Form.TIME), 2: encode_relative(dates, 1, bases)}
    expected = ["" if date is None else to_texts(Form.DATE, [date])[0] for date in dates]
    assert table(len(rows), columns, {1: Form.TIME, 2: Form.DATE}).texts(2) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_numbers_relative_to_numbers_come_back(pairs):
    rows, lines = [row for row, _ in pairs], [line for _, line in pairs]
    columns = {2: encode_numbers(rows), 3: encode_relative(lines, 2, rows)}
    assert list(table(len(pairs), columns).integers(3)) == lines


def test_each_kind_of_column_is_used_where_it_is_smallest():
    assert encode_texts(["LTO"] * 50) == (CONST, b"LTO")
    assert encode_texts(["LIBR", "OFFS"] * 50).encoding == DICTIONARY
    assert encode_texts([f"A{n:05}L8" for n in range(50)]).encoding == SERIAL
    assert encode_texts([f"A{n:05}" for n in range(25)] + [""] * 5).encoding == SERIAL | NULLABLE
    assert encode_texts(["".join(chr(97 + (n * p) % 26) for p in (1, 3, 5, 7)) for n in range(26)]).encoding == TEXT
    assert encode_numbers([10, 11, 12]) == (INTEGER, b"\1\x14\2\2")
    assert encode_numbers([7] * 20 + [2**50] * 20).encoding == DICTIONARY
    days = [f"2031-05-{day:02}" for day in range(1, 31)]
    assert encode_texts(days, Form.DATE).encoding == INTEGER
    assert encode_texts([*days, "31.05.2031"], Form.DATE).encoding != INTEGER  # not canonical: it stays as it is
    assert encode_texts([*days, ""], Form.DATE).encoding == INTEGER | NULLABLE


def test_serial_numbers_too_long_by_themselves_or_together_are_refused_before_they_are_made():
    encoded = encode_serials(["A00001", "A00002"])
    assert decode_serials(Reader(encoded), 2, 12) == ["A00001", "A00002"]
    with pytest.raises(RemoteProtocolError, match="too long"):
        decode_serials(Reader(encoded), 2, 11)
    long = encode_serials(["A" * limits.TEXT])
    digit = long[:-3] + b"\1" + long[-2:]  # a digit more than fits
    assert len(decode_serials(Reader(long), 1, limits.TABLE_TEXT)[0]) == limits.TEXT
    with pytest.raises(RemoteProtocolError, match="too long"):
        decode_serials(Reader(digit), 1, limits.TABLE_TEXT)


def test_a_time_with_a_fraction_of_a_second_is_no_number():
    assert to_number(Form.TIME, "2031-05-04T09:30:00.500000Z") is None
    assert to_number(Form.TIME, "2031-05-04T09:30:00Z") is not None


def test_ten_thousand_serial_numbers_in_a_row_are_little_more_than_a_byte_each():
    names = [f"A{number:05}L8" for number in range(10_000)]
    assert len(encode_texts(names).data) < 10_030


def test_a_dictionary_of_more_than_256_words_has_two_planes():
    texts = [f"box {chr(256 + n % 300)}" for n in range(1200)]
    column = encode_texts(texts)
    assert column.encoding == DICTIONARY
    assert decode_texts(column, 1200, limits.TABLE_TEXT) == texts


@pytest.mark.parametrize("text", ["A٣", "A0٣0", "0", "00", "9" * 15, "9" * 16, "1" * 40, "a1b22c3", "A00017L8"])
def test_digits_are_ascii_and_every_zero_comes_back(text):
    texts = [text] * 8 + ["B7"] * 8
    encoded = encode_serials(texts)
    assert encoded is not None
    assert decode_serials(Reader(encoded), 16, limits.TABLE_TEXT) == texts


@pytest.mark.parametrize(
    "text",
    ["", "2031-5-4", "20310504", "2031-W18-7", "2031-02-30", "2031-05-04T09:30:00", "2031-05-04T09:30:00+00:00Z",
     "2031-05-04T09:30Z", "2031-05-04 09:30:00Z", "2031-05-04T09:30:00.5Z", "2031-05-04T24:00:00Z", "٢٠٣١-05-04"],
)  # fmt: skip
def test_only_canonical_dates_and_times_are_numbers(text):
    assert to_number(Form.DATE, text) is None
    assert to_number(Form.TIME, text) is None


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        (Form.DATE, "1970-01-01", 0),
        (Form.DATE, "1969-12-31", -1),
        (Form.DATE, "9999-12-31", 2_932_896),
        (Form.DATE, "0001-01-01", -719_162),
        (Form.TIME, "1970-01-01T00:00:00Z", 0),
        (Form.TIME, "1969-12-31T23:59:59Z", -1),
        (Form.TIME, "2026-11-23T10:15:00Z", 1_795_428_900),
    ],
)
def test_dates_are_days_and_times_are_seconds_since_1970(form, text, number):
    assert to_numbers(form, [text]) == [number]
    assert to_texts(form, [number]) == [text]


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
        encode_numbers([number])
    with pytest.raises(LocalProtocolError):
        encode_number(number)


@pytest.mark.parametrize("number", [limits.INTEGER + 1, -limits.INTEGER - 1])
def test_an_integer_beyond_2_to_the_60_is_refused_on_both_ends(number):
    with pytest.raises(LocalProtocolError):
        encode_integers([number])
    zigzag = 2 * number if number > 0 else -2 * number - 1
    with pytest.raises(RemoteProtocolError, match="2\\^60"):
        decode_integers(Reader(b"\x08" + zigzag.to_bytes(8, "big")), 1)


def dictionary(count, words, indexes, encoding=TEXT):
    return struct.pack(">HBI", count, encoding, len(words)) + words + indexes


def serial(count, words, digits, rest):
    return struct.pack(">HI", count, len(words)) + words + digits + rest


@pytest.mark.parametrize(
    ("encoding", "data", "rows"),
    [
        (TEXT, b"a\0b", 3),
        (TEXT, b"a\0b", 1),
        (TEXT, b"a", 0),
        (TEXT, b"\xff", 1),
        (CONST, b"a\0b", 2),
        (CONST, b"\xed\xa0\x80", 2),  # a lone surrogate in WTF-8
        (7, b"", 1),
        (INTEGER, b"\1\2", 1),
        (DICTIONARY, b"", 1),
        (DICTIONARY, dictionary(2, b"a\0b", b"\2"), 1),  # an index outside the dictionary
        (DICTIONARY, dictionary(2, b"a\0b", b"\0\0"), 1),  # an index too many
        (DICTIONARY, dictionary(2, b"a\0b", b"\0", DICTIONARY), 1),  # a dictionary of dictionaries
        (DICTIONARY, dictionary(2, b"\1\0\0", b"\0", INTEGER), 1),  # numbers that stand for nothing
        (DICTIONARY, dictionary(1, b"\0a", b"\0", TEXT | NULLABLE), 1),
        (DICTIONARY, struct.pack(">HBI", 2, TEXT, 2**31) + b"a\0b\0", 1),
        (SERIAL, b"", 1),
        (SERIAL, serial(0, b"", b"", b"\1\2"), 1),
        (SERIAL, serial(1, b"A\0", b"\x10", b"\1\2"), 1),  # 16 digits
        (SERIAL, serial(1, b"A\0", b"\1", b"\1\x14"), 1),  # 10 in one digit
        (SERIAL, serial(1, b"A\0", b"\1", b"\1\1"), 1),  # -1
        (SERIAL, serial(1, b"A\0", b"\0", b"\1\2"), 1),  # 1 in no digit
        (SERIAL, serial(1, b"A\0", b"\1", b"\1\2\2"), 1),
        (SERIAL, serial(1, b"A", b"\1", b"\1\2"), 1),  # a frame without a suffix
        (SERIAL, serial(257, b"A\0" * 513 + b"A", b"\0" * 257, b"\0\0\1\0"), 1),
        (NULLABLE, b"", 1),
        (NULLABLE | TEXT, b"\x40a", 1),  # a bit beyond the last row
        (NULLABLE | TEXT, b"\x00", 2),
    ],
)
def test_a_column_that_holds_no_texts_is_refused(encoding, data, rows):
    with pytest.raises(RemoteProtocolError):
        decode_texts(Column(encoding, data), rows, limits.TABLE_TEXT)


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
        (INTEGER | NULLABLE, b"\x80\1", 1),  # none
        (DICTIONARY, dictionary(1, b"1", b"\0"), 1),  # a word
        (DICTIONARY, dictionary(1, b"\1\2\2", b"\0", INTEGER), 1),
        (RELATIVE, b"\0\4\1\2", 1),  # itself
        (RELATIVE, b"\7\4\1\2", 1),  # a column that is not there
        (DERIVED, b"", 1),
    ],
)
def test_a_column_that_holds_no_numbers_is_refused(encoding, data, rows):
    with pytest.raises(RemoteProtocolError):
        table(rows, {0: Column(encoding, data)}).integers(0)


TWO = encode_texts(["A", "B"])
SAME = encode_derived(["A", "B"], 0, ["A", "B"])


def derived(other=0, exceptions=b"X", at=b"\1\2", count=1, encoding=CONST):
    return Column(DERIVED, struct.pack(">BIBI", other, count, encoding, len(exceptions)) + exceptions + at)


def test_the_derived_column_of_the_next_test_is_right_but_for_what_it_breaks():
    assert table(2, {0: TWO, 1: derived()}).texts(1) == ["A", "X"]


@pytest.mark.parametrize(
    "columns",
    [
        {1: derived(), 0: TWO},  # the other one comes later
        {1: derived(other=1)},
        {0: TWO, 1: SAME, 2: derived(other=1)},  # the other one leans itself
        {0: TWO, 1: derived(other=5)},
        {0: TWO, 1: derived(at=b"\1\4")},  # row 2 of two
        {0: TWO, 1: derived(at=b"\1\1")},  # row -1
        {0: TWO, 1: derived(at=b"\1\0\0", count=2)},  # twice the same
        {0: TWO, 1: derived(at=b"\1\2\0", count=2)},  # descending
        {0: TWO, 1: derived(count=3, at=b"\1\0\2\2")},
        {0: TWO, 1: derived(encoding=DERIVED)},
        {0: TWO, 1: derived(encoding=NULLABLE)},
        {0: TWO, 1: derived()._replace(encoding=DERIVED | NULLABLE)},
        {0: TWO, 1: Column(RELATIVE, b"\0\4\1\0\0")},  # texts have no differences
    ],
)
def test_a_column_that_leans_on_none_before_it_is_refused(columns):
    with pytest.raises(RemoteProtocolError):
        table(2, columns).texts(max(columns))


def test_a_difference_beyond_every_date_is_refused():
    columns = {0: encode_texts(["2031-01-01"], Form.DATE), 1: encode_relative([10**9], 0, [0])}
    with pytest.raises(RemoteProtocolError, match="years"):
        table(1, columns, {0: Form.DATE, 1: Form.DATE}).texts(1)


def test_a_relative_column_of_numbers_must_stay_a_number():
    columns = {0: encode_numbers([5]), 1: encode_relative([-1], 0, [5])}
    with pytest.raises(RemoteProtocolError, match="negative"):
        table(1, columns).integers(1)


def test_a_text_longer_than_the_limit_is_refused_as_too_large():
    for column in (Column(CONST, b"x" * (limits.TEXT + 1)), Column(TEXT, b"x" * (limits.TEXT + 1) + b"\0")):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_texts(column, 2, limits.TABLE_TEXT)
        assert caught.value.code is Code.TOO_LARGE


LONG = b"x" * limits.TEXT


@pytest.mark.parametrize(
    "column",
    [
        Column(CONST, LONG),
        Column(DICTIONARY, dictionary(1, LONG, bytes(8000))),
        Column(SERIAL, serial(1, LONG[:-1] + b"\0", b"\1", b"\1" + bytes(8000))),
    ],
)
def test_a_few_bytes_do_not_become_many_rows_of_long_texts(column):
    with pytest.raises(RemoteProtocolError) as caught:
        table(8000, {0: column}).texts(0)
    assert caught.value.code is Code.TOO_LARGE
    columns = table(1000, {number: Column(CONST, LONG) for number in range(6)})
    for number in range(4):
        columns.texts(number)
    with pytest.raises(RemoteProtocolError):
        columns.texts(4)


def test_a_writer_makes_no_table_that_a_reader_refuses():
    check_texts([["x" * limits.TEXT] * 4096])
    with pytest.raises(LocalProtocolError):
        check_texts([["x" * limits.TEXT] * 4096, ["x"]])


def test_a_table_of_too_many_rows_is_refused_before_its_columns_are_read():
    with pytest.raises(RemoteProtocolError) as caught:
        read_table(Reader(struct.pack(">IB", 11, 200)), 10)
    assert caught.value.code is Code.TOO_LARGE


def test_a_column_given_twice_is_refused():
    body = struct.pack(">IB", 1, 2) + (struct.pack(">BBI", 0, CONST, 1) + b"a") * 2
    with pytest.raises(RemoteProtocolError, match="twice"):
        read_table(Reader(body), 10)


def test_a_column_nobody_knows_is_skipped_and_one_that_is_missing_has_its_default():
    found = table(2, {0: encode_texts(["a", "b"]), 99: Column(77, b"?" * 500)})
    assert list(found.texts(0)) == ["a", "b"]
    assert list(found.texts(5, "none")) == ["none", "none"]
    for missing in (lambda: found.texts(5), lambda: found.integers(5)):
        with pytest.raises(RemoteProtocolError, match="missing"):
            missing()


def test_a_text_and_a_number_behind_their_lengths():
    reader = Reader(encode_text("Büro") + encode_number(limits.VERSION) + (limits.VERSION + 1).to_bytes(8, "big"))
    assert reader.text() == "Büro"
    assert reader.number() == limits.VERSION
    with pytest.raises(RemoteProtocolError, match="2\\^53"):
        reader.number()


ENCODINGS = st.sampled_from([CONST, DICTIONARY, TEXT, SERIAL, INTEGER, RELATIVE, DERIVED, 9]) | st.integers(128, 135)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.integers(0, 20), ENCODINGS, FORMS)
def test_any_bytes_are_a_column_or_refused(data, rows, encoding, form):
    found = table(rows, {0: encode_texts(["A"] * rows), 1: Column(encoding, data)}, {1: form})
    for read in (found.texts, found.values, found.integers, lambda _: decode_numbers(Column(encoding, data), rows)):
        try:
            assert len(read(1)) == rows
        except RemoteProtocolError:
            continue


@settings(deadline=None, max_examples=100)
@given(TEXTS, FORMS, st.data())
def test_changed_bytes_are_another_column_or_refused(texts, form, data):
    column = encode_texts(texts, form)
    changed = bytearray(column.data or b"?")
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert len(decode_texts(Column(column.encoding, bytes(changed)), len(texts), 10**5, form)) == len(texts)
    except RemoteProtocolError:
        return
