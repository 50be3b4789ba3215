"""`mailsync server key`: what clients open connections with, and the server's own static keys. All are in the ring.

A running server reads the ring again when it changes. Every change is noted in the ledger; where the store does not
answer it is made all the same, because a stolen key must be revoked even then.
"""

from __future__ import annotations

import json
import secrets
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.cli import server
from mailsync.cli.handing_out import handed_out, successor, tell_next, write_new
from mailsync.cli.server_words import group, leaf, listing
from mailsync.core.errors import MailsyncError, UsageError

if TYPE_CHECKING:
    from mailsync.wire.keys import Ring, Terms

_HELP = """\
A running server sees new and revoked keys by itself. A key may be for some users and networks only: over another's
connection, or from elsewhere, it is worth nothing. `rotate` makes a second key beside the first, for the same users and
networks; both open connections until the first is revoked. `static` makes a new static key for the server itself: keys
made from then on are for that one, and a client changes over by having its key rotated.

example:
  mailsync server key new library2 --user filter2 --address 192.0.2.17 --out keys/library2.key
  mailsync server key rotate library2 --out keys/library2.2.key
  mailsync server key revoke library2
"""
_LIST = "mailsync server key list"
_TERMS = "a user is a name, a network such as 192.0.2.17 or 192.0.2.0/24; leave either out for any"


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    actions = group(commands, "key", "what clients open connections with", _HELP)
    new = leaf(actions, "new", "make a client's key", _HELP, new_key)
    new.add_argument("id", metavar="ID", help="1 to 32 of a-z 0-9 . _ -")
    new.add_argument("--out", metavar="FILE", help="the file to make, mode 0600 (default: print it)")
    _add_terms(new)
    rotate = leaf(actions, "rotate", "make a new key beside a client's old one", _HELP, rotate_key)
    rotate.add_argument("id", metavar="ID", help="the old one")
    rotate.add_argument("--as", metavar="ID", dest="name", help="the new one's ID (default: ID.2, ID.3, ...)")
    rotate.add_argument("--out", metavar="FILE", help="the file to make, mode 0600 (default: print it)")
    limit = leaf(actions, "set", "say whom a key is for: what is not named is lifted", _HELP, set_key)
    limit.add_argument("id", metavar="ID")
    _add_terms(limit)
    leaf(actions, "static", "make a new static key for the server", _HELP, new_static)
    listing(leaf(actions, "list", "every key's ID, and whom it is for", _HELP, list_keys))
    revoke = leaf(actions, "revoke", "take a key out of the ring", _HELP, revoke_key)
    revoke.add_argument("id", metavar="ID")


def new_key(arguments: Namespace) -> int:
    """Makes a client's key, adds it to the ring, and writes or prints the key file."""
    from mailsync.wire.keys import Terms

    _hand_out(arguments, arguments.id, Terms(tuple(arguments.user), tuple(arguments.address)))
    _note(arguments, "key added", id=arguments.id, users=arguments.user, addresses=arguments.address)
    return 0


def rotate_key(arguments: Namespace) -> int:
    """Makes a second key for whom an old one is for, and says what to do with both."""
    from mailsync.wire.keys import terms_of

    _, ring = _ring(arguments)
    with _refusing("rotate key"):
        terms = terms_of(ring, arguments.id)
    name = arguments.name or successor(arguments.id, ring.secrets)
    _hand_out(arguments, name, terms)
    _note(arguments, "key rotated", id=arguments.id, successor=name)
    tell_next(
        f"on each host with key {arguments.id}, put {arguments.out or 'it'} where server.key is",
        f"when none has it any more (key={arguments.id} in the server's log): "
        f"mailsync server key revoke {arguments.id}",
    )
    return 0


def set_key(arguments: Namespace) -> int:
    """Says whom a key is for: it counts for every new connection."""
    from mailsync.wire.keys import format_ring, terms_of, with_terms

    path, ring = _ring(arguments)
    with _refusing("set key"):
        terms_of(ring, arguments.id)
    with _refusing("set key", _TERMS):
        changed = with_terms(ring, arguments.id, tuple(arguments.user), tuple(arguments.address))
    _replace(path, format_ring(changed))
    _note(arguments, "key set", id=arguments.id, users=arguments.user, addresses=arguments.address)
    print(f"key {arguments.id} is for {_whom(changed, arguments.id)}")
    return 0


