from __future__ import annotations

import pytest

from mailsync.core.errors import ConfigurationError
from mailsync.core.model import Scope
from mailsync.definition.mapping import RowLimits

PLAIN = """
fields:
  volume: {column: volume}
  repository: {column: repository}
"""
HEAD = "volume,repository\n"


def rows_of(mapped, scope="US01.LTO"):
    return {
        volume: dict(zip(records.fields, values, strict=True))
        for records in mapped.records
        if str(records.scope) == scope
        for volume, values in zip(records.volumes, records.values, strict=True)
    }


def texts(problems):
    return [f"{one.origin.line}: {one.text}" for one in problems]


def test_a_repository_goes_by_its_name_in_any_case_else_by_what_the_report_says(mapped):
    found = rows_of(mapped(PLAIN, HEAD + "A00001,Library\nA00002,OFFSITE\nA00003,RACK\nA00004,Salt mine\n"))
    assert [row["repository"] for row in found.values()] == ["LIBR", "OFFS", "RACK", "Salt mine"]


def test_the_exact_name_of_a_repository_wins_over_another_case(mapped):
    found = rows_of(mapped(PLAIN, HEAD + "A00001,vault\n", repositories={"VAULT": "BIG", "vault": "LITT"}))
    assert found["A00001"]["repository"] == "LITT"


def test_a_repository_by_its_description_counts_where_the_row_says_none(mapped):
    definition = """
fields:
  volume: {column: 1}
  repository: {column: 2}
  repository_desc: {column: 3}
table: {header: none}
"""
    found = mapped(definition, "A00001,,Offsite\nA00002,RACK,Offsite\nA00003,,\n")
    assert found.records[0].fields == ("repository",)
    assert [row["repository"] for row in rows_of(found).values()] == ["OFFS", "RACK", None]


def test_an_empty_cell_says_nothing_unless_the_field_is_unset_by_it(mapped):
    definition = """
fields:
  volume: {column: 1}
  description: {column: 2}
  slot: {column: 3, empty: unset}
table: {header: none, delimiter: ","}
"""
    assert rows_of(mapped(definition, "A00001,,\n")) == {"A00001": {"description": None, "slot": ""}}


def test_fields_are_in_the_order_everybody_uses_whatever_the_file_says(mapped):
    definition = """
fields:
  scratch: {value: "TRUE"}
  move_date: {column: 2}
  volume: {column: 1}
  description: {value: x}
table: {header: none}
"""
    found = mapped(definition, "A00001,2031-01-01\n")
    assert found.records[0].fields == ("description", "move_date", "scratch")
    assert found.records[0].values == [("x", "2031-01-01", "yes")]


@pytest.mark.parametrize(("text", "flag"), [("YES", "yes"), ("t", None), ("0", "no"), ("False", "no"), ("y", "yes")])
def test_a_flag_is_yes_or_no_or_a_problem(mapped, text, flag):
    found = mapped("fields: {volume: {column: 1}, encrypted: {column: 2}}\ntable: {header: none}", f"A00001,{text}\n")
    if flag:
        assert rows_of(found) == {"A00001": {"encrypted": flag}}
    else:
        assert texts(found.problems) == ['1: encrypted (column 2): "t" is not yes or no']


def test_string_functions_go_in_the_order_of_the_file(mapped):
    first = "fields: {volume: {column: 1, append: L5, max: 8}}\ntable: {header: none}"
    second = "fields: {volume: {column: 1, max: 8, append: L5}}\ntable: {header: none}"
    assert list(rows_of(mapped(first, "A0000012\n"))) == ["A0000012"]
    assert list(rows_of(mapped(second, "A0000012\n"))) == ["A0000012L5"]


