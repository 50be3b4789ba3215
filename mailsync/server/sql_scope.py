"""What every part of the store asks of a scope: where it stands, its repositories, its volumes by key.

All functions run inside the caller's transaction. A writer begins with `lock_scope`: whoever writes to a scope, in
whichever process, numbers its rows after everybody who wrote before, so that no reader ever misses one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.server.administration import ScopeState
from mailsync.server.chain import GENESIS
from mailsync.server.database import Connection, Database, Row
from mailsync.server.sql_grants import no_such_scope
from mailsync.server.store import RequestError, Stats
from mailsync.wire import limits
from mailsync.wire.errors import Code

COLUMNS = ", ".join(FIELD_NAMES)
_UPSERT = (
    f"INSERT INTO volumes (media, volume, version, text_version, batch, sent, {COLUMNS}) "  # noqa: S608 - our own field names
    f"VALUES (?, ?, ?, ?, ?, ?{', ?' * len(FIELD_NAMES)}) ON CONFLICT (media, volume) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("version", "text_version", "batch", "sent", *FIELD_NAMES))
)
_SELECT_VOLUMES = (
    f"SELECT volume, version, text_version, batch, sent, {COLUMNS} FROM volumes WHERE media = ? AND volume"  # noqa: S608
)
_SELECT_TOMBSTONES = "SELECT volume, version FROM tombstones WHERE media = ? AND volume"
_STATES = """
    SELECT m.number, m.customer, m.id, m.description, m.default_repository, s.epoch, m.version, m.floor,
           m.repositories_version, m.ledger_head, m.volumes, m.volume_filter, m.cap, m.locked,
           m.ledger_seq
    FROM media AS m, store AS s
"""


class Standpoint(NamedTuple):
    """A scope's row: its number in the tables, and where its life stands; `entry` and `head` end its ledger."""

    number: int
    scope: Scope
    description: str
    default_repository: str
    epoch: bytes
    version: int
    floor: int
    repositories_version: int
    head: bytes
    volumes: int
    volume_filter: str
    cap: int
    locked: int
    entry: int


class Stored(NamedTuple):
    """A volume with the versions at which it and its description last changed; `batch` is what did it, None: a load.

    `sent` is when its target last changed, in Unix seconds; 0 where it never did.
    """

    version: int
    text_version: int
    batch: int | None
    sent: int
    volume: Volume


class Written(NamedTuple):
    """A volume to write; `stored` is what it was, None for one that was missing, and may have a tombstone.

    `now` is the time of the change, in Unix seconds.
    """

    name: str
    version: int
    batch: int | None
    now: int
    volume: Volume
    stored: Stored | None

    @property
    def sent(self) -> int:
        """When its target last changed."""
        if self.stored is None:
            return 0
        return self.stored.sent if self.stored.volume.repository == self.volume.repository else self.now

    @property
    def text_version(self) -> int:
        """The version at which its description last changed."""
        same = self.stored is not None and self.stored.volume.description == self.volume.description
        return self.stored.text_version if self.stored is not None and same else self.version


def find_scope(connection: Connection, scope: Scope, *, locking: str = "") -> Standpoint:
    """The scope's standpoint. Raises RequestError NO_SUCH_SCOPE."""
    row = connection.execute(f"{_STATES} WHERE m.customer = ? AND m.id = ?{locking}", scope).fetchone()
    if row is None:
        raise no_such_scope(scope)
    return _standpoint(row)


def lock_scope(connection: Connection, scope: Scope) -> Standpoint:
    """The scope's standpoint, which nobody else changes until the transaction ends. Raises as `find_scope` does."""
    return find_scope(connection, scope, locking=connection.locking)


def has_scope(connection: Connection, scope: Scope) -> bool:
    """True when the store has the scope."""
    return connection.execute("SELECT 1 FROM media WHERE customer = ? AND id = ?", scope).fetchone() is not None


def add_media(connection: Connection, scope: Scope, *, description: str = "", default_repository: str = "") -> int:
    """Adds a media type, and its customer where that is new; returns the new scope's number in the tables."""
    connection.execute(
        "INSERT INTO customers (id, description) VALUES (?, '') ON CONFLICT (id) DO NOTHING", (scope.customer,)
    )
    query = (
        "INSERT INTO media (customer, id, description, default_repository, ledger_head) "
        "VALUES (?, ?, ?, ?, ?) RETURNING number"
    )
    return int(connection.execute(query, (*scope, description, default_repository, GENESIS)).fetchall()[0][0])


def find_scopes(connection: Connection) -> tuple[ScopeState, ...]:
    """Every scope, ascending."""
    customers: dict[str, str] = dict(connection.execute("SELECT id, description FROM customers").fetchall())
    return tuple(
        ScopeState(
            *one[1:8],
            volumes=one.volumes,
            customer_description=customers[one.scope.customer],
            volume_filter=one.volume_filter,
            cap=one.cap,
            locked=bool(one.locked),
        )
        for one in find_standpoints(connection)
    )


def find_standpoints(connection: Connection) -> tuple[Standpoint, ...]:
    """Where every scope stands, ascending."""
    return tuple(map(_standpoint, connection.execute(f"{_STATES} ORDER BY m.customer, m.id").fetchall()))


def find_repositories(connection: Connection, number: int) -> tuple[Repository, ...]:
    """The repositories of the scope, ascending."""
    query = "SELECT id, description, kind, offsite FROM repositories WHERE media = ? ORDER BY id"
    return tuple(
        Repository(RepositoryId(name), description, kind, bool(offsite))
        for name, description, kind, offsite in connection.execute(query, (number,))
    )


