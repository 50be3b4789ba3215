"""What was done: recorded batches and the changes they made, read back with who asked for them."""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.server.database import Connection, Database
from mailsync.server.sql_apply import read_outcome
from mailsync.server.sql_scope import Standpoint
from mailsync.server.store import LedgerEntry, RecordedBatch

_BATCHES = """
    SELECT id, request_hash, run, plan, source, asof, base, "user", key_id, time, first, last, results, texts
    FROM batches WHERE media = ? ORDER BY number
"""
_ENTRIES = """
    SELECT c.volume, c.version, c.field, c.before, c.after, b.id, b.run, b.plan, b."user", b.key_id, b.time,
           s.mail, s.attachment, c.row, c.line
    FROM changes AS c
    JOIN batches AS b ON b.number = c.batch
    JOIN sources AS s ON s.batch = c.batch AND s.position = c.source
    WHERE b.media = ?
"""
_ORDER = " ORDER BY c.batch, c.position, c.field"


def find_batches(connection: Connection, number: int) -> tuple[RecordedBatch, ...]:
    """Every batch of the scope, oldest first."""
    found = []
    for row in connection.execute(_BATCHES, (number,)):
        outcome = read_outcome(row[0], *row[10:])
        found.append(RecordedBatch._make((*row[:10], outcome)))
    return tuple(found)


def each_entry(database: Database, at: Standpoint, volume: str) -> Iterator[LedgerEntry]:
    """Every change in the scope (of one volume when it is named), oldest first."""
    narrowed, values = (" AND c.volume = ?", (at.number, volume)) if volume else ("", (at.number,))
    rows = database.each(f"{_ENTRIES}{narrowed}{_ORDER}", values)
    return (LedgerEntry(at.scope, *row) for row in rows)
