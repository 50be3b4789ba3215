"""The plan of a scope, as a value: the steps that make its volumes say what a report says, and what is told of them.

planning.py makes it. Showing, guarding, hashing, journalling, sending and rendering are functions of `Plan`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from mailsync.core.model import Count, Origin, Problem, Scope


class Action(Enum):
    """What a step does; the value is what is stored and shown. MOVE, CANCEL and SEEN set a volume's target."""

    ADD = "add"
    MOVE = "move"
    CANCEL = "cancel"
    SEEN = "seen"
    SET = "set"
    CONFIRM = "confirm"
    SKIP = "skip"


TARGETING = (Action.MOVE, Action.CANCEL, Action.SEEN)


class Step(NamedTuple):
    """One field of one volume: what the server is believed to hold, what it should hold, why, and who said so.

    `current` is given with a known volume's repository: where the volume is, `before` being where it should be. It is
    empty where the server does not know.
    """

    volume: str
    field: str
    action: Action
    before: str
    after: str
    reason: str
    origin: Origin
    current: str = ""


class Plan(NamedTuple):
    """What to do about one scope. `base` is the version of `epoch` it was made against, `listed` the rows it read.

    `left_alone` counts the rows that change rules apply to; nothing else is said of them. `alerts` are the first of
    them, `more_alerts` counts those beyond. `along` counts the scope's volumes that containers would take along.
    """

    scope: Scope
    epoch: bytes
    base: int
    size: int
    listed: int
    unchanged: int
    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]
    alerts: tuple[Problem, ...]
    left_alone: tuple[Count, ...] = ()
    notes: tuple[Problem, ...] = ()
    more_alerts: int = 0
    along: int = 0


def plan_id(digest: str, plans: Iterable[Plan]) -> str:
    """The name of a decision for people: SHA-256, as hex, of the definition's digest and the sorted steps.

    No mail, origin or base is in it, so the same decision has the same name (exactly-once.md section 1).
    """
    state = hashlib.sha256(_prefixed(digest))
    for plan in sorted(plans, key=lambda one: one.scope):
        for step in plan.steps:
            key = f"{plan.scope}.{step.volume}"
            for part in (step.action.value, key, step.field, step.before, step.after):
                state.update(_prefixed(part))
    return state.hexdigest()


def moved_volumes(plan: Plan) -> int:
    """How many volumes the plan gives another target: to be moved, to stay after all, seen there, or taken along."""
    return plan.along + sum(1 for step in plan.steps if step.action in TARGETING)


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data
