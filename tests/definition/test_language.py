"""What YAML can say of rows, fields and dates beyond reading a column: each key, and its place in the order."""

from __future__ import annotations

from datetime import date

import pytest

from mailsync.core.errors import ConfigurationError
from mailsync.definition.dates import compile_date, epoch_text, parse_date
from mailsync.definition.days import adjusted, age
from mailsync.definition.model import Adjustment

TODAY = date(2031, 1, 10)


def said(found):
    return {
        volume: {name: value for name, value in zip(records.fields, values, strict=True) if value is not None}
        for records in found.records
        for volume, values in zip(records.volumes, records.values, strict=True)
    }


def reasons(found):
    return {count.reason: count.rows for count in found.skipped}


def test_columns_are_joined_without_the_empty_ones(mapped):
    text = """
fields:
  volume: {column: volume}
  write_time: {join: [{column: day}, {column: time}], date: "%d/%m/%Y %H:%M"}
  slot: {join: [{column: row}, {column: bay, optional: true}, {column: shelf, optional: true}], join_with: "-"}
"""
    found = mapped(text, "volume,day,time,row,shelf\nA1,31/01/2031,10:15,7,b\nA2,01/02/2031,00:00,,c")
    assert said(found) == {
        "A1": {"write_time": "2031-01-31T10:15:00Z", "slot": "7-b"},
        "A2": {"write_time": "2031-02-01T00:00:00Z", "slot": "c"},
    }


def test_a_joined_column_that_is_missing_is_named(mapped):
    found = mapped("fields: {volume: {column: volume}, slot: {join: [{column: row}, {column: volume}]}}", "volume\nA1")
    assert ["row" in problem.text for problem in found.problems] == [True]


def test_a_volume_without_barcode_goes_by_its_media_id(mapped):
    text = """
fields:
  volume: {join: [{column: barcode, optional: true}, {column: id}], extract: {regex: "^(?:-+ )?(\\\\S+)"}}
"""
    found = mapped(text, "id,barcode\nA00001,A00001L5\nA00002,\nA00003,---\n,")
    assert [volume for records in found.records for volume in records.volumes] == ["A00001L5", "A00002", "A00003"]
    assert [problem.text for problem in found.problems] == []


def test_a_volume_may_not_be_joined_of_columns_that_may_all_be_missing(faults_of):
    join = "[{column: a, optional: true}, {column: b, optional: true}]"
    found = faults_of(f"claim: named\nfields: {{volume: {{join: {join}}}}}")
    assert [one for one in found if "always there" in one], found


def test_a_row_too_short_for_a_joined_column_is_a_problem(mapped):
    text = "table: {header: none}\nfields: {volume: {column: 1}, slot: {join: [{column: 2}, {column: 3}]}}"
    found = mapped(text, "A1,x,y\nA2,x")
    assert said(found) == {"A1": {"slot": "x y"}}
    assert [problem.text for problem in found.problems] == ["slot (column 2 and column 3): the row ends at column 2"]


def test_string_functions_go_in_the_order_of_the_file(mapped):
    text = """
table: {header: none}
fields:
  volume: {column: 1, extract: [1, 6]}
  slot: {column: 2, substring: [2, 4], pad_right: {length: 4, with: x}, prepend: s}
  system: {column: 2, prepend: s, substring: [2, 4]}
"""
    assert said(mapped(text, "A00001L8,12\nA00002,12345")) == {
        "A00001": {"slot": "s2xxx", "system": "12"},
        "A00002": {"slot": "s234x", "system": "123"},
    }


@pytest.mark.parametrize(
    ("text", "months", "form", "day"),
    [
        ("28. M\u00e4rz 2017", "de", "%d. %B %Y", (2017, 3, 28)),
        ("Dienstag, 28. M\u00c4R 2017", "de", "%A, %d. %b %Y", (2017, 3, 28)),
        ("1 Mai 2017", "de", "%e %B %Y", (2017, 5, 1)),
        ("May 1, 2017", "de", "%B %d, %Y", (2017, 5, 1)),
        ("3 ao\u00fbt 2017", "fr", "%d %b %Y", (2017, 8, 3)),
        ("3 f\u00e9vr. 2017", "fr", "%d %b. %Y", (2017, 2, 3)),
        ("03-sept-17", "es", "%d-%b-%y", (2017, 9, 3)),
        ("12 mrt 2017", "nl", "%d %h %Y", (2017, 3, 12)),
    ],
)
def test_months_are_read_in_the_language_of_the_report(mapped, text, months, form, day):
    definition = f"""
table: {{header: none, delimiter: tab}}
fields: {{volume: {{column: 1}}, move_date: {{column: 2, date: "{form}", months: {months}}}}}
"""
    assert said(mapped(definition, f"A1\t{text}")) == {"A1": {"move_date": "{:04d}-{:02d}-{:02d}".format(*day)}}


