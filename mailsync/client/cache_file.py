"""The SQLite file of a cache: its tables, its mode, and its end when it is damaged or of another layout.

Nothing in it is precious: a file that is no database is deleted and made anew, and `synchronous=NORMAL` may lose
commits that are fetched again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from mailsync.client.heads import TABLE as HEADS
from mailsync.core.damage import is_damage
from mailsync.core.errors import TemporaryError
from mailsync.core.fields import FIELD_NAMES

LAYOUT = 4
BUSY_SECONDS = 30.0
HINT = "check free space and permissions; it may be deleted at any time, and is downloaded anew"
T = TypeVar("T")
_COLUMNS = ", ".join(f"{name} TEXT NOT NULL" for name in FIELD_NAMES)
_TABLES = f"""
{HEADS}
CREATE TABLE IF NOT EXISTS scopes (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch BLOB NOT NULL, since INTEGER NOT NULL,
    snap INTEGER NOT NULL, done INTEGER NOT NULL, mark BLOB NOT NULL, at INTEGER NOT NULL,
    repositories_version INTEGER NOT NULL, complete INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS repositories (
    scope INTEGER NOT NULL, id TEXT NOT NULL, description TEXT NOT NULL, kind TEXT NOT NULL, offsite INTEGER NOT NULL,
    PRIMARY KEY (scope, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS volumes (
    scope INTEGER NOT NULL, volume TEXT NOT NULL, {_COLUMNS},
    PRIMARY KEY (scope, volume)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS volumes_by_container ON volumes (scope, container) WHERE container <> '';
PRAGMA user_version = {LAYOUT};
"""


def rebuilt(path: Path, work: Callable[[], T], *, again: Callable[[], None] = lambda: None) -> T:
    """What `work` returns, tried a second time on a new file when SQLite finds this one damaged."""
    try:
        try:
            return work()
        except sqlite3.DatabaseError as error:
            # Anything else may be a lock, or a full disk.
            if not (is_damage(error) or _is_foreign(error)):
                raise
            delete(path)
            again()
            return work()
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: sqlite3.Error | OSError) -> TemporaryError:
    """Why a cache cannot be used now."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return TemporaryError(f"cache {path}: {said}", hint=HINT)


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the file with this version's tables; one that is cut or of another layout gives way to a new."""
    connection = connect(path)
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    # SQLite itself takes what is missing of the last page for zeros.
    if layout not in (0, LAYOUT) or path.stat().st_size % page:
        connection.close()
        delete(path)
        connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_TABLES)
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made for this user alone where there is none."""
    # Made before SQLite does, for this user alone; -wal and -shm inherit the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _is_foreign(error: sqlite3.Error) -> bool:
    """True when the file has other tables or columns than ours, whatever its version says."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def delete(path: Path) -> None:
    """Deletes the file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A writing transaction: all of it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
