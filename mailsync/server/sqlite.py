"""The store in one SQLite file: embedded, nothing else to start.

Strategy: WAL so that readers never wait; synchronous=FULL so that what was acknowledged survives a power cut; BEGIN
IMMEDIATE so that a writer has the lock before it reads what it decides on. Any number of processes may have the same
file open: a load beside a running server waits its turn, and so does the server.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mailsync.core.damage import is_damage
from mailsync.core.errors import MailsyncError, TemporaryError
from mailsync.server.chain import GENESIS
from mailsync.server.database import NoStoreError, Row, Rows, in_chunks
from mailsync.server.schema import SCHEMA_VERSION, SQLITE, statements
from mailsync.server.sql_store import SqlStore

BUSY_SECONDS = 20.0  # how long a writer waits for another, such as a load, before it answers "busy"
CACHE_KIBIBYTES = 32_768
EPOCH_BYTES = 16
_RESTORE = "restore it from a backup, and say: mailsync server restored"
_APPLICATION_ID = 0x6D737976  # "msyv": file(1) and `open_database` tell a store from another program's database
T = TypeVar("T")


class SqliteStore(SqlStore):
    """A store in one SQLite file, made when it is missing and `make` says so."""

    def __init__(
        self, path: Path, *, by: str = "admin", clock: Callable[[], float] = time.time, make: bool = True
    ) -> None:
        super().__init__(SqliteDatabase(path, make=make), by=by, clock=clock)
        self.path = path


class SqliteDatabase:
    """A `database.Database` in one file."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        self._connection = open_database(path, make=make)

    def read(self, work: Callable[[_Connection], T]) -> T:
        """As database.Database.read."""
        return self._transaction("DEFERRED", work)

    def write(self, work: Callable[[_Connection], T]) -> T:
        """As database.Database.write."""
        return self._transaction("IMMEDIATE", work)

    def each(self, query: str, values: Sequence[object]) -> Iterator[Row]:
        """As database.Database.each: one SELECT is one moment, however long it is read."""
        with self._failures():
            rows = self._connection.execute(query, tuple(values))
        return self._read(rows)

    def close(self) -> None:
        """As database.Database.close."""
        self._connection.close()

    def _read(self, rows: Iterable[Row]) -> Iterator[Row]:
        with self._failures():
            yield from rows

    def _transaction(self, mode: str, work: Callable[[_Connection], T]) -> T:
        """What `work` returns, committed when it ends in order; the disk's troubles become TemporaryError."""
        connection = self._connection
        with self._failures():
            try:
                connection.execute(f"BEGIN {mode}")
                result = work(_Connection(connection))
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        return result

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Around SQL: what is wrong with the file or its disk is a TemporaryError; a broken constraint stays ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise TemporaryError(f"store {self._path} is damaged: {error}", hint=_RESTORE) from error
            if not isinstance(error, sqlite3.OperationalError):
                raise
            hint = "another program writes to it, or the disk is full; nothing was changed"
            raise TemporaryError(f"store {self._path}: {error}", hint=hint) from error


class _Connection:
    """A `database.Connection`. BEGIN IMMEDIATE has locked everything: no row needs to be."""

    locking = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        return self._connection.execute(query, tuple(values))

    def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        self._connection.executemany(query, rows)

    def stream(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        return iter(self._connection.execute(query, tuple(values)))

    def refill(self, table: str, rows: Iterable[Row]) -> None:
        for slots, chunk in in_chunks(rows):
            self._connection.executemany(f"INSERT INTO {table} VALUES ({slots})", chunk)  # noqa: S608 - our own tables

    def each_key(self, query: str, values: Sequence[object], keys: Sequence[str]) -> Iterator[Row]:
        # Each key is looked up in the index; a SELECT per key takes twice as long, and IN (VALUES ...) far longer.
        named = json.dumps(list(keys))
        found = f"{query} IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own queries
        return iter(self._connection.execute(found, (*values, named)))


def open_database(path: Path, *, make: bool = True) -> sqlite3.Connection:
    """A connection to the store in a file, made (mode 0600) where there is none yet.

    Raises TemporaryError when the file cannot be opened or read, MailsyncError when it is not a store of ours; without
    `make` NoStoreError where there is none, and nothing is made or written.
    The connection commits by itself unless a transaction was begun, and may be used from any one thread at a time.
    """
    try:
        # SQLite gives its -wal and -shm files the mode of the database itself.
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, FileNotFoundError) and not make:
            raise NoStoreError(str(path.absolute())) from error
        raise TemporaryError(f"open store {path}: {error}", hint="check the path and its permissions") from error
    try:
        _prepare(connection, path, make=make)
    except sqlite3.OperationalError as error:
        connection.close()
        raise TemporaryError(f"open store {path}: {error}", hint="is the disk full, or the file locked?") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise MailsyncError(f"open store {path}: {error}", hint=_RESTORE) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, make: bool) -> None:
    if not _is_store(connection, path):
        if not make:
            raise NoStoreError(f"{path.absolute()}, which is empty")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not _is_store(connection, path):  # another process may have been faster
            _create(connection)
        connection.execute("COMMIT")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged batch survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")


def _is_store(connection: sqlite3.Connection, path: Path) -> bool:
    """False for an empty database; raises for one that is somebody else's or from another version."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return False
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION_ID:
        raise MailsyncError(f"open store {path}: a database of another program", hint="name another file")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        text = f"open store {path}: schema {version}, and this program knows {SCHEMA_VERSION}"
        raise MailsyncError(text, hint="use the version of mailsync that wrote it, or a newer one")
    return True


def _create(connection: sqlite3.Connection) -> None:
    # Not executescript: it would commit what is begun, and half a schema must never be seen.
    for statement in statements(SQLITE):
        connection.execute(statement)
    first = (secrets.token_bytes(EPOCH_BYTES), GENESIS)
    connection.execute("INSERT INTO store (epoch, ledger_head) VALUES (?, ?)", first)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
