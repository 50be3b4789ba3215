"""What a table is: captions, and chunks of rows that are read as they are asked for.

Every kind of table (delimited, fixed, ...) is read into the same `Table`, so that what follows does not know the
kind. Rows come in chunks, because a million of them must never be in memory at once and because everything after
this works on the columns of a chunk. A row knows its raw text and the line it starts on; a row that cannot be read
stays in its place as a row without cells, so that it is counted and cited like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Layout(Protocol):
    """How a definition says its table is written; its `Layout` value has these attributes."""

    @property
    def kind(self) -> str:
        """`delimited` or `fixed`."""
        ...

    @property
    def delimiter(self) -> str:
        """One character, or empty: found out from the text."""
        ...

    @property
    def quote(self) -> str:
        """One character, or empty: nothing is quoted."""
        ...

    @property
    def header(self) -> int:
        """How many rows come before the data; the last of them holds the captions."""
        ...

    @property
    def encoding(self) -> str:
        """What to read bytes as that are not UTF-8 and name no charset; may be empty."""
        ...


class Chunk(NamedTuple):
    """Some rows in file order: the cells, the raw text and the first line (from 1) of each.

    A row of a fixed table is its line: its cells are the characters. `broken` are (index, reason) of rows that
    could not be read; their cells are empty.
    """

    cells: Sequence[Sequence[str]]
    raw: Sequence[str]
    lines: Sequence[int]
    broken: tuple[tuple[int, str], ...] = ()


class Table(NamedTuple):
    """A table that is read once. `padding` is every character that a blank row may consist of.

    `encoding` is what the bytes were read as and `guess` says so when that was a guess. `fault` is why there are no
    rows although there are bytes.
    """

    captions: tuple[str, ...]
    chunks: Iterator[Chunk]
    padding: str
    encoding: str
    guess: str = ""
    fault: str = ""
