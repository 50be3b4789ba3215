"""Loading volumes: all rows or none, every fault at once, flat memory.

Strategy: rows first go to a temporary table, which locks nothing, however slowly they come; then one transaction
walks them in the order of their keys beside the volumes there are, and writes those that differ. A fault, before or
then, rolls everything back.

volume    a field the load names       a field it lacks
exists    set                          keeps its value
missing   set                          repository: the default one; current: the repository; confirmed: the current one

Flag M follows from the places, whatever the file says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.server.database import Connection
from mailsync.server.rules import settled_flags
from mailsync.server.sql_chain import Said, Writing, append, append_site
from mailsync.server.sql_scope import (
    Standpoint,
    Stored,
    Written,
    add_media,
    find_repositories,
    find_volumes,
    has_scope,
    lock_scope,
    put_repositories,
    set_version,
    write_volumes,
)
from mailsync.server.store import Loaded, LoadFault, LoadPolicy, LoadRow

MAX_FAULTS = 1000
_WRITES = 1000
_INCOMING = "SELECT * FROM incoming ORDER BY customer, media, volume, line"


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


def merge(connection: Connection, columns: Columns, policy: LoadPolicy, faults: Faults, writing: Writing) -> Loaded:
    """Carries the spooled rows over, in the caller's transaction. Raises LoadRefusedError when there are faults."""
    merging = _Merging(connection, columns, policy, faults, writing)
    for line, customer, media, volume, *values in connection.stream(_INCOMING):
        merging.row(LoadRow(Scope(CustomerId(customer), MediaId(media)), volume, tuple(values), line))
    loaded = merging.finish()
    if loaded.faults:
        raise LoadRefusedError(loaded)
    return loaded


def _good(rows: Iterable[LoadRow | LoadFault], faults: Faults) -> Iterator[tuple[object, ...]]:
    for row in rows:
        if isinstance(row, LoadFault):
            faults.add(row)
        else:
            yield (row.line, *row.scope, row.volume, *row.values)


class _Here:
    """What a load did to the scope it is in: how many rows it has there, and a digest of the volumes it wrote."""

    def __init__(self) -> None:
        self.rows = 0
        self.repositories: list[str] = []
        self.hashed = hashlib.sha256()


class _Merging:
    """Rows in the order of their keys on their way into the tables, one scope after the other."""

    def __init__(
        self, connection: Connection, columns: Columns, policy: LoadPolicy, faults: Faults, writing: Writing
    ) -> None:
        self._connection = connection
        self._writing = writing
        self._here = _Here()
        self._columns = columns
        self._policy = policy
        self._faults = faults
        self._at: Standpoint | None = None
        self._version = 0
        self._known: set[str] = set()
        self._previous: LoadRow | None = None
        self._waiting: list[LoadRow] = []
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
            append_site(self._connection, self._writing, Said("scope", {"scope": str(scope)}))
            self._scopes.append(scope)
        self._at = lock_scope(self._connection, scope)
        self._version = self._at.version
        self._here = _Here()
        self._known = {repository.id for repository in find_repositories(self._connection, self._at.number)}

    def _leave(self) -> None:
        if self._at is None:
            return
        self._flush(self._at)
        here = self._here
        if self._version != self._at.version:
            set_version(self._connection, self._at.number, self._version)
        if self._version != self._at.version or here.repositories:
            said = {
                "rows": here.rows,
                "volumes": self._version - self._at.version,
                "repositories": here.repositories,
                "sha256": here.hashed.hexdigest(),
            }
            append(self._connection, self._at, self._writing, Said("load", said), version=self._version)

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
            self._here.repositories += added
        return True

    def _carry(self, row: LoadRow, at: Standpoint) -> None:
        self._rows += 1
        self._here.rows += 1
        self._waiting.append(row)
        if len(self._waiting) >= _WRITES:
            self._flush(at)

    def _written(self, row: LoadRow, stored: Stored | None, at: Standpoint) -> Written | None:
        said = dict(zip(self._columns.names, row.values, strict=True))
        if stored is None:
            volume = settled_flags(self._new(said, at))
            self._added += 1
        else:
            volume = settled_flags(stored.volume._replace(**said))
            if volume == stored.volume:
                return None
            self._changed += 1
        self._version += 1
        return Written(row.volume, self._version, None, volume, stored)

    @staticmethod
    def _new(said: dict[str, str], at: Standpoint) -> Volume:
        target = said.get("repository", at.default_repository)
        current = said.get("current_repository", target)
        confirmed = said.get("confirmed_repository", current)
        places = {"repository": target, "current_repository": current, "confirmed_repository": confirmed}
        return Volume(**{**said, **places})

    def _flush(self, at: Standpoint) -> None:
        stored = find_volumes(self._connection, at.number, [row.volume for row in self._waiting])
        every = [self._written(row, stored.get(row.volume), at) for row in self._waiting]
        written = [one for one in every if one is not None]
        for one in written:
            self._here.hashed.update(json.dumps([one.name, one.version, *one.volume]).encode())
        write_volumes(self._connection, at.number, written)
        self._waiting.clear()
