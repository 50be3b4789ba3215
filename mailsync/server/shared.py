"""What all connections of a server share, and a client's two streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from mailsync.server.admission import Admission, Limits
from mailsync.server.log import Log
from mailsync.server.metrics import Metrics
from mailsync.server.pages import PageCache
from mailsync.server.ring import RingFile
from mailsync.server.store import Store
from mailsync.server.throttle import Throttle

T = TypeVar("T")


class Streams(NamedTuple):
    """What is read from a client and written to it, inside TLS where that is used."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Shared(NamedTuple):
    """What all connections share. `ask` runs a call on the store's own thread; `clock` gives Unix seconds."""

    store: Store
    pages: PageCache
    ring: RingFile
    admission: Admission
    throttle: Throttle
    limits: Limits
    stopping: asyncio.Future[None]
    ask: Callable[[Callable[[], T]], Awaitable[T]]
    log: Log
    metrics: Metrics
    clock: Callable[[], float]
