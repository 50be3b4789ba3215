"""What is said of scopes and repositories beside their volumes, and the data clusters, in SQL."""

from __future__ import annotations

from mailsync.core.fields import FIELD_BY_NAME
from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY, Repository, Scope
from mailsync.server.access import is_filter
from mailsync.server.administration import (
    LONGEST_CUSTOMER_DESCRIPTION,
    LONGEST_DESCRIPTION,
    MOST_VOLUMES,
    REPOSITORY_KINDS,
    Cluster,
    RepositoryChange,
    RepositoryState,
    ScopeChange,
)
from mailsync.server.database import Connection
from mailsync.server.rules import value_fault
from mailsync.server.sql_scope import Standpoint, find_repositories, put_repositories
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code


def check_scope(scope: Scope, description: str, repositories: tuple[Repository, ...], default_repository: str) -> None:
    """Raises RequestError INVALID for a scope that cannot be added so."""
    if not (CUSTOMER.match(scope.customer) and MEDIA.match(scope.media)):
        raise RequestError(Code.INVALID, f'add scope: "{scope}" is not CUSTOMER.MEDIA, 1 to 4 letters or digits each')
    _check_text(f"add scope {scope}: description", description)
    for repository in repositories:
        check_repository("add", repository)
    if default_repository and default_repository not in {repository.id for repository in repositories}:
        text = f'add scope {scope}: the default repository "{default_repository}" is not one of its repositories'
        raise RequestError(Code.INVALID, text)


def check_repository(what: str, repository: Repository) -> None:
    """Raises RequestError INVALID for a repository that cannot be; `what` is done with it: add, set."""
    if not REPOSITORY.match(repository.id):
        raise RequestError(Code.INVALID, f'{what} repository: "{repository.id}" is not 1 to 4 letters or digits')
    _check_text(f"{what} repository {repository.id}: description", repository.description)
    if repository.kind and repository.kind not in REPOSITORY_KINDS:
        text = f'{what} repository {repository.id}: "{repository.kind}" is not a type of repository'
        raise RequestError(Code.INVALID, text, hint="one of: " + ", ".join(REPOSITORY_KINDS))


def set_scope(connection: Connection, at: Standpoint, change: ScopeChange) -> None:
    """Changes the locked scope. Raises RequestError INVALID."""
    what = f"set scope {at.scope}"
    _check_text(f"{what}: description", change.description or "")
    _check_text(f"{what}: customer's description", change.customer_description or "", LONGEST_CUSTOMER_DESCRIPTION)
    if change.default_repository:
        _require_repository(connection, at, what, change.default_repository)
    if change.volume_filter and not is_filter(change.volume_filter):
        text = f'{what}: "{change.volume_filter}" is not a filter of volumes'
        raise RequestError(Code.INVALID, text, hint="letters, digits, -, * and ?; a comma between filters: A*,B*L8")
    if change.cap is not None and not 0 <= change.cap <= MOST_VOLUMES:
        raise RequestError(Code.INVALID, f"{what}: a cap is 0 (none) or a number of volumes")
    media = {
        "description": change.description,
        "default_repository": change.default_repository,
        "volume_filter": change.volume_filter,
        "cap": change.cap,
        "locked": None if change.locked is None else int(change.locked),
    }
    for column, value in media.items():
        if value is not None:
            query = f"UPDATE media SET {column} = ? WHERE number = ?"  # noqa: S608 - our own columns
            connection.execute(query, (value, at.number))
    if change.customer_description is not None:
        query = "UPDATE customers SET description = ? WHERE id = ?"
        connection.execute(query, (change.customer_description, at.scope.customer))


def set_repository(connection: Connection, at: Standpoint, name: str, change: RepositoryChange) -> None:
    """Changes a repository of the locked scope. Raises RequestError INVALID."""
    what = f"set repository {at.scope}.{name}"
    found = _require_repository(connection, at, what, name)
    said = {key: value for key, value in change._asdict().items() if value is not None and key != "next"}
    changed = found._replace(**said)
    check_repository("set", changed)
    if change.next:
        _require_repository(connection, at, what, change.next)
        if change.next == name:
            raise RequestError(Code.INVALID, f"{what}: the next repository is another one")
    if changed != found:
        put_repositories(connection, at.number, (changed,))
    if change.next is not None:
        query = "UPDATE repositories SET next = ? WHERE media = ? AND id = ?"
        connection.execute(query, (change.next, at.number, name))


def find_places(connection: Connection, number: int) -> tuple[RepositoryState, ...]:
    """The repositories of the scope with their next ones and the number of volumes, ascending."""
    query = "SELECT repository, count(*) FROM volumes WHERE media = ? GROUP BY repository"
    counts: dict[str, int] = dict(connection.execute(query, (number,)).fetchall())
    following: dict[str, str] = dict(
        connection.execute("SELECT id, next FROM repositories WHERE media = ?", (number,)).fetchall()
    )
    found = find_repositories(connection, number)
    return tuple(RepositoryState(one, following[one.id], counts.get(one.id, 0)) for one in found)


def find_clusters(connection: Connection) -> tuple[Cluster, ...]:
    """Every data cluster, ascending."""
    return tuple(Cluster(*row) for row in connection.execute("SELECT id, description FROM clusters ORDER BY id"))


def known_clusters(connection: Connection, names: set[str]) -> frozenset[str]:
    """Those of the names that are data clusters."""
    query = "SELECT 1 FROM clusters WHERE id = ?"
    return frozenset(name for name in sorted(names) if connection.execute(query, (name,)).fetchone())


def put_cluster(connection: Connection, cluster: Cluster) -> None:
    """Adds a data cluster, or changes its description. Raises RequestError INVALID."""
    fault = value_fault(FIELD_BY_NAME["data_cluster"], cluster.id)
    if fault or not cluster.id:
        raise RequestError(Code.INVALID, f"add cluster: {fault or 'it has no name'}")
    _check_text(f"add cluster {cluster.id}: description", cluster.description, LONGEST_CUSTOMER_DESCRIPTION)
    query = (
        "INSERT INTO clusters (id, description) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET description = excluded.description"
    )
    connection.execute(query, tuple(cluster))


def _require_repository(connection: Connection, at: Standpoint, what: str, name: str) -> Repository:
    for one in find_repositories(connection, at.number):
        if one.id == name:
            return one
    hint = f"what is there: mailsync server repository list {at.scope}"
    raise RequestError(Code.INVALID, f'{what}: repository "{name}" is unknown', hint=hint)


def _check_text(what: str, text: str, longest: int = LONGEST_DESCRIPTION) -> None:
    if len(text) > longest or not text.isprintable():
        raise RequestError(Code.INVALID, f"{what} has at most {longest} printable characters")
