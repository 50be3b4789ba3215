from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.definition.filters import compile_filter
from mailsync.tables.markup import tokens
from mailsync.tables.reader import read_table

PIECES = [
    *("<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th rowspan=3 colspan=2>", "<caption>", "</caption>"),
    *("<p>", "<br>", "<!--", "-->", "<script>", "</script>", '<td title="', '">', "<o:p>", "<", "&lt;", "text", "\n"),
]


def read(text, **more):
    return read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), Layout(kind="html", **more), 50)


def rows(table):
    return [list(cells) for chunk in table.chunks for cells in chunk.cells]


def shown(text):
    return "".join(token.text for token in tokens(text) if not token.tag)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a<b>c</b>d", "acd"),
        ("a < b", "a < b"),
        ("a<5", "a<5"),
        ("<!-- <p> -->x", "x"),
        ("<!DOCTYPE html>x<?php y ?>z", "xz"),
        ("<style>td > p {}</style>x", "x"),
        ("<STYLE>a</style >x", "x"),
        ('<a title="x > y">z</a>', "z"),
        ("<a title='>' b>z", "z"),
        ('<td nowrap">z', "z"),
        ("<o:p>x</o:p>", "x"),
        ("&auml;&#65;&amp;lt;", "äA&lt;"),
        ("x<!-- never closed", "x"),
        ('x<a b="never closed>', "x"),
        ("x<script>never closed", "x"),
    ],
)
def test_what_is_no_text_is_not_shown(text, said):
    assert shown(text) == said


def test_the_line_of_a_row_is_where_its_first_cell_begins():
    found = read("<table>\n<tr>\n<td>a\nb</td></tr>\n<!-- \n --><tr><td\n>c</table>")
    assert [line for chunk in found.chunks for line in chunk.lines] == [3, 6]


def test_what_is_left_open_is_closed_by_what_follows():
    assert rows(read("<table><tr><td>a<td>b<tr><td>c<tbody><tr><td>d")) == [["a", "b"], ["c"], ["d"]]


def test_of_a_caption_that_a_later_table_has_twice_the_first_counts():
    page = (
        "<table><tr><td>volume<td>to<tr><td>A1<td>X</table>"
        "<table><tr><td>to<td>volume<td>volume<tr><td>Y<td>A2<td>A3</table>"
    )
    assert rows(read(page, wanted=("volume",))) == [["A1", "X"], ["A2", "Y"]]


def test_cells_over_rows_count_in_each_and_cells_over_columns_in_the_first():
    text = "<table><tr><td rowspan=2>a<td colspan=2>b<td>c<tr><td>d<td rowspan=9>e<td>f<tr><td>g<td>h</table>"
    assert rows(read(text)) == [["a", "b", "", "c"], ["a", "d", "e", "f"], ["g", "h", "e"]]


def test_a_first_row_of_header_cells_holds_the_captions_when_nobody_asks_for_any():
    table = read("<table><tr><th>a<th>b<tr><td>1<td>2</table>")
    assert (table.captions, rows(table)) == (("a", "b"), [["1", "2"]])


def test_the_captions_are_the_first_row_that_has_them_all():
    table = read("<table><tr><td>Report<tr><td>b<td>A<tr><td>1<td>2</table>", wanted=("a", "b"))
    assert (table.captions, table.header_line, rows(table)) == (("b", "A"), 1, [["1", "2"]])


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("<h1>Title</h1><table><tr><td>x</table>", "Title"),
        ("<p>no</p><p>Title <b>of</b> it<table><tr><td>x</table>", "Title of it"),
        ("<h1>no</h1><table><caption>Title</caption><tr><td>x</table>", "Title"),
        ("<table><tr><td>no<tr><td>Title<tr><td><table><tr><td>x</table></table>", "Title"),
        ("<table><tr><td>Title:<table><tr><td>x</table></table>", "Title:"),
        ("<h1>Title</h1><table><tr><td>no</table><table><tr><td>x</table>", "Title"),
        ("<table><tr><td>x</table>", ""),
    ],
)
def test_the_title_of_a_table_is_its_caption_or_the_last_text_before_it(text, title):
    said = [
        one
        for chunk in read(text).chunks
        for cells, one in zip(chunk.cells, chunk.sources.get("title", ()), strict=True)
        if cells == ["x"]
    ]
    assert said == [title]


