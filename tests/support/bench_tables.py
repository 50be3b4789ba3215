"""Rows per second of each kind of table, read and mapped, beside csv.reader over the same rows in the same run.

Figures are CPU time, the least of three; csv.reader is measured again beside each kind, because machines are shared.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import bench_zip
from bench_parts import measure

from mailsync.core.model import Attachment, Scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition
from mailsync.tables.reader import read_table

CAPTIONS = ("volume", "slot", "family", "type", "location", "pool", "moves")
FIELDS = """
fields:
  volume: {column: volume}
  repository: {column: location, translate: [[Library, LIBR], ["*", OFFS]]}
  move_date: {column: moves, date: "%Y-%m-%d"}
"""
AT = """
fields:
  volume: {column: [1, 9]}
  repository: {column: [49, 60], translate: [[Library, LIBR], ["*", OFFS]]}
  move_date: {column: [73, 84], date: "%Y-%m-%d"}
"""
PATTERN = r"^(?P<volume>\\S+) +\\S+ +\\S+ \\S+ +\\S+ +(?P<location>\\S+) +\\S+ +(?P<moves>\\S+)"
WIDTH = 12
Row = Sequence[str]


def bench_tables(rows: int) -> None:
    """Prints a line for each kind, then what a list in a zip takes, of ten times as many rows."""
    table = [_row(number) for number in range(rows)]
    as_csv = _csv(table)
    print(f"\ntables: {rows:,} rows of {len(CAPTIONS)} columns, CPU time; a floor is csv.reader over the same rows")
    for kind, (layout, content) in _written(table, as_csv).items():
        fields = AT if kind in ("fixed", "fixed, pages") else FIELDS
        definition = _definition(f"table: {layout}\n{fields}")
        attachment = Attachment(kind, content, "", "", depth=0, body=False)
        floor = _least(lambda: sum(1 for _ in csv.reader(io.StringIO(as_csv.decode()))))
        read = _least(lambda a=attachment, d=definition: _read(a, d, rows))
        mapped = _least(lambda a=attachment, d=definition: _mapped(a, d, rows))
        figures = f"{rows / read:>10,.0f} read {read / floor:>6.1f} floors {rows / mapped:>10,.0f} mapped"
        print(f"  {kind:14}{figures} {mapped / floor:>6.1f} floors of {rows / floor:,.0f} rows a second")
    bench_zipped(10 * rows)


def bench_zipped(rows: int) -> None:
    """Prints what it takes to map and plan a large list in a zip, in a process of its own."""
    print(f"\ndelimited in a zip: {rows:,} rows, mapped and planned (aim: 5 floors mapped, 300 MB in all)")
    program = str(Path(bench_zip.__file__).resolve())
    with tempfile.NamedTemporaryFile(suffix=".zip") as packed:
        bench_zip.pack(packed.name, rows)
        for words in ("dates", "times"):
            runs = [measure([sys.executable, program, packed.name, kind]) for kind in ("floor", words) * 3]
            assert not any(run.status for run in runs), runs[-1].said
            floor, *least = (
                min(float(found[1]) for run in runs if (found := re.search(rf"{name} ([\d.]+)", run.said)))
                for name in ("floor", "mapped", "shelf", "planned")
            )
            mapped, shelf, planned = (figure / floor for figure in least)
            memory = max(run.memory for run in runs[1::2])
            figures = f"mapped {mapped:.1f} floors of {floor:.2f} s, planned {planned - shelf:.1f}"
            print(f"  {words:14}{figures}, peak {memory / 1e6:.0f} MB")


def _row(number: int) -> Row:
    place, day = ("Library", "Offsite")[number % 2], f"2031-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
    return (f"A{number:07d}", f"{number:,}", "weekly full", "LTO8", place, f"pool{number % 7}", day)


def _definition(text: str) -> Definition:
    faults: list[object] = []
    definition = load_definition("bench.yaml", f'claim: {{attachment: "*"}}\n{text}', faults)
    assert definition is not None, faults
    return definition


def _least(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _read(attachment: Attachment, definition: Definition, rows: int) -> None:
    table = read_table(attachment, definition.layout, 5_000)
    assert sum(len(chunk.raw) for chunk in table.chunks) == rows, table.fault


def _mapped(attachment: Attachment, definition: Definition, rows: int) -> None:
    found = map_attachment(attachment, definition, Context(read_table, scope=Scope("US01", "LTO")))
    assert sum(len(records.volumes) for records in found.records) == rows, found.problems[:3]


def _written(table: Sequence[Row], as_csv: bytes) -> dict[str, tuple[str, bytes]]:
    """The same rows in every kind: the layout, and the bytes."""
    lines = ["".join(cell.ljust(WIDTH) for cell in row) for row in table]
    head = "".join(caption.ljust(WIDTH) for caption in CAPTIONS)
    ruler = "".join("-" * (WIDTH - 2) + "  " for _ in CAPTIONS)
    rule = "+" + ("-" * WIDTH + "+") * len(CAPTIONS)
    plain = "\n".join(lines).encode()
    return {
        "delimited": ('{kind: delimited, delimiter: ","}', as_csv),
        "fixed": ("{kind: fixed}", plain),
        "fixed, pages": (
            "{kind: fixed, carriage_control: true, page_header: 1, sections: '^TO (?P<to>.*)'}",
            _pages(lines),
        ),
        "ruled": ("{kind: ruled}", "\n".join([head, ruler, *lines]).encode()),
        "boxed": ("{kind: boxed}", "\n".join([rule, _bars(CAPTIONS), rule, *map(_bars, table), rule]).encode()),
        "records": ("{kind: records}", "\n\n".join(map(_record, table)).encode()),
        "lines": (f'{{kind: lines, pattern: "{PATTERN}"}}', plain),
        "html": ("{kind: html}", _html(table)),
        "json": ("{kind: json}", json.dumps([_keyed(row) for row in table], indent=0).encode()),
        "xlsx": ("{kind: workbook}", _xlsx([CAPTIONS, *table])),
        "ods": ("{kind: workbook}", _ods([CAPTIONS, *table])),
    }


def _csv(table: Sequence[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([CAPTIONS, *table])
    return text.getvalue().encode()


def _pages(lines: Sequence[str]) -> bytes:
    pages = (lines[start : start + 60] for start in range(0, len(lines), 60))
    return "\n".join("\n".join(["1page", *(f" {line}" for line in page)]) for page in pages).encode()


def _bars(row: Row) -> str:
    return "|" + "".join(f"{cell.ljust(WIDTH)}|" for cell in row)


def _keyed(row: Row) -> dict[str, str]:
    return dict(zip(CAPTIONS, row, strict=True))


def _record(row: Row) -> str:
    return "\n".join(f"{label}: {value}" for label, value in _keyed(row).items())


def _html(table: Sequence[Row]) -> bytes:
    rows = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in [CAPTIONS, *table])
    return f"<html><body><table>{''.join(rows)}</table></body></html>".encode()


def _zip(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _xlsx(table: Sequence[Row]) -> bytes:
    rows = (
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in table
    )
    return _zip(
        {
            "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="S" r:id="1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="1" Target="sheet.xml"/></Relationships>',
            "xl/sheet.xml": f"<worksheet><sheetData>{''.join(rows)}</sheetData></worksheet>",
        }
    )


def _ods(table: Sequence[Row]) -> bytes:
    rows = (
        "<table-row>" + "".join(f"<table-cell><p>{cell}</p></table-cell>" for cell in row) + "</table-row>"
        for row in table
    )
    return _zip({"content.xml": f'<x><table name="S">{"".join(rows)}</table></x>'})
