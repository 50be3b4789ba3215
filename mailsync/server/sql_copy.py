"""A whole store put into an empty one, of another kind too: every table as it is, in one transaction.

What was recorded stays recorded: volumes with their versions, batches with their ids, so that what is sent again after
the move is still answered from the record, and who may log on. Only the epoch is new, because the old store may live
on: no client's copy of the one is ever taken for a copy of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailsync.core.errors import UsageError
from mailsync.server.database import Connection, Database, Row
from mailsync.server.schema import TABLES
from mailsync.server.sql_chain import Writing, begin_life


def copy_store(
    source: Database, target: Database, *, epoch: bytes, writing: Writing, told: Callable[[str, int], None]
) -> None:
    """Fills the target with what is in the source; `told` gets each table's name and how many rows it has.

    Raises UsageError when the target is not empty.
    """

    def write(connection: Connection) -> None:
        if connection.execute("SELECT 1 FROM customers UNION ALL SELECT 1 FROM users LIMIT 1").fetchone():
            raise UsageError("copy: the target has scopes or users already", hint="name a new, empty database")
        connection.execute("DELETE FROM store")

        def read(reading: Connection) -> None:
            for name in TABLES:  # all of one moment
                _fill(connection, reading, name, told)

        source.read(read)
        begin_life(connection, epoch, writing, kind="copied")

    target.write(write)


def _fill(writing: Connection, reading: Connection, name: str, told: Callable[[str, int], None]) -> None:
    counted = 0

    def rows() -> Iterator[Row]:
        nonlocal counted
        for row in reading.stream(f"SELECT * FROM {name}"):  # noqa: S608 - our own tables
            counted += 1
            yield row

    writing.refill(name, rows())
    told(name, counted)
