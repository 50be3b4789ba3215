"""Keys and tokens as values, and the text files that hold them (protocol.md, Keys). Randomness is passed in.

file          lines
client key    mailsync-key 1 / id: ID / secret: BASE64 / server: BASE64   (no server: suite 1, NNpsk0)
ring          mailsync-ring 1 / static: BASE64 / key: ID BASE64 [users=A,B] [addresses=NET,NET] [static=BASE64] ...
token         mailsync-token 1 / user: NAME / token: BASE32, lower case

How such lines are read is keylines.py's. Files are read and written by whoever may: this module turns text into
values.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple

from mailsync.core.model import USER
from mailsync.wire.keylines import Lines

KEY_ID = re.compile(r"[a-z0-9._-]{1,32}\Z", re.ASCII)
SECRET_BYTES = 32
_KEY, _RING, _TOKEN = "mailsync-key 1", "mailsync-ring 1", "mailsync-token 1"


class ClientKey(NamedTuple):
    """What one client holds: its id, 32 secret bytes, and the server's public key (empty: the suite without it)."""

    id: str
    secret: bytes
    server: bytes = b""

    def __repr__(self) -> str:
        return f"ClientKey({self.id!r}, ...)"


class Terms(NamedTuple):
    """What holds of one key: who may log on over it and from which networks (empty: anybody, anywhere).

    `static` is the private key that it was made for, where that is not the ring's newest one.
    """

    users: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    static: bytes = b""

    def __repr__(self) -> str:
        return f"Terms({self.users}, {self.addresses}, ...)"


ANYBODY = Terms()


class Ring(NamedTuple):
    """What a server holds: its 32-byte private static key, and the secret of every client key by id.

    `terms` has those keys that not everybody may use, or that were made for an earlier static key.
    """

    static: bytes
    secrets: Mapping[str, bytes]
    terms: Mapping[str, Terms] = {}

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
    return ring._replace(secrets={**ring.secrets, _checked_id(key.id): _full(key.secret)})


def without_key(ring: Ring, key_id: str) -> Ring:
    """The ring without the key; an earlier static key goes with the last key made for it. ValueError as `terms_of`."""
    terms_of(ring, key_id)
    secrets = {name: secret for name, secret in ring.secrets.items() if name != key_id}
    return Ring(ring.static, secrets, {name: terms for name, terms in ring.terms.items() if name != key_id})


def terms_of(ring: Ring, key_id: str) -> Terms:
    """What holds of a key. ValueError when it is not in the ring."""
    if key_id not in ring.secrets:
        raise ValueError(f'key "{key_id}" is not in the ring')
    return ring.terms.get(key_id, ANYBODY)


def with_terms(ring: Ring, key_id: str, users: tuple[str, ...], addresses: tuple[str, ...]) -> Ring:
    """The ring with the key for these users and networks alone (empty: any).

    ValueError when it is not there, and for what is no user or no network.
    """
    terms = Terms(users, addresses, terms_of(ring, key_id).static)
    faulty = [f'"{user}" is not a user' for user in users if not USER.match(user)]
    faulty += [f'"{one}" is not an address or a network' for one in addresses if not _is_network(one)]
    if faulty:
        raise ValueError(faulty[0])
    return ring._replace(terms={**ring.terms, key_id: terms})


def with_static(ring: Ring, random: bytes) -> Ring:
    """The ring with a new static key, for the keys made from now on; `random` is 32 fresh random bytes.

    Those that are in it go on with the static key that they were made for.
    """
    terms = {name: terms_of(ring, name) for name in ring.secrets}
    kept = {name: one if one.static else one._replace(static=ring.static) for name, one in terms.items()}
    return Ring(_full(random), ring.secrets, kept)


def public_key(static: bytes) -> bytes:
    """The public half of a 32-byte X25519 private key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(static).public_key().public_bytes_raw()


def parse_client_key(text: str, file: str) -> ClientKey:
    """The key in a client key file. ConfigurationError with every fault."""
    lines = Lines(text, file, _KEY, {"id", "secret", "server"})
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
    lines = Lines(text, file, _RING, {"static", "key"})
    static = lines.one("static", _read_base64, "32 bytes in base64")
    secrets: dict[str, bytes] = {}
    kept: dict[str, Terms] = {}
    for number, value in lines.found.get("key", []):
        key_id, _, rest = value.partition(" ")
        secret, *words = rest.split() or [""]
        data, terms = _read_base64(secret), _read_terms(words)
        if not KEY_ID.match(key_id) or data is None:
            lines.fault(number, '"key" is not an id and 32 bytes in base64')
        elif terms is None:
            lines.fault(number, f'key "{key_id}" has terms that are none: users=A,B addresses=NET,NET static=BASE64')
        elif key_id in secrets:
            lines.fault(number, f'key "{key_id}" is given twice')
        else:
            secrets[key_id] = data
            kept |= {key_id: terms} if terms != ANYBODY else {}
    lines.finish()
    return Ring(static or b"", secrets, kept)


def format_ring(ring: Ring) -> str:
    """The text of a ring file, keys by id."""
    lines = [_RING, f"static: {_base64(ring.static)}"]
    for key_id in sorted(ring.secrets):
        terms = terms_of(ring, key_id)
        said = {"users": ",".join(terms.users), "addresses": ",".join(terms.addresses)}
        said["static"] = _base64(terms.static) if terms.static else ""
        words = [f"{name}={text}" for name, text in said.items() if text]
        lines.append(" ".join(("key:", key_id, _base64(ring.secrets[key_id]), *words)))
    return "\n".join(lines) + "\n"


def parse_token(text: str, file: str) -> Token:
    """The token in a token file. ConfigurationError with every fault."""
    lines = Lines(text, file, _TOKEN, {"user", "token"})
    user = lines.one("user", _read_user, "a user's name")
    secret = lines.one("token", _read_base32, "32 bytes in lower-case base32")
    lines.finish()
    return Token(user or "", secret or b"")


def format_token(token: Token) -> str:
    """The text of a token file."""
    secret = base64.b32encode(token.secret).decode().rstrip("=").lower()
    return f"{_TOKEN}\nuser: {token.user}\ntoken: {secret}\n"


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


def _read_terms(words: list[str]) -> Terms | None:
    said = dict(word.partition("=")[::2] for word in words)
    users, addresses = (tuple(filter(None, said.get(name, "").split(","))) for name in ("users", "addresses"))
    static = _read_base64(said["static"]) if "static" in said else b""
    known = len(said) == len(words) and said.keys() <= {"users", "addresses", "static"} and all(said.values())
    right = all(USER.match(user) for user in users) and all(_is_network(one) for one in addresses)
    return Terms(users, addresses, static) if known and right and static is not None else None


def _is_network(text: str) -> bool:
    from ipaddress import ip_network

    try:
        ip_network(text)
    except ValueError:
        return False
    return True


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
