"""The store in SQL: every method one transaction, over any `Database` (sqlite.py, postgres.py).

What the methods do within their transactions is in the modules they call; what is administered is in
sql_administration, what is forgotten in sql_housekeeping, and the tables are in schema. A method's function may be done
again where two servers write at once: it changes nothing but the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self, TypeVar

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import TemporaryError
from mailsync.core.guard import Earlier
from mailsync.core.ledger import Head
from mailsync.core.model import Scope, Volume
from mailsync.core.outcome import Batch, Outcome
from mailsync.server import (
    sql_apply,
    sql_attributes,
    sql_chain,
    sql_grants,
    sql_ledger,
    sql_load,
    sql_moves,
    sql_prune,
    sql_recall,
    sql_runs,
    sql_scope,
    sql_spool,
    sql_sync,
    sql_users,
    sql_verify,
)
from mailsync.server.access import Asker, Principal, Rights
from mailsync.server.chain import Entry
from mailsync.server.database import Connection
from mailsync.server.sql_chain import Said, Writing, append, append_site
from mailsync.server.sql_contents import MOST_DEEP
from mailsync.server.sql_copy import copy_store
from mailsync.server.sql_draft import MoreScopesError
from mailsync.server.sql_housekeeping import SqlHousekeeping
from mailsync.server.sql_record import Request
from mailsync.server.store import (
    Flaw,
    Footing,
    LedgerEntry,
    Loaded,
    LoadFault,
    LoadPolicy,
    LoadRow,
    Moving,
    RecordedBatch,
    RunState,
    Stats,
)
from mailsync.wire.ledger import Missing
from mailsync.wire.passwords import format_kdf
from mailsync.wire.scram import Verifier

T = TypeVar("T")
_ATTEMPTS = 4 * MOST_DEEP  # to lock all scopes that a batch touches: each finds at least a level of containers more


class SqlStore(SqlHousekeeping):
    """A store in a database. Its methods may be called from any one thread at a time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database; safe to call twice."""
        self._database.close()

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int, limit: int, asker: Asker) -> Page:
        """As store.Store.sync."""

        def read(connection: Connection) -> Page:
            sql_grants.require_read(connection, "sync", scope, asker)
            at = sql_scope.find_scope(connection, scope)
            return sql_sync.read_page(connection, at, cursor, repositories_version, limit)

        return self._database.read(read)

    def footing(self, scope: Scope, cursor: Cursor, asker: Asker) -> Footing:
        """As store.Store.footing."""

        def read(connection: Connection) -> Footing:
            sql_grants.require_read(connection, "sync", scope, asker)
            return sql_sync.find_footing(connection, sql_scope.find_scope(connection, scope), cursor)

        return self._database.read(read)

    def apply(self, batch: Batch, request_hash: bytes, principal: Principal, now: int) -> Outcome:
        """As store.Store.apply."""
        request = Request(batch, request_hash, principal, now)
        scopes = frozenset((batch.scope,))
        for _ in range(_ATTEMPTS):
            try:
                return self._write_batch(request, scopes)
            except MoreScopesError as more:
                scopes |= more.scopes
        raise TemporaryError(f"apply to {batch.scope}: its containers change all the time", hint="nothing was changed")

    def load(
        self, fields: Sequence[str], rows: Iterable[LoadRow | LoadFault], *, policy: LoadPolicy = LoadPolicy.CREATE
    ) -> Loaded:
        """As store.Store.load."""
        columns, faults = sql_spool.columns_of(fields), sql_spool.Faults()
        self._database.read(lambda connection: sql_spool.spool(connection, columns, rows, faults))
        try:
            return self._database.write(
                lambda connection: sql_load.merge(connection, columns, policy, faults.copy(), self._writing())
            )
        except sql_spool.LoadRefusedError as refused:
            return refused.loaded

    def export(self, scope: Scope) -> Iterator[tuple[str, Volume]]:
        """As store.Store.export."""
        at = self._database.read(lambda connection: sql_scope.find_scope(connection, scope))
        return sql_scope.each_volume(self._database, at.number)

    def attributes(self, scope: Scope) -> tuple[tuple[int, ...], Iterator[tuple[str, Volume, dict[int, str]]]]:
        """As store.Store.attributes."""
        at = self._database.read(lambda connection: sql_scope.find_scope(connection, scope))
        return sql_attributes.each_with_attributes(self._database, at.number)

    def moving(self, scope: Scope | None = None) -> Iterator[Moving]:
        """As store.Store.moving."""
        return sql_moves.each_moving(self._database, self._number(scope))

    def dated(self, before: str, scope: Scope | None = None) -> Iterator[Moving]:
        """As store.Store.dated."""
        return sql_moves.each_dated(self._database, self._number(scope), before)

    def delete(self, scope: Scope, volumes: Iterable[str]) -> tuple[str, ...]:
        """As store.Store.delete."""
        names = tuple(volumes)

        def write(connection: Connection) -> tuple[str, ...]:
            at = sql_scope.lock_scope(connection, scope)
            gone = sql_scope.delete_volumes(connection, at, names)
            if gone:
                version = at.version + len(gone)
                append(connection, at, self._writing(), Said("delete", {"volumes": gone}), version=version)
            return tuple(gone)

        return self._database.write(write)

    def copy_to(self, target: SqlStore, epoch: bytes, *, told: Callable[[str, int], None]) -> None:
        """Fills an empty store with all that is in this one, and begins a new life there (16 bytes).

        `told` gets the name of each table and the number of its rows. Raises UsageError when the target is not empty.
        """
        copy_store(self._database, target._database, epoch=epoch, writing=self._writing(), told=told)

    def batches(self, scope: Scope) -> tuple[RecordedBatch, ...]:
        """As store.Store.batches."""

        def read(connection: Connection) -> tuple[RecordedBatch, ...]:
            return sql_ledger.find_batches(connection, sql_scope.find_scope(connection, scope).number)

        return self._database.read(read)

    def ledger(self, scope: Scope, volume: str = "") -> Iterator[LedgerEntry]:
        """As store.Store.ledger."""
        at = self._database.read(lambda connection: sql_scope.find_scope(connection, scope))
        return sql_ledger.each_entry(self._database, at, volume)

    def set_verifier(self, verifier: Verifier, principal: Principal, now: int, *, instead_of: bytes) -> None:
        """As store.Store.set_verifier."""

        def write(connection: Connection) -> None:
            proved = (instead_of, principal.created)
            sql_users.replace_verifier(connection, principal.user, verifier, instead_of=proved)
            said = {"user": principal.user, "kdf": format_kdf(verifier.kdf)}
            append_site(connection, Writing(str(principal), now), Said("password set", said))

        self._database.write(write)

    def begin_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> RunState:
        """As store.Store.begin_run."""
        return self._lend(asker, lambda connection, rights: sql_runs.begin_run(connection, run, holder, now, rights))

    def renew_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> bool:
        """As store.Store.renew_run."""
        return self._lend(asker, lambda connection, _: sql_runs.renew_run(connection, run, holder, now))

    def mark_replied(self, run: bytes, holder: bytes, audience: str, now: int, asker: Asker) -> bool:
        """As store.Store.mark_replied."""
        return self._lend(asker, lambda connection, _: sql_runs.mark_replied(connection, run, holder, audience, now))

    def end_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> None:
        """As store.Store.end_run."""
        self._lend(asker, lambda connection, _: sql_runs.end_run(connection, run, holder, now))

    def release_run(self, run: bytes, holder: bytes, now: int, asker: Asker) -> None:
        """As store.Store.release_run."""
        self._lend(asker, lambda connection, _: sql_runs.release_run(connection, run, holder, now))

    def earlier(self, scope: Scope, source: str, run: bytes, now: int, asker: Asker) -> Earlier:
        """As store.Store.earlier."""

        def read(connection: Connection) -> Earlier:
            sql_grants.require_read(connection, "ledger", scope, asker)
            number = sql_scope.find_scope(connection, scope).number
            return sql_recall.find_earlier(connection, number, source, run, now)

        return self._database.read(read)

    def missing(self, scope: Scope, batches: Sequence[bytes], asker: Asker) -> Missing:
        """As store.Store.missing."""

        def read(connection: Connection) -> Missing:
            sql_grants.require_read(connection, "ledger", scope, asker)
            number = sql_scope.find_scope(connection, scope).number
            return sql_recall.find_missing(connection, number, batches, sql_prune.find_pruned(connection, number))

        return self._database.read(read)

    def stats(self, scope: Scope, asker: Asker) -> Stats:
        """As store.Store.stats."""

        def read(connection: Connection) -> Stats:
            sql_grants.require_read(connection, "stats", scope, asker)
            return sql_scope.find_stats(connection, sql_scope.find_scope(connection, scope).number)

        return self._database.read(read)

    def heads(self) -> tuple[Head, ...]:
        """As store.Store.heads."""
        return self._database.read(lambda connection: tuple(head for _, head in sql_chain.find_heads(connection)))

    def chain(self, chain: str) -> Iterator[tuple[Entry, bytes]]:
        """As store.Store.chain."""
        number = self._database.read(lambda connection: sql_chain.find_number(connection, chain))
        return sql_chain.each_link(self._database, number, chain)

    def verify(self) -> Iterator[Flaw]:
        """As store.Store.verify."""
        return sql_verify.verify(self._database)

    def _lend(self, asker: Asker, work: Callable[[Connection, Rights], T]) -> T:
        """What the work on a run gives, for a user who may write."""

        def write(connection: Connection) -> T:
            return work(connection, sql_grants.require_writer(connection, "run", asker))

        return self._database.write(write)

    def _write_batch(self, request: Request, scopes: frozenset[Scope]) -> Outcome:
        return self._database.write(lambda connection: sql_apply.apply_batch(connection, request, scopes))

    def _number(self, scope: Scope | None) -> int | None:
        """The scope's number in the tables, None for all."""
        if scope is None:
            return None
        return self._database.read(lambda connection: sql_scope.find_scope(connection, scope)).number
