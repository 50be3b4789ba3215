"""Where a history's store is, and how it is backed up and restored: a SQLite file, or a PostgreSQL cluster."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mailsync.server.schema import TABLES
from mailsync.server.sql_store import SqlStore
from mailsync.server.sqlite import SqliteStore
from mailsync.server.stores import open_url


class InFile:
    """A store in a file that begins as a copy of this one."""

    def __init__(self, folder: Path, empty: bytes) -> None:
        self.path, self.kept = folder / "server.db", folder / "backup.db"
        self.path.write_bytes(empty)

    def open(self) -> SqlStore:
        store = SqliteStore(self.path)
        store._database._connection.execute("PRAGMA synchronous = OFF")  # power cuts are not what this is about
        return store

    def query(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement).fetchall()

    def back_up(self) -> None:
        self.kept.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(self.kept)) as target:
            source.backup(target)

    def restore(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(f"server.db{suffix}").unlink(missing_ok=True)
        shutil.copy(self.kept, self.path)


class InCluster:
    """A store in a PostgreSQL cluster: the tables' rows are kept beside them, and put back."""

    def __init__(self, cluster, fill: Callable[[SqlStore], None]) -> None:
        self.cluster = cluster
        self.query = cluster.query
        cluster.empty()
        with self.open() as store:
            fill(store)

    def open(self) -> SqlStore:
        return open_url(self.cluster.url)

    def back_up(self) -> None:
        copies = (f"CREATE TABLE backup.{name} AS TABLE mailsync.{name};" for name in TABLES)
        self.query("DROP SCHEMA IF EXISTS backup CASCADE; CREATE SCHEMA backup;" + "".join(copies))

    def restore(self) -> None:
        copies = (f"INSERT INTO mailsync.{name} OVERRIDING SYSTEM VALUE TABLE backup.{name};" for name in TABLES)
        self.query(f"TRUNCATE {', '.join('mailsync.' + name for name in TABLES)};" + "".join(copies))


def empty_file(folder: Path, fill: Callable[[SqlStore], None]) -> bytes:
    """A store that was filled, as a file: making one waits for the disk, copying one does not."""
    path = folder / "empty.db"
    with SqliteStore(path) as store:
        fill(store)
    return path.read_bytes()
