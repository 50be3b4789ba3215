"""A bad network on loopback: a TCP proxy of our own, between a client and a server, that harms one byte of the way.

A fault strikes when byte `at` of a direction would pass, the first being 0. Bytes are counted as they come from their
sender, so a conversation of known lengths can be harmed at every one of its bytes.

fin, rst     nothing more passes in either direction; both ends see the end, or a reset
stall        nothing more passes in this direction, and nobody is told
drop         this byte and up to 15 behind it are lost, as long as they came together
duplicate    the same bytes pass twice
swap         the first half of them and the second change places; a byte alone waits for the next one
hold         this byte and all behind it pass a moment later

No fault of TCP does the last four to a stream: these are what somebody in the middle does. The proxy also counts how
often the direction changes, which is what a client waits for, and delays everything where it is to be a long link.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, Self

CHUNK = 16
HELD_SECONDS = 0.01
_RESET = struct.pack("ii", 1, 0)


class Kind(StrEnum):
    """What happens to a byte."""

    FIN = "fin"
    RST = "rst"
    STALL = "stall"
    DROP = "drop"
    DUPLICATE = "duplicate"
    SWAP = "swap"
    HOLD = "hold"


CUTS = (Kind.FIN, Kind.RST)
UP, DOWN = "up", "down"


class Fault(NamedTuple):
    """What happens to byte `at` of a direction."""

    kind: Kind
    direction: str
    at: int


class Network:
    """A proxy in front of `address`. `fault` and `delay` (seconds each way) are those of connections from now on."""

    def __init__(self, address: str, fault: Fault | None = None, *, delay: float = 0.0) -> None:
        self.fault = fault
        self.delay = delay
        self.passed: list[Passed] = []
        self._address = _parsed(address)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes nobody in any more, and waits until all have gone."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.wait()

    def wait(self) -> None:
        """Returns when both directions of every connection have ended."""
        while len(self._threads) > 1:
            self._threads.pop().join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._address)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = _Line(client, server, self.fault, self.delay)
            self.passed.append(line.passed)
            for direction in (UP, DOWN):
                thread = threading.Thread(target=line.run, args=(direction,))
                thread.start()
                self._threads.append(thread)


class Passed:
    """What passed on one connection: bytes of each direction, and the pieces of them in the order they came."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, int]] = []

    def count(self, direction: str) -> int:
        """Bytes of one direction."""
        return sum(size for way, size in self.pieces if way == direction)

    @property
    def round_trips(self) -> int:
        """How often the client waited for the server: TCP's own round trip, and each answer to what it said."""
        ways = [way for way, _ in self.pieces]
        return 1 + sum(one == UP and other == DOWN for one, other in itertools.pairwise(ways))

    def edges(self, direction: str) -> list[int]:
        """Where pieces of a direction begin and end: the bytes at which the network's own way of cutting lies."""
        found = [0]
        for way, size in self.pieces:
            if way == direction:
                found.append(found[-1] + size)
        return found


class _Line:
    """One connection through the proxy, one thread for each direction."""

    def __init__(self, client: socket.socket, server: socket.socket, fault: Fault | None, delay: float) -> None:
        self.passed = Passed()
        self._ends = {UP: (client, server), DOWN: (server, client)}
        self._fault = fault
        self._delay = delay
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._left = 2
        self._broken = False

    def run(self, direction: str) -> None:
        """Carries one direction until its end, or that of the line."""
        source, target = self._ends[direction]
        fault = self._fault if self._fault is not None and self._fault.direction == direction else None
        try:
            if not self._carry(source, target, direction, _Harm(fault)):
                self._cut(reset=fault is not None and fault.kind is Kind.RST)
            elif not self._broken:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self._cut(reset=False)  # one end is gone: so is the other
        finally:
            with self._lock:
                self._left -= 1
                last = not self._left
            if last:
                source.close()
                target.close()

    def _carry(self, source: socket.socket, target: socket.socket, direction: str, harm: _Harm) -> bool:
        """Carries all there is; False when it was cut."""
        for piece in self._pieces(source, direction):
            for data in harm.done_to(piece):
                target.sendall(data)
            if harm.cuts:
                return False
        return True

    def _pieces(self, source: socket.socket, direction: str) -> Iterator[bytes]:
        """What comes, noted in the order in which it came, each piece once it has been on its way long enough."""
        if not self._delay:
            while data := source.recv(2**16):
                self._note(direction, data)
                yield data
            return
        # On loopback TCP connects at once: its own round trip is what the first piece is late.
        open_from = self._began + (3 if direction == UP else 0) * self._delay
        waiting: deque[tuple[float, bytes]] = deque()
        readable = select.poll()
        readable.register(source, select.POLLIN)
        while True:
            seconds = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            if readable.poll(None if seconds is None else seconds * 1000):
                data = source.recv(2**16)
                self._note(direction, data)
                waiting.append((max(open_from, time.monotonic() + self._delay), data))
                if not data:
                    readable.unregister(source)
            while waiting and waiting[0][0] <= time.monotonic():
                _, data = waiting.popleft()
                if not data:
                    return
                yield data

    def _note(self, direction: str, data: bytes) -> None:
        if data:
            with self._lock:
                self.passed.pieces.append((direction, len(data)))

    def _cut(self, *, reset: bool) -> None:
        self._broken = True
        for one in self._ends[UP]:
            with contextlib.suppress(OSError):
                if reset:  # sent when it is closed; until then the other thread only has to wake up
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)


class _Harm:
    """A fault as it is done to the pieces of its direction."""

    def __init__(self, fault: Fault | None) -> None:
        self.cuts = False
        self._fault = fault
        self._seen = 0
        self._waiting = b""
        self._stalled = False

    def done_to(self, piece: bytes) -> Iterator[bytes]:
        """What passes instead of the piece, in its order."""
        if self._fault is None:
            yield piece
            return
        at = self._fault.at - self._seen
        self._seen += len(piece)
        if self._waiting:
            yield piece[:1] + self._waiting + piece[1:]
            self._waiting = b""
        elif self._stalled or not 0 <= at < len(piece):
            yield b"" if self._stalled else piece
        else:
            yield piece[:at]
            yield from self._struck(piece[at : at + CHUNK], piece[at + CHUNK :])

    def _struck(self, here: bytes, rest: bytes) -> Iterator[bytes]:
        assert self._fault is not None
        match self._fault.kind:
            case Kind.FIN | Kind.RST:
                self.cuts = True
            case Kind.STALL:
                self._stalled = True
            case Kind.DROP:
                yield rest
            case Kind.DUPLICATE:
                yield here + here + rest
            case Kind.SWAP if len(here) == 1:
                self._waiting = here
            case Kind.SWAP:
                half = len(here) // 2
                yield here[half:] + here[:half] + rest
            case Kind.HOLD:
                time.sleep(HELD_SECONDS)
                yield here + rest


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
