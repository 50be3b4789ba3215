"""The tables of the store, as SQLite and as PostgreSQL want them.

customers 1-n media (a scope each) 1-n repositories, volumes, tombstones, batches; a batch has sources (mail and
attachment) and changes (who changed what), and the ledger binds each to all before it (chain.py). Every row of
`volumes` and `tombstones` carries the scope's version at which it last changed, and `media.version` is the newest of
them: writers raise it in the transaction that uses it. `runs` are lent to one process at a time. Users n-m groups,
and both have grants on customers.
A store knows the number of its schema; one with a newer number is refused rather than guessed at.

TEXT sorts by its bytes in both, which is the order of volumes everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailsync.core.fields import FIELD_NAMES

SCHEMA_VERSION = 4
_TABLES = """
CREATE TABLE store (
    epoch BYTES NOT NULL CHECK (length(epoch) = 16),
    ledger_seq INTEGER NOT NULL DEFAULT 0,
    ledger_head BYTES NOT NULL
);
CREATE TABLE customers (id TEXT PRIMARY KEY, description TEXT NOT NULL) KEYED;
CREATE TABLE media (
    number SERIAL,
    customer TEXT NOT NULL REFERENCES customers,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    default_repository TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0 CHECK (version BETWEEN 0 AND 9007199254740991),
    floor INTEGER NOT NULL DEFAULT 0 CHECK (floor BETWEEN 0 AND version),
    repositories_version INTEGER NOT NULL DEFAULT 1,
    volumes INTEGER NOT NULL DEFAULT 0 CHECK (volumes >= 0),  -- how many it has
    volume_filter TEXT NOT NULL DEFAULT '',  -- what new volumes must be called; '': anything
    cap INTEGER NOT NULL DEFAULT 0,          -- how many it may have, 0: any number
    locked INTEGER NOT NULL DEFAULT 0,       -- 1: only administrators change its volumes
    ledger_seq INTEGER NOT NULL DEFAULT 0,
    ledger_head BYTES NOT NULL,
    UNIQUE (customer, id)
);
CREATE TABLE repositories (
    media INTEGER NOT NULL REFERENCES media,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    kind TEXT NOT NULL,
    offsite INTEGER NOT NULL,
    next TEXT NOT NULL DEFAULT '',  -- where volumes go from there, unless told otherwise
    PRIMARY KEY (media, id)
) KEYED;
CREATE TABLE batches (
    number SERIAL,
    media INTEGER NOT NULL REFERENCES media,
    id BYTES NOT NULL,
    request_hash BYTES NOT NULL,
    run BYTES NOT NULL,
    plan BYTES NOT NULL,
    source TEXT NOT NULL,
    asof INTEGER NOT NULL,
    base INTEGER NOT NULL,
    "user" TEXT NOT NULL,
    key_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    results TEXT NOT NULL,  -- a digit of core.outcome.Result per operation
    texts TEXT NOT NULL,    -- JSON: why, by position, for those that were refused
    overtaken INTEGER NOT NULL,  -- 1: recorded, and nothing applied, because a newer report of the source had been
    moved INTEGER NOT NULL,      -- how many of its scope's volumes got another target
    UNIQUE (media, id)
);
CREATE INDEX batches_by_run ON batches (run);
CREATE INDEX batches_by_source ON batches (media, source, number);
CREATE INDEX batches_by_move ON batches (media, source, time) WHERE moved > 0;
CREATE TABLE volumes (
    media INTEGER NOT NULL REFERENCES media,
    volume TEXT NOT NULL,
    version INTEGER NOT NULL,
    text_version INTEGER NOT NULL,     -- at which the description last changed
    batch INTEGER,                     -- which made the last change, and may be pruned; NULL: a load
    sent INTEGER NOT NULL,             -- Unix seconds at which its target last changed, 0: never since it was added
    FIELDS,
    PRIMARY KEY (media, volume)
) KEYED;
CREATE UNIQUE INDEX volumes_by_version ON volumes (media, version);
CREATE INDEX volumes_by_container ON volumes (container) WHERE container <> '';
CREATE TABLE attributes (
    media INTEGER NOT NULL REFERENCES media,
    volume TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 200),
    value TEXT NOT NULL,
    PRIMARY KEY (media, volume, number)
) KEYED;
CREATE TABLE clusters (id TEXT PRIMARY KEY, description TEXT NOT NULL) KEYED;
CREATE TABLE tombstones (
    media INTEGER NOT NULL REFERENCES media,
    volume TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (media, volume)
) KEYED;
CREATE UNIQUE INDEX tombstones_by_version ON tombstones (media, version);
CREATE TABLE sources (
    batch INTEGER NOT NULL REFERENCES batches,
    position INTEGER NOT NULL,
    mail TEXT NOT NULL,
    attachment TEXT NOT NULL,
    PRIMARY KEY (batch, position)
) KEYED;
CREATE TABLE changes (
    batch INTEGER NOT NULL REFERENCES batches,
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,  -- of the operation in the batch
    media INTEGER NOT NULL,     -- the batch's, or that of what moves in a container
    volume TEXT NOT NULL,
    field TEXT NOT NULL,        -- "volume" where the volume was created
    version INTEGER NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    source INTEGER NOT NULL,
    row INTEGER NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (batch, number)
) KEYED;
CREATE INDEX changes_by_volume ON changes (volume, batch);
CREATE TABLE runs (
    run BYTES PRIMARY KEY,
    holder BYTES NOT NULL,
    until INTEGER NOT NULL,     -- Unix seconds: so long nobody else gets it
    done INTEGER NOT NULL
) KEYED;
CREATE TABLE replied (
    run BYTES NOT NULL REFERENCES runs,
    audience TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (run, audience)
) KEYED;
CREATE TABLE ledger (
    media INTEGER NOT NULL,     -- 0: the site's own chain
    seq INTEGER NOT NULL,
    version INTEGER NOT NULL,
    epoch BYTES NOT NULL,
    time INTEGER NOT NULL,
    principal TEXT NOT NULL,
    run BYTES NOT NULL,
    batch BYTES NOT NULL,
    kind TEXT NOT NULL,
    salt BYTES NOT NULL,
    payload TEXT NOT NULL,      -- JSON
    hash BYTES NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (media, seq)
) KEYED;
CREATE INDEX ledger_by_version ON ledger (media, version, hash);
CREATE INDEX ledger_by_batch ON ledger (media, batch, hash);
CREATE INDEX ledger_by_prune ON ledger (media, seq) WHERE kind = 'prune';
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,         -- token, password
    email TEXT NOT NULL,        -- another name of the user, '': none
    salt BYTES NOT NULL,
    stored_key BYTES NOT NULL,
    server_key BYTES NOT NULL,
    kdf TEXT,                   -- wire.passwords.format_kdf: how a password becomes a key; NULL of a token
    upgrade_by INTEGER NOT NULL DEFAULT 0,  -- Unix seconds: from then on an imported MD5 is not enough; 0: never
    created INTEGER NOT NULL,
    revoked INTEGER NOT NULL,   -- Unix seconds, 0 while live
    CHECK ((kind = 'token') = (kdf IS NULL))
) KEYED;
CREATE UNIQUE INDEX users_by_email ON users (email) WHERE email <> '';
CREATE TABLE user_groups (id TEXT PRIMARY KEY, description TEXT NOT NULL) KEYED;
CREATE TABLE members (
    user_group TEXT NOT NULL REFERENCES user_groups,
    member TEXT NOT NULL REFERENCES users,
    PRIMARY KEY (user_group, member)
) KEYED;
CREATE TABLE grants (
    kind TEXT NOT NULL,         -- user, group
    holder TEXT NOT NULL,
    customers TEXT NOT NULL,    -- a filter: US*
    access TEXT NOT NULL,       -- read, write, alter
    PRIMARY KEY (kind, holder, customers)
) KEYED;
"""

TABLES = tuple(re.findall(r"^CREATE TABLE (\w+)", _TABLES, re.MULTILINE))
NUMBERED = ("media", "batches")  # those whose `number` the database gives


class Dialect(NamedTuple):
    """How a database says what the tables need: a number it gives, bytes, whole numbers, texts, a table by its key."""

    serial: str
    bytes: str
    integer: str
    text: str
    keyed: str


SQLITE = Dialect("INTEGER PRIMARY KEY", "BLOB", "INTEGER", "TEXT", " WITHOUT ROWID")
POSTGRES = Dialect("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA", "BIGINT", 'TEXT COLLATE "C"', "")


def statements(dialect: Dialect) -> Iterator[str]:
    """The statements that make the tables."""
    fields = ", ".join(f"{name} TEXT NOT NULL" for name in FIELD_NAMES)
    for statement in _TABLES.replace("FIELDS", fields).split(";\n"):
        if statement.strip():
            yield (
                statement.replace("INTEGER", dialect.integer)
                .replace("TEXT", dialect.text)
                .replace("SERIAL", dialect.serial)
                .replace("BYTES", dialect.bytes)
                .replace(" KEYED", dialect.keyed)
            )
