"""What a store of volumes must do, and the values it speaks in. The one in SQL is over SQLite or PostgreSQL.

Strategy (exactly-once.md sections 3 and 4): every writer locks the scope, numbers what really changed from the
scope's version, and commits rows, ledger and outcome together, so that a reader who asks for what is newer than a
version never misses a row. What a request may not do is a `RequestError`; a store that cannot answer at all raises
`core.errors.TemporaryError`. Times are Unix seconds, passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import MailsyncError
from mailsync.core.guard import Earlier
from mailsync.core.ledger import Head
from mailsync.core.model import Scope, Volume
from mailsync.core.outcome import Batch, Outcome
from mailsync.server.access import Asker, Principal
from mailsync.server.administration import Administration
from mailsync.server.chain import Entry
from mailsync.wire.errors import Code
from mailsync.wire.ledger import Missing
from mailsync.wire.scram import Verifier


class RequestError(MailsyncError):
    """A request that the store answers with no, by the wire's code for it; nothing was stored.

    `outcome` is the recorded one of BATCH_ID_REUSED.
    """

    def __init__(self, code: Code, text: str, *, outcome: Outcome | None = None, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.code = code
        self.outcome = outcome


class LoadRow(NamedTuple):
    """One row of a load: the volume, the values of the load's fields, and the line of the file it came from."""

    scope: Scope
    volume: str
    values: tuple[str, ...]
    line: int


class LoadFault(NamedTuple):
    """Why a row cannot be loaded."""

    line: int
    text: str


class Loaded(NamedTuple):
    """What a load did; when `faults` is not empty it did nothing. `faulty` counts the rows beyond those listed, too."""

    rows: int
    added: int
    changed: int
    scopes_added: tuple[Scope, ...]
    repositories_added: tuple[tuple[Scope, str], ...]
    faults: tuple[LoadFault, ...]
    faulty: int
    clusters_added: tuple[str, ...] = ()


class LoadPolicy(IntEnum):
    """What a load does about scopes, repositories and data clusters that the store does not have."""

    CREATE = 0
    STRICT = 1


class LedgerEntry(NamedTuple):
    """One field that a batch changed: which, from and to what, by whom and when, and the row that asked for it."""

    scope: Scope
    volume: str
    version: int
    field: str
    before: str
    after: str
    batch: bytes
    run: bytes
    plan: bytes
    user: str
    key_id: str
    time: int
    mail: str
    attachment: str
    row: int
    line: int


class Flaw(NamedTuple):
    """What is wrong in a chain of the ledger, at or after an entry (0: with the chain as a whole)."""

    chain: str
    seq: int
    text: str


class Pruned(NamedTuple):
    """What pruning took from a chain now: entries, and the batches they spoke of; all up to entry `through` is gone."""

    chain: str
    entries: int
    batches: int
    through: int


class RecordedBatch(NamedTuple):
    """A batch as recorded: what was asked, by whom and when, and its outcome."""

    id: bytes
    request_hash: bytes
    run: bytes
    plan: bytes
    source: str
    asof: int
    base: int
    user: str
    key_id: str
    time: int
    outcome: Outcome


class RunState(NamedTuple):
    """How a run stands when somebody asks to carry it on: yours (for `LEASE_SECONDS`), busy (another has it), or done.

    `batches` are those recorded of it, by scope; `audiences` those that were answered. Whose it is learns how many
    entries the site's chain has, and the hash (32 bytes) it ends in: the answers carry both, and witness it.
    """

    state: str
    batches: tuple[tuple[Scope, bytes], ...] = ()
    audiences: tuple[str, ...] = ()
    entry: int = 0
    ledger: bytes = b""


class Moving(NamedTuple):
    """A volume on its way, or with a date to go; `sent` is when its target last changed (Unix seconds, 0: unknown)."""

    scope: Scope
    volume: str
    current: str
    target: str
    sent: int
    move_date: str
    container: str


class Footing(NamedTuple):
    """Where a copy's cursor stands in its scope: `reset` when it must start over, and the scope as it is now.

    `mark` is the first 8 bytes of the hash that its ledger ends in.
    """

    reset: bool
    epoch: bytes
    version: int
    floor: int
    mark: bytes
    repositories_version: int


class Stats(NamedTuple):
    """A scope in figures: volumes by target repository, by flag letter; `bytes`: characters of all values."""

    volumes: int
    repositories: tuple[tuple[str, int], ...]
    flags: tuple[tuple[str, int], ...]
    bytes: int


YOURS, BUSY, DONE = "yours", "busy", "done"
LEASE_SECONDS = 120  # longer than one attempt of the filter may take


