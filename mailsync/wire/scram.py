"""SCRAM-SHA-256 (RFC 5802, RFC 7677) for tokens and passwords, bound to the Noise handshake. Texts as in the RFCs.

A token is 32 random bytes, so one iteration is enough: SaltedPassword = HMAC(token, salt || 00000001). What a password
goes through is in passwords.py; neither is ever accepted for the other. The gs2 header is `p=mailsync-noise,,` and the
channel binding is the handshake hash, so a proof is worth nothing on another connection. A server keeps salt, StoredKey
and ServerKey, never token or password; for a user it does not know it runs the same path with values derived from its
own secret.

    client   p=mailsync-noise,,n=USER,r=NONCE          in hello
    server   r=NONCE+NONCE,s=SALT,i=1                  in hello_ok
    client   c=BASE64(gs2 header, hash),r=...,p=PROOF  AUTH
    server   v=SIGNATURE                               AUTH_OK, verified before anything is changed
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple

from mailsync.core.model import USER
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.passwords import DEFAULT, OF_TOKENS, TOKEN, Kdf, salted_password

GS2 = "p=mailsync-noise,,"
NONCE_BYTES = 18
SALT_BYTES = 16
TOKEN_BYTES = 32
_NONCE = r"[!-+\--~]"  # printable ASCII but the comma (RFC 5802 section 7)
EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,190}\Z", re.ASCII)
_CLIENT_FIRST = re.compile(rf"n=((?:[^,=]|=2C|=3D){{1,255}}),r=({_NONCE}{{1,128}})\Z", re.ASCII)
_SERVER_FIRST = re.compile(rf"r=({_NONCE}{{1,256}}),s=([A-Za-z0-9+/=]{{1,128}}),i=([1-9][0-9]{{0,8}})\Z", re.ASCII)
_CLIENT_FINAL = re.compile(
    rf"(c=([A-Za-z0-9+/=]{{1,256}}),r=({_NONCE}{{1,256}})),p=([A-Za-z0-9+/=]{{1,64}})\Z", re.ASCII
)
_SERVER_FINAL = re.compile(r"v=([A-Za-z0-9+/=]{1,64})\Z", re.ASCII)


class Verifier(NamedTuple):
    """What a server stores per user: enough to check a proof, not to make one."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    kdf: Kdf = OF_TOKENS

    def __repr__(self) -> str:
        return "Verifier(...)"


class ServerFirst(NamedTuple):
    """The server's challenge: both nonces joined, the salt, the number of iterations."""

    nonce: str
    salt: bytes
    iterations: int


class Exchange(NamedTuple):
    """Both first messages as sent, without the gs2 header: what every proof and signature covers."""

    client_first: str
    server_first: str


def make_verifier(token: bytes, salt: bytes) -> Verifier:
    """The verifier of a 32-byte token; `salt` is 16 fresh random bytes."""
    return verifier_of(salt, salted_token(token, salt))


def make_password_verifier(text: str, salt: bytes, kdf: Kdf) -> Verifier:
    """The verifier of a password, or of its digest; `salt` is 16 fresh random bytes. Takes as long as a login."""
    return verifier_of(salt, salted_password(text, salt, kdf), kdf)


def verifier_of(salt: bytes, salted: bytes, kdf: Kdf = OF_TOKENS) -> Verifier:
    """The verifier of a SaltedPassword."""
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return Verifier(salt, stored_key, _hmac(salted, b"Server Key"), kdf)


def unknown_verifier(secret: bytes, user: str, mix: Sequence[Kdf] = (OF_TOKENS,)) -> Verifier:
    """The verifier of a user who does not exist: the same at every attempt, and no secret leads to it.

    `mix` has how each user of the site is protected: one who does not exist is protected like one of them.
    """
    names = ("salt", "stored", "server", "profile")
    salt, stored, server, profile = (_hmac(secret, f"mailsync/1 unknown {name} {user}".encode()) for name in names)
    kdf = mix[int.from_bytes(profile, "big") % len(mix)] if mix else DEFAULT
    return Verifier(salt[:SALT_BYTES], stored, server, kdf)


def salted_token(token: bytes, salt: bytes) -> bytes:
    """SaltedPassword of a token (protocol.md, Login): PBKDF2 of one iteration."""
    return _hmac(token, salt + b"\0\0\0\1")


