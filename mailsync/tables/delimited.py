"""Delimited text: rows of cells between commas, semicolons, tabs, bars or whatever the definition says.

A block of lines in which every record takes one line, nearly always, is read by `csv` in one go. Any other block is
read record by record. A quoted cell may hold line ends, but a quote that is never closed would swallow the rest of
the file: so a record has at most 64 lines, and where that is not enough its first line alone is the broken row and
reading goes on with the next. A text that ends within quotes and without a line end was cut: nothing of it counts.
Malformed quoting (`"a"b`) breaks its row too: what moves tapes is not guessed. So does
a line with too many delimiters, before it becomes cells: a cell takes fifty times the memory of its delimiter.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mailsync.tables.table import Chunk, Flaw, Lines, rows_of

DELIMITERS = (",", ";", "\t", "|")
LONGEST_RECORD = 64
_SNIFFED_LINES = 30


class Form(NamedTuple):
    """How the text is written: one character between cells, one around them (or ""), at most `cells` on a line."""

    delimiter: str
    quote: str
    cells: int

    @property
    def dialect(self) -> dict[str, Any]:
        """The arguments of `csv.reader`."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
        # `a, "b, c"` has two cells; with blanks as delimiters a blank is no padding.
        return {"delimiter": self.delimiter, "strict": True, "skipinitialspace": self.delimiter != " ", **quoting}

    def too_wide(self, line: str) -> bool:
        """True when the line may have more cells than it is allowed to."""
        return len(line) > self.cells and line.count(self.delimiter) > self.cells


def read_delimited(blocks: Iterable[Lines], form: Form, *, line_end: bool = True) -> Iterator[Chunk]:
    """The rows of the lines. A record may go on in the next block. `line_end`: there is one at the end of the text."""
    carried = Lines([], ())
    for block in blocks:
        lines = block.behind(carried)
        carried = Lines([], ())
        chunk = _whole_lines(lines, form)
        if chunk is None:
            chunk, carried = _record_by_record(lines, form, last=bool(lines.totals))
        yield chunk
    if carried.texts:
        line = carried.numbers[0]
        flaw = None if line_end else Flaw(line, f"the text breaks off within the quotes that begin in line {line}")
        yield _record_by_record(carried, form, last=True)[0]._replace(flaw=flaw)


def sniff_delimiter(lines: Sequence[str], quote: str, cells: int) -> str:
    """The delimiter that cuts most of the first lines into equally many cells; a comma when none does."""
    best, delimiter = (0, 0), DELIMITERS[0]
    sample = [line for line in lines if line.strip()][:_SNIFFED_LINES]
    for one in DELIMITERS:
        rows = _record_by_record(Lines(sample, range(len(sample))), Form(one, quote, cells), last=True)[0].cells
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if widths:
            width, rows_of_it = max(widths.items(), key=lambda item: (item[1], item[0]))
            if (rows_of_it, width) > best:
                best, delimiter = (rows_of_it, width), one
    return delimiter


def _whole_lines(lines: Lines, form: Form) -> Chunk | None:
    """The block when each of its lines is one record, else None."""
    # Only a line that is long can be too wide, and hardly any is.
    if max(map(len, lines.texts), default=0) > form.cells and any(map(form.too_wide, lines.texts)):
        return None
    try:
        rows = list(csv.reader(lines.texts, **form.dialect))
    except csv.Error:
        return None
    # A record gives one row and takes at least one line, so equally many means one line each.
    return rows_of(lines, rows, raw=lines.texts, starts=range(len(rows))) if len(rows) == len(lines.texts) else None


class _Record(NamedTuple):
    cells: list[str]
    size: int
    fault: str = ""


def _record_by_record(lines: Lines, form: Form, *, last: bool) -> tuple[Chunk, Lines]:
    """The block's records, and the lines of one that may go on in the next block."""
    cells: list[list[str]] = []
    raw: list[str] = []
    starts: list[int] = []
    broken: list[tuple[int, str]] = []
    place = 0
    while place < len(lines.texts):
        window = lines.texts[place : place + LONGEST_RECORD]
        record = _one_record(window, form)
        if record is None and len(window) < LONGEST_RECORD and not last:
            break
        record = record or _Record([], 1, f"its quote is not closed within {LONGEST_RECORD} lines")
        if record.fault:
            broken.append((len(cells), record.fault))
        cells.append(record.cells)
        raw.append("\n".join(window[: record.size]))
        starts.append(place)
        place += record.size
    read, rest = lines.cut(place)
    return rows_of(read, cells, raw=raw, starts=starts, broken=broken), rest


def _one_record(window: list[str], form: Form) -> _Record | None:
    """The record that begins with the window's first line; None when the window ends before it does."""
    reader = csv.reader(_narrow(window, form), **form.dialect)
    try:
        return _Record(next(reader), reader.line_num)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
        # csv quotes the delimiter, which may be a tab or anything else that cannot be shown.
        cause = "there is text behind a closing quote" if "expected after" in str(error) else str(error)
        return _Record([], 1, f"not delimited text: {cause}")


def _narrow(window: list[str], form: Form) -> Iterator[str]:
    """The lines with their ends. Raises csv.Error at one with too many cells."""
    for line in window:
        if form.too_wide(line):
            raise csv.Error(f"a line has more cells than cells: {form.cells}")
        yield f"{line}\n"
