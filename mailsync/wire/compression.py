"""deflate (RFC 1950, level 9) always, zstd when both ends have it; inflating is bounded before it begins.

No state crosses a message. The inflated length a peer announces is checked against the limit by the frame reader;
here at most one byte more than that is ever produced, and the length must be exact with nothing left over. A zstd
body is one frame that states its content size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from mailsync.wire.errors import RemoteProtocolError

ZSTD_LEVEL = 9  # 19 is 2-10 % smaller at 19 times the time


class Method(IntEnum):
    """How a body is compressed: bits 0-1 of a message's flags."""

    NONE = 0
    DEFLATE = 1
    ZSTD = 2


def available() -> tuple[str, ...]:
    """The names of the methods this installation has, best first."""
    try:
        import zstandard  # noqa: F401 - asked only whether it is there
    except ImportError:
        return ("deflate",)
    return ("zstd", "deflate")


def choose(offered: tuple[str, ...], available: tuple[str, ...]) -> Method:
    """The best method both ends have; deflate is mandatory."""
    return Method.ZSTD if "zstd" in offered and "zstd" in available else Method.DEFLATE


class Packed(NamedTuple):
    """A body as it travels: compressed by `method` from `inflated` bytes."""

    method: Method
    body: bytes
    inflated: int


def pack(method: Method, body: bytes) -> Packed:
    """The body as it travels."""
    return Packed(*compress(method, body), len(body))


def compress(method: Method, body: bytes) -> tuple[Method, bytes]:
    """The body as it travels and how it was compressed: not at all when that makes nothing smaller."""
    if method is Method.NONE or not body:
        return Method.NONE, body
    packed = _zstd_compress(body) if method is Method.ZSTD else zlib.compress(body, 9)
    return (method, packed) if len(packed) < len(body) else (Method.NONE, body)


def inflate(method: Method, packed: bytes, size: int) -> bytes:
    """The `size` bytes in `packed`. RemoteProtocolError when they are more, fewer, or not there at all."""
    readers: dict[Method, Callable[[bytes, int], bytes]] = {
        Method.NONE: lambda data, _: data,
        Method.DEFLATE: _inflate_deflate,
        Method.ZSTD: _inflate_zstd,
    }
    body = readers[method](packed, size)
    if len(body) != size:
        raise RemoteProtocolError("inflated length is not as announced")
    return body


def _inflate_deflate(packed: bytes, size: int) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        body = decompressor.decompress(packed, size + 1)
    except zlib.error as error:
        raise RemoteProtocolError("body is not deflate") from error
    if not decompressor.eof or decompressor.unused_data:
        raise RemoteProtocolError("deflated body ends early or goes on after its end")
    return body


def _inflate_zstd(packed: bytes, size: int) -> bytes:
    import zstandard

    try:
        # One-shot decompression allocates what the frame claims, so the claim is compared first.
        if zstandard.get_frame_parameters(packed).content_size != size:
            raise RemoteProtocolError("inflated length is not as announced")
        body: bytes = zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RemoteProtocolError("body is not zstd") from error
    return body


def _zstd_compress(body: bytes) -> bytes:
    import zstandard

    packed: bytes = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=False).compress(body)
    return packed
