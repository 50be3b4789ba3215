"""APPLY: a batch becomes rows, ledger and outcome in the caller's one transaction.

The order is exactly-once.md section 3, and each step stands where a random model of another order lost or invented
moves: 1 the scope's lock, 2 grants, 3 the batch id, 4 epoch, 5 the order of reports, 6 base,
7 rows, 8 versions for the rows that changed, 9 ledger, 10 outcome. What a refusal raises has stored nothing; a batch
that was overtaken is recorded as such.

the last recorded batch of another run of the source    this batch is
had a newer report                                      overtaken
was recorded after the version this plan was made at    refused as stale: sync, and plan again
otherwise, or there is none, or the source is ""        carried out
"""

from __future__ import annotations

import json
from typing import NamedTuple

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import Volume
from mailsync.core.outcome import Batch, Operation, Outcome, Result, RowResult
from mailsync.server.database import Connection
from mailsync.server.rules import Standing, change_volume
from mailsync.server.sql_chain import BATCH, Said, Writing, append, batch_payload, find_head_of
from mailsync.server.sql_scope import (
    Standpoint,
    Written,
    find_repositories,
    find_tombstones,
    find_volumes,
    lock_scope,
    set_version,
    write_volumes,
)
from mailsync.server.store import Principal, RequestError
from mailsync.wire import limits
from mailsync.wire.errors import Code

_DIGITS = "".join(str(result.value) for result in Result)
_PLAIN = {result: RowResult(result) for result in Result}


class _Changed(NamedTuple):
    """What one operation changed on one volume; `before` is None when it created the volume."""

    position: int
    operation: Operation
    before: Volume | None
    after: Volume


class Request(NamedTuple):
    """An APPLY as it came in: the batch, the hash of its bytes, who sent it and when."""

    batch: Batch
    hash: bytes
    principal: Principal
    now: int


def apply_batch(connection: Connection, request: Request) -> Outcome:
    """The batch's outcome, now or when it was first recorded. Raises RequestError."""
    batch = request.batch
    _check_shape(batch)
    at = lock_scope(connection, batch.scope)
    _check_grant(connection, request.principal)
    recorded = _find_outcome(connection, at, request)
    if recorded is not None:
        head = find_head_of(connection, at, batch.id)
        return recorded._replace(replayed=True, entry=head.seq, ledger=head.hash)
    _check_epoch(at, batch)
    if _is_overtaken(connection, at, batch):
        return _record_overtaken(connection, at, request)
    _check_base(at, batch)
    draft = _Draft(connection, at, batch)
    results = [draft.operate(position, operation) for position, operation in enumerate(batch.operations)]
    names = list(dict.fromkeys(change.operation.volume for change in draft.changes))
    versions = {name: at.version + number for number, name in enumerate(names, 1)}
    last = at.version + len(names)
    outcome = Outcome(batch.id, at.version + 1 if names else last, last, tuple(results))
    number = _record_batch(connection, at, request, outcome)
    write_volumes(connection, at.number, draft.written(versions, number))
    set_version(connection, at.number, last)
    _record_changes(connection, number, draft.changes, versions)
    return _witnessed(connection, at, request, outcome, number)


def read_outcome(batch: bytes, first: int, last: int, digits: str, texts: str) -> Outcome:
    """The outcome as it was recorded."""
    why = json.loads(texts)
    results = tuple(
        RowResult(Result(int(digit)), why[str(position)]) if str(position) in why else _PLAIN[Result(int(digit))]
        for position, digit in enumerate(digits)
    )
    return Outcome(batch, first, last, results)


