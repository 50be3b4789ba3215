"""Messages in sealed frames: header, body, padding, cut at 65,519 bytes, sealed (protocol.md, Frames and messages).

    frame     u16 length (17..65535) | ciphertext and tag
    message   u8 type | u8 flags | u32 request | u32 wire length | u32 inflated length | body | zeros

A message starts at a frame's start. Every frame but its last holds exactly 65,519 bytes, so the size of each later
frame is known from the header and is checked when two bytes of it are in. What follows the body up to `padded` must
be zeros; BYE (which is one frame), RUN and RUN_OK have none. Limits are checked from the header, before the body is
buffered.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from mailsync.wire import limits
from mailsync.wire.compression import Method
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.messages import Kind
from mailsync.wire.noise import TAG_BYTES, Cipher

_HEADER = struct.Struct(">BBIII")
_UNPADDED = frozenset({Kind.BYE, Kind.RUN, Kind.RUN_OK})  # ids and names, never a word of a row


class Message(NamedTuple):
    """One message, its body still compressed by `method` from `inflated` bytes."""

    kind: int
    method: Method
    request: int
    body: bytes
    inflated: int


class Bounds(NamedTuple):
    """What the peer may send now: `body` bytes on the wire, and whether they may be compressed."""

    body: int
    compressed: bool


BEFORE_LOGIN = Bounds(limits.LOGIN_BYTES, compressed=False)
AFTER_LOGIN = Bounds(limits.MESSAGE_WIRE, compressed=True)


def padded(length: int) -> int:
    """The size that hides `length`: the next multiple of 256, from 64 KiB on the next step of Padmé."""
    if length <= 2**16:
        return (length + 255) & ~255
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def seal(cipher: Cipher, message: Message) -> bytes:
    """The frames of a message."""
    if len(message.body) > limits.MESSAGE_WIRE or message.inflated > limits.MESSAGE_INFLATED:
        raise LocalProtocolError(f"a message has at most {limits.MESSAGE_WIRE} bytes")
    header = _HEADER.pack(message.kind, message.method, message.request, len(message.body), message.inflated)
    plain = (header + message.body).ljust(_total(message.kind, len(message.body)), b"\0")
    frames: list[bytes] = []
    for start in range(0, len(plain), limits.FRAME_PLAIN):
        frame = cipher.seal(plain[start : start + limits.FRAME_PLAIN])
        frames += (len(frame).to_bytes(2, "big"), frame)
    return b"".join(frames)


class FrameReader:
    """Opens the peer's frames: `feed` bytes, then `next_message` until it has none."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._buffer = bytearray()
        self._plain = bytearray()
        self._head: Message | None = None
        self._wire = 0
        self._left = 0

    def feed(self, data: bytes) -> None:
        """Takes bytes from the peer."""
        self._buffer += data

    def next_message(self, bounds: Bounds) -> Message | None:
        """The next whole message, or None until more bytes come. RemoteProtocolError when it breaks a rule."""
        while (frame := self._next_frame()) is not None:
            if self._head is None:
                self._begin(frame, bounds)
            else:
                self._plain += frame
                self._left -= len(frame)
            if self._left == 0:
                return self._finish()
        return None

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        length = int.from_bytes(self._buffer[:2], "big")
        if length <= TAG_BYTES:
            raise RemoteProtocolError("a frame is too short")
        if self._head is not None and length != min(self._left, limits.FRAME_PLAIN) + TAG_BYTES:
            raise RemoteProtocolError("a frame is not as long as its message needs")
        if len(self._buffer) < 2 + length:
            return None
        sealed = bytes(self._buffer[2 : 2 + length])
        del self._buffer[: 2 + length]
        return self._cipher.open(sealed)

    def _begin(self, frame: bytes, bounds: Bounds) -> None:
        if len(frame) < _HEADER.size:
            raise RemoteProtocolError("a message is shorter than its header")
        kind, _, request, wire, inflated = _HEADER.unpack_from(frame)
        total = _total(kind, wire)
        self._head = Message(kind, _checked_method(frame, bounds), request, b"", inflated)
        if len(frame) != min(total, limits.FRAME_PLAIN):
            raise RemoteProtocolError("a frame is not as long as its message needs")
        self._plain = bytearray(frame)
        self._left = total - len(frame)
        self._wire = wire

    def _finish(self) -> Message:
        assert self._head is not None
        end = _HEADER.size + self._wire
        if self._plain.count(0, end) != len(self._plain) - end:
            raise RemoteProtocolError("padding is not zeros")
        message = self._head._replace(body=bytes(self._plain[_HEADER.size : end]))
        self._head, self._plain = None, bytearray()
        return message


def _total(kind: int, wire: int) -> int:
    length = _HEADER.size + wire
    return length if kind in _UNPADDED else padded(length)


def _checked_method(frame: bytes, bounds: Bounds) -> Method:
    """How the body is compressed, once both its lengths are known to be allowed."""
    kind, flags, _, wire, inflated = _HEADER.unpack_from(frame)
    if flags > Method.ZSTD:
        raise RemoteProtocolError("flags are not of this version")
    method = Method(flags)
    if wire > bounds.body or (kind == Kind.BYE and wire > limits.BYE_BYTES):
        raise RemoteProtocolError(f"a message may have {bounds.body} bytes now", Code.TOO_LARGE)
    if inflated > limits.MESSAGE_INFLATED:
        raise RemoteProtocolError(f"a message may inflate to {limits.MESSAGE_INFLATED} bytes", Code.TOO_LARGE)
    if method is Method.NONE and wire != inflated:
        raise RemoteProtocolError("lengths of an uncompressed body differ")
    if method is not Method.NONE and not bounds.compressed:
        raise RemoteProtocolError("nothing is compressed before the login")
    return method
