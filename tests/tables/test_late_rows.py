"""Rows behind the end of a ruled table, which a blank line or a message among them has brought about, are problems."""

from __future__ import annotations

import pytest

from mailsync.core.model import Attachment, parse_scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import read_table

DEFINITION = """
name: volumes
claim: {attachment: "*"}
table: {kind: ruled, until: ["", "MSG*"]}
fields: {volume: {column: Volume}, repository: {column: State}}
"""
HEAD = "Volume      State     Since\n----------  --------  ----------\n"
ROWS = "A00002      OFFS      2031-01-10\nA00003      LIBR\n"


def read(text):
    faults = []
    definition = load_definition("volumes.yaml", DEFINITION, faults)
    assert faults == []
    attachment = Attachment("a.txt", text.encode(), "text/plain", "", 0, body=False)
    return map_attachment(attachment, definition, Context(read_table, scope=parse_scope("US01.LTO")))


@pytest.mark.parametrize("between", ["\n", "MSG0102E something is wrong\n", "\f\n", "\n\nMSG again\n"])
def test_a_row_after_the_table_ended_is_a_problem(between):
    mapped = read(HEAD + "A00001      LIBR\n" + between + ROWS)
    assert [volume for one in mapped.records for volume in one.volumes] == ["A00001"]
    assert mapped.refused == 2
    assert mapped.problems[0].text.startswith('looks like a row after the table ended: "A00002      OFFS')
    assert mapped.read == 1 + mapped.refused + sum(one.rows for one in mapped.skipped)


@pytest.mark.parametrize(
    "after",
    [
        "3 volumes were listed\n",
        "2031-01-10  the end\n",
        "TOTAL       OFFS\n",
        "server1> query something else\n",
        "A00002 is ill, and so is A00003\n",
    ],
)
def test_what_does_not_fit_the_columns_or_has_no_volume_is_outside_the_table(after):
    mapped = read(HEAD + "A00001      LIBR\n\n" + after)
    assert mapped.problems == ()
    assert [one.reason for one in mapped.skipped if one.rows == 2] == ["outside the table"]


def test_rows_under_the_next_ruler_are_read():
    mapped = read(HEAD + "A00001      LIBR\n\n" + HEAD + ROWS)
    assert mapped.problems == ()
    assert [volume for one in mapped.records for volume in one.volumes] == ["A00001", "A00002", "A00003"]
