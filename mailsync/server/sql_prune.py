"""What may be forgotten, forgotten: old entries of the ledger with their batches, deletions, runs nobody goes on with.

Strategy (exactly-once.md section 5): a chain first gets an entry that says what goes: up to which entry, that entry's
hash, and how many entries that takes away; then they go, the oldest first, so many at a time, each with the batch it
speaks of. Killed in between, the rest is at the chain's front, and goes with the next pruning.

kept whatever its age                because
the last entry of each chain         clients' cursors have its mark: they would download everything anew
the newest batch of the store        numbers of batches are never given twice
the names of runs that are done      a mail may be delivered again after any time, and is still not applied twice;
                                     of a run whose batch goes nobody shall apply more, so it is done, too
"""

from __future__ import annotations

import json
from functools import partial
from typing import NamedTuple

from mailsync.core.ledger import SITE
from mailsync.server.chain import PRUNE
from mailsync.server.database import Connection, Database
from mailsync.server.sql_chain import BATCH, SITE_NUMBER, Said, Writing, append, append_site, find_cut
from mailsync.server.sql_scope import Standpoint, forget_tombstones, lock_scope
from mailsync.server.store import Pruned

CHUNK = 500  # entries, or runs, at a time; fewer entries where they speak of many changes
DELETIONS = 5_000  # at a time
_CHANGES = 20_000  # at a time
_ANSWERED = """
    SELECT r.run FROM runs AS r WHERE r.done = 1 AND EXISTS (SELECT 1 FROM replied AS a WHERE a.run = r.run)
    AND r.until < ? AND r.run > ? ORDER BY r.run LIMIT ?
"""
_IDLE = """
    SELECT r.run FROM runs AS r WHERE r.done = 0 AND NOT EXISTS (SELECT 1 FROM batches AS b WHERE b.run = r.run)
    AND r.until < ? AND r.run > ? ORDER BY r.run LIMIT ?
"""


def find_pruned(connection: Connection, number: int) -> int:
    """Up to which entry the chain was pruned; 0 when it is whole."""
    ((first,),) = connection.execute("SELECT coalesce(min(seq), 1) FROM ledger WHERE media = ?", (number,)).fetchall()
    return int(first) - 1


def prune_chain(database: Database, at: Standpoint | None, before: int, writing: Writing) -> Pruned:
    """Prunes a scope's chain, or the site's (None), of what was written before a time in Unix seconds."""
    number, chain = (at.number, str(at.scope)) if at else (SITE_NUMBER, SITE)
    through = database.write(lambda connection: _announce(connection, at, before, writing))
    entries = batches = 0
    while True:
        gone = database.write(lambda connection: _forget(connection, number, through))
        if not gone.entries:
            return Pruned(chain, entries, batches, through)
        entries, batches = entries + gone.entries, batches + gone.batches


def expire_deletions(database: Database, at: Standpoint, before: int, writing: Writing) -> int:
    """Forgets the deletions made before a time, as far as the ledger dates them; how many there were."""
    forgotten = 0
    while found := database.write(lambda connection: _expire(connection, at, before, writing)):
        forgotten += found
    return forgotten


def forget_runs(database: Database, before: int) -> int:
    """Forgets runs that were begun and did nothing, and who was answered of those that are done.

    Both only of runs that were last heard of before a time in Unix seconds; how many runs were forgotten.
    """
    last, forgotten = b"", 0
    while found := database.write(partial(_forget_answers, query=_ANSWERED, last=last, before=before)):
        last = found[-1]
    while idle := database.write(partial(_forget_idle, before=before)):
        forgotten += len(idle)
    return forgotten


class _Gone(NamedTuple):
    entries: int
    batches: int


def _announce(connection: Connection, at: Standpoint | None, before: int, writing: Writing) -> int:
    """Appends to the chain what is to go; up to which entry that is, or was when it was last pruned."""
    number, chain = (at.number, str(at.scope)) if at else (SITE_NUMBER, SITE)
    if at is not None:
        at = lock_scope(connection, at.scope)
    cut = find_cut(connection, number, chain)
    gone = cut.through if cut else 0
    through = _last_before(connection, number, before)
    if through <= gone:
        return gone
    query = "SELECT hash FROM ledger WHERE media = ? AND seq = ?"
    ((found,),) = connection.execute(query, (number, through)).fetchall()
    said = Said(PRUNE, {"through": through, "hash": found.hex(), "count": through - gone})
    if at is None:
        append_site(connection, writing, said)
    else:
        append(connection, at, writing, said, version=at.version)
    return through


