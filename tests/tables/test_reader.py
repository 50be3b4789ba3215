from __future__ import annotations

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.tables.reader import first_lines, read_table


def table(text, layout):
    return read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), layout, 5_000)


def rows(found):
    return [(line, cells) for chunk in found.chunks for line, cells in zip(chunk.lines, chunk.cells, strict=True)]


def test_the_captions_are_the_last_row_of_the_header_and_blank_lines_do_not_count():
    found = table("\n\nReport of today\n\n Volume ;Slot\nA1;2\n", Layout(header=2, delimiter=";"))
    assert (found.captions, found.header_line) == (("Volume", "Slot"), 5)
    assert rows(found) == [(6, ["A1", "2"])]


def test_without_a_header_there_are_no_captions():
    found = table("a,b\n", Layout(header=0))
    assert (found.captions, rows(found)) == ((), [(1, ["a", "b"])])


def test_a_header_longer_than_the_text_leaves_nothing():
    found = table("a,b\n", Layout(header=2))
    assert (found.captions, rows(found)) == ((), [])
    assert rows(table("", Layout(header=1))) == []


def test_a_fixed_table_has_lines_as_rows():
    found = table("HEAD\nA00001 12\n\nA00002\n", Layout(kind="fixed", header=1))
    assert rows(found) == [(2, "A00001 12"), (3, ""), (4, "A00002")]


def test_a_broken_row_behind_the_header_is_still_told():
    found = table('a,b\nc,d\n"x"y\n', Layout(delimiter=",", header=1))
    assert [chunk.broken[0][0] for chunk in found.chunks] == [1]


def test_the_first_lines_are_at_most_fifty():
    text = "\r\n".join(str(number) for number in range(100))
    assert first_lines(Attachment("a", text.encode("utf-16"), "", "", depth=0, body=True), "") == tuple(
        str(number) for number in range(50)
    )
