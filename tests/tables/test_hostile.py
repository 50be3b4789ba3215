"""Bytes made to cost time or memory: what a kind does grows with its input, not with its square."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest
from steps import Text, counting, steps

from mailsync.core.layout import Layout, Split
from mailsync.core.model import Attachment
from mailsync.definition.expression import compile_expression
from mailsync.tables import hypertext, table
from mailsync.tables.reader import read_table

HTML = Layout(kind="html", wanted=("volume",))
RULED = Layout(kind="ruled", wanted=("volume",), wrapped="volume")
RECORDS = Layout(kind="records", wanted=("volume",))
LINES = Layout(kind="lines", patterns=(compile_expression(r"(?P<a>a*)*(?P<b>a*)*b"),))
JSON = Layout(kind="json")
BOXED = Layout(kind="boxed", wanted=("volume",))
SECTIONS = Layout(kind="fixed", sections=(compile_expression(r"a[^x]*(?P<a>x)"),))
INPUTS = {
    "html comments": (HTML, "<!--"),
    "html quotes": (HTML, '<a b="'),
    "html tags": (HTML, "<a "),
    "html ends": (HTML, "</"),
    "html tables": (HTML, "<table><tr><td>x"),
    "html spans": (HTML, "<table><tr><td colspan=5000 rowspan=60000>x<tr><td>y</table>"),
    "html captions": (HTML, "<table><caption>x"),
    "html entities": (HTML, "&amp;&#x10ffff;&"),
    "html silent": (HTML, "<script><title>"),
    "rulers": (RULED, "volume  b\n------  -\n"),
    "ruler of many columns": (RULED, "- -- "),
    "wrapped": (RULED, "x\n"),
    "one long line": (RULED, "x" * 50),
    "records": (RECORDS, "volume: A\n"),
    "labels": (RECORDS, "x: "),
    "rules": (BOXED, "+-+-+\n"),
    "bars": (BOXED, "+-+\n|x|\n"),
    "bars in one line": (BOXED, "|x"),
    "pattern": (LINES, "aaaa"),
    "pattern in lines": (LINES, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
    "section": (SECTIONS, "a" * 100 + "\n"),
    "json arrays": (JSON, "["),
    "json objects": (JSON, '[{"a":'),
    "json numbers": (JSON, "[" + "9" * 40),
    "json rows": (JSON, "[{},"),
}
START = {
    "wrapped": "volume  b\n------  -\n",
    "bars in one line": "+-+-+\n|volume|b|\n+-+-+\n",
    "json numbers": "[",
    "json rows": "[",
}


def cost(name, size):
    layout, piece = INPUTS[name]
    text = START.get(name, "") + piece * (size // len(piece))
    attachment = Attachment("a", text.encode(), "", "", depth=0, body=False)

    def read():
        for chunk in read_table(attachment, layout, 5_000).chunks:
            assert len(chunk.cells) == len(chunk.raw)

    return steps(read)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_eight_times_the_input_takes_some_eight_times_the_steps(monkeypatch, name):
    with counting(monkeypatch):
        small, large = cost(name, 15_000), cost(name, 120_000)
    # The square would be 64.
    assert 15_000 / 2 < small < large < 10 * small, large / small


@pytest.mark.parametrize("looks", [lambda text, at: text[at:], lambda text, at: text.count("x", 0, at), str.rfind])
def test_steps_see_a_square(looks):
    def work(size):
        text = Text("a" * size)
        return lambda: [looks(text, at) if looks is not str.rfind else text.rfind("x", at) for at in range(size)]

    assert steps(work(800)) > 50 * steps(work(100))


@pytest.mark.parametrize("depth", [10, 1000, 100_000])
def test_json_nested_too_deep_is_a_problem_of_its_row_or_of_all(depth):
    text = "[" + '{"a":' * depth + "1" + "}" * depth + "]"
    chunks = list(read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), JSON, 5_000).chunks)
    reasons = [reason for chunk in chunks for _, reason in chunk.broken]
    reasons += [chunk.flaw.text for chunk in chunks if chunk.flaw]
    assert len(reasons) == 1
    assert "nested" in reasons[0]


def book(sheet):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/workbook.xml", '<workbook><sheets><sheet name="S" r:id="1" xmlns:r="r"/></sheets></workbook>'
        )
        target = '<Relationships><Relationship Id="1" Target="worksheets/sheet1.xml"/></Relationships>'
        archive.writestr("xl/_rels/workbook.xml.rels", target)
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return packed.getvalue()


def ods(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", content)
    return packed.getvalue()


REPEATS = 'number-columns-repeated="5000"'
ROW = f'<table-row number-rows-repeated="1000"><table-cell {REPEATS}><p>x</p></table-cell></table-row>'
BOMBS = {
    "a row of a million empty cells": book("<s><row>" + "<c/>" * 1_000_000 + "</row></s>"),
    "the last cell of a sheet": book('<s><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></s>'),
    "a tag without an end": book('<s><row r="' + "1" * 5_000_000),
    "a text without an end": book("<s><row><c><v>" + "1" * 5_000_000),
    "a cell of many texts": book("<s><row><c>" + "<v>1</v>" * 300_000 + "</c></row></s>"),
    "deep": book("<s>" * 300_000),
    "entities": book(
        '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><s><row><c><v>&b;</v></c></row></s>'
    ),
    "repeated rows and cells": ods(f"<x><table>{ROW * 100}</table></x>"),
    "repeated empty rows": ods('<x><table><table-row number-rows-repeated="99999999"/></table></x>'),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_workbook_takes_bounded_memory(name):
    attachment = Attachment("a", BOMBS[name], "", "", depth=0, body=False)
    tracemalloc.start()
    try:
        rows = 0
        for chunk in read_table(attachment, Layout(kind="workbook", wanted=("volume",)), 5_000).chunks:
            assert all(len(cells) <= 5_000 for cells in chunk.cells)
            rows += len(chunk.raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows < 2_000
    assert peak < 60_000_000


class Asked:
    """A filter that counts how often it is asked."""

    def __init__(self):
        self.texts = []

    def matches(self, text):
        self.texts.append(text)
        return False


def test_a_filter_that_ends_a_table_is_asked_once_a_line():
    asked = Asked()
    text = "x    y\n---  ---\n" + "a\n" * 100_000
    table = read_table(
        Attachment("a", text.encode(), "", "", depth=0, body=False), Layout(kind="ruled", until=(asked,)), 50
    )
    assert sum(len(chunk.raw) for chunk in table.chunks) == len(asked.texts) == 100_000


def test_cells_that_reach_down_cost_the_rows_below_nothing_once_they_are_too_many(monkeypatch):
    monkeypatch.setattr(hypertext, "MOST_SPREAD", 1000)

    def work(size):
        page = "<table><tr>" + "<td rowspan=60000>" * size + "<tr><td>x" * size + "</table>"
        return lambda: list(read_table(Attachment("a", page.encode(), "", "", depth=0, body=False), HTML, 5_000).chunks)

    with counting(monkeypatch):
        small, large = steps(work(200)), steps(work(1600))
    # The square would be 64.
    assert large < 10 * small, large / small


CAPTIONS = ["volume", *(f"c{number}" for number in range(40))]
SHORT = {
    "short rows of a sheet": (
        book(
            "<s><row>"
            + "".join(f'<c t="str"><v>{one}</v></c>' for one in CAPTIONS)
            + "</row>"
            + '<row><c t="str"><v>A</v></c></row>' * 60
            + "</s>"
        ),
        Layout(kind="workbook", wanted=("volume",)),
    ),
    "gaps in the rows of a sheet": (
        book('<s><row><c t="str"><v>volume</v></c></row>' + '<row><c r="AN1" t="str"><v>A</v></c></row>' * 60 + "</s>"),
        Layout(kind="workbook", wanted=("volume",)),
    ),
    "json": (
        ("[{" + ",".join(f'"{one}": 1' for one in CAPTIONS) + "}" + ',{"volume": 1}' * 60 + "]").encode(),
        JSON,
    ),
    "records": (
        ("".join(f"{one}: 1\n" for one in CAPTIONS) + "\nvolume: A\n" * 60).encode(),
        RECORDS,
    ),
    "another table of a page": (
        (
            "<table><tr><td>"
            + "<td>".join(CAPTIONS)
            + "<tr><td>A</table><table><tr><td>volume<td>d"
            + "<tr><td>A<td>B" * 60
            + "</table>"
        ).encode(),
        HTML,
    ),
    "cells with several values": (
        (",".join(CAPTIONS) + "\n" + " ".join(["A"] * 60) + ",b" * 40 + "\n").encode(),
        Layout(header=1, split=Split(1, "", " ")),
    ),
}


@pytest.mark.parametrize("name", sorted(SHORT))
def test_cells_that_are_put_into_short_rows_are_bounded(monkeypatch, name):
    content, layout = SHORT[name]
    attachment = Attachment("a", content, "", "", depth=0, body=False)
    assert sum(len(chunk.raw) for chunk in read_table(attachment, layout, 5_000).chunks) >= 60
    monkeypatch.setattr(table, "MOST_FILLED", 2000)
    found = read_table(attachment, layout, 5_000)
    chunks = list(found.chunks)
    said = [chunk.flaw.text for chunk in chunks if chunk.flaw] + [found.fault] * bool(found.fault)
    assert said == [table.Filling.flaw_text]
    assert sum(len(chunk.raw) for chunk in chunks) < 60
