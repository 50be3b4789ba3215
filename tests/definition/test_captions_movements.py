"""The last tier, where a list may say which way its volumes go, and so not where they are."""

from __future__ import annotations

import io
import zipfile

import old_excel
import pytest
from bench_tables import _ods, _xlsx

from mailsync.core.model import Attachment, Scope
from mailsync.definition.by_captions import Decided, Undecided, by_captions
from mailsync.definition.learn import Learned, learn
from mailsync.definition.mapping import Context
from mailsync.definition.movements import caption_moves, title_moves
from mailsync.tables.reader import first_lines, look_at, read_table

LIST = "Volume,Location\nA00001,OFFS\nA00002,OFFS\n"
LONG = "Volume,Location,Slot\n" + "".join(f"A{number:05},OFFS,{number}\n" for number in range(60))
CELLS = ["Volume", "Location", "A00001", "OFFS", "A00002", "OFFS"]
TABLE = "<table><tr><th>Volume</th><th>Location</th></tr><tr><td>A00001</td><td>OFFS</td></tr></table>"


def decide(content: str | bytes, *, name: str = "list.csv", subject: str = "Tapes") -> Decided | Undecided:
    data = content.encode() if isinstance(content, str) else content
    attachment = Attachment(name, data, "", "", 0, body=False)
    return by_captions(attachment, read=read_table, look=look_at, cells=5000, subject=subject)


def why_not(content: str | bytes, *, name: str = "list.csv", subject: str = "Tapes") -> str:
    decided = decide(content, name=name, subject=subject)
    assert isinstance(decided, Undecided), decided
    return decided.why.removeprefix("by its captions alone it is not clear: ")