def test_every_string_function_does_what_its_name_says(mapped):
    definition = """
table: {header: none, delimiter: ","}
fields:
  volume: {column: 1, remove_spaces: true, upper: true, remove: "-", remove_suffix: L5, prepend: X, append: Z}
  slot: {column: 2, remove_prefix: "slot ", pad: {length: 4, with: " "}}
  system: {column: 3, lower: true, extract: {start: 2, length: 3}}
  description: {column: 4, extract: {regex: "^pool=([a-z]+)"}}
  container: {column: 5, pad: 3}
"""
    found = rows_of(mapped(definition, "a 1-23 l5,slot 7,xABCy,pool=daily x,\n"))
    assert found == {
        "XA123Z": {"description": "daily", "container": None, "slot": "   7", "system": "abc"},
    }


def test_an_empty_cell_stays_empty_through_the_string_functions(mapped):
    definition = "fields: {volume: {column: 1, prepend: A, append: L5, pad: 8}}\ntable: {header: none, delimiter: ','}"
    found = mapped(definition, ",x\n")
    assert found.records == ()
    assert texts(found.problems) == ["1: volume (column 1) is empty"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("~~~~~~^^", "A00001"),
        ("*L6", "A00001L5L6"),
        ("B~~~~~L6", "B00001L6"),
        ("^^~~~~", "0001"),
        ("~~~~~~~~~~", "A00001L5"),
    ],
)
def test_a_translation_keeps_drops_and_replaces_characters(mapped, result, expected):
    definition = (
        f'fields: {{volume: {{column: 1, translate: [["??????L5", "{result}"], ["*", X]]}}}}\ntable: {{header: none}}'
    )
    assert list(rows_of(mapped(definition, "A00001L5\n"))) == [expected]


def test_the_first_translation_that_matches_is_the_only_one(mapped):
    definition = """
table: {header: none}
fields: {volume: {column: 1}, slot: {column: 2, translate: [["", none], [a, b], [b, c]]}}
"""
    found = rows_of(mapped(definition, "A1,a\nA2,b\nA3,\nA4,d\n"))
    assert [row["slot"] for row in found.values()] == ["b", "c", "none", "d"]


def test_translations_by_another_field_come_after_all_others_and_see_each_other(mapped):
    definition = """
table: {header: none, delimiter: ","}
fields:
  volume: {column: 1}
  user1: {column: 2, translate: [["in", here]], translate_from: {field: slot, table: [["9*", gone]]}}
  slot: {column: 3}
  repository: {value: RACK, translate_from: {field: user1, table: [[here, LIBR], [gone, "~~^^OF"], ["z*", "*"]]}}
"""
    found = rows_of(mapped(definition, "A1,in,1\nA2,in,9\nA3,out,1\nA4,z,1\n"))
    assert [row["repository"] for row in found.values()] == ["LIBR", "RAOF", "RACK", "RACK"]


def test_an_exclusion_sees_the_translated_value_and_wins_over_any_problem(mapped):
    definition = """
table: {header: none}
skip:
  - {field: user1, matches: ["CLEAN*", gone], reason: cleaning}
  - {field: user1, matches: "CLEANING", reason: later}
fields:
  move_date: {column: 3}
  volume: {column: 1}
  user1: {column: 2, translate: [[c, CLEANING]]}
"""
    found = mapped(definition, "no volume,c,no date\nA00002,x,no date\n")
    assert [(count.reason, count.rows) for count in found.skipped] == [("cleaning", 1)]
    assert texts(found.problems) == ['2: move_date (column 3): "no date" is not a date of the form %Y-%m-%d']


def test_a_record_exclusion_sees_the_raw_line_before_anything_else(mapped):
    definition = 'skip: [{record: ["*#*", "Total*"]}]\ntable: {header: none}\nfields: {volume: {column: 1}}'
    found = mapped(definition, "A00001\n# note\nTotal 1\n\nB#\n")
    assert found.read == 5
    assert [(count.reason, count.rows) for count in found.skipped] == [
        ("blank", 1),
        ('record matches "*#*" or "Total*"', 3),
    ]
    assert found.records[0].lines.tolist() == [1]


