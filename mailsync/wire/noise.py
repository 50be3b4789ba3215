"""The Noise Protocol Framework, revision 34, as far as MSYN/1 uses it: NNpsk0 and NKpsk0 over 25519, AESGCM, SHA256.

A pattern is data: which tokens each of the two messages mixes in. `Handshake` walks it for either end; `Cipher` is
one direction afterwards. Names and order of operations are the specification's (sections 5, 7, 9, 11.3, 12), so that
the code can be held beside it. Ephemeral keys are passed in: the same keys give the same bytes.

    NNpsk0   -> psk, e        <- e, ee
    NKpsk0   <- s  ...  -> psk, e, es    <- e, ee
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.limits import REKEY_FRAMES

KEY_BYTES, TAG_BYTES = 32, 16
_LAST_NONCE = (2**64 - 1).to_bytes(8, "big")


class Pattern(NamedTuple):
    """A Noise handshake: its name, the tokens of each message, and whether the server's static key is known before."""

    name: bytes
    messages: tuple[tuple[str, ...], tuple[str, ...]]
    knows_server: bool


NN = Pattern(b"Noise_NNpsk0_25519_AESGCM_SHA256", (("psk", "e"), ("e", "ee")), knows_server=False)
NK = Pattern(b"Noise_NKpsk0_25519_AESGCM_SHA256", (("psk", "e", "es"), ("e", "ee")), knows_server=True)


class Keys(NamedTuple):
    """What one end brings: its 32-byte ephemeral private key, the shared secret of this key id, and the server's
    static key (its own private one, or the public one a client was given; empty for NNpsk0).
    """

    ephemeral: bytes
    psk: bytes
    static: bytes = b""

    def __repr__(self) -> str:
        return "Keys(...)"


class Transport(NamedTuple):
    """What a handshake ends in: a cipher for each direction, and the hash that names this connection."""

    send: Cipher
    receive: Cipher
    hash: bytes


class Cipher:
    """One direction: frame i is sealed with nonce i, under the key after floor(i / 16,384) rekeys."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(key)
        self._count = 0

    def seal(self, plain: bytes) -> bytes:
        """The frame's ciphertext and tag."""
        nonce = self._next_nonce()
        return self._aead.encrypt(nonce, plain, b"")

    def open(self, sealed: bytes) -> bytes:
        """The frame's plaintext. RemoteProtocolError, to be answered with silence, when it was tampered with."""
        nonce = self._next_nonce()
        return _opened(self._aead, nonce, sealed, b"")

    def _next_nonce(self) -> bytes:
        """The next frame's nonce, once the key is the one for it."""
        if self._count and self._count % REKEY_FRAMES == 0:
            self._key = self._aead.encrypt(bytes(4) + _LAST_NONCE, bytes(KEY_BYTES), b"")[:KEY_BYTES]
            self._aead = AESGCM(self._key)
        nonce = bytes(4) + self._count.to_bytes(8, "big")
        self._count += 1
        return nonce


