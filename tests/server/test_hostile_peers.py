"""Peers that mean harm, against a real listener: bombs, trickles, floods, and what a connection may cost in memory."""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import zstandard
from listening import KEY, PATIENCE, SCOPE, TOKEN, Talker, ended

from mailsync.core.cursor import Cursor
from mailsync.server.admission import Admission, Limits
from mailsync.server.store import LoadRow
from mailsync.wire import limits as wire_limits
from mailsync.wire.client_session import ClientSession
from mailsync.wire.compression import Method
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code
from mailsync.wire.events import Connected, ErrorReceived, PongReceived
from mailsync.wire.frames import Message, seal
from mailsync.wire.messages import Kind, Sync

MIB = 2**20


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


def sealed(talker, kind, method, body, inflated):
    """The bytes of a message as no session of ours would send it."""
    return seal(talker.session._channel._cipher, Message(kind, method, 1, body, inflated))


def zeros(method, mebibytes):
    """So many MiB of zeros, compressed without ever being there as a whole."""
    packer = zlib.compressobj(9) if method is Method.DEFLATE else zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mebibytes)) + packer.flush()


def stated(mebibytes):
    """The same as one zstd frame that states its size, as a body must."""
    return zstandard.ZstdCompressor(level=3).compress(bytes(mebibytes * MIB))


@pytest.mark.parametrize(
    "bomb",
    [
        (Kind.APPLY, Method.DEFLATE, zeros(Method.DEFLATE, 256), MIB),
        (Kind.APPLY, Method.ZSTD, zeros(Method.ZSTD, 256), MIB),
        (Kind.APPLY, Method.ZSTD, stated(64), MIB),
        (Kind.SYNC, Method.DEFLATE, zeros(Method.DEFLATE, 16), 16 * MIB),  # within a message, beyond a JSON body
        (Kind.APPLY, Method.ZSTD, stated(16), 16 * MIB),  # all that a message may be, and nothing of a batch
    ],
)
def test_a_bomb_costs_the_server_what_a_message_may_and_ends_one_connection(serve, talk, bomb):
    kind, method, body, claimed = bomb
    served = serve()
    other, talker = talk(served).log_in(), talk(served).log_in()
    data = sealed(talker, kind, method, body, claimed)
    tracemalloc.start()
    try:
        talker.socket.sendall(data)
        event = talker.event()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(event, ErrorReceived)
    assert event.request == 0
    assert event.failure.code in (Code.MALFORMED, Code.TOO_LARGE)
    assert peak < 2 * claimed + 2 * len(body) + MIB
    assert ended(talker.socket) == b""
    assert isinstance(other.ping(), PongReceived)


def test_what_would_inflate_beyond_a_message_is_refused_before_its_body_comes(serve, talk):
    talker = talk(serve()).log_in()
    plain = bytearray(wire_limits.FRAME_PLAIN)
    plain[:14] = struct.pack(
        ">BBIII", Kind.APPLY, Method.DEFLATE, 1, wire_limits.MESSAGE_WIRE, wire_limits.MESSAGE_INFLATED + 1
    )
    first = talker.session._channel._cipher.seal(bytes(plain))
    talker.socket.sendall(len(first).to_bytes(2, "big") + first)
    assert talker.event().failure.code == Code.TOO_LARGE


def test_a_client_may_send_a_byte_at_a_time(serve, talk):
    talker = talk(serve(), token=None)
    talker.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in talker.session.send_ping()[1]:
        talker.socket.sendall(bytes((byte,)))
    assert isinstance(talker.event(), PongReceived)


def test_a_message_that_trickles_in_is_ended_though_it_is_never_silent(serve, talk):
    served = serve(idle=1, frame=PATIENCE)
    talker = talk(served).log_in()
    data = sealed(talker, Kind.APPLY, Method.NONE, bytes(MIB), MIB)
    talker.socket.settimeout(0.02)
    events, sent, deadline = [], 0, time.monotonic() + PATIENCE
    while not events:
        assert time.monotonic() < deadline
        talker.socket.sendall(data[sent : sent + 1])
        sent += 1
        try:
            events = talker.session.receive_data(talker.socket.recv(2**16))
        except TimeoutError:
            continue
    assert events[0].failure.code == Code.TIMEOUT
    served.stop()
    assert served.ends() == ["timeout"]


def test_a_message_that_takes_long_but_goes_on_is_waited_for(serve, talk):
    """Each 64 KiB have the time that silence between messages has, so a slow line is no offence."""
    talker = talk(serve(idle=5, frame=5)).log_in()
    data = sealed(talker, Kind.APPLY, Method.NONE, bytes(MIB), MIB)
    for start in range(0, len(data), 2**15):
        talker.socket.sendall(data[start : start + 2**15])
        time.sleep(0.02)
    assert talker.event().failure.code == Code.MALFORMED, "it was read to its end"


