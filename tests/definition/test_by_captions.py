"""The last tier: what a table's captions decide, and above all what they do not."""

from __future__ import annotations

import pytest
from bench_tables import _ods, _xlsx
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import Attachment, Scope
from mailsync.definition.by_captions import Decided, Undecided, by_captions
from mailsync.definition.date_forms import date_form
from mailsync.definition.dictionary import field_of, speaks_of_places
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import look_at, read_table


def decide(content: str | bytes, content_type: str = "") -> Decided | Undecided:
    data = content.encode() if isinstance(content, str) else content
    attachment = Attachment("report", data, content_type, "", 0, body=False)
    return by_captions(attachment, read=read_table, look=look_at, cells=5000)


def records(content: str | bytes) -> dict[str, dict[str, str]]:
    decided = decide(content)
    assert isinstance(decided, Decided), decided
    data = content.encode() if isinstance(content, str) else content
    context = Context(read_table, scope=Scope("US01", "LTO"))
    mapped = map_attachment(Attachment("report", data, "", "", 0, body=False), decided.definition, context)
    assert not mapped.refused, mapped.problems
    return {
        volume: dict(zip(one.fields, values, strict=True))
        for one in mapped.records
        for volume, values in zip(one.volumes, one.values, strict=True)
    }


def test_a_table_is_read_by_captions_that_leave_nothing_to_guess():
    text = "Barcode;Standort;Ablaufdatum;Pool\nA00001L8;Tresor;31.01.2031;daily\nCLN001L1;;;\nA00002L8;LIBR;nie;daily\n"
    assert records(text) == {
        "A00001L8": {"repository": "Tresor", "expiry_date": "2031-01-31"},
        "A00002L8": {"repository": "LIBR", "expiry_date": ""},
    }
    decided = decide(text)
    assert decided.definition.name == "captions"
    assert decided.told == (
        'read by its captions: "Barcode" as the volume, "Standort" as the repository,'
        ' "Ablaufdatum" as the expiry date (%d.%m.%Y); not read: "Pool"'
    )


@pytest.mark.parametrize(
    "content",
    [
        "volume,location\nA00001,OFFS\nA00002,OFFS\n",
        '\ufeff#TYPE Selected.Tape\n"Volume","Location"\n"A00001","OFFS"\n"A00002","OFFS"\n',
        "Tapes in the vault, 31 January\n\nVolume\tLocation\nA00001\tOFFS\nA00002\tOFFS\n",
        "VOLUME_ID|Vault\nA00001|OFFS\n\nA00002|OFFS\n",
        "Volume,Location\n".encode("utf-16") + "A00001,OFFS\nA00002,OFFS\n".encode("utf-16-le"),
        (
            "<p>Tapes</p><table><tr><th>Volume</th><th>Location</th></tr>"
            "<tr><td>A00001</td><td>OFFS</td></tr><tr><td>A00002</td><td>OFFS</td></tr></table>"
        ),
        (
            "<table><tr><td>Legend</td></tr></table><table><tr><td>Volume</td><td>Location</td></tr>"
            "<tr><td>A00001</td><td>OFFS</td></tr><tr><td>A00002</td><td>OFFS</td></tr></table>"
        ),
        _xlsx([("Tapes", ""), ("Volume", "Location"), ("A00001", "OFFS"), ("A00002", "OFFS")]),
        _ods([("Volume", "Location"), ("A00001", "OFFS"), ("A00002", "OFFS")]),
    ],
    ids=["csv", "type line", "title", "bars", "utf-16", "html", "html, second table", "xlsx", "ods"],
)
def test_the_table_is_found_however_it_comes(content):
    assert records(content) == {"A00001": {"repository": "OFFS"}, "A00002": {"repository": "OFFS"}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Barcode,Volume,Location\nA00001L8,A00001,OFFS\n", '"Barcode" and "Volume" may each be the volume'),
        ("Volume,Location,Vault\nA00001,LIBR,OFFS\n", '"Location" and "Vault" may each be the repository'),
        ("Volume,Location,New Location\nA00001,LIBR,OFFS\n", '"Location" and "New Location" may each say where'),
        ("Volume,Location,Destination\nA00001,LIBR,OFFS\n", '"Location" and "Destination" may each say where'),
        ("Volume,Location,Customer\nA00001,LIBR,US01\n", '"Customer" may say whose each volume is'),
        ("Volume,Free\nA00001,12\n", "no caption but the volume's is known"),
        ("Volume,Location\nA00001,LIBR,OFFS\n", "a row has 3 columns, the captions are 2"),
        ("Volume,Location\nC:\\,LIBR\nD:\\,OFFS\n", 'column "Volume" holds what is no Volume-ID: "C:\\"'),
        ("Volume,Location\nDATA,LIBR\nROOT,OFFS\n", 'column "Volume" holds what is no Volume-ID'),
        ("Volume,Location\n", "there are no rows under them"),
        ("Volume,Location\nA00001,OFFS\nVolume,Destination\nA00002,LIBR\n", "other captions follow further down"),
        ("Volume,Location,To\nA00001,LIBR,OFFS\n", '"Location" and "To" may each say where'),
        ("Volume,Scratch\nA00001,perhaps\n", 'nothing but the volume can be read of "Scratch" ("perhaps" is not yes'),
    ],
)
def test_what_the_captions_leave_open_is_not_read_and_says_why(text, why):
    decided = decide(text)
    assert isinstance(decided, Undecided)
    assert decided.why.startswith("by its captions alone it is not clear: ")
    assert why in decided.why


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no table at all\n",
        "Tapes,list\nof June,2031\n",
        '[{"volume": "A00001"}]',
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"PK\x03\x04",
    ],
)
def test_where_no_caption_means_volumes_there_is_nothing_to_tell(content):
    assert decide(content) == Undecided("")


