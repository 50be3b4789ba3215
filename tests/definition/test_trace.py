"""What `definitions explain` tells of a row is what mapping does with it."""

from __future__ import annotations

from mailsync.core.model import Scope
from mailsync.definition.mapping import Context
from mailsync.definition.trace import trace_row
from mailsync.tables.reader import read_table


def test_a_field_is_translated_once_by_other_fields_as_in_mapping(attach, define, mapped):
    text = """
fields:
  volume: {column: 1}
  user1: {column: 2}
  description: {value: o, translate_from: [{field: user1, table: [[a, first]]}, {field: volume, table: [["*", last]]}]}
"""
    content = "v,x\nA00001,a\nA00002,b\n"
    definition, context = define(text), Context(read_table, scope=Scope("US01", "LTO"))
    told = []
    for row in (1, 2):
        traced = trace_row(attach(content), definition, context, row)
        told.append({one.field: one for one in traced.fields}["description"])
    assert [one.value for one in told] == ['"first"', '"last"']
    assert [one.steps[-1] for one in told] == [("translate from user1", "first"), ("translate from volume", "last")]
    assert mapped(text, content).records[0].values == [("first",), ("last",)]
