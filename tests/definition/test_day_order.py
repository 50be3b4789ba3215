"""Which number of a date is its day: decided by the whole report, by the route, or by nobody and then not read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import Attachment, Scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, RowLimits, map_attachment
from mailsync.definition.trace import trace_row
from mailsync.tables.reader import read_table

BOTH = """
claim: {attachment: "*"}
fields:
  volume: {column: volume}
  expiry_date: {column: expires, date: ["%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d"], never: [NEVER]}
  write_time: {column: written, optional: true, date: ["%m/%d/%Y %H:%M", "%d/%m/%Y %I:%M %p", "%d/%m/%Y %H:%M"]}
"""
LEFT_OUT = (
    'expiry_date (column "expires"): left out of every row: "03/04/2031" may be %m/%d/%Y or %d/%m/%Y, '
    "and no date of the report tells"
)


def report(*dates: str) -> str:
    return "volume,expires\n" + "".join(f"A{number:05d},{one}\n" for number, one in enumerate(dates))


def expiries(mapped) -> list[str | None]:
    place = mapped.records[0].fields.index("expiry_date") if mapped.records else 0
    return [values[place] for records in mapped.records for values in records.values]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["03/04/2031", "03/14/2031"], ["2031-03-04", "2031-03-14"]),
        (["03/04/2031", "14/03/2031"], ["2031-04-03", "2031-03-14"]),
        (["14/03/2031", "NEVER", "2031-02-01", ""], ["2031-03-14", "", "2031-02-01", None]),
        (["05/05/2031", "12/12/2031"], ["2031-05-05", "2031-12-12"]),
        (["03/04/2031", "05/05/2031", "NEVER", "2031-02-01"], [None, None, None, None]),
    ],
)
def test_the_dates_of_a_report_tell_which_number_is_the_day(mapped, dates, expected):
    found = mapped(BOTH, report(*dates))
    assert expiries(found) == expected
    assert [note.text for note in found.notes] == ([LEFT_OUT] if expected[0] is None else [])
    assert found.refused == 0


@pytest.mark.parametrize(("day_first", "expected"), [(True, "2031-04-03"), (False, "2031-03-04")])
def test_the_route_settles_what_a_report_does_not_tell(mapped, day_first, expected):
    found = mapped(BOTH, report("03/04/2031"), day_first=day_first)
    assert (expiries(found), found.notes) == ([expected], ())


def test_a_date_against_the_routes_word_is_a_problem_that_says_so(mapped):
    found = mapped(BOTH, report("03/04/2031", "03/14/2031"), day_first=True)
    assert expiries(found) == ["2031-04-03"]
    (problem,) = found.problems
    assert problem.text == 'expiry_date (column "expires"): "03/14/2031" is not a date of the form %d/%m/%Y or %Y-%m-%d'
    assert problem.hint.endswith("the route says day_first: true")


def test_one_field_settles_the_other(mapped):
    text = "volume,expires,written\nA00001,03/04/2031,14/03/2031 10:00\nA00002,05/06/2031,01/02/2031 10:00\n"
    found = mapped(BOTH, text)
    assert found.records[0].values == [("2031-03-14T10:00:00Z", "2031-04-03"), ("2031-02-01T10:00:00Z", "2031-06-05")]


def test_a_field_that_reads_the_same_in_every_order_stays_where_another_is_left_out(mapped):
    found = mapped(BOTH, "volume,expires,written\nA00001,05/05/2031,01/02/2031 10:00\n")
    assert found.records[0].values == [(None, "2031-05-05")]
    (note,) = found.notes
    assert note.text.startswith('write_time (column "written"): left out')


def test_fields_that_are_left_out_are_told_in_one_note(mapped):
    found = mapped(BOTH, "volume,expires,written\nA00001,03/04/2031,01/02/2031 10:00\n")
    (note,) = found.notes
    assert note.text.startswith(
        'expiry_date (column "expires") and write_time (column "written"): left out of every row'
    )
    assert "day_first" in note.hint


def test_a_field_that_is_only_looked_at_tells_too(mapped):
    definition = BOTH + '  user1: {column: made, date: ["%m/%d/%y", "%d/%m/%y"]}\n'
    text = "volume,expires,made\nA00001,03/04/2031,{}\n"
    assert expiries(mapped(definition, text.format("31/01/30"))) == ["2031-04-03"]
    unsure = mapped(definition, text.format("01/02/30"))
    assert (expiries(unsure), [note.text for note in unsure.notes]) == ([None], [LEFT_OUT])
    assert expiries(mapped(definition, text.format("whenever"))) == [None]


def test_dates_that_contradict_each_other_are_read_as_most_of_them_are(mapped):
    found = mapped(BOTH, report("03/04/2031", "13/04/2031", "04/13/2031", "04/14/2031"))
    assert expiries(found) == ["2031-03-04", "2031-04-13", "2031-04-14"]
    assert [problem.origin.line for problem in found.problems] == [3]


def test_dates_of_which_as_many_are_in_each_order_are_not_read(mapped):
    found = mapped(BOTH, report("03/04/2031", "13/04/2031", "04/13/2031"))
    assert expiries(found) == [None, None, None]
    assert found.notes[0].text.endswith("its dates have day and month in no one order")


def test_what_is_no_date_in_any_order_tells_nothing_and_stays_a_problem(mapped):
    found = mapped(BOTH, report("03/04/2031", "soon"))
    assert (expiries(found), found.refused, found.problems[0].origin.line) == ([None], 1, 3)


def test_a_required_date_that_nobody_can_read_makes_its_row_a_problem(mapped):
    found = mapped(BOTH + "required: [expiry_date]\n", report("03/04/2031"))
    assert (found.records, found.refused) == ((), 1)
    assert found.problems[0].hint == "set day_first in the route"


def test_lines_that_are_no_rows_do_not_tell(mapped):
    definition = BOTH + 'skip: [{record: "*printed*", reason: heading}]\n'
    text = "volume,expires\nprinted,31/01/2031\nA00001,03/04/2031\nTOTAL,31/01/2031\n"
    assert expiries(mapped(definition + 'rows: {terminate: "TOTAL*"}\n', text)) == [None]


def test_the_order_is_decided_of_texts_as_translations_leave_them(mapped):
    definition = """