def test_a_blank_row_is_blank_whatever_the_definition_makes_of_nothing(mapped):
    definition = """
table: {header: none, delimiter: ","}
skip: [{field: slot, matches: ""}]
fields: {volume: {column: 1, translate: [["", A00009]]}, slot: {column: 2}}
"""
    found = mapped(definition, "A1,1\n\n , \nA2,\n")
    assert list(rows_of(found)) == ["A1"]
    assert [(count.reason, count.rows) for count in found.skipped] == [("blank", 2), ('slot matches ""', 1)]


def test_the_default_skip_reason_names_the_field_and_the_filter(mapped):
    found = mapped('skip: [{field: volume, matches: "CLN*"}]\n' + PLAIN, HEAD + "CLN001,x\n")
    assert [count.reason for count in found.skipped] == ['volume matches "CLN*"']


def test_a_missing_caption_is_told_once_with_what_there_is_and_refuses_every_row(mapped):
    found = mapped(PLAIN, "Volume,Repositry\nA00001,LIBR\n\nA00002,LIBR\n")
    assert (found.read, found.refused, found.records) == (3, 2, ())
    assert [(one.text, one.hint) for one in found.problems] == [
        ('caption "repository" was not found; captions are "Volume", "Repositry"', 'did you mean "Repositry"?')
    ]
    assert (str(found.problems[0].origin), found.unlisted) == ("tapes.csv:1", 0)


@pytest.mark.parametrize(
    ("captions", "text", "hint"),
    [
        (
            "Barcode,Shelf",
            'captions "volume" and "repository" were not found; captions are "Barcode", "Shelf"',
            "the report's layout has changed, or it is another report",
        ),
        (
            "Volumes,Shelf",
            'captions "volume" and "repository" were not found; captions are "Volumes", "Shelf"',
            'did you mean "Volumes" for "volume"?',
        ),
        (
            "Volume,VOLUME,Repositry",
            (
                'caption "volume" is there more than once: columns 1 and 2; '
                'caption "repository" was not found; captions are "Volume", "VOLUME", "Repositry"'
            ),
            'use the column\'s number; did you mean "Repositry"?',
        ),
    ],
)
def test_whatever_is_wrong_with_the_captions_is_one_problem_on_their_line(mapped, captions, text, hint):
    found = mapped(PLAIN, f"\n{captions}\nA1,x\nA2,x\n")
    assert found.problems == ((("<1@example.com>", "tapes.csv", "", 0, 2), text, hint),)
    assert (found.read, found.refused) == (2, 2)


@pytest.mark.parametrize(("delimiter", "name"), [(";", ";"), ("\t", "tab"), ("|", "|")])
def test_a_line_cut_by_another_delimiter_than_the_definitions_is_recognised(mapped, delimiter, name):
    line = delimiter.join(["volume", '"Repository"'])
    content = f"{line}\n" + f"A1{delimiter}LIBR\n" * 7
    (problem,) = mapped("table: {delimiter: ','}" + PLAIN, content).problems
    assert str(problem) == f'tapes.csv:1: the line looks cut by "{name}", the definition says ","'
    assert problem.hint == f'set delimiter: "{name}" in the definition, or leave it out'
    assert mapped(PLAIN, content).problems == ()


def test_a_delimiter_that_was_found_out_is_not_blamed(mapped):
    (problem,) = mapped(PLAIN, 'x,y,"z;volume"\nA1,LIBR,1\nA2,LIBR,1\n').problems
    assert problem.text.startswith('captions "volume" and "repository" were not found')


def test_another_delimiter_is_not_blamed_when_it_finds_no_caption(mapped):
    (problem,) = mapped("table: {delimiter: ','}" + PLAIN, "x;y\nA1;LIBR\n").problems
    assert problem.text.startswith('captions "volume" and "repository" were not found')


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_attachment_without_anything_in_it_is_said_to_be_empty(mapped, content):
    found = mapped(PLAIN, content)
    assert [str(problem) for problem in found.problems] == ["tapes.csv: the attachment is empty"]
    found = mapped("table: {header: 3}" + PLAIN, f"{content}one\ntwo\n")
    assert [problem.text for problem in found.problems] == ["it ends before its captions, row 3"]