class Handshake:
    """One end of a handshake: message 1 goes from client to server, message 2 back, then `transport()`."""

    def __init__(self, pattern: Pattern, prologue: bytes, keys: Keys, *, initiator: bool) -> None:
        self._pattern = pattern
        self._keys = keys
        self._initiator = initiator
        self._ephemeral = X25519PrivateKey.from_private_bytes(keys.ephemeral)
        self._remote = b""
        # Every name is of 32 bytes, so it is the first hash as it stands (section 5.2).
        self._hash = self._chaining = pattern.name
        self._key, self._nonce = b"", 0
        self._mix_hash(prologue)
        if pattern.knows_server:
            self._mix_hash(keys.static if initiator else _loaded(keys.static)[1])

    def write(self, payload: bytes) -> bytes:
        """This end's message, with the payload sealed in it."""
        message = b""
        for part in self._parts(own=True):
            if part == "e":
                message = _public(self._ephemeral)
                self._mix_ephemeral(message)
            else:
                self._mix(part)
        nonce = self._next_nonce()
        return message + self._hashed(AESGCM(self._key).encrypt(nonce, payload, self._hash))

    def read(self, message: bytes) -> bytes:
        """The payload of the peer's message. RemoteProtocolError, to be answered with silence, when keys differ."""
        if len(message) < KEY_BYTES + TAG_BYTES:
            raise RemoteProtocolError("handshake message is too short")
        self._remote, sealed = message[:KEY_BYTES], message[KEY_BYTES:]
        for part in self._parts(own=False):
            if part == "e":
                self._mix_ephemeral(self._remote)
            else:
                self._mix(part)
        nonce = self._next_nonce()
        payload = _opened(AESGCM(self._key), nonce, sealed, self._hash)
        self._hashed(sealed)
        return payload

    def transport(self) -> Transport:
        """The two ciphers and the handshake hash; call it once, after both messages."""
        to_server, to_client = (Cipher(key) for key in _hkdf(self._chaining, b"", 2))
        if self._initiator:
            return Transport(to_server, to_client, self._hash)
        return Transport(to_client, to_server, self._hash)

    def _parts(self, *, own: bool) -> tuple[str, ...]:
        return self._pattern.messages[0 if own == self._initiator else 1]

    def _mix(self, part: str) -> None:
        if part == "psk":
            self._chaining, mixed, self._key = _hkdf(self._chaining, self._keys.psk, 3)
            self._mix_hash(mixed)
            self._nonce = 0
        elif part == "es" and not self._initiator:
            self._mix_key(_loaded(self._keys.static)[0], self._remote)
        elif part == "es":
            self._mix_key(self._ephemeral, self._keys.static)
        else:
            self._mix_key(self._ephemeral, self._remote)

    def _mix_ephemeral(self, public: bytes) -> None:
        """Token e: with a pre-shared key the ephemeral is a key too (section 9.2)."""
        self._mix_hash(public)
        self._chaining, self._key = _hkdf(self._chaining, public, 2)
        self._nonce = 0

    def _mix_key(self, private: X25519PrivateKey, public: bytes) -> None:
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise RemoteProtocolError("public key is of low order", Code.SILENT) from error
        self._chaining, self._key = _hkdf(self._chaining, shared, 2)
        self._nonce = 0

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _hashed(self, sealed: bytes) -> bytes:
        self._mix_hash(sealed)
        return sealed

    def _next_nonce(self) -> bytes:
        nonce = bytes(4) + self._nonce.to_bytes(8, "big")
        self._nonce += 1
        return nonce


def derive_psk(secret: bytes, key_id: str) -> bytes:
    """The pre-shared key of a client: HKDF-SHA256 of its secret, used with Noise and nowhere else."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, b"mailsync/1 noise psk " + key_id.encode() + b"\1", "sha256")


def unknown_psk(static: bytes, key_id: str) -> bytes:
    """The pre-shared key of an id nobody has: the handshake runs as with a wrong key, and fails like it."""
    return hmac.digest(static, b"mailsync/1 unknown key " + key_id.encode(), "sha256")


def _opened(aead: AESGCM, nonce: bytes, sealed: bytes, data: bytes) -> bytes:
    try:
        return aead.decrypt(nonce, sealed, data)
    except InvalidTag as error:
        raise RemoteProtocolError("decryption failed", Code.SILENT) from error


def _hkdf(chaining: bytes, material: bytes, outputs: int) -> list[bytes]:
    """HKDF as in section 4.3 of the specification."""
    secret = hmac.digest(chaining, material, "sha256")
    found = [b""]
    for number in range(1, outputs + 1):
        found.append(hmac.digest(secret, found[-1] + bytes((number,)), "sha256"))
    return found[1:]


@lru_cache(maxsize=1)
def _loaded(static: bytes) -> tuple[X25519PrivateKey, bytes]:
    """A server's private key, and its public one: they are the same for each connection, and slow to work out."""
    private = X25519PrivateKey.from_private_bytes(static)
    return private, _public(private)


def _public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()