def old_workbook(*rows: str) -> bytes:
    cells = b"".join(old_excel.label(place // 2, place % 2, place) for place in range(len(rows)))
    return old_excel.compound(old_excel.book(cells, general=old_excel.texts(*rows)))


@pytest.mark.parametrize(
    "title",
    [
        "Back from the vault:,,",
        "RETURNS,,",
        "VAULT2,,",
        "12,,",
        "-----,,",
        ",Back from the vault,",
        "RETURNS,14 tapes,",
        "To the vault,31 January,",
    ],
)
def test_one_row_that_may_be_a_title_makes_a_list_of_any_length_undecided(title):
    first = title.strip(",").split(",")[0]
    text = f'the row "{first}" may be a title, which says something of the rows below it'
    assert why_not(f"{LONG}{title}\nA00900,OFFS,1\n") == text


@pytest.mark.parametrize("row", ["A00900,,", ",,61", "CLN900L1,,", "A00900", ",---,", "TOTAL,60,"])
def test_a_row_that_says_little_is_no_title(row):
    assert isinstance(decide(f"{LONG}{row}\n"), Decided)


def test_a_word_is_a_title_though_it_looks_like_another_that_is_no_volume():
    assert why_not(f"{LONG}TOTAL,60,\nVAULT,,\n").startswith('the row "VAULT" may be a title')


def test_a_title_is_seen_behind_more_rows_than_texts_are_kept():
    rows = "".join(f"{number:08},OFFS\n" for number in range(20_100))
    assert isinstance(decide(f"Volume,Location\n{rows}"), Decided)
    assert "may be a title" in why_not(f"Volume,Location\n{rows}Returned:,\n")


@pytest.mark.parametrize(
    "caption",
    [
        *("Direction", "Action", "Movement", "Next", "Return date", "Status", "MediaStatus", "Sent by", "Requested"),
        *("Previous", "Retired", "In/Out", "moved_on", "Richtung", "Nächste", "Rückgabe", "Prochain"),
        *("Dirección", "Azione", "Bestemming", "Próximo"),
    ],
)
def test_a_caption_that_may_say_which_way_volumes_go_makes_a_list_undecided(caption):
    text = f"Volume,Location,{caption}\nA00001,OFFS,x\n"
    assert why_not(text) == f'"{caption}" may say which way each volume goes, or what became of it'


@pytest.mark.parametrize("caption", ["Pool", "Comment", "Retention", "Media type", "Capacity", "Fraction", "Label"])
def test_other_captions_are_not_read_and_stop_nothing(caption):
    assert not caption_moves(caption)
    assert isinstance(decide(f"Volume,Location,{caption}\nA00001,OFFS,x\n"), Decided)


def test_the_dates_of_moves_that_are_fields_stop_nothing():
    assert isinstance(decide("Volume,Location,Next move date\nA00001,OFFS,2031-01-31\n"), Decided)


MOVES = "speaks of moves, to the places in it or from them"


@pytest.mark.parametrize(
    ("content", "name", "subject", "why"),
    [
        (LIST, "list.csv", "Recall list for Monday", 'the subject "Recall list for Monday"'),
        (LIST, "recall_20310131.csv", "Tapes", 'the name "recall_20310131.csv"'),
        (LIST, "VaultReturns.csv", "Tapes", 'the name "VaultReturns.csv"'),
        (LIST, "lists.zip!/tapesToVault.csv", "Tapes", 'the name "lists.zip!/tapesToVault.csv"'),
        (f"Tapes sent today\n\n{LIST}", "list.csv", "Tapes", 'the title "Tapes sent today"'),
        (f"Picking list,\nMonday,\n{LIST}", "list.csv", "Tapes", 'the title "Picking list"'),
        (f"<h1>Eject these</h1><p>Today</p>{TABLE}", "list.html", "Tapes", 'the title "Eject these"'),
        (
            f"<table><tr><td><p>Out of the vault</p><p>Today</p>{TABLE}</td></tr></table>",
            "list.html",
            "Tapes",
            'the title "Out of the vault"',
        ),
        (
            f"<h1>Out of the vault</h1><table><tr><td><p>Today</p>{TABLE}</td></tr></table>",
            "list.html",
            "Tapes",
            'the title "Out of the vault"',
        ),
        (
            _xlsx([("Distribution list", ""), ("Volume", "Location"), ("A00001", "OFFS")]),
            "list.xlsx",
            "Tapes",
            'the title "Distribution list"',
        ),
    ],
)
def test_words_of_moves_beside_a_table_make_it_undecided(content, name, subject, why):
    assert why_not(content, name=name, subject=subject) == f"{why} {MOVES}"


def test_the_name_of_a_sheet_is_a_title():
    rows = [("Volume", "Location"), ("A00001", "OFFS")]
    assert isinstance(decide(_xlsx(rows)), Decided)
    assert isinstance(decide(_ods(rows)), Decided)
    sheet = zipfile.ZipFile(io.BytesIO(_ods(rows))).read("content.xml").replace(b'name="S"', b'name="From vault"')
    named = io.BytesIO()
    with zipfile.ZipFile(named, "w") as package:
        package.writestr("content.xml", sheet)
    assert why_not(named.getvalue(), name="list.ods") == f'the title "From vault" {MOVES}'


@pytest.mark.parametrize(
    "title",
    [
        "Tapes in the vault",
        "Tape status report",
        "Re: inventory",
        "Liste des bandes",
        "export-2031.csv",
        "Backup tapes",
    ],
)
def test_titles_of_lists_that_stay_where_they_are_stop_nothing(title):
    assert not title_moves(title)
    assert isinstance(decide(f"{title}\n{LIST}", name=title, subject=title), Decided)


def test_a_long_text_is_looked_at_for_its_beginning_only():
    assert title_moves("return " + "x" * 100_000)
    assert not title_moves("x " * 100_000 + "return")


def test_columns_for_the_volume_that_are_equal_in_every_row_are_one():
    decided = decide("Volume,Barcode,Location\nA00001,A00001,OFFS\nA00002,A00002,OFFS\n")
    assert isinstance(decided, Decided)
    assert decided.told == (
        'read by its captions: "Volume" as the volume, "Location" as the repository;'
        ' not read: "Barcode" (the same as "Volume")'
    )
    for row in ("A00003,A00003L6,OFFS", "A00003,,OFFS", ",A00003,OFFS"):
        text = f"Volume,Barcode,Location\nA00001,A00001,OFFS\nA00002,A00002,OFFS\n{row}\n"
        assert why_not(text) == '"Volume" and "Barcode" may each be the volume'
    assert why_not("Volume,Barcode\nA00001,A00001\n") == "no caption but the volume's is known"


def test_an_old_workbook_is_read_by_its_captions_and_learnt_as_any_other():
    content = old_workbook(*CELLS)
    decided = decide(content, name="list.xls")
    assert isinstance(decided, Decided)
    assert decided.definition.layout.kind == "workbook"
    context = Context(read_table, scope=Scope("US01", "LTO"))
    found = learn(Attachment("list.xls", content, "", "", 0, body=False), "list", context, first_lines=first_lines)
    assert isinstance(found, Learned)
    assert [volume for records in found.mapped.records for volume in records.volumes] == ["A00001", "A00002"]
    assert decide(content[:600], name="list.xls") == Undecided("")
