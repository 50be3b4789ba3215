"""A report that breaks off is refused whole: what is left of it must not look like a shorter list."""

from __future__ import annotations

import io
import zipfile

from mailsync.core.model import Attachment, Scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import read_table

FIELDS = "fields: {volume: {column: volume}, repository: {column: to, optional: true}}"
PLACE = "volume,to\n"
ROWS = [(f"A{number:05d}", "OFFS") for number in range(1200)]


def mapped(content, table, more=""):
    faults = []
    definition = load_definition("x.yaml", f'claim: {{attachment: "*"}}\ntable: {table}\n{FIELDS}\n{more}', faults)
    assert definition, faults
    attachment = Attachment("a", content, "", "", depth=0, body=False)
    return map_attachment(attachment, definition, Context(read_table, scope=Scope("US01", "LTO")))


def refused_whole(found, rows, text):
    skipped = sum(one.rows for one in found.skipped)
    assert (found.read - skipped, found.refused, found.records) == (rows, rows, ())
    (problem,) = found.problems
    assert text in problem.text
    assert problem.origin.line
    assert "send" in problem.hint or "sent" in problem.hint
    assert not found.unlisted


def xlsx(sheet):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        book = '<workbook xmlns:r="r"><sheets><sheet name="S" r:id="1"/></sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        links = '<Relationships><Relationship Id="1" Target="s.xml"/></Relationships>'
        archive.writestr("xl/_rels/workbook.xml.rels", links)
        archive.writestr("xl/s.xml", sheet)
    return packed.getvalue()


def sheet_rows(rows):
    return "".join(
        "<row>" + "".join(f'<c t="str"><v>{cell}</v></c>' for cell in row) + "</row>"
        for row in [("volume", "to"), *rows]
    )


def test_json_that_breaks_off_behind_many_rows():
    whole = "[" + ",\n".join(f'{{"volume": "{volume}", "to": "{to}"}}' for volume, to in ROWS) + "]"
    assert sum(len(one.volumes) for one in mapped(whole.encode(), "{kind: json}").records) == len(ROWS)
    refused_whole(mapped(whole[:-20].encode(), "{kind: json}"), len(ROWS) - 1, "the JSON breaks off in line 1200")


def test_json_that_breaks_off_before_its_columns_are_there():
    refused_whole(mapped(b'[{"to": "OFFS"},\n{"volu', "{kind: json}"), 1, "the JSON breaks off in line 2")


def test_a_sheet_that_breaks_off_behind_many_rows():
    sheet = f"<worksheet><sheetData>{sheet_rows(ROWS)}</sheetData></worksheet>"
    assert sum(len(one.volumes) for one in mapped(xlsx(sheet), "{kind: workbook}").records) == len(ROWS)
    found = mapped(xlsx(sheet[:-40]), "{kind: workbook}")
    assert 800 < found.refused < len(ROWS)
    refused_whole(found, found.refused, "xl/s.xml is damaged")


def test_a_sheet_whose_checksum_is_wrong():
    content = bytearray(xlsx(f"<worksheet><sheetData>{sheet_rows(ROWS)}</sheetData></worksheet>"))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 16] ^= 1
    found = mapped(bytes(content), "{kind: workbook}")
    assert not found.records
    assert "is damaged" in found.problems[0].text


def test_a_quote_that_is_open_at_the_end():
    text = "volume,to\nA00001,OFFS\n" + '"A00002",OFFS\n"A000'
    refused_whole(mapped(text.encode(), "{}"), 3, "breaks off within the quotes that begin in line 4")
    # With a line end behind it, it is somebody's stray quote, which costs its own row.
    found = mapped(f"{text}\n".encode(), "{}")
    assert (found.read, found.refused, len(found.records[0].volumes)) == (3, 1, 2)


def test_a_box_without_its_last_rule():
    rule = "+--------+------+\n"
    text = f"{rule}| volume | to   |\n{rule}| A00001 | OFFS |\n| A00002 | OFFS |\n"
    assert len(mapped(f"{text}{rule}".encode(), "{kind: boxed}").records[0].volumes) == 2
    for end in ("", "| A0", "\n\n"):
        found = mapped((text + end).encode(), "{kind: boxed}")
        refused_whole(found, 3 if end == "| A0" else 2, "breaks off within a box")
    assert len(mapped(f"{text}quit\n".encode(), "{kind: boxed}").records[0].volumes) == 2


def test_a_page_that_breaks_off_within_its_table():
    text = "<table><tr><th>volume<th>to<tr><td>A00001<td>OFFS<tr><td>A00002<td>OF"
    assert len(mapped(f"{text}FS</table>".encode(), "{kind: html}").records[0].volumes) == 2
    refused_whole(mapped(text.encode(), "{kind: html}"), 2, "breaks off within the table that begins in line 1")


def test_what_is_wrong_with_single_rows_is_not_told_beside_what_is_wrong_with_all():
    text = '[{"volume": "A00001"},\n{"volume": "A00001", "to": "X"},\n{"volume": ""}'
    found = mapped(text.encode(), "{kind: json}", more="min_rows: 5")
    refused_whole(found, 3, "the JSON breaks off in line 3")
