"""The server as a process: signals, systemd, and the page of metrics around a listener.

the first SIGTERM or SIGINT     nobody new; requests in hand finish; 503 to everybody; the store at rest; status 0
a second one                    ends the process at once, as if nobody had caught it; what was acknowledged is there
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from mailsync.server.health import Health
from mailsync.server.listener import Listener
from mailsync.server.log import Log
from mailsync.server.outside import Outside
from mailsync.server.ring import RingFile
from mailsync.server.store import Store
from mailsync.server.systemd import inherited_sockets, notify

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Places(NamedTuple):
    """Where clients come, and where metrics are read (empty: nowhere). A socket from systemd replaces the first."""

    address: str
    metrics: str = ""


async def serve(  # noqa: PLR0913 - the world, by name
    store: Store,
    ring: RingFile,
    places: Places,
    *,
    log: Log,
    outside: Outside | None,
    ready: Callable[[str, str], None],
) -> None:
    """Serves until told to stop; `ready` gets both addresses when clients may come."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, told.set)
    listener = Listener(store, ring, log=log, outside=outside)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(listener.stop)
        inherited = inherited_sockets(os.environ)
        address = listener.take(inherited) if inherited else await listener.start(places.address)
        health = Health(listener.metrics, listener.store_answers)
        metrics = await stack.enter_async_context(health.served(places.metrics)) if places.metrics else ""
        ready(address, metrics)
        notify("READY=1", os.environ)
        await told.wait()
        notify("STOPPING=1", os.environ)
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
