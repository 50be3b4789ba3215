"""Lines with too many delimiters: refused before they become cells."""

import tracemalloc

import pytest

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.tables.reader import read_table


def table(text, layout=Layout(delimiter=",", header=1), cells=10):  # noqa: B008 - a value that does not change
    return read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), layout, cells)


def rows(found):
    return [
        (chunk.lines[index], len(cells), dict(chunk.broken).get(index, ""))
        for chunk in found.chunks
        for index, cells in enumerate(chunk.cells)
    ]


def test_a_line_with_more_cells_than_allowed_breaks_its_row_only():
    wide = "not delimited text: a line has more cells than cells: 10"
    text = "a,b\n1,2\n" + "," * 11 + "\n3,4\n" + "," * 10 + "\n"
    assert rows(table(text)) == [(2, 2, ""), (3, 0, wide), (4, 2, ""), (5, 11, "")]


def test_a_wide_line_within_a_quoted_cell_breaks_the_row_that_begins_before_it():
    found = rows(table('a,b\n"1\n' + "," * 11 + '\n2",3\n4,5\n'))
    assert [(line, bool(fault)) for line, _, fault in found] == [(2, True), (3, True), (4, False), (5, False)]


@pytest.mark.parametrize("header", [1, 3])
def test_a_header_with_more_cells_than_allowed_is_the_fault_of_the_table(header):
    found = table("," * 11 + "\nvolume,repository\n1,2\n", Layout(header=header))
    cause = "line 1, of its header: not delimited text: a line has more cells than cells: 10"
    assert found.fault == f"not readable as text: {cause}"
    assert (found.captions, rows(found)) == ((), [])


@pytest.mark.parametrize("delimiter", [",", ""])
def test_a_million_delimiters_cost_no_more_than_their_line(delimiter):
    text = "a,b\n" + ",;" * 1_000_000 + "\n1,2\n"
    tracemalloc.start()
    try:
        found = rows(table(text, Layout(delimiter=delimiter, header=1), 5_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [line for line, _, fault in found if fault] == [2]
    assert peak < 8 * len(text)
