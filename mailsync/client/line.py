"""A blocking socket with a deadline that counts its bytes. What goes wrong with it is an UnreachableError.

Every call of a link sets a new deadline; within it each read and write waits for what is left. A proxy and TLS on the
way (way.py) are inside the first one, and their own bytes are not counted.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from mailsync.client.way import DIRECT, Way
from mailsync.core.errors import UnreachableError, UsageError

_CHUNK = 2**18
UNHURT = "nothing is lost; a batch that was recorded is not applied twice"


class Line:
    """A connection to `address`. `sent` and `received` count application bytes."""

    def __init__(self, address: str, deadline_seconds: float, clock: Callable[[], float], way: Way = DIRECT) -> None:
        self.address = address
        self.sent = 0
        self.received = 0
        self._clock = clock
        self._seconds = deadline_seconds
        self._until = 0.0
        self.renew()
        self._socket = self._connected(way)

    def now(self) -> float:
        """Seconds, as this connection counts them."""
        return self._clock()

    def renew(self) -> None:
        """Starts the deadline anew."""
        self._until = self._clock() + self._seconds

    def send(self, data: bytes) -> None:
        """Sends everything."""
        self._socket.settimeout(self._left())
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._unreachable(error) from error
        self.sent += len(data)

    def receive(self) -> bytes:
        """The next bytes, none at the end."""
        self._socket.settimeout(self._left())
        try:
            data = self._socket.recv(_CHUNK)
        except ConnectionResetError:
            return b""
        except OSError as error:
            raise self._unreachable(error) from error
        self.received += len(data)
        return data

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _connected(self, way: Way) -> socket.socket:
        host, port = parse_address(self.address)
        at = (way.proxy.host, way.proxy.port) if way.proxy else (host, port)
        try:
            connected = socket.create_connection(at, timeout=self._left())
        except OSError as error:
            raise self._unreachable(error, through=f"proxy {at[0]}:{at[1]}" if way.proxy else "") from error
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if way.proxy is not None:
                from mailsync.client.proxy import tunnel

                tunnel(connected, way.proxy, self.address, self._left)
            if way.tls is not None:
                from mailsync.client.tls import inside_tls

                connected.settimeout(self._left())
                connected = inside_tls(connected, way.tls, self.address, host)
        except OSError as error:
            connected.close()
            raise self._unreachable(error) from error
        except BaseException:
            connected.close()
            raise
        return connected

    def _left(self) -> float:
        left = self._until - self._clock()
        if left <= 0:
            raise self._unreachable(TimeoutError())
        return left

    def _unreachable(self, error: OSError, through: str = "") -> UnreachableError:
        who = through or f"server {self.address}"
        if isinstance(error, TimeoutError):
            return UnreachableError(f"{who} did not answer in {self._seconds:g} s", hint=UNHURT)
        return UnreachableError(f"{who}: {error.strerror or error}", hint=UNHURT)


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[V6]:PORT`. UsageError when it is neither."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise UsageError(f'server address "{address}" is not HOST:PORT', hint="such as vault.example.com:5000")
    return host, int(port)
