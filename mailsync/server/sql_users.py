"""Who may log on: users with a token or a password, what proves it, and the groups they are in.

The store never sees a token or a password. A name belongs to one user, of one kind: a token is never accepted for a
password, nor the other way round. A revoked user keeps groups and grants, for the day the name is let in again.
"""

from __future__ import annotations

from itertools import chain, repeat

from mailsync.core.model import USER
from mailsync.server.administration import LONGEST_CUSTOMER_DESCRIPTION, Group, Login, TokenUser, User, kind_of
from mailsync.server.database import Connection
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code
from mailsync.wire.passwords import MD5, OF_TOKENS, TOKEN, Kdf, format_kdf, parse_kdf
from mailsync.wire.scram import EMAIL, Verifier

# The user of a name, else the next one, else the last: a row is found for anybody, so no time tells who is there.
_NEAREST = """
    SELECT m.id, m.{by}, m.salt, m.stored_key, m.server_key, m.kdf, m.upgrade_by, m.created, m.revoked
    FROM (SELECT max({by}) AS last FROM users WHERE {by} <> '') AS ends JOIN users AS m ON m.{by} <> '' AND m.{by} =
        (SELECT min({by}) FROM users WHERE {by} <> '' AND {by} >= CASE WHEN ? < ends.last THEN ? ELSE ends.last END)
"""
_BY_NAME, _BY_EMAIL = _NEAREST.format(by="id"), _NEAREST.format(by="email")
_NOBODY = ("", None, b"", b"", b"", None, 0, 0, 0)
_TOKENS_KDF = format_kdf(OF_TOKENS)
_USER_HINT = "who is there: mailsync server user list"
_GROUP_HINT = "what is there: mailsync server group list"


def find_login(connection: Connection, name: str) -> Login | None:
    """The live user of a name or an e-mail address, None when there is none."""
    # No user's name has an @, and every address has one.
    row = connection.execute(_BY_EMAIL if "@" in name else _BY_NAME, (name, name)).fetchone()
    user, known_as, salt, stored_key, server_key, kdf, upgrade_by, created, revoked = row or _NOBODY
    # Whoever is not there costs what somebody costs who is.
    login = Login(user, Verifier(salt, stored_key, server_key, parse_kdf(kdf or _TOKENS_KDF)), upgrade_by, created)
    return login if known_as == name and not revoked else None


def find_verifier(connection: Connection, user: str) -> Verifier | None:
    """What proves who a live user is, None for an unknown or revoked one."""
    found = find_login(connection, user)
    return found.verifier if found else None


def find_profiles(connection: Connection) -> tuple[Kdf, ...]:
    """How each live password is protected."""
    query = "SELECT kdf, count(*) FROM users WHERE revoked = 0 AND kdf IS NOT NULL GROUP BY kdf ORDER BY kdf"
    return tuple(chain.from_iterable(repeat(parse_kdf(kdf), count) for kdf, count in connection.execute(query)))


def find_tokens(connection: Connection) -> tuple[TokenUser, ...]:
    """Every token user, ascending."""
    rows = connection.execute("SELECT id, created, revoked FROM users WHERE kind = ? ORDER BY id", (TOKEN,))
    return tuple(TokenUser(*row) for row in rows)


def find_users(connection: Connection) -> tuple[User, ...]:
    """Every user, ascending."""
    groups: dict[str, list[str]] = {}
    for user, group in connection.execute("SELECT member, user_group FROM members ORDER BY member, user_group"):
        groups.setdefault(user, []).append(group)
    rows = connection.execute("SELECT id, kind, email, created, revoked, kdf, upgrade_by FROM users ORDER BY id")
    return tuple(
        User._make((*row[:5], tuple(groups.get(row[0], ())), parse_kdf(row[5] or _TOKENS_KDF).prehash == MD5, row[6]))
        for row in rows
    )


def put_user(  # noqa: PLR0913 - a row
    connection: Connection, user: str, verifier: Verifier, now: int, *, email: str = "", upgrade_by: int = 0
) -> None:
    """Lets the user log on. Raises RequestError INVALID for a name that is none, or a live user."""
    kind = kind_of(verifier)
    what = f"add {kind}"
    _check_name(what, user)
    if email and not EMAIL.match(email):
        raise RequestError(Code.INVALID, f'{what}: "{email}" is not an e-mail address')
    query = "SELECT id FROM users WHERE email = ? AND email <> '' AND id <> ?"
    other = connection.execute(query, (email, user)).fetchone()
    if other is not None:
        raise RequestError(Code.INVALID, f"{what}: {email} belongs to {other[0]}", hint=_USER_HINT)
    written = connection.execute(
        "INSERT INTO users (id, kind, email, salt, stored_key, server_key, kdf, upgrade_by, created, revoked) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, email = excluded.email, salt = excluded.salt, "
        "stored_key = excluded.stored_key, server_key = excluded.server_key, kdf = excluded.kdf, "
        "upgrade_by = excluded.upgrade_by, revoked = 0, "
        # Later than before, whatever the clock says: it tells this user from the one of that name before.
        "created = CASE WHEN users.created < excluded.created THEN excluded.created ELSE users.created + 1 END "
        "WHERE users.revoked <> 0",
        (user, kind, email, *verifier[:3], None if kind == TOKEN else format_kdf(verifier.kdf), upgrade_by, now),
    )
    if not written.rowcount:
        ((has,),) = connection.execute("SELECT kind FROM users WHERE id = ?", (user,)).fetchall()
        instead = f"token rotate {user} --out FILE" if has == TOKEN else f"user password {user}"
        text = f"{what}: {user} logs on with a {has} already"
        raise RequestError(Code.INVALID, text, hint=f"for another one: mailsync server {instead}")


