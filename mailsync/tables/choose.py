"""Choosing among the tables of one attachment: those that are what the definition reads, the others counted.

A table is chosen when its title and its number are what the layout says, where it says so, and when it has all the
captions without which a field could not be read. The first one chosen gives the captions; the columns of a later one
are put into its order by their captions, because reports print their tables with columns that come and go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.header import Header
from mailsync.tables.table import Chunk, Filling, Flaw

ANOTHER = "another table"
SEARCHED_ROWS = 50
_LISTED, _SHOWN = 10, 60


class Part(NamedTuple):
    """Some rows of one table: its number among the attachment's (from 1; 0: of none), its title, its captions and
    their line. A table may come in many parts. The title of none is a sentence that says that there are no rows.
    """

    chunk: Chunk
    number: int = 0
    title: str = ""
    captions: tuple[str, ...] = ()
    line: int = 0


def choose(parts: Iterator[Part], layout: Layout) -> tuple[Header, Iterator[Chunk]]:
    """The captions and the rows of the tables that the layout means."""
    left_out: Counter[str] = Counter()
    nearest: Part | None = None
    flaw: Flaw | None = None
    empty = False
    titles: dict[str, None] = {}
    for part in parts:
        if _fits(part, layout):
            header = Header(part.captions, part.line)
            passed = Chunk([], [], [], left_out=left_out)
            return header, chain((passed,), _chosen(chain((part,), parts), part.captions, layout))
        left_out.update(_unchosen(part))
        flaw = flaw or part.chunk.flaw
        empty = empty or bool(part.title and not part.number)
        if part.number and _named(part, layout):
            nearest = nearest or part
        if part.title and len(titles) < _LISTED:
            titles[part.title[:_SHOWN]] = None
    chunks = iter((Chunk([], [], [], left_out=left_out, flaw=flaw),))
    if empty and nearest is None:
        return Header(layout.wanted), chunks
    if nearest is None and (layout.title or layout.number):
        listed = ", ".join(f'"{title}"' for title in titles) or "none"
        return Header(fault=f"no table has the number or title asked for; titles are {listed}"), chunks
    return Header(nearest.captions, nearest.line) if nearest else Header(), chunks


def header_place(rows: Sequence[Sequence[str]], layout: Layout) -> int:
    """Which of a table's first rows holds the captions, -1 for none.

    The last of `header` rows that are not blank; without a number the first row with all captions that are wanted,
    else the first row that is not blank, if any caption is wanted at all.
    """
    filled = [place for place, row in enumerate(rows[:SEARCHED_ROWS]) if any(cell.strip() for cell in row)]
    if layout.header:
        return filled[layout.header - 1] if len(filled) >= layout.header else -1
    if not layout.wanted or not filled:
        return -1
    return next((place for place in filled if has_captions(rows[place], layout.wanted)), filled[0])


def has_captions(captions: Sequence[str], wanted: Sequence[str]) -> bool:
    """True when all that are wanted are among the captions."""
    return {one.casefold() for one in wanted} <= {caption.strip().casefold() for caption in captions}


def _fits(part: Part, layout: Layout) -> bool:
    return part.number > 0 and _named(part, layout) and has_captions(part.captions, layout.wanted)


def _named(part: Part, layout: Layout) -> bool:
    """True when the table is the one, or one of those, that the layout names."""
    if layout.number and part.number != layout.number:
        return False
    return not layout.title or any(one.matches(part.title) for one in layout.title)


def _unchosen(part: Part) -> Counter[str]:
    return Counter(part.chunk.left_out) + Counter({ANOTHER: len(part.chunk.raw)})


def _chosen(parts: Iterator[Part], captions: tuple[str, ...], layout: Layout) -> Iterator[Chunk]:
    filling = Filling()
    for part in parts:
        if not part.number:
            yield part.chunk
        elif not _fits(part, layout):
            yield Chunk([], [], [], left_out=_unchosen(part), flaw=part.chunk.flaw)
        elif part.captions == captions or not layout.wanted:
            yield part.chunk
        elif filling.beyond(sum(max(len(captions) - len(row), 0) for row in part.chunk.cells)):
            yield part.chunk.at(())._replace(totals=(), flaw=filling.flaw(part.chunk.lines[0]))
            return
        else:
            yield part.chunk._replace(cells=_in_order(part, captions))


def _in_order(part: Part, captions: tuple[str, ...]) -> list[list[str]]:
    """The part's cells in the order of other captions; a column it does not have is empty."""
    places = {caption.casefold(): place for place, caption in reversed(list(enumerate(part.captions)))}
    order = [places.get(caption.casefold(), -1) for caption in captions]
    return [[row[at] if 0 <= at < len(row) else "" for at in order] if row else [] for row in part.chunk.cells]
