"""Boxed tables: cells between bars, rules of dashes and pluses above and below.

    +---------+-----------+
    | MediaId | Volume    |      between the first two rules: the captions
    +---------+-----------+
    |       1 | A00001L5  |      rows; rules between them are decoration
    +---------+-----------+

Two rules on end, or a rule after any other line, begin a table. A row is cut at its bars; where a cell holds bars of
its own, at the places of the rule's pluses; a row that fits neither is broken. Rows whose box was interrupted, by the
header of a page, belong to the table before. Other lines are outside and counted. A text that ends with a row was cut:
every box has a rule below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mailsync.tables.choose import Part
from mailsync.tables.table import Chunk, Flaw, Lines, rows_of

_RULE_CHARACTERS = "+-=| \t"
_CAPTION_LINES = 3  # more than that between two rules are rows of a box without captions
_OUTSIDE = "outside the table"


class _Box(NamedTuple):
    """A table's columns: the places of the pluses in its rule, its captions and their line."""

    pluses: tuple[int, ...]
    captions: tuple[str, ...]
    line: int

    def cells(self, text: str) -> list[str] | None:
        """The row's cells, None when it is no row of this box."""
        wanted = len(self.pluses) - 1
        bare = text.strip()
        if text.count("|") == wanted + 1 and bare.endswith("|"):
            return bare[1:-1].split("|")
        if len(text) <= self.pluses[-1] or any(text[place] != "|" for place in self.pluses):
            return None
        return [text[start + 1 : end] for start, end in zip(self.pluses, self.pluses[1:], strict=False)]


class Boxed:
    """Reads boxed tables; `most` bounds the columns of one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._box: _Box | None = None
        self._number = 0
        self._pluses: tuple[int, ...] = ()
        self._header: list[str] | None = None
        self._ruled = False
        self._last = 0  # the line of a row that has no rule below it yet
        self._left: Counter[str] = Counter()

    def read(self, blocks: Iterator[Lines]) -> Iterator[Part]:
        """The rows of each box."""
        for block in blocks:
            rows = _Rows()
            for place, text in enumerate(block.texts):
                before = self._number
                box = self._box
                self._line(text, block, place, rows)
                if self._number != before and (rows.cells or box is not None):
                    # The line began another table, so the rows so far are the one's before it; it may have none.
                    yield self._part(rows, block, box, before)
                    rows = _Rows()
            self._left.update(block.left_out)
            yield self._part(rows, block._replace(left_out={}), self._box, self._number, last=True)
        self._give_up_header()
        flaw = Flaw(self._last, "the text breaks off within a box, before the rule below it") if self._last else None
        yield Part(Chunk([], [], [], left_out=self._left, flaw=flaw))

    def _part(self, rows: _Rows, block: Lines, box: _Box | None, number: int, *, last: bool = False) -> Part:
        lines = block if last else block._replace(left_out={}, totals=())
        chunk = rows_of(lines, rows.cells, raw=rows.raw, starts=rows.starts, broken=rows.broken)
        if box is None:
            return Part(chunk)
        return Part(chunk, number, "", box.captions, box.line)

    def _line(self, text: str, block: Lines, place: int, rows: _Rows) -> None:
        """What a line is: a rule, a row, or outside."""
        bare = text.strip()
        if bare:
            self._last = block.numbers[place] if bare.startswith("|") and (self._box or self._header is not None) else 0
        if bare.startswith("+") and "-" in bare and not bare.strip(_RULE_CHARACTERS):
            self._rule(text, block, place)
        elif bare.startswith("|"):
            self._bars(text, place, rows)
        else:
            self._left[_OUTSIDE] += 1
            self._give_up_header()
            self._ruled, self._pluses = False, ()

    def _rule(self, text: str, block: Lines, place: int) -> None:
        """A rule ends captions, or begins a table, or only lies between rows."""
        pluses = tuple(at for at, character in enumerate(text) if character == "+")
        if self._header:
            captions = _captions(self._header, self._pluses)
            if captions is None:
                self._give_up_header()
            else:
                self._header = None
                self._number += 1
                self._box = _Box(self._pluses, captions, block.numbers[place - 1] if place else block.numbers[0])
        elif (self._ruled or not self._pluses) and 1 < len(pluses) <= self._most:
            self._header, self._pluses = [], pluses
        self._ruled = True

    def _give_up_header(self) -> None:
        """Counts lines that stood where captions do, and were none."""
        if self._header:
            self._left[_OUTSIDE] += len(self._header)
        self._header = None

    def _bars(self, text: str, place: int, rows: _Rows) -> None:
        """A line between bars is one of captions, or a row."""
        self._ruled = False
        if self._header is not None:
            self._header.append(text)
        elif self._box is None:
            self._left[_OUTSIDE] += 1
        else:
            rows.add(text, place, self._box.cells(text))


class _Rows:
    """Rows in the making."""

    def __init__(self) -> None:
        self.cells: list[list[str]] = []
        self.raw: list[str] = []
        self.starts: list[int] = []
        self.broken: list[tuple[int, str]] = []

    def add(self, text: str, place: int, cells: list[str] | None) -> None:
        """Adds a row; without cells it is broken."""
        if cells is None:
            self.broken.append((len(self.cells), "its bars are not where the table's columns are"))
        self.cells.append(cells or [])
        self.raw.append(text)
        self.starts.append(place)


def _captions(header: list[str], pluses: tuple[int, ...]) -> tuple[str, ...] | None:
    """The captions of the lines between the first two rules, joined by a blank; None when they do not fit."""
    box = _Box(pluses, (), 0)
    if len(header) > _CAPTION_LINES:
        return None
    lines = [cells for text in header if (cells := box.cells(text)) is not None]
    if len(lines) != len(header):
        return None
    return tuple(" ".join(" ".join(parts).split()) for parts in zip(*lines, strict=True))
