"""From the kept facts of a run to its summary: what the reply tells, with every figure counted here, once.

Strategy: each scope is tallied on its own (tally.py); here the scopes are put beside what was read from the mail, and
the verdict is chosen (its truth table heads summary.py). Only facts that were kept are read, and no clock: the same
facts give the same summary after a crash and on another host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mailsync.core.guard import GRANTS, stopped
from mailsync.core.model import Mapped, Origin, Problem, Repository, RepositoryId, Scope
from mailsync.core.outcome import Change
from mailsync.core.plan import Action, Step
from mailsync.core.summary import (
    Addition,
    Applied,
    Context,
    Counts,
    Facts,
    Leg,
    Move,
    Moving,
    ScopeState,
    Setting,
    Summary,
    Verdict,
)
from mailsync.core.tally import Fate, Tally, tally

_REFUSED, _REFUSED_LATE = "refused: nothing was applied", "refused: not all of it was applied"
_UNANSWERED = "not all of it was applied"
MOST_NAMED = 10  # of what is in a container; all of it is in the list that is attached
_Along = Mapping[tuple[Scope, str], tuple[str, ...]]
_NOWHERE = Repository(RepositoryId(""))


def named(barcodes: Sequence[str]) -> str:
    """The first of the barcodes, and how many more there are."""
    more = len(barcodes) - MOST_NAMED
    return ", ".join([*barcodes[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def summarise(facts: Facts) -> Summary:
    """What a reply tells of a run with these facts."""
    tallies = _tallies(facts.rounds)
    counts = _counts(facts, tallies)
    states = _states(facts, tallies)
    problems = _problems(facts, tallies)
    done = [(one.scope, one.done) for one in tallies]
    along = {(one.scope, container): barcodes for one in tallies for container, barcodes in _taken(one, Change.UPDATE)}
    return Summary(
        verdict=_verdict(facts, states, counts, problems),
        route=facts.route,
        run=facts.run,
        plan=facts.plan,
        scopes=tuple(state.scope for state in states),
        states=states,
        counts=counts,
        objections=facts.objections,
        legs=_legs(facts, done, Action.MOVE, along),
        cancelled=_legs(facts, done, Action.CANCEL, along),
        seen=_legs(facts, done, Action.SEEN, along),
        pending=_legs(facts, [(one.scope, one.pending) for one in tallies], Action.MOVE, {}),
        settings=tuple(setting for one in tallies for setting in _settings(one)),
        additions=tuple(addition for one in tallies for addition in _additions(one)),
        problems=problems,
        unlisted=sum(one.unlisted for one in facts.mapped) + facts.merged.unlisted,
        alerts=tuple(alert for one in tallies for alert in one.alerts),
        more_alerts=sum(one.more_alerts for one in tallies),
        notes=_notes(facts, tallies),
        attachments=_attachments(facts),
    )


def _tallies(rounds: Iterable[Applied]) -> tuple[Tally, ...]:
    by_scope: dict[Scope, list[Applied]] = {}
    for one in rounds:
        by_scope.setdefault(one.plan.scope, []).append(one)
    return tuple(tally(by_scope[scope]) for scope in sorted(by_scope))


def _counts(facts: Facts, tallies: Sequence[Tally]) -> Counts:
    read = sum(one.read for one in facts.mapped)
    skipped = sum(count.rows for one in facts.mapped for count in one.skipped)
    skipped += sum(count.rows for one in tallies for count in one.left_alone)
    refused = sum(one.refused for one in facts.mapped) + sum(count.rows for count in facts.merged.refused)
    listed, planned = sum(one.listed for one in tallies), sum(one.planned for one in tallies)
    fates = Counter(fate for one in tallies for fate in one.fates.values())
    return Counts(
        read=read,
        matched=planned - fates[Fate.ADDED] - fates[Fate.MISSING],
        added=fates[Fate.ADDED],
        unknown=listed - planned + fates[Fate.MISSING],
        skipped=skipped,
        repeated=facts.merged.repeated,
        refused=refused,
        unplanned=read - skipped - refused - facts.merged.repeated - listed,
        moved=fates[Fate.MOVED],
        cancelled=fates[Fate.CANCELLED],
        seen=fates[Fate.SEEN],
        changed=fates[Fate.CHANGED],
        confirmed=fates[Fate.CONFIRMED],
        unchanged=planned - fates.total(),
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
        if stopped(facts.objections, one.scope):
            reason = _REFUSED_LATE if one.last else _REFUSED
        states.append(ScopeState(one.scope, not reason, reason, one.first, one.last))
    return tuple(sorted(states))


def _verdict(facts: Facts, states: Sequence[ScopeState], counts: Counts, problems: Sequence[Problem]) -> Verdict:
    refused = {state.scope for state in states if stopped(facts.objections, state.scope)}
    # That a grant is missing is found out when the scope is sent: others, or parts of it, may be done by then.
    late = counts.done and any(one.guard == GRANTS for one in facts.objections)
    if facts.objections and len(refused) == len(states) and not late:
        return Verdict.REFUSED
    if counts.unplanned or not all(state.done or state.scope in refused for state in states):
        return Verdict.FAILED
    if refused:
        return Verdict.PARTLY
    if problems or counts.refused:
        return Verdict.PROBLEMS
    if counts.done:
        return Verdict.DONE
    return Verdict.UNCHANGED


def _problems(facts: Facts, tallies: Sequence[Tally]) -> tuple[Problem, ...]:
    told = {*facts.problems, *facts.merged.problems}
    told.update(problem for one in facts.mapped for problem in one.problems)
    told.update(problem for one in tallies for problem in one.problems)
    return tuple(sorted(told))


def _notes(facts: Facts, tallies: Sequence[Tally]) -> tuple[Problem, ...]:
    told = {*facts.notes, *facts.merged.notes}
    told.update(note for one in facts.mapped for note in one.notes)
    for one in tallies:
        told.update(Problem(Origin(), f"{rows} of {one.scope} left alone: {reason}") for reason, rows in one.left_alone)
        told.update(one.notes)
        told.update(_confirmed_along(one, container, inside) for container, inside in _taken(one, Change.CONFIRM))
    return tuple(sorted(told))


def _confirmed_along(told: Tally, container: str, barcodes: Sequence[str]) -> Problem:
    """The note on a container that was scanned: what is in it was not, and counts as confirmed too."""
    origins = [step.origin for step in told.done if (step.volume, step.action) == (container, Action.CONFIRM)]
    text = f"{told.scope}.{container} was confirmed, and with it {len(barcodes)} in it: {named(barcodes)}"
    return Problem(origins[0] if origins else Origin(), text)


def _attachments(facts: Facts) -> tuple[Mapped, ...]:
    """The attachments without their rows; those that another attachment contradicts are refused too."""
    contradicted = dict(facts.merged.refused)
    return tuple(
        one._replace(records=(), refused=one.refused + contradicted.get(one.attachment, 0)) for one in facts.mapped
    )


def _taken(told: Tally, change: Change) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The containers of a scope that were moved, or confirmed, each with the barcodes of what went along."""
    found: dict[str, list[str]] = {}
    for one in told.along:
        if one.change is change:
            found.setdefault(one.container, []).append(one.barcode)
    return ((container, tuple(barcodes)) for container, barcodes in found.items())


