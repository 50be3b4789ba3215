"""What passwords come to, as a file for other implementations: salt and kdf in, SaltedPassword and verifier out.

Rewritten, after a deliberate change of the protocol only, by `python tests/wire/test_password_vectors.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

from mailsync.wire.passwords import DEFAULT, FIPS, MD5, SMALL, md5_of, salted_password
from mailsync.wire.scram import verifier_of

FILE = Path(__file__).parent / "transcripts" / "passwords.json"
SALT = bytes(range(16))
OF_DIGESTS = SMALL._replace(prehash=MD5)
CASES = [
    ("pencil", SMALL),
    ("pencil", DEFAULT),
    ("pencil", FIPS),
    ("Bu\u0308ro", SMALL),  # two characters that are one in NFC
    ("pencil", OF_DIGESTS),
    (md5_of("pencil"), OF_DIGESTS),  # the digest itself: the same as the one before
    (md5_of("pencil").lower(), OF_DIGESTS),  # a password like any other
    (md5_of("pencil"), SMALL),  # likewise, and by chance the very text that goes in above
]


def vectors():
    """Every case with what it comes to, in hex."""
    made = []
    for text, kdf in CASES:
        salted = salted_password(text, SALT, kdf)
        verifier = verifier_of(SALT, salted, kdf)
        said = {"salted_password": salted, "stored_key": verifier.stored_key, "server_key": verifier.server_key}
        hexed = {name: value.hex() for name, value in said.items()}
        made.append({"password": text, "salt": SALT.hex(), "kdf": kdf._asdict(), **hexed})
    return made


def test_passwords_come_to_what_was_recorded():
    recorded = json.loads(FILE.read_text())
    assert vectors() == recorded
    salted = [one["salted_password"] for one in recorded]
    assert salted[4] == salted[5] == salted[7]
    assert len(set(salted)) == len(CASES) - 2


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
