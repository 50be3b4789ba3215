"""TapeTrack's notation: every statement, as documented and as found in the wild, and what is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import Attachment, Scope
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.places import placed_by_field
from mailsync.definition.statements import read_statements
from mailsync.definition.ttidef import STATEMENTS, load_ttidef
from mailsync.tables.reader import read_table

LISTS = {"tapes.txt": "CLN*\n\n  TEST*  \n", "empty.txt": "\n", "nested.txt": "*LIST:tapes.txt\n"}
SCOPE = 'SetLiteral(CUSTOMER, "US01"); SetLiteral(MEDIA, "LTO");\n'
CSV = 'SetCSVDelimiter(",");\n' + SCOPE
VOLUME = CSV + "Extract(VOLUME, 1, 10, 0);\n"


def load(text, notices=None, file="customer ACME.ttidef"):
    faults = []
    definition = load_ttidef(file, text, faults, read_list=LISTS.get, notices=notices)
    assert definition is not None, [str(fault) for fault in faults]
    return definition


def faults_of(text):
    faults = []
    assert load_ttidef("x.ttidef", text, faults, read_list=LISTS.get) is None
    return [str(fault) for fault in faults]


def mapped(text, report, **context):
    given = {"scope": Scope("US01", "LTO")} | context
    return map_attachment(
        Attachment("x", report.encode(), "", "", depth=0, body=False), load(text), Context(read_table, **given)
    )


def rows(found):
    return {
        volume: {name: value for name, value in zip(records.fields, values, strict=True) if value is not None}
        for records in found.records
        for volume, values in zip(records.volumes, records.values, strict=True)
    }


def test_a_definition_of_a_delimited_report_gives_its_records():
    text = """\
# as in the manual, with the spellings of the wild
SetFile("Inventory.csv");
setCSVDelimiter(",");
AddString(EXCLUSION, 0, "volume*"); ADDEXCLUSIONONVALUE(VOLUME, "CLN*");
SetLiteral(CUSTOMER, "US01");SetLiteral( media ,"LTO" ) ;
setLiteral(SCRATCH, \u201cTRUE\u201d);   # typographic quotes
Extract(VOLUME, 1, 25, 0);
RemoveSpaces(VOLUME);
Extract(REPOSITORY,
        3, 20, 0);
AddTranslation(REPOSITORY, "Library", "LIBR");
AddTranslation(REPOSITORY, "*", "OFFS");
Extract(DESCRIPTION, 2, 6, 0);
Extract(MOVEDATE, 4, 20, 0);
SetMoveDateFormat("%%Y-%m-%%d");
AddMoveDateAdjustment(DESCRIPTION, "*YEAR*"; 1, 0, 0);
"""
    report = """\
volume,description,location,moved
00 00L6,weekly_full,Library,2021-07-21
0001L6,YEARLY_full,Offsite,2020-02-29
CLN0001,,,
0005L6,yearly,Library,1970-01-01
"""
    notices = []
    load(text, notices)
    found = mapped(text, report)
    assert rows(found) == {
        "0000L6": {"description": "weekly", "repository": "LIBR", "move_date": "2021-07-21", "scratch": "yes"},
        "0001L6": {"description": "YEARLY", "repository": "OFFS", "move_date": "2021-02-28", "scratch": "yes"},
        "0005L6": {"description": "yearly", "repository": "LIBR", "move_date": "", "scratch": "yes"},
    }
    assert {count.reason: count.rows for count in found.skipped} == {
        'record matches "volume*"': 1,
        'volume matches "CLN*"': 1,
    }
    assert ["SetFile" in str(notice) for notice in notices] == [True]


def test_a_definition_of_a_text_report_reads_headers_that_come_back():
    text = f"""\
{SCOPE}AddString(HEADER, 0, "1*");
SetHeaderCount(3);
AddString(EXCLUSION, 2, "---*");
AddString(TERMINATE, 0, "TOTAL*");
Extract(VOLUME, 2, 6, 0);
Extract(DESCRIPTION, 10, 100, 0);
Extract(REPOSITORY, 4, 4, 2);
AddTranslation2(REPOSITORY, DESCRIPTION, "scratch*", "LIBR");
"""
    report = """\
1MOVES  page 1
 TO OFFS
 VOLUME   WHAT
  ------  ----
  A00001  payroll
1MOVES  page 2
 TO RACK
 VOLUME   WHAT
  A00002  books
  A00003  scratch
TOTAL 3
  A00004  after the end
