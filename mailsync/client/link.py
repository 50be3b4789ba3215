"""A connection to the server for programs that wait: connect, sync, apply, close (blocking sockets, one thread).

AUTH travels with the first request, so the first page is three round trips away (TCP, Noise, and one for both). An
APPLY waits until the server has proved that it knows the token. What the server says no to becomes an exception:

code               exception          meaning
201, 204           RefusedError       the login, or what it may do
301                NoScopeError       there is no such scope for this user
601, 602, 605      StaleError         nothing was recorded: sync, plan again
604                ReusedError        the batch was recorded before with other contents; carries that outcome
606                OvertakenError     a newer report of the same source was applied before; recorded as such
any other          ServerError        75: try again later, `after_ms` when the server says so
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Self, TypeVar

from mailsync.client.line import Line
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import ForeignProtocolError, MailsyncError, RefusedError, TemporaryError, UnreachableError
from mailsync.core.model import Scope
from mailsync.core.outcome import Outcome
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, ImpostorError, Refusal, RemoteProtocolError
from mailsync.wire.events import (
    ByeReceived,
    ClientEvent,
    Connected,
    ErrorReceived,
    OutcomeReceived,
    PageReceived,
    PongReceived,
    Refused,
)
from mailsync.wire.keys import ClientKey, Token
from mailsync.wire.messages import Failure, Sync

DEADLINE_SECONDS = 60.0
_FOREIGN = "for a TapeTrack server use kind: tmss10sync (not in this version); is the port right?"
_STALE = frozenset({Code.EPOCH_CHANGED, Code.BASE_TOO_OLD, Code.PLAN_STALE})
E = TypeVar("E", PageReceived, OutcomeReceived, PongReceived)


class ServerError(TemporaryError):
    """The server could not do it. `after_ms` is how long it asks to be left alone, 0 when it does not say."""

    def __init__(self, code: int, text: str, after_ms: int = 0) -> None:
        hint = f"the server asks for {after_ms / 1000:g} s before the next attempt" if after_ms else ""
        super().__init__(f"the server answered {code}: {text}", hint=hint)
        self.code = code
        self.text = text
        self.after_ms = after_ms


class StaleError(ServerError):
    """The plan was made against a state the server has left, or never had: sync, and plan again."""


class ReusedError(ServerError):
    """The batch id is recorded with another request; `outcome` is what became of that one."""

    def __init__(self, text: str, outcome: Outcome) -> None:
        super().__init__(Code.BATCH_ID_REUSED, text)
        self.outcome = outcome


class OvertakenError(ServerError):
    """A newer report of the same source was applied before this one; nothing of this one is."""


class NoScopeError(RefusedError):
    """The server has no such scope for this user."""


class PingResult(NamedTuple):
    """How a server answered: seconds for TCP, for the handshake, and for each round trip; compression and version."""

    connect: float
    handshake: float
    round_trips: tuple[float, ...]
    compress: str
    version: int


def connect(  # noqa: PLR0913 - an address, two secrets and the world
    address: str,
    key: ClientKey,
    token: Token,
    *,
    random: Callable[[int], bytes],
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Link:
    """A link to the server at `HOST:PORT`. The deadline is for each call of the link, this one included.

    `random` gives so many random bytes. Raises UnreachableError, RefusedError or ForeignProtocolError.
    """
    line = Line(address, deadline_seconds, clock)
    link = Link(line, ClientSession(key=key, token=token, random=random(RANDOM_BYTES)))
    try:
        link.greet()
    except BaseException:
        line.close()
        raise
    return link


def ping(
    address: str,
    key: ClientKey,
    *,
    random: Callable[[int], bytes],
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> PingResult:
    """How the server answers a client that holds the key: TCP, handshake and two PINGs, without logging on.

    Raises UnreachableError, RefusedError (the key), or ForeignProtocolError also when it hangs up without a word.
    """
    begun = clock()
    line = Line(address, deadline_seconds, clock)
    reached = clock()
    with Link(line, ClientSession(key=key, token=None, random=random(RANDOM_BYTES))) as link:
        try:
            connected = link.greet()
        except _HungUpError as error:
            raise _foreign(address) from error
        greeted = clock()
        trips = tuple(link.ping() for _ in range(2))
        return PingResult(reached - begun, greeted - reached, trips, connected.compress, connected.version)


class _HungUpError(UnreachableError):
    """The server ended the connection without a word."""


class Link:
    """An open connection; use it as a context manager. After an error of the connection itself it is of no more use."""

    def __init__(self, line: Line, session: ClientSession) -> None:
        self._line = line
        self._session = session
        self._unsent = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sent(self) -> int:
        """Application bytes sent."""
        return self._line.sent

    @property
    def received(self) -> int:
        """Application bytes received."""
        return self._line.received

    def greet(self) -> Connected:
        """Shakes hands; `connect` has done so. AUTH is made here and leaves with the first request."""
        self._line.send(self._session.start())
        event = self._next()
        if isinstance(event, Refused):
            raise _refused(self._line.address, event.refusal)
        assert isinstance(event, Connected)
        if self._session.has_token:
            self._unsent = self._session.send_auth()
        return event

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int) -> Iterator[Page]:
        """The pages that lead from the cursor to the scope as it is now; it asks again while there are more."""
        more = True
        while more:
            self._begin()
            request, data = self._session.send_sync(Sync(scope, cursor, repositories_version))
            self._send(data)
            last = False
            while not last:
                event = self._answer(request, PageReceived)
                cursor, repositories_version = event.page.cursor, event.page.repositories_version
                last, more = event.last, event.page.more
                yield event.page

    def apply(self, body: bytes) -> Outcome:
        """What became of the batch in `body` (wire.batches.encode_apply)."""
        self._begin()
        self._send(b"")
        while not self._session.logged_in:
            self._expect_login(self._next())
        request, data = self._session.send_apply(body)
        self._send(data)
        return self._answer(request, OutcomeReceived).outcome

    def ping(self) -> float:
        """Seconds of one round trip."""
        self._begin()
        request, data = self._session.send_ping()
        begun = self._line.now()
        self._send(data)
        self._answer(request, PongReceived)
        return self._line.now() - begun

    def close(self) -> None:
        """Says goodbye when that is still possible, and closes."""
        try:
            if self._session.connected and not self._session.closed:
                self._send(self._session.send_bye())
        except UnreachableError:
            pass  # the server is gone already: nothing is owed to it
        finally:
            self._line.close()

    def _begin(self) -> None:
        self._line.renew()
        if self._session.closed:
            raise UnreachableError(f"the connection to server {self._line.address} has ended")

    def _send(self, data: bytes) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent or data:
            self._line.send(unsent + data)

    def _answer(self, request: int, wanted: type[E]) -> E:
        while True:
            event = self._next()
            if isinstance(event, ErrorReceived) and event.request in (0, request):
                raise _failed(event.failure)
            # Pages of a sync that was given up may still be on their way: they belong to another request.
            if isinstance(event, wanted) and event.request == request:
                return event

    def _expect_login(self, event: ClientEvent) -> None:
        if isinstance(event, ErrorReceived) and event.request == 0:
            raise _failed(event.failure)

    def _next(self) -> ClientEvent:
        events = self._seen(self._session.next_events)
        while not events:
            data = self._line.receive()
            if not data:
                raise _HungUpError(f"server {self._line.address} hung up")
            events = self._seen(partial(self._session.receive_data, data))
        (event,) = events
        if isinstance(event, ByeReceived):
            raise UnreachableError(f"server {self._line.address} ended the connection: {event.reason or 'no reason'}")
        return event

    def _seen(self, read: Callable[[], list[ClientEvent]]) -> list[ClientEvent]:
        address = self._line.address
        try:
            return read()
        except ImpostorError as error:
            raise RefusedError(f"{address}: {error}", hint="something else answers in the server's place") from error
        except RemoteProtocolError as error:
            if not self._session.connected:
                raise _foreign(address) from error
            raise TemporaryError(f"the connection to server {address} is broken: {error}") from error


def _refused(address: str, refusal: int) -> MailsyncError:
    if refusal == Refusal.BUSY:
        return ServerError(Code.BUSY, f"{address} has no room for another connection")
    if refusal == Refusal.VERSION:
        return ForeignProtocolError(f"server {address} speaks another version", hint="upgrade the older of the two")
    return RefusedError(f"server {address} refused the key", hint="is the key in its ring, and its own key in yours?")


def _foreign(address: str) -> ForeignProtocolError:
    return ForeignProtocolError(f"what answers at {address} does not speak this protocol", hint=_FOREIGN)


def _failed(failure: Failure) -> MailsyncError:
    code, text, after_ms, outcome = failure
    if code in _STALE:
        return StaleError(code, text, after_ms)
    if code == Code.BATCH_ID_REUSED and outcome is not None:
        return ReusedError(text, outcome)
    if code == Code.OVERTAKEN:
        return OvertakenError(code, text, after_ms)
    if code == Code.NO_SUCH_SCOPE:
        return NoScopeError(f"the server refused: {text}", hint="mailsync server scope list")
    if code == Code.AUTH_FAILED:
        return RefusedError(f"the server refused the login: {text}", hint="mailsync server token list")
    if code == Code.FORBIDDEN:
        return RefusedError(f"the server refused: {text}")
    return ServerError(code, text, after_ms)
