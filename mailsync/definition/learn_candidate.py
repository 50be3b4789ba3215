"""What `definitions learn` tries: a way to read a report, with what it gives; and how reports are read to find one."""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import Any, NamedTuple

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.definition.table import ReadTable

MOST_ROWS = 2000
_MOST_CELLS = 500
_LONGEST_LINE = 1000
_LONGEST_FILTER = 200
Settings = dict[str, Any]


class Candidate(NamedTuple):
    """A way to read the report: the `table` of its YAML, and the columns as it names them, with their cells.

    `captions` are for people ("" where a column has none), `line` is the text the captions are on. Of a table `loose`
    says that rows are any lines, of which those without a volume are none.
    """

    table: Settings
    columns: tuple[Any, ...]
    captions: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line: str = ""
    weight: float = 1.0
    loose: bool = False

    def column(self, place: int) -> list[str]:
        """The cells of a column."""
        return [row[place].strip() if place < len(row) else "" for row in self.rows]


class Reading(NamedTuple):
    """The report, how tables of it are read, and in which encoding where only a definition can say it."""

    attachment: Attachment
    read: ReadTable
    encoding: str

    def table(self, layout: Layout) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
        """The captions, the first rows that are not blank, and their raw texts; none when it cannot be read."""
        table = self.read(self.attachment, layout._replace(encoding=self.encoding), _MOST_CELLS)
        if table.fault:
            return (), [], []
        pairs = ((row, raw) for chunk in table.chunks for row, raw in zip(chunk.cells, chunk.raw, strict=True))
        filled = list(islice(((row, raw) for row, raw in pairs if any(map(str.strip, row))), MOST_ROWS))
        return table.captions, [tuple(row) for row, _ in filled], [raw for _, raw in filled]

    def lines(self) -> list[str]:
        """The first lines that are not blank, as far as they are looked at."""
        _, _, raw = self.table(Layout("fixed"))
        return [line[:_LONGEST_LINE] for line in raw]


def escaped(text: str) -> str:
    """The text as the beginning of a filter: what filters read otherwise stands for any character."""
    return re.sub(r"[*?\[!]", "?", text)


def content_filter(line: str) -> str:
    """A filter for the first lines of other reports like this one: the words of the line, in their order."""
    words = escaped(line).split()
    taken = list(chain.from_iterable((word, "*") for word in words))
    return ("*" + "".join(taken))[:_LONGEST_FILTER].rstrip("*") + "*" if words else ""