def test_months_may_be_listed(mapped):
    names = ", ".join(f"m{number}" for number in range(1, 13))
    text = f'fields: {{volume: {{column: volume}}, move_date: {{column: d, date: "%d %b %Y", months: [{names}]}}}}'
    # m1 begins m12, and the longer name is meant.
    assert said(mapped(text, "volume,d\nA1,1 M12 2031\nA2,1 m1 2031")) == {
        "A1": {"move_date": "2031-12-01"},
        "A2": {"move_date": "2031-01-01"},
    }


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%D %R", "03/28/17 16:46", (2017, 3, 28, 16, 46, 0)),
        ("%F %T", "2017-03-28 16:46:25", (2017, 3, 28, 16, 46, 25)),
        ("%b %e %Y", "Mar  5 2017", (2017, 3, 5, 0, 0, 0)),
        ("%%F", "2017-03-28", (2017, 3, 28, 0, 0, 0)),
    ],
)
def test_short_codes_stand_for_longer_ones(form, text, moment):
    assert tuple(parse_date(text, compile_date(form)))[:6] == moment


def test_the_first_second_of_1970_is_known_in_any_format():
    assert epoch_text(compile_date("%d/%m/%Y %H:%M")) == "01/01/1970 00:00"
    assert epoch_text(compile_date("%s")) == "0"
    assert epoch_text(compile_date("%Y-%m-%d %z")) == ""


@pytest.mark.parametrize(
    ("day", "years", "months", "days", "gives"),
    [
        ("2031-01-31", 0, 1, 0, "2031-02-28"),
        ("2032-02-29", 1, 0, 0, "2033-02-28"),
        ("2032-02-29", 4, 0, 0, "2036-02-29"),
        ("2031-01-31", 0, 1, 1, "2031-03-01"),
        ("2031-12-31", 0, -1, 0, "2031-11-30"),
        ("2031-01-01", 0, 0, -1, "2030-12-31"),
        ("9999-12-31", 0, 0, 0, "9999-12-31"),
        ("9999-12-31", 0, 0, 1, ""),
        ("2031-01-01", -3000, 0, 0, ""),
    ],
)
def test_a_day_that_a_month_does_not_have_becomes_its_last(day, years, months, days, gives):
    assert adjusted(day, Adjustment(years=years, months=months, days=days)) == gives


def test_a_future_day_has_no_age_but_tomorrow_is_another_zones_today():
    assert [age(date(2031, 1, day), TODAY) for day in (9, 10, 11, 12)] == [1, 0, 0, None]


ADJUSTED = """
fields:
  volume: {column: volume}
  user1: {column: pool, translate: [["Y*", YEARLY]]}
  move_date:
    column: d
    never: [never]
    adjust: [{field: user1, matches: YEARLY, years: 1}, {days: 1}, {field: user1, matches: "x*", years: 999}]
"""


def test_dates_are_adjusted_by_all_that_match_after_translations(mapped):
    found = mapped(ADJUSTED, "volume,d,pool\nA1,2032-02-29,Yes\nA2,2032-02-29,no\nA3,never,Yes\nA4,,Yes")
    assert said(found) == {
        "A1": {"move_date": "2033-03-01"},
        "A2": {"move_date": "2032-03-01"},
        "A3": {"move_date": ""},
        "A4": {},
    }


def test_a_date_beyond_the_calendar_is_a_problem_of_its_row(mapped):
    found = mapped(ADJUSTED, "volume,d,pool\nA1,9999-01-01,x")
    assert [problem.text for problem in found.problems] == [
        'move_date (column "d"): 9999-01-01 cannot be adjusted so far'
    ]