def copy_standing(connection: Connection, user: str, successor: str) -> None:
    """Puts a new user into another's groups, and grants it the same. Raises RequestError INVALID."""
    live = connection.execute("SELECT 1 FROM users WHERE id = ? AND kind = ? AND revoked = 0", (user, TOKEN))
    if live.fetchone() is None:
        raise RequestError(Code.INVALID, f"rotate token: {user} has no live one", hint=_USER_HINT)
    connection.execute(
        "INSERT INTO members (user_group, member) SELECT user_group, ? FROM members WHERE member = ?",
        (successor, user),
    )
    connection.execute(
        "INSERT INTO grants (kind, holder, customers, access) "
        "SELECT kind, ?, customers, access FROM grants WHERE kind = 'user' AND holder = ?",
        (successor, user),
    )


def replace_verifier(
    connection: Connection, user: str, verifier: Verifier, *, instead_of: tuple[bytes, int] | None = None
) -> None:
    """Replaces what proves a live password.

    `instead_of`, where it is given, is the StoredKey that must still be its, and when its user must have been let in.
    Raises RequestError: FORBIDDEN where there is none, INVALID by a token.
    """
    if kind_of(verifier) == TOKEN:
        raise RequestError(Code.INVALID, f"set verifier: what was sent for {user} is of a token")
    query = (
        "UPDATE users SET salt = ?, stored_key = ?, server_key = ?, kdf = ?, upgrade_by = 0 "
        "WHERE id = ? AND revoked = 0 AND kdf IS NOT NULL"
    )
    values: list[object] = [*verifier[:3], format_kdf(verifier.kdf), user]
    if instead_of is not None:
        query, values = f"{query} AND stored_key = ? AND created = ?", [*values, *instead_of]
    if not connection.execute(query, values).rowcount:
        raise RequestError(Code.FORBIDDEN, f"set verifier: {user} has no password, or another by now")


def end_user(connection: Connection, user: str, now: int, *, kind: str | None = None) -> bool:
    """Revokes a live user, of one kind where it is given; False when there is none."""
    query, values = "UPDATE users SET revoked = ? WHERE id = ? AND revoked = 0", [now, user]
    if kind is not None:
        query, values = f"{query} AND kind = ?", [*values, kind]
    return connection.execute(query, values).rowcount > 0


def find_groups(connection: Connection) -> tuple[Group, ...]:
    """Every group, ascending."""
    members: dict[str, list[str]] = {}
    for group, user in connection.execute("SELECT user_group, member FROM members ORDER BY user_group, member"):
        members.setdefault(group, []).append(user)
    rows = connection.execute("SELECT id, description FROM user_groups ORDER BY id")
    return tuple(Group(name, description, tuple(members.get(name, ()))) for name, description in rows)


def put_group(connection: Connection, name: str, description: str) -> None:
    """Adds a group, or changes its description. Raises RequestError INVALID."""
    _check_name("add group", name)
    if len(description) > LONGEST_CUSTOMER_DESCRIPTION or not description.isprintable():
        text = f"add group {name}: description has at most {LONGEST_CUSTOMER_DESCRIPTION} printable characters"
        raise RequestError(Code.INVALID, text)
    query = (
        "INSERT INTO user_groups (id, description) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET description = excluded.description"
    )
    connection.execute(query, (name, description))


def remove_group(connection: Connection, name: str) -> None:
    """Removes a group with its memberships and grants. Raises RequestError INVALID."""
    check_group(connection, name)
    connection.execute("DELETE FROM members WHERE user_group = ?", (name,))
    connection.execute("DELETE FROM grants WHERE kind = 'group' AND holder = ?", (name,))
    connection.execute("DELETE FROM user_groups WHERE id = ?", (name,))


def join_group(connection: Connection, name: str, user: str) -> None:
    """Makes a user a member; nothing when it is one. Raises RequestError INVALID."""
    check_group(connection, name)
    check_user(connection, user)
    query = "INSERT INTO members (user_group, member) VALUES (?, ?) ON CONFLICT (user_group, member) DO NOTHING"
    connection.execute(query, (name, user))


def leave_group(connection: Connection, name: str, user: str) -> None:
    """Ends a membership. Raises RequestError INVALID when there is none."""
    query = "DELETE FROM members WHERE user_group = ? AND member = ?"
    if not connection.execute(query, (name, user)).rowcount:
        raise RequestError(Code.INVALID, f"leave group: {user} is not in {name}", hint=_GROUP_HINT)


def has_user(connection: Connection, user: str) -> bool:
    """True for a user who is, or was."""
    return connection.execute("SELECT 1 FROM users WHERE id = ?", (user,)).fetchone() is not None


def check_user(connection: Connection, user: str) -> None:
    """Raises RequestError INVALID for a user who never was."""
    if not has_user(connection, user):
        raise RequestError(Code.INVALID, f"no user {user}", hint=_USER_HINT)


def check_group(connection: Connection, name: str) -> None:
    """Raises RequestError INVALID for a group that is not there."""
    if connection.execute("SELECT 1 FROM user_groups WHERE id = ?", (name,)).fetchone() is None:
        raise RequestError(Code.INVALID, f"no group {name}", hint=_GROUP_HINT)


def _check_name(what: str, name: str) -> None:
    if not USER.match(name):
        text = f'{what}: "{name}" is not a user: 1 to 16 letters, digits, dots and hyphens, no hyphen first'
        raise RequestError(Code.INVALID, text.replace("a user:", "a group:") if what == "add group" else text)
