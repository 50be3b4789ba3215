"""Grants in SQL: what a user may do is read in the transaction of each request, so that taking it back is final."""

from __future__ import annotations

from mailsync.core.model import Scope
from mailsync.server.access import (
    EVERYTHING,
    GROUP_KIND,
    USER_KIND,
    Access,
    Administrator,
    Asker,
    Grant,
    Rights,
    access_named,
    is_filter,
)
from mailsync.server.database import Connection
from mailsync.server.sql_users import check_group, check_user
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code

_RIGHTS = """
    SELECT g.customers, g.access FROM users AS u LEFT JOIN grants AS g
    ON (g.kind = 'user' AND g.holder = u.id)
    OR (g.kind = 'group' AND g.holder IN (SELECT m.user_group FROM members AS m WHERE m.member = u.id))
    WHERE u.id = ? AND u.created = ? AND u.revoked = 0
"""


def require_user(connection: Connection, what: str, asker: Asker, *, access: str = "read") -> Rights:
    """The user's rights. Raises RequestError FORBIDDEN for one who is unknown, revoked, or another by that name now."""
    if isinstance(asker, Administrator):
        return EVERYTHING
    rows = connection.execute(_RIGHTS, (asker.user, asker.created)).fetchall()
    if not rows:
        raise RequestError(Code.FORBIDDEN, f"{what}: {asker.user} may not {access}")
    grants = ((customers, access_named(granted)) for customers, granted in rows if customers is not None)
    return Rights(asker.user, tuple(grants))


def require_read(connection: Connection, what: str, scope: Scope, asker: Asker, *, access: str = "read") -> Rights:
    """The user's rights. Raises RequestError: FORBIDDEN for a revoked user, NO_SUCH_SCOPE without read."""
    rights = require_user(connection, what, asker, access=access)
    if rights.on(scope) < Access.READ:
        raise no_such_scope(scope)
    return rights


def require_writer(connection: Connection, what: str, asker: Asker) -> Rights:
    """The user's rights. Raises RequestError FORBIDDEN for a revoked user, and for one who may write nowhere."""
    rights = require_user(connection, what, asker, access="write")
    if rights.somewhere < Access.WRITE:
        raise RequestError(Code.FORBIDDEN, f"{what}: {rights.user} may not write anywhere")
    return rights


def no_such_scope(scope: Scope) -> RequestError:
    """What is said of a scope that is not there, and alike of one that the user may not read."""
    return RequestError(Code.NO_SUCH_SCOPE, f"no scope {scope}", hint=f"mailsync server scope add {scope}")


def find_grants(connection: Connection) -> tuple[Grant, ...]:
    """Every grant, ascending."""
    rows = connection.execute("SELECT kind, holder, customers, access FROM grants ORDER BY kind, holder, customers")
    return tuple(Grant(kind, holder, customers, access_named(access)) for kind, holder, customers, access in rows)


def put_grant(connection: Connection, grant: Grant) -> None:
    """Adds a grant, or changes its access. Raises RequestError INVALID."""
    if not is_filter(grant.customers) or not grant.access:
        text = f'grant "{grant}" is not FILTER:ACCESS'
        raise RequestError(Code.INVALID, text, hint="for example: 'US*:write'; read, write or alter")
    _require_holder(connection, grant.kind, grant.holder)
    connection.execute(
        "INSERT INTO grants (kind, holder, customers, access) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, holder, customers) DO UPDATE SET access = excluded.access",
        (grant.kind, grant.holder, grant.customers, grant.access.name.lower()),
    )


def remove_grant(connection: Connection, kind: str, holder: str, customers: str) -> None:
    """Takes a grant back. Raises RequestError INVALID when there is none."""
    query = "DELETE FROM grants WHERE kind = ? AND holder = ? AND customers = ?"
    if not connection.execute(query, (kind, holder, customers)).rowcount:
        text = f"remove grant: {holder} has none on {customers}"
        raise RequestError(Code.INVALID, text, hint="what is there: mailsync server grant list")


def _require_holder(connection: Connection, kind: str, holder: str) -> None:
    if kind == USER_KIND:
        check_user(connection, holder)
    elif kind == GROUP_KIND:
        check_group(connection, holder)
    else:
        raise RequestError(Code.INVALID, f'grant: "{kind}" is neither user nor group')