@pytest.mark.parametrize("said", [b"", b"M", b"MSYN\x01", b"MSYN\x01\x02\x04site\x00\xff"])
def test_who_trickles_before_the_login_is_ended_by_the_one_deadline_of_the_login(serve, said):
    served = serve(login=1, frame=PATIENCE, idle=PATIENCE)
    with served.socket() as trickling:
        trickling.sendall(said)
        trickling.settimeout(0.05)
        while True:
            try:
                assert trickling.recv(2**16) == b""
            except TimeoutError:
                trickling.sendall(b"\0" * (len(said) > 10))  # the middle of the handshake message
            except ConnectionError:
                break
            else:
                break
    served.stop()
    assert served.ends() == ["timeout"]


def test_a_client_that_reads_a_byte_now_and_then_is_dropped_as_one_that_reads_nothing(serve, library, talk):
    letters = random.Random(1)
    texts = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=250)) for _ in range(4096)]
    library.load(("description",), [LoadRow(SCOPE, f"B{at:05}", (text,), 0) for at, text in enumerate(texts)])
    served = serve(stall=1, drain=1024)
    talker = Talker(_Narrow(served), TOKEN).log_in()
    for _ in range(wire_limits.OUTSTANDING):
        talker.socket.sendall(talker.session.send_sync(Sync(SCOPE, Cursor()))[1])
    deadline = time.monotonic() + PATIENCE
    with talker.socket as reading:
        while not served.ends():
            assert time.monotonic() < deadline
            reading.recv(1)
            time.sleep(0.02)
    assert served.ends() == ["stalled"]


class _Narrow:
    """A client whose system takes little ahead of it."""

    def __init__(self, served) -> None:
        self._address = served.address

    def socket(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect((host, int(port)))
        return connection


class _From:
    """A client at another address of this machine."""

    def __init__(self, served, source: str) -> None:
        self._address, self._source = served.address, source

    def socket(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE, source_address=(self._source, 0))


def test_thousands_of_half_open_connections_cost_the_flood_and_a_right_client_gets_in(serve):
    count = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 200)
    served = serve(login=PATIENCE)
    flooding = _From(served, "127.0.0.2")
    with ExitStack() as stack:
        for number in range(count):
            half_open = stack.enter_context(flooding.socket())
            if number % 2:
                half_open.sendall(b"MSYN\x01\x02\x04si")
            if number % 500 == 250:
                beside = Talker(_From(served, "127.0.0.3"), TOKEN).log_in()
                stack.enter_context(beside.socket)
        late = Talker(_From(served, "127.0.0.3"), TOKEN).log_in()
        stack.enter_context(late.socket)
        assert isinstance(late.ping(), PongReceived)
        assert isinstance(beside.ping(), PongReceived), "who has logged in stays"
    served.stop()
    ends = served.ends()
    assert ends.count("dropped") >= count - 64
    assert len(ends) == count + len(range(250, count, 500)) + 1


def test_a_burst_of_connections_is_let_in_one_by_one_so_that_who_comes_last_finds_room(serve):
    served = serve(connections=100, newcomers=20, login=PATIENCE)
    with ExitStack() as stack:
        held, let_go = threading.Event(), threading.Event()
        served._loop.call_soon_threadsafe(lambda: held.set() or let_go.wait(PATIENCE))
        assert held.wait(PATIENCE)
        for _ in range(300):
            stack.enter_context(served.socket())
        right = _From(served, "127.0.0.3").socket()
        stack.enter_context(right)
        session = ClientSession(key=KEY, token=TOKEN, random=os.urandom(RANDOM_BYTES))
        right.sendall(session.start())
        let_go.set()
        assert isinstance(session.receive_data(right.recv(2**16))[0], Connected)
    served.stop()
    assert served.ends().count("dropped") >= 280


def memory_of(process) -> int:
    """Bytes of a process that are in memory."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_a_connection_costs_little_while_it_is_idle_and_what_it_has_sent_while_it_has_sent_half(site):
    """docs/server.md: 64 KiB for a connection, and the message it is sending."""
    idle, half, sent = 100, 10, MIB
    with site.running() as process, ExitStack() as stack:

        def idling(count):
            links = []
            for _ in range(count):
                links.append(stack.enter_context(site.link(process)))
                links[-1].ping()
            return links

        idling(30)  # what is made once is there now
        before = memory_of(process)
        links = idling(idle)
        each = (memory_of(process) - before) / idle
        assert each < 64 * 2**10
        before = memory_of(process)
        for link in links[:half]:
            data = seal(link._session._channel._cipher, Message(Kind.APPLY, Method.NONE, 2, bytes(2 * sent), 2 * sent))
            link._line.send(data[:sent])
        idling(1)  # by now the server has read what came before
        each = (memory_of(process) - before) / half
        assert each < 1.5 * sent + 256 * 2**10
        assert each > sent / 2, "the other half is not waited for in vain: something was measured"


def test_a_newcomer_that_is_dropped_has_given_its_place_up_before_it_is_gone():
    dropped: list[int] = []
    admission = Admission(Limits(connections=3, newcomers=2))
    drops = [partial(dropped.append, number) for number in range(100)]
    assert all(admission.enter(drop, "192.0.2.7") for drop in drops)
    assert dropped == list(range(98))
    for drop in drops:
        admission.leave(drop)
    assert all(admission.enter(drop, "192.0.2.7") for drop in drops[:2])