def test_two_tables_with_volumes_are_not_read():
    table = "<table><tr><th>Volume</th><th>Location</th></tr><tr><td>A00001</td><td>OFFS</td></tr></table>"
    assert decide(table * 2) == Undecided("it has several tables with a caption for volumes")


def test_captions_that_come_again_on_every_page_are_no_others():
    assert set(records("Volume,Location\nA00001,OFFS\nVolume,Location\nA00002,OFFS\n")) == {"A00001", "A00002"}


def test_of_more_tables_than_are_looked_at_none_is_read():
    table = "<table><tr><th>Volume</th><th>Location</th></tr><tr><td>A00001</td><td>OFFS</td></tr></table>"
    other = "<table><tr><td>Legend</td></tr></table>"
    assert isinstance(decide(table + other * 9), Decided)
    assert decide(table + other * 10) == Undecided("it has more than 10 tables")


def test_a_column_of_dates_is_left_out_where_its_form_is_not_plain():
    rows = "A00001,OFFS,01/02/2031,1\nA00002,OFFS,03/04/2031,2\n"
    assert set(records(f"Volume,Location,Move date,Slot\n{rows}")["A00001"]) == {"repository", "slot"}
    told = decide(f"Volume,Location,Move date,Slot\n{rows}").told
    assert told.endswith('not read: "Move date" (its dates may be %d/%m/%Y or %m/%d/%Y)')
    plain = records(f"Volume,Location,Move date,Slot\n{rows}A00003,OFFS,31/12/2031,\n")
    assert plain["A00001"]["move_date"] == "2031-02-01"
    never = decide("Volume,Location,Move date\nA00001,OFFS,never\n").told
    assert '"Move date" (not all of it is dates of one form)' in never


def test_the_digest_is_of_what_was_decided():
    same = {decide(f"Volume,Location\n{name},OFFS\n").definition.digest for name in ("A00001", "A00002")}
    other = decide("Volume;Location\nA00001;OFFS\n").definition.digest
    assert len(same) == 1
    assert other not in same


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2031-01-31", "2031-02-01"], "%Y-%m-%d"),
        (["31/01/2031"], "%d/%m/%Y"),
        (["01/31/31"], "%m/%d/%y"),
        (["01/02/2031", "01/31/2031"], "%m/%d/%Y"),
        (["01/01/2031"], "%d/%m/%Y"),
        (["2031/031"], "%Y/%j"),
        (["12-Jan-2031 10:11"], "%d-%b-%Y %H:%M"),
        (["1/31/2031 8:10:00 AM"], "%m/%d/%Y %I:%M:%S %p"),
        (["2031-01-31", "31.01.2031"], ""),
        (["01/02/2031"], ""),
        (["20310131", "12"], ""),
    ],
)
def test_a_form_of_dates_is_found_where_only_one_reads_them(texts, form):
    assert date_form(texts).text == form


@pytest.mark.parametrize(
    ("caption", "field"),
    [
        ("Volume_ID", "volume"),
        ("VolumeName", "volume"),
        ("Código de barras", "volume"),
        ("EXPIRATION DATE", "expiry_date"),
        ("Last Written", "write_time"),
        ("Volumes", ""),
        ("To location", ""),
        ("", ""),
    ],
)
def test_a_caption_is_known_as_a_whole_without_case_accents_and_punctuation(caption, field):
    assert field_of(caption) == field


@pytest.mark.parametrize(
    ("caption", "places"),
    [
        ("New Location", True),
        ("newLocation", True),
        ("vault_code", True),
        ("Site", True),
        ("Allocation", False),
        ("Slot", False),
    ],
)
def test_captions_about_places_are_known_by_a_word_in_them(caption, places):
    assert speaks_of_places(caption) is places


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet='Volume,Lcatin;\n"\tA0123|<table> ', max_size=200))
def test_whatever_comes_is_decided_or_not(text):
    assert isinstance(decide(f"Volume,Location\n{text}"), Decided | Undecided)


@pytest.mark.parametrize("tables", [1, 9])
def test_a_page_is_gone_through_once_for_all_its_tables(tables):
    page = "<p>x</p><table><tr><td>no</table>" * tables + "<table><tr><th>Volume<th>Vault<tr><td>A00001<td>OFFS</table>"
    asked = []

    def counted(what):
        def ask(*arguments, **options):
            asked.append(what)
            return what(*arguments, **options)

        return ask

    attachment = Attachment("report", page.encode(), "text/html", "", 0, body=False)
    decided = by_captions(attachment, read=counted(read_table), look=counted(look_at), cells=5000)
    assert isinstance(decided, Decided), decided
    # Once to find the table, once to look at all of its rows.
    assert asked == [look_at, read_table]


def test_of_thousands_of_captions_the_first_ten_are_told():
    more = [f"c{number}" for number in range(4000)]
    told = decide(",".join(["Volume", "Vault", *more]) + "\nA00001,OFFS\n").told
    assert told.endswith('; not read: "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9" and 3990 more')
    # Two captions for one field, thousands of times.
    why = decide(",".join(["Volume", *["Vault"] * 4000]) + "\nA00001\n").why
    assert why.endswith('"Vault" and "Vault" and 3990 more may each be the repository')
