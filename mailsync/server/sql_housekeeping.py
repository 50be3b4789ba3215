"""What a store forgets in time, and its lives: the methods, each of as many short transactions as it takes.

What they do is in sql_prune; nothing younger than `KEPT_SECONDS` is ever forgotten: that is longer than any client may
go on with a run or with a copy, so that nobody misses what is gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.core.model import Scope
from mailsync.server import sql_prune, sql_scope
from mailsync.server.database import Connection
from mailsync.server.sql_administration import SqlAdministration
from mailsync.server.sql_chain import Said as _Said
from mailsync.server.sql_chain import append, begin_life
from mailsync.server.store import Pruned, RequestError
from mailsync.wire.errors import Code

KEPT_SECONDS = 30 * 86_400


class SqlHousekeeping(SqlAdministration):
    """The housekeeping of a `store.Store` in a database."""

    def expire(self, scope: Scope, through: int) -> None:
        """As store.Store.expire."""

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_scope.forget_tombstones(connection, at, through)
            append(connection, at, self._writing(), _Said("expire", {"through": through}), version=at.version)

        self._database.write(write)

    def prune(self, before: int) -> Iterator[Pruned]:
        """As store.Store.prune."""
        self._check_age(before)
        for at in (None, *self._standpoints()):
            yield sql_prune.prune_chain(self._database, at, before, self._writing())

    def expire_deletions(self, before: int) -> Iterator[tuple[Scope, int]]:
        """As store.Store.expire_deletions."""
        self._check_age(before)
        for at in self._standpoints():
            yield at.scope, sql_prune.expire_deletions(self._database, at, before, self._writing())

    def forget_runs(self, before: int) -> int:
        """As store.Store.forget_runs."""
        self._check_age(before)
        return sql_prune.forget_runs(self._database, before)

    def renew_epoch(self, epoch: bytes) -> None:
        """As store.Store.renew_epoch."""
        self._database.write(lambda connection: begin_life(connection, epoch, self._writing()))

    def _standpoints(self) -> tuple[sql_scope.Standpoint, ...]:
        return self._database.read(sql_scope.find_standpoints)

    def _check_age(self, before: int) -> None:
        if before > self._clock() - KEPT_SECONDS:
            text = f"nothing younger than {KEPT_SECONDS // 86_400} days is forgotten"
            raise RequestError(Code.INVALID, text, hint="name an earlier day, or a longer time")
