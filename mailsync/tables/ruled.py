"""Ruled tables: columns are where the dashes of the ruler under the captions are.

    Volume Name   Storage      Estimated
                  Pool Name    Capacity
    ------------  -----------  ---------
    A00001L5      TAPEPOOL     2,500.0 G

    a ruler with lines above it    a table begins, or its captions come back on a new page
    any other ruler                decoration, such as a line above a sum; captions of another table, where there is
                                   one already, have a blank line above them and another ruler
    a ruler of one piece           no columns to see: cells are the words of a line, captions there are none
    a row behind the table's end   a blank line or a message stood among the rows: it is a problem, not left out

A column goes from the first dash of its ruler up to the next one's. A text that runs over into the next column breaks
its row, because nobody can tell where it was cut. Where long texts are wrapped, the layout names the column that the
first line of every row fills: the lines in which it is empty go on with the row above, cell by cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.choose import Part, has_captions
from mailsync.tables.table import Chunk, Lines, rows_of

LONGEST_RECORD = 64
_MOST_HEADER = 3
_Cuts = tuple[tuple[int, int | None], ...]
_RUN = re.compile(r"[-=_]+")
# A word with a digit that is no day: what a Volume-ID looks like to whom words and dates are none.
_VOLUME = re.compile(r"(?![0-9]{4}-[0-9]{2}-[0-9]{2}\Z)(?=[A-Z-]*[0-9])[A-Z0-9-]{2,10}\Z", re.ASCII)


class _Columns(NamedTuple):
    """Where the columns are: (start, end) of each, none for a ruler of one piece; and what stands above them."""

    cuts: _Cuts
    captions: tuple[str, ...]
    header: tuple[str, ...]
    line: int

    def again(self, found: _Columns) -> bool:
        """True when what was found is this table's own header once more."""
        return self.captions == found.captions if self.cuts and found.cuts else self.header == found.header

    def cells(self, text: str, most: int) -> list[str]:
        """The line's cells."""
        return [text[start:end] for start, end in self.cuts] if self.cuts else text.split(None, most)

    def fault(self, text: str) -> str:
        """What is wrong with a row's line, or nothing."""
        for place, (start, _) in enumerate(self.cuts[1:], 1):
            if not text[start - 1 : start].isspace() and len(text) >= start:
                return f"the text of column {place} runs over into column {place + 1}"
        return ""


