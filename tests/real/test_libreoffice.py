"""Workbooks that LibreOffice wrote, read through one definition: .xlsx, .ods and .xls say the same."""

from __future__ import annotations

import pytest
from libreoffice import WRITERS, Source, missing, write_workbooks

from mailsync.core.model import Attachment, parse_scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.samples import records_as_json
from mailsync.mail.unpack import UnpackLimits, unpack
from mailsync.tables.reader import read_table

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(300),
    # One start for all of them, also where the tests run side by side.
    pytest.mark.xdist_group("libreoffice"),
]

DEFINITION = """\
name: tapes
claim: {attachment: "*"}
table: {kind: workbook}
skip: [{field: volume, matches: "CLN*", reason: cleaning tape}]
fields:
  volume: {column: Volume}
  repository: {column: Location}
  slot: {column: Slot}
  write_time: {column: Last Written}
  expiry_date: {column: Expires}
  description: {column: Note}
  container: {column: Serial}
  scratch: {column: Scratch}
  user1: {column: Size}
"""
# The serial numbers are text for LibreOffice, as they are where a backup program's export is opened by double click.
CSV = """\
Volume,Location,Slot,Last Written,Expires,Note,Serial,Scratch,Size
A00001L8,LIBR,3,2031-01-09 22:15:40,2031-12-31,"daily, full",000042,TRUE,1200
A00002L8,OFFS,,2031-01-02,,,000043,FALSE,1.5

A00003L8,LIBR,11,,2032-02-29,Zürich № 3,0007,,1000000
CLN001L1,LIBR,12,,,,,,
"""
COMMA, QUOTE, UTF_8 = 44, 34, 76
SERIAL_AS_TEXT = f"{COMMA},{QUOTE},{UTF_8},1,7/2"
RECORDS = [
    {
        "volume": "A00001L8",
        "description": "daily, full",
        "repository": "LIBR",
        "container": "000042",
        "slot": "3",
        "write_time": "2031-01-09T22:15:40Z",
        "expiry_date": "2031-12-31",
        "scratch": "yes",
    },
    {
        "volume": "A00002L8",
        "repository": "OFFS",
        "container": "000043",
        "write_time": "2031-01-02T00:00:00Z",
        "scratch": "no",
    },
    {
        "volume": "A00003L8",
        "description": "Zürich № 3",
        "repository": "LIBR",
        "container": "0007",
        "slot": "11",
        "expiry_date": "2032-02-29",
    },
]


def cell(value="", kind="string", style=""):
    """A cell of a flat OpenDocument file."""
    if not value:
        return "<table:table-cell/>"
    said = "" if kind == "string" else f' office:{"date-" if kind == "date" else ""}value="{value}"'
    style = f' table:style-name="{style}"' if style else ""
    return f'<table:table-cell office:value-type="{kind}"{said}{style}><text:p>{value}</text:p></table:table-cell>'


def sheet(name, *rows, style="", hidden=None):
    """A sheet; `hidden` are rows by place (from 0), and whether a hand or a filter hides them."""
    said = {place: f' table:visibility="{how}"' for place, how in (hidden or {}).items()}
    lines = "".join(
        f"<table:table-row{said.get(place, '')}>{''.join(row)}</table:table-row>" for place, row in enumerate(rows)
    )
    more = f' table:style-name="{style}"' if style else ""
    return f'<table:table table:name="{name}"{more}>{lines}</table:table>'


def flat_document(*sheets):
    names = {"office": "office", "table": "table", "text": "text", "style": "style", "number": "datastyle"}
    spaces = " ".join(f'xmlns:{key}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for key, name in names.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} office:version="1.3" '
        'office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:automatic-styles>'
        '<number:date-style style:name="D"><number:day/><number:text>. </number:text>'
        '<number:month number:textual="true"/>'
        '<number:text> </number:text><number:year number:style="long"/></number:date-style>'
        '<style:style style:name="away" style:family="table"><style:table-properties table:display="false"/>'
        "</style:style>"
        '<style:style style:name="day" style:family="table-cell" style:data-style-name="D"/></office:automatic-styles>'
        f"<office:body><office:spreadsheet>{''.join(sheets)}</office:spreadsheet></office:body></office:document>"
    )


