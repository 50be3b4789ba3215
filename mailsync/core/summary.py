"""What a reply tells, as one value: every figure in a reply is counted once, in summarise.py, from kept facts.

Facts are what the journal holds (the mapped attachments, the plans and their outcomes), so that the reply after a
crash tells all that was done, not only what the last attempt did. The verdict, worst condition first:

    a guard objects to all of it                                REFUSED: nothing was applied
    a scope was not reached, or part of its plan not answered   FAILED: the states say which scopes are done
    a guard objects to some of its scopes                       PARTLY: the others are done
    anything was refused, unknown, locked or unreadable         PROBLEMS
    anything was changed                                        DONE
    otherwise                                                   UNCHANGED
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import NamedTuple

from mailsync.core.guard import Objection
from mailsync.core.merge import Merged
from mailsync.core.model import Mapped, Problem, Repository, Scope, Snapshot
from mailsync.core.outcome import Change, RowResult
from mailsync.core.plan import TARGETING, Plan, moved_volumes


class Verdict(Enum):
    """How a run ended, best first."""

    DONE = "done"
    UNCHANGED = "no change"
    PROBLEMS = "done with problems"
    PARTLY = "refused in part"
    REFUSED = "refused"
    FAILED = "failed"


class Along(NamedTuple):
    """A volume that was moved or confirmed along with a container of the scope: the container, its own barcode."""

    container: str
    change: Change
    barcode: str


class Applied(NamedTuple):
    """A plan and what became of it: one round of a scope.

    `results` are (volume, result) in the order of the operations, as far as the server has answered; of a volume with
    two operations, the confirmation is the second. `first` and `last` are the versions the changes were given, 0 when
    there were none. `entry` and `ledger` are where the scope's ledger stood after the last of them (outcome.Outcome).
    `along` are the volumes that containers took along, of whichever scope.
    """

    plan: Plan
    results: tuple[tuple[str, RowResult], ...]
    first: int
    last: int
    entry: int = 0
    ledger: bytes = b""
    along: tuple[Along, ...] = ()


class Unfinished(NamedTuple):
    """A scope that was given up, and why: `the server did not answer for 24 h`."""

    scope: Scope
    reason: str


class Moving(NamedTuple):
    """What people want to read beside a volume that moves; both texts may be empty."""

    volume: str
    description: str
    move_date: str = ""


class Context(NamedTuple):
    """What people want to read beside a scope's moves: its repositories, and what moves."""

    scope: Scope
    repositories: tuple[Repository, ...] = ()
    moving: tuple[Moving, ...] = ()


