"""Keys and tokens as values, and the text files that hold them (protocol.md, Keys). Randomness is passed in.

file          lines
client key    mailsync-key 1 / id: ID / secret: BASE64 / server: BASE64   (no server: suite 1, NNpsk0)
ring          mailsync-ring 1 / static: BASE64 / key: ID BASE64 ...
token         mailsync-token 1 / user: NAME / token: BASE32, lower case

Blank lines and lines that begin with # say nothing. Every fault is cited as file:line; no text of a secret is ever
in one. Files are read and written by whoever may: this module turns text into values.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from mailsync.core.errors import ConfigurationError
from mailsync.core.model import USER

KEY_ID = re.compile(r"[a-z0-9._-]{1,32}\Z", re.ASCII)
SECRET_BYTES = 32
T = TypeVar("T")
_KEY, _RING, _TOKEN = "mailsync-key 1", "mailsync-ring 1", "mailsync-token 1"


class ClientKey(NamedTuple):
    """What one client holds: its id, 32 secret bytes, and the server's public key (empty: the suite without it)."""

    id: str
    secret: bytes
    server: bytes = b""

    def __repr__(self) -> str:
        return f"ClientKey({self.id!r}, ...)"


class Ring(NamedTuple):
    """What a server holds: its 32-byte private static key, and the secret of every client key by id."""

    static: bytes
    secrets: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Ring({sorted(self.secrets)})"


class Token(NamedTuple):
    """What a machine logs in with: a user and 32 random bytes."""

    user: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Token({self.user!r}, ...)"


def new_ring(random: bytes) -> Ring:
    """A ring without clients; `random` is 32 fresh random bytes, the private key."""
    return Ring(_full(random), {})


def new_client_key(ring: Ring, key_id: str, random: bytes) -> ClientKey:
    """A client's key for the server of `ring`; `random` is 32 fresh random bytes. Add it to the ring with `with_key`.

    ValueError when the id is not 1 to 32 of a-z 0-9 . _ -
    """
    return ClientKey(_checked_id(key_id), _full(random), public_key(ring.static))


def new_token(user: str, random: bytes) -> Token:
    """A token for a user; `random` is 32 fresh random bytes. ValueError when the user's name is not one."""
    if not USER.match(user):
        raise ValueError(f'"{user}" is not a user: 1 to 16 letters, digits, dots and hyphens')
    return Token(user, _full(random))


def with_key(ring: Ring, key: ClientKey) -> Ring:
    """The ring with the client's key added. ValueError when the id is taken."""
    if key.id in ring.secrets:
        raise ValueError(f'key "{key.id}" is in the ring already')
    return Ring(ring.static, {**ring.secrets, _checked_id(key.id): _full(key.secret)})


def without_key(ring: Ring, key_id: str) -> Ring:
    """The ring without the key. ValueError when it is not there."""
    if key_id not in ring.secrets:
        raise ValueError(f'key "{key_id}" is not in the ring')
    return Ring(ring.static, {name: secret for name, secret in ring.secrets.items() if name != key_id})


