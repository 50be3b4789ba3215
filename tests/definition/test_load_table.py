from __future__ import annotations

import pytest

from mailsync.core.layout import Layout
from mailsync.definition.expression import Expression, compile_expression
from mailsync.definition.filters import FilterFault

HEAD = 'name: x\nclaim: {attachment: "*"}\n'
FIELDS = "fields: {volume: {column: volume}}\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("{kind: ruld}", '3:15: "ruld" is not a value of "kind" (did you mean "ruled"?)'),
        ("{kind: ruled, delimiter: x}", 'unknown key "delimiter" in table'),
        ("{kind: json, prefix: x}", 'unknown key "prefix" in table'),
        ("{kind: html, encodng: x}", 'did you mean "encoding"?'),
        ("{kind: workbook, encoding: x}", 'unknown key "encoding" in table'),
        ("{kind: boxed, prefix: '('}", "not a regular expression"),
        ("{kind: boxed, sections: 'TO (.*)'}", "does not name what it finds"),
        ("{kind: boxed, sections: 'TO'}", "does not name what it finds"),
        ("{kind: boxed, sections: '(?P<To>x)'}", '"To" is not a name for a group'),
        ("{kind: boxed, sections: '(?P<subject>x)'}", '"subject" is a source already'),
        ("{kind: fixed, printed_twice: {title: x, where: y}}", "the table has no sections"),
        ("{kind: boxed, sections: '(?P<to>x)', printed_twice: {title: x}}", '"where" is missing'),
        ("{kind: boxed, sections: '(?P<to>x)', printed_twice: {title: x, where: '('}}", "not a regular expression"),
        ("{kind: boxed, sections: '(?P<to>x)', printed_twice: {titel: x, where: y}}", 'unknown key "titel"'),
        ("{kind: workbook, empty: x}", 'unknown key "empty" in table'),
        ("{totals: {line: 'Total'}}", "it has 0 groups (put the number in one ( ), others in (?: ))"),
        ("{totals: {lin: 'Total'}}", 'unknown key "lin" in totals'),
        ("{totals: {line: '(.)', counts: page}}", '"page" is not a value of "counts"'),
        ("{kind: lines}", '"pattern" is missing'),
        ("{kind: lines, pattern: '(?P<tag>x)'}", 'no pattern has a group "volume"'),
        ("{kind: records, separator: ' '}", "a separator is not blank"),
        ("{kind: records, begins: x, lines: 2}", "begins and lines are both given"),
        ("{kind: records, others: skip}", 'unknown key "others" in table'),
        ("{split: {column: volume, at: ''}}", '"at" is empty'),
        ("{split: {at: ','}}", '"column" is missing'),
        ("{kind: html, number: x}", '"number": "x" is not a whole number'),
    ],
)
def test_what_is_off_in_a_table_is_told_with_its_place(faults_of, table, said):
    found = faults_of(f"{HEAD}table: {table}\n{FIELDS}")
    assert any(said in fault for fault in found), found
    assert all(fault.startswith("some.yaml:") for fault in found)


@pytest.mark.parametrize("kind", ["fixed", "ruled"])
def test_a_source_must_be_one(faults_of, kind):
    column = "[1, 6]" if kind == "fixed" else "v"
    table = f"table: {{kind: {kind}, sections: '(?P<place>x)'}}\n"
    fields = f"fields: {{volume: {{column: {column}}}, slot: {{source: plaec}}, user1: {{source: title}}}}\n"
    first, second = faults_of(HEAD + table + fields)
    assert '"plaec" is no source (did you mean "place"?)' in first
    assert '"title" is no source' in second


def test_source_and_column_are_one_too_many(faults_of):
    (fault,) = faults_of(HEAD + "fields: {volume: {column: v}, slot: {column: s, source: subject}}\n")
    assert "source and column are both given" in fault


def test_the_captions_the_fields_read_are_what_tables_are_chosen_by(define):
    layout = define(
        "table: {kind: ruled, wrapped: State}\nfields: {volume: {column: Vol}, slot: {column: S, optional: true}, "
        "user1: {join: [{column: A}, {column: Vol}]}}"
    ).layout
    assert (layout.wanted, layout.welcome) == (("Vol", "A", "State"), ("S",))


def test_the_digest_of_a_definition_from_before_there_were_more_kinds_stays(define):
    old = define("name: n\ntable: {delimiter: ',', header: 1}\nfields: {volume: {column: volume}}\n")
    assert old.layout == Layout(delimiter=",", header=1)
    # What releases wrote into journals; a new default must not change it.
    assert old.digest == "0c1fc3ee40249e70c2d9fd385a0981eba85cd58fac42d0f6c5bac88e13eb8c17"


@pytest.mark.parametrize("kind", ["prefix: x", "page_header: 1", "carriage_control: true", "split: {column: a}"])
def test_the_digest_covers_what_is_done_to_lines(define, kind):
    fields = "fields: {volume: {column: volume}}\n"
    assert define(fields).digest != define(f"table: {{{kind}}}\n{fields}").digest


def test_an_expression_is_found_in_every_text_that_has_it_alone():
    texts = ["", "TO A", "x", "TO B TO C", "TO", "TO\nD", "\xe9 TO E", "$TO F"]
    for pattern in (
        r"TO (?P<a>\w)",
        r"^TO (?P<a>\w)$",
        r"TO[^x]*(?P<a>\w)",
        r"(?i)to (?P<a>\w)",
        r"\ATO(?P<a>.)",
        "(?P<a>)",
    ):
        one = compile_expression(pattern)
        alone = {place: found for place, text in enumerate(texts) if (found := one.find(text)) is not None}
        assert one.found_among(texts) == alone


def test_expressions_are_equal_by_their_text():
    assert compile_expression("(a)") == compile_expression("(a)") != compile_expression("(b)")
    assert len({compile_expression("(a)"), compile_expression("(a)")}) == 1


@pytest.mark.parametrize("pattern", ["(?=a)", "(", "a" * 1001, "(?P<A>x)", "(((((a{1,100}){1,100}){1,100})))"])
def test_what_is_no_expression_says_why(pattern):
    assert isinstance(compile_expression(pattern), FilterFault)


def test_a_beginning_is_only_at_the_beginning():
    one = compile_expression(r"\d+: ")
    assert isinstance(one, Expression)
    assert [one.beginning(text) for text in ("12: x", "x 12: ", "")] == [4, 0, 0]
