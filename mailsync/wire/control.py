"""The JSON object of a control body, read strictly: UTF-8, no member twice, no NaN, bounded depth, texts and numbers.

Unknown members are ignored, which is how these bodies grow.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from mailsync.wire import limits
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError

T = TypeVar("T")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_LONE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can write and UTF-8 cannot


def encode_object(members: Mapping[str, object]) -> bytes:
    """The members as JSON in UTF-8. LocalProtocolError when one cannot travel."""
    try:
        return _ENCODER.encode(members).encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a lone surrogate cannot travel") from error


class Members:
    """The members of a JSON body, handed out by kind; a missing or foreign one is the peer's fault."""

    def __init__(self, body: bytes) -> None:
        if len(body) > limits.CONTROL_BYTES:
            raise RemoteProtocolError(f"a control body may have {limits.CONTROL_BYTES} bytes", Code.TOO_LARGE)
        try:
            found = _DECODER.decode(body.decode())
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError("body is not a JSON object of this protocol") from error
        if not isinstance(found, dict) or not _shallow(found):
            raise RemoteProtocolError(f"body is not a JSON object of depth {limits.CONTROL_DEPTH} or less")
        self._found = found

    def text(self, name: str, default: str | None = None) -> str:
        """The text of a member; RemoteProtocolError when it is none, or is missing without a default."""
        return self._get(name, default, _is_text, "a text")

    def number(self, name: str, default: int | None = None) -> int:
        """The number of a member, likewise."""
        return self._get(name, default, _is_number, "a whole number from 0 below 2^53")

    def inner(self, name: str) -> Members | None:
        """The members of an object within, None when there is none."""
        if name not in self._found:
            return None
        within = object.__new__(Members)
        within._found = self._get(name, None, lambda value: isinstance(value, dict), "an object")
        return within

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(self._get(name, None, lambda value: _is_list_of(_is_text, value), "a list of texts"))

    def numbers(self, name: str, count: int) -> tuple[int, ...]:
        """The numbers of a list of `count`."""
        return tuple(
            self._get(
                name,
                None,
                lambda value: _is_list_of(_is_number, value) and len(value) == count,
                f"a list of {count} numbers",
            )
        )

    def hex(self, name: str, size: int) -> bytes:
        """So many bytes as lower-case hex, or none of them."""
        text = self.text(name)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            data = b"?"
        if len(data) not in (0, size) or data.hex() != text:
            raise RemoteProtocolError(f'"{name}" is not {size} bytes in hex')
        return data

    def base64(self, name: str) -> bytes:
        """The bytes, none when the member is missing; their length is bounded by the body's."""
        text = self._get(name, "", lambda value: isinstance(value, str), "a text")
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RemoteProtocolError(f'"{name}" is not base64') from error

    def _get(self, name: str, default: T | None, valid: Callable[[T], bool], wanted: str) -> T:
        value: T | None = self._found.get(name, default)
        if value is None or not valid(value):
            raise RemoteProtocolError(f'"{name}" is not {wanted}')
        return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= limits.TEXT and not _LONE.search(value)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= limits.VERSION


def _is_list_of(valid: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(valid(one) for one in value)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member occurs twice")
    return found


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constants)


def _shallow(value: object) -> bool:
    """True when nothing is nested deeper than the limit."""
    level = [value]
    for _ in range(limits.CONTROL_DEPTH):
        below: list[object] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return True
        level = below
    return not any(isinstance(one, (dict, list)) for one in level)
