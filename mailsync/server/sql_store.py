"""The store in SQL: every method one transaction, over any `Database` (sqlite.py, postgres.py).

What the methods do within their transactions is in sql_scope, sql_sync, sql_apply, sql_load, sql_ledger and sql_tokens;
the tables are in schema. A method's function may be done again where two servers write at once: it changes nothing but
the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Self

from mailsync.core.cursor import Cursor, Page
from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY, Repository, Scope, Volume
from mailsync.core.outcome import Batch, Outcome
from mailsync.server import (
    sql_apply,
    sql_chain,
    sql_ledger,
    sql_load,
    sql_runs,
    sql_scope,
    sql_sync,
    sql_tokens,
    sql_verify,
)
from mailsync.server.chain import Entry, Head
from mailsync.server.database import Connection, Database
from mailsync.server.sql_chain import Said, Writing, append, append_site
from mailsync.server.sql_copy import copy_store
from mailsync.server.store import (
    LONGEST_DESCRIPTION,
    REPOSITORY_KINDS,
    Flaw,
    Footing,
    LedgerEntry,
    Loaded,
    LoadFault,
    LoadPolicy,
    LoadRow,
    Principal,
    RecordedBatch,
    RequestError,
    RunState,
    ScopeState,
    Stats,
    TokenUser,
)
from mailsync.wire.errors import Code
from mailsync.wire.passwords import Kdf
from mailsync.wire.scram import Verifier


class SqlStore:
    """A store in a database. Its methods may be called from any one thread at a time."""

    def __init__(self, database: Database, *, by: str = "admin", clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._by = by  # in the ledger, for what is not a client's
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database; safe to call twice."""
        self._database.close()

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int, limit: int) -> Page:
        """As store.Store.sync."""

        def read(connection: Connection) -> Page:
            at = sql_scope.find_scope(connection, scope)
            return sql_sync.read_page(connection, at, cursor, repositories_version, limit)

        return self._database.read(read)

    def footing(self, scope: Scope, cursor: Cursor) -> Footing:
        """As store.Store.footing."""

        def read(connection: Connection) -> Footing:
            return sql_sync.find_footing(connection, sql_scope.find_scope(connection, scope), cursor)

        return self._database.read(read)

    def apply(self, batch: Batch, request_hash: bytes, principal: Principal, now: int) -> Outcome:
        """As store.Store.apply."""
        request = sql_apply.Request(batch, request_hash, principal, now)
        return self._database.write(lambda connection: sql_apply.apply_batch(connection, request))

    def scopes(self) -> tuple[ScopeState, ...]:
        """As store.Store.scopes."""
        return self._database.read(sql_scope.find_scopes)

    def add_scope(
        self,
        scope: Scope,
        *,
        description: str = "",
        repositories: Sequence[Repository] = (),
        default_repository: str = "",
    ) -> None:
        """As store.Store.add_scope."""
        _check_scope(scope, description, repositories, default_repository)

        def write(connection: Connection) -> None:
            if sql_scope.has_scope(connection, scope):
                raise RequestError(Code.INVALID, f"add scope {scope}: it is there already")
            number = sql_scope.add_media(
                connection, scope, description=description, default_repository=default_repository
            )
            sql_scope.put_repositories(connection, number, repositories)
            said = {
                "scope": str(scope),
                "description": description,
                "default_repository": default_repository,
                "repositories": [one.id for one in repositories],
            }
            append_site(connection, self._writing(), Said("scope", said))

        self._database.write(write)

    def repositories(self, scope: Scope) -> tuple[Repository, ...]:
        """As store.Store.repositories."""

        def read(connection: Connection) -> tuple[Repository, ...]:
            return sql_scope.find_repositories(connection, sql_scope.find_scope(connection, scope).number)

        return self._database.read(read)

    def add_repository(self, scope: Scope, repository: Repository) -> None:
        """As store.Store.add_repository."""
        _check_repository(repository)

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_scope.put_repositories(connection, at.number, (repository,))
            append(connection, at, self._writing(), Said("repository", repository._asdict()), version=at.version)

        self._database.write(write)

    def load(
        self, fields: Sequence[str], rows: Iterable[LoadRow | LoadFault], *, policy: LoadPolicy = LoadPolicy.CREATE
    ) -> Loaded:
        """As store.Store.load."""
        columns, faults = sql_load.columns_of(fields), sql_load.Faults()
        self._database.read(lambda connection: sql_load.spool(connection, columns, rows, faults))
        try:
            return self._database.write(
                lambda connection: sql_load.merge(connection, columns, policy, faults.copy(), self._writing())
            )
        except sql_load.LoadRefusedError as refused:
            return refused.loaded

    def export(self, scope: Scope) -> Iterator[tuple[str, Volume]]:
        """As store.Store.export."""
        at = self._database.read(lambda connection: sql_scope.find_scope(connection, scope))
        return sql_scope.each_volume(self._database, at.number)

    def delete(self, scope: Scope, volumes: Iterable[str]) -> int:
        """As store.Store.delete."""
        names = tuple(volumes)

        def write(connection: Connection) -> int:
            at = sql_scope.lock_scope(connection, scope)
            gone = sql_scope.delete_volumes(connection, at, names)
            version = at.version + len(gone)
            append(connection, at, self._writing(), Said("delete", {"volumes": gone}), version=version)
            return len(gone)

        return self._database.write(write)

    def expire(self, scope: Scope, through: int) -> None:
        """As store.Store.expire."""

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_scope.forget_tombstones(connection, at, through)
            append(connection, at, self._writing(), Said("expire", {"through": through}), version=at.version)

        self._database.write(write)

    def renew_epoch(self, epoch: bytes) -> None:
        """As store.Store.renew_epoch."""

        def write(connection: Connection) -> None:
            # What was restored: whoever holds a later head than these knows what is lost (exactly-once.md section 5).
            heads = {head.chain: [head.seq, head.hash.hex()] for _, head in sql_chain.find_heads(connection)}
            sql_scope.set_epoch(connection, epoch)
            append_site(connection, self._writing(), Said("epoch", {"epoch": epoch.hex(), "heads": heads}))

        self._database.write(write)

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

    def verifier(self, user: str) -> Verifier | None:
        """As store.Store.verifier."""
        return self._database.read(lambda connection: sql_tokens.find_verifier(connection, user))

    def profiles(self) -> tuple[Kdf, ...]:
        """As store.Store.profiles."""
        return self._database.read(sql_tokens.find_profiles)

    def set_verifier(self, user: str, verifier: Verifier) -> None:
        """As store.Store.set_verifier."""
        self._database.write(lambda connection: sql_tokens.replace_verifier(connection, user, verifier))

    def tokens(self) -> tuple[TokenUser, ...]:
        """As store.Store.tokens."""
        return self._database.read(sql_tokens.find_tokens)

    def add_token(self, user: str, verifier: Verifier, now: int) -> None:
        """As store.Store.add_token."""

        def write(connection: Connection) -> None:
            sql_tokens.put_token(connection, user, verifier, now)
            append_site(connection, self._writing(), Said("token added", {"user": user}))

        self._database.write(write)

    def revoke_token(self, user: str, now: int) -> bool:
        """As store.Store.revoke_token."""

        def write(connection: Connection) -> bool:
            ended = sql_tokens.end_token(connection, user, now)
            if ended:
                append_site(connection, self._writing(), Said("token revoked", {"user": user}))
            return ended

        return self._database.write(write)

    def note(self, kind: str, said: Mapping[str, object]) -> None:
        """Writes into the site's chain what was changed beside the store, such as a key of the ring."""
        self._database.write(lambda connection: append_site(connection, self._writing(), Said(kind, said)))

    def begin_run(self, run: bytes, holder: bytes, now: int) -> RunState:
        """As store.Store.begin_run."""
        return self._database.write(lambda connection: sql_runs.begin_run(connection, run, holder, now))

    def renew_run(self, run: bytes, holder: bytes, now: int) -> bool:
        """As store.Store.renew_run."""
        return self._database.write(lambda connection: sql_runs.renew_run(connection, run, holder, now))

    def mark_replied(self, run: bytes, holder: bytes, audience: str, now: int) -> bool:
        """As store.Store.mark_replied."""
        return self._database.write(lambda connection: sql_runs.mark_replied(connection, run, holder, audience, now))

    def end_run(self, run: bytes, holder: bytes, now: int) -> None:
        """As store.Store.end_run."""
        self._database.write(lambda connection: sql_runs.end_run(connection, run, holder, now))

    def stats(self, scope: Scope) -> Stats:
        """As store.Store.stats."""

        def read(connection: Connection) -> Stats:
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

    def _writing(self) -> Writing:
        return Writing(self._by, int(self._clock()))


