"""What a session saw, as values. The first three a server must answer before its session reads on.

event          comes from    the caller's answer
KeyAsked       preamble      session.accept_key(secret or None)
LoginAsked     hello         session.offer_login(verifier or None), whose bytes are sent
LoginProved    AUTH          session.answer_login(), whose bytes are sent; not accepted: then close
SyncAsked      SYNC          session.send_page(...) until a page has more=False, at most sync.pages; or send_error
ApplyAsked     APPLY         session.send_outcome(...) or send_error
RunAsked       RUN           session.send_lease(...) or send_error
ScopesAsked    SCOPES        session.send_scopes(...) or send_error
StatsAsked     STATS         session.send_stats(...) or send_error
LedgerAsked    LEDGER        session.send_ledger(...) or send_error
SetVerifierAsked SET_VERIFIER session.send_verifier_set(...) or send_error
CancelAsked    CANCEL        session.send_error(..., Failure(Code.CANCELLED, ...)) where that SYNC is still going on
PingAsked      PING          session.send_pong(...), on either end
PongReceived   PONG          nothing
UnknownAsked   any other     session.send_error(..., Failure(Code.UNKNOWN_TYPE, ...))
ByeReceived    BYE           close
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.cursor import Page
from mailsync.core.model import Scope
from mailsync.core.outcome import Batch, Outcome
from mailsync.wire.figures import ScopeList, ScopeStats
from mailsync.wire.ledger import Answer, Question
from mailsync.wire.messages import Failure, Sync
from mailsync.wire.runs import RunLease, RunWord
from mailsync.wire.scram import Verifier


class KeyAsked(NamedTuple):
    """A client names its key. `ephemeral` is its 32-byte public key: one seen before is a replay, to be dropped."""

    key_id: str
    ephemeral: bytes


class LoginAsked(NamedTuple):
    """A client wants to log in as `user`, or only to ping when it is empty (offer_login(None) then)."""

    user: str


class LoginProved(NamedTuple):
    """A client sent its proof; `accepted` says whether it holds, and is still enough."""

    user: str
    accepted: bool


class SyncAsked(NamedTuple):
    """A client asks for pages."""

    request: int
    sync: Sync


class ApplyAsked(NamedTuple):
    """A client sends a batch. `request_hash` is the SHA-256 of its inflated body."""

    request: int
    batch: Batch
    request_hash: bytes


class RunAsked(NamedTuple):
    """A client begins, renews or ends a run, or has answered an audience of it."""

    request: int
    word: RunWord


class ScopesAsked(NamedTuple):
    """A client asks for the scopes whose names come after `after`."""

    request: int
    after: str


class StatsAsked(NamedTuple):
    """A client asks for a scope in figures."""

    request: int
    scope: Scope


class LedgerAsked(NamedTuple):
    """A client asks what a scope's ledger has recorded."""

    request: int
    question: Question


class CancelAsked(NamedTuple):
    """A client gives up the SYNC with this number, which may be answered already; nothing else can be given up."""

    request: int


class SetVerifierAsked(NamedTuple):
    """A client who logged on with a password replaces what proves it."""

    request: int
    verifier: Verifier


class PingAsked(NamedTuple):
    """The peer wants `payload` back."""

    request: int
    payload: bytes


class UnknownAsked(NamedTuple):
    """A message of a type below 0x80 that this version does not know."""

    request: int
    kind: int


class ByeReceived(NamedTuple):
    """The peer ends the connection in order; nothing follows."""

    reason: str


class Refused(NamedTuple):
    """The server closes before any key exists; `refusal` (errors.Refusal) is an unauthenticated hint."""

    refusal: int


class Connected(NamedTuple):
    """The server proved the key; `compress` is the compression both have."""

    version: int
    compress: str


class LoggedIn(NamedTuple):
    """The server accepted the proof and proved that it knows the user's verifier."""

    user: str


class PageReceived(NamedTuple):
    """One page of a SYNC; `last` when no other follows for this request."""

    request: int
    page: Page
    last: bool


class OutcomeReceived(NamedTuple):
    """What became of an APPLY."""

    request: int
    outcome: Outcome


class VerifierSet(NamedTuple):
    """The server has replaced what proves the user's password."""

    request: int


class LeaseReceived(NamedTuple):
    """How a run stands."""

    request: int
    lease: RunLease


class ScopesReceived(NamedTuple):
    """The scopes there are."""

    request: int
    found: ScopeList


class StatsReceived(NamedTuple):
    """A scope in figures."""

    request: int
    stats: ScopeStats


class LedgerReceived(NamedTuple):
    """What a scope's ledger has recorded."""

    request: int
    answer: Answer


class PongReceived(NamedTuple):
    """The payload of a PING came back."""

    request: int
    payload: bytes


class ErrorReceived(NamedTuple):
    """The server refuses a request; request 0 is the connection itself, which ends."""

    request: int
    failure: Failure


ServerEvent = (
    KeyAsked
    | LoginAsked
    | LoginProved
    | SyncAsked
    | ApplyAsked
    | RunAsked
    | ScopesAsked
    | StatsAsked
    | LedgerAsked
    | SetVerifierAsked
    | CancelAsked
    | PingAsked
    | PongReceived
    | UnknownAsked
    | ByeReceived
)
ClientEvent = (
    Refused
    | Connected
    | LoggedIn
    | PageReceived
    | OutcomeReceived
    | LeaseReceived
    | ScopesReceived
    | StatsReceived
    | LedgerReceived
    | VerifierSet
    | PingAsked
    | PongReceived
    | ErrorReceived
    | ByeReceived
)
