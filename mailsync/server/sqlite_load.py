"""Loading volumes into SQLite: all rows or none, every fault at once, flat memory.

Strategy: rows first go to a temporary table, which locks nothing, however slowly they come; then one transaction
walks them in the order of their keys beside the volumes there are, and writes those that differ. A fault, before or
then, rolls everything back.

volume    a field the load names       a field it lacks
exists    set                          keeps its value
missing   set                          repository: the default one; current: the repository; confirmed: the current one

Flag M follows from the places, whatever the file says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.server.rules import settled_flags
from mailsync.server.sqlite_scope import (
    Standpoint,
    Written,
    add_media,
    find_repositories,
    find_scope,
    find_volume,
    has_scope,
    put_repositories,
    set_version,
    write_volumes,
)
from mailsync.server.store import Loaded, LoadFault, LoadPolicy, LoadRow

MAX_FAULTS = 1000
_WRITES = 1000


class Columns(NamedTuple):
    """The fields a load names, and where among them the repositories are."""

    names: tuple[str, ...]
    repositories: tuple[int, ...]


def columns_of(fields: Sequence[str]) -> Columns:
    """The columns of a load of these fields."""
    places = tuple(index for index, name in enumerate(fields) if FIELD_BY_NAME[name].kind is Kind.REPOSITORY)
    return Columns(tuple(fields), places)


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


def spool(
    connection: sqlite3.Connection, columns: Columns, rows: Iterable[LoadRow | LoadFault], faults: Faults
) -> None:
    """Puts the good rows into a temporary table, in the caller's transaction, which need not write to the store."""
    names = "".join(f", {name}" for name in columns.names)
    connection.execute("DROP TABLE IF EXISTS temp.incoming")
    connection.execute(f"CREATE TEMP TABLE incoming (customer, media, volume, line{names})")
    slots = ", ?" * len(columns.names)
    query = f"INSERT INTO temp.incoming (customer, media, volume, line{names}) VALUES (?, ?, ?, ?{slots})"  # noqa: S608 - our own field names
    connection.executemany(query, _good(rows, faults))


def merge(connection: sqlite3.Connection, columns: Columns, policy: LoadPolicy, faults: Faults) -> Loaded:
    """Carries the spooled rows over, in the caller's transaction, which is to be rolled back when there are faults."""
    merging = _Merging(connection, columns, policy, faults)
    rows = connection.execute("SELECT * FROM temp.incoming ORDER BY customer, media, volume, line")
    for customer, media, volume, line, *values in rows:
        merging.row(LoadRow(Scope(CustomerId(customer), MediaId(media)), volume, tuple(values), line))
    return merging.finish()


def _good(rows: Iterable[LoadRow | LoadFault], faults: Faults) -> Iterator[tuple[object, ...]]:
    for row in rows:
        if isinstance(row, LoadFault):
            faults.add(row)
        else:
            yield (*row.scope, row.volume, row.line, *row.values)


class _Merging:
    """Rows in the order of their keys on their way into the tables, one scope after the other."""

    def __init__(self, connection: sqlite3.Connection, columns: Columns, policy: LoadPolicy, faults: Faults) -> None:
        self._connection = connection
        self._columns = columns
        self._policy = policy
        self._faults = faults
        self._at: Standpoint | None = None
        self._version = 0
        self._known: set[str] = set()
        self._previous: LoadRow | None = None
        self._writes: list[Written] = []
        self._rows = self._added = self._changed = 0
        self._scopes: list[Scope] = []
        self._repositories: list[tuple[Scope, str]] = []

    def row(self, row: LoadRow) -> None:
        """Takes the next row."""
        previous, self._previous = self._previous, row
        if previous is None or previous.scope != row.scope:
            self._turn_to(row.scope)
        elif previous.volume == row.volume:
            text = f"volume {row.scope}.{row.volume} is in line {previous.line} already"
            self._faults.add(LoadFault(row.line, text))
            return
        if self._at is None:
            self._faults.add(LoadFault(row.line, f"no scope {row.scope}"))
        elif self._places_exist(row, self._at):
            self._carry(row, self._at)

    def finish(self) -> Loaded:
        """What was done, when nothing more comes."""
        self._leave()
        return Loaded(
            rows=self._rows,
            added=self._added,
            changed=self._changed,
            scopes_added=tuple(self._scopes),
            repositories_added=tuple(self._repositories),
            faults=self._faults.all(),
            faulty=self._faults.count,
        )

    def _turn_to(self, scope: Scope) -> None:
        self._leave()
        self._at = None
        if not has_scope(self._connection, scope):
            if self._policy is LoadPolicy.STRICT:
                return
            add_media(self._connection, scope)
            self._scopes.append(scope)
        self._at = find_scope(self._connection, scope)
        self._version = self._at.version
        self._known = {repository.id for repository in find_repositories(self._connection, self._at.number)}

    def _leave(self) -> None:
        if self._at is not None:
            self._flush(self._at)
            if self._version != self._at.version:
                set_version(self._connection, self._at.number, self._version)

    def _places_exist(self, row: LoadRow, at: Standpoint) -> bool:
        unknown = {place for index in self._columns.repositories if (place := row.values[index])} - self._known
        if unknown and self._policy is LoadPolicy.STRICT:
            for place in sorted(unknown):
                self._faults.add(LoadFault(row.line, f'repository "{place}" is unknown in {row.scope}'))
            return False
        if unknown:
            self._known |= unknown
            added = sorted(unknown)
            put_repositories(self._connection, at.number, [Repository(RepositoryId(one), one) for one in added])
            self._repositories.extend((row.scope, one) for one in added)
        return True

    def _carry(self, row: LoadRow, at: Standpoint) -> None:
        self._rows += 1
        stored = find_volume(self._connection, at.number, row.volume)
        said = dict(zip(self._columns.names, row.values, strict=True))
        if stored is None:
            volume = settled_flags(self._new(said, at))
            self._added += 1
        else:
            volume = settled_flags(stored.volume._replace(**said))
            if volume == stored.volume:
                return
            self._changed += 1
        self._version += 1
        self._writes.append(Written(row.volume, self._version, None, volume, stored is None))
        if len(self._writes) >= _WRITES:
            self._flush(at)

    @staticmethod
    def _new(said: dict[str, str], at: Standpoint) -> Volume:
        target = said.get("repository", at.default_repository)
        current = said.get("current_repository", target)
        confirmed = said.get("confirmed_repository", current)
        places = {"repository": target, "current_repository": current, "confirmed_repository": confirmed}
        return Volume(**{**said, **places})

    def _flush(self, at: Standpoint) -> None:
        write_volumes(self._connection, at.number, self._writes)
        self._writes.clear()
