"""Excel workbooks (.xlsx, ECMA-376 part 1, SpreadsheetML): the sheets and their rows as text.

Numbers are as written, without the noise of a fraction of zero; dates, which are numbers with a date format, become
`2031-01-31`, with a time `2031-01-31 08:10:00`; flags are TRUE and FALSE; formulas are their last result. Rows that
are not in the file do not exist; a row knows its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache, partial
from typing import NamedTuple

from mailsync.tables.package import FlawError, Package
from mailsync.tables.sheet import (
    EPOCH,
    EPOCH_1904,
    LONGEST_CELL,
    Growing,
    Sheet,
    SheetRow,
    date_text,
    moment_text,
    number_text,
    shows_dates,
)

MOST_STRINGS_BYTES = 100_000_000
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}\Z", re.ASCII)
_WORKBOOK = "xl/workbook.xml"
_TRUE = ("1", "true")


class _Book(NamedTuple):
    """What cells refer to: strings, which formats are dates, and the day dates count from."""

    strings: list[str]
    dates: frozenset[int]
    epoch: datetime


def xlsx_sheets(package: Package, most: int) -> list[Sheet]:
    """The sheets in their order, at most so many columns each. Raises FlawError."""
    book, links = _Workbook(), _Links()
    package.parse(_WORKBOOK, book)
    package.parse("xl/_rels/workbook.xml.rels", links)
    epoch = EPOCH_1904 if book.since_1904 else EPOCH
    shared = cache(lambda: _Book(_strings(package), _dates(package), epoch))

    def rows(target: str) -> Iterator[SheetRow]:
        cells = _Rows(shared(), most)
        for _ in package.stream(target, cells):
            yield from cells.growing.taken()

    found = []
    for name, link, hidden in book.sheets:
        target = links.targets.get(link, "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        found.append(Sheet(name, partial(rows, path), hidden))
    return found


def _strings(package: Package) -> list[str]:
    strings = _Strings()
    if package.has("xl/sharedStrings.xml"):
        package.parse("xl/sharedStrings.xml", strings, MOST_STRINGS_BYTES)
    return strings.found


def _dates(package: Package) -> frozenset[int]:
    """The cell styles that show a number as a date."""
    styles = _Styles()
    if package.has("xl/styles.xml"):
        package.parse("xl/styles.xml", styles)
    return frozenset(place for place, form in enumerate(styles.cells) if shows_dates(form, styles.forms.get(form, "")))


class _Workbook:
    """The sheets' names and links, and whether they are hidden."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.since_1904 = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), _link(attributes), hidden))
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904", "") in _TRUE

    def end(self, name: str) -> None:
        """Nothing ends here that matters."""

    def text(self, text: str) -> None:
        """There is none that matters."""


def _link(attributes: dict[str, str]) -> str:
    return next((value for key, value in attributes.items() if key.endswith(":id")), "")


class _Links(_Workbook):
    """Where the workbook's files are, by link."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")


class _Styles(_Workbook):
    """The number format of each cell style, and the formats that are not built in."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[int] = []
        self.forms: dict[int, str] = {}
        self._within = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        number = attributes.get("numFmtId", "")
        form = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
        if name == "numFmt":
            self.forms[form] = attributes.get("formatCode", "")[:256]
        elif name == "cellXfs":
            self._within = True
        elif name == "xf" and self._within:
            self.cells.append(form)

    def end(self, name: str) -> None:
        self._within = self._within and name != "cellXfs"


class _Strings(_Workbook):
    """The texts that cells share; readings (phonetic runs) are no part of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._parts: list[str] = []
        self._shown = self._phonetic = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - all handlers are called alike
        self._phonetic = self._phonetic or name == "rPh"
        self._shown = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._shown = False
        self._phonetic = self._phonetic and name != "rPh"
        if name == "si":
            self.found.append("".join(self._parts))
            self._parts = []

    def text(self, text: str) -> None:
        if self._shown:
            self._parts.append(text)


class _Rows:
    """A sheet's rows."""

    def __init__(self, book: _Book, most: int) -> None:
        self.growing = Growing(most)
        self._book = book
        self._type = self._style = ""
        self._parts: list[str] = []
        self._size = 0
        self._shows = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            reference = _REFERENCE.match(attributes.get("r", ""))
            if reference:
                self.growing.place(_column(reference[1]))
            self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._parts, self._size = [], 0
        elif name in ("v", "t"):
            self._shows = True
        elif name == "row":
            number = attributes.get("r", "")
            place = int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 0
            self.growing.begin(place, hidden=attributes.get("hidden", "") in _TRUE)

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._shows = False
        elif name == "c":
            self.growing.put(self._shown("".join(self._parts)))
        elif name == "row":
            self.growing.end()

    def text(self, text: str) -> None:
        if self._shows and self._size <= LONGEST_CELL:
            self._parts.append(text)
            self._size += len(text)

    def _shown(self, value: str) -> str:
        """The cell's text."""
        if self._type == "s":
            place = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else -1
            if not 0 <= place < len(self._book.strings):
                raise FlawError("a cell refers to a text that is not there")
            return self._book.strings[place]
        if self._type == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        if self._type == "d":
            return date_text(value)
        if self._type != "n" or not value:
            return value
        style = self._style
        is_date = style.isascii() and style.isdecimal() and len(style) < 10 and int(style) in self._book.dates
        return (is_date and moment_text(self._book.epoch, value)) or number_text(value)


def _column(letters: str) -> int:
    """The column's place from 0: A, B, ... Z, AA, ..."""
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1
