"""Frames: sizes, padding, and the rule that what was sealed once is opened once, whole and in order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire import limits
from mailsync.wire.compression import Method
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.frames import AFTER_LOGIN, BEFORE_LOGIN, FrameReader, Message, padded, seal
from mailsync.wire.messages import Kind
from mailsync.wire.noise import Cipher

KEY = b"k" * 32
SIZES = [0, 1, 241, 242, 243, 65_505, 65_506, 65_519, 65_536, 131_038, 200_000, limits.MESSAGE_WIRE]


def message(body=b"", kind=Kind.PAGE, request=1):
    return Message(kind, Method.NONE, request, body, len(body))


def read(data, bounds=AFTER_LOGIN):
    reader = FrameReader(Cipher(KEY))
    reader.feed(data)
    return reader.next_message(bounds)


def raw(plain):
    """Frames of any plaintext, cut as the rule says."""
    cipher = Cipher(KEY)
    cuts = range(0, len(plain), limits.FRAME_PLAIN)
    frames = [cipher.seal(plain[start : start + limits.FRAME_PLAIN]) for start in cuts]
    return b"".join(len(one).to_bytes(2, "big") + one for one in frames)


def head(*, kind=Kind.PAGE, flags=0, request=1, wire=0, inflated=None):
    return struct.pack(">BBIII", kind, flags, request, wire, wire if inflated is None else inflated)


@pytest.mark.parametrize("size", SIZES)
def test_a_message_comes_back_in_frames_that_are_full_but_the_last(size):
    sent = message(bytes(range(256)) * (size // 256) + bytes(size % 256))
    data = seal(Cipher(KEY), sent)
    assert read(data) == sent
    total, lengths = padded(14 + size), []
    while data:
        (length,) = struct.unpack_from(">H", data)
        lengths.append(length - 16)
        data = data[2 + length :]
    assert sum(lengths) == total
    assert set(lengths[:-1]) <= {limits.FRAME_PLAIN}


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, 0),
        (1, 256),
        (256, 256),
        (257, 512),
        (65_535, 65_536),
        (65_536, 65_536),
        (65_537, 67_584),
        (10**6, 1_015_808),
    ],
)
def test_padding_is_a_multiple_of_256_and_padme_above_64_kib(length, expected):
    assert padded(length) == expected


@settings(deadline=None)
@given(st.integers(1, limits.MESSAGE_WIRE + 14))
def test_padding_costs_less_than_256_bytes_or_7_percent(length):
    assert length <= padded(length) < length + max(256, 0.07 * length)
    assert padded(padded(length)) == padded(length)


def test_bye_is_one_frame_without_padding():
    bye = message(b"{}", Kind.BYE, 0)
    data = seal(Cipher(KEY), bye)
    assert len(data) == 2 + 14 + 2 + 16
    assert read(data) == bye


def test_a_short_frame_is_refused_before_it_is_opened():
    for length in range(17):
        with pytest.raises(RemoteProtocolError, match="too short"):
            read(struct.pack(">H", length))


def test_a_frame_shorter_than_a_header_is_refused():
    with pytest.raises(RemoteProtocolError, match="header"):
        read(raw(bytes(13)))


@pytest.mark.parametrize(
    "plain", [head() + bytes(241), head() + bytes(243), head() + bytes(498), head(kind=Kind.BYE) + b"\0"]
)
def test_another_padding_than_the_rules_is_refused(plain):
    with pytest.raises(RemoteProtocolError, match="as long as"):
        read(raw(plain))


@pytest.mark.parametrize("at", [14, 15, 255])
def test_padding_that_is_not_zero_is_refused(at):
    plain = bytearray((head()).ljust(256, b"\0"))
    plain[at] = 1
    with pytest.raises(RemoteProtocolError, match="zeros"):
        read(raw(bytes(plain)))


def test_a_frame_in_the_middle_that_is_not_full_is_refused_at_its_length():
    cipher = Cipher(KEY)
    data = seal(cipher, message(bytes(200_000)))
    first = data[: 2 + 65_535]
    for length in (65_534, 100):
        with pytest.raises(RemoteProtocolError, match="as long as"):
            read(first + struct.pack(">H", length))


def test_a_first_frame_that_is_not_full_is_refused():
    plain = head(wire=200_000) + bytes(500)
    with pytest.raises(RemoteProtocolError, match="as long as"):
        read(raw(plain))


@pytest.mark.parametrize(
    ("header", "bounds"),
    [
        (head(wire=limits.MESSAGE_WIRE + 1), AFTER_LOGIN),
        (head(wire=2**32 - 1), AFTER_LOGIN),
        (head(flags=1, wire=5, inflated=limits.MESSAGE_INFLATED + 1), AFTER_LOGIN),
        (head(kind=Kind.BYE, wire=limits.BYE_BYTES + 1), AFTER_LOGIN),
        (head(wire=limits.LOGIN_BYTES + 1), BEFORE_LOGIN),
    ],
    ids=["wire", "u32", "inflated", "bye", "before login"],
)
def test_a_message_over_a_limit_is_refused_from_its_header_alone(header, bounds):
    with pytest.raises(RemoteProtocolError) as caught:
        read(raw(header.ljust(limits.FRAME_PLAIN, b"\0")), bounds)
    assert caught.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("flags", [3, 4, 128])
def test_flags_of_another_version_are_refused(flags):
    with pytest.raises(RemoteProtocolError, match="flags"):
        read(raw(head(flags=flags).ljust(256, b"\0")))


def test_lengths_of_an_uncompressed_body_must_agree():
    with pytest.raises(RemoteProtocolError, match="differ"):
        read(raw(head(wire=3, inflated=4).ljust(256, b"\0")))


def test_nothing_is_compressed_before_the_login():
    with pytest.raises(RemoteProtocolError, match="before the login"):
        read(raw(head(flags=1, wire=3, inflated=4).ljust(256, b"\0")), BEFORE_LOGIN)


def test_what_is_too_long_does_not_leave():
    with pytest.raises(LocalProtocolError):
        seal(Cipher(KEY), message(bytes(limits.MESSAGE_WIRE + 1)))


def frames(data):
    found = []
    while data:
        (length,) = struct.unpack_from(">H", data)
        found.append(data[: 2 + length])
        data = data[2 + length :]
    return found


def stream():
    """Three messages of one, three and one frames."""
    cipher = Cipher(KEY)
    sent = [message(b"one"), message(bytes(150_000), request=2), message(b"three", request=3)]
    return frames(b"".join(seal(cipher, one) for one in sent)), sent


def whole_messages(data):
    """The messages before the first error, and whether there was one."""
    reader = FrameReader(Cipher(KEY))
    reader.feed(data)
    found = []
    try:
        while (one := reader.next_message(AFTER_LOGIN)) is not None:
            found.append(one)
    except RemoteProtocolError:
        return found, True
    return found, False


@pytest.mark.parametrize("at", range(4))
def test_swapped_frames_are_refused(at):
    cut, sent = stream()
    cut[at], cut[at + 1] = cut[at + 1], cut[at]
    found, failed = whole_messages(b"".join(cut))
    assert failed
    assert found == sent[: 0 if at == 0 else 1 if at < 4 else 2]


@pytest.mark.parametrize("at", range(5))
def test_a_repeated_frame_is_refused(at):
    cut, sent = stream()
    found, failed = whole_messages(b"".join([*cut[: at + 1], *cut[at:]]))
    assert failed
    assert found == sent[: (1, 1, 1, 2, 3)[at]]


@pytest.mark.parametrize("at", range(5))
def test_a_dropped_frame_is_noticed(at):
    cut, sent = stream()
    found, failed = whole_messages(b"".join([*cut[:at], *cut[at + 1 :]]))
    assert failed or at == 4  # the end alone is for BYE to protect
    assert found == sent[: (0, 1, 1, 1, 2)[at]]
