"""A glimpse of all tables of a page or a workbook: the first rows of each, from going through it once.

Who does not know yet which table is meant looks here first: asking for one table after the other would go through the
whole page, or unzip the whole workbook, for each of them. What cannot be read is not told here: who reads it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.hypertext import Hypertext
from mailsync.tables.package import FlawError
from mailsync.tables.workbook import sheets_of


class Glimpse(NamedTuple):
    """A table's number among the attachment's, and its first rows that are not blank."""

    number: int
    rows: tuple[tuple[str, ...], ...]


def of_page(text: str, cells: int, *, tables: int, rows: int) -> list[Glimpse]:
    """The first tables of the page, in the order they begin, and so many rows of each. Captions count as a row."""
    first: dict[int, list[tuple[str, ...]]] = {}
    for part in Hypertext(Layout("html"), cells).read(text):
        if not 0 < part.number <= tables:
            continue
        known = first.setdefault(part.number, [part.captions] if any(part.captions) else [])
        if len(known) < rows:
            known += islice(_filled(part.chunk.cells), rows - len(known))
    return [Glimpse(number, tuple(known)) for number, known in sorted(first.items())]


def of_workbook(content: bytes, cells: int, *, tables: int, rows: int) -> list[Glimpse]:
    """The first sheets of the workbook that people see, up to one that is damaged, and so many rows of each."""
    found: list[Glimpse] = []
    try:
        for sheet in sheets_of(content, cells):
            if not sheet.hidden and len(found) < tables:
                first = islice(_filled(row.cells for row in sheet.rows() if not row.hidden), rows)
                found.append(Glimpse(len(found) + 1, tuple(first)))
    except FlawError:
        return found
    return found


def _filled(rows: Iterable[Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """The rows that are not blank."""
    for row in rows:
        cells = tuple(row)
        if any(cell.strip() for cell in cells):
            yield cells
