"""Rows whose cells are known by a label instead of a place: records, JSON. Here they get columns.

The columns are the labels of the first thousand rows, in the order they occur in, and the fields' optional ones
wherever they occur. A row without a label has an empty cell, which says nothing, and is one of so many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.header import Header
from mailsync.tables.table import Chunk, Filling

_LOOKED_AT = 1000


class Labelled(NamedTuple):
    """A chunk without cells, and for each of its rows the cells by label."""

    chunk: Chunk
    rows: list[dict[str, str]]


def columns_of(blocks: Iterable[Labelled], layout: Layout, most: int) -> tuple[Header, Iterator[Chunk]]:
    """The labels as captions, at most so many, and the rows in columns."""
    stream = iter(blocks)
    first: list[Labelled] = []
    captions: dict[str, None] = {}
    looked_at = 0
    for block in stream:
        first.append(block)
        for row in block.rows:
            captions.update(dict.fromkeys(row))
        looked_at += len(block.rows)
        if looked_at >= _LOOKED_AT or len(captions) > most:
            break
    if len(captions) > most:
        return Header(fault=f"more than {most} labels"), iter(())
    known = {caption.casefold() for caption in captions}
    captions.update(dict.fromkeys(one for one in layout.welcome if one.casefold() not in known))
    line = next((block.chunk.lines[0] for block in first if block.rows), 0)
    return Header(tuple(captions), line), _columns(chain(first, stream), tuple(captions))


def _columns(blocks: Iterator[Labelled], captions: tuple[str, ...]) -> Iterator[Chunk]:
    filling = Filling()
    for chunk, rows in blocks:
        if filling.beyond(sum(max(len(captions) - len(row), 0) for row in rows)):
            yield chunk.at(())._replace(totals=(), flaw=filling.flaw(chunk.lines[0]))
            return
        broken = dict(chunk.broken)
        cells = [
            [] if place in broken else [row.get(caption, "") for caption in captions] for place, row in enumerate(rows)
        ]
        yield chunk._replace(cells=cells)
