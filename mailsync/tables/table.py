"""What a table is: captions, and chunks of rows that are read as they are asked for.

Every kind of table (delimited, fixed, ...) is read into the same `Table`, so that what follows does not know the
kind. Rows come in chunks, because a million of them must never be in memory at once and because everything after
this works on the columns of a chunk. A row knows its raw text and the line it starts on; a row that cannot be read
stays in its place as a row without cells, so that it is counted and cited like any other. What is no row (a page's
header, a ruler) is counted too, with the reason: nothing in a report is dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mailsync.core.layout import Total

MOST_FILLED = 20_000_000
BLANKS = " \t\r\n\f\v\x1a\x00\xa0"


class SaidTotal(NamedTuple):
    """A total the report says, and the line it says it on: it counts the rows before it."""

    total: Total
    number: int
    line: int


class Flaw(NamedTuple):
    """Why nothing of a table may be applied although rows of it were read: it breaks off, or is damaged, behind them.

    `line` is where (a sheet's row; 0: not known), `hint` what to do.
    """

    line: int
    text: str
    hint: str = "nothing of it is applied: have the whole report sent again"


class Filling:
    """Counts the cells that are put into a table's rows where the report has none: nobody sent what they take."""

    flaw_text = f"more than {MOST_FILLED} empty cells would have to be put into its rows"
    flaw_hint = "nothing of it is applied: send it without the columns that are empty, or in parts"

    def __init__(self) -> None:
        self._left = MOST_FILLED

    def beyond(self, cells: int) -> bool:
        """Counts so many more; True when these are too many."""
        self._left -= cells
        return self._left < 0

    def flaw(self, line: int) -> Flaw:
        """Why nothing of the table may be applied."""
        return Flaw(line, self.flaw_text, self.flaw_hint)


class Lines(NamedTuple):
    """Some lines of a text that may hold rows, with the number (from 1) and the sources' texts of each.

    `left_out` counts, by reason, lines that were here and hold none. With `totals` the lines end at one, and no row
    goes on behind them.
    """

    texts: list[str]
    numbers: Sequence[int]
    sources: Mapping[str, Sequence[str]] = {}
    left_out: Mapping[str, int] = {}
    totals: tuple[SaidTotal, ...] = ()

    def behind(self, carried: Lines) -> Lines:
        """These lines with those carried over before them."""
        if not carried.texts:
            return self
        return self._replace(
            texts=carried.texts + self.texts,
            numbers=[*carried.numbers, *self.numbers],
            sources={name: [*carried.sources[name], *texts] for name, texts in self.sources.items()},
            left_out=Counter(carried.left_out) + Counter(self.left_out),
        )

    def between(self, start: int, end: int) -> Lines:
        """Some of the lines, and nothing of what goes along with all of them."""
        sources = {name: texts[start:end] for name, texts in self.sources.items()}
        return Lines(self.texts[start:end], self.numbers[start:end], sources)

    def cut(self, end: int) -> tuple[Lines, Lines]:
        """The lines up to `end` with all that goes along with them, and the rest."""
        size = len(self.texts)
        read = self.between(0, end)._replace(left_out=self.left_out, totals=self.totals) if end < size else self
        return read, self.between(end, size)


class Chunk(NamedTuple):
    """Some rows in file order: the cells, the raw text and the first line (from 1) of each.

    A row of a fixed table is its line: its cells are the characters. `broken` are (index, reason) of rows that
    could not be read; their cells are empty. `sources` has a text for every row from outside it, such as the title of
    its section; `left_out` counts by reason what is no row; `totals` are said behind the chunk's last row. A `flaw` is
    found at the end only, so that rows need not be read twice: who applies a table waits for its last chunk.
    """

    cells: Sequence[Sequence[str]]
    raw: Sequence[str]
    lines: Sequence[int]
    broken: tuple[tuple[int, str], ...] = ()
    sources: Mapping[str, Sequence[str]] = {}
    left_out: Mapping[str, int] = {}
    totals: tuple[SaidTotal, ...] = ()
    flaw: Flaw | None = None

    def at(self, places: Sequence[int]) -> Chunk:
        """The chunk with the rows at these places, ascending; one that is named twice is there twice."""
        broken = dict(self.broken)
        return self._replace(
            cells=[self.cells[place] for place in places],
            raw=[self.raw[place] for place in places],
            lines=[self.lines[place] for place in places],
            broken=tuple((index, broken[place]) for index, place in enumerate(places) if place in broken),
            sources={name: [texts[place] for place in places] for name, texts in self.sources.items()},
        )

    def leaving_out(self, reason: str, count: int) -> Chunk:
        """The chunk with that many more lines or rows left out."""
        return self._replace(left_out=Counter(self.left_out) + Counter({reason: count}))


def rows_of(
    lines: Lines,
    cells: Sequence[Sequence[str]],
    *,
    raw: Sequence[str],
    starts: Sequence[int],
    broken: Sequence[tuple[int, str]] = (),
) -> Chunk:
    """The chunk of the rows that start at these places of the lines."""
    whole = starts == range(len(lines.texts))
    return Chunk(
        cells,
        raw,
        lines.numbers if whole else [lines.numbers[start] for start in starts],
        tuple(broken),
        {name: texts if whole else [texts[start] for start in starts] for name, texts in lines.sources.items()},
        lines.left_out,
        lines.totals,
    )


class Table(NamedTuple):
    """A table that is read once. `padding` is every character that a blank row may consist of.

    `encoding` is what the bytes were read as and `guess` says so when that was a guess. `fault` is why there are no
    rows although there are bytes, and `hint` what to do. `header_line` is the line of the captions, 0 without. `name`
    is which one it is of an attachment's tables (a workbook's sheet), where lines do not say so.
    """

    captions: tuple[str, ...]
    chunks: Iterator[Chunk]
    padding: str
    encoding: str
    guess: str = ""
    fault: str = ""
    header_line: int = 0
    hint: str = ""
    name: str = ""
