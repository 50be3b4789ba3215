"""Old workbooks, read by ourselves: what cells say, and what becomes of files that were made to do harm."""

from __future__ import annotations

import random
from struct import pack

import pytest
from old_excel import END, begin, book, compound, entry, label, number, record, text, texts

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.mail.kinds import Fate, judge_content
from mailsync.tables import biff, sheet, workbook, xls
from mailsync.tables import compound as compound_file
from mailsync.tables.reader import read_table

NAMES = {
    "Workbook": Fate.READ,
    "Book": Fate.READ,
    "WordDocument": Fate.REFUSE,
    "__properties_version1.0": Fate.REFUSE,
    "EncryptedPackage": Fate.REFUSE,
    "PowerPoint Document": Fate.REFUSE,
}
PLAIN, DAY, MOMENT, DAYS = 0, 1, 2, 3
STYLES = (
    record(0x41E, pack("<HH", 164, 10) + text("dd.mm.yyyy"))
    + record(0x41E, pack("<HH", 165, 8) + text('0" days"'))
    + b"".join(record(0xE0, pack("<HH", 0, form).ljust(20, b"\x00")) for form in (0, 164, 22, 165))
)


def read(content, **more):
    return read_table(Attachment("a.xls", content, "", "", depth=0, body=False), Layout(kind="workbook", **more), 50)


def rows(table):
    return [
        (line, list(cells) if cells else dict(chunk.broken).get(index, ""))
        for chunk in table.chunks
        for index, (line, cells) in enumerate(zip(chunk.lines, chunk.cells, strict=True))
    ]


def flaws(table):
    return [chunk.flaw.text for chunk in table.chunks if chunk.flaw]


def formula(result, *behind):
    return record(0x06, pack("<HHH", 0, 0, 0) + result + b"\x00" * 8) + b"".join(behind)


def short(value):
    return record(0x27E, pack("<HHHI", 0, 0, 0, value))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (number(0, 0, 12.0), "12"),
        (number(0, 0, 1.5), "1.5"),
        (number(0, 0, 47878, DAY), "2031-01-30"),
        (number(0, 0, 47878.5, MOMENT), "2031-01-30 12:00:00"),
        (number(0, 0, 0.25, MOMENT), "06:00:00"),
        (number(0, 0, 47878, DAYS), "47878"),
        (number(0, 0, 1e300, DAY), "1e+300"),
        (number(0, 0, 5, 60_000), "5"),
        (short(42 << 2 | 2), "42"),
        (short(((1 << 30) - 7) << 2 | 2), "-7"),
        (short(150 << 2 | 3), "1.5"),
        (short(0x3FF80000), "1.5"),
        (label(0, 0, 1), "A00001"),
        (record(0x204, pack("<HHHH", 0, 0, 0, 6) + text(" A0002")), "A0002"),
        (record(0x205, pack("<HHHBB", 0, 0, 0, 1, 0)), "TRUE"),
        (record(0x205, pack("<HHHBB", 0, 0, 0, 0, 0)), "FALSE"),
        (record(0x205, pack("<HHHBB", 0, 0, 0, 42, 1)), "#N/A"),
        (formula(pack("<d", 7)), "7"),
        (formula(b"\x01\x00\x01\x00\x00\x00\xff\xff"), "TRUE"),
        (formula(b"\x02\x00\x07\x00\x00\x00\xff\xff"), "#DIV/0!"),
        (formula(b"\x00\x00\x00\x00\x00\x00\xff\xff", record(0x207, pack("<H", 2) + text("ab"))), "ab"),
        (
            formula(b"\x00" * 6 + b"\xff\xff", record(0x4BC, b"shared"), record(0x207, pack("<H", 2) + text("cd"))),
            "cd",
        ),
    ],
)
def test_a_cell_is_what_it_says(cell, said):
    content = compound(book(cell, general=STYLES + texts("volume", "A00001")))
    assert rows(read(content)) == [(1, [said])]


def test_dates_may_count_from_1904():
    content = compound(book(number(0, 0, 1, DAY), general=STYLES + record(0x22, b"\x01\x00")))
    assert rows(read(content)) == [(1, ["1904-01-02"])]


def test_several_numbers_in_one_record_are_cells_beside_each_other():
    numbers = b"".join(pack("<HI", 0, value << 2 | 2) for value in (5, 6, 7))
    content = compound(book(record(0xBD, pack("<HH", 3, 1) + numbers + pack("<H", 3))))
    assert rows(read(content)) == [(4, ["", "5", "6", "7"])]


def test_cells_are_sorted_where_a_program_wrote_them_column_by_column():
    cells = b"".join(number(row, column, row * 10 + column) for column in (0, 1) for row in (0, 1, 2))
    assert rows(read(compound(book(cells)))) == [(1, ["0", "1"]), (2, ["10", "11"]), (3, ["20", "21"])]


