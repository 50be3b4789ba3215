"""`mailsync server user`: people who log on with a password. The store keeps what proves it, never the password."""

from __future__ import annotations

import json
import secrets
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailsync.cli import server, server_grants
from mailsync.cli.server_words import group, hinting, leaf, listing
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.wire.scram import Verifier

_HINT = "who is there: mailsync server user list; how to add one: mailsync server user add --help"
_LONGEST_PASSWORD = 1024
_HELP = """\
The password is asked for, or is the first line of stdin when that is no terminal. It is kept as an Argon2id verifier
only. A user taken over from a TapeTrack table comes with the MD5 of the password, 32 upper-case hex digits (--md5): it
is kept under Argon2id, too, until the user's first login with the password itself replaces it. Whoever knows the digest
may log on with it until then: with --md5 - it is read like a password, and nobody sees it on the command line.
Machines use tokens: mailsync server token add.

example:
  mailsync server user add ann --email ann@example.com --grant 'US*:read'
  mailsync server user add bob --md5 - < bob.digest
  mailsync server user revoke ann
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    actions = group(commands, "user", "people who log on with a password", _HELP)
    add = leaf(actions, "add", "add a user with a password", _HELP, add_user)
    add.add_argument("user", metavar="USER", help="1 to 16 letters, digits, dots and hyphens")
    add.add_argument("--email", metavar="ADDR", default="", help="the user's address, which no other user has")
    add.add_argument("--md5", metavar="DIGEST", help="the MD5 of the password instead of the password; - reads it")
    add.add_argument("--fips", action="store_true", help="keep it by PBKDF2 instead of Argon2id")
    server_grants.add_option(add)
    listing(leaf(actions, "list", "every user, those with tokens too", _HELP, list_users))
    revoke = leaf(actions, "revoke", "end a user, or its token, at once", _HELP, revoke_user)
    revoke.add_argument("user", metavar="USER")


def add_user(arguments: Namespace) -> int:
    """Adds a user with a password."""
    with server.open_store(arguments) as store, hinting(_HINT):
        verifier = _verifier(arguments)
        store.add_user(arguments.user, verifier, int(time.time()), email=arguments.email, grants=arguments.grant)
        print(f"user {arguments.user} added")
        server_grants.tell(store, arguments.user)
    return 0


def list_users(arguments: Namespace) -> int:
    """Prints every user."""
    with server.open_store(arguments) as store:
        found = store.users()
    if arguments.json:
        listed = [{**one._asdict(), "created": _time(one.created), "revoked": _time(one.revoked)} for one in found]
        print(json.dumps({"users": listed}, indent=2))
        return 0
    for one in found:
        state = f"revoked {_time(one.revoked)}" if one.revoked else "live"
        said = " ".join(filter(None, (state, one.email, ",".join(one.groups))))
        print(f"{one.name:17} {one.kind:9} made {_time(one.created)}  {said}")
    return 0


def revoke_user(arguments: Namespace) -> int:
    """Ends a user; open connections may do nothing more."""
    with server.open_store(arguments) as store:
        if not store.revoke_user(arguments.user, int(time.time())):
            raise UsageError(f"revoke user: there is no live {arguments.user}", hint="mailsync server user list")
    print(f"user {arguments.user} revoked")
    return 0


def _verifier(arguments: Namespace) -> Verifier:
    from mailsync.wire import passwords, scram

    by_digest = arguments.md5 is not None
    text = arguments.md5 if by_digest and arguments.md5 != "-" else _password()
    if by_digest and not passwords.is_digest(text):
        raise UsageError("add user: the MD5 is not 32 upper-case hex digits", hint=_HINT)
    kdf = passwords.FIPS if arguments.fips else passwords.DEFAULT
    prehash = passwords.MD5 if by_digest else passwords.NO_PREHASH
    return scram.make_password_verifier(text, secrets.token_bytes(scram.SALT_BYTES), kdf._replace(prehash=prehash))


def _password() -> str:
    import getpass

    if sys.stdin.isatty():
        text = getpass.getpass()
        if text != getpass.getpass("The same again: "):
            raise UsageError("add user: the passwords differ", hint="nothing was added")
    else:
        text = sys.stdin.readline(_LONGEST_PASSWORD + 2).removesuffix("\n")
    if not 1 <= len(text) <= _LONGEST_PASSWORD:
        raise UsageError(f"add user: a password has 1 to {_LONGEST_PASSWORD} characters", hint="nothing was added")
    return text


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
