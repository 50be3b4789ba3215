"""What a reply tells, as one value: every figure in a reply is counted here, once, from plans and outcomes.

A summary is made of kept facts only (the mapped attachments, the journalled plans and their outcomes), so that the
reply after a crash tells all that was done, not only what the last attempt did.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from mailsync.core.guard import Objection
from mailsync.core.model import Mapped, Problem, Scope
from mailsync.core.outcome import RowResult
from mailsync.core.plan import Plan, Step


class Verdict(Enum):
    """How a run ended, best first; the value is the first word of the reply's subject."""

    DONE = "done"
    UNCHANGED = "no change"
    PROBLEMS = "done with problems"
    REFUSED = "refused"
    FAILED = "failed"


class Move(NamedTuple):
    """One volume on its way: what a courier ticks off."""

    volume: str
    before: str
    after: str
    description: str
    origin: str


class Leg(NamedTuple):
    """All moves of one from -> to pair, by volume."""

    scope: str
    before: str
    after: str
    moves: tuple[Move, ...]


class Applied(NamedTuple):
    """A plan and what became of it: `results` maps (volume) to its result, empty while nothing was applied."""

    plan: Plan
    results: tuple[tuple[str, RowResult], ...]
    first: int
    last: int


class Counts(NamedTuple):
    """The figures of a reply. read = matched + unknown + skipped + refused."""

    read: int
    matched: int
    moved: int
    changed: int
    added: int
    confirmed: int
    unchanged: int
    skipped: int
    refused: int


class Summary(NamedTuple):
    """Everything a reply tells, in the order it is told."""

    verdict: Verdict
    route: str
    run: str
    plan: str
    scopes: tuple[Scope, ...]
    counts: Counts
    legs: tuple[Leg, ...]
    settings: tuple[Step, ...]
    additions: tuple[Step, ...]
    problems: tuple[Problem, ...]
    alerts: tuple[Problem, ...]
    objections: tuple[Objection, ...]
    notes: tuple[Problem, ...]
    attachments: tuple[Mapped, ...]
