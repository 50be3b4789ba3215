"""What is administered in the SQL store: every method one transaction, with its entry in the ledger.

What the methods do within their transactions is in sql_places, sql_users and sql_grants. A scope's own settings are in
the scope's chain; everything that belongs to no scope is in the site's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from mailsync.core.model import Repository, Scope
from mailsync.server import sql_grants, sql_places, sql_scope, sql_users
from mailsync.server.access import USER_KIND, Access, Asker, Grant
from mailsync.server.administration import (
    Cluster,
    Group,
    Login,
    RepositoryChange,
    RepositoryState,
    ScopeChange,
    ScopeState,
    TokenUser,
    User,
    kind_of,
)
from mailsync.server.database import Connection, Database
from mailsync.server.sql_chain import Said, Writing, append, append_site
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code
from mailsync.wire.passwords import TOKEN, Kdf, format_kdf
from mailsync.wire.scram import Verifier


class SqlAdministration:
    """An `administration.Administration` in a database."""

    def __init__(self, database: Database, *, by: str = "admin", clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._by = by  # in the ledger, for what is not a client's
        self._clock = clock

    def scopes(self, asker: Asker) -> tuple[ScopeState, ...]:
        """As administration.Administration.scopes."""

        def read(connection: Connection) -> tuple[ScopeState, ...]:
            rights = sql_grants.require_user(connection, "scopes", asker)
            return tuple(one for one in sql_scope.find_scopes(connection) if rights.on(one.scope) >= Access.READ)

        return self._database.read(read)

    def add_scope(
        self,
        scope: Scope,
        *,
        description: str = "",
        repositories: Sequence[Repository] = (),
        default_repository: str = "",
    ) -> None:
        """As administration.Administration.add_scope."""
        sql_places.check_scope(scope, description, tuple(repositories), default_repository)

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

    def set_scope(self, scope: Scope, change: ScopeChange) -> None:
        """As administration.Administration.set_scope."""
        said = {name: value for name, value in change._asdict().items() if value is not None}

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_places.set_scope(connection, at, change)
            append(connection, at, self._writing(), Said("scope set", said), version=at.version)

        self._database.write(write)

    def repositories(self, scope: Scope) -> tuple[Repository, ...]:
        """As administration.Administration.repositories."""

        def read(connection: Connection) -> tuple[Repository, ...]:
            return sql_scope.find_repositories(connection, sql_scope.find_scope(connection, scope).number)

        return self._database.read(read)

    def places(self, scope: Scope) -> tuple[RepositoryState, ...]:
        """As administration.Administration.places."""

        def read(connection: Connection) -> tuple[RepositoryState, ...]:
            return sql_places.find_places(connection, sql_scope.find_scope(connection, scope).number)

        return self._database.read(read)

    def add_repository(self, scope: Scope, repository: Repository) -> None:
        """As administration.Administration.add_repository."""
        sql_places.check_repository("add", repository)

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_scope.put_repositories(connection, at.number, (repository,))
            append(connection, at, self._writing(), Said("repository", repository._asdict()), version=at.version)

        self._database.write(write)

    def set_repository(self, scope: Scope, name: str, change: RepositoryChange) -> None:
        """As administration.Administration.set_repository."""
        said = {"id": name, **{key: value for key, value in change._asdict().items() if value is not None}}

        def write(connection: Connection) -> None:
            at = sql_scope.lock_scope(connection, scope)
            sql_places.set_repository(connection, at, name, change)
            append(connection, at, self._writing(), Said("repository set", said), version=at.version)

        self._database.write(write)

    def clusters(self) -> tuple[Cluster, ...]:
        """As administration.Administration.clusters."""
        return self._database.read(sql_places.find_clusters)

    def add_cluster(self, cluster: Cluster) -> None:
        """As administration.Administration.add_cluster."""
        said = Said("cluster", cluster._asdict())
        self._administer(lambda connection: sql_places.put_cluster(connection, cluster), said)

    def verifier(self, user: str) -> Verifier | None:
        """As administration.Administration.verifier."""
        return self._database.read(lambda connection: sql_users.find_verifier(connection, user))

    def login(self, name: str) -> tuple[Login | None, tuple[Kdf, ...]]:
        """As administration.Administration.login."""

        def read(connection: Connection) -> tuple[Login | None, tuple[Kdf, ...]]:
            return sql_users.find_login(connection, name), sql_users.find_profiles(connection)

        return self._database.read(read)

    def tokens(self) -> tuple[TokenUser, ...]:
        """As administration.Administration.tokens."""
        return self._database.read(sql_users.find_tokens)

    def users(self) -> tuple[User, ...]:
        """As administration.Administration.users."""
        return self._database.read(sql_users.find_users)

    def add_token(self, user: str, verifier: Verifier, now: int, *, grants: Sequence[tuple[str, Access]] = ()) -> None:
        """As administration.Administration.add_token."""
        if kind_of(verifier) != TOKEN:
            raise RequestError(Code.INVALID, f"add token: what proves {user} is a password's")
        self.add_user(user, verifier, now, grants=grants)

    def rotate_token(self, user: str, successor: str, verifier: Verifier, now: int) -> None:
        """As administration.Administration.rotate_token."""
        if kind_of(verifier) != TOKEN:
            raise RequestError(Code.INVALID, f"rotate token: what proves {successor} is a password's")

        def write(connection: Connection) -> None:
            if sql_users.has_user(connection, successor):
                raise RequestError(Code.INVALID, f"rotate token: there is, or was, a user {successor}")
            sql_users.put_user(connection, successor, verifier, now)
            sql_users.copy_standing(connection, user, successor)

        self._administer(write, Said("token rotated", {"user": user, "successor": successor}))

    def revoke_token(self, user: str, now: int) -> bool:
        """As administration.Administration.revoke_token."""
        return self._end(user, now, TOKEN)

    def add_user(  # noqa: PLR0913 - a user
        self,
        user: str,
        verifier: Verifier,
        now: int,
        *,
        email: str = "",
        upgrade_by: int = 0,
        grants: Sequence[tuple[str, Access]] = (),
    ) -> None:
        """As administration.Administration.add_user."""
        given = [Grant(USER_KIND, user, customers, access) for customers, access in grants]

        def write(connection: Connection) -> None:
            sql_users.put_user(connection, user, verifier, now, email=email, upgrade_by=upgrade_by)
            for grant in given:
                sql_grants.put_grant(connection, grant)

        said = {"user": user, "email": email, "grants": [str(grant) for grant in given]}
        self._administer(write, Said(f"{kind_of(verifier)} added", said))

    def set_password(self, user: str, verifier: Verifier) -> None:
        """As administration.Administration.set_password."""
        said = Said("password set", {"user": user, "kdf": format_kdf(verifier.kdf)})
        self._administer(lambda connection: sql_users.replace_verifier(connection, user, verifier), said)

    def revoke_user(self, user: str, now: int) -> bool:
        """As administration.Administration.revoke_user."""
        return self._end(user, now, None)

    def groups(self) -> tuple[Group, ...]:
        """As administration.Administration.groups."""
        return self._database.read(sql_users.find_groups)

    def add_group(self, name: str, description: str = "") -> None:
        """As administration.Administration.add_group."""
        said = Said("group", {"group": name, "description": description})
        self._administer(lambda connection: sql_users.put_group(connection, name, description), said)

    def remove_group(self, name: str) -> None:
        """As administration.Administration.remove_group."""
        said = Said("group removed", {"group": name})
        self._administer(lambda connection: sql_users.remove_group(connection, name), said)

    def join_group(self, name: str, user: str) -> None:
        """As administration.Administration.join_group."""
        said = Said("group joined", {"group": name, "user": user})
        self._administer(lambda connection: sql_users.join_group(connection, name, user), said)

    def leave_group(self, name: str, user: str) -> None:
        """As administration.Administration.leave_group."""
        said = Said("group left", {"group": name, "user": user})
        self._administer(lambda connection: sql_users.leave_group(connection, name, user), said)

    def grants(self) -> tuple[Grant, ...]:
        """As administration.Administration.grants."""
        return self._database.read(sql_grants.find_grants)

    def add_grant(self, grant: Grant) -> None:
        """As administration.Administration.add_grant."""
        said = Said("grant", {grant.kind: grant.holder, "grant": str(grant)})
        self._administer(lambda connection: sql_grants.put_grant(connection, grant), said)

    def remove_grant(self, kind: str, holder: str, customers: str) -> None:
        """As administration.Administration.remove_grant."""
        said = Said("grant removed", {kind: holder, "customers": customers})
        self._administer(lambda connection: sql_grants.remove_grant(connection, kind, holder, customers), said)

    def note(self, kind: str, said: Mapping[str, object]) -> None:
        """Writes into the site's chain what was changed beside the store, such as a key of the ring."""
        self._database.write(lambda connection: append_site(connection, self._writing(), Said(kind, said)))

    def _end(self, user: str, now: int, kind: str | None) -> bool:
        def write(connection: Connection) -> bool:
            ended = sql_users.end_user(connection, user, now, kind=kind)
            if ended:
                append_site(connection, self._writing(), Said(f"{kind or 'user'} revoked", {"user": user}))
            return ended

        return self._database.write(write)

    def _administer(self, work: Callable[[Connection], None], said: Said) -> None:
        """Does the work, and says so in the site's chain."""

        def write(connection: Connection) -> None:
            work(connection)
            append_site(connection, self._writing(), said)

        self._database.write(write)

    def _writing(self) -> Writing:
        return Writing(self._by, int(self._clock()))
