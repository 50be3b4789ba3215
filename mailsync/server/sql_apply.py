"""APPLY: a batch becomes rows, ledger and outcome in the caller's one transaction.

The order is exactly-once.md section 3, and each step stands where a random model of another order lost or invented
moves: 1 the scope's lock, 2 the batch id, 3 grants, 4 epoch, 5 the order of reports, 6 base,
7 rows, 8 versions for the rows that changed, 9 ledger, 10 outcome. What a refusal raises has stored nothing; a batch
that was overtaken is recorded as such. Who sent a recorded batch hears its outcome whatever was granted since: refused,
its run would tell people that nothing was done.

the last recorded batch of another run of the source    this batch is
had a newer report                                      overtaken
was recorded after the version this plan was made at    refused as stale: sync, and plan again
otherwise, or there is none, or it has no order         carried out

A report is never kept as newer than the server's own clock (and what two clocks may differ by): one mail host whose
clock is a year ahead would else overtake all that come after it, for a year.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.guard import DAY_SECONDS
from mailsync.core.model import Scope
from mailsync.core.outcome import Batch, Operation, Outcome, Result, RowResult
from mailsync.server.access import Access, Rights
from mailsync.server.database import Connection
from mailsync.server.rules import Barcode, Standing, addition_fault, change_volume
from mailsync.server.sql_attributes import Attributes
from mailsync.server.sql_chain import (
    BATCH,
    CONTENTS,
    Said,
    Writing,
    append,
    batch_payload,
    contents_payload,
    find_head_of,
)
from mailsync.server.sql_contents import RefusedRowError, concerns_containers, follow
from mailsync.server.sql_draft import Drafts, MoreScopesError, ScopeDraft, Touched
from mailsync.server.sql_grants import no_such_scope, require_user
from mailsync.server.sql_places import known_clusters
from mailsync.server.sql_record import (
    Recorded,
    Request,
    find_carried,
    find_recorded,
    record_batch,
    record_changes,
)
from mailsync.server.sql_scope import Standpoint, find_tombstones, lock_scope, set_version, write_volumes
from mailsync.server.store import RequestError
from mailsync.wire import limits
from mailsync.wire.errors import Code

CLOCKS_DIFFER = 300  # seconds by which the clocks of client and server may differ, as for Kerberos (RFC 4120, 8.2)


def apply_batch(connection: Connection, request: Request, scopes: Iterable[Scope]) -> Outcome:
    """The batch's outcome, now or when it was first recorded. `scopes` are to be locked, the batch's own among them.

    Raises RequestError, and MoreScopesError when it touches others.
    """
    batch = request.batch
    _check_shape(batch)
    locked = {scope: lock_scope(connection, scope) for scope in sorted(scopes)}
    at = locked[batch.scope]
    rights = require_user(connection, "apply", request.principal, access="write")
    recorded = find_recorded(connection, at, batch.id)
    if recorded is None or recorded.user != rights.user:
        _check_grant(rights, batch.scope)
    if recorded is not None:
        return _replayed(connection, at, request, recorded)
    _check_epoch(at, batch)
    if _is_overtaken(connection, at, batch):
        return _record_overtaken(connection, at, request)
    _check_moves(connection, at, request)
    request = request._replace(batch=batch._replace(asof=min(batch.asof, request.now + CLOCKS_DIFFER)))
    _check_base(at, batch)
    drafts = Drafts(connection, locked, rights)
    operations = _Operations(connection, drafts, batch)
    results = operations.operate_all()
    changed = len(drafts[batch.scope].versions())
    outcome = Outcome(batch.id, at.version + bool(changed), at.version + changed, results)
    number = record_batch(connection, at, request, outcome, moved=drafts[batch.scope].moved)
    operations.write_attributes()
    written = [(draft, _write(connection, draft, request, number)) for draft in drafts.touched()]
    record_changes(connection, number, written)
    outcome = _witnessed(connection, at, request, outcome, number)
    if drafts.carried:
        outcome = outcome._replace(carried=find_carried(connection, number, batch))
    for draft, _ in written:
        if draft.at.number != at.number:
            _note_contents(connection, draft, request, number)
    return outcome


def _write(connection: Connection, draft: ScopeDraft, request: Request, number: int) -> dict[str, int]:
    """Writes what changed in a scope; the new versions by volume."""
    versions = draft.versions()
    write_volumes(connection, draft.at.number, draft.written(versions, number, request.now))
    set_version(connection, draft.at.number, draft.at.version + len(versions), added=draft.added)
    return versions


def _note_contents(connection: Connection, draft: ScopeDraft, request: Request, number: int) -> None:
    """The ledger's entry in a scope of which a container held volumes, or which has the container."""
    writing = Writing(str(request.principal), request.now, request.batch.run)
    said = Said(CONTENTS, contents_payload(connection, number, draft.at.number))
    append(connection, draft.at, writing, said, version=draft.at.version + len(draft.versions()))


