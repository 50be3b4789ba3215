"""The store in PostgreSQL: any number of server processes over one database (server.md, PostgreSQL).

Strategy: READ COMMITTED with the scope's row locked first, so that versions are committed in their order (a sequence
lost 26 % of the rows for readers); readers are REPEATABLE READ, one moment. What PostgreSQL wants done again
(serialization failures, deadlocks, two servers that create the same thing) is done again, a few times.

A promoted replica may lack what was committed before: every connection compares the cluster's identifier and timeline
with those the store was last used in, and begins a new epoch when they differ, so that no client's copy is believed to
be of this life (exactly-once.md section 4).
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import psycopg
from psycopg import conninfo

from mailsync.core.errors import MailsyncError, TemporaryError, UsageError
from mailsync.server.chain import GENESIS
from mailsync.server.database import NoStoreError, Row, Rows, in_chunks
from mailsync.server.schema import NUMBERED, POSTGRES, SCHEMA_VERSION, statements
from mailsync.server.sql_chain import Writing, begin_life
from mailsync.server.sql_store import SqlStore

EPOCH_BYTES = 16
ATTEMPTS = 6  # of a transaction that other servers are in the way of
CONNECT_SECONDS = 10
_FETCH = 2000  # rows at a time
_MAKING = 0x6D737976  # the advisory lock of whoever makes the tables
_OPTIONS = (
    "-c search_path=mailsync -c statement_timeout=50000 -c lock_timeout=20000 "
    "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC -c client_min_messages=warning"
)
# The timeline of the log that is being written: the control file shows a promotion only after the next checkpoint.
_CLUSTER = """
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) FROM pg_control_system()
"""
_AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation)
T = TypeVar("T")


class PostgresStore(SqlStore):
    """A store in the schema `mailsync` of a PostgreSQL database, made when it is missing and `make` says so."""

    def __init__(
        self, url: str, *, by: str = "admin", clock: Callable[[], float] = time.time, make: bool = True
    ) -> None:
        super().__init__(PostgresDatabase(url, make=make), by=by, clock=clock)


@contextmanager
def borrowed(url: str) -> Iterator[None]:
    """A schema `mailsync` for a while; it is dropped with all that is in it. UsageError where there is one."""
    place = shown_place(url)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            # Whoever makes the schema may drop it: two at once cannot take each other's for theirs.
            connection.execute("CREATE SCHEMA mailsync")
    except psycopg.errors.DuplicateSchema as error:
        hint = "name a database of its own: what is measured is dropped afterwards"
        raise UsageError(f"{place} has a schema mailsync already", hint=hint) from error
    except psycopg.Error as error:
        raise trouble(place, error, "is PostgreSQL running there, and may this user make a schema?") from error
    try:
        yield
    finally:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("DROP SCHEMA mailsync CASCADE")


class PostgresDatabase:
    """A `database.Database` in PostgreSQL, on one connection, which is made again when it is lost."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._url = url
        self._make = make
        self._place = shown_place(url)
        self._connection: psycopg.Connection[Row] | None = None
        self._connected()

    def read(self, work: Callable[[_Connection], T]) -> T:
        """As database.Database.read."""
        return self._transaction("ISOLATION LEVEL REPEATABLE READ", work)

    def write(self, work: Callable[[_Connection], T]) -> T:
        """As database.Database.write."""
        return self._transaction("ISOLATION LEVEL READ COMMITTED", work)

    def each(self, query: str, values: Sequence[object]) -> Iterator[Row]:
        """As database.Database.each: the server keeps the rows as of now until they are fetched."""
        name = f"held_{secrets.token_hex(8)}"
        hold = f"DECLARE {name} NO SCROLL CURSOR WITH HOLD FOR {query}"
        self.read(lambda connection: connection.execute(hold, values))
        return self._held(name)

    def close(self) -> None:
        """As database.Database.close."""
        if self._connection is not None:
            self._connection.close()

    def _held(self, name: str) -> Iterator[Row]:
        try:
            while rows := self.read(lambda connection: connection.execute(f"FETCH {_FETCH} FROM {name}").fetchall()):
                yield from rows
        finally:
            self.read(lambda connection: connection.execute(f"CLOSE {name}"))

    def _transaction(self, mode: str, work: Callable[[_Connection], T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            connection = self._connected()
            try:
                connection.execute(f"BEGIN {mode}")
                result = work(_Connection(connection))
                connection.execute("COMMIT")
            except _AGAIN as error:
                self._undo(connection)
                if attempt == ATTEMPTS:
                    raise self._trouble(error, "other servers are in the way; nothing was changed") from error
                time.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)  # noqa: S311 - no secret: who waits how long
            except psycopg.Error as error:
                self._undo(connection)
                raise self._trouble(error, "the same request may be sent again") from error
            except BaseException:
                self._undo(connection)
                raise
            else:
                return result
        raise AssertionError

    def _undo(self, connection: psycopg.Connection[Row]) -> None:
        try:
            if not connection.closed:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()

    def _connected(self) -> psycopg.Connection[Row]:
        """The connection, made anew when it was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS, options=_OPTIONS)
        except psycopg.Error as error:
            raise self._trouble(error, "is PostgreSQL running there, and may this user connect?") from error
        try:
            with connection.transaction():
                _prepare(connection, self._place, make=self._make)
        except psycopg.Error as error:
            connection.close()
            raise self._trouble(error, "the user needs the right to create a schema, once") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _trouble(self, error: Exception, hint: str) -> TemporaryError:
        return trouble(self._place, error, hint)


def trouble(place: str, error: Exception, hint: str) -> TemporaryError:
    """What PostgreSQL said, as an error of the store at a place."""
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return TemporaryError(f"store {place}: {said}", hint=hint)


def shown_place(url: str) -> str:
    """The URL without a password: only what tells which database it is. UsageError when it is none."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise UsageError("the store's URL is not one", hint="postgresql://USER@HOST:PORT/DATABASE") from error
    host, port, name = (str(parts.get(key, "")) for key in ("host", "port", "dbname"))
    return f"postgresql://{host}{':' if port else ''}{port}/{name}"


class _Connection:
    """A `database.Connection`."""

    locking = " FOR UPDATE OF m"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection
        self._streams = 0

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        return self._connection.execute(_formatted(query), values)

    def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_formatted(query), rows)

    def stream(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        self._streams += 1
        name = f"stream_{self._streams}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query}", values)
        while rows := self.execute(f"FETCH {_FETCH} FROM {name}").fetchall():
            yield from rows
        self.execute(f"CLOSE {name}")

    def refill(self, table: str, rows: Iterable[Row]) -> None:
        for slots, chunk in in_chunks(rows):
            self.executemany(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE VALUES ({slots})", chunk)  # noqa: S608 - our own tables
        if table in NUMBERED:
            sequence = f"pg_get_serial_sequence('{table}', 'number')"
            self.execute(f"SELECT setval({sequence}, max(number)) FROM {table}")  # noqa: S608 - same

    def each_key(self, query: str, values: Sequence[object], keys: Sequence[str]) -> Iterator[Row]:
        return iter(self.execute(f"{query} = ANY (?)", (*values, list(keys))))


@lru_cache(maxsize=256)
def _formatted(query: str) -> str:
    return query.replace("?", "%s")


def _prepare(connection: psycopg.Connection[Row], place: str, *, make: bool) -> None:
    """Makes the tables where there are none, and begins a new epoch where the cluster is another than it was."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
    found = connection.execute("SELECT to_regclass('mailsync.about')").fetchone()
    cluster = connection.execute(_CLUSTER).fetchone()
    assert found is not None
    assert cluster is not None
    if found[0] is None:
        if not make:
            raise NoStoreError(f"{place}: it has no schema mailsync")
        connection.execute("CREATE SCHEMA IF NOT EXISTS mailsync")
        connection.execute("CREATE TABLE about (schema BIGINT NOT NULL, cluster TEXT NOT NULL)")
        connection.execute("INSERT INTO about (schema, cluster) VALUES (%s, %s)", (SCHEMA_VERSION, cluster[0]))
        for statement in statements(POSTGRES):
            connection.execute(statement)
        first = (secrets.token_bytes(EPOCH_BYTES), GENESIS)
        connection.execute("INSERT INTO store (epoch, ledger_head) VALUES (%s, %s)", first)
        return
    about = connection.execute("SELECT schema, cluster FROM about").fetchone()
    if about is None or about[0] != SCHEMA_VERSION:
        text = f"open store {place}: schema {about and about[0]}, and this program knows {SCHEMA_VERSION}"
        raise MailsyncError(text, hint="use the version of mailsync that wrote it, or a newer one")
    if about[1] != cluster[0]:
        connection.execute("UPDATE about SET cluster = %s", cluster)
        begin_life(_Connection(connection), secrets.token_bytes(EPOCH_BYTES), Writing("fail-over", int(time.time())))
