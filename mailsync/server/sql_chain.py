"""The ledger's chain in SQL: every writer appends its entry in the transaction that writes, under the chain's lock.

A scope's chain is under the scope's lock; the site's chain, number 0, under that of the one row of `store`. The entry
of a batch has a digest of its recorded rows (who asked, with what outcome, which fields changed from and to what, and
from which line of which mail), so that none of those can be changed alone either.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailsync.core.ledger import SITE, Head
from mailsync.server.chain import EPOCH, PRUNE, SALT_BYTES, Cut, Entry, entry_hash, read_cut
from mailsync.server.database import Connection, Database
from mailsync.server.sql_scope import Standpoint
from mailsync.server.store import RequestError
from mailsync.wire import limits
from mailsync.wire.errors import Code

SITE_NUMBER = 0
BATCH = "batch"  # the kind of entry that speaks of a recorded batch
CONTENTS = "contents"  # the kind that speaks of what a batch of another scope changed in this one, by a container
_COLUMNS = "seq, version, epoch, time, principal, run, batch, kind, salt, payload"
_BATCH = """
    SELECT id, request_hash, run, plan, source, asof, base, "user", key_id, time, first, last, results, texts,
           overtaken, moved
    FROM batches WHERE number = ?
"""
_SOURCES = "SELECT position, mail, attachment FROM sources WHERE batch = ? ORDER BY position"
_CHANGES = """
    SELECT position, media, volume, field, version, before, after, source, row, line
    FROM changes WHERE batch = ? ORDER BY number
"""
_CHANGES_OF = """
    SELECT position, media, volume, field, version, before, after, source, row, line
    FROM changes WHERE batch = ? AND media = ? ORDER BY number
"""


class Writing(NamedTuple):
    """Who writes and when: `principal` as in `chain.Entry`, `now` in Unix seconds; `run` and `batch` of a client."""

    principal: str
    now: int
    run: bytes = b""
    batch: bytes = b""


class Said(NamedTuple):
    """What an entry says: its kind, and what JSON can hold."""

    kind: str
    payload: Mapping[str, object]


def append(connection: Connection, at: Standpoint, writing: Writing, said: Said, *, version: int) -> Head:
    """Appends an entry to the locked scope's chain, whose version is `version` now; the chain's new head."""
    query = "SELECT ledger_seq, ledger_head FROM media WHERE number = ?"
    ((seq, head),) = connection.execute(query, (at.number,)).fetchall()
    place = _Place(at.number, Head(str(at.scope), seq, head), version, at.epoch)
    found = _append(connection, place, writing, said)
    query = "UPDATE media SET ledger_seq = ?, ledger_head = ? WHERE number = ?"
    connection.execute(query, (found.seq, found.hash, at.number))
    return found


def append_site(connection: Connection, writing: Writing, said: Said) -> Head:
    """Appends an entry to the site's chain, and locks it."""
    query = f"SELECT epoch, ledger_seq, ledger_head FROM store AS m{connection.locking}"  # noqa: S608 - a constant
    ((epoch, seq, head),) = connection.execute(query).fetchall()
    place = _Place(SITE_NUMBER, Head(SITE, seq, head), 0, epoch)
    found = _append(connection, place, writing, said)
    connection.execute("UPDATE store SET ledger_seq = ?, ledger_head = ?", (found.seq, found.hash))
    return found


def batch_payload(connection: Connection, number: int) -> dict[str, object]:
    """What the ledger says of a recorded batch: a digest over its rows, and what people look for first."""
    (batch,) = connection.execute(_BATCH, (number,)).fetchall()
    hashed = hashlib.sha256(_canonical(batch))
    counted = 0
    for query in (_SOURCES, _CHANGES):
        hashed.update(b"\x00")
        for row in connection.stream(query, (number,)):
            hashed.update(json.dumps(row).encode() + b"\n")
            counted += query is _CHANGES
    return {"batch": number, "source": batch[4], "fields": counted, "sha256": hashed.hexdigest()}


def contents_payload(connection: Connection, number: int, media: int) -> dict[str, object]:
    """What the ledger of a scope says of what a recorded batch of another one changed in it."""
    hashed = hashlib.sha256()
    volumes = set()
    for row in connection.stream(_CHANGES_OF, (number, media)):
        hashed.update(json.dumps(row).encode() + b"\n")
        volumes.add(row[2])
    return {"batch": number, "volumes": sorted(volumes), "sha256": hashed.hexdigest()}