class _Operations:
    """The operations of a batch, carried out one after the other on what the earlier ones left."""

    def __init__(self, connection: Connection, drafts: Drafts, batch: Batch) -> None:
        self._connection = connection
        self._drafts = drafts
        self._batch = batch
        self._home = home = drafts[batch.scope]
        names = tuple(dict.fromkeys(operation.volume for operation in batch.operations))
        home.know(names)
        missing = tuple(set(names).difference(home.stored))
        self._deleted = find_tombstones(connection, home.at.number, missing)
        self._attributes = Attributes(connection, home.at.number, batch.operations)
        self._terms = home.terms(known_clusters(connection, _said(batch, "data_cluster")))
        self._runs: dict[int, bool] = {}

    def operate_all(self) -> tuple[RowResult, ...]:
        """Carries out all of them. Raises MoreScopesError with every scope that is to be locked as well."""
        results = []
        missing: set[Scope] = set()
        for position, operation in enumerate(self._batch.operations):
            try:
                results.append(self._operate(position, operation))
            except MoreScopesError as more:
                missing |= more.scopes
        if missing:
            raise MoreScopesError(missing)
        return tuple(results)

    def write_attributes(self) -> None:
        """Writes the attributes that the operations changed."""
        self._attributes.write()

    def _operate(self, position: int, operation: Operation) -> RowResult:
        """Carries out one operation, with all that follows from it, or nothing of it."""
        name, home = operation.volume, self._home
        before = home.volumes.get(name)
        standing = Standing(home.repositories, home.at.default_repository, self._is_newer(name), self._terms)
        attributes: tuple[tuple[str, str, str], ...] = ()
        if self._attributes.named:
            after, result = change_volume(before, self._attributes.without(operation), standing)
            attributes, result = self._attributes.changed(operation, before, result, self._terms)
        else:
            after, result = change_volume(before, operation, standing)
        if result.result is not Result.OK or after is None:
            return result
        fault = self._addition_fault(name) if before is None else ""
        if fault:
            return RowResult(Result.INVALID, fault)
        change = Touched(position, operation, name, before, after, attributes)
        if concerns_containers(before, after):
            try:
                self._follow(change)
            except RefusedRowError as refused:
                return refused.result
        home.take(change)
        if attributes:
            self._attributes.take(name, attributes)
        return result

    def _follow(self, change: Touched) -> None:
        """Does what follows from a change, all of it or, with RefusedRowError, nothing."""
        place = Barcode(self._home.at.scope, change.name)
        for scope, one in follow(self._drafts, place, change):
            self._drafts[scope].take(one)
        if change.after.container:
            self._drafts.held.setdefault(change.after.container, set()).add(place)

    def _addition_fault(self, name: str) -> str:
        at = self._home.at
        return addition_fault(name, at.volume_filter, at.cap, at.volumes + self._home.added)

    def _is_newer(self, name: str) -> bool:
        """True when the volume, or its deletion, is newer than the plan and not of the same run."""
        stored = self._home.stored.get(name)
        if stored is None:
            return self._deleted.get(name, 0) > self._batch.base
        return stored.version > self._batch.base and not self._is_same_run(stored.batch)

    def _is_same_run(self, number: int | None) -> bool:
        if number is None:
            return False
        if number not in self._runs:
            found = self._connection.execute("SELECT run FROM batches WHERE number = ?", (number,)).fetchone()
            # None: the batch was pruned, and no run that is still going on is as old.
            self._runs[number] = found is not None and found[0] == self._batch.run
        return self._runs[number]


