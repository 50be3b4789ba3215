"""Rows that say what cannot be: a place that is left for itself, no place at all, a line that is no row."""

from __future__ import annotations

UNLIKE = """
fields:
  volume: {column: volume}
  repository: {column: to, unlike: user1}
  user1: {column: from}
"""
DESCRIBED = """
required: [repository]
fields:
  volume: {column: volume}
  repository: {column: to}
  repository_desc: {column: place, optional: true}
"""
ODD = """
table: {kind: lines, pattern: ["^(?P<volume>[A-Z0-9]{6}) +(?P<place>[A-Z]{4})$", "^(?P<odd>[A-Z][0-9].*)$"]}
fields:
  volume: {column: volume}
  repository: {column: place}
"""


def volumes(mapped):
    return [volume for one in mapped.records for volume in one.volumes]


def test_a_row_that_goes_where_it_comes_from_is_a_problem_in_any_case_of_letters(mapped):
    found = mapped(UNLIKE, "volume,from,to\nA00001,LIBR,OFFS\nA00002,OFFS,Offs\nA00003,,LIBR\nA00004,,\n")
    assert volumes(found) == ["A00001", "A00003", "A00004"]
    said = 'repository (column "to") and user1 (column "from") both say "Offs"'
    assert [(one.origin.line, one.text) for one in found.problems] == [(3, said)]


def test_the_field_that_is_not_to_say_the_same_must_be_there(faults_of):
    text = 'claim: {attachment: "*"}\nfields: {volume: {column: 1}, repository: {column: 2, unlike: slot}}\n'
    assert ['"slot" is not among the fields' in one for one in faults_of(text)] == [True]


def test_a_required_repository_may_be_said_by_its_description(mapped):
    found = mapped(DESCRIBED, "volume,to,place\nA00001,OFFS,\nA00002,,LIBR\nA00003,,\n")
    assert volumes(found) == ["A00001", "A00002"]
    assert [(one.origin.line, one.text) for one in found.problems] == [(4, 'repository (column "to") is empty')]


def test_a_required_repository_is_required_where_the_report_has_no_descriptions(mapped):
    found = mapped(DESCRIBED, "volume,to\nA00001,OFFS\nA00002,\n")
    assert volumes(found) == ["A00001"]
    assert [one.origin.line for one in found.problems] == [3]


def test_a_line_that_looks_like_a_row_and_is_none_is_quoted(mapped):
    long = "A1 " + "x" * 200
    found = mapped(ODD, f"A00001 LIBR\nsome words\nA0002   LIBR  or so\n{long}\n")
    assert volumes(found) == ["A00001"]
    assert [(one.origin.line, one.text) for one in found.problems] == [
        (3, 'the line is not understood: "A0002 LIBR or so"'),
        (4, f'the line is not understood: "{long[:120]}..."'),
    ]
    assert [(one.reason, one.rows) for one in found.skipped] == [("matches no pattern", 1)]


def test_what_is_required_and_empty_is_a_problem_also_where_empty_means_unset(mapped):
    definition = "fields: {volume: {column: 1}, slot: {column: 2, required: true, empty: unset}}"
    found = mapped(definition, "v,s\nA00001,7\nA00002,\n")
    assert volumes(found) == ["A00001"]
    assert [one.text for one in found.problems] == ["slot (column 2) is empty"]
