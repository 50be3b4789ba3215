"""How a field's texts are taken from a chunk (step 3): resolved against the captions once, then called per chunk.

A getter gives the field's column and the indexes of the rows that end before it. Columns that are joined are taken
one by one; an empty one adds no separator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from mailsync.definition.captions import Sought, find_caption
from mailsync.definition.model import FieldRule, Take
from mailsync.definition.sieve import Sieve
from mailsync.definition.table import Chunk

Get = Callable[[Chunk], tuple[list[str], Sequence[int]]]


def getter(
    rule: FieldRule, captions: tuple[str, ...], lost: list[Sought], sieve: Sieve, given: Mapping[str, str]
) -> Get | None:
    """How the field's cells are taken from a chunk; None when the table does not have them, or not once (`lost`).

    `given` are the sources that are the same for every row.
    """
    if rule.join is not None:
        parts = [_taking(take, captions, lost, sieve, given) for take in rule.join.takes]
        there = [one for one in parts if one is not None]
        return _joined(there, rule.join.separator) if there else None
    if rule.take is None:
        said = rule.literal or ""
        return lambda chunk: ([said] * len(chunk.raw), ())
    return _taking(rule.take, captions, lost, sieve, given)


def _taking(
    take: Take, captions: tuple[str, ...], lost: list[Sought], sieve: Sieve, given: Mapping[str, str]
) -> Get | None:
    if take.source:
        return _source(take.source, given)
    if take.heading:
        return lambda chunk: (sieve.header_column(take, len(chunk.raw)), ())
    if take.end:
        return lambda chunk: ([line[take.start : take.end] for line in chunk.raw], ())
    if not take.caption:
        return _cells_at(take.column - 1, take) if take.column else lambda chunk: (list(chunk.raw), ())
    places = find_caption(take.caption, captions)
    if len(places) == 1:
        return _cells_at(places[0], take)
    if places or not take.optional:
        lost.append(Sought(take.caption, tuple(places)))
    return None


def _source(name: str, given: Mapping[str, str]) -> Get:
    said = given.get(name, "")
    return lambda chunk: (list(chunk.sources.get(name) or [said] * len(chunk.raw)), ())


def _cells_at(index: int, take: Take) -> Get:
    """Takes the cells of the column at `index` (from 0), and tells which rows do not reach it."""
    taken = itemgetter(index)

    def get(chunk: Chunk) -> tuple[list[str], Sequence[int]]:
        try:
            return list(map(taken, chunk.cells)), ()
        except IndexError:
            column = [cells[index] if len(cells) > index else "" for cells in chunk.cells]
            return column, () if take.optional else [at for at, cells in enumerate(chunk.cells) if len(cells) <= index]

    return get


def _joined(parts: Sequence[Get], separator: str) -> Get:
    """Takes several columns as one."""

    def get(chunk: Chunk) -> tuple[list[str], Sequence[int]]:
        columns, short = zip(*(part(chunk) for part in parts), strict=True)
        texts = [separator.join(filter(None, map(str.strip, row))) for row in zip(*columns, strict=True)]
        return texts, sorted({index for one in short for index in one})

    return get
