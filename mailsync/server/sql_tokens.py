"""Who may log on: token users and what proves their tokens. The store never sees a token."""

from __future__ import annotations

from mailsync.core.model import USER
from mailsync.server.database import Connection
from mailsync.server.store import RequestError, TokenUser
from mailsync.wire.errors import Code
from mailsync.wire.passwords import OF_TOKENS, Kdf, format_kdf, parse_kdf
from mailsync.wire.scram import Verifier

_NOBODY = (b"", b"", b"", format_kdf(OF_TOKENS))


def find_verifier(connection: Connection, user: str) -> Verifier | None:
    """What proves a live token, None for an unknown or revoked user."""
    query = 'SELECT salt, stored_key, server_key, kdf FROM tokens WHERE "user" = ? AND revoked = 0'
    row = connection.execute(query, (user,)).fetchone()
    # Whoever is not there costs what somebody costs who is.
    salt, stored_key, server_key, kdf = row or _NOBODY
    verifier = Verifier(salt, stored_key, server_key, parse_kdf(kdf))
    return verifier if row else None


def find_profiles(connection: Connection) -> tuple[Kdf, ...]:
    """How each live password is protected."""
    query = "SELECT kdf FROM tokens WHERE revoked = 0 AND kdf <> ? ORDER BY kdf"
    return tuple(parse_kdf(row[0]) for row in connection.execute(query, (format_kdf(OF_TOKENS),)))


def replace_verifier(connection: Connection, user: str, verifier: Verifier) -> None:
    """Replaces what proves a live password. Raises RequestError FORBIDDEN where there is none."""
    query = (
        "UPDATE tokens SET salt = ?, stored_key = ?, server_key = ?, kdf = ? "
        'WHERE "user" = ? AND revoked = 0 AND kdf <> ?'
    )
    values = (*verifier[:3], format_kdf(verifier.kdf), user, format_kdf(OF_TOKENS))
    if not connection.execute(query, values).rowcount:
        raise RequestError(Code.FORBIDDEN, f"set verifier: {user} has no password")


def find_tokens(connection: Connection) -> tuple[TokenUser, ...]:
    """Every token user, ascending."""
    rows = connection.execute('SELECT "user", created, revoked FROM tokens ORDER BY "user"')
    return tuple(TokenUser(*row) for row in rows)


def put_token(connection: Connection, user: str, verifier: Verifier, now: int) -> None:
    """Lets the user log on. Raises RequestError INVALID for a name that is none, or a live token."""
    if not USER.match(user):
        text = f'add token: "{user}" is not a user: 1 to 16 letters, digits, dots and hyphens, no hyphen first'
        raise RequestError(Code.INVALID, text)
    if find_verifier(connection, user) is not None:
        text = f"add token: {user} has a live one"
        raise RequestError(Code.INVALID, text, hint=f"mailsync server token revoke {user}")
    connection.execute(
        'INSERT INTO tokens ("user", salt, stored_key, server_key, kdf, created, revoked) VALUES (?, ?, ?, ?, ?, ?, 0) '
        'ON CONFLICT ("user") DO UPDATE SET salt = excluded.salt, stored_key = excluded.stored_key, '
        "server_key = excluded.server_key, kdf = excluded.kdf, created = excluded.created, revoked = 0",
        (user, *verifier[:3], format_kdf(verifier.kdf), now),
    )


def end_token(connection: Connection, user: str, now: int) -> bool:
    """Revokes the user's token; False when there is no live one."""
    query = 'UPDATE tokens SET revoked = ? WHERE "user" = ? AND revoked = 0'
    return connection.execute(query, (now, user)).rowcount > 0
