"""The rows of a load on their way to a temporary table, which locks nothing, however slowly they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.server.database import Connection
from mailsync.server.rules import attribute_number
from mailsync.server.store import Loaded, LoadFault, LoadRow

MAX_FAULTS = 1000


class Columns(NamedTuple):
    """The fields and attributes a load names, and where among them are repositories, fields, and attributes.

    `attributes` have the attribute's number, too.
    """

    names: tuple[str, ...]
    repositories: tuple[int, ...]
    fields: tuple[tuple[int, str], ...]
    attributes: tuple[tuple[int, int], ...]


def columns_of(fields: Sequence[str]) -> Columns:
    """The columns of a load of these fields, and of attributes such as `attribute_7`."""
    numbers = [attribute_number(name) for name in fields]
    named = tuple((index, name) for index, name in enumerate(fields) if not numbers[index])
    places = tuple(index for index, name in named if FIELD_BY_NAME[name].kind is Kind.REPOSITORY)
    attributes = tuple((index, number) for index, number in enumerate(numbers) if number)
    return Columns(tuple(fields), places, named, attributes)


class Faults:
    """The faults of a load: the first of them by line, and the number of all."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[LoadFault] = []

    def add(self, fault: LoadFault) -> None:
        """Notes one; those beyond the bound are only counted."""
        self.count += 1
        if len(self._kept) < MAX_FAULTS:
            self._kept.append(fault)

    def all(self) -> tuple[LoadFault, ...]:
        """Those noted, by line."""
        return tuple(sorted(self._kept))

    def copy(self) -> Faults:
        """The same faults, to which others can be added."""
        other = Faults()
        other.count, other._kept = self.count, list(self._kept)
        return other


class LoadRefusedError(Exception):
    """Undoes a load that has faults; `loaded` tells them."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__("the load has faults")
        self.loaded = loaded


def spool(connection: Connection, columns: Columns, rows: Iterable[LoadRow | LoadFault], faults: Faults) -> None:
    """Puts the good rows into a temporary table, in the caller's transaction, which need not write to the store."""
    names = "".join(f", {name}" for name in columns.names)
    connection.execute("DROP TABLE IF EXISTS incoming")
    texts = "".join(f", {name} TEXT" for name in ("media", "volume", *columns.names))
    connection.execute(f"CREATE TEMP TABLE incoming (line BIGINT, customer TEXT{texts})")
    slots = ", ?" * len(columns.names)
    query = f"INSERT INTO incoming (line, customer, media, volume{names}) VALUES (?, ?, ?, ?{slots})"  # noqa: S608 - our own field names
    connection.executemany(query, _good(rows, faults))


def _good(rows: Iterable[LoadRow | LoadFault], faults: Faults) -> Iterator[tuple[object, ...]]:
    for row in rows:
        if isinstance(row, LoadFault):
            faults.add(row)
        else:
            yield (row.line, *row.scope, row.volume, *row.values)