class _Draft:
    """A batch in the making: the volumes it touches, as they are now and as its operations leave them."""

    def __init__(self, connection: Connection, at: Standpoint, batch: Batch) -> None:
        self.changes: list[_Changed] = []
        self._connection = connection
        self._at = at
        self._batch = batch
        self._repositories = {repository.id for repository in find_repositories(connection, at.number)}
        names = tuple(dict.fromkeys(operation.volume for operation in batch.operations))
        self._stored = find_volumes(connection, at.number, names)
        self._deleted = find_tombstones(connection, at.number, tuple(set(names).difference(self._stored)))
        self._volumes: dict[str, Volume] = {name: stored.volume for name, stored in self._stored.items()}
        self._runs: dict[int, bool] = {}

    def operate(self, position: int, operation: Operation) -> RowResult:
        """Carries out one operation, on what the earlier ones of the batch left."""
        name = operation.volume
        before = self._volumes.get(name)
        standing = Standing(self._repositories, self._at.default_repository, self._is_newer(name))
        after, result = change_volume(before, operation, standing)
        if result.result is Result.OK and after is not None:
            self.changes.append(_Changed(position, operation, before, after))
            self._volumes[name] = after
        return result

    def written(self, versions: dict[str, int], number: int) -> list[Written]:
        """The changed volumes, each with its new version."""
        return [
            Written(name, version, number, self._volumes[name], self._stored.get(name))
            for name, version in versions.items()
        ]

    def _is_newer(self, name: str) -> bool:
        """True when the volume, or its deletion, is newer than the plan and not of the same run."""
        stored = self._stored.get(name)
        if stored is None:
            return self._deleted.get(name, 0) > self._batch.base
        return stored.version > self._batch.base and not self._is_same_run(stored.batch)

    def _is_same_run(self, number: int | None) -> bool:
        if number is None:
            return False
        if number not in self._runs:
            ((run,),) = self._connection.execute("SELECT run FROM batches WHERE number = ?", (number,)).fetchall()
            self._runs[number] = run == self._batch.run
        return self._runs[number]


def _check_shape(batch: Batch) -> None:
    sizes = (len(batch.id), len(batch.run), len(batch.plan))
    if sizes != (16, 32, 32):
        raise RequestError(Code.INVALID, "apply: batch id, run id and plan id have 16, 32 and 32 bytes")
    if len(batch.operations) > limits.BATCH_OPERATIONS:
        raise RequestError(
            Code.INVALID, f"apply: {len(batch.operations)} operations, at most {limits.BATCH_OPERATIONS}"
        )
    for operation in batch.operations:
        if not (0 <= operation.source < len(batch.sources) and len(operation.fields) == len(operation.values)):
            raise RequestError(Code.INVALID, f"apply: the operation on {operation.volume!r} is malformed")
        if not (0 <= operation.row <= limits.VERSION and 0 <= operation.line <= limits.VERSION):
            raise RequestError(Code.INVALID, f"apply: the row or line of {operation.volume!r} is out of range")
    if not 0 <= batch.asof <= limits.VERSION:
        raise RequestError(Code.INVALID, "apply: asof is out of range")


def _check_grant(connection: Connection, principal: Principal) -> None:
    # Every live token may write everything; read here, in the transaction, so that a revocation is final.
    query = 'SELECT 1 FROM tokens WHERE "user" = ? AND revoked = 0'
    if connection.execute(query, (principal.user,)).fetchone() is None:
        raise RequestError(Code.FORBIDDEN, f"apply: {principal.user} may not write")


def _find_outcome(connection: Connection, at: Standpoint, request: Request) -> Outcome | None:
    name = request.batch.id
    query = "SELECT request_hash, overtaken, first, last, results, texts FROM batches WHERE media = ? AND id = ?"
    row = connection.execute(query, (at.number, name)).fetchone()
    if row is None:
        return None
    outcome = read_outcome(name, *row[2:])._replace(overtaken=bool(row[1]))
    if row[0] != request.hash:
        text = f"apply: batch {name.hex()} was recorded with another content"
        head = find_head_of(connection, at, name)
        raise RequestError(Code.BATCH_ID_REUSED, text, outcome=outcome._replace(entry=head.seq, ledger=head.hash))
    return outcome


