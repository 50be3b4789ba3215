"""A peer's words, made of any bytes: messages, frames and noise, sealed under the keys of the connection.

A fuzzer cannot find its way past AES, so what it finds is what stands within the frames. A script is a row of steps,
each a byte and what it takes; what is missing at the end is zeros.

0   a message: type, flags, request, body        3   bytes on the line as they are, or ones that were kept
1   a message of the stock, damaged or not       4   a message with a long body
2   a frame: any plaintext
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailsync.wire.compression import Method, compress
from mailsync.wire.errors import LocalProtocolError
from mailsync.wire.frames import Message, padded, seal
from mailsync.wire.limits import FRAME_PLAIN
from mailsync.wire.messages import Kind
from mailsync.wire.noise import Cipher

_HEADER = struct.Struct(">BBIII")
_UNNUMBERED = frozenset({Kind.AUTH, Kind.AUTH_OK, Kind.CANCEL, Kind.BYE})
_MOST_STEPS = 30


class Word(NamedTuple):
    """A message of the stock: its type, its body, and the request it has where it is an answer (0: the next one)."""

    kind: int
    body: bytes
    request: int = 0


class Picks:
    """Takes numbers and bytes off any bytes, as long as there are some, then zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """So many bytes, or what is left."""
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int = 1) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")


class Speech:
    """Seals a script for one direction. `kinds` are the types of the messages that were made whole.

    `plain` is what was sealed that is not compressed.
    """

    def __init__(self, cipher: Cipher, stock: Sequence[Word], raw: bytes = b"", *, first: int = 0) -> None:
        self.kinds: list[int] = []
        self.plain = b""
        self.last = first
        self._cipher, self._stock, self._raw = cipher, stock, raw

    def chunks(self, picks: Picks) -> Iterator[bytes]:
        """The bytes of each step."""
        for _ in range(_MOST_STEPS):
            if not picks:
                return
            yield self._step(picks)

    def say(self, word: Word, number: int = 0, flags: int = 0) -> bytes:
        """A message: `number` 0 is the request it should have, else that number less one; flags as `_step` has them."""
        body, method, size = word.body, Method.NONE, len(word.body)
        if flags & 3 in (1, 2) and not flags & 8:
            method, body = compress(Method(flags & 3), body)
        elif flags & 3:
            return self._lie(word, number, flags)
        self.kinds.append(word.kind)
        self.plain += body
        try:
            return seal(self._cipher, Message(word.kind, method, self._request(word, number), body, size))
        except LocalProtocolError:
            return b""

    def frame(self, plain: bytes) -> bytes:
        """One frame of any plaintext."""
        self.plain += plain
        sealed = self._cipher.seal(plain[:FRAME_PLAIN])
        return len(sealed).to_bytes(2, "big") + sealed

    def _step(self, picks: Picks) -> bytes:
        what = picks.number() % 5
        if what == 1 and self._stock:
            word = self._stock[picks.number() % len(self._stock)]
            flags, number = picks.number(), picks.number()
            return self.say(self._damaged(word, flags, picks), number, flags)
        if what == 2:
            return self.frame(picks.take(picks.number(2)))
        if what == 3:
            count = picks.number()
            return self._raw if count == 255 else picks.take(count)
        kind, flags, number = picks.number(), picks.number(), picks.number()
        body = bytes((picks.number(),)) * (16 * (picks.number(2) % 8192)) if what == 4 else picks.take(picks.number(2))
        return self.say(Word(kind, body), number, flags)

    @staticmethod
    def _damaged(word: Word, flags: int, picks: Picks) -> Word:
        body = bytearray(word.body)
        for _ in range(flags >> 6):
            at, how, value = picks.number(2), picks.number(), picks.number()
            at %= len(body) + 1
            body[at : at + how % 3] = bytes((value,)) * (how // 3 % 3)
        return word._replace(body=bytes(body))

    def _lie(self, word: Word, number: int, flags: int) -> bytes:
        """A message whose header does not say what is in it: a method, lengths or padding of its own."""
        wire, inflated = len(word.body) + (flags >> 4 & 1), len(word.body) << (flags >> 2 & 1)
        head = _HEADER.pack(word.kind, flags & 3, self._request(word, number), wire, inflated)
        fill = bytes((flags >> 5 & 1,))
        plain = (head + word.body).ljust(padded(len(head) + wire), fill)
        return b"".join(self.frame(plain[at : at + FRAME_PLAIN]) for at in range(0, len(plain), FRAME_PLAIN))

    def _request(self, word: Word, number: int) -> int:
        if number:
            return number - 1
        if word.request or word.kind in _UNNUMBERED:
            return word.request
        self.last += 1
        return self.last
