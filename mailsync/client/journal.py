"""The journal: every fact of a run, durable before the next effect begins (exactly-once.md sections 1 and 2).

Strategy: one SQLite file, WAL with synchronous=FULL, one short transaction per fact. A run is found by its run id, or,
while it is open, by the very mail it was begun with. What a run decided, asked and heard is written once and read back
after a kill; nothing that has been journalled is decided again.

table      one row per        holds
runs       run                verdict of the first attempt, state, attempts that did not end in order
chapters   plan of one scope  the plan as JSON, the round it belongs to, whether it was dropped as stale
batches    APPLY              the request byte for byte, then its outcome as JSON
replies    audience           that the kept reply was handed to sendmail
host       host               16 random bytes that name it

What a restore of the server took back has two tables of its own (losses.py).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mailsync.client.losses import SCHEMA as _LOSSES
from mailsync.client.losses import Losses
from mailsync.core.damage import is_damage
from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId

OPEN, DONE, HELD = "open", "done", "held"
_VERSION = 3
_HOST = "CREATE TABLE host (holder BLOB NOT NULL)"
_SCHEMA = """
CREATE TABLE runs (
  run BLOB PRIMARY KEY, mail BLOB NOT NULL, route TEXT NOT NULL, verdict TEXT NOT NULL,
  first_seen INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'open', reason TEXT NOT NULL DEFAULT '',
  report TEXT, sent INTEGER NOT NULL DEFAULT 0, received INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX runs_mail ON runs (mail);
CREATE INDEX runs_state ON runs (state, first_seen);
CREATE TABLE chapters (
  run BLOB NOT NULL, chapter INTEGER NOT NULL, round INTEGER NOT NULL, scope TEXT NOT NULL, plan TEXT NOT NULL,
  dropped INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, chapter)
) WITHOUT ROWID;
CREATE TABLE batches (
  run BLOB NOT NULL, chapter INTEGER NOT NULL, part INTEGER NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL,
  outcome TEXT, PRIMARY KEY (run, chapter, part)
) WITHOUT ROWID;
CREATE TABLE replies (
  run BLOB NOT NULL, audience TEXT NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY (run, audience)
) WITHOUT ROWID;
"""


class Run(NamedTuple):
    """A run as journalled. Times are seconds; `crashes` counts attempts that did not end in order.

    `mail` is the SHA-256 of the mail and its recipient as the first attempt got them. `verdict` and `report` are JSON
    texts: what was decided about the mail, and what was read from it and objected to (None until that is decided).
    `sent` and `received` are application bytes exchanged with the server.
    """

    run: RunId
    mail: bytes
    route: str
    verdict: str
    first_seen: int
    ended: int
    attempts: int
    crashes: int
    state: str
    reason: str
    report: str | None
    sent: int
    received: int


class Chapter(NamedTuple):
    """One plan for one scope in one round, as JSON. A dropped one was stale: only what has an outcome counts."""

    chapter: int
    round: int
    scope: str
    plan: str
    dropped: bool


class KeptBatch(NamedTuple):
    """One APPLY of a chapter, by its part, with its bytes."""

    chapter: int
    part: int
    id: bytes
    body: bytes


class Journal:
    """The journal file of a site. Every method is one transaction; what returns is on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._failures():
            fresh = not path.exists()
            if fresh:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=20, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._create()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @property
    def holder(self) -> bytes:
        """This host's name for the leases of runs: 16 bytes, other ones on another host, also where it is a copy."""
        import hashlib
        import socket  # not for duplicates, which end before this

        with self._failures():
            (kept,) = self._db.execute("SELECT holder FROM host").fetchone()
        return hashlib.sha256(kept + socket.gethostname().encode()).digest()[:16]

    @property
    def losses(self) -> Losses:
        """What a restore of the server took back."""
        return Losses(self._db, self._transaction, self._failures)

    def open_with(self, mail: bytes) -> Run | None:
        """The open run that was begun with this very mail, or None."""
        return self._run("mail = ? AND state = 'open' ORDER BY first_seen DESC, run LIMIT 1", mail)

    def find(self, run: bytes) -> Run | None:
        """The run of this id, or None."""
        return self._run("run = ?", run)

    def begin(self, run: RunId, *, mail: bytes, route: str, verdict: str, now: int) -> Run:
        """Opens or re-opens the run, counting this attempt as not yet ended in order.

        The verdict and the first-seen time of the first attempt stay; a held run starts its count anew. A first-seen
        time that has not come yet is of a clock that was ahead, and becomes `now`.
        """
        with self._transaction():
            self._db.execute(
                "INSERT INTO runs (run, mail, route, verdict, first_seen) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run) DO NOTHING",
                (run, mail, route, verdict, now),
            )
            self._db.execute(
                "UPDATE runs SET attempts = attempts + 1, crashes = iif(state = 'held', 1, crashes + 1),"
                # Nothing was seen later than now: the clock was ahead then, and has been set right since.
                " first_seen = iif(state = 'held', ?1, min(first_seen, ?1)), state = 'open', reason = ''"
                " WHERE run = ?2",
                (now, run),
            )
        found = self.find(run)
        if found is None:
            raise AssertionError(run.hex())
        return found

    def postpone(self, run: RunId) -> None:
        """This attempt ended in order without finishing: it will be tried again, and counts no crash."""
        self._write("UPDATE runs SET crashes = max(crashes - 1, 0) WHERE run = ?", (run,))

    def end(self, run: RunId, *, state: str, reason: str, now: int) -> None:
        """Ends the run for good: `DONE`, or `HELD` with the reason people are told."""
        self._write(
            "UPDATE runs SET state = ?, reason = ?, ended = ?, crashes = 0 WHERE run = ?", (state, reason, now, run)
        )

    def decide(self, run: RunId, report: str, chapters: tuple[Chapter, ...], batches: tuple[KeptBatch, ...]) -> None:
        """Keeps what was read and what is to be done about it, in one transaction, before any of it is sent."""
        with self._transaction():
            self._db.execute("UPDATE runs SET report = ? WHERE run = ?", (report, run))
            self._insert(run, chapters, batches)

    def extend(
        self, run: RunId, chapters: tuple[Chapter, ...], batches: tuple[KeptBatch, ...], *, dropping: int | None = None
    ) -> None:
        """Adds further plans; `dropping` names the stale chapter they replace, whose unanswered batches go."""
        with self._transaction():
            if dropping is not None:
                self._db.execute("UPDATE chapters SET dropped = 1 WHERE run = ? AND chapter = ?", (run, dropping))
                self._db.execute(
                    "DELETE FROM batches WHERE run = ? AND chapter = ? AND outcome IS NULL", (run, dropping)
                )
            self._insert(run, chapters, batches)

    def answered(self, run: RunId, batch: KeptBatch, outcome: str) -> None:
        """Keeps the outcome of a batch."""
        self._write(
            "UPDATE batches SET outcome = ? WHERE run = ? AND chapter = ? AND part = ?",
            (outcome, run, batch.chapter, batch.part),
        )

    def spent(self, run: RunId, sent: int, received: int) -> None:
        """Adds to the application bytes of the run."""
        self._write("UPDATE runs SET sent = sent + ?, received = received + ? WHERE run = ?", (sent, received, run))

    def chapters(self, run: RunId) -> tuple[Chapter, ...]:
        """The plans of the run, in the order they were made."""
        sql = "SELECT chapter, round, scope, plan, dropped FROM chapters WHERE run = ? ORDER BY chapter"
        with self._failures():
            rows = self._db.execute(sql, (run,)).fetchall()
        return tuple(Chapter(number, round_, scope, plan, bool(gone)) for number, round_, scope, plan, gone in rows)

    def unanswered(self, run: RunId) -> tuple[KeptBatch, ...]:
        """The batches without an outcome, in the order they are sent."""
        sql = "SELECT chapter, part, id, body FROM batches WHERE run = ? AND outcome IS NULL ORDER BY chapter, part"
        with self._failures():
            return tuple(KeptBatch(*row) for row in self._db.execute(sql, (run,)))

    def outcomes(self, run: RunId) -> dict[int, list[str | None]]:
        """Of every chapter the outcomes of its batches as JSON, in the order they are sent; None: not yet answered."""
        found: dict[int, list[str | None]] = {}
        with self._failures():
            sql = "SELECT chapter, outcome FROM batches WHERE run = ? ORDER BY chapter, part"
            for chapter, outcome in self._db.execute(sql, (run,)):
                found.setdefault(chapter, []).append(outcome)
        return found

    def sent_to(self, run: RunId) -> frozenset[str]:
        """The audiences whose reply sendmail has accepted."""
        with self._failures():
            rows = self._db.execute("SELECT audience FROM replies WHERE run = ?", (run,))
            return frozenset(audience for (audience,) in rows)

    def mark_sent(self, run: RunId, audience: str, now: int) -> None:
        """Sendmail has accepted the reply to the audience."""
        self._write("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", (run, audience, now))

    def held(self) -> tuple[Run, ...]:
        """The held runs, oldest first."""
        with self._failures():
            rows = self._db.execute("SELECT * FROM runs WHERE state = 'held' ORDER BY first_seen, run")
            return tuple(_as_run(row) for row in rows)

    def matching(self, prefix: str) -> tuple[Run, ...]:
        """The runs whose id, in hex, begins with the prefix; at most 10."""
        with self._failures():
            rows = self._db.execute(
                "SELECT * FROM runs WHERE substr(hex(run), 1, ?) = ? LIMIT 10", (len(prefix), prefix.upper())
            )
            return tuple(_as_run(row) for row in rows)

    def _create(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
            if version < 2:
                self._db.execute(_HOST)
                self._db.execute("INSERT INTO host VALUES (?)", (os.urandom(16),))
            if version < _VERSION:
                for statement in _LOSSES:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _insert(self, run: RunId, chapters: tuple[Chapter, ...], batches: tuple[KeptBatch, ...]) -> None:
        self._db.executemany("INSERT INTO chapters VALUES (?, ?, ?, ?, ?, ?)", ((run, *one) for one in chapters))
        self._db.executemany(
            "INSERT INTO batches (run, chapter, part, id, body) VALUES (?, ?, ?, ?, ?)",
            ((run, *one) for one in batches),
        )

    def _run(self, where: str, value: bytes) -> Run | None:
        with self._failures():
            row = self._db.execute(f"SELECT * FROM runs WHERE {where}", (value,)).fetchone()  # noqa: S608 - own texts
        return _as_run(row) if row else None

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        with self._transaction():
            self._db.execute(sql, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._failures():
            try:
                # Within the try: a signal may arrive when the transaction has just begun.
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            # Postfix's mailbox_size_limit makes SQLite fail with "disk I/O error": name that cause too.
            hint = "check free space, permissions, and Postfix's mailbox_size_limit; the mail stays queued"
            if isinstance(error, sqlite3.Error) and is_damage(error):
                hint = "move it away (operations.md, A damaged file); the mail stays queued, and nothing is done twice"
            raise TemporaryError(f"journal {self._path}: {error}", hint=hint) from error


def _as_run(row: tuple[object, ...]) -> Run:
    return Run(*row)  # type: ignore[arg-type] # the columns are declared in this order
