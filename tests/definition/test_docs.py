from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailsync.core.fields import ATTRIBUTE_NAMES, SYNC_FIELDS
from mailsync.definition.load import load_definition
from mailsync.definition.model import RULE_FIELDS, WORK_FIELDS
from mailsync.definition.months import LANGUAGES
from mailsync.definition.samples import sample_differences
from mailsync.definition.ttidef import STATEMENTS
from mailsync.definition.ttidef_fields import FIELDS
from mailsync.tables.reader import read_table

PAGE = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(yaml|text|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = FENCE.findall(PAGE)
EXAMPLES = [BLOCKS[start : start + 3] for start in range(0, len(BLOCKS), 3)]


def test_every_example_is_a_definition_a_report_and_its_records():
    assert len(EXAMPLES) >= 4
    assert {tuple(kind for kind, _ in example) for example in EXAMPLES} == {("yaml", "text", "json")}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0][1].split("\n")[0])
def test_an_example_gives_the_records_the_page_says(example):
    faults = []
    definition = load_definition("example.yaml", example[0][1], faults)
    assert definition is not None, faults
    content = example[1][1].encode()
    assert sample_differences(definition, "example", content, example[2][1], read=read_table) == ()


def test_every_field_a_definition_may_name_is_on_the_page():
    one_by_one = [name for name in RULE_FIELDS if name not in (*WORK_FIELDS, *ATTRIBUTE_NAMES[1:-1])]
    assert [name for name in one_by_one if f"`{name}`" not in PAGE] == []
    assert set(SYNC_FIELDS) <= set(RULE_FIELDS)


def test_every_key_of_the_language_is_on_the_page():
    everything = """
claim: {x: 1}
table: {x: 1}
scope: {x: 1}
x: 1
fields: {volume: {column: volume, x: 1, adjust: {x: 1}}}
skip: [{x: 1}]
heading: {x: 1}
rows: {x: 1}
by_date: {x: 1}
skip_change: {x: 1}
translate_from: {x: 1}
"""
    faults = []
    load_definition("x.yaml", everything, faults)
    # A key this far from any other is answered with the list of all that are known there.
    keys = {
        key for fault in faults if fault.hint.startswith("known here: ") for key in fault.hint[12:].split(", ") if key
    }
    assert {"claim", "attachment", "delimiter", "customer", "column", "translate_from", "matches"} <= keys
    assert sorted(key for key in keys if f"`{key}`" not in PAGE and f"{key}:" not in PAGE) == []


def test_every_statement_and_field_of_a_ttidef_is_on_the_page():
    assert [name for name in STATEMENTS if name not in PAGE] == []
    assert [name for name in FIELDS if name not in PAGE and not name.startswith("USER")] == []
    assert [name for name in LANGUAGES if f"`{name}`" not in PAGE] == []
