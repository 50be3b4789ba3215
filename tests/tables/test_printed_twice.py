"""Lists that say what others of the same report say, and pages that say that there is nothing to list."""

from __future__ import annotations

from collections import Counter

import pytest

from mailsync.core.layout import Layout, PrintedTwice, Total
from mailsync.core.model import Attachment
from mailsync.definition.expression import compile_expression
from mailsync.definition.filters import compile_filter
from mailsync.tables.reader import read_table

LISTS = Layout(
    kind="fixed",
    sections=(compile_expression(r"(?P<list>PICK|SEND) (?P<place>\w+)"),),
    totals=(Total(compile_expression(r"^TOTAL (\d+)")),),
    printed_twice=PrintedTwice(compile_expression("PICK"), compile_expression("SEND")),
)
PAGE = Layout(
    kind="html",
    wanted=("Tape",),
    title=(compile_filter("to send*", fold=True),),
    empty=(compile_filter("no tape to send*", fold=True),),
)


def read(text, layout):
    table = read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), layout, 50)
    chunks = list(table.chunks)
    rows = [(line, raw) for chunk in chunks for line, raw in zip(chunk.lines, chunk.raw, strict=True)]
    left_out = sum((Counter(chunk.left_out) for chunk in chunks), Counter())
    return table, chunks, rows, left_out


def test_a_list_is_left_out_where_the_report_has_the_other_even_behind_it():
    _, chunks, rows, left_out = read("PICK A\nA1\nTOTAL 7\nSEND B\nA1\nA2\nTOTAL 2\nPICK C\nA3\n", LISTS)
    assert rows == [(5, "A1"), (6, "A2")]
    assert left_out == {"section title": 3, "printed twice": 3, "total": 1}
    assert [one.number for chunk in chunks for one in chunk.totals] == [2]


def test_a_list_counts_where_the_report_does_not_have_the_other():
    _, chunks, rows, left_out = read("PICK A\nA1\nTOTAL 1\nPICK C\nA3\n", LISTS)
    assert rows == [(2, "A1"), (5, "A3")]
    assert left_out == {"section title": 2, "total": 1}
    assert [chunk.sources["list"] for chunk in chunks if chunk.raw] == [["PICK"], ["PICK"]]


def test_the_other_list_is_seen_however_far_away_it_is():
    picked = "".join(f"A{number:05}\n" for number in range(20_000))
    assert read(f"PICK A\n{picked}", LISTS)[2][-1] == (20_001, "A19999")
    assert read(f"PICK A\n{picked}SEND B\nA1\n", LISTS)[2] == [(20_003, "A1")]


def test_lines_before_the_first_title_are_never_printed_twice():
    assert read("A0\nSEND B\nA1\n", LISTS)[2] == [(1, "A0"), (3, "A1")]


@pytest.mark.parametrize("sentence", ["No tape to send", "NO TAPE TO SEND - good night"])
def test_a_page_that_says_that_there_is_nothing_has_no_rows_and_no_fault(sentence):
    page = f"<table><tr><td>{sentence}</td></tr></table><table><tr><th>Drive</th></tr><tr><td>1</td></tr></table>"
    table, _, rows, left_out = read(page, PAGE)
    assert (table.fault, rows) == ("", [])
    assert table.captions == ("Tape",)
    assert left_out == {"another table": 1}


def test_a_page_that_says_nothing_of_the_kind_is_another_report():
    table = read("<p>Nothing</p><table><tr><td>No tapes</td></tr></table>", PAGE)[0]
    assert "no table has the number or title asked for" in table.fault


def test_a_table_counts_whatever_the_page_says_beside_it():
    page = "<p>No tape to send back</p><p>To send:</p><table><tr><th>Tape</th></tr><tr><td>A1</td></tr></table>"
    assert read(page, PAGE)[2] == [(1, "A1")]


def test_a_table_with_other_captions_is_no_empty_one():
    page = "<p>No tape to send back</p><p>To send:</p><table><tr><th>Cartridge</th></tr><tr><td>A1</td></tr></table>"
    assert read(page, PAGE)[0].captions != ("Tape",)


def test_a_page_that_breaks_off_behind_the_sentence_is_cut_all_the_same():
    _, chunks, rows, _ = read("<p>No tape to send</p><p>x</p><table><tr><td>A1", PAGE)
    assert rows == []
    assert any(chunk.flaw and "breaks off" in chunk.flaw.text for chunk in chunks)
