"""The plan: what differs between the records of a report and a scope's volumes, as a value.

Every leaf of the decision, per row of the report (`-` = nothing to do):

    volume unknown to the scope   add_unknown off   problem of the row
                                  add_unknown on    ADD, one step per field the row speaks of
    repository unknown            -                 problem of the row; none of its fields is set
    row says nothing of a field   -                 that field keeps its value
    value equal to the server's   -                 counted as unchanged when all its fields are
    value differs                 a change rule     none of its fields is set; counted as left alone
                                  volume locked L   SKIP, with the reason
                                  another field     SET
                                  repository, l     SKIP the move, the other fields go on
                                  ... still there   CANCEL the move that was under way (sets the target back)
                                  ... confirms      SEEN there: the target follows
                                  ... otherwise     MOVE (sets the *target*)
    definition confirms, listed where its target is, not yet confirmed there        CONFIRM
    definition confirms, listed elsewhere than its target                           alert
    not listed in the inventory of a repository that it is in and is to stay in     alert

A repository is said by its ID, or by its description where only one of the scope is described so. A change rule looks
at the repository that is proposed, the target and the current one, where the proposed one is not the target.
Showing, guarding, hashing, journalling, sending and rendering are functions of `Plan`. No clock, no input or output.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind, same_value
from mailsync.core.model import Count, Origin, Problem, Records, Repository, Scope, Snapshot, Value

# Looking a volume up costs as much as going over this many in passing.
_FEW = 10


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


class ChangeRule(NamedTuple):
    """A change of repository to leave alone, with all else the row says: why, when all three say so."""

    proposed: Callable[[str], bool]
    target: Callable[[str], bool]
    current: Callable[[str], bool]
    reason: str


class PlanRules(NamedTuple):
    """What definition and route say about planning.

    `inventory_of` is the repository a complete list speaks for; `confirms` means that a listed volume was scanned.
    Of `changes`, the first that says so leaves a volume alone.
    """

    add_unknown: bool = False
    confirms: bool = False
    inventory_of: str = ""
    changes: tuple[ChangeRule, ...] = ()


class Plan(NamedTuple):
    """What to do about one scope. `base` is the version of `epoch` it was made against, `listed` the rows it read.

    `left_alone` counts the rows that change rules apply to; nothing else is said of them.
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


def make_plan(records: Records, snapshot: Snapshot, rules: PlanRules) -> Plan:
    """The plan that makes `snapshot` say what `records` say. Its steps are sorted; row order does not matter."""
    records = _identified(records, snapshot.repositories)
    draft = _Draft(records, snapshot.repositories, rules)
    pending: dict[str, int] = dict(zip(records.volumes, range(len(records.volumes)), strict=True))
    # A repository's confirmation and the locks of a volume are read beside the fields the report speaks of.
    columns = (*records.fields, "flags", "repository", "confirmed_repository", "current_repository")
    width = len(records.fields)
    unchanged = 0
    values = records.values
    for row in _rows(snapshot, columns, pending, rules):
        index = pending.pop(row[0], None)
        if index is None:
            draft.unmentioned(row[0], target=row[width + 2], current=row[width + 4])
            continue
        # The common case by far is a volume that already is as the report says.
        if not rules.confirms and row[1 : width + 1] == values[index]:
            unchanged += 1
            continue
        unchanged += draft.known(index, row)
    for index in pending.values():
        draft.unknown(index)
    return Plan(
        scope=records.scope,
        epoch=snapshot.epoch,
        base=snapshot.version,
        size=snapshot.size,
        listed=len(records.volumes),
        unchanged=unchanged,
        steps=tuple(sorted(draft.steps, key=_step_order)),
        problems=tuple(sorted(draft.problems, key=_problem_order)),
        alerts=tuple(sorted(draft.alerts, key=lambda alert: alert.text)),
        left_alone=tuple(Count(reason, rows) for reason, rows in sorted(draft.left_alone.items())),
    )


def _rows(
    snapshot: Snapshot, columns: tuple[str, ...], listed: Mapping[str, int], rules: PlanRules
) -> Iterable[tuple[str, ...]]:
    """The volumes to compare: only those listed where few are, unless what is not listed means something too."""
    if rules.inventory_of or len(listed) * _FEW > snapshot.size:
        return snapshot.rows(columns)
    return snapshot.lookup(tuple(listed), columns)


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
    """How many volumes the plan gives another target: to be moved, to stay after all, or seen there."""
    return sum(1 for step in plan.steps if step.action in TARGETING)