def test_captions_without_rows_are_noted(mapped):
    found = mapped(PLAIN, HEAD)
    assert (found.read, found.problems) == (0, ())
    assert [str(note) for note in found.notes] == ["tapes.csv: there are no rows in it"]
    assert mapped(PLAIN, HEAD + "A1,x\n").notes == ()
    assert mapped(PLAIN, HEAD + "A1,x\nA2,x\n", limits=RowLimits(rows=1)).notes == ()


def test_a_caption_that_is_there_twice_is_no_caption(mapped):
    found = mapped(PLAIN, "volume,repository,Repository,REPOSITORY\nA00001,LIBR,x,y\n")
    assert rows_of(found) == {"A00001": {"repository": "LIBR"}}
    found = mapped(PLAIN, "volume,Repository,REPOSITORY\nA00001,LIBR,x\n")
    assert found.problems[0].text == 'caption "repository" is there more than once: columns 2 and 3'


def test_an_optional_field_without_its_caption_or_cell_is_silent(mapped):
    definition = PLAIN + "  description: {column: description, optional: true}\n"
    assert mapped(definition, HEAD + "A00001,LIBR\n").records[0].fields == ("repository",)
    assert rows_of(mapped(definition, "volume,repository,description\nA00001,LIBR\n")) == {
        "A00001": {"description": None, "repository": "LIBR"}
    }


def test_a_row_too_short_is_a_problem_and_one_too_long_is_not(mapped):
    found = mapped(PLAIN, HEAD + "A00001\nA00002,LIBR,more,and more\n")
    assert texts(found.problems) == ['2: repository (column "repository"): the row ends at column 1']
    assert found.problems[0].hint == "optional: true for the field, if the column may be missing"
    assert list(rows_of(found)) == ["A00002"]


def test_the_whole_record_is_column_0(mapped):
    definition = "table: {header: none, delimiter: ','}\nfields: {volume: {column: 1}, description: {column: 0}}"
    assert rows_of(mapped(definition, 'A1,"x, y"\n')) == {"A1": {"description": 'A1,"x, y"'}}


def test_a_required_field_must_say_something(mapped):
    found = mapped("required: [repository]" + PLAIN, HEAD + "A00001,\n")
    assert texts(found.problems) == ['2: repository (column "repository") is empty']


@pytest.mark.parametrize(
    ("volume", "hint"),
    [
        ("a00001", "add upper: true"),
        ("-00001", "a Volume-ID is"),
        ("A", "a Volume-ID is"),
        ("A0000000001", "a Volume-ID is"),
    ],
)
def test_a_wrong_volume_is_a_problem_with_a_hint(mapped, volume, hint):
    found = mapped(PLAIN, HEAD + f"{volume},LIBR\n")
    assert found.records == ()
    assert found.problems[0].hint.startswith(hint)


def test_texts_are_bounded_and_without_control_characters_but_line_ends_are_blanks(mapped):
    definition = "table: {delimiter: ','}\nfields: {volume: {column: volume}, slot: {column: slot}}"
    found = mapped(definition, 'volume,slot\nA1,"a\r\nb\tc"\nA2,a\x00b\nA3,12345678901\nA4,"x\x1b[2J"\n')
    assert rows_of(found) == {"A1": {"slot": "a b c"}}
    assert texts(found.problems) == [
        '4: slot (column "slot"): "a.b" has a control character',
        '5: slot (column "slot"): "12345678901" is longer than 10 characters',
        '6: slot (column "slot"): "x.[2J" has a control character',
    ]


def test_a_quoted_cell_over_several_lines_does_not_shift_the_lines_that_are_cited(mapped):
    found = mapped(PLAIN, HEAD + 'A00001,"a\nb"\nbad volume,x\nA00003,LIBR\n')
    assert [problem.origin.line for problem in found.problems] == [4]
    assert found.problems[0].origin.row == 2
    assert found.records[0].lines.tolist() == [2, 5]


