"""`mailsync server token`: what machines log on with.

A secret is in the file that is made (mode 0600) or on stdout, once, and nowhere else: the store keeps what proves a
token.
"""

from __future__ import annotations

import json
import secrets
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailsync.cli import server, server_grants
from mailsync.cli.handing_out import handed_out, successor, tell_next
from mailsync.cli.server_words import group, leaf, listing
from mailsync.core.errors import MailsyncError, UsageError

if TYPE_CHECKING:
    from mailsync.wire.keys import Terms, Token
    from mailsync.wire.scram import Verifier

_HELP = """\
A token is rotated by a second one: `rotate` makes a new user with a token of its own, who may do what the old one may
and is in the same groups. Both log on until the old one is revoked.

example:
  mailsync server token add filter2 --grant 'US*:write' --out keys/filter2.token
  mailsync server token rotate filter2 --out keys/filter2.2.token
  mailsync server token revoke filter2
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    actions = group(commands, "token", "what machines log on with", _HELP)
    add = leaf(actions, "add", "make a user's token", _HELP, add_token)
    add.add_argument("user", metavar="USER", help="1 to 16 letters, digits, dots and hyphens")
    add.add_argument("--out", metavar="FILE", help="the file to make, mode 0600 (default: print it)")
    server_grants.add_option(add)
    rotate = leaf(actions, "rotate", "make a new token beside a user's old one", _HELP, rotate_token)
    rotate.add_argument("user", metavar="USER", help="the user with the old one")
    rotate.add_argument("--as", metavar="NAME", dest="name", help="the new user's name (default: USER.2, USER.3, ...)")
    rotate.add_argument("--out", metavar="FILE", help="the file to make, mode 0600 (default: print it)")
    listing(leaf(actions, "list", "every token user", _HELP, list_tokens))
    revoke = leaf(actions, "revoke", "end a user's token, at once", _HELP, revoke_token)
    revoke.add_argument("user", metavar="USER")


def add_token(arguments: Namespace) -> int:
    """Makes a token, lets its user log on, and writes or prints the token file."""
    from mailsync.wire import keys

    token, verifier = _made("add", arguments.user)
    with server.open_store(arguments, make=True) as store, handed_out(arguments.out, keys.format_token(token)):
        store.add_token(token.user, verifier, int(time.time()), grants=arguments.grant)
        server_grants.tell(store, token.user)
    return 0


def rotate_token(arguments: Namespace) -> int:
    """Makes a new user who may do what the old one may, with a token, and says what to do with both."""
    from mailsync.wire import keys

    with server.open_store(arguments) as store:
        name = arguments.name or successor(arguments.user, {one.name for one in store.users()})
        token, verifier = _made("rotate", name)
        with handed_out(arguments.out, keys.format_token(token)):
            store.rotate_token(arguments.user, token.user, verifier, int(time.time()))
        server_grants.tell(store, token.user)
    tell_next(
        *_for_keys(arguments, arguments.user, token.user),
        f"on each host that logs on as {arguments.user}, put {arguments.out or 'it'} where server.login is",
        f"when none does any more (user={arguments.user} in the server's log): "
        f"mailsync server token revoke {arguments.user}",
    )
    return 0


def list_tokens(arguments: Namespace) -> int:
    """Prints every token user."""
    with server.open_store(arguments) as store:
        found = store.tokens()
    if arguments.json:
        listed = [{"user": one.name, "created": _time(one.created), "revoked": _time(one.revoked)} for one in found]
        print(json.dumps({"tokens": listed}, indent=2))
        return 0
    for one in found:
        state = f"revoked {_time(one.revoked)}" if one.revoked else "live"
        print(f"{one.name:17} made {_time(one.created)}  {state}")
    return 0


def revoke_token(arguments: Namespace) -> int:
    """Ends a user's token; open connections may do nothing more."""
    with server.open_store(arguments) as store:
        if not store.revoke_token(arguments.user, int(time.time())):
            raise UsageError(f"revoke token: {arguments.user} has no live one", hint="mailsync server token list")
    print(f"token of {arguments.user} revoked")
    return 0


def _made(what: str, user: str) -> tuple[Token, Verifier]:
    from mailsync.wire import keys, scram

    try:
        token = keys.new_token(user, secrets.token_bytes(scram.TOKEN_BYTES))
    except ValueError as error:
        raise UsageError(f"{what} token: {error}", hint="for example: mailsync server token add filter2") from error
    return token, scram.make_verifier(token.secret, secrets.token_bytes(scram.SALT_BYTES))


def _for_keys(arguments: Namespace, user: str, new: str) -> list[str]:
    """What to do about keys of the site's ring that are for the old user, and not for the new one."""
    from mailsync.config.keys import read_ring

    with suppress(MailsyncError):  # where the ring is elsewhere nobody here knows
        terms = read_ring(server.find_listen(arguments).keys).terms
        return [_widened(key, one, new) for key, one in terms.items() if user in one.users]
    return []


def _widened(key: str, terms: Terms, user: str) -> str:
    """The command that lets one user more log on over a key."""
    users = (f"--user {name}" for name in (*terms.users, user))
    return " ".join((f"mailsync server key set {key}", *users, *(f"--address {one}" for one in terms.addresses)))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
