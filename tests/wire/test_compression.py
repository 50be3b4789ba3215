"""Compression: round trips, and nothing that inflates to more, or less, or something else than announced."""

from __future__ import annotations

import sys
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire.compression import Method, available, choose, compress, inflate
from mailsync.wire.errors import RemoteProtocolError

METHODS = [Method.DEFLATE, Method.ZSTD]


@settings(deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(list(Method)))
def test_a_body_comes_back(body, method):
    used, packed = compress(method, body)
    assert inflate(used, packed, len(body)) == body
    assert len(packed) <= len(body)


def test_deflate_is_zlib_at_level_9():
    body = b"tape " * 100
    assert compress(Method.DEFLATE, body) == (Method.DEFLATE, zlib.compress(body, 9))


@pytest.mark.parametrize("method", METHODS)
def test_every_truncation_is_refused(method):
    body = bytes(range(256)) * 4
    _, packed = compress(method, body)
    for length in range(len(packed)):
        with pytest.raises(RemoteProtocolError):
            inflate(method, packed[:length], len(body))


@pytest.mark.parametrize("method", METHODS)
def test_whatever_follows_is_refused(method):
    body = bytes(1000)
    _, packed = compress(method, body)
    for more in (b"\0", packed):
        with pytest.raises(RemoteProtocolError):
            inflate(method, packed + more, len(body))


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("size", [0, 999, 1001, 2**24])
def test_another_length_than_announced_is_refused(method, size):
    used, packed = compress(method, bytes(1000))
    with pytest.raises(RemoteProtocolError):
        inflate(used, packed, size)


def bomb(method):
    """128 MiB of zeros in some kilobytes, made without holding them."""
    packer = zlib.compressobj(9) if method is Method.DEFLATE else zstandard.ZstdCompressor(level=3).compressobj()
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(128)) + packer.flush()


@pytest.mark.parametrize("method", METHODS)
def test_a_bomb_is_refused_within_the_memory_it_announced(method):
    packed = bomb(method)
    tracemalloc.start()
    with pytest.raises(RemoteProtocolError):
        inflate(method, packed, 2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_zstd_bomb_that_lies_about_its_content_is_refused():
    packed = bytearray(zstandard.ZstdCompressor(level=3).compress(bytes(2**24)))
    claimed = zstandard.get_frame_parameters(bytes(packed)).content_size
    at = bytes(packed).index(claimed.to_bytes(4, "little"))
    packed[at : at + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(RemoteProtocolError):
        inflate(Method.ZSTD, bytes(packed), 1000)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 5000), st.sampled_from(METHODS))
def test_any_bytes_are_inflated_or_refused(packed, size, method):
    try:
        assert len(inflate(method, packed, size)) == size
    except RemoteProtocolError:
        return


def test_zstd_needs_both_ends(monkeypatch):
    assert available() == ("zstd", "deflate")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert available() == ("deflate",)
    assert choose(("zstd", "deflate"), ("zstd", "deflate")) is Method.ZSTD
    assert choose(("deflate",), ("zstd", "deflate")) is Method.DEFLATE
    assert choose(("zstd",), ("deflate",)) is Method.DEFLATE
    assert choose((), ("zstd", "deflate")) is Method.DEFLATE