def put_repositories(connection: Connection, number: int, repositories: Iterable[Repository]) -> None:
    """Adds or changes repositories; the version of their table rises. Raises RequestError INVALID."""
    connection.executemany(
        "INSERT INTO repositories (media, id, description, kind, offsite) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (media, id) "
        "DO UPDATE SET description = excluded.description, kind = excluded.kind, offsite = excluded.offsite",
        [(number, one.id, one.description, one.kind, int(one.offsite)) for one in repositories],
    )
    ((count,),) = connection.execute("SELECT count(*) FROM repositories WHERE media = ?", (number,)).fetchall()
    if count > limits.REPOSITORIES:
        raise RequestError(Code.INVALID, f"a scope has at most {limits.REPOSITORIES} repositories")
    connection.execute("UPDATE media SET repositories_version = repositories_version + 1 WHERE number = ?", (number,))


def find_volumes(connection: Connection, number: int, volumes: Sequence[str]) -> dict[str, Stored]:
    """Those of the volumes that the scope has."""
    rows = connection.each_key(_SELECT_VOLUMES, (number,), volumes)
    return {row[0]: Stored(row[1], row[2], row[3], row[4], Volume._make(row[5:])) for row in rows}


def find_tombstones(connection: Connection, number: int, volumes: Sequence[str]) -> dict[str, int]:
    """The versions at which those of the volumes were deleted that were (unless that is forgotten)."""
    return {row[0]: int(row[1]) for row in connection.each_key(_SELECT_TOMBSTONES, (number,), volumes)}


def write_volumes(connection: Connection, number: int, written: Iterable[Written]) -> None:
    """Writes the volumes; re-creating a key takes its tombstone away, so that no page can revive a deletion."""
    kept = list(written)
    gone = [(number, one.name) for one in kept if one.stored is None]
    connection.executemany("DELETE FROM tombstones WHERE media = ? AND volume = ?", gone)
    connection.executemany(
        _UPSERT, [(number, one.name, one.version, one.text_version, one.batch, one.sent, *one.volume) for one in kept]
    )


def each_volume(database: Database, number: int) -> Iterator[tuple[str, Volume]]:
    """Every volume of the scope, ascending: one SELECT, so one moment, however long it is read."""
    query = f"SELECT volume, {COLUMNS} FROM volumes WHERE media = ? ORDER BY volume"  # noqa: S608
    return ((row[0], Volume(*row[1:])) for row in database.each(query, (number,)))


def delete_volumes(connection: Connection, at: Standpoint, volumes: Iterable[str]) -> list[str]:
    """Deletes those of the volumes that exist, each with a version and a tombstone of its own; which there were.

    Raises RequestError INVALID for a container that holds others than these.
    """
    version = at.version
    gone = []
    for name in volumes:
        query = "DELETE FROM volumes WHERE media = ? AND volume = ?"
        if connection.execute(query, (at.number, name)).rowcount:
            version += 1
            gone.append(name)
            tombstone = (at.number, name, version)
            connection.execute("INSERT INTO tombstones (media, volume, version) VALUES (?, ?, ?)", tombstone)
        connection.execute("DELETE FROM attributes WHERE media = ? AND volume = ?", (at.number, name))
    for name in gone:
        query = "SELECT 1 FROM volumes WHERE container = ? AND container <> '' LIMIT 1"
        if connection.execute(query, (f"{at.scope}.{name}",)).fetchone():
            raise RequestError(Code.INVALID, f"delete {at.scope}.{name}: it holds volumes", hint="take them out first")
    set_version(connection, at.number, version, added=-len(gone))
    return gone


def forget_tombstones(connection: Connection, at: Standpoint, through: int) -> None:
    """Forgets tombstones up to a version; in the same transaction the floor rises to the newest of them."""
    row = connection.execute(
        "SELECT max(version) FROM tombstones WHERE media = ? AND version <= ?", (at.number, min(through, at.version))
    ).fetchone()
    if row is not None and row[0] is not None:
        connection.execute("DELETE FROM tombstones WHERE media = ? AND version <= ?", (at.number, row[0]))
        connection.execute("UPDATE media SET floor = ? WHERE number = ?", (max(at.floor, row[0]), at.number))


def set_version(connection: Connection, number: int, version: int, *, added: int = 0) -> None:
    """Makes `version` the scope's newest, which has so many volumes more."""
    connection.execute("UPDATE media SET version = ?, volumes = volumes + ? WHERE number = ?", (version, added, number))


def find_stats(connection: Connection, number: int) -> Stats:
    """The scope in figures."""
    query = "SELECT repository, count(*) FROM volumes WHERE media = ? GROUP BY repository ORDER BY repository"
    repositories = tuple((row[0], row[1]) for row in connection.execute(query, (number,)))
    flags: Counter[str] = Counter()
    query = "SELECT flags, count(*) FROM volumes WHERE media = ? GROUP BY flags"
    for letters, count in connection.execute(query, (number,)):
        flags.update(dict.fromkeys(letters, count))
    size = " + ".join(f"length({name})" for name in ("volume", *FIELD_NAMES))
    query = f"SELECT coalesce(sum({size}), 0) FROM volumes WHERE media = ?"  # noqa: S608 - our own field names
    ((total,),) = connection.execute(query, (number,)).fetchall()
    return Stats(sum(count for _, count in repositories), repositories, tuple(sorted(flags.items())), int(total))


def _standpoint(row: Row) -> Standpoint:
    number, customer, media, *rest = row
    return Standpoint(number, Scope(CustomerId(customer), MediaId(media)), *rest)
