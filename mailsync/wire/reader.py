"""Takes values off the front of a body, and texts and numbers as one: every step is checked against what is left."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mailsync.core.model import Scope, parse_scope
from mailsync.wire import limits
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError


class Reader:
    """Reads a body from its front; RemoteProtocolError where it does not hold what is asked for."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._body) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise RemoteProtocolError("body ends early")
        data = bytes(self._body[self._at : self._at + count])
        self._at += count
        return data

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """The next integers, as `form` says."""
        return form.unpack(self.take(form.size))

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """The next u64, below 2^53."""
        number = int.from_bytes(self.take(8), "big")
        if number > limits.VERSION:
            raise RemoteProtocolError("a number is 2^53 or more")
        return number

    def text(self) -> str:
        """The next text, behind its u16 length."""
        return split_texts(self.take(int.from_bytes(self.take(2), "big")), 1)[0]

    def finish(self) -> None:
        """RemoteProtocolError when anything is left."""
        if self.left:
            raise RemoteProtocolError("body goes on after its end")


def read_scope(text: str) -> Scope:
    """The scope that a text names. RemoteProtocolError when it names none."""
    scope = parse_scope(text)
    if scope is None:
        raise RemoteProtocolError("scope is not CUSTOMER.MEDIA")
    return scope


def encode_text(text: str) -> bytes:
    """One text behind its u16 length."""
    data = join_texts([text])
    return len(data).to_bytes(2, "big") + data


def encode_number(number: int) -> bytes:
    """One number as u64. LocalProtocolError when it is not a whole number from 0 below 2^53."""
    if not 0 <= number <= limits.VERSION:
        raise LocalProtocolError(f"{number} is not a whole number from 0 below 2^53")
    return number.to_bytes(8, "big")


def join_texts(texts: Sequence[str]) -> bytes:
    """The texts in UTF-8, joined by NUL. LocalProtocolError when one cannot travel."""
    joined = "\0".join(texts)
    if joined.count("\0") != max(len(texts) - 1, 0):
        raise LocalProtocolError("a NUL cannot travel")
    if max(map(len, texts), default=0) > limits.TEXT:
        raise LocalProtocolError(f"a text of more than {limits.TEXT} characters cannot travel")
    try:
        return joined.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a lone surrogate cannot travel") from error


def split_texts(data: bytes, count: int) -> list[str]:
    """The `count` texts in `data`. RemoteProtocolError when they are fewer, more, or none that may travel."""
    if count == 0 or data.count(0) != count - 1:
        raise RemoteProtocolError("texts are not as many as rows")
    try:
        texts = data.decode().split("\0")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("a text is not UTF-8") from error
    if max(map(len, texts)) > limits.TEXT:
        raise RemoteProtocolError(f"a text has more than {limits.TEXT} characters", Code.TOO_LARGE)
    return texts
