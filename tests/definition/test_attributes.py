"""`push -A`: the description of a definition sent to an attribute, with every rule that names it."""

from __future__ import annotations

import pytest

from mailsync.definition.attributes import with_attribute
from mailsync.definition.load import load_definition

TEXT = """\
claim: {attachment: "*.csv"}
fields:
  volume: {column: volume}
  user1: {column: kind, unlike: description}
  description: {column: text, upper: true, translate_from: {field: user1, table: [["a", "b"]]}}
  expiry_date: {column: until, adjust: [{field: description, matches: "X*", years: 1}]}
skip: [{field: description, matches: "CLEAN*", reason: cleaning}]
"""


def definition(text=TEXT):
    faults = []
    loaded = load_definition("d.yaml", text, faults)
    assert loaded is not None, faults
    return loaded


def test_the_description_is_renamed_wherever_it_is_named():
    made = with_attribute(definition(), 7)
    named = repr(made)
    assert "'description'" not in named
    assert named.count("'attribute_7'") == repr(definition()).count("'description'") > 3
    assert made.digest != definition().digest


def test_attribute_0_is_the_description():
    assert with_attribute(definition(), 0) == definition()


@pytest.mark.parametrize("text", [TEXT.replace("  user1", "  attribute_7: {column: x}\n  user1"), "none"])
def test_without_a_description_or_with_the_attribute_there_is_nothing_to_send(text):
    if text == "none":
        text = "claim: {attachment: x}\nfields: {volume: {column: volume}, slot: {column: slot}}\n"
    assert with_attribute(definition(text), 7) is None