class _Draft:
    """A plan in the making: what `make_plan` gathers row by row."""

    def __init__(self, records: Records, repositories: Mapping[str, object], rules: PlanRules) -> None:
        self.records = records
        self.repositories = repositories
        self.rules = rules
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.alerts: list[Problem] = []
        self.left_alone: Counter[str] = Counter()
        self._compare: tuple[Callable[[str, str], bool], ...] = tuple(
            _comparison(FIELD_BY_NAME[name].kind) for name in records.fields
        )
        self._place = records.fields.index("repository") if "repository" in records.fields else -1

    def known(self, index: int, row: tuple[str, ...]) -> int:
        """Plans one volume the scope has; 1 when it is already as the report says, else 0."""
        fields, wanted = self.records.fields, self.records.values[index]
        if not self._repository_exists(index, wanted):
            return 0
        volume, origin = row[0], self.records.origin(index)
        flags, current = row[len(fields) + 1], row[len(fields) + 4]
        reason = self._left_alone(wanted, target=row[len(fields) + 2], current=current)
        if reason is not None:
            self.left_alone[reason] += 1
            return 0
        before = len(self.steps)
        for name, same, now, want in zip(fields, self._compare, row[1:], wanted, strict=False):
            if want is None or same(now, want):
                continue
            place = current if name == "repository" else ""
            action, reason = self._action(name, flags, stays=bool(place) and place == want)
            self.steps.append(Step(volume, name, action, now, want, reason, origin, place))
        if self.rules.confirms:
            self._confirm(volume, wanted, row[len(fields) + 2 :], origin)
        return int(len(self.steps) == before)

    def unknown(self, index: int) -> None:
        """Plans one volume the scope does not have."""
        records, origin = self.records, self.records.origin(index)
        volume, wanted = records.volumes[index], records.values[index]
        if not self.rules.add_unknown:
            text = f"volume {records.scope}.{volume} is unknown to the server"
            hint = "add it there, or set add_unknown: true in the route"
            self.problems.append(Problem(origin, text, hint))
        elif self._repository_exists(index, wanted):
            said = [(name, want) for name, want in zip(records.fields, wanted, strict=True) if want]
            for name, want in said or [("description", "")]:
                self.steps.append(Step(volume, name, Action.ADD, "", want, "unknown volume", origin))

    def unmentioned(self, volume: str, *, target: str, current: str) -> None:
        """Notes a volume that the report does not list; only an inventory makes that mean something.

        One that is still on its way there is not missing.
        """
        if self.rules.inventory_of and target == self.rules.inventory_of == (current or target):
            text = f"volume {self.records.scope}.{volume} should be in {target} and is not listed"
            self.alerts.append(Problem(Origin(*self.records.places[0]), text))

    def _left_alone(self, wanted: tuple[Value, ...], *, target: str, current: str) -> str | None:
        """Why a change of repository is left alone, None when it is not."""
        proposed = wanted[self._place] if self._place >= 0 else None
        if proposed is None or proposed == target:
            return None
        for rule in self.rules.changes:
            if rule.proposed(proposed) and rule.target(target) and rule.current(current):
                return rule.reason
        return None

    def _action(self, field: str, flags: str, *, stays: bool) -> tuple[Action, str]:
        """The action a differing field leads to, given the volume's flags (L: locked, l: may not be moved)."""
        if "L" in flags:
            return Action.SKIP, "the volume is locked"
        if field != "repository":
            return Action.SET, "differs"
        if "l" in flags:
            return Action.SKIP, "the volume may not be moved"
        if stays:
            return Action.CANCEL, "it is still there"
        return (Action.SEEN, "seen there") if self.rules.confirms else (Action.MOVE, "differs")

    def _repository_exists(self, index: int, wanted: tuple[Value, ...]) -> bool:
        place = wanted[self._place] if self._place >= 0 else None
        if not place or place in self.repositories:
            return True
        text = f'repository "{place}" is unknown in {self.records.scope}'
        hint = "map its name in the route's repositories, or add it on the server"
        self.problems.append(Problem(self.records.origin(index), text, hint))
        return False

    def _confirm(self, volume: str, wanted: tuple[Value, ...], held: tuple[str, ...], origin: Origin) -> None:
        target, confirmed, current = held
        seen = (wanted[self._place] if self._place >= 0 else None) or self.rules.inventory_of
        if not seen:
            return
        if target != seen:
            text = (
                f"volume {self.records.scope}.{volume} was seen in {seen}, but should be in {target or 'no repository'}"
            )
            self.alerts.append(Problem(origin, text))
        elif confirmed != seen or current != seen:
            reason = "listed there by an inventory"
            self.steps.append(Step(volume, "confirmed_repository", Action.CONFIRM, confirmed, seen, reason, origin))


def _identified(records: Records, repositories: Mapping[str, Repository]) -> Records:
    """The records with Repository-IDs for what only one repository is described as, in any case of letters."""
    if "repository" not in records.fields:
        return records
    place = records.fields.index("repository")
    unknown = {said for said in {values[place] for values in records.values} if said and said not in repositories}
    described = Counter(one.description.casefold() for one in repositories.values())
    ids = {one.description.casefold(): one.id for one in repositories.values() if one.description}
    known = {said: ids[said.casefold()] for said in unknown if described[said.casefold()] == 1}
    if not known:
        return records
    values = [
        (*row[:place], known[said], *row[place + 1 :]) if (said := row[place]) in known else row
        for row in records.values
    ]
    return records._replace(values=values)


def _comparison(kind: Kind) -> Callable[[str, str], bool]:
    return lambda now, want: now == want or same_value(kind, now, want)


def _step_order(step: Step) -> tuple[str, str]:
    return step.volume, step.field


def _problem_order(problem: Problem) -> tuple[Origin, str]:
    return problem.origin, problem.text


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data
