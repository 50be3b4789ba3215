from __future__ import annotations

import pytest

GOOD = """\
name: good
claim: {attachment: "*.csv"}
fields:
  volume: {column: volume}
"""


def test_three_lines_are_a_definition(define):
    definition = define('claim: {attachment: "*.csv"}\nfields: {volume: {column: volume}}')
    assert definition.name == "some"
    assert definition.layout.header == 1
    assert definition.layout.kind == "delimited"


def test_every_fault_is_told_at_once_each_with_its_place(faults_of):
    text = """\
name: bad name
claim: {attachement: "*.csv", subject: "[a"}
table: {kind: delimitd, delimiter: "::", header: many, encoding: rot13}
scope: {customer: US-1, media: TOOLONG}
skip:
  - {record: x, field: volume}
  - {field: volum, matches: "CLN*"}
  - {field: volume}
duplicates: often
inventory_of: a b
fields:
  volume: {column: volume, value: x}
  repositry: {column: 2}
  slot: {extract: {regex: "a"}, uper: true}
  move_date: {column: [1, 4], date: "%Q"}
  description: {column: x, never: [x], pad: {length: 3, with: ab}, translate: [[a]]}
  system: {value: x, translate_from: {field: user1, table: [["*", y]]}}
required: [write_time]
extra: 1
"""
    found = faults_of(text)
    for said in (
        '1:7: "bad name" is not a name',
        '2:9: unknown key "attachement" in claim (did you mean "attachment"?)',
        '2:40: "[a": "[" is never closed',
        '3:15: "delimitd" is not a value of "kind" (did you mean "delimited"?)',
        '3:36: "::" is not one character',
        '3:50: "many" is not a header',
        '3:66: "rot13" is not an encoding',
        '4:19: "US-1" is not a Customer-ID',
        '4:32: "TOOLONG" is not a Media-ID',
        "6:14: a skip is by record, or by field and matches",
        '7:13: "volum" is not among the fields (did you mean "volume"?)',
        "8:5: a skip is by record, or by field and matches",
        '9:13: "often" is not a value of "duplicates"',
        '10:15: "a b" is not a Repository-ID',
        "12:35: column and value are both given",
        '13:14: "repositry" is not a field (did you mean "repository"?)',
        "14:9: where does it come from?",
        "14:27: it has 0 groups",
        '14:33: unknown key "uper" in field "slot" (did you mean "upper"?)',
        "15:23: from and to are for fixed tables",
        '15:37: "%Q": "%Q" is not a date code',
        '16:35: "description" is not a date',
        '16:63: "ab" is not one character',
        '16:80: "translate" must list pairs',
        '17:11: "user1" is not among the fields',
        '18:11: "write_time" is not among the fields',
        '19:1: unknown key "extra" in the definition',
    ):
        assert [fault for fault in found if said in fault], said
    assert len(found) == 27


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: {volume: {column: 1}}", '"claim" is missing'),
        ("claim: {}\nfields: {volume: {column: 1}}", "claim says nothing"),
        ('claim: {attachment: "*"}', '"fields" is missing'),
        ('claim: {attachment: "*"}\nfields: {slot: {column: 1}}', "neither volume nor barcode is given"),
        (GOOD + "  barcode: {column: 2}", "both volume and barcode are given"),
        (GOOD.replace("column: volume", "value: A00001"), '"volume" must come from a column'),
        (GOOD.replace("column: volume", "column: volume, optional: true"), '"volume" must come from a column'),
        (GOOD + "table: {header: none}", '"volume" is read by caption, but the table has no header'),
        (GOOD + "table: {kind: fixed}", '"volume" is no column'),
        (GOOD.replace("column: volume", "column: 3") + "table: {kind: fixed}", "does not say which characters"),
        (GOOD.replace("column: volume", "column: [3, 2]") + "table: {kind: fixed}", "[3, 2] is not [from, to]"),
        (GOOD + "table: {kind: fixed, delimiter: x}", 'unknown key "delimiter" in table'),
        (GOOD + "table: {delimiter: x, quote: x}", "the same character"),
        (GOOD + "table: {header: 51}", "number of rows up to 50"),
        (GOOD + '  slot: {column: 1, extract: {regex: "(a)(b)"}}', "it has 2 groups"),
        (GOOD + '  slot: {column: 1, extract: {regex: "(?=a)"}}', "not a regular expression"),
        (GOOD + "  slot: {column: 1, upper: false}", '"upper" can only be true'),
        (GOOD + "  move_date: {column: 1, date: '%Y-%m'}", "a date needs a year"),
        (GOOD + "  slot: {column: 1, date: '%Y-%m-%d'}", '"slot" is not a date'),
        (GOOD + "  volume: {column: 2}", '"volume" is given twice'),
        ("- a\n- b", "expected keys and values"),
        ("a: [", "not YAML"),
    ],
)
def test_what_a_definition_cannot_mean_is_a_fault(faults_of, text, said):
    assert [fault for fault in faults_of(text) if said in fault], faults_of(text)


def test_a_tab_and_no_quotes_can_be_written(define):
    layout = define("table: {delimiter: tab, quote: none}\nfields: {volume: {column: 1}}").layout
    assert (layout.delimiter, layout.quote) == ("\t", "")


def test_planning_rules_are_read(define):
    definition = define("inventory_of: OFFS\nconfirms: true\novertaken: apply\nfields: {volume: {column: 1}}")
    assert (definition.inventory_of, definition.confirms, definition.overtaken) == ("OFFS", True, "apply")


def test_the_digest_is_of_the_meaning_not_of_how_it_is_written(define):
    one = define(GOOD + "skip: [{field: volume, matches: 'CLN*'}]")
    same = define(
        "description: another text\nname: other\n"
        "skip:\n  - {field: volume, matches: ['CLN*'], reason: cleaning tape}\n"
        "fields:\n  volume:\n    strip: true\n    column: 'volume'\n"
        "table: {kind: delimited, header: 1, quote: '\"'}\nclaim: {attachment: ['*.csv']}\nduplicates: agree"
    )
    assert one.digest == same.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    "change",
    [
        "skip: [{field: volume, matches: 'CLM*'}]",
        "duplicates: last",
        "scope: {media: LTO}",
        "  slot: {column: 2}",
        "table: {encoding: cp437}",
        "confirms: true",
    ],
)
def test_another_meaning_is_another_digest(define, change):
    assert define(GOOD).digest != define(GOOD + change).digest


@pytest.mark.parametrize(
    ("value", "said"), [("yes please", '"upper": "yes please" is not true or false'), ("false", "can only be true")]
)
def test_a_switch_that_is_not_true_is_one_fault(faults_of, value, said):
    (fault,) = faults_of(GOOD + f"  slot: {{column: 2, upper: {value}}}\n")
    assert said in fault


def test_a_move_date_counted_from_the_write_time_needs_one(faults_of):
    rule = "by_date: {move_date: {within: 7d}, repository: LIBR, move_after: 7d}\n"
    text = 'claim: {attachment: "*"}\nfields: {volume: {column: 1}, move_date: {column: 2}}\n' + rule
    assert ['"write_time" is not among the fields' in one for one in faults_of(text)] == [True]
    assert faults_of(text.replace("move_date: {column: 2}", "move_date: {column: 2}, write_time: {column: 3}")) == []
