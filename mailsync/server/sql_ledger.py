"""What was done: recorded batches and the changes they made, read back with who asked for them."""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.server.database import Connection, Database
from mailsync.server.sql_record import read_outcome
from mailsync.server.sql_scope import Standpoint
from mailsync.server.store import LedgerEntry, RecordedBatch

_BATCHES = """
    SELECT b.id, b.request_hash, b.run, b.plan, b.source, b.asof, b.base, b."user", b.key_id, b.time,
           b.overtaken, l.seq, l.hash, b.first, b.last, b.results, b.texts
    FROM batches AS b JOIN ledger AS l ON l.media = b.media AND l.batch = b.id
    WHERE b.media = ? ORDER BY b.number
"""
_ENTRIES = """
    SELECT c.volume, c.version, c.field, c.before, c.after, b.id, b.run, b.plan, b."user", b.key_id, b.time,
           s.mail, s.attachment, c.row, c.line
    FROM changes AS c
    JOIN batches AS b ON b.number = c.batch
    JOIN sources AS s ON s.batch = c.batch AND s.position = c.source
    WHERE c.media = ?
"""
_ORDER = " ORDER BY c.batch, c.position, c.volume, c.field"


def find_batches(connection: Connection, number: int) -> tuple[RecordedBatch, ...]:
    """Every batch of the scope, oldest first."""
    found = []
    for row in connection.execute(_BATCHES, (number,)):
        overtaken, entry, head = row[10:13]
        outcome = read_outcome(row[0], *row[13:])._replace(overtaken=bool(overtaken), entry=entry, ledger=head)
        found.append(RecordedBatch._make((*row[:10], outcome)))
    return tuple(found)


def each_entry(database: Database, at: Standpoint, volume: str) -> Iterator[LedgerEntry]:
    """Every change in the scope (of one volume when it is named), oldest first."""
    narrowed, values = (" AND c.volume = ?", (at.number, volume)) if volume else ("", (at.number,))
    rows = database.each(f"{_ENTRIES}{narrowed}{_ORDER}", values)
    return (LedgerEntry(at.scope, *row) for row in rows)
