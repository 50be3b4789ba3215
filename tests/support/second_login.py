"""How the second client proves a token or a password, from docs/protocol.md and RFC 5802 alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import unicodedata

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

GS2 = "p=mailsync-noise,,"
PASSES, MEMORY, LANES = range(2, 17), range(19_456, 2**20 + 1), range(1, 17)
ITERATIONS = range(600_000, 10_000_001)


class Login:
    """One login: `secret` is a token's 32 bytes, or a password's text."""

    def __init__(self, user, secret):
        self.user, self.secret = user, secret
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"
        self.kdf = {}

    @property
    def by_token(self):
        """True for a token."""
        return isinstance(self.secret, bytes)

    def announce(self):
        """The members of the hello that are about the login."""
        return {"login": "token" if self.by_token else "password", "scram": GS2 + self.first}

    def prove(self, hello_ok, binding):
        """The text of AUTH, and the one that AUTH_OK must have."""
        said = dict(part.split("=", 1) for part in hello_ok["scram"].split(","))
        salt = base64.b64decode(said["s"])
        self.kdf = {"iterations": 1} if self.by_token else hello_ok["kdf"]
        if not said["r"].startswith(self.nonce) or said["i"] != str(self.kdf["iterations"]):
            raise ValueError("the challenge is not for this client")
        salted = salted_token(self.secret, salt) if self.by_token else salted_password(self.secret, salt, self.kdf)
        bound = base64.b64encode(GS2.encode() + binding).decode()
        without = f"c={bound},r={said['r']}"
        covered = f"{self.first},{hello_ok['scram']},{without}".encode()
        client_key, stored_key, server_key = keys_of(salted)
        signature = hmac.digest(stored_key, covered, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        expected = base64.b64encode(hmac.digest(server_key, covered, "sha256")).decode()
        return f"{without},p={base64.b64encode(proof).decode()}", f"v={expected}"

    def new_verifier(self):
        """The body of a SET_VERIFIER: the same password, without the digest."""
        salt, kdf = os.urandom(16), {**self.kdf, "prehash": "none"}
        _, *keys = keys_of(salted_password(self.secret, salt, kdf))
        texts = [base64.b64encode(value).decode() for value in (salt, *keys)]
        return {**dict(zip(("salt", "stored_key", "server_key"), texts, strict=True)), "kdf": kdf}


def salted_token(token, salt):
    """SaltedPassword of a token."""
    return hmac.digest(token, salt + b"\0\0\0\1", "sha256")


def salted_password(text, salt, kdf):
    """SaltedPassword of a password; ValueError for less than the page's table has, or more."""
    secret = unicodedata.normalize("NFC", text).encode()
    if kdf["prehash"] == "md5" and not re.fullmatch("[0-9A-F]{32}", text):
        secret = hashlib.md5(secret, usedforsecurity=False).hexdigest().upper().encode()
    rounds = kdf["iterations"]
    if len(salt) >= 16 and kdf["prehash"] in ("none", "md5"):
        if kdf["name"] == "pbkdf2" and rounds in ITERATIONS:
            return hashlib.pbkdf2_hmac("sha256", secret, salt, rounds)
        lanes, memory = kdf["lanes"], kdf["memory"]
        if kdf["name"] == "argon2id" and rounds in PASSES and memory in MEMORY and lanes in LANES:
            return Argon2id(salt=salt, length=32, iterations=rounds, lanes=lanes, memory_cost=memory).derive(secret)
    raise ValueError("a password is worth more than that")


def keys_of(salted):
    """ClientKey, StoredKey and ServerKey."""
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return client_key, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")