def new_static(arguments: Namespace) -> int:
    """Gives the server a new static key; the keys that are there go on with theirs."""
    from mailsync.wire.keys import SECRET_BYTES, format_ring, with_static

    path, ring = _ring(arguments)
    _replace(path, format_ring(with_static(ring, secrets.token_bytes(SECRET_BYTES))))
    _note(arguments, "static key added", keys=sorted(ring.secrets))
    print("keys made from now on are for the new static key")
    tell_next(
        *_rotations(path, ring),
        "the old static key is gone from the ring when the last key made for it is revoked",
    )
    return 0


def list_keys(arguments: Namespace) -> int:
    """Prints the ID of every key in the ring, whom it is for, and whether it is for an earlier static key."""
    from mailsync.wire.keys import terms_of

    _, ring = _ring(arguments)
    terms = {name: terms_of(ring, name) for name in sorted(ring.secrets)}
    if arguments.json:
        listed = [
            {"id": name, "users": one.users, "addresses": one.addresses, "earlier_static": bool(one.static)}
            for name, one in terms.items()
        ]
        print(json.dumps({"keys": listed}, indent=2))
        return 0
    for name, one in terms.items():
        print(f"{name:33} {_whom(ring, name)}{', for an earlier static key' if one.static else ''}")
    return 0


def revoke_key(arguments: Namespace) -> int:
    """Takes a key out of the ring: no connection is opened with it any more."""
    from mailsync.wire.keys import format_ring, without_key

    path, ring = _ring(arguments)
    with _refusing("revoke key"):
        changed = without_key(ring, arguments.id)
    _replace(path, format_ring(changed))
    _note(arguments, "key revoked", id=arguments.id)
    print(f"key {arguments.id} revoked")
    return 0


def _add_terms(parser: ArgumentParser) -> None:
    user, address = "who may log on over it (default: anybody)", "from where (default: anywhere), such as 192.0.2.0/24"
    parser.add_argument("--user", metavar="NAME", action="append", default=[], help=f"{user}; may be given more often")
    parser.add_argument("--address", metavar="NET", action="append", default=[], help=f"{address}; likewise")


def _hand_out(arguments: Namespace, name: str, terms: Terms) -> None:
    from mailsync.wire import keys

    path, ring = _ring(arguments)
    with _refusing("new key"):
        key = keys.new_client_key(ring, name, secrets.token_bytes(keys.SECRET_BYTES))
        changed = keys.with_key(ring, key)
    with _refusing("new key", _TERMS):
        changed = keys.with_terms(changed, name, terms.users, terms.addresses)
    with handed_out(arguments.out, keys.format_client_key(key)):
        _replace(path, keys.format_ring(changed))


def _rotations(path: Path, ring: Ring) -> Iterator[str]:
    """The command that rotates each key: the new one goes into a file beside the ring, and is not printed."""
    from shlex import quote

    names = set(ring.secrets)
    for name in sorted(ring.secrets):
        new = successor(name, names)
        names.add(new)
        yield f"mailsync server key rotate {name} --out {quote(str(path.with_name(f'{new}.key')))}"


def _whom(ring: Ring, name: str) -> str:
    from mailsync.wire.keys import terms_of

    terms = terms_of(ring, name)
    return f"{','.join(terms.users) or 'anybody'} from {','.join(terms.addresses) or 'anywhere'}"


def _ring(arguments: Namespace) -> tuple[Path, Ring]:
    from mailsync.config.keys import read_ring
    from mailsync.config.ownership import require_owner

    path = server.find_listen(arguments).keys
    require_owner(path)
    return path, read_ring(path)


def _replace(path: Path, text: str) -> None:
    """Puts a new ring in the place of the old one; whoever reads sees either. Two at once: the second is refused."""
    new = path.with_name(f"{path.name}.new")
    if new.exists():
        hint = f"if no other command is at it: rm {new}"
        raise UsageError(f"{new} is there: the ring is being changed, or a command that did was killed", hint=hint)
    write_new(new, text)
    new.replace(path)


def _note(arguments: Namespace, kind: str, **said: object) -> None:
    try:
        with server.open_store(arguments) as store:
            store.note(kind, said)
    except MailsyncError as error:
        print(f"mailsync: done, but not noted in the ledger: {error}", file=sys.stderr)


@contextmanager
def _refusing(what: str, hint: str = _LIST) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{what}: {error}", hint=hint) from error
