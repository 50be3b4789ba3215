"""HTML tables: every table of a page with its title, also those that lie in a cell of another.

A table's title is its caption, else the last text before it, in the cell it lies in first: reports put the data
table into a cell of a table that has nothing but the title. A cell over several rows counts in each of them; one over
several columns counts in its first. What is left open is closed by what follows, as browsers do it; but a page that
ends within a table, a tag or a comment was cut, unless it has said before that it is complete (`</body>`, `</html>`):
which holds until another page, or more of a table, begins.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.choose import Part, header_place
from mailsync.tables.markup import CUT, Token, tokens
from mailsync.tables.table import Chunk, Flaw

DEEPEST = 16
MOST_SPREAD = 1_000_000
_CHUNK_ROWS = 500
_LONGEST_TITLE = 200
_MOST_ABOVE = 100
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "big",
        "code",
        "em",
        "font",
        "i",
        "img",
        "input",
        "label",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "?",
    ]
)
_CELLS = ("td", "th")
_GOES_ON = frozenset(("html", "body", "table", "tr", *_CELLS))


class _Row(NamedTuple):
    cells: list[str]
    line: int
    marked: bool
    fault: str = ""


class _Open:
    """A table that is not closed yet."""

    def __init__(self, number: int, title: str, begun: int) -> None:
        self.number = number
        self.title = title
        self.begun = begun
        self.last = ""
        self.said: deque[str] = deque(maxlen=_MOST_ABOVE)
        self.above = ""
        self.rows: list[_Row] = []
        self.captions: tuple[str, ...] | None = None
        self.line = 0
        self.row: list[str] | None = None
        self.row_line = 0
        self.marked = True
        self.cell: list[str] | None = None
        self.spans = (1, 1)
        # Column -> the number of the last row that a cell reaches down to, and its text; of how many rows have ended.
        self.reaching: dict[int, tuple[int, str]] = {}
        self.ended = 0
        self.caption: list[str] | None = None


class Hypertext:
    """Reads the tables of one page; `most` bounds the cells of a row."""

    def __init__(self, layout: Layout, most: int) -> None:
        self._layout = layout
        self._most = most
        self._stack = [_Open(0, "", 0)]
        self._number = 0
        self._beyond = 0
        self._spanned = 0
        self._run: list[str] = []
        self._left: Counter[str] = Counter()
        self._complete = False
        self._empty = ""

    def read(self, text: str) -> Iterator[Part]:
        """The rows of all tables, each table's under its number and title."""
        flaw = None
        for token in tokens(text):
            if not token.tag:
                self._text(token.text)
            elif token.tag == CUT:
                flaw = Flaw(token.line, f"the page breaks off within {token.text} that begins in line {token.line}")
            elif token.tag in ("/body", "/html"):
                self._complete = True
            elif token.tag.strip("/") not in _INLINE:
                self._complete = self._complete and token.tag not in _GOES_ON
                self._end_run()
                yield from self._tag(token)
        if len(self._stack) > 1 and not flaw:
            line = self._stack[-1].begun
            flaw = Flaw(line, f"the page breaks off within the table that begins in line {line}")
        while len(self._stack) > 1:
            yield from self._end_table()
        yield Part(Chunk([], [], [], left_out=self._left, flaw=None if self._complete else flaw), 0, self._empty)

    def _text(self, text: str) -> None:
        top = self._stack[-1]
        if self._beyond:
            return
        if top.caption is not None:
            top.caption.append(text)
            return
        self._run.append(text)
        if top.cell is not None:
            top.cell.append(text)

    def _end_run(self) -> None:
        """A text ends where a block does: it may be the title of a table that follows."""
        said = _plain(self._run)
        if said:
            self._stack[-1].last = said[:_LONGEST_TITLE]
            self._stack[-1].said.append(said[:_LONGEST_TITLE])
            if any(one.matches(said) for one in self._layout.empty):
                self._empty = said[:_LONGEST_TITLE]
        self._run = []

    def _tag(self, token: Token) -> Iterator[Part]:
        tag = token.tag
        if tag == "table" or (self._beyond and tag == "/table"):
            self._begin_table(token)
        elif self._beyond or len(self._stack) == 1:
            return
        elif tag == "/table":
            yield from self._end_table()
        elif tag.strip("/") in ("tr", "thead", "tbody", "tfoot"):
            yield from self._end_row()
        elif tag in _CELLS:
            self._begin_cell(token)
        elif tag in ("/td", "/th"):
            self._end_cell()
        else:
            self._within(tag)

    def _begin_table(self, token: Token) -> None:
        """A table begins; beyond the depth that is read, they are only counted in and out."""
        if self._beyond or len(self._stack) > DEEPEST:
            self._beyond += 1 if token.tag == "table" else -1
            self._left["a table nested too deep"] += token.tag == "table"
            return
        self._number += 1
        title = next((one.last for one in reversed(self._stack) if one.last), "")
        begun = _Open(self._number, title, token.line)
        if self._number == self._layout.number:
            begun.above = "\n".join(said for one in self._stack for said in one.said)
        self._stack.append(begun)

    def _within(self, tag: str) -> None:
        """A caption's begin or end; any other block parts words."""
        top = self._stack[-1]
        if tag == "caption":
            top.caption = []
        elif tag == "/caption" and top.caption is not None:
            top.title, top.caption = _plain(top.caption)[:_LONGEST_TITLE], None
        elif top.cell is not None:
            top.cell.append(" ")

    def _begin_cell(self, token: Token) -> None:
        self._end_cell()
        top = self._stack[-1]
        top.caption = None
        if top.row is None:
            top.row, top.row_line, top.marked = [], token.line, True
        top.cell, top.spans = [], token.spans
        top.marked = top.marked and token.tag == "th"

    def _end_cell(self) -> None:
        top = self._stack[-1]
        if top.cell is None or top.row is None:
            return
        text, top.cell = _plain(top.cell), None
        self._reach(top, top.row)
        columns, rows = top.spans
        if rows > 1:
            top.reaching[len(top.row)] = (top.ended + rows - 1, text)
        top.row.append(text)
        more = self._spread(min(columns - 1, self._most))
        top.row += [""] * more
        # One beyond the bound says that there were too many; more would only take memory.
        del top.row[self._most + 1 :]

    def _reach(self, top: _Open, row: list[str]) -> None:
        """Puts in the cells that reach down from rows above into the place of the next cell."""
        while len(row) <= self._most:
            last, text = top.reaching.get(len(row), (-1, ""))
            if last < top.ended or not self._spread(1):
                break
            row.append(text)

    def _spread(self, cells: int) -> int:
        """How many more cells may come of those that take several columns or rows."""
        cells = min(cells, MOST_SPREAD - self._spanned)
        self._spanned += cells
        return cells

    def _end_row(self) -> Iterator[Part]:
        self._end_cell()
        top = self._stack[-1]
        if top.row is None:
            return
        self._reach(top, top.row)
        top.ended += 1
        wide = len(top.row) > self._most
        fault = f"more than {self._most} cells" if wide else ""
        if self._spanned >= MOST_SPREAD:
            wide, fault = True, f"the page's cells spread over more than {MOST_SPREAD} others"
        top.rows.append(_Row([] if wide else top.row, top.row_line, top.marked, fault))
        top.row = None
        if len(top.rows) >= _CHUNK_ROWS:
            yield self._part(top)

    def _end_table(self) -> Iterator[Part]:
        self._end_run()
        yield from self._end_row()
        yield self._part(self._stack.pop())

    def _part(self, top: _Open) -> Part:
        """The table's rows so far; of the first ones, those behind the captions."""
        if top.captions is None:
            place = self._header(top.rows)
            top.captions = tuple(top.rows[place].cells) if place >= 0 else ()
            top.line = top.rows[place].line if place >= 0 else 0
            if place > 0:
                self._left["before the captions"] += place
            top.rows = top.rows[place + 1 :]
        rows, top.rows = top.rows, []
        broken = tuple((place, row.fault) for place, row in enumerate(rows) if row.fault)
        # For who asked for this table by its number; no group of a definition can have that name.
        titles = {"title": [top.title] * len(rows), "above the table": [top.above] * len(rows)}
        chunk = Chunk(
            [row.cells for row in rows],
            ["\t".join(row.cells) for row in rows],
            [row.line for row in rows],
            broken,
            titles,
        )
        return Part(chunk, top.number, top.title, top.captions, top.line)

    def _header(self, rows: list[_Row]) -> int:
        """Which row holds the captions: as in any table; where nobody asks for any, a first row of header cells."""
        place = header_place([row.cells for row in rows], self._layout)
        marked = bool(rows) and rows[0].marked and not self._layout.header
        return 0 if place < 0 and marked else place


def _plain(parts: list[str]) -> str:
    """The text with single blanks, as a browser shows it."""
    return " ".join("".join(parts).split())