fields:
  volume: {column: volume}
  user1: {column: kind}
  expiry_date:
    column: expires
    date: ["%m/%d/%Y", "%d/%m/%Y"]
    translate_from: {field: user1, table: [["old", ""]]}
"""
    text = "volume,kind,expires\nA00001,old,31/01/2031\nA00002,new,03/04/2031\n"
    assert expiries(mapped(definition, text)) == [None, None]
    assert expiries(mapped(definition, text.replace("old", "new"))) == ["2031-01-31", "2031-04-03"]


def test_a_year_of_two_digits_in_front_is_an_order_too(mapped):
    definition = 'fields: {volume: {column: 1}, expiry_date: {column: 2, date: ["%m/%d/%y", "%d/%m/%y", "%y/%m/%d"]}}'
    assert expiries(mapped(definition, report("31/02/08", "31/03/09"))) == ["2031-02-08", "2031-03-09"]
    assert expiries(mapped(definition, report("26/11/23"))) == [None]
    assert expiries(mapped(definition, report("26/11/23"), day_first=True)) == ["2023-11-26"]
    assert mapped(definition, report("26/11/23"), day_first=False).refused == 1


def test_formats_that_cannot_be_taken_for_each_other_are_tried_one_by_one(mapped):
    definition = """fields: {volume: {column: 1}, expiry_date: {column: 2,
      date: ["%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%Y/%m/%d"]}}"""
    dates = ("03/04/2031", "03.04.2031", "13-04-2031", "4 Mar 2031", "2031/03/04")
    assert expiries(mapped(definition, report(*dates))) == [
        *("2031-03-04", "2031-04-03", "2031-04-13", "2031-03-04", "2031-03-04")
    ]


def test_a_report_beyond_the_limit_of_rows_is_not_read_to_its_end_for_its_dates(mapped):
    seen = []

    def read(*given):
        table = read_table(*given)
        return table._replace(chunks=(seen.append(len(chunk.raw)) or chunk for chunk in table.chunks))

    definition = load_definition("some.yaml", BOTH, [])
    text = report(*["03/04/2031"] * 20_000)
    context = Context(read, scope=Scope("US01", "LTO"), limits=RowLimits(rows=10))
    found = map_attachment(Attachment("a.csv", text.encode(), "", "", 0, body=False), definition, context)
    assert found.records == ()
    assert sum(seen) < 5_000


def test_a_row_is_explained_in_the_order_of_its_report(attach, define):
    context = Context(read_table, scope=Scope("US01", "LTO"))
    trace = trace_row(attach(report("03/04/2031", "14/03/2031")), define(BOTH), context, 1)
    assert trace is not None
    assert {one.field: one.value for one in trace.fields}["expiry_date"] == '"2031-04-03"'


def test_a_digest_does_not_change_with_the_report(mapped):
    digests = {mapped(BOTH, report(one)).digest for one in ("03/04/2031", "14/03/2031", "")}
    assert len(digests) == 1


@settings(deadline=None, max_examples=60)
@given(
    days=st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    form=st.sampled_from(["%m/%d/%Y", "%d/%m/%Y"]),
)
def test_no_date_is_ever_read_as_another(days, form):
    definition = load_definition("some.yaml", BOTH, [])
    dates = [date(2030, 1, 1) + timedelta(days=day) for day in days]
    content = report(*(day.strftime(form) for day in dates)).encode()
    context = Context(read_table, scope=Scope("US01", "LTO"))
    found = map_attachment(Attachment("a.csv", content, "", "", 0, body=False), definition, context)
    told = any(day.day > 12 for day in dates) or all(day.day == day.month for day in dates)
    assert expiries(found) == [day.isoformat() if told else None for day in dates]
