"""What the recorded rows of a scope say: a tuple for each row, kept small however many there are.

    rows repeat, or are few       a list of tuples, in which equal ones are one object
    many that hardly repeat       by columns: a column of few texts as their numbers, one of ASCII texts that are all
                                  as long (times) end to end, any other as a list of texts

A million tuples with a time of their own take 160 bytes each; by columns they take about 25.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress
from typing import overload

from mailsync.core.model import Value
from mailsync.definition.cells import Distinct

_MANY = 1 << 16
_BLOCK = 256
_UNSET, _SILENT = "\0", "\1"  # characters that no value has stand for "" and None among texts that are as long
Row = tuple[Value, ...]


class Values(Sequence[Row]):
    """The values of rows in their order; rows are added at the end."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = list(rows)
        self._columns: list[_Column] = []
        self._size = 0
        self._begin, self._block = 0, list[Row]()
        self._share: Distinct[Row, Row] = Distinct(list)

    def append(self, row: Row) -> None:
        """Adds one row."""
        if self._columns:
            self._add([[value] for value in row], 1)
        else:
            self._rows.append(row)

    def extend(self, columns: Sequence[list[Value]], rows: int) -> None:
        """Adds so many rows, given as their columns."""
        if self._columns:
            self._add(columns, rows)
            return
        self._rows += self._share(list(zip(*columns, strict=True))) if columns else [()] * rows
        if len(self._rows) > _MANY and not self._share.repeats:
            size, columns = len(self._rows), [list(column) for column in zip(*self._rows, strict=True)]
            self._rows = []
            self._columns = [_Column() for _ in columns]
            self._add(columns, size)

    def plain(self) -> Sequence[Row]:
        """The rows as they are read quickest: a list, where they are one."""
        return self if self._columns else self._rows

    def chosen(self, which: Sequence[int]) -> Values:
        """The rows at whose place there is no 0."""
        return Values(compress(self, which))

    def __len__(self) -> int:
        return self._size or len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if not self._columns:
            return self._rows[place]
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self._size))]
        if not -self._size <= place < self._size:
            raise IndexError(place)
        place %= self._size
        ahead = place - self._begin
        if 0 <= ahead < len(self._block):
            return self._block[ahead]
        # Rows are mostly asked for in their order: then some are made at once.
        if not 0 <= ahead - len(self._block) < _BLOCK:
            return self._part(place, place + 1)[0]
        self._begin, self._block = place, self._part(place, place + _BLOCK)
        return self._block[0]

    def __iter__(self) -> Iterator[Row]:
        if not self._columns:
            return iter(self._rows)
        return chain.from_iterable(self._part(place, place + _BLOCK) for place in range(0, self._size, _BLOCK))

    def _part(self, start: int, end: int) -> list[Row]:
        return list(zip(*(column.part(start, end) for column in self._columns), strict=True))

    def _add(self, columns: Sequence[list[Value]], rows: int) -> None:
        self._size += rows
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)


class _Column:
    """A column that grows: numbers of few texts, then texts end to end, then a list of them."""

    def __init__(self) -> None:
        self._texts: list[Value] = []
        self._known: dict[Value, int] = {}
        self._numbers = array("H")
        self._width = 0
        self._ends = bytearray()
        self._list: list[Value] | None = None

    def extend(self, values: list[Value]) -> None:
        """Adds values at the end."""
        if self._width:
            joined = self._joined(values)
            if joined is not None:
                self._ends += joined
                return
            before = self.part(0, len(self._ends) // self._width)
            self._list, self._width, self._ends = before, 0, bytearray()
        if self._list is not None:
            self._list += values
            return
        for value in set(values).difference(self._known):
            self._known[value] = len(self._texts)
            self._texts.append(value)
        if len(self._texts) < _MANY:
            self._numbers.extend(map(self._known.__getitem__, values))
            return
        before = self.part(0, len(self._numbers))
        self._known, self._texts, self._numbers = {}, [], array("H")
        self._width = max(map(len, filter(None, values)), default=0)
        joined = self._joined(before + values) if self._width else None
        if joined is None:
            self._width, self._list = 0, before + values
        else:
            self._ends += joined

    def part(self, start: int, end: int) -> list[Value]:
        """The values from `start` up to `end`."""
        if self._list is not None:
            return self._list[start:end]
        width = self._width
        if not width:
            return [self._texts[number] for number in self._numbers[start:end]]
        text = self._ends[start * width : end * width].decode("ascii")
        texts: list[Value] = [text[place : place + width] for place in range(0, len(text), width)]
        if _UNSET not in text and _SILENT not in text:
            return texts
        said: dict[Value, Value] = {_UNSET * width: "", _SILENT * width: None}
        return [said.get(one, one) for one in texts]

    def _joined(self, values: list[Value]) -> bytes | None:
        """The texts end to end, None where they are not all as long, or not all ASCII."""
        if not set(map(len, filter(None, values))) <= {self._width}:
            return None
        blank = {"": _UNSET * self._width, None: _SILENT * self._width}
        text = "".join([value or blank[value] for value in values])
        return text.encode("ascii") if text.isascii() else None
