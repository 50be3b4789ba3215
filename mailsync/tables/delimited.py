"""Delimited text: rows of cells between commas, semicolons, tabs, bars or whatever the definition says.

A block of lines in which every record takes one line, nearly always, is read by `csv` in one go. Any other block is
read record by record. A quoted cell may hold line ends, but a quote that is never closed would swallow the rest of
the file: so a record has at most 64 lines, and where that is not enough its first line alone is the broken row and
reading goes on with the next. Malformed quoting (`"a"b`) breaks its row too: what moves tapes is not guessed.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mailsync.tables.table import Chunk

DELIMITERS = (",", ";", "\t", "|")
LONGEST_RECORD = 64
_SNIFFED_LINES = 30


def read_delimited(blocks: Iterable[tuple[int, list[str]]], delimiter: str, quote: str) -> Iterator[Chunk]:
    """The rows of the text, given as blocks of (number of the first line, lines)."""
    dialect = _dialect(delimiter, quote)
    carried: list[str] = []
    first = 1
    for number, lines in blocks:
        first = number - len(carried)
        lines[:0] = carried
        chunk = _whole_lines(lines, first, dialect)
        carried = []
        if chunk is None:
            chunk, carried = _record_by_record(lines, first, dialect, last=False)
        first += len(lines) - len(carried)
        yield chunk
    if carried:
        yield _record_by_record(carried, first, dialect, last=True)[0]


def sniff_delimiter(lines: Sequence[str], quote: str) -> str:
    """The delimiter that cuts most of the first lines into equally many cells; a comma when none does."""
    best, delimiter = (0, 0), DELIMITERS[0]
    sample = [line for line in lines if line.strip()][:_SNIFFED_LINES]
    for one in DELIMITERS:
        rows = _record_by_record(sample, 1, _dialect(one, quote), last=True)[0].cells
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if widths:
            width, rows_of_it = max(widths.items(), key=lambda item: (item[1], item[0]))
            if (rows_of_it, width) > best:
                best, delimiter = (rows_of_it, width), one
    return delimiter


def _dialect(delimiter: str, quote: str) -> dict[str, Any]:
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    # `a, "b, c"` has two cells; with blanks as delimiters a blank is no padding.
    return {"delimiter": delimiter, "strict": True, "skipinitialspace": delimiter != " ", **quoting}


def _whole_lines(lines: list[str], first: int, dialect: dict[str, Any]) -> Chunk | None:
    """The block when each of its lines is one record, else None."""
    try:
        rows = list(csv.reader(lines, **dialect))
    except csv.Error:
        return None
    # A record gives one row and takes at least one line, so equally many means one line each.
    return Chunk(rows, lines, range(first, first + len(lines))) if len(rows) == len(lines) else None


class _Record(NamedTuple):
    cells: list[str]
    size: int
    fault: str = ""


def _record_by_record(lines: list[str], first: int, dialect: dict[str, Any], *, last: bool) -> tuple[Chunk, list[str]]:
    """The block's records, and the lines of one that may go on in the next block."""
    cells: list[list[str]] = []
    raw: list[str] = []
    numbers: list[int] = []
    broken: list[tuple[int, str]] = []
    place = 0
    while place < len(lines):
        window = lines[place : place + LONGEST_RECORD]
        record = _one_record(window, dialect)
        if record is None and len(window) < LONGEST_RECORD and not last:
            break
        record = record or _Record([], 1, f"its quote is not closed within {LONGEST_RECORD} lines")
        if record.fault:
            broken.append((len(cells), record.fault))
        cells.append(record.cells)
        raw.append("\n".join(window[: record.size]))
        numbers.append(first + place)
        place += record.size
    return Chunk(cells, raw, numbers, tuple(broken)), lines[place:]


def _one_record(window: list[str], dialect: dict[str, Any]) -> _Record | None:
    """The record that begins with the window's first line; None when the window ends before it does."""
    reader = csv.reader((f"{line}\n" for line in window), **dialect)
    try:
        return _Record(next(reader), reader.line_num)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
        return _Record([], 1, f"not delimited text: {error}")