def find_head_of(connection: Connection, at: Standpoint, batch: bytes) -> Head:
    """The head of the scope's chain right after the batch was recorded."""
    query = "SELECT seq, hash FROM ledger WHERE media = ? AND batch = ?"
    ((seq, head),) = connection.execute(query, (at.number, batch)).fetchall()
    return Head(str(at.scope), seq, head)


def find_heads(connection: Connection) -> tuple[tuple[int, Head], ...]:
    """Each chain's number in the tables and its head, the site's first."""
    query = "SELECT number, customer, id, ledger_seq, ledger_head FROM media ORDER BY customer, id"
    scopes = [(row[0], Head(f"{row[1]}.{row[2]}", row[3], row[4])) for row in connection.execute(query)]
    return ((SITE_NUMBER, find_site_head(connection)), *scopes)


def find_site_head(connection: Connection) -> Head:
    """The head of the site's chain."""
    ((seq, head),) = connection.execute("SELECT ledger_seq, ledger_head FROM store").fetchall()
    return Head(SITE, seq, head)


def find_number(connection: Connection, chain: str) -> int:
    """The chain's number in the tables. Raises RequestError NO_SUCH_SCOPE."""
    for number, head in find_heads(connection):
        if head.chain == chain:
            return number
    raise RequestError(Code.NO_SUCH_SCOPE, f"no scope {chain}", hint="mailsync server scope list")


def each_link(
    database: Database, number: int, chain: str, *, through: int = limits.VERSION
) -> Iterator[tuple[Entry, bytes]]:
    """Every entry of a chain up to one, with the hash it was stored with, oldest first."""
    query = f"SELECT {_COLUMNS}, hash FROM ledger WHERE media = ? AND seq <= ? ORDER BY seq"  # noqa: S608 - ours
    return ((Entry(chain, *row[:-1]), row[-1]) for row in database.each(query, (number, through)))


def find_cut(connection: Connection, number: int, chain: str) -> Cut | None:
    """What the chain's last prune entry says is gone, None when it has none that can be read."""
    query = f"SELECT {_COLUMNS} FROM ledger WHERE media = ? AND kind = '{PRUNE}' ORDER BY seq DESC LIMIT 1"  # noqa: S608
    row = connection.execute(query, (number,)).fetchone()
    return read_cut(Entry(chain, *row)) if row else None


def begin_life(connection: Connection, epoch: bytes, writing: Writing, *, kind: str = EPOCH) -> None:
    """Gives the store a new epoch (16 bytes), and notes from which one, and where each chain ended then.

    Whoever holds a later head than these knows what is lost (exactly-once.md section 5).
    """
    heads = {head.chain: [head.seq, head.hash.hex()] for _, head in find_heads(connection)}
    ((old,),) = connection.execute("SELECT epoch FROM store").fetchall()
    connection.execute("UPDATE store SET epoch = ?", (epoch,))
    append_site(connection, writing, Said(kind, {"old": old.hex(), "epoch": epoch.hex(), "heads": heads}))


class _Place(NamedTuple):
    """Where an entry goes: the chain's number in the tables and its head, the scope's version then, and the epoch."""

    number: int
    head: Head
    version: int
    epoch: bytes


def _append(connection: Connection, place: _Place, writing: Writing, said: Said) -> Head:
    entry = Entry(
        chain=place.head.chain,
        seq=place.head.seq + 1,
        version=place.version,
        epoch=place.epoch,
        time=writing.now,
        principal=writing.principal,
        run=writing.run,
        batch=writing.batch,
        kind=said.kind,
        salt=secrets.token_bytes(SALT_BYTES),
        payload=json.dumps(said.payload, sort_keys=True),
    )
    after = entry_hash(place.head.hash, entry)
    slots = ", ?" * len(entry)
    query = f"INSERT INTO ledger (media, {_COLUMNS}, hash) VALUES (?{slots})"  # noqa: S608 - our own columns
    connection.execute(query, (place.number, *entry[1:], after))
    return Head(entry.chain, entry.seq, after)


def _canonical(row: tuple[object, ...]) -> bytes:
    return json.dumps([value.hex() if isinstance(value, bytes) else value for value in row]).encode() + b"\n"