"""
    found = mapped(text, report)
    assert rows(found) == {
        "A00001": {"description": "payroll", "repository": "OFFS"},
        "A00002": {"description": "books", "repository": "RACK"},
        "A00003": {"description": "scratch", "repository": "LIBR"},
    }
    assert {count.reason: count.rows for count in found.skipped} == {
        "header": 6,
        'record matches "??---*"': 1,
        "after the end of the list": 2,
    }


def test_records_count_between_start_and_end_and_again_from_the_next_start():
    text = VOLUME + 'AddString(START, 0, "BEGIN*"); AddString(END, 0, "END*");'
    found = mapped(text, "A00001\nBEGIN 1\nA00002\nEND\nA00003\nBEGIN 2\nBEGIN again\nA00004\n")
    assert set(rows(found)) == {"A00002", "A00004"}
    assert [(count.reason, count.rows) for count in found.skipped] == [("outside start and end", 6)]


def test_an_extraction_wins_over_a_literal_and_the_last_one_over_the_others():
    text = VOLUME + (
        'Extract(SLOT, 2, 9, 0); SetLiteral(SLOT, "lit"); Extract(SLOT, 3, 9, 0);'
        'SetLiteral(SYSTEM, "one"); SetLiteral(SYSTEM, "two");'
    )
    assert rows(mapped(text, "A00001,x,y")) == {"A00001": {"slot": "y", "system": "two"}}


def test_element_zero_is_the_whole_record_and_the_length_cuts():
    assert rows(mapped(VOLUME + "Extract(DESCRIPTION, 0, 8, 0);", "A00001,abc")) == {
        "A00001": {"description": "A00001,a"}
    }


def test_the_documented_translations_do_what_the_manual_says():
    text = CSV + (
        "Extract(VOLUME, 1, 20, 0); Extract(USER1, 2, 9, 0);"
        'AddTranslation(VOLUME, "0*", "*L3"); AddTranslation(VOLUME, "A12345678", "^^^~~~~~~L4");'
        'AddTranslation(VOLUME, "B*", "~~~~~~"); AddTranslation(VOLUME, "*L3", "never");'
        'AddTranslation2(VOLUME, USER1, "HCART3", "*X"); AddTranslation2(VOLUME, USER1, "H*", "*Y");'
    )
    found = mapped(text, "000001,\nA12345678,\nB123456789,\nC00001,HCART3\nC00002,HCART2")
    assert list(rows(found)) == ["000001L3", "345678L4", "B12345", "C00001X", "C00002Y"]


def test_a_field_is_translated_once_by_other_fields_whichever_they_are():
    text = VOLUME + (
        "Extract(USER1, 2, 9, 0); Extract(USER2, 3, 9, 0); Extract(SLOT, 4, 9, 0);"
        'AddTranslation2(SLOT, USER1, "a", "1"); AddTranslation2(SLOT, USER2, "b", "2");'
        'AddTranslation2(USER2, SLOT, "1", "b"); AddTranslation2(SYSTEM, USER2, "b", "S");'
    )
    assert rows(mapped(text, "A1,a,b,0\nA2,x,b,0\nA3,a,x,0")) == {
        "A1": {"slot": "1", "system": "S"},
        "A2": {"slot": "2", "system": "S"},
        "A3": {"slot": "1", "system": "S"},
    }


@pytest.mark.parametrize(
    ("written", "repository", "move_date"),
    [
        ("2031-01-10", "LIBR", "2031-01-11"),
        ("2031-01-09", "LIBR", "2031-01-10"),
        ("2031-01-08", "OFFS", ""),
        ("2031-01-03", "OFFS", ""),
        ("2031-01-02", None, None),
        ("2031-01-20", None, None),
        ("1970-01-01", None, None),
    ],
)
def test_a_repository_is_given_by_the_age_of_what_was_written(written, repository, move_date):
    from datetime import date

    text = VOLUME + (
        'Extract(WRITEDATE, 2, 20, 0); SetWriteDateFormat("%%Y-%%m-%%d"); Extract(DESCRIPTION, 3, 9, 0);'
        'AddRepositoryOnWriteTime(DESCRIPTION, "*full*", "0:1", "LIBR", "0:1");'
        'AddRepositoryOnWriteTime(DESCRIPTION, "*full*", "7", "OFFS", "0");'
    )
    found = rows(mapped(text, f"A00001,{written},full\nA00002,{written},none", today=date(2031, 1, 10)))
    assert (found["A00001"].get("repository"), found["A00001"].get("move_date")) == (repository, move_date)
    assert "repository" not in found["A00002"]


def test_filters_come_from_a_list_beside_the_definition():
    text = VOLUME + 'AddExclusionOnValue(VOLUME, "*LIST:tapes.txt");'
    assert list(rows(mapped(text, "A00001\nCLN001\nTEST01"))) == ["A00001"]


def test_what_begins_with_no_digit_is_excluded_as_in_the_manual():
    text = VOLUME + 'AddString(EXCLUSION, 0, "!([0-9]*");'
    assert list(rows(mapped(text, "Volume\n000001\n# text"))) == ["000001"]


def test_a_change_of_repository_may_be_skipped():
    definition = load(VOLUME + 'AddSkipOnRepositoryChange("HOLD", "LIBR", "*(OFFS|LEGL|DEST)");')
    (skip,) = definition.change_skips
    assert [one.matches("DEST") for one in skip.current] == [True]
    assert skip.reason == 'change to "HOLD", target "LIBR", current "*(OFFS|LEGL|DEST)"'


def test_the_scope_may_be_a_constant_or_come_from_the_record():
    constant = load(VOLUME)
    assert (constant.customer, constant.media) == ("US01", "LTO")
    text = 'SetCSVDelimiter(";"); Extract(CUSTOMER, 1, 4, 0); SetLiteral(MEDIA, "LTO"); Extract(VOLUME, 2, 9, 0);'
    found = mapped(text, "US01;A00001\nUS02;A00001", scope=None)
    assert [str(records.scope) for records in found.records] == ["US01.LTO", "US02.LTO"]


def test_a_definition_is_named_after_its_file_and_claims_nothing_of_its_own():
    definition = load(VOLUME)
    assert definition.name == "customer-ACME"
    assert not any(definition.claim)


def test_a_header_count_without_a_header_is_a_notice():
    notices = []
    load(VOLUME + "SetHeaderCount(2);", notices)
    assert ["SetHeaderCount has no effect" in str(notice) for notice in notices] == [True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("AddRepositoryOnMoveDate(VOLUME);", "does not publish its arguments (in YAML: by_date:"),
        ('SetVariable("x", "y");', "SetVariable: variables are not supported"),
        ('Include("other.ttidef");', "Include: includes are not supported"),
        ('#include "other.ttidef"', "includes are not supported"),
        ('Include "other.ttidef"', "includes are not supported"),
        ("// a comment elsewhere", '"/" does not begin a statement (Name(argument, ...); or # comment)'),
        ("/* a comment elsewhere */", '"/" does not begin a statement'),
        ("AddSection(X);", "AddSection: sections are not supported"),
        ("[LIBRARY]", "sections are not supported"),
        ("Extract($V, 1, 2, 0);", "variables are not supported"),
        ('SetODBCDSN("x");', "SetODBCDSN: ODBC statements are not supported"),
        ('SetSQL("select");', "let a job export the query as CSV"),
        ('SetLitteral(SLOT, "x");', 'unknown statement "SetLitteral" (did you mean "SetLiteral"?)'),
        ("Extract(VOLUMES, 1, 6, 0);", '"VOLUMES" is not a field (did you mean "VOLUME"?)'),
        ("Extract(STAGE, 1, 6, 0);", "STAGE is not kept by mailsync"),
        ("Extract(SLOT, 1, 6);", "Extract has 3 arguments, not 4 (a field, a whole number, a whole number"),
        ("Extract(SLOT, 1, 0, 0);", "length 1 to 4096"),
        ("Extract(SLOT, -1, 1, 0);", "offset 0 to 4096"),
        ('Extract(SLOT, "1", 1, 0);', '"1" is not a whole number'),
        ("Extract(SLOT, 99999999999, 1, 0);", "is not a whole number"),
        ("SetLiteral(SLOT, x);", '"x" is not a string (write "x")'),
        (f'SetLiteral(SLOT, "{"x" * 257}");', "a string is at most 256 characters"),
        ('AddString(HEADING, 0, "1*");', '"HEADING" is no kind of string (HEADER, EXCLUSION, START, END'),
        ('AddString(HEADER, -1, "1*");', "offset -1 is not from 0"),
        ('AddString(HEADER, 200, "' + "x" * 100 + '");', "a filter is at most 256 characters"),
        ('AddExclusionOnValue(SLOT, "a[");', '"[" is never closed'),
        ('AddExclusionOnValue(SLOT, "*!(a)");', "a * beside !(...)"),
        ('AddExclusionOnValue(SLOT, "a");', "nothing sets slot, which AddExclusionOnValue looks at"),
        ('AddExclusionOnValue(VOLUME, "*LIST:gone.txt");', "there is no such file beside the definition"),
        ('AddExclusionOnValue(VOLUME, "*LIST:empty.txt");', "it has 0 filters"),
        ('AddExclusionOnValue(VOLUME, "*LIST:nested.txt");', "*LIST:file is for"),
        ('AddTranslation2(SLOT, USER1, "a", "b");', "nothing sets user1, which AddTranslation2 looks at"),
        ("Extract(MOVEDATE, 2, 9, 0);", "a move_date needs SetMoveDateFormat"),
        ("Extract(WRITETIME, 2, 9, 0);", "a write_time needs SetWriteTimeFormat"),
        ('SetMoveDateFormat("H:M:S d/m/Y");', "a date needs a year"),
        ('AddMoveDateAdjustment(VOLUME, "*", 1, 0, 0);', "nothing sets move_date"),
        ('AddMoveDateAdjustment(VOLUME, "*", 0, 0, 0);', "it adds nothing"),
        ('AddMoveDateAdjustment(VOLUME, "*", 2000, 0, 0);', "2000 years are more than 1000"),
        ('AddRepositoryOnWriteTime(VOLUME, "*", "0:0:1", "OFFS", "0");', '"0:0:1" is not a number of days (write days'),
        ('AddRepositoryOnWriteTime(VOLUME, "*", "3:1", "OFFS", "0");', "which do not agree beyond that"),
        ('AddRepositoryOnWriteTime(VOLUME, "*", "7", "OFFS", "0:1:1");', '"0:1:1" is not a number of days'),
        ('AddRepositoryOnWriteTime(VOLUME, "*", "7", "OFFSITE", "0");', '"OFFSITE" is not a Repository-ID'),
        ('AddRepositoryOnWriteTime(VOLUME, "*", "7", "OFFS", "0");', "nothing sets write_time"),
        ('SetCSVDelimiter("::");', '"::" is not one character'),
        ("SetHeaderCount(0);", "a header has 1 to 100 records"),
        ('SetLiteral(CUSTOMER, "US-01");', '"US-01" is not a Customer-ID'),
        ('SetLiteral(SLOT, "x"', "does not end with );"),
        ('SetLiteral(SLOT, "x")', "does not end with );"),
        ('SetLiteral SLOT "x";', '"SetLiteral" is no statement'),
        ('SetLiteral(SLOT, "x);', "a string is not closed on its line"),
        ("=;", '"=" does not begin a statement'),
    ],
)
def test_what_is_not_known_or_makes_no_sense_is_refused_by_name_with_its_line(text, said):
    found = faults_of(VOLUME + text)
    assert [fault for fault in found if fault.startswith("x.ttidef:") and said in fault], found


def test_a_fault_stands_at_its_statement_and_does_not_hide_the_next():
    found = faults_of(VOLUME + "Foo(1);\n  Bar(2);\nExtract(SLOT, 1, x, 0);")
    assert [fault.partition(": ")[0] for fault in found] == ["x.ttidef:4:1", "x.ttidef:5:3", "x.ttidef:6:18"]


@pytest.mark.parametrize(
    "text", ['Include "other.ttidef"', 'SetLiteral(SLOT, "x")', "SetLiteral(SLOT,", "RemoveSpaces"]
)
def test_a_statement_without_its_semicolon_does_not_hide_the_one_on_the_next_line(text):
    found = faults_of(f"{VOLUME}{text}\nFoo(1);\nBar(\n  2);\n")
    assert sorted(fault.partition(": ")[0] for fault in found) == ["x.ttidef:4:1", "x.ttidef:5:1", "x.ttidef:6:1"]


def test_without_a_volume_there_is_no_definition():
    assert "no Extract says which volume" in faults_of(CSV)[0]
    header = 'AddString(HEADER, 0, "1*"); Extract(VOLUME, 1, 6, 1);'
    assert "no Extract says which volume" in faults_of(SCOPE + header)[0]


def test_a_record_of_the_header_that_is_not_there_is_a_fault():
    text = SCOPE + 'Extract(VOLUME, 0, 6, 0); AddString(HEADER, 0, "1*"); Extract(SLOT, 1, 2, 2);'
    assert "there is no record 2 in a header" in faults_of(text)[0]


def test_every_statement_is_placed_by_the_field_it_is_about():
    text = VOLUME + 'RemoveSpaces(VOLUME);\nSetMoveDateFormat("%Y%m%d");'
    placed = placed_by_field("x.ttidef", text)
    assert [(one.line, one.text) for one in placed["volume"]] == [
        (3, "Extract(VOLUME, 1, 10, 0)"),
        (4, "RemoveSpaces(VOLUME)"),
    ]
    assert [one.text for one in placed["move_date"]] == ['SetMoveDateFormat("%Y%m%d")']


@given(st.lists(st.sampled_from([*STATEMENTS, "(", ")", ",", ";", '"', "#", "\n", "VOLUME", "7", '"*"', "$", "-"])))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_definition_or_faults_with_places(words):
    faults = []
    definition = load_ttidef("x.ttidef", " ".join(words), faults, read_list=LISTS.get)
    assert (definition is None) == bool(faults)
    assert all(fault.line for fault in faults)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_characters_are_statements_or_faults(text):
    faults = []
    statements = read_statements("x.ttidef", text, faults)
    assert all(fault.line >= 1 and fault.column >= 1 for fault in faults)
    assert all(statement.name for statement in statements)
