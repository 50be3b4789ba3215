"""What became of one scope: its plans, round by round, beside the server's answers.

Per step of a scope's plans, by the answer to the operation it belongs to:

    step            answer         it is
    SKIP            -              a problem of its row, in the last round
    any other       OK             done
    any other       UNCHANGED      nothing: somebody else was faster
    any other       CONFLICT       a problem if no later round planned the scope again
    any other       another        a problem of its row
    any other       none           pending, in the last round

A volume counts once, as the best that became of it, in the order of `Fate`; one without any is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from mailsync.core.model import Count, Problem, Scope
from mailsync.core.outcome import Change, Result, RowResult
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summary import Along, Applied

_CHANGES = {
    Action.ADD: Change.CREATE,
    Action.MOVE: Change.UPDATE,
    Action.CANCEL: Change.UPDATE,
    Action.SEEN: Change.UPDATE,
    Action.SET: Change.UPDATE,
    Action.CONFIRM: Change.CONFIRM,
}
_FORBIDDEN_HINT = (
    "on the server, unlock the volume (mailsync server load, with a column flags) or its media type "
    "(mailsync server scope set --unlock), or grant it (mailsync server grant add)"
)
_REFUSALS = {
    Result.CONFLICT: ("somebody else changed it meanwhile", "send the report again if it is still right"),
    Result.NOT_FOUND: ("the server does not have it any more", "add it there, or correct the report"),
    Result.EXISTS: ("the server has it already", "send the report again"),
    Result.FORBIDDEN: ("the server forbids it", _FORBIDDEN_HINT),
    Result.INVALID: ("the server does not take the value", "correct the report or its definition"),
    Result.SKIPPED: ("the server left it out", "look at the volume on the server"),
}
_LOCKED_HINT = (
    "unlock it on the server (mailsync server load, with a column flags) and send the report again, "
    "or correct the report"
)
NOWHERE = "(none)"


class Fate(IntEnum):
    """What became of a volume, best first. MISSING: it was to be added, and was not."""

    ADDED = 0
    MOVED = 1
    CANCELLED = 2
    SEEN = 3
    CHANGED = 4
    CONFIRMED = 5
    PENDING = 6
    BLOCKED = 7
    MISSING = 8


_FATES = {
    Action.ADD: Fate.ADDED,
    Action.MOVE: Fate.MOVED,
    Action.CANCEL: Fate.CANCELLED,
    Action.SEEN: Fate.SEEN,
    Action.SET: Fate.CHANGED,
    Action.CONFIRM: Fate.CONFIRMED,
}
_Key = tuple[str, Change]


class _Failure(NamedTuple):
    """An operation the server refused: its steps, and the answer."""

    steps: tuple[Step, ...]
    answer: RowResult


class Tally(NamedTuple):
    """What became of one scope: the steps done and pending, its problems, and how its rows are counted.

    `listed` counts the rows of the report but for those that were left alone; `planned` those without a problem, each
    of which has a fate or is unchanged. `along` are the volumes that containers took along.
    """

    scope: Scope
    done: tuple[Step, ...]
    pending: tuple[Step, ...]
    problems: tuple[Problem, ...]
    alerts: tuple[Problem, ...]
    fates: dict[str, Fate]
    listed: int
    planned: int
    left_alone: tuple[Count, ...]
    first: int
    last: int
    notes: tuple[Problem, ...] = ()
    more_alerts: int = 0
    along: tuple[Along, ...] = ()


def change_of(step: Step) -> Change | None:
    """What the server is asked to do for a step; None for a step that is skipped."""
    return _CHANGES.get(step.action)


def operations_of(plan: Plan) -> tuple[tuple[str, Change], ...]:
    """The (volume, change) of every operation a plan asks for, in order: a volume's confirmation comes second."""
    asked = {(step.volume, _CHANGES[step.action]) for step in plan.steps if step.action in _CHANGES}
    return tuple(sorted(asked))


def foreseen(plan: Plan) -> Applied:
    """What becomes of the plan if the server accepts all of it: for showing a run before it is done."""
    results = tuple((volume, RowResult(Result.OK)) for volume, _ in operations_of(plan))
    return Applied(plan, results, plan.base, plan.base)


