"""The server's socket: accepts, admits, and stops in order. asyncio for the sockets, one thread for the store.

SQLite has one writer at a time, so one thread is enough, and keeps a slow disk away from everybody's handshakes. When
told to stop, the listener takes nobody new in, lets every connection finish what it is doing, says 503, and returns
when the store's thread is done: what was acknowledged is on the disk, and what was not can be sent again.

Connections are accepted by hand, because the first byte decides whether TLS comes first (outside.py), and asyncio's
own servers cannot look at it without taking it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mailsync.core.errors import MailsyncError
from mailsync.server import metrics
from mailsync.server.account import Peer
from mailsync.server.admission import Admission, Limits, network_of
from mailsync.server.connection import Connection
from mailsync.server.log import Log
from mailsync.server.outside import Outside, open_streams
from mailsync.server.pages import PageCache
from mailsync.server.ring import RingFile
from mailsync.server.shared import Shared
from mailsync.server.store import Store
from mailsync.server.throttle import Throttle
from mailsync.wire.errors import Refusal

T = TypeVar("T")
BACKLOG = 512
DEFAULT_LIMITS = Limits()
PROBE_SECONDS = 5.0
_BUSY = bytes((0, 0, Refusal.BUSY))
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_ADDRESS = "is that an address of this host? 0.0.0.0 is all of them: --listen HOST:PORT"
_LISTEN_HINTS = {
    errno.EADDRINUSE: "is a server running there already? --listen HOST:PORT",
    errno.EACCES: "a port below 1024 is root's: name another, --listen HOST:PORT",
}
_FULL_SECONDS = 0.5  # until accepting is tried again


class Listener:
    """Serves a store on one address. `clock` gives Unix seconds; without `outside` nobody comes by TLS."""

    def __init__(  # noqa: PLR0913 - the world, by name
        self,
        store: Store,
        ring: RingFile,
        *,
        log: Log,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
        outside: Outside | None = None,
    ) -> None:
        self.metrics = metrics.Metrics()
        self._outside = outside
        self._limits = limits
        self._log = log
        self._admission = Admission(limits)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shared = Shared(
            store,
            PageCache(),
            ring,
            self._admission,
            Throttle(limits),
            limits,
            self._stopping,
            self._ask,
            log,
            self.metrics,
            clock,
        )
        self._probe: asyncio.Task[bool] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []
        self._sockets: Sequence[socket.socket] = ()

    async def start(self, address: str) -> str:
        """Listens on HOST:PORT (port 0: any that is free), and returns the address it has. Raises MailsyncError."""
        return self.take(await listen(address))

    def take(self, sockets: Sequence[socket.socket]) -> str:
        """Listens on sockets that are bound already, at least one, and returns the address of the first."""
        self._sockets = sockets
        for one in sockets:
            one.setblocking(False)  # noqa: FBT003 - the socket's own signature
            self._accepting.append(asyncio.ensure_future(self._accept(one)))
        return str(Peer(*sockets[0].getsockname()[:2]))

    async def stop(self) -> None:
        """Ends all connections, each after the request in hand; returns when the store is at rest."""
        for accepting in self._accepting:
            accepting.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for one in self._sockets:
            one.close()
        if not self._stopping.done():
            self._stopping.set_result(None)
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=self._limits.finish)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown)

    async def store_answers(self) -> bool:
        """True when the store answers a look-up within five seconds; whoever asks at the same time shares one."""
        if self._stopping.done():
            return False
        if self._probe is None or self._probe.done():
            self._probe = asyncio.ensure_future(self._look_up())
        probe = self._probe
        await asyncio.wait((probe,), timeout=PROBE_SECONDS)
        return probe.done() and probe.result()

    async def _look_up(self) -> bool:
        try:
            await self._ask(lambda: self._shared.store.verifier(""))  # nobody's name: a look-up that finds nothing
        except Exception as error:  # noqa: BLE001 - whatever it is, the store does not answer
            self._log.event(
                "store", up=0, cause=str(error) if isinstance(error, MailsyncError) else type(error).__name__
            )
            return False
        return True

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _FULL:
                    self._log.event("full", cause=error.strerror or "")
                    await asyncio.sleep(_FULL_SECONDS)
                continue  # anything else is the fault of a client that is gone again
            task = asyncio.ensure_future(self._serve(client, Peer(*(address or ("", 0))[:2])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # Nobody who fills the backlog keeps the others waiting, or comes in before those it pushes out are gone.
            await asyncio.sleep(0)

    async def _serve(self, client: socket.socket, peer: Peer) -> None:
        task = asyncio.current_task()
        assert task is not None
        with client:
            if not self._admission.enter(task.cancel, network_of(peer.address)):
                self._refuse(client)
                return
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await Connection(self._shared, peer, lambda: open_streams(client, self._outside)).run(task.cancel)
            finally:
                self._admission.leave(task.cancel)

    def _refuse(self, client: socket.socket) -> None:
        self.metrics.count(metrics.REFUSALS, "busy")
        if self._outside is None:  # else it may be TLS that is spoken, in which these bytes are noise
            try:
                client.send(_BUSY)
            except OSError:
                return  # it did not wait for the answer

    async def _ask(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


async def listen(address: str) -> list[socket.socket]:
    """Sockets that listen on every address HOST:PORT has, with one port for all. Raises MailsyncError."""
    host, port = split_address(address)
    sockets: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, place in dict.fromkeys((entry[0], entry[4]) for entry in found):
            # Port 0 is whatever the first got.
            bound = (place[0], port or sockets[0].getsockname()[1], *place[2:]) if sockets else place
            sockets.append(socket.create_server(bound, family=family, backlog=BACKLOG))
    except OSError as error:
        for one in sockets:
            one.close()
        # Python's own text of a bind that failed says the address again.
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        hint = _LISTEN_HINTS.get(error.errno or 0, _NO_ADDRESS)
        raise MailsyncError(f"listen on {address}: {said}", hint=hint) from error
    return sockets


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises MailsyncError."""
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise MailsyncError(f'listen on "{address}": not HOST:PORT', hint="for example: 127.0.0.1:5000")
    return host.removeprefix("[").removesuffix("]"), int(port)