def test_a_quote_that_is_never_closed_costs_one_row(mapped):
    found = mapped(PLAIN, HEAD + 'A00001,LIBR\n"A00002,LIBR\n' + "".join(f"B{row:05},LIBR\n" for row in range(200)))
    assert (found.read, found.refused, len(found.records[0].volumes)) == (202, 1, 201)
    assert texts(found.problems) == ["3: its quote is not closed within 64 lines"]


def test_dates_can_be_never_and_in_one_of_several_forms(mapped):
    definition = """
table: {header: none}
fields:
  volume: {column: 1}
  expiry_date: {column: 2, date: ["%m/%d/%y", "%d.%m.%Y"], never: [INFINITY, "00/00/*"]}
"""
    found = rows_of(mapped(definition, "A1,12/31/31\nA2,31.12.2031\nA3,Infinity\nA4,00/00/00\n"))
    assert [row["expiry_date"] for row in found.values()] == ["2031-12-31", "2031-12-31", "", ""]


def test_a_write_time_is_in_the_routes_time_zone(mapped):
    definition = "table: {header: none}\nfields: {volume: {column: 1}, write_time: {column: 2}}"
    content = "A1,2031-07-01 12:00\nA2,2031-07-01T12:00:00Z\nA3,2031-12-01\n"
    found = rows_of(mapped(definition, content, timezone="Europe/Berlin"))
    assert [row["write_time"] for row in found.values()] == [
        "2031-07-01T10:00:00Z",
        "2031-07-01T12:00:00Z",
        "2031-11-30T23:00:00Z",
    ]
    with pytest.raises(ConfigurationError):
        mapped(definition, content, timezone="Nowhere/Else")
    assert mapped(PLAIN, HEAD, timezone="Nowhere/Else").read == 0


def test_the_scope_is_the_definitions_before_the_routes(mapped):
    found = mapped("scope: {customer: US02, media: '3592'}" + PLAIN, HEAD + "A00001,LIBR\n")
    assert [records.scope for records in found.records] == [Scope("US02", "3592")]
    found = mapped("scope: {media: '3592'}" + PLAIN, HEAD + "A00001,LIBR\n")
    assert [records.scope for records in found.records] == [Scope("US01", "3592")]


def test_a_report_may_change_its_scope_from_row_to_row(mapped):
    definition = "fields: {volume: {column: v}, customer: {column: c}, media: {column: m}, slot: {column: s}}"
    found = mapped(definition, "v,c,m,s\nA1,US02,,1\nA1,,,2\nA1,US02,3592,3\nA1,US-3,,4\n")
    assert [(str(one.scope), list(one.volumes), list(one.values)) for one in found.records] == [
        ("US01.LTO", ["A1"], [("2",)]),
        ("US02.3592", ["A1"], [("3",)]),
        ("US02.LTO", ["A1"], [("1",)]),
    ]
    assert texts(found.problems) == ['5: customer (column "c"): "US-3" is not a Customer-ID']


def test_without_any_scope_every_row_is_refused_and_the_reason_given_once(mapped):
    found = mapped(PLAIN, HEAD + "A1,x\nA2,x\n", scope=None)
    assert (found.read, found.refused, len(found.problems)) == (2, 2, 1)
    assert "scope" in found.problems[0].hint


@pytest.mark.parametrize(
    ("policy", "kept", "refused", "skipped"),
    [
        ("agree", {"A1": "x"}, 3, {"repeats an earlier row": 1}),
        ("first", {"A1": "x", "A2": "x"}, 0, {"repeats an earlier row": 2, "a duplicate: the first counts": 1}),
        ("last", {"A1": "x", "A2": "y"}, 0, {"repeats an earlier row": 1, "a duplicate: the last counts": 2}),
        ("error", {}, 5, {}),
    ],
)
def test_a_volume_counts_once_as_the_definition_says(mapped, policy, kept, refused, skipped):
    found = mapped(f"duplicates: {policy}{PLAIN}", HEAD + "A1,x\nA2,x\nA1,x\nA2,x\nA2,y\n")
    assert {volume: row["repository"] for volume, row in rows_of(found).items()} == kept
    assert found.refused == refused
    assert {count.reason: count.rows for count in found.skipped} == skipped


