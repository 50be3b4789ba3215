"""OpenDocument spreadsheets (.ods, ODF 1.3 part 3): the sheets and their rows as text.

A cell's value counts, not how it is shown: numbers, dates and flags as in xlsx.py. Cells and rows may say that they
are repeated, a million times for the empty end of a sheet: empty ones are only counted on, others are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mailsync.tables.package import MOST_BYTES, Package, attribute
from mailsync.tables.sheet import LONGEST_CELL, Growing, Sheet, SheetRow, date_text, number_text

_CONTENT = "content.xml"
_CELLS = ("table-cell", "covered-table-cell")
# What a row says that is hidden by hand or by a filter.
_HIDDEN = ("collapse", "filter")
# What is in a cell and not of it: comments, shapes.
_ASIDE = ("annotation", "shapes", "frame", "g")


def ods_sheets(package: Package, most: int) -> list[Sheet]:
    """The sheets in their order, at most so many columns each. Raises FlawError."""
    names = _Names()
    package.parse(_CONTENT, names, MOST_BYTES)

    def rows(number: int) -> Iterator[SheetRow]:
        reader = _Rows(number, most)
        for _ in package.stream(_CONTENT, reader):
            yield from reader.growing.taken()
            if reader.done:
                return

    return [Sheet(name, partial(rows, number), hidden) for number, (name, hidden) in enumerate(names.found)]


class _Names:
    """The names of the tables that lie in no other, and whether their styles, which come before, hide them."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bool]] = []
        self._depth = 0
        self._style = ""
        self._hiding: set[str] = set()

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            if not self._depth:
                hidden = attribute(attributes, "style-name") in self._hiding
                self.found.append((attribute(attributes, "name"), hidden))
            self._depth += 1
        elif name == "style":
            self._style = attribute(attributes, "name")
        elif name == "table-properties" and attribute(attributes, "display") == "false":
            self._hiding.add(self._style)

    def end(self, name: str) -> None:
        self._depth -= name == "table"

    def text(self, text: str) -> None:
        """There is none that matters."""


class _Rows:
    """The rows of one sheet."""

    def __init__(self, number: int, most: int) -> None:
        self.growing = Growing(most)
        self.done = False
        self._wanted = number
        self._seen = -1
        self._depth = 0
        self._aside = 0
        self._rows = self._columns = 1
        self._value: str | None = None
        self._parts: list[str] = []
        self._size = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            self._depth += 1
            self._seen += self._depth == 1
        if self._seen != self._wanted or self._depth != 1:
            return
        if name in _ASIDE or self._aside:
            self._aside += 1
        elif name == "table-row":
            self._rows = _repeats(attributes, "number-rows-repeated")
            self.growing.begin(hidden=attribute(attributes, "visibility") in _HIDDEN)
        elif name in _CELLS:
            self._columns = _repeats(attributes, "number-columns-repeated")
            self._value, self._parts, self._size = _value(attributes), [], 0
        elif name in ("p", "line-break", "tab", "s"):
            # A space of several is one here, as fields are stripped and joined anyway.
            self._parts.append({"p": "\n" if self._parts else "", "line-break": "\n"}.get(name, " "))

    def end(self, name: str) -> None:
        if self._seen == self._wanted and self._depth == 1:
            if self._aside:
                self._aside -= 1
            elif name in _CELLS:
                self._end_cell()
            elif name == "table-row":
                self.growing.end(self._rows)
        if name == "table":
            self._depth -= 1
            self.done = self.done or (self._seen == self._wanted and not self._depth)

    def text(self, text: str) -> None:
        if self._seen == self._wanted and self._depth == 1 and not self._aside and self._size <= LONGEST_CELL:
            self._parts.append(text)
            self._size += len(text)

    def _end_cell(self) -> None:
        text = self._value if self._value is not None else "".join(self._parts)
        self._parts = []
        self.growing.put(text.strip(), self._columns)


def _repeats(attributes: dict[str, str], name: str) -> int:
    text = attribute(attributes, name)
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _value(attributes: dict[str, str]) -> str | None:
    """The cell's value, None when it is its text."""
    kind = attribute(attributes, "value-type")
    if kind in ("float", "currency", "percentage"):
        return number_text(attribute(attributes, "value"))
    if kind == "date":
        return date_text(attribute(attributes, "date-value"))
    if kind == "boolean":
        return attribute(attributes, "boolean-value").upper()
    return None
