"""One connection of the server: bytes between a socket and its session, events to the service, answers back.

A connection ends in one of these ways, and its one line in the log says which:

bye        the client said so                        stopped     the server stops: ERROR 503
cut        the socket ended without a BYE            dropped     a newer connection needed its place
timeout    a deadline passed: ERROR 105              replayed    a handshake seen before: not a word
refused    the key or the login was wrong            stalled     the client does not read
protocol   the client broke the protocol: ERROR      internal    a fault of ours: ERROR 504, traceback in the log
"""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple, TypeVar

from mailsync.core.cursor import Page
from mailsync.server import service
from mailsync.server.admission import Admission, Limits, network_of
from mailsync.server.ring import RingFile
from mailsync.server.service import Unable
from mailsync.server.store import Principal, Store
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.events import (
    ApplyAsked,
    ByeReceived,
    KeyAsked,
    LoginAsked,
    LoginProved,
    PingAsked,
    ServerEvent,
    SyncAsked,
    UnknownAsked,
)
from mailsync.wire.messages import Failure
from mailsync.wire.server_session import ServerSession

T = TypeVar("T")
_READ = 2**16
_LINGER = 5.0  # seconds for the last bytes to leave


class Shared(NamedTuple):
    """What all connections share. `ask` runs a call on the store's own thread; `clock` gives Unix seconds."""

    store: Store
    ring: RingFile
    admission: Admission
    limits: Limits
    stopping: asyncio.Future[None]
    ask: Callable[[Callable[[], T]], Awaitable[T]]
    log: Callable[[str], None]
    clock: Callable[[], float]


class _Ended(Exception):  # noqa: N818 - not an error
    """The connection ends, without another word, for the reason given."""


class _Stopping(Exception):  # noqa: N818 - not an error
    """The server stops."""


