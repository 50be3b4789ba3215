"""A workbook's sheet: its name and its rows, whatever the workbook is written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from mailsync.tables.package import FlawError
from mailsync.tables.table import Filling

LONGEST_CELL = 32_767
MOST_SPREAD = 1_000_000
MOST_ROWS = 1_048_576
MOST_CELLS = 20_000_000
MOST_CHARACTERS = 250_000_000  # cells share texts: a small file can say a long one a million times
# The days of Excel's dates count from here: with 30 December 1899 they are right from March 1900 on.
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no zones
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - same
# What a number format has between quotes and brackets, or behind a backslash, is literal.
_LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|[\\_*].')
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
_MIDNIGHT = re.compile(r"T00:00(:00)?(\.0+)?Z?\Z", re.ASCII)


class SheetRow(NamedTuple):
    """A row's cells as texts and its number in the sheet, from 1; or why it cannot be read; whether it is hidden."""

    cells: list[str]
    number: int
    fault: str = ""
    hidden: bool = False


class Sheet(NamedTuple):
    """A sheet, whose rows are read as they are asked for. Reading them raises package.FlawError.

    `hidden`: people do not see it when they open the workbook.
    """

    name: str
    rows: Callable[[], Iterator[SheetRow]]
    hidden: bool = False


class Growing:
    """Rows in the making: cells come with their place, and gaps before them are empty cells.

    Raises package.FlawError beyond the most rows, cells and characters of a sheet.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: list[SheetRow] = []
        self._cells: list[str] = []
        self._place = 0
        self._number = 0
        self._hidden = False
        self._fault = ""
        self._filling = Filling()
        self._spread = self._seen = self._begun = self._characters = 0

    def begin(self, number: int = 0, *, hidden: bool = False) -> None:
        """A row begins; its number is the next one when it does not say."""
        self._cells, self._place, self._fault, self._hidden = [], 0, "", hidden
        self._begun += 1
        if self._begun > MOST_ROWS:
            raise FlawError(f"it has more than {MOST_ROWS} rows")
        self._number = number or self._number + 1

    def place(self, place: int) -> None:
        """The next cell's place, from 0."""
        if place < self._place:
            self._fault = "its cells are not in order"
        self._place = place

    def put(self, text: str, times: int = 1) -> None:
        """The next cell's text, and of so many cells in all. Empty ones take no room until another follows."""
        self._seen += 1
        if self._seen > MOST_CELLS:
            raise FlawError(f"it has more than {MOST_CELLS} cells")
        place, self._place = self._place, self._place + times
        if self._fault or not text:
            return
        if self._place > self._most:
            self._fault = f"more than {self._most} cells"
        elif len(text) > LONGEST_CELL:
            self._fault = f"a cell of more than {LONGEST_CELL} characters"
        elif self._spreads(times - 1):
            if self._filling.beyond(place - len(self._cells)):
                raise FlawError(self._filling.flaw_text)
            self._cells += [""] * (place - len(self._cells))
            self._cells += [text] * times
            self._count(len(text) * times)

    def end(self, times: int = 1) -> None:
        """The row ends, and is so many rows; blank ones are only counted on."""
        if self._fault or (self._cells and not self._spreads((times - 1) * len(self._cells))):
            self._rows.append(SheetRow([], self._number, self._fault, self._hidden))
        elif self._cells:
            numbers = range(self._number, self._number + times)
            self._rows += [SheetRow(self._cells, number, "", self._hidden) for number in numbers]
            self._count((times - 1) * sum(map(len, self._cells)) if times > 1 else 0)
        self._number += times - 1
        self._cells = []

    def taken(self) -> list[SheetRow]:
        """The rows that have ended since this was last asked."""
        rows, self._rows = self._rows, []
        return rows

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MOST_CHARACTERS:
            raise FlawError(f"its cells have more than {MOST_CHARACTERS} characters")

    def _spreads(self, cells: int) -> bool:
        """True while cells that stand for several may: they take memory that nobody sent."""
        self._spread += cells
        if self._spread > MOST_SPREAD:
            self._fault = f"the sheet's cells spread over more than {MOST_SPREAD} others"
        return not self._fault


def number_text(value: str) -> str:
    """The number as people write it: 12.0 and 1.2E1 are 12; what is no number is itself."""
    found = _NUMBER.match(value)
    if not found or not (found[1] or found[2]):
        return value
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else value


def date_text(value: str) -> str:
    """The ISO 8601 date and time as reports write it: without midnight, and a blank instead of the T."""
    return _MIDNIGHT.sub("", value).replace("T", " ", 1)


def shows_dates(number: int, form: str) -> bool:
    """True for Excel's number formats that show a date: by their number, or by what a format says."""
    bare = _LITERAL.sub("", form).lower().partition(";")[0]
    return number in _DATE_FORMATS or (bare != "general" and any(letter in bare for letter in "ymdhs"))


def moment_text(epoch: datetime, value: str) -> str:
    """The date of so many days since the epoch, or the time of a part of a day; empty when there is none such."""
    try:
        moment = epoch + timedelta(seconds=round(float(value) * 86400))
    except (ValueError, OverflowError):
        return ""
    if 0 <= float(value) < 1:
        return moment.strftime("%H:%M:%S")
    return date_text(moment.isoformat())
