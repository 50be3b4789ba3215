"""The server's socket: accepts, admits, and stops in order. asyncio for the sockets, one thread for the store.

SQLite has one writer at a time, so one thread is enough, and keeps a slow disk away from everybody's handshakes. When
told to stop, the listener takes nobody new in, lets every connection finish what it is doing, says 503, and returns
when the store's thread is done: what was acknowledged is on the disk, and what was not can be sent again.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mailsync.core.errors import MailsyncError
from mailsync.server.admission import Admission, Limits
from mailsync.server.connection import Connection, Shared
from mailsync.server.ring import RingFile
from mailsync.server.store import Store
from mailsync.wire.errors import Refusal

T = TypeVar("T")
BACKLOG = 512
DEFAULT_LIMITS = Limits()
_BUSY = bytes((0, 0, Refusal.BUSY))


class Listener:
    """Serves a store on one address. `log` gets one line per connection, `clock` gives Unix seconds."""

    def __init__(
        self,
        store: Store,
        ring: RingFile,
        *,
        log: Callable[[str], None],
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._admission = Admission(limits)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shared = Shared(store, ring, self._admission, limits, self._stopping, self._ask, log, clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> str:
        """Listens on HOST:PORT (port 0: any that is free), and returns the address it has. Raises MailsyncError."""
        host, port = split_address(address)
        try:
            self._server = await asyncio.start_server(self._accept, host, port, backlog=BACKLOG, limit=2**16)
        except OSError as error:
            text = f"listen on {address}: {error.strerror or error}"
            raise MailsyncError(text, hint="is a server running there already? --listen HOST:PORT") from error
        bound = self._server.sockets[0].getsockname()
        return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Ends all connections, each after the request in hand; returns when the store is at rest."""
        if self._server is not None:
            self._server.close()
        if not self._stopping.done():
            self._stopping.set_result(None)
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=self._limits.finish)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self._admission.enter(task.cancel):
            writer.write(_BUSY)
            writer.close()
            return
        self._tasks.add(task)
        try:
            await Connection(self._shared, reader, writer).run(task.cancel)
        finally:
            self._admission.leave(task.cancel)
            self._tasks.discard(task)

    async def _ask(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises MailsyncError."""
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise MailsyncError(f'listen on "{address}": not HOST:PORT', hint="for example: 127.0.0.1:5000")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def serve(
    store: Store, ring: RingFile, address: str, *, ready: Callable[[str], None], log: Callable[[str], None]
) -> None:
    """Serves until SIGTERM or SIGINT; `ready` gets the address when clients may come."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    listener = Listener(store, ring, log=log)
    ready(await listener.start(address))
    await told.wait()
    await listener.stop()