def _legs(
    facts: Facts, steps_of: Iterable[tuple[Scope, Sequence[Step]]], action: Action, along: _Along
) -> tuple[Leg, ...]:
    """The steps of one action, by scope and by from -> to pair; of containers with what went along."""
    return tuple(leg for scope, steps in steps_of for leg in _scope_legs(_context(facts, scope), steps, action, along))


def _context(facts: Facts, scope: Scope) -> Context:
    """What all rounds of the scope tell beside its moves."""
    told = [one for one in facts.contexts if one.scope == scope]
    return Context(
        scope,
        tuple({place.id: place for one in told for place in one.repositories}.values()),
        tuple(moving for one in told for moving in one.moving),
    )


def _scope_legs(context: Context, steps: Sequence[Step], action: Action, along: _Along) -> list[Leg]:
    chosen = [step for step in steps if step.action is action]
    told = _told(context, steps) if chosen else {}
    pairs: dict[tuple[str, str], list[Move]] = {}
    for step in chosen:
        volume, description, move_date = told.get(step.volume) or Moving(step.volume, "")
        # A move starts where the volume is, which need not be where it was to go until now.
        before = step.current if action is Action.MOVE and step.current else step.before
        inside = along.get((context.scope, step.volume), ())
        move = Move(volume, description, str(step.origin), move_date, inside)
        pairs.setdefault((before, step.after), []).append(move)
    places: dict[str, Repository] = {one.id: one for one in context.repositories}
    legs = []
    for before, after in sorted(pairs):
        start, end = places.get(before, _NOWHERE), places.get(after, _NOWHERE)
        direction = _direction(start, end) if action is Action.MOVE else ""
        moves = tuple(sorted(pairs[before, after]))
        legs.append(Leg(str(context.scope), before, after, start.description, end.description, direction, moves))
    return legs


def _told(context: Context, steps: Iterable[Step]) -> dict[str, Moving]:
    """What is known of volumes that move. What the report says is newer than what the server said."""
    told = {one.volume: one for one in context.moving}
    for step in steps:
        if step.field in ("description", "move_date"):
            known = told.get(step.volume) or Moving(step.volume, "")
            told[step.volume] = known._replace(**{step.field: step.after})
    return told


def _direction(start: Repository, end: Repository) -> str:
    if not start.id or not end.id or start.offsite == end.offsite:
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
