"""One connection of the server: bytes between a socket and its session, events to the service, answers back.

A connection ends in one of these ways, and its one line in the log says which:

bye        the client said so                        stopped     the server stops: ERROR 503
cut        the socket ended without a BYE            dropped     a newer connection needed its place
timeout    a deadline passed: ERROR 105              replayed    a handshake seen before: not a word
refused    the key or the login was wrong            stalled     the client does not read
protocol   the client broke the protocol: ERROR      internal    a fault of ours: ERROR 504, its places in the log
unfinished the server stops, and a request took longer than it waits
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from mailsync.core.errors import TemporaryError
from mailsync.server import service
from mailsync.server.access import Principal
from mailsync.server.account import Account, Peer
from mailsync.server.admission import network_of
from mailsync.server.hearing import Hearing, Stopping, unless_stopping
from mailsync.server.pages import Step
from mailsync.server.ring import Entry
from mailsync.server.service import Unable
from mailsync.server.shared import Shared, Streams
from mailsync.server.throttle import Attempt, Who
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.events import (
    ApplyAsked,
    ByeReceived,
    CancelAsked,
    KeyAsked,
    LedgerAsked,
    LoginAsked,
    LoginProved,
    PingAsked,
    PongReceived,
    RunAsked,
    ScopesAsked,
    ServerEvent,
    SetVerifierAsked,
    StatsAsked,
    SyncAsked,
    UnknownAsked,
)
from mailsync.wire.messages import Failure
from mailsync.wire.server_session import ServerSession

T = TypeVar("T")
_GREETING = (KeyAsked, LoginAsked, LoginProved)
_LINGER = 5.0  # seconds for the last bytes to leave


class _Ended(Exception):  # noqa: N818 - not an error
    """The connection ends, without another word, for the reason given."""


class _WrongLogin(Exception):  # noqa: N818 - not an error
    """The proof did not hold; the client is not told yet."""


class Connection:
    """A client's connection from its first byte to its line in the log."""

    def __init__(self, shared: Shared, peer: Peer, opening: Callable[[], Awaitable[Streams]]) -> None:
        self._shared = shared
        self._peer = peer
        self._opening = opening
        self._streams: Streams | None = None
        self._session = ServerSession(static=shared.ring.static, random=secrets.token_bytes(RANDOM_BYTES))
        self._account = Account(shared.log, shared.metrics, shared.clock, peer)
        self._until = asyncio.timeout(shared.limits.login)
        self._attempt: Attempt | None = None
        self._key = Entry(None)
        self._created = 0  # when the user who logs on was let in
        self._hearing = Hearing(shared, self._session, self._account, self._send)

    async def run(self, drop: Callable[[], object]) -> None:
        """Serves the client until one of them ends it. Raises nothing, cancelled or not."""
        end = "internal"
        try:
            end = await self._run(drop)
        except asyncio.CancelledError:
            end = "unfinished" if self._shared.stopping.done() else "dropped"
        finally:
            if self._attempt is not None:
                self._attempt.end()
            self._hearing.close()
            await self._close(abort=end in ("dropped", "unfinished", "stalled", "replayed"))
            self._account.close(self._session, end)

    async def _run(self, drop: Callable[[], object]) -> str:
        try:
            return await self._converse(drop)
        except _Ended as ended:
            return str(ended)
        except Stopping:
            code = Code.SHUTTING_DOWN if self._session.connected else Code.BUSY
            return self._part("stopped", RemoteProtocolError("the server is shutting down", code))
        except TimeoutError:
            return self._part("timeout", RemoteProtocolError("nothing came in time", Code.TIMEOUT))
        except RemoteProtocolError as error:
            return self._part("protocol" if self._session.connected else "refused", error)
        except OSError:
            return "cut"
        except Exception as error:  # noqa: BLE001 - one client's fault of ours must not end the others
            self._account.fault(self._session, error)
            text = f"internal error; the server's log has it under {self._session.log_id}"
            return self._part("internal", RemoteProtocolError(text, Code.INTERNAL))

    async def _converse(self, drop: Callable[[], object]) -> str:
        async with aclosing(self._hearing.events()) as events:
            try:
                async with self._until, self._shared.admission.login(drop, network_of(self._peer.address)):
                    await self._open()
                    async for event in events:
                        await self._serve(event)
                        if self._session.logged_in:
                            break
            except _WrongLogin:
                self._shared.admission.refused(drop)
                await self._refuse_login()
            async for event in events:
                await self._serve(event)
        return "bye"

    async def _open(self) -> None:
        # Kept by the task that makes them: whoever waits for it may be cancelled in the meantime.
        async def opened() -> None:
            self._streams = await self._opening()
            self._hearing.reader = self._streams.reader
            self._streams.writer.transport.set_write_buffer_limits(high=self._shared.limits.drain)

        await unless_stopping(self._shared.stopping, opened())

    async def _serve(self, event: ServerEvent) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await (self._greet(event) if isinstance(event, _GREETING) else self._answer(event))
        self._account.served(event, loop.time() - began)

    async def _greet(self, event: KeyAsked | LoginAsked | LoginProved) -> None:
        match event:
            case KeyAsked(key_id, ephemeral):
                self._check_key(key_id, ephemeral)
            case LoginAsked(user):
                await self._offer_login(user)
            case LoginProved(_, accepted):
                self._account.login(accepted=accepted)
                if not accepted:
                    raise _WrongLogin
                if self._attempt is not None:
                    self._attempt.succeeded()
                await self._send(self._session.answer_login())

    async def _answer(self, event: ServerEvent) -> None:
        session = self._session
        match event:
            case SyncAsked():
                await self._answer_sync(event)
            case ApplyAsked() | RunAsked() | ScopesAsked() | StatsAsked() | LedgerAsked() | SetVerifierAsked():
                call, send = self._work_of(event)
                await self._reply(event.request, await self._in_time(call), send)
            case PingAsked(request, payload):
                await self._reply(request, payload, session.send_pong)
            case UnknownAsked(request, kind):
                text = f"message type {kind:#04x} is unknown"
                await self._refuse(request, Unable(Failure(Code.UNKNOWN_TYPE, text), text))
            case CancelAsked() | PongReceived():
                pass  # the sync was answered already; somebody is there
            case ByeReceived():
                raise _Ended("bye")

    def _work_of(
        self, event: ApplyAsked | RunAsked | ScopesAsked | StatsAsked | LedgerAsked | SetVerifierAsked
    ) -> tuple[Callable[[], Any], Callable[[int, Any], bytes]]:
        """What the store's thread does for a request, and what sends the answer."""
        session, store, now = self._session, self._shared.store, int(self._shared.clock())
        principal = self._principal()
        match event:
            case ApplyAsked():
                return partial(service.apply, store, principal, event, now), session.send_outcome
            case RunAsked(_, word):
                return partial(service.lend, store, principal, word, now), session.send_lease
            case ScopesAsked(_, after):
                return partial(service.list_scopes, store, principal, after), session.send_scopes
            case StatsAsked(_, scope):
                return partial(service.count, store, principal, scope, now), session.send_stats
            case LedgerAsked(_, question):
                return partial(service.recall, store, principal, question, now), session.send_ledger
            case SetVerifierAsked(_, verifier):
                call = partial(service.set_verifier, store, principal, verifier, session.stored_key, now)
                return call, lambda request, _: session.send_verifier_set(request)

    def _principal(self) -> Principal:
        return Principal(self._session.user, self._session.key_id, self._created)

    def _check_key(self, key_id: str, ephemeral: bytes) -> None:
        if self._shared.admission.is_repeated(ephemeral):
            raise _Ended("replayed")
        self._key = self._shared.ring.find(key_id, self._peer.address)
        self._session.accept_key(self._key.secret, self._key.static)
        self._shared.admission.remember(ephemeral)

    async def _refuse_login(self) -> None:
        """Outside the login's ten seconds, and without keeping others of its network waiting."""
        if self._attempt is not None:
            await unless_stopping(self._shared.stopping, asyncio.sleep(self._attempt.failed()))
        await self._send(self._session.answer_login())
        raise _Ended("refused")

    async def _offer_login(self, user: str) -> None:
        shared, session = self._shared, self._session
        if session.login in shared.limits.throttled:
            who = Who(session.key_id, user, network_of(self._peer.address))
            self._attempt = Attempt(shared.throttle, who)
            await unless_stopping(self._shared.stopping, self._attempt.begin())
        try:
            call = partial(service.find_login, shared.store, user, self._key.users, int(shared.clock()))
            found = await shared.ask(call) if user else service.NOBODY
        except TemporaryError as error:
            shared.log.event("unable", key=session.key_id, code=int(Code.BUSY), cause=str(error))
            raise RemoteProtocolError("the store cannot answer now", Code.BUSY) from error
        self._created = found.created
        await self._send(session.offer_login(found.verifier, found.mix, found.account, found.overdue))

    async def _answer_sync(self, asked: SyncAsked) -> None:
        shared, principal = self._shared, self._principal()
        sync = asked.sync
        while True:
            call = partial(service.next_page, shared.store, shared.pages, principal, sync, self._session.method)
            page = await self._in_time(call)
            await self._reply(asked.request, page, self._send_page)
            following = service.following(sync, page) if isinstance(page, Step) else None
            if following is None:
                return
            given_up = await self._hearing.is_given_up(asked.request)
            if self._session.closed:
                return
            if given_up:
                failure = Failure(Code.CANCELLED, "the sync was given up")
                await self._send(self._session.send_error(asked.request, failure))
                return
            sync = following

    def _send_page(self, request: int, step: Step) -> bytes:
        return self._session.send_packed(request, step.packed, more=step.more)

    async def _in_time(self, call: Callable[[], T | Unable]) -> T | Unable:
        """What the store answers, or that it did not in time. What it was asked may still be done: batches have ids."""
        asking = asyncio.ensure_future(self._shared.ask(call))
        try:
            async with asyncio.timeout(self._shared.limits.request):
                return await asyncio.shield(asking)
        except TimeoutError:
            return service.late(self._shared.limits.request)

    async def _reply(self, request: int, answer: T | Unable, send: Callable[[int, T], bytes]) -> None:
        if isinstance(answer, Unable):
            return await self._refuse(request, answer)
        self._account.answer(self._session, answer)
        return await self._send(send(request, answer))

    async def _refuse(self, request: int, answer: Unable) -> None:
        self._account.answer(self._session, answer)
        await self._send(self._session.send_error(request, answer.failure))

    async def _send(self, data: bytes) -> None:
        self._write(data)
        assert self._streams is not None
        writer = self._streams.writer
        if not (writer.transport.get_write_buffer_size() or writer.is_closing()):
            return  # it was taken at once, as most of what is sent
        try:
            async with asyncio.timeout(self._shared.limits.stall):
                await writer.drain()
        except TimeoutError:
            raise _Ended("stalled") from None

    def _write(self, data: bytes) -> None:
        assert self._streams is not None
        self._streams.writer.write(data)
        self._account.sent += len(data)

    def _part(self, end: str, error: RemoteProtocolError) -> str:
        """Says the last word there may be, and returns the reason."""
        if self._streams is None:
            return end
        if error.code is Code.SILENT and self._streams.reader.at_eof():
            return "cut"
        self._write(self._session.refuse(error))
        return end

    async def _close(self, *, abort: bool) -> None:
        if self._streams is None:
            return
        writer = self._streams.writer
        if abort:
            writer.transport.abort()
        writer.close()
        try:
            async with asyncio.timeout(_LINGER):
                await writer.wait_closed()
        except OSError:  # TimeoutError is one
            writer.transport.abort()