class Store(Administration, Protocol):
    """Volumes by scope, their versions, the batches that changed them, and who may do what."""

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int, limit: int, asker: Asker) -> Page:
        """The page that follows `cursor`: at most `limit` tombstones and rows together.

        Raises RequestError NO_SUCH_SCOPE, also for a scope the user may not read; FORBIDDEN for a revoked user.
        """
        ...

    def footing(self, scope: Scope, cursor: Cursor, asker: Asker) -> Footing:
        """Whether a copy may go on from `cursor`, as `sync` would judge it. Raises RequestError as `sync` does."""
        ...

    def apply(self, batch: Batch, request_hash: bytes, principal: Principal, now: int) -> Outcome:
        """What became of the batch, now or when it was first recorded (then `replayed`). Raises RequestError."""
        ...

    def load(
        self, fields: Sequence[str], rows: Iterable[LoadRow | LoadFault], *, policy: LoadPolicy = LoadPolicy.CREATE
    ) -> Loaded:
        """Sets the named fields of the volumes, adding those that are missing: all rows or, with a fault, none.

        A new volume is settled: where `fields` lack them, its repository is the default one, its current repository
        is its repository, and its confirmed repository is its current one. Rows are read before anything is locked.
        """
        ...

    def export(self, scope: Scope) -> Iterator[tuple[str, Volume]]:
        """Every volume, ascending, as of one moment. Raises RequestError NO_SUCH_SCOPE at once."""
        ...

    def attributes(self, scope: Scope) -> tuple[tuple[int, ...], Iterator[tuple[str, Volume, dict[int, str]]]]:
        """The numbers of the attributes that are set in the scope, and every volume with its own, as of one moment.

        Raises RequestError NO_SUCH_SCOPE at once.
        """
        ...

    def moving(self, scope: Scope | None = None) -> Iterator[Moving]:
        """Every volume that is moving (flag M), or was sent elsewhere while it is known nowhere, longest first.

        Of one scope or of all.
        """
        ...

    def dated(self, before: str, scope: Scope | None = None) -> Iterator[Moving]:
        """Every volume whose move date is before a day (`2026-01-31`), oldest first; of one scope or of all."""
        ...

    def delete(self, scope: Scope, volumes: Iterable[str]) -> tuple[str, ...]:
        """Deletes those of the volumes that exist, leaves a tombstone for each, and returns which there were.

        Raises RequestError INVALID for a container that holds others than these, and then none is deleted.
        """
        ...

    def expire(self, scope: Scope, through: int) -> None:
        """Forgets tombstones up to version `through`; the floor rises to the newest forgotten one."""
        ...

    def prune(self, before: int) -> Iterator[Pruned]:
        """Takes what was written before a time in Unix seconds from the ledger's chains, the site's first.

        Chain after chain, while it is iterated. Recorded batches go with their entries. Each chain says what it lost.
        Raises RequestError INVALID for a time less than 30 days ago.
        """
        ...

    def expire_deletions(self, before: int) -> Iterator[tuple[Scope, int]]:
        """Forgets tombstones of deletions before a time, scope after scope: how many. Raises as `prune` does."""
        ...

    def forget_runs(self, before: int) -> int:
        """Forgets runs that did nothing, and were last heard of before a time: how many. Raises as `prune` does."""
        ...

    def renew_epoch(self, epoch: bytes) -> None:
        """Begins a new life (16 bytes), as after a restore from a backup: every cache starts over."""
        ...

    def begin_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> RunState:
        """Lends a run (32 bytes) to its holder (16 random bytes of a process), or says why not.

        Raises RequestError FORBIDDEN, as all about runs does, for a user who may write nowhere. Batches of scopes that
        the user may not read are left out.
        """
        ...

    def renew_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> bool:
        """Lends the run on; False when somebody else has it by now."""
        ...

    def mark_replied(self, run: bytes, holder: bytes, audience: str, now: int, asker: Asker) -> bool:
        """Notes that an audience was answered; False when somebody else has the run by now."""
        ...

    def end_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> None:
        """Notes that the run is done; nothing when somebody else has it."""
        ...

    def release_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> None:
        """Gives an unfinished run back, so that nobody need wait for it; nothing when somebody else has it."""
        ...

    def earlier(self, scope: Scope, source: str, run: bytes, now: int, asker: Asker) -> Earlier:
        """What the source (of outcome.Batch) moved in the scope within the day before `now`, other runs' work alone.

        Raises RequestError as `sync` does.
        """
        ...

    def missing(self, scope: Scope, batches: Sequence[bytes], asker: Asker) -> Missing:
        """Which of the batches (16 bytes each) are not recorded. Raises RequestError as `sync` does."""
        ...

    def stats(self, scope: Scope, asker: Asker) -> Stats:
        """The scope in figures. Raises RequestError as `sync` does."""
        ...

    def heads(self) -> tuple[Head, ...]:
        """Where each chain of the ledger ends, the site's first."""
        ...

    def chain(self, chain: str) -> Iterator[tuple[Entry, bytes]]:
        """Every entry of a chain (a scope, or core.ledger.SITE) with its hash, oldest first.

        Raises RequestError NO_SUCH_SCOPE.
        """
        ...

    def verify(self) -> Iterator[Flaw]:
        """What is wrong with the ledger, entry by entry; nothing when it is whole."""
        ...

    def batches(self, scope: Scope) -> tuple[RecordedBatch, ...]:
        """Every recorded batch, oldest first."""
        ...

    def ledger(self, scope: Scope, volume: str = "") -> Iterator[LedgerEntry]:
        """Every change that a batch made (to one volume when it is named), oldest first."""
        ...

    def set_verifier(self, verifier: Verifier, principal: Principal, now: int, *, instead_of: bytes) -> None:
        """Replaces what proves the user's own password, while that is what it proved (by its StoredKey).

        Raises RequestError FORBIDDEN for a token, for nobody, and once the password is another.
        """
        ...

    def close(self) -> None:
        """Lets go of the store; safe to call twice."""
        ...
