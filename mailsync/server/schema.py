"""The tables of the SQLite store, and how a file becomes one.

customers 1-n media (a scope each) 1-n repositories, volumes, tombstones, batches; a batch has sources (mail and
attachment) and changes (who changed what). Every row of `volumes` and `tombstones` carries the scope's version at
which it last changed, and `media.version` is the newest of them: writers raise it in the transaction that uses it.
`PRAGMA user_version` is the schema's number; a file with a newer one is refused rather than guessed at.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mailsync.core.errors import MailsyncError, TemporaryError
from mailsync.core.fields import FIELD_NAMES

SCHEMA_VERSION = 1
BUSY_SECONDS = 20.0  # how long a writer waits for another, such as a load, before it answers "busy"
CACHE_KIBIBYTES = 32_768
_APPLICATION_ID = 0x6D737976  # "msyv": file(1) and `open_database` tell a store from another program's database

_TABLES = f"""
CREATE TABLE store (epoch BLOB NOT NULL CHECK (length(epoch) = 16));
CREATE TABLE customers (id TEXT PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE media (
    number INTEGER PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customers,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    default_repository TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0 CHECK (version BETWEEN 0 AND 9007199254740991),
    floor INTEGER NOT NULL DEFAULT 0 CHECK (floor BETWEEN 0 AND version),
    repositories_version INTEGER NOT NULL DEFAULT 1,
    UNIQUE (customer, id)
);
CREATE TABLE repositories (
    media INTEGER NOT NULL REFERENCES media,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    kind TEXT NOT NULL,
    offsite INTEGER NOT NULL,
    PRIMARY KEY (media, id)
) WITHOUT ROWID;
CREATE TABLE volumes (
    media INTEGER NOT NULL REFERENCES media,
    volume TEXT NOT NULL,
    version INTEGER NOT NULL,
    batch INTEGER REFERENCES batches,  -- which made the last change; NULL: a load
    {", ".join(f"{name} TEXT NOT NULL" for name in FIELD_NAMES)},
    PRIMARY KEY (media, volume)
) WITHOUT ROWID;
CREATE UNIQUE INDEX volumes_by_version ON volumes (media, version);
CREATE TABLE tombstones (
    media INTEGER NOT NULL REFERENCES media,
    volume TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (media, volume)
) WITHOUT ROWID;
CREATE UNIQUE INDEX tombstones_by_version ON tombstones (media, version);
CREATE TABLE batches (
    number INTEGER PRIMARY KEY,
    media INTEGER NOT NULL REFERENCES media,
    id BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    run BLOB NOT NULL,
    plan BLOB NOT NULL,
    source TEXT NOT NULL,
    asof INTEGER NOT NULL,
    base INTEGER NOT NULL,
    user TEXT NOT NULL,
    key_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    results TEXT NOT NULL,  -- a digit of core.outcome.Result per operation
    texts TEXT NOT NULL,    -- JSON: why, by position, for those that were refused
    overtaken INTEGER NOT NULL,  -- 1: recorded, and nothing applied, because a newer report of the source had been
    UNIQUE (media, id)
);
CREATE INDEX batches_by_source ON batches (media, source, number);
CREATE TABLE sources (
    batch INTEGER NOT NULL REFERENCES batches,
    position INTEGER NOT NULL,
    mail TEXT NOT NULL,
    attachment TEXT NOT NULL,
    PRIMARY KEY (batch, position)
) WITHOUT ROWID;
CREATE TABLE changes (
    batch INTEGER NOT NULL REFERENCES batches,
    position INTEGER NOT NULL,  -- of the operation in the batch
    field TEXT NOT NULL,        -- "volume" where the volume was created
    volume TEXT NOT NULL,
    version INTEGER NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    source INTEGER NOT NULL,
    row INTEGER NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (batch, position, field)
) WITHOUT ROWID;
CREATE INDEX changes_by_volume ON changes (volume, batch);
CREATE TABLE tokens (
    user TEXT PRIMARY KEY,
    salt BLOB NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER NOT NULL  -- Unix seconds, 0 while live
) WITHOUT ROWID;
"""


def open_database(path: Path, *, epoch: bytes) -> sqlite3.Connection:
    """A connection to the store in a file, made with `epoch` (mode 0600) where there is none yet.

    Raises TemporaryError when the file cannot be opened or read, MailsyncError when it is not a store of ours.
    The connection commits by itself unless a transaction was begun, and may be used from any one thread at a time.
    """
    try:
        # SQLite gives its -wal and -shm files the mode of the database itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise TemporaryError(f"open store {path}: {error}", hint="check the path and its permissions") from error
    try:
        _prepare(connection, path, epoch)
    except sqlite3.OperationalError as error:
        connection.close()
        raise TemporaryError(f"open store {path}: {error}", hint="is the disk full, or the file locked?") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise MailsyncError(f"open store {path}: {error}", hint="restore it from a backup") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, epoch: bytes) -> None:
    if not _is_store(connection, path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not _is_store(connection, path):  # another process may have been faster
            _create(connection, epoch)
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


def _create(connection: sqlite3.Connection, epoch: bytes) -> None:
    # Not executescript: it would commit what is begun, and half a schema must never be seen.
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO store (epoch) VALUES (?)", (epoch,))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
