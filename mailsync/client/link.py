"""A connection to the server for programs that wait: connect, sync, apply, close (blocking sockets, one thread).

Far away a round trip is what costs, so nothing is waited for that need not be. AUTH travels with the first request, and
the first SYNC behind the RUN that begins a run: the first page is three round trips away (TCP, Noise, and one for all
of these). Nobody waits for the answer to `replied`; it is read before the next one. An APPLY waits until the server has
proved that it knows the token. What a server says no to is in failures.py.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Self, TypeVar

from mailsync.client.answers import check_outcome, check_page, check_scopes
from mailsync.client.failures import HungUpError, failed, not_greeted, not_proved, refused
from mailsync.client.line import Line
from mailsync.client.way import DIRECT, Way
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import RefusedError, TemporaryError, UnreachableError
from mailsync.core.guard import Earlier
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
    LedgerReceived,
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
from mailsync.wire.ledger import Answer, Missing, MovedAsked, Question, RecordedAsked
from mailsync.wire.messages import Sync
from mailsync.wire.passwords import Password
from mailsync.wire.runs import RunLease, RunStep, RunWord
from mailsync.wire.scram import SALT_BYTES

DEADLINE_SECONDS = 60.0
YOURS = "yours"
T = TypeVar("T")
E = TypeVar(
    "E", PageReceived, OutcomeReceived, LeaseReceived, ScopesReceived, StatsReceived, LedgerReceived, PongReceived
)
A = TypeVar("A", Earlier, Missing)


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


class Link:
    """An open connection; use it as a context manager. After an error of the connection itself it is of no more use."""

    def __init__(self, line: Line, session: ClientSession, *, salt: bytes = b"") -> None:
        self._line = line
        self._session = session
        self._salt = salt
        self._unsent = b""
        self._ahead: tuple[int, Sync] | None = None  # asked, and not yet read
        self._unread: set[int] = set()  # requests whose answers nobody waits for

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
            try:
                self._unsent = self._session.send_auth()
            except RemoteProtocolError as error:
                raise not_proved(self._line.address, error) from error
        return event

    def sync(self, scope: Scope, cursor: Cursor, repositories_version: int) -> Iterator[Page]:
        """The pages that lead from the cursor to the scope as it is now; it asks again while there are more."""
        more, resets = True, 0
        while more:
            request = self._sync(Sync(scope, cursor, repositories_version))
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

    def begin_run(self, run: bytes, holder: bytes, ahead: Sync | None = None) -> RunLease:
        """Asks for a run (32 bytes) for this process (16 random bytes): yours, busy or done, and how far it is.

        `ahead` is what `sync` will be asked for next, if it is known: its pages are on their way then.
        """
        self._begin()
        request, data = self._session.send_run(RunWord(RunStep.BEGIN, run, holder))
        if ahead is not None:
            number, behind = self._session.send_sync(ahead)
            self._ahead, data = (number, ahead), data + behind
        self._send(data)
        return self._answer(request, LeaseReceived).lease

    def renew_run(self, run: bytes, holder: bytes) -> bool:
        """Keeps the run for another lease; False when somebody else has it by now."""
        return self._tell(RunWord(RunStep.RENEW, run, holder)).state == YOURS

    def replied(self, run: bytes, holder: bytes, audience: str) -> None:
        """Says that an audience was answered; what is wrong with that is raised by the next request."""
        self._begin()
        request, data = self._session.send_run(RunWord(RunStep.REPLIED, run, holder, audience))
        self._unread.add(request)
        self._send(data)

    def end_run(self, run: bytes, holder: bytes) -> None:
        """Notes that all of the run is done, and that the server has heard all that was said of it."""
        self._tell(RunWord(RunStep.END, run, holder))

    def release_run(self, run: bytes, holder: bytes) -> None:
        """Gives the run back unfinished: whoever else has its mail need not wait."""
        self._tell(RunWord(RunStep.RELEASE, run, holder))

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

    def earlier(self, scope: Scope, source: str, run: bytes) -> Earlier:
        """What the source's other runs moved in the scope within the last day, by the server's clock."""
        return self._recall(MovedAsked(scope, source, run), Earlier)

    def missing(self, scope: Scope, batches: Sequence[bytes]) -> Missing:
        """Which of at most limits.ASKED_BATCHES batches of the scope the server has not recorded."""
        return self._recall(RecordedAsked(scope, tuple(batches)), Missing)

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

    def _sync(self, asked: Sync) -> int:
        """The number of a SYNC under way: the one that was asked ahead, if it asks for the same."""
        if self._ahead is not None and self._ahead[1] == asked:
            (request, _), self._ahead = self._ahead, None
            self._line.renew()
            return request
        self._begin()
        request, data = self._session.send_sync(asked)
        self._send(data)
        return request

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

    def _recall(self, question: Question, wanted: type[A]) -> A:
        self._begin()
        self._log_in()
        request, data = self._session.send_ledger(question)
        self._send(data)
        answer: Answer = self._answer(request, LedgerReceived).answer
        if not isinstance(answer, wanted):
            raise TemporaryError(f"the connection to server {self._line.address} is broken: it answers something else")
        return answer

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
        if self._ahead is not None:
            (request, _), self._ahead = self._ahead, None
            self._give_up(request, last=not self._session.is_under_way(request))

    def _send(self, data: bytes) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent or data:
            self._line.send(unsent + data)

    def _answer(self, request: int, wanted: type[E]) -> E:
        while True:
            event = self._next()
            if isinstance(event, ErrorReceived) and event.request in (0, request, *self._unread):
                self._unread.discard(event.request)
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
                raise HungUpError(self._line.address, early=not self._session.connected)
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
                raise not_greeted(address, error) from error
            raise TemporaryError(f"the connection to server {address} is broken: {error}") from error
