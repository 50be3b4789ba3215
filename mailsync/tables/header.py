"""What is done with the rows of any kind once there are some: captions off the top, repeats of them, cells split up."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mailsync.core.layout import Split
from mailsync.tables.table import Chunk, Filling

MOST_VALUES = 1000


class Header(NamedTuple):
    """The captions, their line, their row's raw text; or why there are none although there should be."""

    captions: tuple[str, ...] = ()
    line: int = 0
    raw: str = ""
    fault: str = ""


def take_header(chunks: Iterator[Chunk], rows: int) -> tuple[Header, Iterator[Chunk]]:
    """The captions, which are the last of the first `rows` rows that are not blank, and what follows them.

    A row of the header that cannot be read is a fault: the next one must not be taken for the captions. What is left
    out within the header stays counted.
    """
    before: list[Chunk] = []
    left = rows
    for chunk in chunks if rows else ():
        broken = dict(chunk.broken)
        for index, cells in enumerate(chunk.cells):
            if index in broken:
                where = f"line {chunk.lines[index]}, of its header"
                return Header(fault=f"not readable as text: {where}: {broken[index]}"), iter(())
            left -= any(cell.strip() for cell in cells)
            if not left:
                captions = tuple(cell.strip() for cell in cells)
                rest = chunk.at(range(index + 1, len(chunk.raw)))
                header = Header(captions, chunk.lines[index], chunk.raw[index])
                return header, chain(before, (rest,), chunks)
        before.append(chunk.at(()))
    return Header(), chain(before, chunks)


def without_repeats(chunks: Iterator[Chunk], raw: str) -> Iterator[Chunk]:
    """The rows that are not the row of captions once more, as on top of every page."""
    for chunk in chunks:
        # Counting is much faster than comparing one by one, and nearly always there are none.
        repeats = chunk.raw.count(raw) if raw else 0
        if repeats:
            others = [place for place, text in enumerate(chunk.raw) if text != raw]
            yield chunk.at(others).leaving_out("page header", repeats)
        else:
            yield chunk


def split_rows(chunks: Iterator[Chunk], captions: tuple[str, ...], split: Split) -> Iterator[Chunk]:
    """The rows, one for each value where a cell of the column holds several; a cell with too many breaks its row."""
    column = _column(captions, split)
    filling = Filling()
    for chunk in chunks:
        places: list[int] = []
        cells: list[Sequence[str]] = []
        broken = dict(chunk.broken)
        for place, row in enumerate(chunk.cells):
            several = _several(row, column, split.at)
            if len(several) > MOST_VALUES:
                broken[place] = f"more than {MOST_VALUES} values in one cell"
                several = [[]]
            if filling.beyond((len(several) - 1) * len(row)):
                yield chunk.at(())._replace(totals=(), flaw=filling.flaw(chunk.lines[place]))
                return
            places += [place] * len(several)
            cells += several
        yield chunk._replace(broken=tuple(sorted(broken.items()))).at(places)._replace(cells=cells)


def _column(captions: tuple[str, ...], split: Split) -> int:
    """The column's place; one that no row reaches when its caption is missing, which its field will say."""
    if split.column:
        return split.column - 1
    folded = split.caption.casefold()
    return next((place for place, caption in enumerate(captions) if caption.casefold() == folded), sys.maxsize)


def _several(row: Sequence[str], column: int, at: str) -> list[Sequence[str]]:
    """The row, once for each value in its cell."""
    if len(row) <= column or at not in row[column]:
        return [row]
    values = [value for part in row[column].split(at, MOST_VALUES) if (value := part.strip())]
    return [[*row[:column], value, *row[column + 1 :]] for value in values or [""]]