def test_a_cell_that_is_there_twice_makes_its_row_a_problem():
    content = compound(book(number(0, 0, 1) + number(0, 0, 2) + number(1, 0, 3)))
    assert rows(read(content)) == [(1, "its cells are not in order"), (2, ["3"])]


def test_texts_go_on_in_other_records_and_carry_forms_that_are_left_out():
    rich = pack("<HBHI", 3, 0x0C, 2, 5) + b"abc" + b"\x01" * 8 + b"\x02" * 5
    cut = pack("<HB", 6, 0) + b"A00"
    continued = record(0x3C, b"\x01" + "0é1".encode("utf-16-le") + pack("<HB", 1, 0) + b"z")
    shared = texts(count=3, more=rich + cut) + continued
    content = compound(book(label(0, 0, 0) + label(0, 1, 1) + label(0, 2, 2), general=shared))
    assert rows(read(content)) == [(1, ["abc", "A000é1", "z"])]


def test_the_sheet_is_the_first_with_the_captions_wanted():
    general = texts("volume", "x", "A00001")
    content = compound(book(label(0, 0, 1), label(2, 0, 0) + label(3, 0, 2), general=general))
    table = read(content, wanted=("Volume",))
    assert (table.name, table.captions, table.header_line) == ("S2", ("volume",), 3)
    assert rows(table) == [(4, ["A00001"])]


def row_of(place, flags):
    return record(0x208, pack("<HHHHHHBBH", place, 0, 1, 255, 0, 0, flags, 1, 15))


def test_hidden_rows_are_left_out_and_counted():
    cells = (
        row_of(1, 0x20) + row_of(2, 0x10) + b"".join(number(place, 0, place) for place in range(4)) + row_of(3, 0x60)
    )
    table = read(compound(book(cells)))
    chunks = list(table.chunks)
    assert [line for chunk in chunks for line in chunk.lines] == [1, 3]
    assert [dict(chunk.left_out) for chunk in chunks if chunk.left_out] == [{"hidden row": 2}]
    cells = row_of(0, 0x20) + number(0, 0, 1)
    assert flaws(read(compound(book(cells)))) == ["all its rows are hidden"]


@pytest.mark.parametrize("state", [1, 2])
def test_hidden_sheets_are_not_read_and_are_counted(state):
    stream = bytearray(book(number(0, 0, 1), number(0, 0, 2)))
    stream[stream.index(pack("<BB", 0, 0) + pack("<B", 2) + text("S1"))] = state
    table = read(compound(bytes(stream)))
    assert table.name == "S2"
    assert [dict(chunk.left_out) for chunk in table.chunks if chunk.left_out] == [{"hidden sheet": 1}]


def test_charts_are_no_sheets_and_what_lies_in_a_sheet_is_not_its_own():
    within = begin(0x20) + number(5, 0, 99) + record(0x0A)
    assert rows(read(compound(book(within + number(0, 0, 1))))) == [(1, ["1"])]


def test_an_embedded_workbook_is_not_the_workbook():
    entries = entry("Root Entry", 5, below=2, start=END) + entry("Workbook", 2, start=0, size=4096)
    entries += entry("MBD0001", 1, below=1)
    assert read(compound(book(number(0, 0, 1)), entries=entries)).fault == "there is no workbook in it"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (compound(book(number(0, 0, 1)), name="WordDocument"), "there is no workbook in it"),
        (compound(b"\x09\x08\x08\x00\x00\x05\x05\x00" + b"\x00" * 50, name="Book"), "older than Excel 97"),
        (compound(book(number(0, 0, 1), general=record(0x2F, b"\x01\x00"))), "it has a password"),
        (compound(begin(5)), "it ends in the middle"),
        (compound(book(number(0, 0, 1), general=record(0x22))), "shorter than it should be"),
        (compound(book(number(0, 0, 1)))[:4000], "cut short"),
        (compound(book(label(0, 0, 7))), "refers to a text that is not there"),
        (compound(book(label(0, 0, 0), general=texts("a", count=2))), "a text ends in the middle"),
        (compound(book(label(0, 0, 0), general=texts("a", count=xls.MOST_TEXTS + 1))), "texts"),
        (compound(book(record(0x203, b"\x00\x00\x00\x00"))), "shorter than it should be"),
        (compound(book(formula(b"\x00" * 6 + b"\xff\xff"))), "the text of a formula is not there"),
        (compound(book(number(0, 0, 1), general=record(0x85, pack("<IBBB", 9, 0, 0, 1) + text("x")))), "begin"),
    ],
)
def test_what_cannot_be_read_says_so_and_what_to_send(content, said):
    table = read(content, number=2 if said == "begin" else 0)
    assert said in table.fault
    assert ".xlsx" in table.hint