class Connection:
    """A client's connection from its first byte to its line in the log."""

    def __init__(self, shared: Shared, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._shared = shared
        self._reader = reader
        self._writer = writer
        self._session = ServerSession(static=shared.ring.static, random=secrets.token_bytes(RANDOM_BYTES))
        # None when the client is gone before it could be asked about.
        self._peer: tuple[str, int] = (writer.get_extra_info("peername") or ("", 0))[:2]
        self._began = shared.clock()
        self._received = self._sent = self._requests = 0
        writer.transport.set_write_buffer_limits(high=shared.limits.drain)

    async def run(self, drop: Callable[[], object]) -> None:
        """Serves the client until one of them ends it. Raises nothing, cancelled or not."""
        end = "internal"
        try:
            end = await self._run(drop)
        except asyncio.CancelledError:
            end = "dropped"
        finally:
            await self._close(abort=end in ("dropped", "stalled", "replayed"))
            self._log(end)

    async def _run(self, drop: Callable[[], object]) -> str:
        try:
            return await self._converse(drop)
        except _Ended as ended:
            return str(ended)
        except _Stopping:
            code = Code.SHUTTING_DOWN if self._session.connected else Code.BUSY
            return self._part("stopped", RemoteProtocolError("the server is shutting down", code))
        except TimeoutError:
            return self._part("timeout", RemoteProtocolError("nothing came in time", Code.TIMEOUT))
        except RemoteProtocolError as error:
            return self._part("protocol" if self._session.connected else "refused", error)
        except OSError:
            return "cut"
        except Exception:  # noqa: BLE001 - one client's fault of ours must not end the others
            self._shared.log(traceback.format_exc().rstrip())
            text = f"internal error; the server's log has it under {self._session.log_id}"
            return self._part("internal", RemoteProtocolError(text, Code.INTERNAL))

    async def _converse(self, drop: Callable[[], object]) -> str:
        async with aclosing(self._events()) as events:
            async with asyncio.timeout(self._shared.limits.login):
                async with self._shared.admission.login(drop, network_of(self._peer[0])):
                    async for event in events:
                        await self._answer(event)
                        if self._session.logged_in:
                            break
            async for event in events:
                await self._answer(event)
        return "bye"

    async def _events(self) -> AsyncGenerator[ServerEvent, None]:
        """What the client asks, until it says BYE; how long it may be silent depends on where it is."""
        limits = self._shared.limits
        whole = True
        while True:
            data = await self._receive(limits.idle if whole else limits.frame)
            if not data:
                self._session.receive_eof()
                return
            events = self._session.receive_data(data)
            whole = bool(events)  # bytes that made nothing are the middle of something
            while events:
                for event in events:
                    if isinstance(event, ByeReceived):
                        return
                    # An error or a BYE behind this event: nothing can be said any more, so nothing is done.
                    if not self._session.closed:
                        yield event
                events = self._session.next_events()

    async def _receive(self, seconds: float) -> bytes:
        stopping = self._shared.stopping
        if stopping.done():
            raise _Stopping
        reading = asyncio.ensure_future(self._reader.read(_READ))
        try:
            await asyncio.wait((reading, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not reading.done():
                reading.cancel()
        if not reading.done():
            raise _Stopping if stopping.done() else TimeoutError
        data = reading.result()
        self._received += len(data)
        return data

    async def _answer(self, event: ServerEvent) -> None:
        shared, session = self._shared, self._session
        match event:
            case KeyAsked(key_id, ephemeral):
                self._check_key(key_id, ephemeral)
            case LoginAsked(user):
                verifier = await shared.ask(partial(shared.store.verifier, user)) if user else None
                await self._send(session.offer_login(verifier))
            case LoginProved(_, accepted):
                await self._send(session.answer_login())
                if not accepted:
                    raise _Ended("refused")
            case SyncAsked():
                await self._answer_sync(event)
            case ApplyAsked():
                principal = Principal(session.user, session.key_id)
                apply = partial(service.apply, shared.store, principal, event, int(shared.clock()))
                outcome = await self._in_time(apply)
                await self._reply(event.request, outcome, session.send_outcome)
            case PingAsked(request, payload):
                await self._reply(request, payload, session.send_pong)
            case UnknownAsked(request, kind):
                failure = Failure(Code.UNKNOWN_TYPE, f"message type {kind:#04x} is unknown")
                await self._send(session.send_error(request, failure))
            case ByeReceived():
                raise _Ended("bye")

    def _check_key(self, key_id: str, ephemeral: bytes) -> None:
        if self._shared.admission.is_repeated(ephemeral):
            raise _Ended("replayed")
        self._session.accept_key(self._shared.ring.secret(key_id))
        self._shared.admission.remember(ephemeral)

    async def _answer_sync(self, asked: SyncAsked) -> None:
        shared, user = self._shared, self._session.user
        sync = asked.sync
        while True:
            page = await self._in_time(partial(service.next_page, shared.store, user, sync))
            try:
                await self._reply(asked.request, page, self._session.send_page)
            except LocalProtocolError:
                # Long texts in every row: the page is larger than a message may be.
                if sync.rows == 1:
                    raise
                sync = sync._replace(rows=sync.rows // 2)
                continue
            following = service.following(sync, page) if isinstance(page, Page) else None
            if following is None:
                return
            sync = following

    async def _in_time(self, call: Callable[[], T | Unable]) -> T | Unable:
        """What the store answers, or that it did not in time. What it was asked may still be done: batches have ids."""
        asking = asyncio.ensure_future(self._shared.ask(call))
        try:
            async with asyncio.timeout(self._shared.limits.request):
                return await asyncio.shield(asking)
        except TimeoutError:
            return service.late(self._shared.limits.request)

    async def _reply(self, request: int, answer: T | Unable, send: Callable[[int, T], bytes]) -> None:
        self._requests += 1
        if isinstance(answer, Unable):
            self._shared.log(f"event=unable {self._name()} code={int(answer.failure.code)} cause={answer.cause!r}")
            await self._send(self._session.send_error(request, answer.failure))
        else:
            await self._send(send(request, answer))

    async def _send(self, data: bytes) -> None:
        self._write(data)
        try:
            async with asyncio.timeout(self._shared.limits.stall):
                await self._writer.drain()
        except TimeoutError:
            raise _Ended("stalled") from None

    def _write(self, data: bytes) -> None:
        self._writer.write(data)
        self._sent += len(data)

    def _part(self, end: str, error: RemoteProtocolError) -> str:
        """Says the last word there may be, and returns the reason."""
        if error.code is Code.SILENT and self._reader.at_eof():
            return "cut"
        self._write(self._session.refuse(error))
        return end

    async def _close(self, *, abort: bool) -> None:
        if abort:
            self._writer.transport.abort()
        self._writer.close()
        try:
            async with asyncio.timeout(_LINGER):
                await self._writer.wait_closed()
        except OSError:  # TimeoutError is one
            self._writer.transport.abort()

    def _name(self) -> str:
        session, (address, port) = self._session, self._peer
        who = f"key={session.key_id or '-'} user={session.user or '-'} id={session.log_id or '-'}"
        return f"peer={address}:{port} {who}"

    def _log(self, end: str) -> None:
        seconds = self._shared.clock() - self._began
        figures = f"requests={self._requests} received={self._received} sent={self._sent} seconds={seconds:.3f}"
        self._shared.log(f"event=connection {self._name()} {figures} end={end}")
