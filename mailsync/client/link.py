"""A connection to the server for programs that wait: connect, sync, apply, close (blocking sockets, one thread).

AUTH travels with the first request, so the first page is three round trips away (TCP, Noise, and one for both). An
APPLY waits until the server has proved that it knows the token. What it says no to is in failures.py.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Self, TypeVar

from mailsync.client.answers import check_outcome, check_page, check_scopes
from mailsync.client.failures import HungUpError, failed, foreign, refused
from mailsync.client.line import Line
from mailsync.client.way import DIRECT, Way
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import RefusedError, TemporaryError, UnreachableError
from mailsync.core.model import Scope
from mailsync.core.outcome import Outcome
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import ImpostorError, RemoteProtocolError
from mailsync.wire.events import (
    ByeReceived,
    ClientEvent,
    Connected,
    ErrorReceived,
    LeaseReceived,
    LoggedIn,
    OutcomeReceived,
    PageReceived,
    PingAsked,
    PongReceived,
    Refused,
    ScopesReceived,
    StatsReceived,
)
from mailsync.wire.figures import ScopeFigures, ScopeStats
from mailsync.wire.keys import ClientKey, Token
from mailsync.wire.messages import Sync
from mailsync.wire.passwords import Password
from mailsync.wire.runs import RunLease, RunStep, RunWord
from mailsync.wire.scram import SALT_BYTES

DEADLINE_SECONDS = 60.0
YOURS = "yours"
T = TypeVar("T")
E = TypeVar("E", PageReceived, OutcomeReceived, LeaseReceived, ScopesReceived, StatsReceived, PongReceived)


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
    token: Token | Password,
    *,
    random: Callable[[int], bytes],
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    way: Way = DIRECT,
) -> Link:
    """A link to the server at `HOST:PORT`. The deadline is for each call of the link, this one included.

    `random` gives so many random bytes. Raises UnreachableError, RefusedError or ForeignProtocolError.
    """
    line = Line(address, deadline_seconds, clock, way)
    link = Link(line, ClientSession(key=key, token=token, random=random(RANDOM_BYTES)), salt=random(SALT_BYTES))
    try:
        link.greet()
    except BaseException:
        line.close()
        raise
    return link


def ping(  # noqa: PLR0913 - an address, a secret and the world
    address: str,
    key: ClientKey,
    *,
    random: Callable[[int], bytes],
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    way: Way = DIRECT,
) -> PingResult:
    """How the server answers a client that holds the key: TCP, handshake and two PINGs, without logging on.

    Raises UnreachableError, RefusedError (the key), or ForeignProtocolError also when it hangs up without a word.
    """
    begun = clock()
    line = Line(address, deadline_seconds, clock, way)
    reached = clock()
    with Link(line, ClientSession(key=key, token=None, random=random(RANDOM_BYTES))) as link:
        try:
            connected = link.greet()
        except HungUpError as error:
            raise foreign(address) from error
        greeted = clock()
        trips = tuple(link.ping() for _ in range(2))
        return PingResult(reached - begun, greeted - reached, trips, connected.compress, connected.version)


class Link:
    """An open connection; use it as a context manager. After an error of the connection itself it is of no more use."""

    def __init__(self, line: Line, session: ClientSession, *, salt: bytes = b"") -> None:
        self._line = line
        self._session = session
        self._salt = salt
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
            raise refused(self._line.address, event.refusal)
        assert isinstance(event, Connected)
        if self._session.has_token:
            # The proof is made as the server asks for it: what it asks for may be impossible here.
            self._unsent = self._seen(self._session.send_auth)
        return event

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int) -> Iterator[Page]:
        """The pages that lead from the cursor to the scope as it is now; it asks again while there are more."""
        more, resets = True, 0
        while more:
            self._begin()
            request, data = self._session.send_sync(Sync(scope, cursor, repositories_version))
            self._send(data)
            last = False
            while not last:
                event = self._answer(request, PageReceived)
                resets += event.page.reset
                check_page(self._line.address, cursor, event.page, resets)
                cursor, repositories_version = event.page.cursor, event.page.repositories_version
                last, more = event.last, event.page.more
                try:
                    yield event.page
                except GeneratorExit:
                    self._give_up(request, last=last)
                    raise

    def apply(self, body: bytes) -> Outcome:
        """What became of the batch in `body` (wire.batches.encode_apply)."""
        self._begin()
        self._log_in()
        request, data = self._session.send_apply(body)
        self._send(data)
        outcome = self._answer(request, OutcomeReceived).outcome
        check_outcome(self._line.address, outcome, body)
        return outcome

    def begin_run(self, run: bytes, holder: bytes) -> RunLease:
        """Asks for a run (32 bytes) for this process (16 random bytes): yours, busy or done, and how far it is."""
        return self._tell(RunWord(RunStep.BEGIN, run, holder))

    def renew_run(self, run: bytes, holder: bytes) -> bool:
        """Keeps the run for another lease; False when somebody else has it by now."""
        return self._tell(RunWord(RunStep.RENEW, run, holder)).state == YOURS

    def replied(self, run: bytes, holder: bytes, audience: str) -> bool:
        """Notes that an audience was answered; False when somebody else has the run by now."""
        return self._tell(RunWord(RunStep.REPLIED, run, holder, audience)).state == YOURS

    def end_run(self, run: bytes, holder: bytes) -> None:
        """Notes that all of the run is done."""
        self._tell(RunWord(RunStep.END, run, holder))

    def scopes(self) -> Iterator[ScopeFigures]:
        """Every scope this user may read, ascending by name."""
        after, more = "", True
        while more:
            self._begin()
            request, data = self._session.send_scopes(after)
            self._send(data)
            found = self._answer(request, ScopesReceived).found
            check_scopes(self._line.address, after, found.scopes)
            yield from found.scopes
            more = found.more and bool(found.scopes)
            after = str(found.scopes[-1].scope) if more else ""

    def stats(self, scope: Scope) -> ScopeStats:
        """A scope in figures."""
        self._begin()
        self._log_in()
        request, data = self._session.send_stats(scope)
        self._send(data)
        return self._answer(request, StatsReceived).stats

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

    def _give_up(self, request: int, *, last: bool) -> None:
        """Spares the line the pages of a sync that nobody wants any more."""
        if not last and not self._session.closed:
            with contextlib.suppress(UnreachableError):
                self._send(self._session.send_cancel(request))

    def _tell(self, word: RunWord) -> RunLease:
        self._begin()
        request, data = self._session.send_run(word)
        self._send(data)
        return self._answer(request, LeaseReceived).lease

    def _log_in(self) -> None:
        """Waits until the server has proved that it knows the token."""
        self._send(b"")
        while not self._session.logged_in:
            event = self._next()
            if isinstance(event, ErrorReceived) and event.request == 0:
                raise failed(event.failure)

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
                raise failed(event.failure)
            # Pages of a sync that was given up may still be on their way: they belong to another request.
            if isinstance(event, wanted) and event.request == request:
                return event
            if isinstance(event, PingAsked):
                self._send(self._session.send_pong(event.request, event.payload))

    def _next(self) -> ClientEvent:
        events = self._seen(self._session.next_events)
        while not events:
            data = self._line.receive()
            if not data:
                raise HungUpError(f"server {self._line.address} hung up")
            events = self._seen(partial(self._session.receive_data, data))
        (event,) = events
        if isinstance(event, ByeReceived):
            raise UnreachableError(f"server {self._line.address} ended the connection: {event.reason or 'no reason'}")
        # Its answer is waited for by nobody: where it is not taken, the next login tries again.
        if isinstance(event, LoggedIn) and self._session.upgrade_due:
            self._line.send(self._session.send_upgrade(self._salt)[1])
        return event

    def _seen(self, read: Callable[[], T]) -> T:
        address = self._line.address
        try:
            return read()
        except ImpostorError as error:
            raise RefusedError(f"{address}: {error}", hint="something else answers in the server's place") from error
        except RemoteProtocolError as error:
            if not self._session.connected:
                raise foreign(address) from error
            raise TemporaryError(f"the connection to server {address} is broken: {error}") from error