class Facts(NamedTuple):
    """The kept facts of a run; `run` and `plan` are hexadecimal.

    `rounds` are in the order they were applied. Each later round of a scope plans all of its records again, so the
    last one says what was left to do. A scope may have a context for each of its rounds. `problems` and `notes` are
    those of the mail itself (an attachment that could not be opened). The rows of `mapped` and `merged` are not read:
    they may be left out.
    """

    route: str
    run: str
    plan: str
    mapped: tuple[Mapped, ...] = ()
    merged: Merged = Merged()
    rounds: tuple[Applied, ...] = ()
    objections: tuple[Objection, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    contexts: tuple[Context, ...] = ()


class Move(NamedTuple):
    """One volume on its way: what a courier ticks off. `origin` is the row of the report that asked for it.

    `move_date` is the day it is due, `YYYY-MM-DD`, or empty. `along` are the barcodes of what is in it, if it is a
    container: it is one piece to carry, and these go with it.
    """

    volume: str
    description: str
    origin: str
    move_date: str = ""
    along: tuple[str, ...] = ()


class Leg(NamedTuple):
    """All moves of one from -> to pair of a scope, by volume; names are the repositories' descriptions, or empty.

    `direction` is `send` when a move leaves the site, `bring back` when it returns, else empty. Of a move, `before` is
    where the volumes are; of a move that was cancelled, where they were to go, and `after` where they stay; of volumes
    seen elsewhere, where they should be, and `after` where they were seen.
    """

    scope: str
    before: str
    after: str
    before_name: str
    after_name: str
    direction: str
    moves: tuple[Move, ...]


class Setting(NamedTuple):
    """One field of one volume that was changed (not its repository); `volume` is CUST.MEDIA.VOLUME."""

    volume: str
    field: str
    before: str
    after: str
    origin: str


class Addition(NamedTuple):
    """One volume that was added, with its fields and their values; `volume` is CUST.MEDIA.VOLUME."""

    volume: str
    values: tuple[tuple[str, str], ...]
    origin: str


class Counts(NamedTuple):
    """The figures of a reply, in rows; each row is counted once in each of these lines.

    read = matched + added + unknown + skipped + repeated + refused + unplanned
    matched = moved + cancelled + seen + changed + confirmed + unchanged + blocked + pending

    `unknown`: the server lacks its volume, which was not added, or its repository. `repeated`: said by another
    attachment too. `unplanned`: of a scope that was not reached. `cancelled`: it was to leave, and stays. `seen`: in
    another place than it should be. `changed`: something else than the repository. `blocked`: a lock or the server
    said no. `pending`: planned, and not applied.
    """

    read: int
    matched: int
    added: int
    unknown: int
    skipped: int
    repeated: int
    refused: int
    unplanned: int
    moved: int
    cancelled: int
    seen: int
    changed: int
    confirmed: int
    unchanged: int
    blocked: int
    pending: int

    @property
    def done(self) -> int:
        """How many volumes the run changed on the server."""
        return self.added + self.moved + self.cancelled + self.seen + self.changed + self.confirmed


class ScopeState(NamedTuple):
    """Whether all that the report asks of a scope was answered by the server; `reason` says why not.

    `first` and `last` are the versions its changes were given, 0 when nothing was applied.
    """

    scope: Scope
    done: bool
    reason: str
    first: int
    last: int


class Summary(NamedTuple):
    """Everything a reply tells, in the order it is told.

    `legs` are the moves made, `cancelled` those called off, `seen` the volumes an inventory saw elsewhere than it
    should; `pending` are the moves of a refused plan, or of a scope that was given up. `unlisted` counts the problems
    beyond those in `problems`, `more_alerts` the alerts beyond those in `alerts`.
    `attachments` count the rows as refused that another attachment contradicts.
    """

    verdict: Verdict
    route: str
    run: str
    plan: str
    scopes: tuple[Scope, ...]
    states: tuple[ScopeState, ...]
    counts: Counts
    objections: tuple[Objection, ...]
    legs: tuple[Leg, ...]
    cancelled: tuple[Leg, ...]
    seen: tuple[Leg, ...]
    pending: tuple[Leg, ...]
    settings: tuple[Setting, ...]
    additions: tuple[Addition, ...]
    problems: tuple[Problem, ...]
    unlisted: int
    alerts: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    attachments: tuple[Mapped, ...]
    more_alerts: int = 0


def changed(summary: Summary) -> int:
    """How many volumes the run changed on the server."""
    return summary.counts.done


def due(when: str, summary: Summary) -> bool:
    """True when an audience with this rule is to be told.

    `change`: something was changed. `problem`: anything needs a person, alerts and failures included. `failure`: a
    plan was refused, or a scope not done. Raises ValueError for another word than those and `always` and `never`.
    """
    failed = summary.verdict in (Verdict.REFUSED, Verdict.PARTLY, Verdict.FAILED)
    rules = {
        "always": True,
        "change": changed(summary) > 0,
        "problem": failed or summary.verdict is Verdict.PROBLEMS or bool(summary.alerts),
        "failure": failed,
        "never": False,
    }
    if when not in rules:
        raise ValueError(f'"{when}" is not one of {", ".join(rules)}')
    return rules[when]


def digest(summary: Summary) -> bytes:
    """SHA-256 of all that the summary tells: the same outcome has the same digest on every host and attempt."""
    state = hashlib.sha256(b"mailsync summary 1")
    pending: list[object] = [summary]
    while pending:
        value = pending.pop()
        if isinstance(value, tuple):
            state.update(b"(%d" % len(value))
            pending.extend(reversed(value))
        else:
            data = str(value.value if isinstance(value, Enum) else value).encode("utf-8", "surrogatepass")
            state.update(b"=%d:" % len(data) + data)
    return state.digest()


def context(plan: Plan, snapshot: Snapshot) -> Context:
    """The repositories of the plan's scope, and what is known of the volumes it gives another target."""
    repositories = tuple(snapshot.repositories[name] for name in sorted(snapshot.repositories))
    if not moved_volumes(plan):
        return Context(plan.scope, repositories)
    moving = sorted({step.volume for step in plan.steps if step.action in TARGETING})
    rows = snapshot.lookup(moving, ("description", "move_date"))
    return Context(plan.scope, repositories, tuple(Moving(*row) for row in rows if any(row[1:])))
