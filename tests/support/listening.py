"""A listener in a thread of the tests' own process, on loopback, and clients of it by hand.

Limits are made small, so that a test waits only for what it is about: nothing here measures time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading

from mailsync.client.link import connect
from mailsync.client.way import DIRECT
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.admission import Limits
from mailsync.server.listener import Listener
from mailsync.server.log import Log
from mailsync.server.ring import RingFile
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.events import ClientEvent, Connected
from mailsync.wire.keys import Token, new_client_key, new_ring

RING = new_ring(b"S" * 32)
KEY = new_client_key(RING, "site", b"K" * 32)
TOKEN = Token("filter", b"t" * 32)
SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PATIENCE = 60  # seconds after which a test that waits for something fails


class Served:
    """A listener in a thread: its address, its log, and how to stop it."""

    def __init__(self, store, ring: RingFile, limits: Limits, outside=None) -> None:
        self.log: list[str] = []
        self._outside = outside
        self._ready = threading.Event()
        self._ring, self._limits = ring, limits
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(store),))
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    async def _serve(self, store) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        listener = Listener(store, self._ring, log=Log(self.log.append), limits=self._limits, outside=self._outside)
        self.address = await listener.start("127.0.0.1:0")
        self._ready.set()
        await self._told.wait()
        await listener.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._told.set)
            self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def socket(self) -> socket.socket:
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE)

    def link(self, key=KEY, token=TOKEN, way=DIRECT):
        return connect(self.address, key, token, random=os.urandom, deadline_seconds=PATIENCE, way=way)

    def ends(self) -> list[str]:
        """How the connections ended, in order; once the server is stopped, all of them."""
        return [line.rpartition("end=")[2] for line in self.log if " event=connection " in line]


class Talker:
    """A client by hand: a session and its socket, one step at a time."""

    def __init__(self, served: Served, token: Token | None) -> None:
        self.socket = served.socket()
        self.session = ClientSession(key=KEY, token=token, random=os.urandom(RANDOM_BYTES))
        self.socket.sendall(self.session.start())
        assert isinstance(self.event(), Connected)

    def event(self) -> ClientEvent:
        return self.events()[0]

    def events(self) -> list[ClientEvent]:
        events: list[ClientEvent] = []
        while not events:
            data = self.socket.recv(2**16)
            assert data, "the server hung up"
            events = self.session.receive_data(data)
        return events

    def log_in(self) -> Talker:
        self.socket.sendall(self.session.send_auth())
        self.event()
        assert self.session.logged_in
        return self

    def ping(self) -> ClientEvent:
        self.socket.sendall(self.session.send_ping()[1])
        return self.event()


def ended(connection: socket.socket) -> bytes:
    """What came until the server closed."""
    received = b""
    try:
        while data := connection.recv(2**16):
            received += data
    except ConnectionResetError:
        pass
    return received