BY_DATE = """
fields:
  volume: {column: volume}
  user1: {column: pool}
  repository: {column: place, optional: true}
  move_date: {column: due, optional: true}
  write_time: {column: written, optional: true}
by_date:
  - {write_time: {within: 7d}, repository: LIBR, move_after: 7d}
  - {write_time: {beyond: 7d, within: 30d}, repository: OFFS, field: user1, matches: "f*", move_after: none}
  - {move_date: {within: 0d}, repository: RACK}
"""


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("f,x,,2031-01-10", {"repository": "LIBR", "move_date": "2031-01-17", "write_time": "2031-01-10T00:00:00Z"}),
        ("f,x,,2031-01-03", {"repository": "LIBR", "move_date": "2031-01-10", "write_time": "2031-01-03T00:00:00Z"}),
        ("f,x,2031-02-01,2031-01-02", {"repository": "OFFS", "move_date": "", "write_time": "2031-01-02T00:00:00Z"}),
        ("d,x,,2031-01-02", {"repository": "x", "write_time": "2031-01-02T00:00:00Z"}),
        ("f,x,,2030-12-10", {"repository": "x", "write_time": "2030-12-10T00:00:00Z"}),
        (
            "f,,2031-01-10,2031-01-10",
            {"repository": "RACK", "move_date": "2031-01-10", "write_time": "2031-01-10T00:00:00Z"},
        ),
        ("f,,2030-01-01,", {"repository": "RACK", "move_date": "2030-01-01"}),
        ("f,,2031-01-11,", {"move_date": "2031-01-11"}),
        ("f,x,,2031-01-12", {"repository": "x", "write_time": "2031-01-12T00:00:00Z"}),
    ],
)
def test_move_dates_decide_before_write_times_and_the_first_rule_counts(mapped, row, fields):
    found = mapped(BY_DATE, f"volume,pool,place,due,written\nA1,{row}", today=TODAY)
    assert said(found) == {"A1": fields}


def test_a_write_time_is_a_day_of_the_routes_zone(mapped):
    text = "volume,pool,written\nA1,f,2031-01-02T23:30:00Z"
    there = mapped(BY_DATE, text, today=TODAY, timezone="Europe/Berlin")
    assert said(there)["A1"]["move_date"] == "2031-01-10"


def test_rules_by_date_need_to_know_the_day(mapped):
    with pytest.raises(ConfigurationError, match="by_date needs to know what day it is"):
        mapped(BY_DATE, "volume,pool\nA1,f")


def test_translations_of_translations_do_not_grow_without_bound(mapped):
    stars = "*" * 200
    text = f"""
table: {{header: none}}
fields:
  volume: {{column: 1}}
  description: {{column: 2, translate: [["*", "{stars}"]]}}
translate_from: {{field: description, by: volume, table: [["*", "{stars}"]]}}
"""
    found = mapped(text, "A00001," + "x" * 4000)
    assert ["is longer than 256 characters" in problem.text for problem in found.problems] == [True]


def test_rows_may_be_those_that_match(mapped):
    text = """
table: {header: none}
skip: [{unless: ["A*", "B*"]}, {field: user1, unless: "LTO*", reason: not a tape}]
fields: {volume: {column: 1}, user1: {column: 2}}
"""
    found = mapped(text, "A1,LTO8\nB1,DISK\nC1,LTO8\nx")
    assert list(said(found)) == ["A1"]
    assert reasons(found) == {'record does not match "A*" or "B*"': 2, "not a tape": 1}


HEADED = """
table: {kind: fixed}
heading: {record: "LIST*", rows: 2}
rows: {start: "---*", end: "===*", terminate: "END"}
fields:
  volume: {column: [1, 6]}
  customer: {column: {heading: 2, start: 6, length: 4}}
  media: {value: LTO}
  repository: {column: {heading: 1, start: 6, length: 4}}
"""
REPORT = """\
A00000
LIST LIBR
FOR  US01
------
A00001
======
A00002
LIST OFFS
FOR  US02
------
A00003
LIST RACK
FOR  US01
A00004
END
A00005
"""


def test_a_change_of_scope_in_mid_report_comes_from_the_header(mapped):
    found = mapped(HEADED, REPORT)
    by_scope = {
        str(records.scope): dict(zip(records.volumes, records.values, strict=True)) for records in found.records
    }
    assert by_scope == {
        "US01.LTO": {"A00001": ("LIBR",), "A00004": ("RACK",)},
        "US02.LTO": {"A00003": ("OFFS",)},
    }
    assert reasons(found) == {"header": 6, "outside start and end": 5, "after the end of the list": 2}
    assert found.read == 16


def test_a_header_goes_on_in_the_next_chunk(mapped):
    lines = [f"A{number:05d}" for number in range(2400)]
    text = HEADED.replace('rows: {start: "---*", end: "===*", terminate: "END"}', "")
    # A chunk ends somewhere near line 2340: at one of these places, between the two records of the header.
    for place in range(2330, 2345):
        report = "\n".join(["LIST LIBR", "FOR  US01", *lines[:place], "LIST OFFS", "FOR  US09", *lines[place:]])
        sizes = {str(records.scope): len(records.volumes) for records in mapped(text, report).records}
        assert sizes == {"US01.LTO": place, "US09.LTO": 2400 - place}


