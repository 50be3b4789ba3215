"""`mailsync server user`: people who log on with a password. The store keeps what proves it, never the password."""

from __future__ import annotations

import json
import secrets
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailsync.cli import server, server_grants
from mailsync.cli.server_words import group, hinting, leaf, listing
from mailsync.core.errors import UsageError
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code

if TYPE_CHECKING:
    from mailsync.server.administration import User
    from mailsync.wire.passwords import Kdf
    from mailsync.wire.scram import Verifier

_HINT = "who is there: mailsync server user list; how to add one: mailsync server user add --help"
_DAY = 86_400
_MD5_DAYS = 90  # how long an imported MD5 is enough, unless somebody says otherwise
_HELP = """\
The password is asked for, or is the first line of stdin when that is no terminal. It is kept as an Argon2id verifier
only. A user taken over from a TapeTrack table comes with the MD5 of the password, 32 upper-case hex digits (--md5): it
is kept under Argon2id, too, until the user's first login with the password itself replaces it. Whoever knows the digest
may log on with it until then: with --md5 - it is read like a password, and nobody sees it on the command line. From the
day after --until on (90 days, unless said) an MD5 that was not replaced is not enough any more, and only a new password
lets its user in again: user password. A password is never shown.
Machines use tokens: mailsync server token add.

example:
  mailsync server user add ann --email ann@example.com --grant 'US*:read'
  mailsync server user add bob --md5 - --until 2027-01-31 < bob.digest
  mailsync server user password bob
  mailsync server user revoke ann
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    actions = group(commands, "user", "people who log on with a password", _HELP)
    add = leaf(actions, "add", "add a user with a password", _HELP, add_user)
    add.add_argument("user", metavar="USER", help="1 to 16 letters, digits, dots and hyphens")
    add.add_argument("--email", metavar="ADDR", default="", help="the user's address, which no other user has")
    add.add_argument("--md5", metavar="DIGEST", help="the MD5 of the password instead of the password; - reads it")
    until = "the last day on which an imported MD5 is enough, or never for no such day (default: 90 days from now)"
    add.add_argument("--until", metavar="DATE", type=_until, help=until)
    _add_fips(add)
    server_grants.add_option(add)
    password = leaf(actions, "password", "give a user another password", _HELP, set_password)
    password.add_argument("user", metavar="USER")
    _add_fips(password)
    listing(leaf(actions, "list", "every user, those with tokens too", _HELP, list_users))
    revoke = leaf(actions, "revoke", "end a user, or its token, at once", _HELP, revoke_user)
    revoke.add_argument("user", metavar="USER")


def add_user(arguments: Namespace) -> int:
    """Adds a user with a password."""
    now = int(time.time())
    upgrade_by = _upgrade_by(arguments, now)
    with server.open_store(arguments, make=True) as store, hinting(_HINT):
        verifier = _verifier(arguments)
        store.add_user(
            arguments.user, verifier, now, email=arguments.email, upgrade_by=upgrade_by, grants=arguments.grant
        )
        told = "" if arguments.md5 is None else f", {_by_md5(upgrade_by)}"
        print(f"user {arguments.user} added{told}")
        server_grants.tell(store, arguments.user)
    return 0


def set_password(arguments: Namespace) -> int:
    """Gives a live user another password; nothing else of the user changes."""
    from mailsync.wire import passwords

    with server.open_store(arguments) as store, hinting(_HINT):
        # Before anybody is asked for a password in vain.
        found = next((one for one in store.users() if one.name == arguments.user), None)
        if found is None or found.revoked:
            raise RequestError(Code.INVALID, f"user password: there is no live {arguments.user}")
        if found.kind != "password":
            hint = f"mailsync server token rotate {arguments.user} --out FILE"
            raise RequestError(Code.INVALID, f"user password: {arguments.user} logs on with a token", hint=hint)
        kdf = passwords.FIPS if arguments.fips else passwords.DEFAULT
        store.set_password(arguments.user, _made(_password("user password"), kdf))
    print(f"user {arguments.user} has another password")
    return 0


def list_users(arguments: Namespace) -> int:
    """Prints every user."""
    with server.open_store(arguments) as store:
        found = store.users()
    if arguments.json:
        print(json.dumps({"users": [_as_json(one) for one in found]}, indent=2))
        return 0
    now = time.time()
    for one in found:
        state = f"revoked {_time(one.revoked)}" if one.revoked else "live"
        said = " ".join(filter(None, (state, one.email, ",".join(one.groups), _digest_told(one, now))))
        print(f"{one.name:17} {one.kind:9} made {_time(one.created)}  {said}")
    return 0


def revoke_user(arguments: Namespace) -> int:
    """Ends a user; open connections may do nothing more."""
    with server.open_store(arguments) as store:
        if not store.revoke_user(arguments.user, int(time.time())):
            raise UsageError(f"revoke user: there is no live {arguments.user}", hint="mailsync server user list")
    print(f"user {arguments.user} revoked")
    return 0


def _add_fips(parser: ArgumentParser) -> None:
    parser.add_argument("--fips", action="store_true", help="keep it by PBKDF2 instead of Argon2id")


def _until(text: str) -> int:
    """The first second after a day, 0 for `never`."""
    if text == "never":
        return 0
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" is not a day such as 2027-01-31, nor never') from None
    return int(day.timestamp()) + _DAY


def _upgrade_by(arguments: Namespace, now: int) -> int:
    """From when on the imported MD5 is not enough; 0: never. Raises UsageError."""
    if arguments.md5 is None:
        if arguments.until is not None:
            raise UsageError("add user: --until is about an imported MD5", hint="with --md5, or not at all")
        return 0
    if arguments.until is None:
        return (now // _DAY + _MD5_DAYS + 1) * _DAY
    until: int = arguments.until
    if 0 < until <= now:
        raise UsageError(f"add user: {_last_day(until)} is over", hint="a day to come, today included, or never")
    return until


def _last_day(upgrade_by: int) -> str:
    return _time(upgrade_by - _DAY)[:10]


def _by_md5(upgrade_by: int) -> str:
    return f"by an MD5 until {_last_day(upgrade_by)}" if upgrade_by else "by an MD5, which no day ends"


def _digest_told(user: User, now: float) -> str:
    if not user.digest or user.revoked:
        return ""
    over = 0 < user.upgrade_by <= now
    return f"{_by_md5(user.upgrade_by)}{', which is over' if over else ''}"


def _as_json(user: User) -> dict[str, object]:
    times = {name: _time(getattr(user, name)) for name in ("created", "revoked", "upgrade_by")}
    return {**user._asdict(), **times}


def _verifier(arguments: Namespace) -> Verifier:
    from mailsync.wire import passwords

    by_digest = arguments.md5 is not None
    text = arguments.md5 if by_digest and arguments.md5 != "-" else _password("add user")
    if by_digest and not passwords.is_digest(text):
        raise UsageError("add user: the MD5 is not 32 upper-case hex digits", hint=_HINT)
    kdf = passwords.FIPS if arguments.fips else passwords.DEFAULT
    prehash = passwords.MD5 if by_digest else passwords.NO_PREHASH
    return _made(text, kdf._replace(prehash=prehash))


def _made(text: str, kdf: Kdf) -> Verifier:
    from mailsync.wire import scram

    return scram.make_password_verifier(text, secrets.token_bytes(scram.SALT_BYTES), kdf)


def _password(what: str) -> str:
    import getpass

    from mailsync.wire.passwords import LONGEST_PASSWORD

    if sys.stdin.isatty():
        text = getpass.getpass()
        if text != getpass.getpass("The same again: "):
            raise UsageError(f"{what}: the passwords differ", hint="nothing was changed")
    else:
        text = sys.stdin.readline(LONGEST_PASSWORD + 3).removesuffix("\n").removesuffix("\r")
    if not 1 <= len(text) <= LONGEST_PASSWORD:
        raise UsageError(f"{what}: a password has 1 to {LONGEST_PASSWORD} characters", hint="nothing was changed")
    return text


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
