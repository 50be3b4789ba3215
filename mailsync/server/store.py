"""What a store of volumes must do, and the values it speaks in. `sqlite.SqliteStore` is one; all pass one test class.

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
from mailsync.core.model import Repository, Scope, Volume
from mailsync.core.outcome import Batch, Outcome
from mailsync.server.chain import Entry, Head
from mailsync.wire.errors import Code
from mailsync.wire.passwords import Kdf
from mailsync.wire.scram import Verifier

REPOSITORY_KINDS = (  # TapeTrack's types; "" is one that nobody has given yet
    "Destruction",
    "Disaster Recovery",
    "Legal Hold",
    "Library",
    "Ordered",
    "Rack",
    "Scratch",
    "Transport",
    "Vault",
)
LONGEST_CUSTOMER_DESCRIPTION, LONGEST_DESCRIPTION = 40, 20  # a customer's; a media type's and a repository's


class RequestError(MailsyncError):
    """A request that the store answers with no, by the wire's code for it; nothing was stored.

    `outcome` is the recorded one of BATCH_ID_REUSED.
    """

    def __init__(self, code: Code, text: str, *, outcome: Outcome | None = None, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.code = code
        self.outcome = outcome


class Principal(NamedTuple):
    """Who asks: the token user who logged on, and the id of the key the connection was made with."""

    user: str
    key_id: str


class ScopeState(NamedTuple):
    """A scope and where its life stands. `default_repository` is the target of new volumes that name none."""

    scope: Scope
    description: str
    default_repository: str
    epoch: bytes
    version: int
    floor: int
    repositories_version: int
    volumes: int


class TokenUser(NamedTuple):
    """A machine that may log on with a token. `created` and `revoked` are Unix seconds; `revoked` 0 means live."""

    name: str
    created: int
    revoked: int


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


class LoadPolicy(IntEnum):
    """What a load does about scopes and repositories that the store does not have."""

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

    `batches` are those recorded of it, by scope; `audiences` those that were answered.
    """

    state: str
    batches: tuple[tuple[Scope, bytes], ...] = ()
    audiences: tuple[str, ...] = ()


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


class Store(Protocol):
    """Volumes by scope, their versions, the batches that changed them, and who may log on."""

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int, limit: int) -> Page:
        """The page that follows `cursor`: at most `limit` tombstones and rows together.

        Raises RequestError NO_SUCH_SCOPE.
        """
        ...

    def footing(self, scope: Scope, cursor: Cursor) -> Footing:
        """Whether a copy may go on from `cursor`, as `sync` would judge it. Raises RequestError NO_SUCH_SCOPE."""
        ...

    def apply(self, batch: Batch, request_hash: bytes, principal: Principal, now: int) -> Outcome:
        """What became of the batch, now or when it was first recorded (then `replayed`). Raises RequestError."""
        ...

    def scopes(self) -> tuple[ScopeState, ...]:
        """Every scope, ascending."""
        ...

    def add_scope(
        self,
        scope: Scope,
        *,
        description: str = "",
        repositories: Sequence[Repository] = (),
        default_repository: str = "",
    ) -> None:
        """Adds a media type, its customer where that is new, and its repositories.

        Raises RequestError INVALID when the scope exists, a name or text is off, or the default repository is not one.
        """
        ...

    def repositories(self, scope: Scope) -> tuple[Repository, ...]:
        """The scope's repositories, ascending. Raises RequestError NO_SUCH_SCOPE."""
        ...

    def add_repository(self, scope: Scope, repository: Repository) -> None:
        """Adds a repository, or changes the one of this id. Raises RequestError NO_SUCH_SCOPE, INVALID."""
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

    def delete(self, scope: Scope, volumes: Iterable[str]) -> int:
        """Deletes those of the volumes that exist, leaves a tombstone for each, and returns how many there were."""
        ...

    def expire(self, scope: Scope, through: int) -> None:
        """Forgets tombstones up to version `through`; the floor rises to the newest forgotten one."""
        ...

    def renew_epoch(self, epoch: bytes) -> None:
        """Begins a new life (16 bytes), as after a restore from a backup: every cache starts over."""
        ...

    def begin_run(self, run: bytes, holder: bytes, now: int) -> RunState:
        """Lends a run (32 bytes) to its holder (16 random bytes of a process), or says why not."""
        ...

    def renew_run(self, run: bytes, holder: bytes, now: int) -> bool:
        """Lends the run on; False when somebody else has it by now."""
        ...

    def mark_replied(self, run: bytes, holder: bytes, audience: str, now: int) -> bool:
        """Notes that an audience was answered; False when somebody else has the run by now."""
        ...

    def end_run(self, run: bytes, holder: bytes, now: int) -> None:
        """Notes that the run is done; nothing when somebody else has it."""
        ...

    def stats(self, scope: Scope) -> Stats:
        """The scope in figures. Raises RequestError NO_SUCH_SCOPE."""
        ...

    def heads(self) -> tuple[Head, ...]:
        """Where each chain of the ledger ends, the site's first."""
        ...

    def chain(self, chain: str) -> Iterator[tuple[Entry, bytes]]:
        """Every entry of a chain (a scope, or chain.SITE) with its hash, oldest first.

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

    def verifier(self, user: str) -> Verifier | None:
        """What proves the user's token, None for an unknown or revoked one."""
        ...

    def profiles(self) -> tuple[Kdf, ...]:
        """How each password is protected: users that do not exist are made to look like one of these."""
        ...

    def set_verifier(self, user: str, verifier: Verifier) -> None:
        """Replaces what proves a user's password. Raises RequestError FORBIDDEN for a token, or nobody."""
        ...

    def tokens(self) -> tuple[TokenUser, ...]:
        """Every token user, ascending by name."""
        ...

    def add_token(self, user: str, verifier: Verifier, now: int) -> None:
        """Lets the user log on; one revoked before gets the new token. Raises RequestError INVALID for a live one."""
        ...

    def revoke_token(self, user: str, now: int) -> bool:
        """Ends the user's token; False when there is no live one. Sessions already open may apply nothing more."""
        ...

    def close(self) -> None:
        """Lets go of the store; safe to call twice."""
        ...
