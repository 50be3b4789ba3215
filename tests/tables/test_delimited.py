from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.tables.delimited import Form, read_delimited, sniff_delimiter
from mailsync.tables.table import Lines


def read(lines, *, size=1000, delimiter=",", quote='"', cells=5_000):
    blocks = (
        Lines(lines[start : start + size], range(start + 1, min(start + size, len(lines)) + 1))
        for start in range(0, len(lines), size)
    )
    found = []
    for chunk in read_delimited(blocks, Form(delimiter, quote, cells)):
        assert len(chunk.cells) == len(chunk.raw) == len(chunk.lines)
        broken = dict(chunk.broken)
        found += [
            (chunk.lines[index], cells, chunk.raw[index], broken.get(index, ""))
            for index, cells in enumerate(chunk.cells)
        ]
    return found


@given(
    st.lists(st.lists(st.text('ab,"; \n', max_size=4), min_size=1, max_size=4), min_size=1, max_size=40),
    st.integers(1, 50),
)
@settings(max_examples=300, deadline=None)
def test_what_csv_writes_is_read_back_wherever_the_blocks_end(rows, size):
    rows = [[cell.lstrip(" ") for cell in row] for row in rows]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    lines = written.getvalue().split("\n")[:-1]
    found = read(lines, size=size)
    assert [cells for _, cells, _, _ in found] == rows
    assert [text for _, _, text, _ in found] == ["\n".join(lines[a - 1 : b - 1]) for a, b in _spans(found, len(lines))]


def _spans(found, total):
    starts = [line for line, _, _, _ in found]
    return zip(starts, [*starts[1:], total + 1], strict=True)


@given(st.lists(st.text('a",\r', max_size=6), max_size=60), st.integers(1, 70))
@settings(max_examples=300, deadline=None)
def test_every_line_is_in_exactly_one_row_whatever_the_quotes(lines, size):
    found = read(lines, size=size)
    assert "\n".join(raw for _, _, raw, _ in found) == "\n".join(lines)
    assert all(not cells for _, cells, _, fault in found if fault)
    assert read(lines, size=1000) == found


def test_a_blank_after_the_delimiter_does_not_hide_a_quote():
    assert read(['a, "b, c"'])[0][1] == ["a", "b, c"]


def test_malformed_quoting_breaks_its_row_only():
    assert [(line, bool(fault)) for line, _, _, fault in read(["a,b", '"x"y,b', "c,d"])] == [
        (1, False),
        (2, True),
        (3, False),
    ]


@pytest.mark.parametrize("delimiter", [",", "\t", "\x01"])
def test_why_a_quote_is_malformed_is_said_without_the_delimiter(delimiter):
    # Found by fuzzing: a tab in a problem's text, which reaches replies and logs.
    (found,) = read([f'"x"y{delimiter}b'], delimiter=delimiter)
    assert found[3] == "not delimited text: there is text behind a closing quote"


def test_without_quotes_a_quote_is_a_character():
    assert read(['"a,b'], quote="")[0][1] == ['"a', "b"]


def test_a_record_of_64_lines_is_one_and_of_65_is_not():
    lines = ['"', *["x"] * 62, '"', "y"]
    assert [line for line, *_ in read(lines)] == [1, 65]
    lines.insert(1, "x")
    assert [line for line, *_ in read(lines)][:3] == [1, 2, 3]
    assert read(lines)[0][3] == "its quote is not closed within 64 lines"


def test_many_quotes_that_never_close_take_linear_time():
    assert len(read(['"a'] + ['""'] * 20_000)) == 20_001


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["a;b,c", "d;e,f,g", "h;i"], ";"),
        (["a\tb", "c, d\te"], "\t"),
        (["a|b|c", "a|b|c", "x,y|z|w"], "|"),
        (["a", "b"], ","),
        ([], ","),
        (["title of it all", "", "a;b", "c;d", "e;f"], ";"),
        (['"a;b;c",d', '"e;f",g'], ","),
    ],
)
def test_the_delimiter_is_what_cuts_most_rows_alike(lines, delimiter):
    assert sniff_delimiter(lines, '"', 5_000) == delimiter
