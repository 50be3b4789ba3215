"""What a login is proved with: how a password becomes a SaltedPassword, and the least that may protect one.

name       SaltedPassword                                          least, compiled into every client
token      HMAC(token, salt | 00000001), for 32 random bytes       i = 1
argon2id   Argon2id (RFC 9106), 32 bytes                           19,456 KiB, 2 passes, 1 lane
pbkdf2     PBKDF2-HMAC-SHA256 (RFC 8018), 32 bytes                 600,000 iterations; for sites bound to FIPS 140

The server says which and how much, so a client accepts nothing below: whoever poses as the server must not get a proof
that is cheap to guess from; nor anything so dear that it would stop the client. `prehash` md5 means that the upper-case
hex digest of the password's MD5 takes its place, for users imported with such digests. MD5 protects nothing by that: it
is what stands under Argon2id until the user's next login replaces it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

from mailsync.wire.errors import Code, RemoteProtocolError

ARGON2ID, PBKDF2, TOKEN = "argon2id", "pbkdf2", "token"
NO_PREHASH, MD5 = "none", "md5"
LEAST_MEMORY, LEAST_PASSES, LEAST_ITERATIONS = 19_456, 2, 600_000
_MOST_MEMORY, _MOST_PASSES, _MOST_LANES, _MOST_ITERATIONS = 2**20, 16, 16, 10_000_000
SALTED_BYTES = 32
LONGEST_PASSWORD = 1024  # characters
_DIGEST = re.compile(r"[0-9A-F]{32}\Z", re.ASCII)


class Kdf(NamedTuple):
    """How a SaltedPassword is made: passes of argon2id or iterations, memory in KiB, lanes, and what goes in."""

    name: str
    iterations: int
    memory: int = 0
    lanes: int = 0
    prehash: str = NO_PREHASH


class Password(NamedTuple):
    """What a person logs in with. A text of 32 upper-case hex digits is a password's MD5 where one is asked for."""

    user: str
    text: str

    def __repr__(self) -> str:
        return f"Password({self.user!r}, ...)"


def format_kdf(kdf: Kdf) -> str:
    """The one line a store keeps of it."""
    return f"{kdf.name} {kdf.iterations} {kdf.memory} {kdf.lanes} {kdf.prehash}"


def parse_kdf(text: str) -> Kdf:
    """What `format_kdf` made a line of."""
    name, iterations, memory, lanes, prehash = text.split(" ")
    return Kdf(name, int(iterations), int(memory), int(lanes), prehash)


OF_TOKENS = Kdf(TOKEN, 1)
DEFAULT = Kdf(ARGON2ID, 3, 65_536, 1)
SMALL = Kdf(ARGON2ID, 2, LEAST_MEMORY, 1)
FIPS = Kdf(PBKDF2, LEAST_ITERATIONS)


def check_kdf(kdf: Kdf) -> None:
    """RemoteProtocolError when this is not how a password may be protected, or more than a client can afford."""
    least = {
        ARGON2ID: LEAST_PASSES <= kdf.iterations <= _MOST_PASSES
        and LEAST_MEMORY <= kdf.memory <= _MOST_MEMORY
        and 1 <= kdf.lanes <= _MOST_LANES,
        PBKDF2: LEAST_ITERATIONS <= kdf.iterations <= _MOST_ITERATIONS,
    }
    if not least.get(kdf.name, False) or kdf.prehash not in (NO_PREHASH, MD5):
        raise RemoteProtocolError("a password is not protected like that here", Code.INVALID)


def salted_password(text: str, salt: bytes, kdf: Kdf) -> bytes:
    """SaltedPassword, 32 bytes; takes a fifth of a second and up. RemoteProtocolError as `check_kdf`."""
    check_kdf(kdf)
    if len(salt) < 16:
        raise RemoteProtocolError("a salt has 16 bytes at least")
    secret = _input(text, kdf.prehash)
    if kdf.name == PBKDF2:
        return hashlib.pbkdf2_hmac("sha256", secret, salt, kdf.iterations, SALTED_BYTES)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        derived: bytes = Argon2id(
            salt=salt, length=SALTED_BYTES, iterations=kdf.iterations, lanes=kdf.lanes, memory_cost=kdf.memory
        ).derive(secret)
    except UnsupportedAlgorithm as error:
        raise RemoteProtocolError("this installation's OpenSSL has no Argon2id", Code.VERSION) from error
    return derived


def is_digest(text: str) -> bool:
    """True when a logon text is the digest of a password nobody here knows: such an account is never upgraded."""
    return bool(_DIGEST.match(text))


def md5_of(text: str) -> str:
    """The upper-case hex digest of a password, as an imported table has it."""
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest().upper()


def _input(text: str, prehash: str) -> bytes:
    if prehash == NO_PREHASH:
        return _bytes(text)
    return (text if is_digest(text) else md5_of(text)).encode()


def _bytes(text: str) -> bytes:
    # The same letters are the same bytes, whatever keyboard they were typed on (RFC 8265).
    return unicodedata.normalize("NFC", text).encode(errors="surrogateescape")