def _said(batch: Batch, field: str) -> set[str]:
    """The values that the batch's operations give a field."""
    said: set[str] = set()
    places: dict[tuple[str, ...], int] = {}
    for operation in batch.operations:
        place = places.get(operation.fields)
        if place is None:
            place = operation.fields.index(field) if field in operation.fields else -1
            places[operation.fields] = place
        if place >= 0:
            said.add(operation.values[place])
    return said - {""}


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


def _check_grant(rights: Rights, scope: Scope) -> None:
    """Raises RequestError: FORBIDDEN without write, and without read as if there were no such scope."""
    if rights.on(scope) < Access.READ:
        raise no_such_scope(scope)
    if rights.on(scope) < Access.WRITE:
        raise RequestError(Code.FORBIDDEN, f"apply: {rights.user} may not write to {scope}")


def _replayed(connection: Connection, at: Standpoint, request: Request, recorded: Recorded) -> Outcome:
    """The outcome of a recorded batch. Raises RequestError BATCH_ID_REUSED when that was another request."""
    head = find_head_of(connection, at, request.batch.id)
    outcome = recorded.outcome._replace(entry=head.seq, ledger=head.hash)
    if recorded.hash != request.hash:
        text = f"apply: batch {request.batch.id.hex()} was recorded with another content"
        raise RequestError(Code.BATCH_ID_REUSED, text, outcome=outcome)
    return outcome._replace(replayed=True, carried=find_carried(connection, recorded.number, request.batch))


def _check_epoch(at: Standpoint, batch: Batch) -> None:
    if batch.epoch != at.epoch:
        raise RequestError(Code.EPOCH_CHANGED, f"apply: {at.scope} began a new life since the plan was made")


def _is_overtaken(connection: Connection, at: Standpoint, batch: Batch) -> bool:
    """True when a newer report of the source was applied; PLAN_STALE when the plan is older than the last one."""
    if not batch.source or not batch.asof:
        return False
    query = (
        "SELECT asof, last FROM batches WHERE media = ? AND source = ? AND run <> ? AND overtaken = 0 AND asof > 0 "
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


def _check_moves(connection: Connection, at: Standpoint, request: Request) -> None:
    """PLAN_STALE where reports have no order and another one has moved something since: guards add up."""
    batch = request.batch
    if not batch.source or batch.asof or not batch.operations:
        return
    query = "SELECT max(last) FROM batches WHERE media = ? AND source = ? AND time > ? AND moved > 0 AND run <> ?"
    values = (at.number, batch.source, request.now - DAY_SECONDS, batch.run)
    ((version,),) = connection.execute(query, values).fetchall()
    if version is not None and version > batch.base:
        text = f"apply: another report of {batch.source} moved volumes of {at.scope} since the plan was made"
        raise RequestError(Code.PLAN_STALE, text)


def _record_overtaken(connection: Connection, at: Standpoint, request: Request) -> Outcome:
    skipped = RowResult(Result.SKIPPED, "a newer report of its source was applied")
    results = (skipped,) * len(request.batch.operations)
    outcome = Outcome(request.batch.id, at.version, at.version, results, overtaken=True)
    return _witnessed(connection, at, request, outcome, record_batch(connection, at, request, outcome))


def _witnessed(connection: Connection, at: Standpoint, request: Request, outcome: Outcome, number: int) -> Outcome:
    """The recorded batch in the ledger, and the outcome with the head that the ledger has then."""
    writing = Writing(str(request.principal), request.now, request.batch.run, request.batch.id)
    head = append(connection, at, writing, Said(BATCH, batch_payload(connection, number)), version=outcome.last)
    return outcome._replace(entry=head.seq, ledger=head.hash)


def _check_base(at: Standpoint, batch: Batch) -> None:
    if not at.floor <= batch.base <= at.version:
        text = f"apply: base {batch.base} of {at.scope} is not in {at.floor} to {at.version}"
        raise RequestError(Code.BASE_TOO_OLD, text)
