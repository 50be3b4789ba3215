"""The client's copy of the scopes it works on, in one SQLite file per server, key and user.

Strategy (exactly-once.md section 4). A page is committed in one transaction with the cursor it leads to, and only if
the stored cursor is still the one it was asked with: two filters may share a file, and a kill between two pages costs
nothing. A copy is usable once a page without `more` is in. The head of the scope's ledger is kept with it: replies tell
it when nobody asks the server.

A snapshot reads in a transaction of its own, so it says the same however often it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self, TypeVar

from mailsync.client.cache_file import connect, delete, opened, rebuilt, transaction, unusable
from mailsync.client.failures import NoScopeError
from mailsync.client.heads import SeenHead, find_heads, forget_head, put_head
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import TemporaryError
from mailsync.core.fields import FIELD_BY_NAME, FIELD_NAMES
from mailsync.core.ledger import Head
from mailsync.core.model import Repository, RepositoryId, Scope
from mailsync.wire.keys import ClientKey

T = TypeVar("T")
ATTEMPTS = 20
_STORE = f"INSERT INTO volumes VALUES (?, ?{', ?' * len(FIELD_NAMES)}) ON CONFLICT DO UPDATE SET "  # noqa: S608 - names
_ALL = _STORE + ", ".join(f"{name} = excluded.{name}" for name in FIELD_NAMES)
_BUT_TEXT = _STORE + ", ".join(f"{name} = excluded.{name}" for name in FIELD_NAMES if name != "description")
_DELETE = "DELETE FROM volumes WHERE scope = ? AND volume = ?"
_COUNT = "SELECT count(*) FROM volumes WHERE scope = ?"
_EXISTS = "SELECT 1 FROM volumes WHERE scope = ? AND volume = ?"
_CURSOR = "epoch, since, snap, done, mark, at"


class Server(Protocol):
    """What a cache follows: a link."""

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int) -> Iterator[Page]:
        """The pages from the cursor on."""
        ...


class _Copy(NamedTuple):
    """How far the copy of a scope is."""

    name: str
    number: int
    cursor: Cursor
    repositories_version: int
    complete: bool
    size: int


def cache_name(address: str, key: ClientKey, user: str) -> str:
    """The name of the cache for a server (by its public key, else by address), a key and a user: 64 hex digits."""
    state = hashlib.sha256()
    for part in (key.server or address.encode(), key.id.encode(), user.encode()):
        state.update(len(part).to_bytes(4, "big") + part)
    return state.hexdigest()


class CachedSnapshot:
    """A complete scope as the cache had it when this was made (core.model.Snapshot). Close it to let go of it."""

    def __init__(self, connection: sqlite3.Connection, path: Path, scope: Scope, copy: _Copy) -> None:
        self.scope = scope
        self.epoch = copy.cursor.epoch
        self.version = copy.cursor.since
        self.size = copy.size
        self._connection = connection
        self._path = path
        self._number = copy.number
        found = connection.execute(
            "SELECT id, description, kind, offsite FROM repositories WHERE scope = ? ORDER BY id", (copy.number,)
        )
        self.repositories: Mapping[str, Repository] = {
            id_: Repository(RepositoryId(id_), description, kind, bool(offsite))
            for id_, description, kind, offsite in found
        }

    def rows(self, fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Every volume as (volume, *values of `fields`), ascending by volume. KeyError for a field that is none."""
        with self._read():
            yield from self._connection.execute(_select(fields) + " ORDER BY volume", (self._number,))

    def lookup(self, volumes: Iterable[str], fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The same of these volumes alone, as far as the scope has them, in their order."""
        select = _select(fields) + " AND volume = ?"
        with self._read():
            for volume in volumes:
                yield from self._connection.execute(select, (self._number, volume))

    def inside(self, container: str) -> Iterator[str]:
        """The scope's volumes that name this container, by its full barcode, ascending."""
        # The second comparison is the index's own condition: SQLite takes it for no bound value otherwise.
        query = "SELECT volume FROM volumes WHERE scope = ? AND container = ? AND container <> '' ORDER BY volume"
        with self._read():
            for (volume,) in self._connection.execute(query, (self._number, container)):
                yield volume

    @contextlib.contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            with contextlib.suppress(OSError):  # a disk that cannot be written keeps it for the next attempt
                delete(self._path)
            raise unusable(self._path, error) from error

    def close(self) -> None:
        """Ends the snapshot's transaction."""
        self._connection.close()


def _select(fields: Sequence[str]) -> str:
    columns = "".join(f", {FIELD_BY_NAME[field].name}" for field in fields)
    return f"SELECT volume{columns} FROM volumes WHERE scope = ?"  # noqa: S608 - our own names


class Cache:
    """The copies in one file. Use it as a context manager; closing it closes its snapshots."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = rebuilt(path, lambda: opened(path))
        self._snapshots: list[CachedSnapshot] = []

    @classmethod
    def open(cls, folder: Path, name: str) -> Cache:
        """The cache `name` in `folder`; made if need be, for this user alone. TemporaryError when it cannot be."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise unusable(folder, error) from error
        return cls(folder / f"{name}.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        for snapshot in self._snapshots:
            snapshot.close()
        self._connection.close()

    def refresh(self, server: Server, scope: Scope) -> CachedSnapshot:
        """The scope as the server has it now. NoScopeError when it has none, and then the copy is gone, too."""
        try:
            return self._whole(lambda: self._follow(server, scope))
        except NoScopeError:
            self._whole(lambda: self._forget(scope))
            raise

    def place(self, scope: Scope) -> tuple[Cursor, int]:
        """Where the copy of a scope and its repositories stand: what the next `refresh` asks from."""
        begun = self._whole(lambda: self._begun(scope))
        return begun.cursor, begun.repositories_version

    def snapshot(self, scope: Scope) -> CachedSnapshot | None:
        """The scope as it was last seen completely, or None."""
        return self._whole(lambda: self._view(scope))

    def heads(self, chains: Sequence[str]) -> tuple[SeenHead, ...]:
        """Where these chains of the ledger ended when they were last seen, as far as they were."""
        return self._whole(lambda: find_heads(self._connection, chains))

    def keep_head(self, head: Head) -> None:
        """Notes where a chain ends now."""
        self._whole(lambda: put_head(self._connection, head))

    def _whole(self, work: Callable[[], T]) -> T:
        """Does the work, once more on an empty file when this one is damaged."""
        return rebuilt(self._path, work, again=self._reopen)

    def _reopen(self) -> None:
        self._connection.close()
        self._connection = opened(self._path)

    def _follow(self, server: Server, scope: Scope) -> CachedSnapshot:
        for _ in range(ATTEMPTS):
            view = self._view(scope) if self._fetch(server, scope) else None
            if view is not None:
                return view
        raise TemporaryError(f"cache {self._path}: other runs keep changing its copy of {scope}")

    def _fetch(self, server: Server, scope: Scope) -> bool:
        """Commits pages until there are no more, and True; False when somebody else has moved the copy meanwhile."""
        copy = self._begun(scope)
        for page in server.sync(scope, copy.cursor, copy.repositories_version):
            if copy.complete and _changes_nothing(copy, page):
                return True
            if not self._commit(copy, page):
                return False
            copy = copy._replace(cursor=page.cursor, complete=not page.more)
        return copy.complete

    def _begun(self, scope: Scope) -> _Copy:
        found = _find(self._connection, scope)
        if found is None:
            insert = "INSERT OR IGNORE INTO scopes VALUES (NULL, ?, X'', 0, 0, 0, X'', 0, 0, 0, 0)"
            self._connection.execute(insert, (str(scope),))
            found = _find(self._connection, scope)
            assert found is not None
        return found

    def _commit(self, asked: _Copy, page: Page) -> bool:
        """Stores a page and its cursor, and True; False when the copy is no longer where the page was asked from."""
        number = asked.number
        with transaction(self._connection) as connection:
            query = f"SELECT complete, size, {_CURSOR} FROM scopes WHERE number = ?"  # noqa: S608 - our own names
            complete, size, *cursor = connection.execute(query, (number,)).fetchone() or (0, 0)
            if not cursor or Cursor(*cursor) != asked.cursor:
                return False
            size = _write(connection, number, page, counted=size if complete else None)
            if page.repositories is not None:
                connection.execute("DELETE FROM repositories WHERE scope = ?", (number,))
                table = ((number, *repository) for repository in page.repositories)
                connection.executemany("INSERT INTO repositories VALUES (?, ?, ?, ?, ?)", table)
            connection.execute(
                f"UPDATE scopes SET ({_CURSOR}) = (?, ?, ?, ?, ?, ?), repositories_version = ?, complete = ?, size = ?"  # noqa: S608
                " WHERE number = ?",
                (*page.cursor, page.repositories_version, not page.more, size, number),
            )
            put_head(connection, Head(asked.name, page.entry, page.ledger))
        return True

    def _view(self, scope: Scope) -> CachedSnapshot | None:
        connection = connect(self._path)
        connection.execute("BEGIN")
        copy = _find(connection, scope)
        if copy is None or not copy.complete:
            connection.close()
            return None
        self._snapshots.append(CachedSnapshot(connection, self._path, scope, copy))
        return self._snapshots[-1]

    def _forget(self, scope: Scope) -> None:
        with transaction(self._connection) as connection:
            copy = _find(connection, scope)
            if copy is not None:
                forget_head(connection, copy.name)
                for table, column in (("volumes", "scope"), ("repositories", "scope"), ("scopes", "number")):
                    delete = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - the three names above
                    connection.execute(delete, (copy.number,))


def _write(connection: sqlite3.Connection, number: int, page: Page, *, counted: int | None) -> int:
    """Writes a page's volumes; how many the scope has then, 0 while more pages are to come.

    `counted` is how many it has, None while it is fetched. Counting a whole scope costs far more than a few changes:
    that is done once, when a copy becomes complete; from then on what comes and goes is counted.
    """
    if page.reset:
        connection.execute("DELETE FROM volumes WHERE scope = ?", (number,))
    gone = connection.executemany(_DELETE, ((number, volume) for volume in page.tombstones)).rowcount
    follows = counted is not None and not page.reset and not page.more
    new = _missing(connection, number, page) if follows else 0
    kept = frozenset(page.texts_kept)
    connection.executemany(_ALL, ((number, *row) for row in page.rows if row[0] not in kept))
    connection.executemany(_BUT_TEXT, ((number, *row) for row in page.rows if row[0] in kept))
    if counted is not None and follows:
        return counted - gone + new
    return 0 if page.more else int(connection.execute(_COUNT, (number,)).fetchone()[0])


def _missing(connection: sqlite3.Connection, number: int, page: Page) -> int:
    """How many of a page's volumes the copy does not have yet."""
    names = {row[0] for row in page.rows}
    return sum(connection.execute(_EXISTS, (number, name)).fetchone() is None for name in names)


def _changes_nothing(copy: _Copy, page: Page) -> bool:
    news = page.reset or page.more or page.rows or page.tombstones or page.repositories is not None
    return page.cursor == copy.cursor and not news


def _find(connection: sqlite3.Connection, scope: Scope) -> _Copy | None:
    found = connection.execute(
        f"SELECT number, repositories_version, complete, size, {_CURSOR} FROM scopes WHERE name = ?",  # noqa: S608
        (str(scope),),
    ).fetchone()
    if found is None:
        return None
    number, version, complete, size, *cursor = found
    return _Copy(str(scope), number, Cursor(*cursor), version, bool(complete), size)