def _check_epoch(at: Standpoint, batch: Batch) -> None:
    if batch.epoch != at.epoch:
        raise RequestError(Code.EPOCH_CHANGED, f"apply: {at.scope} began a new life since the plan was made")


def _is_overtaken(connection: Connection, at: Standpoint, batch: Batch) -> bool:
    """True when a newer report of the source was applied; PLAN_STALE when the plan is older than the last one."""
    if not batch.source:
        return False
    query = (
        "SELECT asof, last FROM batches WHERE media = ? AND source = ? AND run <> ? AND overtaken = 0 "
        "ORDER BY number DESC LIMIT 1"
    )
    found = connection.execute(query, (at.number, batch.source, batch.run)).fetchone()
    if found is None:
        return False
    asof, version = found
    if batch.asof < asof:
        return True
    if version > batch.base:
        text = f"apply: another report of {batch.source} was applied to {at.scope} since the plan was made"
        raise RequestError(Code.PLAN_STALE, text)
    return False


def _record_overtaken(connection: Connection, at: Standpoint, request: Request) -> Outcome:
    skipped = RowResult(Result.SKIPPED, "a newer report of its source was applied")
    results = (skipped,) * len(request.batch.operations)
    outcome = Outcome(request.batch.id, at.version, at.version, results, overtaken=True)
    return _witnessed(connection, at, request, outcome, _record_batch(connection, at, request, outcome))


def _witnessed(connection: Connection, at: Standpoint, request: Request, outcome: Outcome, number: int) -> Outcome:
    """The recorded batch in the ledger, and the outcome with the head that the ledger has then."""
    principal, batch = request.principal, request.batch
    writing = Writing(f"{principal.user}/{principal.key_id}", request.now, batch.run, batch.id)
    head = append(connection, at, writing, Said(BATCH, batch_payload(connection, number)), version=outcome.last)
    return outcome._replace(entry=head.seq, ledger=head.hash)


def _check_base(at: Standpoint, batch: Batch) -> None:
    if not at.floor <= batch.base <= at.version:
        text = f"apply: base {batch.base} of {at.scope} is not in {at.floor} to {at.version}"
        raise RequestError(Code.BASE_TOO_OLD, text)


def _record_batch(connection: Connection, at: Standpoint, request: Request, outcome: Outcome) -> int:
    batch = request.batch
    digits = "".join(_DIGITS[result.result] for result in outcome.results)
    texts = {position: result.text for position, result in enumerate(outcome.results) if result.text}
    written = connection.execute(
        'INSERT INTO batches (media, id, request_hash, run, plan, source, asof, base, "user", key_id, time, '
        "first, last, results, texts, overtaken) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
        (
            *(at.number, batch.id, request.hash, batch.run, batch.plan, batch.source, batch.asof, batch.base),
            *(*request.principal, request.now, outcome.first, outcome.last, digits, json.dumps(texts)),
            int(outcome.overtaken),
        ),
    )
    number = int(written.fetchall()[0][0])
    places = [(number, position, mail, attachment) for position, (mail, attachment) in enumerate(batch.sources)]
    connection.executemany("INSERT INTO sources (batch, position, mail, attachment) VALUES (?, ?, ?, ?)", places)
    return number


def _record_changes(connection: Connection, number: int, changes: list[_Changed], versions: dict[str, int]) -> None:
    rows = []
    for position, operation, before, after in changes:
        name, source, row, line = operation.volume, operation.source, operation.row, operation.line
        version = versions[name]
        if before is None:
            rows.append((number, position, "volume", name, version, "", name, source, row, line))
        for field, was, now in zip(FIELD_NAMES, before or Volume(), after, strict=True):
            if was != now:
                rows.append((number, position, field, name, version, was, now, source, row, line))
    connection.executemany(
        "INSERT INTO changes (batch, position, field, volume, version, before, after, source, row, line) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
