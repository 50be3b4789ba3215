"""`mailsync server token` and `server key`: what machines log on with, and what they open connections with.

A secret is in the file that is made (mode 0600) or on stdout, once, and nowhere else: the store keeps what proves a
token, the ring what a key is derived from.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.cli import server, server_grants
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.wire.keys import Ring


def add_token(arguments: Namespace) -> int:
    """Makes a token, lets its user log on, and writes or prints the token file."""
    from mailsync.wire import keys, scram

    try:
        token = keys.new_token(arguments.user, secrets.token_bytes(scram.TOKEN_BYTES))
    except ValueError as error:
        raise UsageError(f"add token: {error}", hint="for example: mailsync server token add filter2") from error
    verifier = scram.make_verifier(token.secret, secrets.token_bytes(scram.SALT_BYTES))
    with server.open_store(arguments) as store, _handed_out(arguments.out, keys.format_token(token)):
        store.add_token(token.user, verifier, int(time.time()), grants=arguments.grant)
        server_grants.tell(store, token.user)
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


def new_key(arguments: Namespace) -> int:
    """Makes a client's key, adds it to the ring, and writes or prints the key file."""
    from mailsync.wire import keys

    path, ring = _ring(arguments)
    try:
        key = keys.new_client_key(ring, arguments.id, secrets.token_bytes(keys.SECRET_BYTES))
        changed = keys.with_key(ring, key)
    except ValueError as error:
        raise UsageError(f"new key: {error}", hint="mailsync server key list") from error
    with _handed_out(arguments.out, keys.format_client_key(key)):
        _replace(path, keys.format_ring(changed))
    return 0


def list_keys(arguments: Namespace) -> int:
    """Prints the ID of every key in the ring."""
    _, ring = _ring(arguments)
    if arguments.json:
        print(json.dumps({"keys": [{"id": name} for name in sorted(ring.secrets)]}, indent=2))
        return 0
    for name in sorted(ring.secrets):
        print(name)
    return 0


def revoke_key(arguments: Namespace) -> int:
    """Takes a key out of the ring: no connection is opened with it any more."""
    from mailsync.wire import keys

    path, ring = _ring(arguments)
    try:
        changed = keys.without_key(ring, arguments.id)
    except ValueError as error:
        raise UsageError(f"revoke key: {error}", hint="mailsync server key list") from error
    _replace(path, keys.format_ring(changed))
    print(f"key {arguments.id} revoked")
    return 0


def _ring(arguments: Namespace) -> tuple[Path, Ring]:
    from mailsync.config.keys import read_ring
    from mailsync.config.ownership import require_owner

    path = server.find_listen(arguments).keys
    require_owner(path)
    return path, read_ring(path)


@contextmanager
def _handed_out(out: str | None, secret: str) -> Iterator[None]:
    """Around what makes a secret valid: its file is there first, and goes if that fails; without one it is printed."""
    if out is None:
        yield
        sys.stdout.write(secret)
        return
    path = Path(out)
    _write_new(path, secret)
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    print(f"{out} made: keep it secret")


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"write {path}: {error.strerror}", hint="name a file that does not exist yet") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _replace(path: Path, text: str) -> None:
    """Puts a new ring in the place of the old one; whoever reads sees either. Two at once: the second is refused."""
    new = path.with_name(f"{path.name}.new")
    _write_new(new, text)
    new.replace(path)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