TWO_SHEETS = flat_document(
    sheet("Cover", [cell("Tapes of the week")], [cell("Volume"), cell("and no location")]),
    sheet(
        "Vault",
        [cell("Week 5")],
        [cell("Volume"), cell("Location"), cell("Expires"), cell("Slot")],
        [cell("B00001"), cell("OFFS"), cell("2031-01-31", "date", "day"), cell("17", "float")],
        [cell("B00002"), cell(), cell(), cell("1250000", "float")],
    ),
)
HIDING = flat_document(
    sheet("Cover", [cell("Tapes")]),
    sheet("Old", [cell("Volume"), cell("Location")], [cell("C00009"), cell("OFFS")], style="away"),
    sheet(
        "Now",
        [cell("Volume"), cell("Location")],
        *([cell(f"C0000{number}"), cell("OFFS")] for number in range(5)),
        hidden={2: "filter", 4: "collapse"},
    ),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("libreoffice")
    (made / "tapes.csv").write_text(CSV)
    (made / "sheets.fods").write_text(TWO_SHEETS)
    (made / "hiding.fods").write_text(HIDING)
    sources = [Source(made / "sheets.fods"), Source(made / "hiding.fods")]
    write_workbooks(made, [Source(made / "tapes.csv", SERIAL_AS_TEXT), *sources])
    return made


def mapped(content: bytes, text: str):
    faults = []
    definition = load_definition("tapes.yaml", text, faults)
    assert definition is not None, faults
    attachment = Attachment("tapes", content, "", "", depth=0, body=False)
    return records_as_json(map_attachment(attachment, definition, Context(read_table, scope=parse_scope("US01.LTO"))))


@pytest.mark.parametrize("ending", WRITERS)
def test_dates_numbers_leading_zeros_and_empty_cells_are_what_they_were(folder, ending):
    found = mapped((folder / f"tapes{ending}").read_bytes(), DEFINITION)
    assert found["problems"] == []
    assert found["skipped"] == {"cleaning tape": 1}
    records = found["records"]["US01.LTO"]
    assert [record.pop("line") for record in records] == [2, 3, 5]
    assert records == RECORDS


@pytest.mark.parametrize("ending", WRITERS)
def test_of_two_sheets_the_one_with_the_captions_is_read_and_a_date_is_one_however_it_is_shown(folder, ending):
    text = """\
name: vault
claim: {attachment: "*"}
table: {kind: workbook}
fields:
  volume: {column: Volume}
  repository: {column: Location}
  expiry_date: {column: Expires}
  slot: {column: Slot}
  description: {source: title}
"""
    found = mapped((folder / f"sheets{ending}").read_bytes(), text)
    assert found["problems"] == []
    assert found["records"]["US01.LTO"] == [
        {
            "volume": "B00001",
            "line": 3,
            "description": "Vault",
            "repository": "OFFS",
            "slot": "17",
            "expiry_date": "2031-01-31",
        },
        {"volume": "B00002", "line": 4, "description": "Vault", "slot": "1250000"},
    ]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_mail_brings_the_workbook_whole(folder, ending):
    from email.message import EmailMessage

    content = (folder / f"tapes{ending}").read_bytes()
    mail = EmailMessage()
    mail["From"] = "backup@example.com"
    mail.set_content("attached\n")
    mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"tapes{ending}")
    found = unpack(mail.as_bytes(), UnpackLimits())
    assert found.problems == ()
    assert [(one.path, one.content) for one in found.attachments if not one.body] == [(f"tapes{ending}", content)]


@pytest.mark.parametrize("ending", WRITERS)
def test_hidden_rows_and_sheets_are_left_out_and_counted(folder, ending):
    text = "name: seen\nclaim: {attachment: '*'}\ntable: {kind: workbook}\n"
    text += "fields: {volume: {column: Volume}, repository: {column: Location}}\n"
    found = mapped((folder / f"hiding{ending}").read_bytes(), text)
    volumes = [one["volume"] for one in found["records"]["US01.LTO"]]
    assert (volumes, found["problems"]) == (["C00000", "C00002", "C00004"], [])
    assert found["skipped"] == {"hidden row": 2, "hidden sheet": 1, "another sheet": 1}
