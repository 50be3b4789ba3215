"""What the server made of a batch: one result per operation, in their order (protocol.md, APPLY and APPLY_OK)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mailsync.core.model import Scope


class Result(IntEnum):
    """What became of one operation; the number is what travels and is stored."""

    OK = 0
    UNCHANGED = 1
    CONFLICT = 2
    NOT_FOUND = 3
    EXISTS = 4
    FORBIDDEN = 5
    INVALID = 6
    SKIPPED = 7


class RowResult(NamedTuple):
    """The result of one operation; `text` says why when it is not OK or UNCHANGED."""

    result: Result
    text: str = ""


class Change(IntEnum):
    """What an operation does; the number is what travels and is stored."""

    CREATE = 1
    UPDATE = 2
    CONFIRM = 3


class Operation(NamedTuple):
    """One operation of a batch: the fields to set on one volume, and the row of the report that asks for it.

    `fields` and `values` are aligned. A CONFIRM has the one field `confirmed_repository`.
    """

    change: Change
    volume: str
    fields: tuple[str, ...]
    values: tuple[str, ...]
    source: int
    row: int
    line: int


class Batch(NamedTuple):
    """What one APPLY asks for (exactly-once.md section 3): idempotent by `id` within its scope.

    `run` and `plan` are 32 bytes, `id` and `epoch` 16. `source` names route and definition, `asof` is the time of the
    report in seconds: reports of one source are kept in that order, those of source "" or time 0 in none. `sources`
    are the places that `Operation.source` indexes, each a mail and an attachment path.
    """

    id: bytes
    run: bytes
    plan: bytes
    scope: Scope
    epoch: bytes
    base: int
    source: str
    asof: int
    sources: tuple[tuple[str, str], ...]
    operations: tuple[Operation, ...]


class Carried(NamedTuple):
    """A volume that went along with the container of an operation: the operation's position, the volume's barcode."""

    position: int
    barcode: str


class Outcome(NamedTuple):
    """What the server recorded for a batch, in the transaction that applied it.

    `first` and `last` are the versions given to the changed volumes (equal to the scope's version when none was);
    `replayed` is true when this answers a batch that had been recorded before. `overtaken` is true when nothing of it
    was applied, because a newer report of its source had been (exactly-once.md section 3). `ledger` is the hash (32
    bytes) that the scope's ledger ended in right after it, and `entry` how many entries it had: who keeps both is its
    witness. `carried` are the volumes, of whichever scope, that were moved or confirmed along with a container, by
    position and barcode.
    """

    batch: bytes
    first: int
    last: int
    results: tuple[RowResult, ...]
    replayed: bool = False
    overtaken: bool = False
    entry: int = 0
    ledger: bytes = b""
    carried: tuple[Carried, ...] = ()
