"""From the kept facts of a run to its summary: what the reply tells, with every figure counted here, once.

Strategy: each scope is tallied on its own (tally.py); here the scopes are put beside what was read from the mail, and
the verdict is chosen (its truth table heads summary.py). Only facts that were kept are read, and no clock: the same
facts give the same summary after a crash and on another host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mailsync.core.model import Problem, Repository, RepositoryId, Scope
from mailsync.core.plan import Action, Step
from mailsync.core.summary import (
    Addition,
    Applied,
    Context,
    Counts,
    Facts,
    Leg,
    Move,
    ScopeState,
    Setting,
    Summary,
    Verdict,
)
from mailsync.core.tally import Fate, Tally, tally

_REFUSED, _UNANSWERED = "refused: nothing was applied", "not all of it was applied"
_NOWHERE = Repository(RepositoryId(""))


def summarise(facts: Facts) -> Summary:
    """What a reply tells of a run with these facts."""
    tallies = _tallies(facts.rounds)
    counts = _counts(facts, tallies)
    states = _states(facts, tallies)
    problems = _problems(facts, tallies)
    unlisted = sum(max(0, one.refused - len(one.problems)) for one in facts.mapped) + facts.merged.unlisted
    return Summary(
        verdict=_verdict(facts, states, counts, problems),
        route=facts.route,
        run=facts.run,
        plan=facts.plan,
        scopes=tuple(state.scope for state in states),
        states=states,
        counts=counts,
        objections=facts.objections,
        legs=_legs(facts, ((one.scope, one.done) for one in tallies)),
        pending=_legs(facts, ((one.scope, one.pending) for one in tallies)),
        settings=tuple(setting for one in tallies for setting in _settings(one)),
        additions=tuple(addition for one in tallies for addition in _additions(one)),
        problems=problems,
        unlisted=unlisted,
        alerts=tuple(alert for one in tallies for alert in one.alerts),
        notes=tuple(sorted({*facts.notes, *facts.merged.notes, *(note for one in facts.mapped for note in one.notes)})),
        attachments=tuple(one._replace(records=()) for one in facts.mapped),
    )


def _tallies(rounds: Iterable[Applied]) -> tuple[Tally, ...]:
    by_scope: dict[Scope, list[Applied]] = {}
    for one in rounds:
        by_scope.setdefault(one.plan.scope, []).append(one)
    return tuple(tally(by_scope[scope]) for scope in sorted(by_scope))


def _counts(facts: Facts, tallies: Sequence[Tally]) -> Counts:
    read = sum(one.read for one in facts.mapped)
    skipped = sum(count.rows for one in facts.mapped for count in one.skipped)
    refused = sum(one.refused for one in facts.mapped) + facts.merged.refused
    listed = sum(max(one.listed, one.matched) for one in tallies)
    matched = sum(one.matched for one in tallies)
    fates = Counter(fate for one in tallies for fate in one.fates.values())
    return Counts(
        read=read,
        matched=matched,
        unknown=listed - matched,
        skipped=skipped,
        repeated=facts.merged.repeated,
        refused=refused,
        unplanned=read - skipped - refused - facts.merged.repeated - listed,
        added=fates[Fate.ADDED],
        moved=fates[Fate.MOVED],
        changed=fates[Fate.CHANGED],
        confirmed=fates[Fate.CONFIRMED],
        unchanged=matched - fates.total(),
        blocked=fates[Fate.BLOCKED],
        pending=fates[Fate.PENDING],
    )


def _states(facts: Facts, tallies: Sequence[Tally]) -> tuple[ScopeState, ...]:
    given_up = {one.scope: one.reason for one in facts.unfinished}
    planned = {one.scope for one in tallies}
    states = [
        ScopeState(scope, done=False, reason=reason, first=0, last=0)
        for scope, reason in given_up.items()
        if scope not in planned
    ]
    for one in tallies:
        reason = given_up.get(one.scope) or (_UNANSWERED if one.pending else "")
        reason = _REFUSED if facts.objections else reason
        states.append(ScopeState(one.scope, not reason, reason, one.first, one.last))
    return tuple(sorted(states))


def _verdict(facts: Facts, states: Sequence[ScopeState], counts: Counts, problems: Sequence[Problem]) -> Verdict:
    if facts.objections:
        return Verdict.REFUSED
    if counts.unplanned or not all(state.done for state in states):
        return Verdict.FAILED
    if problems or counts.refused:
        return Verdict.PROBLEMS
    if counts.added or counts.moved or counts.changed or counts.confirmed:
        return Verdict.DONE
    return Verdict.UNCHANGED


def _problems(facts: Facts, tallies: Sequence[Tally]) -> tuple[Problem, ...]:
    told = {*facts.problems, *facts.merged.problems}
    told.update(problem for one in facts.mapped for problem in one.problems)
    told.update(problem for one in tallies for problem in one.problems)
    return tuple(sorted(told))


def _legs(facts: Facts, steps_of: Iterable[tuple[Scope, Sequence[Step]]]) -> tuple[Leg, ...]:
    contexts = {one.scope: one for one in facts.contexts}
    return tuple(leg for scope, steps in steps_of for leg in _scope_legs(contexts.get(scope) or Context(scope), steps))


def _scope_legs(context: Context, steps: Sequence[Step]) -> list[Leg]:
    places: dict[str, Repository] = {one.id: one for one in context.repositories}
    descriptions = dict(context.descriptions)
    descriptions.update((step.volume, step.after) for step in steps if step.field == "description")
    pairs: dict[tuple[str, str], list[Move]] = {}
    for step in steps:
        if step.action is Action.MOVE:
            move = Move(step.volume, descriptions.get(step.volume, ""), str(step.origin))
            pairs.setdefault((step.before, step.after), []).append(move)
    legs = []
    for before, after in sorted(pairs):
        start, end = places.get(before, _NOWHERE), places.get(after, _NOWHERE)
        moves = tuple(sorted(pairs[before, after]))
        direction = _direction(start, end) if start.id and end.id else ""
        legs.append(Leg(str(context.scope), before, after, start.description, end.description, direction, moves))
    return legs


def _direction(start: Repository, end: Repository) -> str:
    if start.offsite == end.offsite:
        return ""
    return "send" if end.offsite else "bring back"


def _settings(told: Tally) -> list[Setting]:
    return [
        Setting(f"{told.scope}.{step.volume}", step.field, step.before, step.after, str(step.origin))
        for step in told.done
        if step.action is Action.SET
    ]


def _additions(told: Tally) -> list[Addition]:
    added: dict[str, list[Step]] = {}
    for step in told.done:
        if step.action is Action.ADD:
            added.setdefault(step.volume, []).append(step)
    return [
        Addition(f"{told.scope}.{volume}", tuple((one.field, one.after) for one in steps), str(steps[0].origin))
        for volume, steps in added.items()
    ]
