"""The SQLite store: one file, one connection, every method one transaction (protocol.md section 15).

Strategy: WAL so that readers never wait; synchronous=FULL so that what was acknowledged survives a power cut; BEGIN
IMMEDIATE so that a writer has the lock before it reads what it decides on. Any number of processes may have the same
file open: a load beside a running server waits its turn, and so does the server. What the methods do within their
transactions is in sqlite_sync, sqlite_apply, sqlite_load and sqlite_tokens; the tables are in schema.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import TemporaryError, UsageError
from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY, Repository, Scope, Volume
from mailsync.core.outcome import Batch, Outcome
from mailsync.server import sqlite_apply, sqlite_ledger, sqlite_load, sqlite_scope, sqlite_sync, sqlite_tokens
from mailsync.server.schema import open_database
from mailsync.server.store import (
    LONGEST_DESCRIPTION,
    REPOSITORY_KINDS,
    LedgerEntry,
    Loaded,
    LoadFault,
    LoadPolicy,
    LoadRow,
    Principal,
    RecordedBatch,
    RequestError,
    ScopeState,
    TokenUser,
)
from mailsync.wire.errors import Code
from mailsync.wire.scram import Verifier

EPOCH_BYTES = 16
_SCHEME = "sqlite:"


def store_path(url: str) -> Path:
    """The file that `sqlite:PATH` names. Raises UsageError for another kind of store."""
    if not url.startswith(_SCHEME) or url == _SCHEME:
        raise UsageError(f'store "{url}" is not sqlite:PATH', hint="for example: --store sqlite:state/server.db")
    return Path(url.removeprefix(_SCHEME))


class SqliteStore:
    """A store in one SQLite file, made when it is missing. Its methods may be called from any one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_database(path, epoch=secrets.token_bytes(EPOCH_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file; safe to call twice."""
        self._connection.close()

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int, limit: int) -> Page:
        """As store.Store.sync."""
        with self._transaction("DEFERRED") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            return sqlite_sync.read_page(connection, at, cursor, repositories_version, limit)

    def apply(self, batch: Batch, request_hash: bytes, principal: Principal, now: int) -> Outcome:
        """As store.Store.apply."""
        with self._transaction("IMMEDIATE") as connection:
            return sqlite_apply.apply_batch(connection, sqlite_apply.Request(batch, request_hash, principal, now))

    def scopes(self) -> tuple[ScopeState, ...]:
        """As store.Store.scopes."""
        with self._transaction("DEFERRED") as connection:
            return sqlite_scope.find_scopes(connection)

    def add_scope(
        self,
        scope: Scope,
        *,
        description: str = "",
        repositories: Sequence[Repository] = (),
        default_repository: str = "",
    ) -> None:
        """As store.Store.add_scope."""
        if not (CUSTOMER.match(scope.customer) and MEDIA.match(scope.media)):
            raise RequestError(
                Code.INVALID, f'add scope: "{scope}" is not CUSTOMER.MEDIA, 1 to 4 letters or digits each'
            )
        _check_text(f"add scope {scope}: description", description)
        for repository in repositories:
            _check_repository(repository)
        if default_repository and default_repository not in {repository.id for repository in repositories}:
            text = f'add scope {scope}: the default repository "{default_repository}" is not one of its repositories'
            raise RequestError(Code.INVALID, text)
        with self._transaction("IMMEDIATE") as connection:
            if sqlite_scope.has_scope(connection, scope):
                raise RequestError(Code.INVALID, f"add scope {scope}: it is there already")
            number = sqlite_scope.add_media(
                connection, scope, description=description, default_repository=default_repository
            )
            sqlite_scope.put_repositories(connection, number, repositories)

    def repositories(self, scope: Scope) -> tuple[Repository, ...]:
        """As store.Store.repositories."""
        with self._transaction("DEFERRED") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            return sqlite_scope.find_repositories(connection, at.number)

    def add_repository(self, scope: Scope, repository: Repository) -> None:
        """As store.Store.add_repository."""
        _check_repository(repository)
        with self._transaction("IMMEDIATE") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            sqlite_scope.put_repositories(connection, at.number, (repository,))

    def load(
        self, fields: Sequence[str], rows: Iterable[LoadRow | LoadFault], *, policy: LoadPolicy = LoadPolicy.CREATE
    ) -> Loaded:
        """As store.Store.load."""
        columns, faults = sqlite_load.columns_of(fields), sqlite_load.Faults()
        with self._transaction("DEFERRED") as connection:
            sqlite_load.spool(connection, columns, rows, faults)
        with self._transaction("IMMEDIATE") as connection:
            loaded = sqlite_load.merge(connection, columns, policy, faults)
            if loaded.faults:
                connection.execute("ROLLBACK")
            return loaded

    def export(self, scope: Scope) -> Iterator[tuple[str, Volume]]:
        """As store.Store.export."""
        with self._transaction("DEFERRED") as connection:
            number = sqlite_scope.find_scope(connection, scope).number
        return sqlite_scope.each_volume(self._connection, number)

    def delete(self, scope: Scope, volumes: Iterable[str]) -> int:
        """As store.Store.delete."""
        with self._transaction("IMMEDIATE") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            return sqlite_scope.delete_volumes(connection, at, volumes)

    def expire(self, scope: Scope, through: int) -> None:
        """As store.Store.expire."""
        with self._transaction("IMMEDIATE") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            sqlite_scope.forget_tombstones(connection, at, through)

    def renew_epoch(self, epoch: bytes) -> None:
        """As store.Store.renew_epoch."""
        with self._transaction("IMMEDIATE") as connection:
            connection.execute("UPDATE store SET epoch = ?", (epoch,))

    def batches(self, scope: Scope) -> tuple[RecordedBatch, ...]:
        """As store.Store.batches."""
        with self._transaction("DEFERRED") as connection:
            at = sqlite_scope.find_scope(connection, scope)
            return sqlite_ledger.find_batches(connection, at.number)

    def ledger(self, scope: Scope, volume: str = "") -> Iterator[LedgerEntry]:
        """As store.Store.ledger."""
        with self._transaction("DEFERRED") as connection:
            at = sqlite_scope.find_scope(connection, scope)
        return sqlite_ledger.each_entry(self._connection, at, volume)

    def verifier(self, user: str) -> Verifier | None:
        """As store.Store.verifier."""
        with self._transaction("DEFERRED") as connection:
            return sqlite_tokens.find_verifier(connection, user)

    def tokens(self) -> tuple[TokenUser, ...]:
        """As store.Store.tokens."""
        with self._transaction("DEFERRED") as connection:
            return sqlite_tokens.find_tokens(connection)

    def add_token(self, user: str, verifier: Verifier, now: int) -> None:
        """As store.Store.add_token."""
        with self._transaction("IMMEDIATE") as connection:
            sqlite_tokens.put_token(connection, user, verifier, now)

    def revoke_token(self, user: str, now: int) -> bool:
        """As store.Store.revoke_token."""
        with self._transaction("IMMEDIATE") as connection:
            return sqlite_tokens.end_token(connection, user, now)

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[sqlite3.Connection]:
        """A transaction that commits when its block ends in order; the disk's troubles become TemporaryError."""
        connection = self._connection
        try:
            connection.execute(f"BEGIN {mode}")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            hint = "another program writes to it, or the disk is full; nothing was changed"
            raise TemporaryError(f"store {self.path}: {error}", hint=hint) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


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
