"""Workbooks: which kind of file it is, which of its sheets is the table, and that sheet's rows.

    a zip with xl/workbook.xml    .xlsx        a compound file (D0 CF 11 E0)    .xls, from Excel 97 on
    a zip with content.xml        .ods         anything else                    no workbook

One sheet is read: the first that has all captions that are wanted, and the title and number where they are given. The
others are looked at for their first rows only. A list is what its sender sees: hidden sheets are not read and have no
number, hidden rows are left out and counted. All is read within bounds (docs/decisions/0006, 0008).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from mailsync.core.layout import HIDDEN_ROW, Layout
from mailsync.tables.choose import SEARCHED_ROWS, has_captions, header_place
from mailsync.tables.compound import MAGIC
from mailsync.tables.header import Header
from mailsync.tables.ods import ods_sheets
from mailsync.tables.package import FlawError, Package
from mailsync.tables.sheet import Sheet, SheetRow
from mailsync.tables.table import Chunk, Filling, Flaw
from mailsync.tables.xlsx import xlsx_sheets

MOST_SHEETS = 200
_CHUNK_ROWS = 500
_CHUNK_CHARACTERS = 4_000_000
_SHOWN = 10


class Found(NamedTuple):
    """The sheet that was chosen: its name, header and rows. A fault says what to do in `hint`."""

    name: str
    header: Header
    chunks: Iterator[Chunk]
    hint: str = ""


def read_workbook(content: bytes, layout: Layout, most: int) -> Found:
    """The table in the workbook, at most so many columns wide."""
    try:
        return _chosen(sheets_of(content, most), layout)
    except FlawError as flaw:
        hint = "have the report sent again, or send it as .xlsx or .csv, without a password"
        return Found("", Header(fault=str(flaw)), iter(()), hint)


def sheets_of(content: bytes, most: int) -> list[Sheet]:
    """The workbook's sheets, at most so many columns wide each. Raises package.FlawError."""
    sheets = _all_sheets(content, most)
    if len(sheets) > MOST_SHEETS:
        raise FlawError(f"it has more than {MOST_SHEETS} sheets")
    return sheets


def _all_sheets(content: bytes, most: int) -> list[Sheet]:
    if content.startswith(MAGIC):
        from mailsync.tables.xls import xls_sheets

        return xls_sheets(content, most)
    package = Package(content)
    return ods_sheets(package, most) if package.has("content.xml") else xlsx_sheets(package, most)


def _chosen(sheets: list[Sheet], layout: Layout) -> Found:
    """The first sheet that fits; without one, the first that is named, so that its captions can be told."""
    seen = [sheet for sheet in sheets if not sheet.hidden]
    named = [
        sheet
        for number, sheet in enumerate(seen, 1)
        if layout.number in (0, number) and (not layout.title or any(one.matches(sheet.name) for one in layout.title))
    ]
    if not named:
        listed = ", ".join(f'"{sheet.name[:60]}"' for sheet in seen[:_SHOWN]) or "none"
        hidden = len(sheets) - len(seen)
        text = f"{listed}; {hidden} more are hidden" if hidden else listed
        hint = "if it is a hidden one, have it shown, and the workbook sent again" if hidden else ""
        return Found("", Header(fault=f"no sheet has the number or title asked for; sheets are {text}"), iter(()), hint)
    nearest: Found | None = None
    for sheet in named:
        found = _table(sheet, layout)
        if has_captions(found.header.captions, layout.wanted):
            return found._replace(chunks=chain(found.chunks, _others(sheets, sheet)))
        nearest = nearest or found
    assert nearest is not None
    return nearest


def _others(sheets: list[Sheet], chosen: Sheet) -> Iterator[Chunk]:
    """Counts the sheets that have rows and are not read. Asked last, because looking costs some of what may be read."""
    others = [sheet.hidden for sheet in sheets if sheet is not chosen and _has_rows(sheet)]
    yield Chunk([], [], []).leaving_out("another sheet", others.count(False)).leaving_out("hidden sheet", sum(others))


def _has_rows(sheet: Sheet) -> bool:
    try:
        return next(sheet.rows(), None) is not None
    except FlawError:
        return True


def _table(sheet: Sheet, layout: Layout) -> Found:
    rows = _Shown(sheet.rows())
    first = list(islice(rows, SEARCHED_ROWS))
    place = header_place([row.cells for row in first], layout)
    header = Header()
    if place >= 0:
        header = Header(tuple(cell.strip() for cell in first[place].cells), first[place].number, _raw(first[place]))
    chunks = _chunks(first[: place + 1], chain(first[place + 1 :], rows), sheet.name)
    return Found(sheet.name, header, chain(chunks, _hidden_rows(rows, place + 1)))


class _Shown:
    """The rows that are not hidden; how many there were so far of both."""

    def __init__(self, rows: Iterator[SheetRow]) -> None:
        self._rows = rows
        self.shown = self.hidden = 0

    def __iter__(self) -> Iterator[SheetRow]:
        return self

    def __next__(self) -> SheetRow:
        for row in self._rows:
            if not row.hidden:
                self.shown += 1
                return row
            self.hidden += 1
        raise StopIteration


def _hidden_rows(rows: _Shown, head: int) -> Iterator[Chunk]:
    """Counts the hidden rows, once the others are read; a list that shows none of its rows is a flaw."""
    flaw = Flaw(0, "all its rows are hidden", "show its rows (clear the filter), and have the workbook sent again")
    nothing = rows.hidden > 0 and rows.shown <= head
    yield Chunk([], [], [], flaw=flaw if nothing else None).leaving_out(HIDDEN_ROW, rows.hidden)


def _chunks(head: list[SheetRow], rows: Iterator[SheetRow], name: str) -> Iterator[Chunk]:
    """The rows behind the captions; where the file is damaged, nothing of it counts."""
    yield _chunk([], name, 0).leaving_out("before the captions", max(len(head) - 1, 0))
    width, last = (len(head[-1].cells), head[-1].number) if head else (0, 0)
    filling = Filling()
    while True:
        some: list[SheetRow] = []
        size = 0
        try:
            # What was read before a flaw is found must not be lost with it.
            for row in rows:
                some.append(row)
                size += sum(map(len, row.cells))
                if len(some) == _CHUNK_ROWS or size > _CHUNK_CHARACTERS:
                    break
        except FlawError as flaw:
            yield _chunk(some, name, width)._replace(flaw=Flaw(some[-1].number if some else last, str(flaw)))
            return
        if not some:
            return
        last = some[-1].number
        if filling.beyond(sum(max(width - len(row.cells), 0) for row in some if not row.fault)):
            yield _chunk([], name, width)._replace(flaw=filling.flaw(last))
            return
        yield _chunk(some, name, width)


def _chunk(rows: list[SheetRow], name: str, width: int) -> Chunk:
    """The rows, as wide as the captions: a sheet does not have the empty cells at the end of a row."""
    broken = tuple((place, row.fault) for place, row in enumerate(rows) if row.fault)
    titles = {"title": [name] * len(rows)}
    numbers = [row.number for row in rows]
    cells = [[] if row.fault else row.cells + [""] * (width - len(row.cells)) for row in rows]
    return Chunk(cells, [_raw(row) for row in rows], numbers, broken, titles)


def _raw(row: SheetRow) -> str:
    return "\t".join(row.cells)
