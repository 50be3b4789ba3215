"""The states of a connection and what leads from one to the next. Both ends walk this one table.

A message is allowed when the table has it in the state this end is in, and it comes from the end that may send it.
The client's state runs ahead of the server's while its requests are on their way, which is how AUTH and SYNC share a
round trip: a client that has sent AUTH may ask, but only one that has verified AUTH_OK may change anything.

    START --HELLO--> GREETED --HELLO_OK--> OPEN --AUTH--> PROVING --AUTH_OK--> READY
    FATAL is an ERROR of request 0; it and BYE lead to CLOSED from wherever messages may be sent.
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """Where a connection is."""

    START = auto()
    GREETED = auto()
    OPEN = auto()
    PROVING = auto()
    READY = auto()
    CLOSED = auto()


class Step(Enum):
    """What leads on: the messages by name, HELLO and HELLO_OK within the handshake, and an ERROR that ends it all."""

    HELLO = auto()
    HELLO_OK = auto()
    AUTH = auto()
    AUTH_OK = auto()
    SET_VERIFIER = auto()
    SET_VERIFIER_OK = auto()
    SCOPES = auto()
    SCOPES_OK = auto()
    SYNC = auto()
    PAGE = auto()
    CANCEL = auto()
    APPLY = auto()
    APPLY_OK = auto()
    RUN = auto()
    RUN_OK = auto()
    STATS = auto()
    STATS_OK = auto()
    LEDGER = auto()
    LEDGER_OK = auto()
    PING = auto()
    PONG = auto()
    ERROR = auto()
    FATAL = auto()
    BYE = auto()


class Role(Enum):
    """One end of a connection."""

    CLIENT = auto()
    SERVER = auto()


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.START: {
        Step.HELLO: State.GREETED,
    },
    State.GREETED: {
        Step.HELLO_OK: State.OPEN,
    },
    State.OPEN: {
        Step.PING: State.OPEN,
        Step.PONG: State.OPEN,
        Step.ERROR: State.OPEN,
        Step.AUTH: State.PROVING,
        Step.FATAL: State.CLOSED,
        Step.BYE: State.CLOSED,
    },
    State.PROVING: {
        Step.PING: State.PROVING,
        Step.PONG: State.PROVING,
        Step.ERROR: State.PROVING,
        Step.SCOPES: State.PROVING,
        Step.SYNC: State.PROVING,
        Step.CANCEL: State.PROVING,
        Step.RUN: State.PROVING,
        Step.AUTH_OK: State.READY,
        Step.FATAL: State.CLOSED,
        Step.BYE: State.CLOSED,
    },
    State.READY: {
        Step.PING: State.READY,
        Step.PONG: State.READY,
        Step.ERROR: State.READY,
        Step.SET_VERIFIER: State.READY,
        Step.SET_VERIFIER_OK: State.READY,
        Step.SCOPES: State.READY,
        Step.SCOPES_OK: State.READY,
        Step.SYNC: State.READY,
        Step.PAGE: State.READY,
        Step.CANCEL: State.READY,
        Step.APPLY: State.READY,
        Step.APPLY_OK: State.READY,
        Step.RUN: State.READY,
        Step.RUN_OK: State.READY,
        Step.STATS: State.READY,
        Step.STATS_OK: State.READY,
        Step.LEDGER: State.READY,
        Step.LEDGER_OK: State.READY,
        Step.FATAL: State.CLOSED,
        Step.BYE: State.CLOSED,
    },
    State.CLOSED: {},
}
_ASKED = frozenset(
    {Step.SET_VERIFIER, Step.SCOPES, Step.SYNC, Step.CANCEL, Step.APPLY, Step.RUN, Step.STATS, Step.LEDGER}
)
_BOTH = frozenset({Step.PING, Step.PONG, Step.BYE})
SENT_BY: dict[Role, frozenset[Step]] = {
    Role.CLIENT: _ASKED | _BOTH | {Step.HELLO, Step.AUTH},
    Role.SERVER: frozenset(Step) - _ASKED - {Step.HELLO, Step.AUTH},
}


def after(state: State, step: Step, sender: Role) -> State | None:
    """The state after a step, or None when `sender` may not take it there."""
    return TRANSITIONS[state].get(step) if step in SENT_BY[sender] else None
