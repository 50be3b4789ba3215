"""What PowerShell writes, byte for byte, read through definitions.

Windows PowerShell 5.1: `Out-File` writes UTF-16LE with a byte order mark and CRLF, the table as the console shows it: a
blank line before, two behind, columns padded, numbers to the right, and with what is too long for the width cut off and
ended with `...`. `Export-Csv` writes a `#TYPE` line unless told not to, every value between quotes, CRLF, and ASCII
(`-Encoding Default`, `UTF8` and `Unicode` are others; UTF8 has a byte order mark). PowerShell 7 writes UTF-8 without
one, no `#TYPE` line, and cuts with one character, U+2026.
"""

from __future__ import annotations

import pytest

from mailsync.core.model import Attachment, parse_scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.samples import records_as_json
from mailsync.tables.reader import first_lines, read_table

ROWS = (
    ("A00001L8", "Tape Library 1", "3", "1/9/2031 10:15:40 PM", "Daily, full"),
    ("A00002L8", "Offsite", "", "1/2/2031 12:00:05 AM", 'the "long" one'),
    ("A00003L8", "Tape Library 1", "1204", "", "Zürich"),
)
CAPTIONS = ("Barcode", "Location", "Slot", "LastWriteTime", "MediaPool")
CSV = """\
name: exported
claim: {content: "*Barcode*LastWriteTime*"}
table: {kind: delimited, sections: "^#TYPE (?P<type>[^ ]+)"}
fields:
  volume: {column: Barcode}
  repository: {column: Location}
  slot: {column: Slot}
  write_time: {column: LastWriteTime, date: "%m/%d/%Y %I:%M:%S %p"}
  description: {column: MediaPool}
"""
SHOWN = """\
name: shown
claim: {content: "*Barcode*LastWriteTime*"}
table: {kind: ruled}
fields:
  volume: {column: Barcode}
  repository: {column: Location}
  slot: {column: Slot, optional: true}
  write_time: {column: LastWriteTime, date: "%m/%d/%Y %I:%M:%S %p"}
"""
PLACES = {"Tape Library 1": "LIBR", "Offsite": "OFFS"}


def export_csv(rows=ROWS, *, typed=True, delimiter=","):
    quoted = [delimiter.join(f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row) for row in (CAPTIONS, *rows)]
    lines = ["#TYPE Selected.System.Management.Automation.PSCustomObject"] * typed + quoted
    return "".join(f"{line}\r\n" for line in lines)


def format_table(rows=ROWS, *, width=80, dots="...", numbers=("Slot",)):
    """What Format-Table shows of the first four columns; Out-File pads every line to the width, less one."""
    widths = [max(len(row[at]) for row in (CAPTIONS, *rows)) for at in range(4)]
    # What does not fit is taken from the last column that is shown.
    widths[-1] = min(widths[-1], width - 1 - sum(widths[:-1]) - 3)

    def line(values):
        cells = []
        for caption, value, room in zip(CAPTIONS, values, widths, strict=False):
            cut = value if len(value) <= room else value[: room - len(dots)] + dots
            cells.append(cut.rjust(room) if caption in numbers else cut.ljust(room))
        return " ".join(cells).ljust(width - 1)

    ruler = ["-" * len(caption) for caption in CAPTIONS]
    lines = ["", line(CAPTIONS), line(ruler), *map(line, rows), "", ""]
    return "".join(f"{one}\r\n" for one in lines)


def utf_16(text):
    return b"\xff\xfe" + text.encode("utf-16-le")


def mapped(content, text):
    faults = []
    definition = load_definition("x.yaml", text, faults)
    assert definition is not None, faults
    attachment = Attachment("report.txt", content, "", "", depth=0, body=False)
    lines = first_lines(attachment, "")
    assert any(one.matches(line) for one in definition.claim.content for line in lines)
    context = Context(read_table, scope=parse_scope("US01.LTO"), repositories=PLACES, timezone="UTC")
    return records_as_json(map_attachment(attachment, definition, context))


EXPECTED = [
    {"volume": "A00001L8", "repository": "LIBR", "slot": "3", "write_time": "2031-01-09T22:15:40Z"},
    {"volume": "A00002L8", "repository": "OFFS", "write_time": "2031-01-02T00:00:05Z"},
    {"volume": "A00003L8", "repository": "LIBR", "slot": "1204"},
]
POOLS = ("Daily, full", 'the "long" one', "Zürich")


@pytest.mark.parametrize(
    "encode",
    [
        utf_16,
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode(),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace("ü", "?").encode("ascii"),
    ],
    ids=["Unicode", "UTF8 with mark", "UTF8", "Default", "ASCII"],
)
@pytest.mark.parametrize("typed", [True, False], ids=["#TYPE", "no #TYPE"])
def test_export_csv_in_every_encoding(encode, typed):
    content = encode(export_csv(typed=typed))
    found = mapped(content, CSV)
    assert (found["skipped"], found["problems"]) == ({"section title": 1} if typed else {}, [])
    records = found["records"]["US01.LTO"]
    pools = [record.pop("description") for record in records]
    assert pools[:2] == list(POOLS[:2])
    assert pools[2] == ("Z?rich" if b"Z?" in content else POOLS[2])
    assert [record.pop("line") for record in records] == [2 + typed, 3 + typed, 4 + typed]
    assert records == EXPECTED


def test_export_csv_of_a_culture_with_semicolons():
    found = mapped(utf_16(export_csv(typed=False, delimiter=";")), CSV)
    assert [record["volume"] for record in found["records"]["US01.LTO"]] == ["A00001L8", "A00002L8", "A00003L8"]


@pytest.mark.parametrize("encode", [utf_16, str.encode], ids=["5.1", "7"])
def test_a_table_as_the_console_shows_it(encode):
    found = mapped(encode(format_table()), SHOWN)
    assert found["problems"] == []
    records = found["records"]["US01.LTO"]
    assert [record.pop("line") for record in records] == [4, 5, 6]
    assert records == EXPECTED


@pytest.mark.parametrize("dots", ["...", "…"])
def test_what_the_console_cut_off_is_a_problem_and_not_another_value(dots):
    found = mapped(utf_16(format_table(width=45, dots=dots)), SHOWN)
    assert [record["volume"] for record in found["records"]["US01.LTO"]] == ["A00003L8"]
    assert len(found["problems"]) == 2
    assert all(dots in problem for problem in found["problems"])


def test_a_barcode_that_was_cut_off_is_no_volume():
    rows = (("A00001L8...", "Offsite", "1", "", ""),)
    found = mapped(utf_16(format_table(rows)), SHOWN)
    assert found["refused"] == 1
    assert found["records"] == {}


def test_a_number_wider_than_its_caption_is_read_whole_or_a_problem():
    rows = (("A00001L8", "Offsite", "1234567", "", ""), ("A00002L8", "Offsite", "5", "", ""))
    found = mapped(utf_16(format_table(rows)), SHOWN)
    slots = {record["volume"]: record.get("slot") for record in found["records"]["US01.LTO"]}
    assert slots["A00002L8"] == "5"
    assert slots.get("A00001L8", "1234567") == "1234567"


def test_a_utf_16_file_that_was_cut_in_the_middle_is_not_half_a_list():
    found = mapped(utf_16(export_csv(typed=False))[:-31], CSV)
    assert len(found["problems"]) >= 1
