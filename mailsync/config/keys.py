"""A site's secrets, read when they are used: the client's key, the login's token, the server's ring.

Each file must be its owner's alone (ownership.py). The text forms are wire/keys.py's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.config.ownership import read_secret

if TYPE_CHECKING:
    from mailsync.wire.keys import ClientKey, Ring, Token


def read_client_key(path: Path) -> ClientKey:
    """The key this host opens connections with. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_client_key

    return parse_client_key(read_secret(path), str(path))


def read_token(path: Path) -> Token:
    """The user and token this host logs on with. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_token

    return parse_token(read_secret(path), str(path))


def read_ring(path: Path) -> Ring:
    """The server's static key and the secrets of its clients. Raises ConfigurationError."""
    from mailsync.wire.keys import parse_ring

    return parse_ring(read_secret(path), str(path))
