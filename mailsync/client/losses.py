"""What a restore of the server took back: runs that this host has the outcomes of, and the server no more.

Strategy (exactly-once.md section 5): the journal keeps the epoch in which it last saw each scope. When that changes,
the batches it has outcomes of are looked for on the server, and those that are lost are noted in the transaction that
keeps the new epoch: a kill before it asks again, a kill after it has lost nothing. People are told once, or by two
mails that are answered at the same moment; the list stays until it is cleared.

table    one row per    holds
epochs   scope          the epoch it was last seen in
lost     run and scope  when people were told, 0 until then, -1 once the list was cleared
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from mailsync.core.model import RunId

SCHEMA = (
    "CREATE TABLE epochs (scope TEXT PRIMARY KEY, epoch BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lost (run BLOB, scope TEXT, told INTEGER NOT NULL, PRIMARY KEY (run, scope)) WITHOUT ROWID",
)
_ANSWERED = """
    SELECT b.run, b.id, b.outcome FROM chapters AS c
    JOIN runs AS r ON r.run = c.run
    JOIN batches AS b ON b.run = c.run AND b.chapter = c.chapter
    WHERE c.scope = ? AND b.outcome IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM lost AS l WHERE l.run = c.run AND l.scope = c.scope)
    ORDER BY max(r.first_seen, r.ended) DESC, b.run, b.chapter, b.part
"""


class Answered(NamedTuple):
    """A batch that the server has answered: its run, its id, and its outcome as JSON."""

    run: RunId
    id: bytes
    outcome: str


class Lost(NamedTuple):
    """A run of which the server has lost what it did in a scope; `told` in seconds, 0: nobody was told yet."""

    run: RunId
    scope: str
    told: int


class Losses:
    """The two tables, in the journal's file."""

    def __init__(
        self,
        db: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[None]],
        failures: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._db = db
        self._transaction = transaction
        self._failures = failures

    def epoch(self, scope: str) -> bytes:
        """The epoch that the scope was last seen in; empty when it never was."""
        with self._failures():
            row = self._db.execute("SELECT epoch FROM epochs WHERE scope = ?", (scope,)).fetchone()
        return bytes(row[0]) if row else b""

    def answered(self, scope: str) -> Iterator[Answered]:
        """The batches of the scope that have an outcome, of the newest run first; without runs known to be lost."""
        with self._failures():
            for run, id_, outcome in self._db.execute(_ANSWERED, (scope,)):
                yield Answered(RunId(run), id_, outcome)

    def note(self, scope: str, epoch: bytes, runs: Iterable[RunId]) -> None:
        """Keeps the scope's new epoch, and the runs that are lost with the old one."""
        with self._transaction():
            rows = ((run, scope) for run in runs)
            self._db.executemany("INSERT OR IGNORE INTO lost (run, scope, told) VALUES (?, ?, 0)", rows)
            self._db.execute("INSERT OR REPLACE INTO epochs (scope, epoch) VALUES (?, ?)", (scope, epoch))

    def all(self) -> tuple[Lost, ...]:
        """What is lost, the oldest runs first."""
        query = (
            "SELECT l.run, l.scope, l.told FROM lost AS l JOIN runs AS r ON r.run = l.run "
            "WHERE l.told >= 0 ORDER BY r.first_seen, l.run, l.scope"
        )
        with self._failures():
            return tuple(Lost(RunId(run), scope, told) for run, scope, told in self._db.execute(query))

    def mark_told(self, found: Iterable[Lost], now: int) -> None:
        """People were told of these."""
        with self._transaction():
            rows = ((now, one.run, one.scope) for one in found)
            self._db.executemany("UPDATE lost SET told = ? WHERE run = ? AND scope = ?", rows)

    def redone(self, run: RunId, scope: str) -> None:
        """The run was still going on, and does it again by itself: nobody is told."""
        with self._transaction():
            self._db.execute("UPDATE lost SET told = -1 WHERE run = ? AND scope = ?", (run, scope))

    def clear(self) -> None:
        """Empties the list: people have dealt with it. What was on it is never looked for again."""
        with self._transaction():
            self._db.execute("UPDATE lost SET told = -1")
