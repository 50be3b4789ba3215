"""The bodies of SCOPES_OK and STATS_OK: what there is, and how much of it, as columns.

    SCOPES_OK   u8 1 | u8 more | epoch 16 | table: 0 scope, 1 description, 2 version, 3 volumes, 4 repositories version
    STATS_OK    u8 1 | u64 time | u64 volumes | u64 characters | table of repositories: 0 id, 1 volumes
                | table of flags: 0 letter, 1 volumes

SCOPES asks for the scopes after one by name; `more` says that there are others after the last of these.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.model import Scope
from mailsync.wire import limits
from mailsync.wire.columns import encode_table, read_table
from mailsync.wire.encodings import encode_numbers, encode_texts
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.reader import Reader, encode_number, read_scope


class ScopeFigures(NamedTuple):
    """A scope, the version it is at, how many volumes it has, and the version of its table of repositories."""

    scope: Scope
    description: str
    version: int
    volumes: int
    repositories_version: int


class ScopeList(NamedTuple):
    """A SCOPES_OK: scopes in ascending order, of the life of the store named by its 16-byte epoch."""

    epoch: bytes
    scopes: tuple[ScopeFigures, ...]
    more: bool = False


class ScopeStats(NamedTuple):
    """A STATS_OK: volumes in all, by repository and by flag, the characters of their values, the server's Unix time."""

    time: int
    volumes: int
    characters: int
    repositories: tuple[tuple[str, int], ...]
    flags: tuple[tuple[str, int], ...]


def encode_scopes(found: ScopeList) -> bytes:
    """The body of a SCOPES_OK. LocalProtocolError when it cannot travel."""
    scopes = found.scopes
    if len(scopes) > limits.SCOPES or len(found.epoch) != 16:
        raise LocalProtocolError(f"a list has an epoch of 16 bytes and at most {limits.SCOPES} scopes")
    columns = {
        0: encode_texts([str(one.scope) for one in scopes]),
        1: encode_texts([one.description for one in scopes]),
        2: encode_numbers([one.version for one in scopes]),
        3: encode_numbers([one.volumes for one in scopes]),
        4: encode_numbers([one.repositories_version for one in scopes]),
    }
    return bytes((1, found.more)) + found.epoch + encode_table(len(scopes), columns)


def decode_scopes(body: bytes) -> ScopeList:
    """The SCOPES_OK in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    form, more = reader.take(2)
    if form != 1 or more > 1:
        raise RemoteProtocolError("not a list of scopes of this version")
    epoch = reader.take(16)
    table = read_table(reader, limits.SCOPES)
    reader.finish()
    scopes = map(read_scope, table.texts(0))
    found = map(ScopeFigures, scopes, table.texts(1), *(table.integers(column) for column in (2, 3, 4)))
    return ScopeList(epoch, tuple(found), bool(more))


def encode_stats(stats: ScopeStats) -> bytes:
    """The body of a STATS_OK. LocalProtocolError when it cannot travel."""
    if max(len(stats.repositories), len(stats.flags)) > limits.REPOSITORIES:
        raise LocalProtocolError(f"a scope has at most {limits.REPOSITORIES} repositories and flags")
    figures = (stats.time, stats.volumes, stats.characters)
    return b"".join(
        (b"\1", *map(encode_number, figures), _encode_counts(stats.repositories), _encode_counts(stats.flags))
    )


def decode_stats(body: bytes) -> ScopeStats:
    """The STATS_OK in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    if reader.byte() != 1:
        raise RemoteProtocolError("not figures of this version")
    time, volumes, characters = (reader.number() for _ in range(3))
    repositories, flags = _decode_counts(reader), _decode_counts(reader)
    reader.finish()
    return ScopeStats(time, volumes, characters, repositories, flags)


def _encode_counts(counts: tuple[tuple[str, int], ...]) -> bytes:
    columns = {0: encode_texts([name for name, _ in counts]), 1: encode_numbers([count for _, count in counts])}
    return encode_table(len(counts), columns)


def _decode_counts(reader: Reader) -> tuple[tuple[str, int], ...]:
    table = read_table(reader, limits.REPOSITORIES)
    return tuple(zip(table.texts(0), table.integers(1), strict=True))
