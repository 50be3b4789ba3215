"""What a definition is applied to: a table as tables.reader reads it.

`definition` and `tables` do not know each other: these are the shapes that both agree on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from mailsync.core.layout import Layout, Total
from mailsync.core.model import Attachment

# What a workbook begins with: a zip archive, or a compound file.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


class SaidTotal(Protocol):
    """A total the report says."""

    @property
    def total(self) -> Total:
        """What it counts."""
        ...

    @property
    def number(self) -> int:
        """How many it says there are."""
        ...

    @property
    def line(self) -> int:
        """The line it is said on."""
        ...


class Flaw(Protocol):
    """Why nothing of a table may be applied although rows of it were read."""

    @property
    def line(self) -> int:
        """The line where it is found, 0 when that is not known."""
        ...

    @property
    def text(self) -> str:
        """What is wrong."""
        ...

    @property
    def hint(self) -> str:
        """What to do."""
        ...


class Chunk(Protocol):
    """Some rows of a table in file order: cells, raw text and first line of each; `broken` are (index, reason)."""

    @property
    def cells(self) -> Sequence[Sequence[str]]:
        """The cells of each row; a row of a fixed table is its line."""
        ...

    @property
    def raw(self) -> Sequence[str]:
        """The raw text of each row."""
        ...

    @property
    def lines(self) -> Sequence[int]:
        """The line each row starts on, from 1."""
        ...

    @property
    def broken(self) -> tuple[tuple[int, str], ...]:
        """The rows that could not be read, by index, and why."""
        ...

    @property
    def sources(self) -> Mapping[str, Sequence[str]]:
        """What is said of each row outside it, by the source's name."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """How much of the text was no row, by reason."""
        ...

    @property
    def totals(self) -> Sequence[SaidTotal]:
        """The totals said behind the chunk's last row."""
        ...

    @property
    def flaw(self) -> Flaw | None:
        """Why nothing of the whole table may be applied, found behind the chunk's last row."""
        ...


class Table(Protocol):
    """A table as tables.reader reads it; `definition` and `tables` do not know each other."""

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions, none when the table has no header."""
        ...

    @property
    def header_line(self) -> int:
        """The line the captions are on, from 1; 0 when there are none."""
        ...

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The rows, to be read once."""
        ...

    @property
    def padding(self) -> str:
        """Every character a blank row may consist of."""
        ...

    @property
    def guess(self) -> str:
        """How the bytes were read, when that was a guess."""
        ...

    @property
    def fault(self) -> str:
        """Why there are no rows although there are bytes."""
        ...

    @property
    def hint(self) -> str:
        """What to do about the fault; may be empty."""
        ...

    @property
    def name(self) -> str:
        """Which of the attachment's tables it is, where lines do not say so (a workbook's sheet)."""
        ...


class Glimpse(Protocol):
    """The first rows of one of an attachment's tables."""

    @property
    def number(self) -> int:
        """Which table it is, from 1."""
        ...

    @property
    def rows(self) -> Sequence[tuple[str, ...]]:
        """Its first rows that are not blank."""
        ...


class LookAt(Protocol):
    """Goes once through a page or a workbook for the first rows of its tables, as tables.reader does."""

    def __call__(
        self, attachment: Attachment, layout: Layout, cells: int, /, *, tables: int, rows: int
    ) -> Sequence[Glimpse]:
        """So many tables at most, and so many rows of each."""
        ...


ReadTable = Callable[[Attachment, Layout, int], Table]
