"""What a client asks of a scope's ledger: what a source moved within a day, and which batches are recorded.

Both are bounded: the first reads an index of batches that moved something (schema.py) for one source and one day, the
second one key per batch asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.guard import DAY_SECONDS, Earlier
from mailsync.server.database import Connection
from mailsync.wire.ledger import Missing

_MOVED = """
    SELECT coalesce(sum(moved), 0), count(DISTINCT run) FROM batches
    WHERE media = ? AND source = ? AND time > ? AND moved > 0 AND run <> ?
"""


def find_earlier(connection: Connection, number: int, source: str, run: bytes, now: int) -> Earlier:
    """What the source's batches of other runs moved in the scope within a day of `now`, in Unix seconds.

    What a clock that was wrong put into the future counts, too.
    """
    ((volumes, mails),) = connection.execute(_MOVED, (number, source, now - DAY_SECONDS, run)).fetchall()
    return Earlier(int(volumes), int(mails))


def find_missing(connection: Connection, number: int, batches: Iterable[bytes], pruned: int) -> Missing:
    """Which of the batches the scope does not have, whose ledger was pruned up to entry `pruned`."""
    query = "SELECT 1 FROM batches WHERE media = ? AND id = ?"
    gone = (one for one in batches if connection.execute(query, (number, one)).fetchone() is None)
    return Missing(pruned, tuple(gone))
