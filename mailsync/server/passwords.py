"""What the store keeps of a password: a verifier made by Argon2id, or PBKDF2 where a site is bound to FIPS 140.

The password itself goes nowhere. A user taken over from a TapeTrack table comes with the MD5 of the password, 32
upper-case hex digits, which takes its place under Argon2id: that MD5 protects nothing, and is to be replaced at the
first login (protocol.md section 7). The line kept beside the verifier says what a client must do to prove the password:
name, passes or iterations, memory in KiB, lanes, and `none` or `md5`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from mailsync.server.administration import PASSWORD, Login
from mailsync.wire.scram import verifier_of

ARGON2ID, PBKDF2 = "argon2id", "pbkdf2"
PASSES, MEMORY, LANES, ITERATIONS = 3, 65_536, 1, 600_000
_BYTES = 32
_DIGEST = re.compile(r"[0-9A-F]{32}\Z", re.ASCII)


def is_digest(text: str) -> bool:
    """True for the MD5 of a password as TapeTrack's tables have it."""
    return _DIGEST.match(text) is not None


def password_login(text: str, salt: bytes, *, kdf: str = ARGON2ID, prehash: str = "none") -> Login:
    """What proves a password, or with prehash `md5` its digest. Takes a fifth of a second and 64 MiB."""
    # The same letters are the same bytes, whatever keyboard they were typed on (RFC 8265).
    secret = unicodedata.normalize("NFC", text).encode(errors="surrogateescape")
    if kdf == PBKDF2:
        salted = hashlib.pbkdf2_hmac("sha256", secret, salt, ITERATIONS, _BYTES)
        return Login(PASSWORD, verifier_of(salt, salted), f"{PBKDF2} {ITERATIONS} 0 0 {prehash}")
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derived = Argon2id(salt=salt, length=_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY).derive(secret)
    return Login(PASSWORD, verifier_of(salt, derived), f"{ARGON2ID} {PASSES} {MEMORY} {LANES} {prehash}")