def test_contradicting_rows_each_cite_the_other_line(mapped):
    found = mapped(PLAIN, HEAD + "A1,x\nA2,x\nA1,y\n")
    assert texts(found.problems) == [
        '2: volume US01.LTO.A1 is listed in line 4 too: repository "x" here, "y" there',
        '4: volume US01.LTO.A1 is listed in line 2 too: repository "y" here, "x" there',
    ]
    found = mapped("duplicates: last" + PLAIN, HEAD + "A1,x\nA2,x\nA1,y\n")
    assert texts(found.notes) == ['2: volume US01.LTO.A1 is listed in line 4 too: repository "x" here, "y" there']


def test_the_same_volume_a_hundred_thousand_times_takes_no_longer_than_as_many_volumes(mapped):
    found = mapped(PLAIN, HEAD + "A1,x\n" * 50_000 + "A1,y\n" * 50_000)
    assert (found.read, found.refused, len(found.problems)) == (100_000, 100_000, 1000)


def test_more_rows_than_the_limit_refuse_the_attachment_whole(mapped):
    limits = RowLimits(rows=3)
    assert mapped(PLAIN, HEAD + "A1,x\nA2,x\nA3,x\n", limits=limits).refused == 0
    found = mapped(PLAIN, HEAD + "A1,x\nA2,x\nA3,x\nA4,x\n", limits=limits)
    assert found.records == ()
    assert [problem.text for problem in found.problems] == ["more than 3 rows"]


def test_a_cell_longer_than_the_limit_is_a_problem_of_its_row_if_it_is_used(mapped):
    limits = RowLimits(cell=20)
    found = mapped(PLAIN, HEAD + f"A1,{'x' * 21},\nA2,x,{'y' * 100}\nA3,{'x' * 200_000},\n", limits=limits)
    assert list(rows_of(found)) == ["A2"]
    assert texts(found.problems)[0] == (
        '2: repository (column "repository"): a cell of 21 characters is longer than 20'
    )
    assert found.refused == 2


def test_listed_problems_are_bounded_and_counted_without_a_bound(mapped):
    found = mapped(PLAIN, HEAD + "bad,x\n" * 50, limits=RowLimits(problems=7))
    assert (len(found.problems), found.refused, found.unlisted) == (7, 50, 43)


def test_a_guessed_charset_is_noted(mapped):
    found = mapped(PLAIN, (HEAD + "A1,Köln\n").encode("cp437"))
    assert rows_of(found) == {"A1": {"repository": "Köln"}}
    assert [one.text for one in found.notes] == ["it is not UTF-8 and names no charset: read as cp437"]
    assert mapped(PLAIN, (HEAD + "A1,Köln\n").encode()).notes == ()


def test_text_that_is_damaged_is_a_problem_of_the_attachment(mapped):
    found = mapped(PLAIN, b"\xff\xfe" + HEAD.encode("utf-16-le") + b"A")
    assert (found.read, found.records) == (0, ())
    assert found.problems[0].text == "not readable as text: it begins as UTF-16-LE and does not go on as that"


def test_every_record_cites_its_mail_attachment_row_and_line(mapped):
    found = mapped(PLAIN, HEAD + "\nA1,x\n")
    assert found.records[0].origin(0) == ("<1@example.com>", "tapes.csv", "", 2, 3)
    assert (found.attachment, found.kind, found.definition) == ("tapes.csv", "delimited", "some")


def test_many_rows_in_many_blocks_are_all_there_in_order(mapped):
    rows = [f"V{row:06},{'Library' if row % 3 else 'Offsite'}" for row in range(30_000)]
    found = mapped(PLAIN, HEAD + "\n".join(rows))
    records = found.records[0]
    assert list(records.volumes) == [row.partition(",")[0] for row in rows]
    assert list(records.lines) == list(range(2, 30_002))
    assert list(records.rows) == list(range(1, 30_001))
    assert [values for (values,) in records.values] == ["LIBR" if row % 3 else "OFFS" for row in range(30_000)]
    assert len({id(values) for values in records.values}) <= 4