def tally(rounds: Sequence[Applied]) -> Tally:
    """What became of one scope in all its rounds, oldest first."""
    done: dict[tuple[str, str], Step] = {}
    failed: dict[_Key, _Failure] = {}
    pending: tuple[Step, ...] = ()
    for one in rounds:
        answers = _answers(one)
        accepted, refused, pending = _sorted_out(one.plan, answers)
        done |= {(step.volume, step.field): step for step in accepted}
        # A later round plans everything again: it settles what conflicted before, and what it gets an answer to.
        failed = {key: old for key, old in failed.items() if _stands(old) and key not in answers} | refused
    last = rounds[-1].plan
    skipped = [step for step in last.steps if step.action is Action.SKIP]
    fates = dict.fromkeys([step.volume for step in skipped], Fate.BLOCKED)
    fates |= {volume: _refused_fate(failure) for (volume, _), failure in failed.items()}
    for step in pending:
        fates[step.volume] = Fate.MISSING if step.action is Action.ADD else Fate.PENDING
    for step in done.values():
        fates[step.volume] = min(fates.get(step.volume, Fate.MISSING), _FATES[step.action])
    # A plan that is given up after some of its parts were answered stands again, whole, as the last round.
    pending = tuple(step for step in pending if done.get((step.volume, step.field)) != step)
    applied = [one for one in rounds if one.last]
    listed = last.listed - sum(count.rows for count in last.left_alone)
    planned = max(len(fates), listed - len(last.problems))
    return Tally(
        scope=last.scope,
        done=tuple(done[key] for key in sorted(done)),
        pending=pending,
        problems=(*last.problems, *_locked(last.scope, skipped), *_failures(last.scope, failed)),
        alerts=last.alerts,
        fates=fates,
        listed=max(listed, planned),
        planned=planned,
        left_alone=last.left_alone,
        first=min((one.first for one in applied), default=0),
        last=max((one.last for one in applied), default=0),
        notes=last.notes,
        more_alerts=last.more_alerts,
        along=tuple(sorted({along for one in rounds for along in one.along})),
    )


def _answers(one: Applied) -> dict[_Key, RowResult]:
    """The server's answer to each operation of the round that it has answered."""
    queues: dict[str, list[RowResult]] = {}
    for volume, result in one.results:
        queues.setdefault(volume, []).append(result)
    asked = operations_of(one.plan)
    return {(volume, change): queues[volume].pop(0) for volume, change in asked if queues.get(volume)}


def _sorted_out(
    plan: Plan, answers: Mapping[_Key, RowResult]
) -> tuple[list[Step], dict[_Key, _Failure], tuple[Step, ...]]:
    """The steps that are done, the operations that were refused, and the steps without an answer."""
    accepted, pending = [], []
    refused: dict[_Key, _Failure] = {}
    for step in plan.steps:
        if step.action is Action.SKIP:
            continue
        key = (step.volume, _CHANGES[step.action])
        answer = answers.get(key)
        if answer is None:
            pending.append(step)
        elif answer.result is Result.OK:
            accepted.append(step)
        elif answer.result is not Result.UNCHANGED:
            steps = refused[key].steps if key in refused else ()
            refused[key] = _Failure((*steps, step), answer)
    return accepted, refused, tuple(pending)


def _refused_fate(failure: _Failure) -> Fate:
    """A volume that could not be added is still missing, unless it is there already."""
    missing = failure.steps[0].action is Action.ADD and failure.answer.result is not Result.EXISTS
    return Fate.MISSING if missing else Fate.BLOCKED


def _stands(failure: _Failure) -> bool:
    return failure.answer.result is not Result.CONFLICT


def _locked(scope: Scope, skipped: Iterable[Step]) -> tuple[Problem, ...]:
    """One problem per volume and reason, though several of its fields may have been asked for."""
    by_reason: dict[tuple[str, str], list[Step]] = {}
    for step in skipped:
        by_reason.setdefault((step.volume, step.reason), []).append(step)
    return tuple(
        Problem(steps[0].origin, f"volume {scope}.{volume} {_asked(steps)}: {reason}", _LOCKED_HINT)
        for (volume, reason), steps in by_reason.items()
    )


def _failures(scope: Scope, failed: dict[_Key, _Failure]) -> tuple[Problem, ...]:
    found = []
    for (volume, change), (steps, answer) in failed.items():
        if change is Change.CONFIRM and {(volume, Change.CREATE), (volume, Change.UPDATE)} & failed.keys():
            continue  # it could not be confirmed there because it could not be set there, which is told
        reason, hint = _REFUSALS[answer.result]
        said = f"{reason} ({answer.text})" if answer.text else reason
        found.append(Problem(steps[0].origin, f"volume {scope}.{volume} {_asked(steps)}: {said}", hint))
    return tuple(found)


def _asked(steps: Sequence[Step]) -> str:
    """What did not happen to a volume: `not moved LIBR -> OFFS, slot not set`."""
    phrases = [_phrase(step) for step in steps]
    return ", ".join(dict.fromkeys(phrases))


def _phrase(step: Step) -> str:
    if step.action is Action.ADD:
        return "not added"
    if step.action is Action.CONFIRM:
        return f"not confirmed in {step.after}"
    if step.field == "repository":
        if step.after and step.after == step.current:
            return f"move {step.after} -> {step.before or NOWHERE} not cancelled"
        return f"not moved {step.current or step.before or NOWHERE} -> {step.after or NOWHERE}"
    return f"{step.field} not set"
