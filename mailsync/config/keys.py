"""A site's secrets, read when they are used: the client's key, the login's token or password, the server's ring.

Each file must be its owner's alone (ownership.py). The text forms are wire/keys.py's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.config.ownership import read_secret
from mailsync.config.site import Server
from mailsync.core.errors import ConfigurationError

if TYPE_CHECKING:
    from mailsync.wire.keys import ClientKey, Ring, Token
    from mailsync.wire.passwords import Password


def read_client_key(path: Path) -> ClientKey:
    """The key this host opens connections with. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_client_key

    return parse_client_key(read_secret(path), str(path))


def read_login(server: Server) -> Token | Password:
    """What this host logs on with: a token or, where the site names a user, that user's password.

    Raises ConfigurationError.
    """
    return read_password(server.user, server.login) if server.user else read_token(server.login)


def read_password(user: str, path: Path) -> Password:
    """The user with the password in the first line of a file, which is UTF-8. Raises ConfigurationError."""
    from mailsync.wire.passwords import LONGEST_PASSWORD, Password

    text = read_secret(path, "utf-8-sig").partition("\n")[0].removesuffix("\r")
    if not 1 <= len(text) <= LONGEST_PASSWORD:
        fault = f"{path}:1: a password has 1 to {LONGEST_PASSWORD} characters"
        raise ConfigurationError((fault,), hint="the first line of the file is the password, and nothing else is")
    return Password(user, text)


def read_token(path: Path) -> Token:
    """The user and token this host logs on with. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_token

    return parse_token(read_secret(path), str(path))


def read_ring(path: Path) -> Ring:
    """The server's static key and the secrets of its clients. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_ring

    return parse_ring(read_secret(path), str(path))