def is_login_name(text: str) -> bool:
    """True for a user's name, and for what may be its e-mail address: either may be logged on with."""
    return bool(USER.match(text) or EMAIL.match(text))


def client_first(user: str, nonce: bytes) -> str:
    """The client's first message without its gs2 header."""
    return f"n={user.replace('=', '=3D').replace(',', '=2C')},r={_encode(nonce)}"


def read_client_first(text: str) -> tuple[str, str]:
    """User and nonce of a client's first message without its gs2 header. RemoteProtocolError when it is not one."""
    found = _CLIENT_FIRST.match(text)
    name = found[1].replace("=2C", ",").replace("=3D", "=") if found else ""
    if not found or not is_login_name(name):
        raise RemoteProtocolError("not a client's first SCRAM message")
    return name, found[2]


def read_login(login: str, text: str) -> tuple[str, str]:
    """User and nonce of the `scram` of a hello. RemoteProtocolError, VERSION where this is another way to log on."""
    if login not in (TOKEN, "password") or not text.startswith(GS2):
        raise RemoteProtocolError("login is by neither token nor password", Code.VERSION)
    return read_client_first(text.removeprefix(GS2))


def server_first(client_nonce: str, nonce: bytes, verifier: Verifier) -> str:
    """The server's challenge."""
    return f"r={client_nonce}{_encode(nonce)},s={_encode(verifier.salt)},i={verifier.kdf.iterations}"


def read_server_first(text: str, sent: str) -> ServerFirst:
    """The challenge that answers `sent` (the client's first message). RemoteProtocolError when it does not."""
    found = _SERVER_FIRST.match(text)
    if not found:
        raise RemoteProtocolError("not a server's SCRAM challenge")
    mine = read_client_first(sent)[1]
    if not found[1].startswith(mine) or len(found[1]) == len(mine):
        raise RemoteProtocolError("the SCRAM challenge is not for this client's nonce")
    return ServerFirst(found[1], _decode(found[2]), int(found[3]))


def client_final(salted: bytes, exchange: Exchange, nonce: str, binding: bytes) -> str:
    """The client's proof; `binding` is the gs2 header and the channel's data."""
    without_proof = f"c={_encode(binding)},r={nonce}"
    client_key = _hmac(salted, b"Client Key")
    signature = _hmac(hashlib.sha256(client_key).digest(), _covered(exchange, without_proof))
    return f"{without_proof},p={_encode(_xor(client_key, signature))}"


def proof_holds(text: str, exchange: Exchange, verifier: Verifier, binding: bytes) -> bool:
    """True when the client's final message proves the token. RemoteProtocolError when it is no such message."""
    found = _CLIENT_FINAL.match(text)
    if not found:
        raise RemoteProtocolError("not a client's SCRAM proof")
    nonce = exchange.server_first.partition(",")[0].removeprefix("r=")
    proof = _decode(found[4])
    if len(proof) != 32:
        raise RemoteProtocolError("not a client's SCRAM proof")
    bound = hmac.compare_digest(_decode(found[2]), binding) and hmac.compare_digest(found[3], nonce)
    signature = _hmac(verifier.stored_key, _covered(exchange, found[1]))
    stored_key = hashlib.sha256(_xor(proof, signature)).digest()
    # Both are always computed: an answer's time must not tell which of them failed.
    return hmac.compare_digest(stored_key, verifier.stored_key) and bound


def server_final(verifier: Verifier, exchange: Exchange, proof: str) -> str:
    """The server's signature over the exchange; `proof` is the client's final message."""
    return f"v={_encode(_hmac(verifier.server_key, _covered(exchange, _without_proof(proof))))}"


def signature_holds(text: str, salted: bytes, exchange: Exchange, proof: str) -> bool:
    """True when the server's final message proves that it knows the verifier."""
    found = _SERVER_FINAL.match(text)
    if not found:
        raise RemoteProtocolError("not a server's SCRAM signature")
    expected = _hmac(_hmac(salted, b"Server Key"), _covered(exchange, _without_proof(proof)))
    return hmac.compare_digest(_decode(found[1]), expected)


def _covered(exchange: Exchange, without_proof: str) -> bytes:
    return f"{exchange.client_first},{exchange.server_first},{without_proof}".encode()


def _without_proof(text: str) -> str:
    return text.rpartition(",p=")[0]


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise RemoteProtocolError("not base64 in a SCRAM message") from error