def public_key(static: bytes) -> bytes:
    """The public half of a 32-byte X25519 private key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(static).public_key().public_bytes_raw()


def parse_client_key(text: str, file: str) -> ClientKey:
    """The key in a client key file. ConfigurationError with every fault."""
    lines = _Lines(text, file, _KEY, {"id", "secret", "server"})
    key_id = lines.one("id", _read_id, "1 to 32 of a-z 0-9 . _ -")
    secret = lines.one("secret", _read_base64, "32 bytes in base64")
    server = lines.one("server", _read_base64, "32 bytes in base64") if "server" in lines.found else b""
    lines.finish()
    return ClientKey(key_id or "", secret or b"", server or b"")


def format_client_key(key: ClientKey) -> str:
    """The text of a client key file."""
    server = f"server: {_base64(key.server)}\n" if key.server else ""
    return f"{_KEY}\nid: {key.id}\nsecret: {_base64(key.secret)}\n{server}"


def parse_ring(text: str, file: str) -> Ring:
    """The ring in a ring file. ConfigurationError with every fault."""
    lines = _Lines(text, file, _RING, {"static", "key"})
    static = lines.one("static", _read_base64, "32 bytes in base64")
    secrets: dict[str, bytes] = {}
    for number, value in lines.found.get("key", []):
        entry = _read_entry(value)
        if entry is None:
            lines.fault(number, '"key" is not an id and 32 bytes in base64')
        elif entry[0] in secrets:
            lines.fault(number, f'key "{entry[0]}" is given twice')
        else:
            secrets[entry[0]] = entry[1]
    lines.finish()
    return Ring(static or b"", secrets)


def format_ring(ring: Ring) -> str:
    """The text of a ring file, keys by id."""
    keys = "".join(f"key: {key_id} {_base64(ring.secrets[key_id])}\n" for key_id in sorted(ring.secrets))
    return f"{_RING}\nstatic: {_base64(ring.static)}\n{keys}"


def parse_token(text: str, file: str) -> Token:
    """The token in a token file. ConfigurationError with every fault."""
    lines = _Lines(text, file, _TOKEN, {"user", "token"})
    user = lines.one("user", _read_user, "a user's name")
    secret = lines.one("token", _read_base32, "32 bytes in lower-case base32")
    lines.finish()
    return Token(user or "", secret or b"")


def format_token(token: Token) -> str:
    """The text of a token file."""
    secret = base64.b32encode(token.secret).decode().rstrip("=").lower()
    return f"{_TOKEN}\nuser: {token.user}\ntoken: {secret}\n"


class _Lines:
    """The `name: value` lines of a file under its heading. Faults are gathered; `finish` raises them together."""

    def __init__(self, text: str, file: str, heading: str, names: set[str]) -> None:
        self.file = file
        self.found: dict[str, list[tuple[int, str]]] = {}
        self._faults: list[str] = []
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
        said = [(number, line) for number, line in lines if line and not line.startswith("#")]
        if not said or said[0][1] != heading:
            self.fault(said[0][0] if said else 1, f'the first line must be "{heading}"')
            self.finish()
        for number, line in said[1:]:
            name, colon, value = line.partition(":")
            if colon and name in names:
                self.found.setdefault(name, []).append((number, value.strip()))
            else:
                self.fault(number, "expected one of: " + ", ".join(f"{known}:" for known in sorted(names)))

    def one(self, name: str, read: Callable[[str], T | None], wanted: str) -> T | None:
        given = self.found.get(name, [])
        if not given:
            self.fault(1, f'"{name}" is missing')
            return None
        for number, _ in given[1:]:
            self.fault(number, f'"{name}" is given twice')
        value = read(given[0][1])
        if value is None:
            self.fault(given[0][0], f'"{name}" is not {wanted}')
        return value

    def fault(self, line: int, text: str) -> None:
        self._faults.append(f"{self.file}:{line}: {text}")

    def finish(self) -> None:
        if self._faults:
            raise ConfigurationError(tuple(self._faults), hint="make the file anew, or copy it again")


def _read_id(text: str) -> str | None:
    return text if KEY_ID.match(text) else None


def _read_user(text: str) -> str | None:
    return text if USER.match(text) else None


def _read_base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == SECRET_BYTES else None


def _read_base32(text: str) -> bytes | None:
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8)) if text == text.lower() else b""
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == SECRET_BYTES else None


def _read_entry(text: str) -> tuple[str, bytes] | None:
    key_id, _, secret = text.partition(" ")
    data = _read_base64(secret.strip())
    return (key_id, data) if KEY_ID.match(key_id) and data is not None else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _checked_id(key_id: str) -> str:
    if not KEY_ID.match(key_id):
        raise ValueError(f'"{key_id}" is not a key id: 1 to 32 of a-z 0-9 . _ -')
    return key_id


def _full(random: bytes) -> bytes:
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a key is made of {SECRET_BYTES} random bytes, not {len(random)}")
    return random