def _last_before(connection: Connection, number: int, before: int) -> int:
    """The last entry that may go: all up to it are older than the time; 0 when none may."""
    query = "SELECT seq FROM ledger WHERE media = ? AND time >= ? ORDER BY seq LIMIT 1"
    young = connection.execute(query, (number, before)).fetchone()
    query = "SELECT coalesce(max(seq), 0) FROM ledger WHERE media = ?"
    ((last,),) = connection.execute(query, (number,)).fetchall()
    bounds = [int(last) - 1]
    if young is not None:
        bounds.append(int(young[0]) - 1)
    newest = connection.execute("SELECT media, id FROM batches ORDER BY number DESC LIMIT 1").fetchone()
    if newest is not None and newest[0] == number:
        query = "SELECT seq FROM ledger WHERE media = ? AND batch = ?"
        bounds += [int(row[0]) - 1 for row in connection.execute(query, tuple(newest))]
    return max(0, min(bounds))


def _forget(connection: Connection, number: int, through: int) -> _Gone:
    """Deletes the oldest entries of a chain, and the batches they speak of."""
    # Locked, so that nobody who finds a batch misses its entry.
    connection.execute(f"SELECT number FROM media AS m WHERE number = ?{connection.locking}", (number,))  # noqa: S608
    query = "SELECT seq, kind, batch, payload FROM ledger WHERE media = ? AND seq <= ? ORDER BY seq LIMIT ?"
    entries = batches = changes = 0
    for seq, kind, batch, payload in connection.execute(query, (number, through, CHUNK)).fetchall():
        if kind == BATCH:
            changes += _fields(payload)
            if entries and changes > _CHANGES:
                break
            batches += _forget_batch(connection, number, batch)
        connection.execute("DELETE FROM ledger WHERE media = ? AND seq = ?", (number, seq))
        entries += 1
    return _Gone(entries, batches)


def _forget_batch(connection: Connection, number: int, batch: bytes) -> int:
    query = "SELECT number, run FROM batches WHERE media = ? AND id = ?"
    found = connection.execute(query, (number, batch)).fetchone()
    if found is None:
        return 0
    for table in ("changes", "sources"):
        connection.execute(f"DELETE FROM {table} WHERE batch = ?", (found[0],))  # noqa: S608 - the two names above
    connection.execute("DELETE FROM batches WHERE number = ?", (found[0],))
    connection.execute("UPDATE runs SET done = 1 WHERE run = ? AND done = 0", (found[1],))
    return 1


def _fields(payload: str) -> int:
    try:
        return int(json.loads(payload)["fields"])
    except (ValueError, KeyError, TypeError):
        return 0


def _expire(connection: Connection, at: Standpoint, before: int, writing: Writing) -> int:
    at = lock_scope(connection, at.scope)
    # From the end: what was written since is bounded by that time, the chain is not.
    query = "SELECT version FROM ledger WHERE media = ? AND time < ? ORDER BY seq DESC LIMIT 1"
    dated = connection.execute(query, (at.number, before)).fetchone()
    if dated is None:
        return 0
    query = "SELECT version FROM tombstones WHERE media = ? AND version <= ? ORDER BY version LIMIT ?"
    versions = connection.execute(query, (at.number, dated[0], DELETIONS)).fetchall()
    if not versions:
        return 0
    through = int(versions[-1][0])
    forget_tombstones(connection, at, through)
    append(connection, at, writing, Said("expire", {"through": through}), version=at.version)
    return len(versions)


def _forget_answers(connection: Connection, *, query: str, last: bytes, before: int) -> list[bytes]:
    found = [(row[0],) for row in connection.execute(query, (before, last, CHUNK)).fetchall()]
    connection.executemany("DELETE FROM replied WHERE run = ?", found)
    return [run for (run,) in found]


def _forget_idle(connection: Connection, *, before: int) -> list[bytes]:
    found = _forget_answers(connection, query=_IDLE, last=b"", before=before)
    connection.executemany("DELETE FROM runs WHERE run = ?", [(run,) for run in found])
    return found