def test_a_table_is_chosen_by_its_title():
    text = "<h2>Due out</h2><table><tr><td>1</table><h2>Due back</h2><table><tr><td>2</table>"
    assert rows(read(text, title=(compile_filter("due BACK", fold=True),))) == [["2"]]
    assert "titles are" in read(text, title=(compile_filter("other"),)).fault


def test_tables_nested_too_deep_are_counted_and_left_out():
    table = read("<table><tr><td>x" * 20 + "</table>" * 20 + "<table><tr><td>y</table>")
    chunks = list(table.chunks)
    assert sum(len(chunk.raw) for chunk in chunks) == 17
    assert sum(chunk.left_out.get("a table nested too deep", 0) for chunk in chunks) == 4
    assert chunks[-2].cells == [["y"]]


def test_a_row_with_more_cells_than_allowed_is_broken():
    table = read("<table><tr>" + "<td>x" * 51 + "<tr><td>y</table>")
    assert [(list(chunk.cells), chunk.broken) for chunk in table.chunks if chunk.raw] == [
        ([[], ["y"]], ((0, "more than 50 cells"),))
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_tags_give_rows_within_the_bounds(pieces):
    for chunk in read("".join(pieces)).chunks:
        assert len(chunk.cells) == len(chunk.raw) == len(chunk.lines)
        assert all(len(cells) <= 50 for cells in chunk.cells)
        assert all(len(texts) == len(chunk.raw) for texts in chunk.sources.values())


TABLE = "<table><tr><td>x</td></tr>\n<tr><td>y"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE, (2, "within the table that begins in line 2")),
        (f"{TABLE}</table><table>", (3, "within the table that begins in line 3")),
        (f"<table><tr><td>{TABLE}</table>", (2, "within the table that begins in line 2")),
        (f"{TABLE}</tab", (3, "within a tag or a comment that begins in line 3")),
        (f"{TABLE}</table><!-- <table></table> ", (3, "within a tag or a comment that begins in line 3")),
        (f'{TABLE}</table><a b="c></body>', (3, "within a tag or a comment that begins in line 3")),
        (f"{TABLE}</table><script></body>", (3, "within a tag or a comment that begins in line 3")),
    ],
)
def test_a_page_that_breaks_off_is_a_flaw_of_its_tables(text, said):
    line, where = said
    flaws = [chunk.flaw for chunk in read(f"<p>\n{text}").chunks if chunk.flaw]
    assert [(one.line, one.text) for one in flaws] == [(line, f"the page breaks off {where}")]


@pytest.mark.parametrize("rest", ["</table>", "</body>", "</table><!-- x -->", "</table><p", "</table>5 < 6 <"])
def test_a_page_that_says_it_is_complete_is(rest):
    ended = f"{TABLE}{rest}" if rest != "</table><p" else f"{TABLE}</table></html><p"
    assert not [chunk.flaw for chunk in read(ended).chunks if chunk.flaw]


@pytest.mark.parametrize("more", ["", "<html><body>", "<p>text</p>"])
def test_a_page_behind_a_complete_one_has_to_be_complete_itself(more):
    flaws = [chunk.flaw for chunk in read(f"<html><body>x</body></html>\n{more}{TABLE}").chunks if chunk.flaw]
    assert [one.text for one in flaws] == ["the page breaks off within the table that begins in line 2"]
    whole = f"<html><body>x</body></html>{more}{TABLE}</table>"
    assert not [chunk.flaw for chunk in read(whole).chunks if chunk.flaw]


def test_more_rows_behind_the_end_of_a_page_that_lies_in_a_cell_have_to_end():
    text = "<table><tr><td><html><body>x</body></html></td></tr><tr><td>A</td>"
    assert [chunk.flaw.line for chunk in read(text).chunks if chunk.flaw] == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"&#{'9' * 5000};x", "\ufffdx"),
        (f"&#x{'F' * 5000}x", "\ufffdx"),
        (f"&#{'0' * 5000}65;x", "Ax"),
        (f"&#X{'0' * 20}41;x", "Ax"),
        ("&#65;&#x41;&#9999999;", "AA\ufffd"),
    ],
)
def test_an_entity_with_more_digits_than_any_character_has_is_no_character(text, said):
    assert shown(text) == said
