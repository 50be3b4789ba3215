"""One connection's account: what it came to, for its one line in the log and for the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailsync.core.outcome import Outcome
from mailsync.server import metrics
from mailsync.server.log import Log, Value
from mailsync.server.metrics import Metrics
from mailsync.server.service import Unable
from mailsync.wire.events import ServerEvent
from mailsync.wire.server_session import ServerSession

_REQUESTS = frozenset(
    {
        "SyncAsked",
        "ApplyAsked",
        "RunAsked",
        "ScopesAsked",
        "StatsAsked",
        "LedgerAsked",
        "SetVerifierAsked",
        "PingAsked",
        "UnknownAsked",
    }
)
_REFUSALS = frozenset({"dropped", "replayed", "timeout", "protocol", "stalled"})


class Peer(NamedTuple):
    """Where a client is; empty when it was gone before it could be asked about."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Account:
    """Counts from the connection's first moment to its line in the log. `clock` gives Unix seconds."""

    def __init__(self, log: Log, counters: Metrics, clock: Callable[[], float], peer: Peer) -> None:
        self.received = self.sent = self.requests = 0
        self._log, self._counters, self._clock, self._peer = log, counters, clock, peer
        self._began = clock()
        self._code = 0
        counters.count(metrics.CONNECTIONS)
        counters.open += 1

    def login(self, *, accepted: bool) -> None:
        """Notes a proof that was checked."""
        self._counters.count(metrics.LOGINS, "ok" if accepted else "failed")

    def answer(self, session: ServerSession, answer: object) -> None:
        """Notes what a request is answered with: a failure has a code and, for the log alone, a cause."""
        self.requests += 1
        self._code = int(answer.failure.code) if isinstance(answer, Unable) else 0
        if isinstance(answer, Unable):
            self._log.event("unable", **self._names(session), code=self._code, cause=answer.cause)
        elif isinstance(answer, Outcome):
            self._counters.applied(answer)

    def served(self, event: ServerEvent, seconds: float) -> None:
        """Notes that an event is dealt with; those that are requests count as such."""
        if type(event).__name__ in _REQUESTS:
            self._counters.request(type(event).__name__.removesuffix("Asked").lower(), self._code, seconds)
        self._code = 0

    def fault(self, session: ServerSession, error: Exception) -> None:
        """Notes a fault of ours."""
        self._counters.count(metrics.FAULTS)
        self._log.fault(error, **self._names(session))

    def close(self, session: ServerSession, end: str) -> None:
        """Writes the connection's line."""
        counters = self._counters
        counters.open -= 1
        counters.count(metrics.ENDS, end)
        counters.count(metrics.RECEIVED, by=self.received)
        counters.count(metrics.SENT, by=self.sent)
        if end == "refused":
            counters.count(metrics.REFUSALS, "login" if session.connected else "key" if session.key_id else "foreign")
        elif end in _REFUSALS:
            counters.count(metrics.REFUSALS, end)
        self._log.event(
            "connection",
            **self._names(session),
            requests=self.requests,
            received=self.received,
            sent=self.sent,
            seconds=max(float(self._clock() - self._began), 0.0),  # the clock may have been set back
            end=end,
        )

    def _names(self, session: ServerSession) -> dict[str, Value]:
        return {"peer": str(self._peer), "key": session.key_id, "user": session.user, "id": session.log_id}
