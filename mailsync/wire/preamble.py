"""What is said in the clear before any key exists (protocol.md, Handshake), read as it arrives.

    client   "MSYN" | u8 version 1 | u8 suite (1 NNpsk0, 2 NKpsk0) | u8 n | n bytes key id | u16 length | message 1
    server   u16 length | message 2,   or   u16 0 | u8 refusal

The preamble is in the prologue: both ends' handshakes fail when it was changed on its way.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.wire.errors import Code, Refusal, RemoteProtocolError
from mailsync.wire.keys import KEY_ID
from mailsync.wire.limits import HANDSHAKE_BYTES
from mailsync.wire.noise import KEY_BYTES, NK, NN, TAG_BYTES, Pattern

MAGIC = b"MSYN"
VERSION = 1
SUITES: dict[int, Pattern] = {1: NN, 2: NK}
_FIXED = len(MAGIC) + 3


class Preamble(NamedTuple):
    """How a client opens: the suite its key file decides, and the id of its key."""

    suite: int
    key_id: str

    def encode(self) -> bytes:
        """The bytes of it."""
        key_id = self.key_id.encode()
        return MAGIC + bytes((VERSION, self.suite, len(key_id))) + key_id

    def prologue(self) -> bytes:
        """What both handshakes cover of it."""
        return b"mailsync/1\0" + self.encode()


def read_preamble(data: bytes) -> Preamble | None:
    """The preamble at the start of `data`, None while it is not whole. RemoteProtocolError at the first wrong byte."""
    if data[:4] != MAGIC[: len(data)]:
        raise RemoteProtocolError("peer does not speak MSYN", Code.SILENT)
    if len(data) > 4 and data[4] != VERSION:
        raise RemoteProtocolError(f"preamble is of version {data[4]}", Code.VERSION)
    if len(data) > 5 and data[5] not in SUITES:
        raise RemoteProtocolError(f"suite {data[5]} is not one of this version", Code.VERSION)
    if len(data) < _FIXED or len(data) < _FIXED + min(data[6], 33):
        return None
    key_id = data[_FIXED : _FIXED + data[6]].decode("latin-1")
    if not KEY_ID.match(key_id):
        raise RemoteProtocolError("key id is not 1 to 32 of a-z 0-9 . _ -", Code.SILENT)
    return Preamble(data[5], key_id)


def announce(message: bytes) -> bytes:
    """A handshake message behind its length."""
    return len(message).to_bytes(2, "big") + message


def read_announced(data: bytes) -> bytes | Refusal | None:
    """The handshake message at the start of `data`, a refusal in its place, or None while neither is whole."""
    if len(data) < 2:
        return None
    length = int.from_bytes(data[:2], "big")
    if length == 0:
        return _refusal(data)
    if not KEY_BYTES + TAG_BYTES <= length <= HANDSHAKE_BYTES:
        raise RemoteProtocolError(f"a handshake message has {KEY_BYTES + TAG_BYTES} to {HANDSHAKE_BYTES} bytes")
    return bytes(data[2 : 2 + length]) if len(data) >= 2 + length else None


def _refusal(data: bytes) -> Refusal | None:
    if len(data) < 3:
        return None
    if data[2] not in list(Refusal):
        raise RemoteProtocolError("peer does not speak MSYN")
    return Refusal(data[2])