def _check_scope(scope: Scope, description: str, repositories: Sequence[Repository], default_repository: str) -> None:
    if not (CUSTOMER.match(scope.customer) and MEDIA.match(scope.media)):
        raise RequestError(Code.INVALID, f'add scope: "{scope}" is not CUSTOMER.MEDIA, 1 to 4 letters or digits each')
    _check_text(f"add scope {scope}: description", description)
    for repository in repositories:
        _check_repository(repository)
    if default_repository and default_repository not in {repository.id for repository in repositories}:
        text = f'add scope {scope}: the default repository "{default_repository}" is not one of its repositories'
        raise RequestError(Code.INVALID, text)


def _check_repository(repository: Repository) -> None:
    if not REPOSITORY.match(repository.id):
        raise RequestError(Code.INVALID, f'add repository: "{repository.id}" is not 1 to 4 letters or digits')
    _check_text(f"add repository {repository.id}: description", repository.description)
    if repository.kind and repository.kind not in REPOSITORY_KINDS:
        text = f'add repository {repository.id}: "{repository.kind}" is not a type of repository'
        raise RequestError(Code.INVALID, text, hint="one of: " + ", ".join(REPOSITORY_KINDS))


def _check_text(what: str, text: str) -> None:
    if len(text) > LONGEST_DESCRIPTION or not text.isprintable():
        raise RequestError(Code.INVALID, f"{what} has at most {LONGEST_DESCRIPTION} printable characters")
