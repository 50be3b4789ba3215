"""What a client says, event by event, in its order: deadlines, the end, and a look ahead while its SYNC is answered.

heard from it                       what follows
nothing for `ping` seconds          a PING, once it has logged on: a dead line is noticed, a living one kept open
nothing for `idle` seconds          TimeoutError; `frame` in the middle of a message
a message that trickles in          TimeoutError, when its next 64 KiB or its end take longer than `idle` seconds
the end, without a BYE              RemoteProtocolError
the server stops                    Stopping
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from mailsync.server.account import Account
from mailsync.server.shared import Shared
from mailsync.wire.events import ByeReceived, CancelAsked, ServerEvent
from mailsync.wire.server_session import ServerSession

T = TypeVar("T")
_READ = 2**16


class Stopping(Exception):  # noqa: N818 - not an error
    """The server stops."""


class Hearing:
    """One connection's ear; `reader` is set once there is one. `send` is for the PINGs."""

    def __init__(
        self, shared: Shared, session: ServerSession, account: Account, send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self.reader: asyncio.StreamReader | None = None
        self._shared, self._session, self._account, self._send = shared, session, account, send
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Future[bytes] | None = None
        self._heard: deque[ServerEvent] = deque()
        self._due: float | None = None  # by then the next 64 KiB of the message under way must be here
        self._came = 0

    def close(self) -> None:
        """Reads nothing more."""
        if self._reading is not None:
            self._reading.cancel()

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """What the client asks, until it says BYE; how long it may be silent depends on where it is."""
        while True:
            data = await self._hear()
            if not data:
                self._session.receive_eof()
                return
            self._heard += self._session.receive_data(data)
            self._pace(len(data), whole=bool(self._heard))  # bytes that made nothing are the middle of something
            while self._heard:
                event = self._heard.popleft()
                if isinstance(event, ByeReceived):
                    return
                # An error or a BYE behind this event: nothing can be said any more, so nothing is done.
                if not self._session.closed:
                    yield event
                # One event at a time: what came behind it must not overtake its answer.
                self._heard += [] if self._heard else self._session.next_events()

    async def is_given_up(self, request: int) -> bool:
        """True when a CANCEL of this request is what the client has said next; all else waits for its turn."""
        reading = self._begin_reading()
        await asyncio.sleep(0)  # what the socket has is read now
        if not self._heard:
            self._heard += self._session.next_events()
        if not self._heard and reading.done() and reading.exception() is None and reading.result():
            self._heard += self._session.receive_data(await self._receive(0))
        return bool(self._heard) and self._heard[0] == CancelAsked(request)

    async def _hear(self) -> bytes:
        limits = self._shared.limits
        if self._due is not None:
            return await self._receive(min(limits.frame, max(0.0, self._due - self._loop.time())))
        if not (self._session.logged_in and limits.ping < limits.idle):
            return await self._receive(limits.idle)
        try:
            return await self._receive(limits.ping)
        except TimeoutError:
            await self._send(self._session.send_ping())
        return await self._receive(limits.idle - limits.ping)

    def _pace(self, count: int, *, whole: bool) -> None:
        """Else a byte now and then would keep a place, and what was sent so far, for as long as somebody likes."""
        self._came += count
        if whole:
            self._due = None
        elif self._due is None or self._came >= _READ:
            self._due, self._came = self._loop.time() + self._shared.limits.idle, 0

    async def _receive(self, seconds: float) -> bytes:
        reading = self._begin_reading()
        self._reading = None
        data = await unless_stopping(self._shared.stopping, reading, seconds)
        self._account.received += len(data)
        return data

    def _begin_reading(self) -> asyncio.Future[bytes]:
        assert self.reader is not None
        if self._reading is None:
            self._reading = asyncio.ensure_future(self.reader.read(_READ))
        return self._reading


async def unless_stopping(stopping: asyncio.Future[None], work: Awaitable[T], seconds: float | None = None) -> T:
    """What `work` gives. Raises TimeoutError after so many seconds, Stopping as soon as the server stops."""
    working = asyncio.ensure_future(work)
    try:
        if not stopping.done():
            await asyncio.wait((working, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        elif not working.done():
            raise Stopping
    finally:
        late = not working.done()
        if late:
            working.cancel()
            await asyncio.wait((working,))  # it may hold the socket
    if late:
        raise Stopping if stopping.done() else TimeoutError
    return working.result()
