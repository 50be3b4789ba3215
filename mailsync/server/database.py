"""What the SQL of the store needs of a database, so that one text of it serves SQLite and PostgreSQL.

Strategy: the SQL (sql_*.py) is what both understand, with `?` for values; the few things they say differently are
members of `Connection`. Every method of the store is one transaction, a function that is given the connection: where
two servers write at once, PostgreSQL may ask for it to be done again, so such a function decides only on what it reads.

transaction    SQLite                       PostgreSQL
read           BEGIN DEFERRED               REPEATABLE READ: one moment
write          BEGIN IMMEDIATE: the lock    READ COMMITTED, scopes locked by `lock_scope`; done again on a conflict
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

from mailsync.core.errors import UsageError

_CHUNK = 5000
T = TypeVar("T")
Row = tuple[Any, ...]


class NoStoreError(UsageError):
    """There is no store at a place, and whoever asked does not make one."""

    def __init__(self, place: str) -> None:
        super().__init__(f"there is no store at {place}", hint="is listen.store, or --store, the right one?")


class Rows(Protocol):
    """What a query found; `rowcount` is how many rows a statement wrote."""

    @property
    def rowcount(self) -> int:
        """The number of rows written."""
        ...

    def fetchone(self) -> Row | None:
        """The next row, None when there is no more."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """The rows, one after the other."""
        ...


class Connection(Protocol):
    """A connection within a transaction. Values stand for the `?` of a query, which has no other `?` and no `%`."""

    @property
    def locking(self) -> str:
        """What a SELECT of the table `m` ends in to lock the rows it finds."""
        ...

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        """Runs a statement."""
        ...

    def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs a statement for each row of values."""
        ...

    def stream(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """The rows of a query, a few at a time, while other statements run."""
        ...

    def refill(self, table: str, rows: Iterable[Row]) -> None:
        """Puts whole rows into an empty table, with the numbers they have; later ones get higher numbers."""
        ...

    def each_key(self, query: str, values: Sequence[object], keys: Sequence[str]) -> Iterator[Row]:
        """The rows of a query that ends in `volume`, for each of these volumes that has one, in any order."""
        ...


class Database(Protocol):
    """Where the tables are. Its methods may be called from any one thread at a time."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, all it reads being of one moment. Raises TemporaryError when the database cannot."""
        ...

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, committed; what it raises undoes it. It may be called more than once.

        Raises TemporaryError when the database cannot.
        """
        ...

    def each(self, query: str, values: Sequence[object]) -> Iterator[Row]:
        """The rows of a query, as of the moment of the call, read while they are asked for."""
        ...

    def close(self) -> None:
        """Lets go of the database; safe to call twice."""
        ...


def in_chunks(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows, some thousands at a time, each with the `?` that stand for the values of one."""
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        yield ", ".join("?" * len(chunk[0])), chunk
