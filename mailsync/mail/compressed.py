"""gzip, bzip2 and xz, unpacked within limits and whole or not at all.

A compressed file says how large it is, and may lie: nothing is believed but what comes out, and it comes out in pieces
that stop at the limit. All three formats may be several streams after each other, which are one file: tools that use
several processors write them so.

    format    what it may hold in memory besides          filled up behind its last stream with
    gzip      32 KB                                       zeros (tapes and some tools do)
    bzip2     4 MB                                        nothing
    xz        its dictionary, bounded by archive_memory   zeros, four at a time
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple, Protocol

from mailsync.mail.kinds import AGAIN, Unreadable

_FEED, _PIECE = 65_536, 262_144
_SMALL = 1_048_576  # what any file may unfold into, whatever its ratio: small lists compress extremely well
_MOST_STREAMS = 10_000  # of one file; parallel compressors write one per 64 KB


class Compression(Enum):
    """How a file is compressed; the value is what people call it, and the usual end of its name."""

    GZIP = ("gzip", ".gz")
    BZIP2 = ("bzip2", ".bz2")
    XZ = ("xz", ".xz")


class Allowance(NamedTuple):
    """How much may come out: `size` bytes in all, `ratio` times what went in, `members` files.

    `memory` is what a dictionary may take.
    """

    size: int
    ratio: int
    members: int
    memory: int


class _Stream(Protocol):
    """What the three decompressors have in common, told from outside as `decompress(data, at most)`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


class _DamagedError(Exception):
    """A stream is not what its format asks for; it never leaves this module."""


class _TooMuchMemoryError(Exception):
    """A stream needs a larger dictionary than is allowed; it never leaves this module."""


def decompress(data: bytes, compression: Compression, allowance: Allowance) -> bytes | Unreadable:
    """The content of a compressed file, all its streams after each other, or why there is none."""
    name = compression.value[0]
    try:
        return bounded(_pieces(data, _OPENERS[compression], allowance.memory), len(data), allowance)
    except EOFError:
        return Unreadable(f"the {name} file is cut off", AGAIN)
    except _DamagedError:
        return Unreadable(f"the {name} file is damaged", AGAIN)
    except _TooMuchMemoryError:
        text = f"the {name} file needs more memory than archive_memory: {allowance.memory}"
        return Unreadable(text, "compress it with -9 at most, or send it as .zip or .gz")


def without_ending(name: str, compression: Compression) -> str:
    """What a file is called when it is decompressed."""
    ending = compression.value[1]
    if name.lower().endswith(".t" + ending[1:]):  # .tgz, .tbz2, .txz
        return name[: -len(ending) - 1] + ".tar"
    return name[: -len(ending)] if name.lower().endswith(ending) else name


def bounded(pieces: Iterator[bytes], compressed: int, allowance: Allowance) -> bytes | Unreadable:
    """The pieces joined, or the limit they go beyond."""
    by_ratio = max(_SMALL, compressed * allowance.ratio)
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > allowance.size:
            return Unreadable("the mail unfolds to more bytes than mail_unpacked allows", "send fewer lines per mail")
        if size > by_ratio:
            text = f"it unfolds to more than archive_ratio: {allowance.ratio} times its size"
            return Unreadable(text, "send it without compression")
    return b"".join(kept)


_Opened = tuple[_Stream, Callable[[bytes], Iterator[bytes]]]
_Opener = Callable[[int], _Opened]


def _pieces(data: bytes, opener: _Opener, memory: int) -> Iterator[bytes]:
    """The content in pieces. Raises EOFError when it is cut off."""
    position = 0
    for _ in range(_MOST_STREAMS):
        stream, drained = opener(memory)
        while not stream.eof:
            chunk = data[position : position + _FEED]
            if not chunk:
                raise EOFError
            position += len(chunk)
            yield from drained(chunk)
        position -= len(stream.unused_data)
        if position == len(data) or (data[position] == 0 and not data[position:].strip(b"\0")):
            return
    raise _DamagedError


def _open_gzip(_memory: int) -> _Opened:
    stream = zlib.decompressobj(wbits=31)

    def drained(chunk: bytes) -> Iterator[bytes]:
        try:
            while piece := stream.decompress(chunk, _PIECE):
                yield piece
                # Then the rest of the chunk is another stream's, and not to be fed to this one again.
                if stream.eof:
                    return
                chunk = stream.unconsumed_tail
        except zlib.error:
            raise _DamagedError from None

    return stream, drained


def _open_bzip2(_memory: int) -> _Opened:
    from bz2 import BZ2Decompressor

    stream = BZ2Decompressor()

    def drained(chunk: bytes) -> Iterator[bytes]:
        try:
            yield stream.decompress(chunk, _PIECE)
            while not (stream.eof or stream.needs_input):
                yield stream.decompress(b"", _PIECE)
        except (OSError, ValueError):
            raise _DamagedError from None

    return stream, drained


def _open_xz(memory: int) -> _Opened:
    import lzma

    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory)

    def drained(chunk: bytes) -> Iterator[bytes]:
        try:
            yield stream.decompress(chunk, _PIECE)
            while not (stream.eof or stream.needs_input):
                yield stream.decompress(b"", _PIECE)
        except lzma.LZMAError as error:
            if "emory usage limit" in str(error):
                raise _TooMuchMemoryError from None
            raise _DamagedError from None
        except (EOFError, MemoryError):
            raise _DamagedError from None

    return stream, drained


_OPENERS: dict[Compression, _Opener] = {
    Compression.GZIP: _open_gzip,
    Compression.BZIP2: _open_bzip2,
    Compression.XZ: _open_xz,
}