def test_too_few_rows_refuse_the_report_whole(mapped):
    text = "min_rows: 2\nskip: [{record: x}]\nfields: {volume: {column: volume}}"
    found = mapped(text, "volume\nA1\nx\n")
    assert (found.records, found.refused, found.read) == ((), 1, 2)
    assert [problem.text for problem in found.problems] == [
        "it has 1 usable rows, fewer than the definition's min_rows: 2"
    ]
    assert len(mapped(text, "volume\nA1\nA2\n").records) == 1
    assert mapped(text, "volume\n").problems


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("heading: {rows: 2}", '"record" is missing'),
        ("heading: {record: x, rows: 0}", '"0" is not a whole number from 1'),
        ("rows: {begin: x}", 'unknown key "begin" in rows'),
        ("skip: [{field: volume, unless: x, matches: y}]", "a skip is by record"),
        ("skip: [{record: x, unless: y}]", "a skip is by record"),
        ("by_date: [{repository: LIBR}]", "a rule is by move_date or by write_time"),
        ("by_date: [{move_date: {}, repository: LIBR}]", "how far away?"),
        ("by_date: [{move_date: {within: 7d}, repository: LIBR}]", '"move_date" is not among the fields'),
        ("by_date: [{write_time: {within: 7h}, repository: LIBR}]", '"within" must be whole days'),
        ("by_date: [{write_time: {within: 7d}}]", '"repository" is missing'),
        ("by_date: [{write_time: {within: 7d}, repository: LIBRARY}]", '"LIBRARY" is not a Repository-ID'),
        ("by_date: [{write_time: {within: 7d}, repository: LIBR, field: volume}]", "field and matches go together"),
        ("by_date: [{write_time: {within: 7d}, repository: L, field: slot, matches: x}]", '"slot" is not among'),
        ("skip_change: [{}]", "a skip_change says nothing"),
        ("skip_change: [{proposed: 'a['}]", '"[" is never closed'),
        ("translate_from: [{field: slot, by: volume, table: []}]", '"slot" is not among the fields'),
        ("min_rows: -1", "is not a whole number from 0"),
        ("claim: names", '"claim" must have keys of its own'),
    ],
)
def test_what_a_definition_cannot_mean_is_a_fault(faults_of, text, fault):
    claim = "" if "claim" in text else "claim: named\n"
    found = faults_of(f"{claim}{text}\nfields: {{volume: {{column: volume}}}}")
    assert [one for one in found if fault in one], found


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("join: []", "join takes 1 to 16 columns"),
        ("join: [{optional: true}]", '"column" is missing'),
        ("join: [{column: 1}], column: 2", "join is given beside column or value"),
        ("column: 1, substring: [3, 2]", "[3, 2] is not [from, to]"),
        ("column: 1, months: xx", '"xx" is not a value of "months"'),
        ("column: 1, months: [jan]", "1 names of months"),
        ("column: 1, adjust: {days: 1}", '"slot" is not a day'),
        ("column: 1, adjust: {}", "an adjustment adds nothing"),
        ("column: 1, adjust: {days: 1, field: gone, matches: x}", '"gone" is not among the fields'),
        ("column: {heading: 1, start: 0}", "is not a whole number from 1"),
    ],
)
def test_what_a_field_cannot_mean_is_a_fault(faults_of, field, fault):
    found = faults_of(f"claim: named\nfields: {{volume: {{column: volume}}, slot: {{{field}}}}}")
    assert [one for one in found if fault in one], found


@pytest.mark.parametrize(
    "change",
    [
        "min_rows: 1",
        "heading: {record: x}",
        "rows: {start: x}",
        "skip_change: [{proposed: x}]",
        "translate_from: [{field: slot, by: volume, table: [[a, b]]}]",
        "by_date: [{write_time: {within: 1d}, repository: LIBR}]",
    ],
)
def test_another_meaning_is_another_digest(define, change):
    text = "fields: {volume: {column: volume}, slot: {column: 2}, write_time: {column: 3}}\n"
    assert define(text).digest != define(text + change).digest


def test_the_reason_of_a_skipped_change_does_not_change_the_digest(define):
    text = "fields: {volume: {column: volume}}\nskip_change: [{proposed: x%s}]"
    assert define(text % "").digest == define(text % ", reason: because").digest
