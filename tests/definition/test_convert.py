"""A definition as YAML loads to the same digest and gives identical records, whatever it is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment, Scope
from mailsync.definition.convert import to_yaml
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.ttidef import load_ttidef
from mailsync.tables.reader import read_table

CALM = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EVERYTHING = """
name: everything
description: "said: {of} it"
claim: {attachment: ["*.csv", "*.txt"], content: "#!*"}
table: {delimiter: tab, quote: none, header: 2, encoding: cp437}
scope: {media: LTO}
heading: {record: "1*", rows: 3}
rows: {start: "BEGIN*", end: ["END*", "STOP"], terminate: "TOTAL*"}
skip:
  - {record: "#*"}
  - {unless: ["*A*", "1"], reason: not one of ours}
  - {field: user1, matches: "no*"}
  - {field: user1, unless: "yes*"}
required: [slot]
fields:
  volume: {column: "7", strip: false, upper: true, remove_prefix: "x:", append: L8}
  customer: {column: Customer}
  user1: {column: 0, extract: {regex: "a(.)c"}, substring: [2, 3]}
  user2: {column: {heading: 2, start: 4, length: 5}}
  slot: {join: [{column: 1}, {column: Slot, optional: true}], join_with: "-", pad: 4, pad_right: {length: 6, with: " "}}
  description: {value: "", max: 30, remove: "'", prepend: " #"}
  system: {translate_from: {field: user1, table: [["*", "S~^*"]]}}
  repository: {column: 3, translate: [["A*(B|C)", LIBR], ["", ""]], translate_from: [{field: user2, table: [[x, y]]}]}
  move_date:
    column: 4
    date: ["%d. %B %Y", "%s"]
    months: [a, b, c, d, e, f, g, h, i, j, k, l]
    never: [never, "0*"]
    adjust: [{years: 1, months: -2, days: 3}, {field: user1, matches: ["a", "b*"], days: -7}]
  write_time: {column: 5, empty: unset, unlike: user2}
translate_from: [{field: user2, by: system, table: [[a, b]]}]
by_date:
  - {move_date: {within: 7d}, repository: LIBR}
  - {write_time: {within: 30d, beyond: 1w}, repository: OFFS, field: user1, matches: "*", move_after: none}
  - {write_time: {beyond: 30d}, repository: RACK, move_after: 1y}
skip_change:
  - {current: DEST}
  - {proposed: HOLD, target: [LIBR, OFFS], reason: on hold}