class Ruled:
    """Reads ruled tables; `most` bounds the columns of one."""

    def __init__(self, layout: Layout, most: int) -> None:
        self._layout = layout
        self._most = most
        self._columns: _Columns | None = None
        self._ruler = 0  # its line
        self._open = False
        self._number = 0
        self._left: Counter[str] = Counter()

    def read(self, blocks: Iterator[Lines]) -> Iterator[Part]:
        """The rows under each ruler. The last lines of a block wait for the next: they may be captions."""
        carried = Lines([], ())
        for block in blocks:
            lines = block.behind(carried)
            start = 0
            for place, text in enumerate(lines.texts):
                if _is_ruler(text):
                    yield from self._at_ruler(lines, start, place)
                    start = place + 1
            size = len(lines.texts)
            end = size if lines.totals else self._waiting(lines.texts, start)
            self._left.update(lines.left_out)
            yield from self._rows(lines.between(start, end)._replace(totals=lines.totals))
            carried = lines.between(end, size)
        yield from self._rows(carried)
        yield Part(Chunk([], [], [], left_out=self._left))

    def _at_ruler(self, lines: Lines, start: int, place: int) -> Iterator[Part]:
        """The rows before the ruler, and what changes at it."""
        found = self._columns_at(lines, start, place)
        before = place - (len(found.header) if found else 0)
        yield from self._rows(lines.between(start, before))
        again = found is not None and self._open and self._columns is not None and self._columns.again(found)
        if again:
            self._left["page header"] += place - before
        if found is None:
            self._left["ruler"] += 1
            return
        self._number += not again
        self._columns = found
        self._ruler = lines.numbers[place]
        self._open = True

    def _columns_at(self, lines: Lines, start: int, place: int) -> _Columns | None:
        """The columns that the ruler at `place` begins, None when it is decoration."""
        cuts = _cuts(lines.texts[place])
        if len(cuts) > self._most:
            return None
        known = self._columns if self._open else None
        found = self._header(lines, start, place, cuts)
        if found is None or known is None or known.again(found):
            return found
        return found if cuts and cuts != known.cuts and self._is_apart(found, lines, start, place) else None

    def _is_apart(self, found: _Columns, lines: Lines, start: int, place: int) -> bool:
        """True when what stands above a ruler within a table are another table's captions, and not its rows.

        They are those that are wanted, or have nothing directly above them; what is right under the table's own ruler
        is a row.
        """
        top = place - len(found.header)
        if self._layout.wanted and has_captions(found.captions, self._layout.wanted):
            return True
        if top > start:
            return not lines.texts[top - 1].strip()
        return start == 0 or lines.numbers[start - 1] != self._ruler

    def _header(self, lines: Lines, start: int, place: int, cuts: _Cuts) -> _Columns | None:
        """The columns with what stands above the ruler: as many lines as the layout says, or as the captions take.

        Without a number, the fewest lines that have all captions that are wanted, or are the table's own once more;
        else as many as there are.
        """
        top = place
        while top > max(start, place - (self._layout.header or _MOST_HEADER)) and lines.texts[top - 1].strip():
            top -= 1
        found = None
        for size in (place - top,) if self._layout.header else range(1, place - top + 1):
            header = tuple(lines.texts[place - size : place])
            found = _Columns(cuts, _captions(header, cuts), tuple(map(str.strip, header)), lines.numbers[place - 1])
            known = self._columns is not None and self._columns.again(found)
            if known or (self._layout.wanted and has_captions(found.captions, self._layout.wanted)):
                return found
        return found

    def _rows(self, lines: Lines) -> Iterator[Part]:
        """The rows of lines that have no ruler among them."""
        columns = self._columns
        end = self._end(lines.texts) if self._open else 0
        self._open = self._open and end == len(lines.texts)
        late = self._late_places(lines.texts, end, columns)
        if end < len(lines.texts):
            self._left["outside the table"] += len(lines.texts) - end - len(late)
        inside = lines.between(0, end)._replace(totals=() if late else lines.totals)
        if columns and (inside.texts or inside.totals):
            yield Part(self._chunk(inside, columns), self._number, "", columns.captions, columns.line)
        if columns and late:
            chunk = _late(lines, late)._replace(totals=lines.totals)
            yield Part(chunk, self._number, "", columns.captions, columns.line)

    def _late_places(self, texts: Sequence[str], outside: int, columns: _Columns | None) -> list[int]:
        """The lines outside the table that fit its columns and have a volume where volumes are."""
        if columns is None or outside == len(texts):
            return []
        keys = {key.casefold() for key in self._layout.keys}
        cuts = [cut for cut, caption in zip(columns.cuts, columns.captions, strict=True) if caption.casefold() in keys]
        found = []
        for place, text in enumerate(texts[outside:], outside):
            if any(_VOLUME.match(text[start:end].strip()) for start, end in cuts) and not columns.fault(text):
                found.append(place)
        return found

    def _end(self, texts: Sequence[str]) -> int:
        """Where the table ends among its lines."""
        until = self._layout.until
        ends = (place for place, text in enumerate(texts) if any(one.matches(text.strip()) for one in until))
        return next(ends, len(texts)) if until else len(texts)

    def _chunk(self, lines: Lines, columns: _Columns) -> Chunk:
        if self._layout.wrapped:
            return self._wrapped_chunk(lines, columns)
        cells = [columns.cells(text, self._most) for text in lines.texts]
        broken = [(place, fault) for place, text in enumerate(lines.texts) if (fault := columns.fault(text))]
        for place, _ in broken:
            cells[place] = []
        return rows_of(lines, cells, raw=lines.texts, starts=range(len(cells)), broken=broken)

    def _wrapped_chunk(self, lines: Lines, columns: _Columns) -> Chunk:
        cells: list[list[str]] = []
        raw: list[str] = []
        starts: list[int] = []
        broken: dict[int, str] = {}
        for place, text in enumerate(lines.texts):
            fault = columns.fault(text)
            if not starts or self._begins(text, columns) or place - starts[-1] >= LONGEST_RECORD:
                starts.append(place)
                raw.append(text)
                cells.append([cell.strip() for cell in columns.cells(text, self._most)])
            else:
                raw[-1] += f"\n{text}"
                cells[-1] = [
                    _joined(above, cell.strip())
                    for above, cell in zip(cells[-1], columns.cells(text, self._most), strict=False)
                ]
            if fault:
                broken.setdefault(len(starts) - 1, fault)
        for row in broken:
            cells[row] = []
        return rows_of(lines, cells, raw=raw, starts=starts, broken=tuple(broken.items()))

    def _begins(self, text: str, columns: _Columns) -> bool:
        """True when a row begins in the line: a blank one, or one that fills the column which every row fills."""
        folded = self._layout.wrapped.casefold()
        place = next((at for at, caption in enumerate(columns.captions) if caption.casefold() == folded), -1)
        if place < 0 or not text.strip():
            return True
        start, end = columns.cuts[place]
        return bool(text[start:end].strip())

    def _waiting(self, texts: Sequence[str], start: int) -> int:
        """Where the lines begin that wait for the next block: captions of a ruler to come, a row that may go on."""
        # One line more than captions have: what stands above them tells whether they are captions at all.
        end = max(start, len(texts) - max(self._layout.header, _MOST_HEADER) - 1)
        columns = self._columns
        if self._layout.wrapped and columns and self._open:
            least = max(start, end - LONGEST_RECORD)
            while end > least and end < len(texts) and not self._begins(texts[end], columns):
                end -= 1
        return end


def _late(lines: Lines, places: Sequence[int]) -> Chunk:
    """The rows at these places, none of which can be read."""
    texts = [lines.texts[place] for place in places]
    broken = [(at, f'looks like a row after the table ended: "{text.strip()[:60]}"') for at, text in enumerate(texts)]
    return rows_of(lines, [[]] * len(texts), raw=texts, starts=places, broken=broken)


def _is_ruler(text: str) -> bool:
    return ("---" in text or "===" in text or "___" in text) and not text.strip("-=_ \t")


def _cuts(ruler: str) -> _Cuts:
    """Where the columns under the ruler are; none under a ruler of one piece. The first one begins at the margin."""
    starts = [run.start() for run in _RUN.finditer(ruler)]
    if len(starts) < 2:
        return ()
    return tuple(zip([0, *starts[1:]], [*starts[1:], None], strict=True))


def _captions(header: Sequence[str], cuts: _Cuts) -> tuple[str, ...]:
    """What stands above each column, its lines joined by a blank."""
    return tuple(" ".join(" ".join(line[start:end] for line in header).split()) for start, end in cuts)


def _joined(above: str, below: str) -> str:
    """A cell that goes on in the next line. A dash at the end is where a word was cut."""
    if not below or not above:
        return above or below
    return above[:-1] + below if above.endswith("-") else f"{above} {below}"