def test_damage_behind_rows_is_a_flaw_of_all_of_them():
    cells = b"".join(number(row, 0, row) for row in range(5_000)) + label(5_000, 0, 3)
    assert flaws(read(compound(book(cells)))) == ["a cell refers to a text that is not there"]


# What each of these does to a library that reads .xls is in docs/decisions/0008.


def test_a_directory_whose_entries_name_the_next_one_twice_is_walked_once():
    entries = entry("Root Entry", 5, below=1, start=END)
    entries += b"".join(entry(f"E{place}", 2, near=(place + 1, place + 1)) for place in range(1, 60))
    entries += entry("Workbook", 2, start=0, size=4096)
    assert rows(read(compound(book(number(0, 0, 1)), entries=entries))) == [(1, ["1"])]


def test_a_text_never_leads_back_to_its_own_beginning():
    back = -(7 + 1000) & 0xFFFFFFFF
    again = pack("<HBI", 1000, 4, back) + b"a" * 1000
    content = compound(book(label(0, 0, 0), general=texts(count=1_000_000, more=again)))
    assert read(content).fault == "a text ends in the middle"


def test_names_that_join_other_names_are_not_worked_out():
    name = record(0x18, pack("<HBBHHHBBBB", 0, 0, 1, 11, 0, 0, 0, 0, 0, 0) + text("N") + b"\x23\x01\x00\x00\x00" * 2)
    assert rows(read(compound(book(number(0, 0, 1), general=name * 50)))) == [(1, ["1"])]


def test_a_chain_of_sectors_that_bites_its_tail_is_damage():
    content = bytearray(compound(book(number(0, 0, 1))))
    table = len(content) - 512
    content[table + 4 : table + 8] = pack("<I", 0)
    assert "damaged" in read(bytes(content)).fault


def test_a_file_of_too_many_bytes_is_not_read(monkeypatch):
    content = compound(book(number(0, 0, 7)))
    monkeypatch.setattr(xls, "MOST_BYTES", len(content))
    assert rows(read(content))
    monkeypatch.setattr(xls, "MOST_BYTES", len(content) - 1)
    assert read(content).fault == f"it has more than {len(content) - 1} bytes"


def test_many_sheets_at_one_place_are_not_read_without_end(monkeypatch):
    monkeypatch.setattr(biff, "MOST_RECORDS", 5_000)
    cells = b"".join(number(row, 0, row) for row in range(1_000))
    content = compound(book(*[cells] * 6))
    assert "more than 5000 records" in read(content, wanted=("volume",)).fault


def test_a_long_text_that_a_million_cells_share_is_bounded(monkeypatch):
    monkeypatch.setattr(sheet, "MOST_CHARACTERS", 100_000)
    cells = b"".join(label(row, 0, 0) for row in range(300))
    content = compound(book(cells, general=texts("x" * 1_000)))
    assert flaws(read(content)) == ["its cells have more than 100000 characters"]


def test_rows_with_long_texts_come_in_smaller_chunks(monkeypatch):
    monkeypatch.setattr(workbook, "_CHUNK_CHARACTERS", 10_000)
    cells = b"".join(label(row, 0, 0) for row in range(300))
    table = read(compound(book(cells, general=texts("x" * 1_000))))
    sizes = [len(chunk.cells) for chunk in table.chunks]
    assert (sum(sizes), max(sizes)) == (300, 11)


def test_of_compound_files_a_mail_brings_only_workbooks():
    content = book(number(0, 0, 1))
    fates = {name: judge_content(compound(content, name=name), "", embedded=False).fate for name in NAMES}
    assert fates == NAMES


def test_whatever_is_done_to_a_file_it_is_read_or_refused():
    cells = b"".join(label(row, 0, row % 3) + number(row, 1, row, DAY) for row in range(40))
    whole = compound(book(cells, cells, general=STYLES + texts("volume", "A00001", "é")))
    dice = random.Random(1)
    fates = set()
    for _ in range(1_500):
        content = bytearray(whole)
        for _ in range(dice.choice((1, 2, 16))):
            at = dice.randrange(len(content))
            if dice.random() < 0.5:
                content[at] = dice.randrange(256)
            elif dice.random() < 0.7:
                content[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f"))
            else:
                del content[at : at + dice.randrange(1, 600)]
        table = read(bytes(content))
        fates.add(bool(table.fault))
        for chunk in table.chunks:
            assert len(chunk.cells) == len(chunk.lines)
    assert fates == {True, False}


def test_a_directory_without_end_is_not_read(monkeypatch):
    content = compound(book(label(0, 0, 0), general=texts("volume")))
    assert not read(content).fault
    monkeypatch.setattr(compound_file, "MOST_ENTRIES", 1)
    assert read(content).fault == "its directory has more than 1 entries"