duplicates: last
min_rows: 3
inventory_of: OFFS
confirms: true
overtaken: apply
"""


def load_yaml(text):
    faults = []
    definition = load_definition("x.yaml", text, faults)
    assert definition is not None, ([str(fault) for fault in faults], text)
    return definition


def test_a_definition_that_says_everything_is_the_same_after_conversion():
    definition = load_yaml(EVERYTHING)
    again = load_yaml(to_yaml(definition))
    assert again == definition
    assert again.digest == definition.digest


def test_a_definition_without_a_claim_says_so():
    assert "claim: named" in to_yaml(load_yaml("claim: named\nfields: {volume: {column: 1}}"))


def test_what_a_ttidef_may_say_at_most_yaml_may_say_too():
    source = """AddString(HEADER, 0, "1*"); SetHeaderCount(100);
    Extract(USER1, 4096, 4096, 100); Extract(VOLUME, 4096, 4096, 0);
    Extract(MOVEDATE, 0, 9, 0); SetMoveDateFormat("%F"); AddMoveDateAdjustment(USER1, "*", -1000, 12000, 366000);
    Extract(WRITETIME, 0, 9, 0); SetWriteTimeFormat("%s");
    AddRepositoryOnWriteTime(USER1, "*", "99999", "LIBR", "99999");"""
    faults = []
    original = load_ttidef("x.ttidef", source, faults, read_list={}.get)
    assert original is not None, faults
    assert load_yaml(to_yaml(original)).digest == original.digest


def test_a_kind_of_table_that_ttidef_does_not_have_is_refused():
    definition = load_yaml("claim: named\nfields: {volume: {column: 1}}")
    with pytest.raises(ValueError, match="a html table cannot"):
        to_yaml(definition._replace(layout=Layout(kind="html")))


FIELDS = ["VOLUME", "REPOSITORY", "DESCRIPTION", "SLOT", "USER1", "USER2", "SCRATCH", "CUSTOMER", "SYSTEM"]
FILTERS = ["*", "A*", "?0*", "", "*1", "[!A]*", "!(A*)", "*(A|B)*", "x'y: #", "\u00e4*", "*LIST:list.txt", "yes", "- a"]
RESULTS = ["*", "~~^~", "LIBR", "OFFS", "", "*L8", "~'\": {", "yes"]
DATES = ["%Y-%m-%d", "%%d/%%m/%%Y", "%d %b %Y", "%s"]


def statement(name, *arguments):
    return st.tuples(*arguments).map(lambda given: f"{name}({', '.join(given)});")


field = st.sampled_from(FIELDS)
number = st.integers(0, 5).map(str)


def text(choices):
    return st.sampled_from(choices).map('"{}"'.format).filter(lambda one: one.count('"') == 2)


STATEMENTS = st.one_of(
    statement("SetLiteral", field, text(RESULTS)),
    statement("Extract", field, number, st.integers(1, 9).map(str), st.just("0")),
    statement("RemoveSpaces", field),
    statement("AddTranslation", field, text(FILTERS), text(RESULTS)),
    statement("AddTranslation2", field, field, text(FILTERS), text(RESULTS)),
    statement("AddExclusionOnValue", field, text(FILTERS)),
    statement(
        "AddString", st.sampled_from(["HEADER", "EXCLUSION", "START", "END", "TERMINATE"]), number, text(FILTERS)
    ),
    statement("AddMoveDateAdjustment", field, text(FILTERS), number, number, st.just("1")),
    statement("AddRepositoryOnWriteTime", field, text(FILTERS), text(["7", "0:30"]), text(["LIBR"]), text(["0", "3"])),
    statement("AddSkipOnRepositoryChange", text(FILTERS), text(FILTERS), text(FILTERS)),
)
DATED = st.tuples(text(DATES), text(DATES)).map(
    lambda two: (
        f"Extract(MOVEDATE, 3, 20, 0); SetMoveDateFormat({two[0]});"
        f"Extract(WRITETIME, 4, 20, 0); SetWriteTimeFormat({two[1]});"
    )
)
HEADS = ['SetCSVDelimiter(",");', 'SetCSVDelimiter("\\t");', "SetHeaderCount(2);"]
EXTRACTS = " ".join(f"Extract({name}, {place}, 9, 0);" for place, name in enumerate(FIELDS[1:-2], 2))
REPORTS = st.lists(
    st.lists(
        st.sampled_from(["A00001", "B00002", "A 1", "", "yes", "2031-01-05", "05/01/2031", "LIBR", "A,B", "x'y: #"]),
        max_size=7,
    ).map(",".join),
    max_size=20,
).map("\n".join)


@given(st.sampled_from(HEADS), DATED, st.lists(STATEMENTS, max_size=14), REPORTS)
@CALM
def test_a_ttidef_and_its_yaml_give_identical_records(head, dated, statements, report):
    source = "\n".join([head, "Extract(VOLUME, 1, 8, 0);", EXTRACTS, dated, *statements, 'SetLiteral(MEDIA, "LTO");'])
    source += '\nSetLiteral(CUSTOMER, "US01"); SetLiteral(SYSTEM, "s");'
    faults = []
    original = load_ttidef("x.ttidef", source, faults, read_list={"list.txt": "A*\nB?\n"}.get)
    assert original is not None, [str(fault) for fault in faults]
    converted = load_yaml(to_yaml(original))
    assert converted.digest == original.digest
    attachment = Attachment("x", report.encode(), "", "", depth=0, body=False)
    context = Context(read_table, scope=Scope("US01", "LTO"), today=date(2031, 1, 10))
    assert map_attachment(attachment, converted, context) == map_attachment(attachment, original, context)
