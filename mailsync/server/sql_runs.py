"""Runs lent to one process at a time, so that no audience is answered twice by two mail hosts with the same mail.

asked by      the run is                     answer
anybody       done                           done
its holder    lent to it                     yours, for another LEASE_SECONDS
another       lent, and the time is not up   busy
another       lent, and the time is up       yours
another       lent until later than possible yours: the clock was set back since
another       given back by its holder       yours
anybody       unknown                        yours

Applying is safe without this, because a batch has one effect, whoever sends it; a lease is about answers
(exactly-once.md section 2).
"""

from __future__ import annotations

from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.access import Access, Rights
from mailsync.server.database import Connection
from mailsync.server.sql_chain import find_site_head
from mailsync.server.store import BUSY, DONE, LEASE_SECONDS, YOURS, RequestError, RunState
from mailsync.wire import limits
from mailsync.wire.errors import Code

_BATCHES = """
    SELECT m.customer, m.id, b.id FROM batches AS b JOIN media AS m ON m.number = b.media
    WHERE b.run = ? ORDER BY b.number LIMIT ?
"""


def begin_run(connection: Connection, run: bytes, holder: bytes, now: int, rights: Rights) -> RunState:
    """As store.Store.begin_run."""
    query = "INSERT INTO runs (run, holder, until, done) VALUES (?, ?, 0, 0) ON CONFLICT (run) DO NOTHING"
    connection.execute(query, (run, holder))
    # The row is there now, and locked by whoever asks first.
    query = f"SELECT holder, until, done FROM runs AS m WHERE run = ?{connection.locking}"  # noqa: S608 - a constant
    ((owner, until, done),) = connection.execute(query, (run,)).fetchall()
    # Servers over one store may differ by a lease; a time further off is of a clock that has been set back since.
    if not done and owner != holder and now < until <= now + 2 * LEASE_SECONDS:
        return RunState(BUSY)
    if not done:
        query = "UPDATE runs SET holder = ?, until = ? WHERE run = ?"
        connection.execute(query, (holder, now + LEASE_SECONDS, run))
    rows = connection.execute(_BATCHES, (run, limits.RUN_BATCHES)).fetchall()
    recorded = ((Scope(CustomerId(customer), MediaId(media)), batch) for customer, media, batch in rows)
    batches = tuple(one for one in recorded if rights.on(one[0]) >= Access.READ)
    query = "SELECT audience FROM replied WHERE run = ? ORDER BY audience"
    audiences = tuple(row[0] for row in connection.execute(query, (run,)))
    if done:
        return RunState(DONE, batches, audiences)
    head = find_site_head(connection)
    return RunState(YOURS, batches, audiences, head.seq, head.hash)


def renew_run(connection: Connection, run: bytes, holder: bytes, now: int) -> bool:
    """As store.Store.renew_run: also after its time was up, as long as nobody else took it."""
    query = "UPDATE runs SET until = ? WHERE run = ? AND holder = ? AND done = 0"
    return connection.execute(query, (now + LEASE_SECONDS, run, holder)).rowcount > 0


def mark_replied(connection: Connection, run: bytes, holder: bytes, audience: str, now: int) -> bool:
    """As store.Store.mark_replied; RequestError INVALID beyond as many audiences as one RUN_OK tells."""
    if not renew_run(connection, run, holder, now):
        return False
    query = "SELECT count(*) FROM replied WHERE run = ? AND audience <> ?"
    if connection.execute(query, (run, audience)).fetchall()[0][0] >= limits.AUDIENCES:
        raise RequestError(Code.INVALID, f"run: at most {limits.AUDIENCES} audiences are answered")
    query = "INSERT INTO replied (run, audience, time) VALUES (?, ?, ?) ON CONFLICT (run, audience) DO NOTHING"
    connection.execute(query, (run, audience, now))
    return True


def end_run(connection: Connection, run: bytes, holder: bytes, now: int) -> None:
    """As store.Store.end_run."""
    connection.execute("UPDATE runs SET done = 1, until = ? WHERE run = ? AND holder = ?", (now, run, holder))


def release_run(connection: Connection, run: bytes, holder: bytes, now: int) -> None:
    """As store.Store.release_run."""
    connection.execute("UPDATE runs SET until = ? WHERE run = ? AND holder = ? AND done = 0", (now, run, holder))
