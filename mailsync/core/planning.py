"""Planning: what differs between the records of a report and a scope's volumes.

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
                                  ... otherwise     MOVE (sets the *target*)
    an attribute is said          -                 SET: the snapshot has none, so the server finds out if it differs
    a list says where the volume is (inventory.py has the tables):
    its target, not yet confirmed there             CONFIRM, if the list confirms
    elsewhere, and not where it is to leave         an alert
    ... the row says so, or the list confirms       SEEN there too: the target follows; CONFIRM, if the list confirms
    not listed where it should be                   alert

A repository is said by its ID, or by its description where only one of the scope is described so. A change rule looks
at the repository that is proposed, the target and the current one, where the proposed one is not the target.
No clock, no input or output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from mailsync.core.contents import contents_of
from mailsync.core.described import with_ids
from mailsync.core.fields import ATTRIBUTE, FIELD_BY_NAME, Field, same_value
from mailsync.core.inventory import Lists, Watch
from mailsync.core.model import Count, Origin, Problem, Records, Snapshot, Value
from mailsync.core.plan import TARGETING, Action, Plan, Step

_NOT_KNOWN = "(not known here)"  # what a step believes of an attribute
# Looking a volume up costs as much as going over this many in passing.
_FEW = 10


class ChangeRule(NamedTuple):
    """A change of repository to leave alone, with all else the row says: why, when all three say so."""

    proposed: Callable[[str], bool]
    target: Callable[[str], bool]
    current: Callable[[str], bool]
    reason: str


class PlanRules(NamedTuple):
    """What definitions and route say about planning: which attachments are `lists` that say where volumes are.

    Of `changes`, the first that says so leaves a volume alone.
    """

    add_unknown: bool = False
    lists: Lists = Lists()
    changes: tuple[ChangeRule, ...] = ()


def make_plan(records: Records, snapshot: Snapshot, rules: PlanRules) -> Plan:
    """The plan that makes `snapshot` say what `records` say. Its steps are sorted; row order does not matter."""
    records = with_ids(records, snapshot.repositories)
    watch = Watch(records, snapshot.repositories, rules.lists)
    draft = _Draft(records, snapshot.repositories, rules, watch)
    pending: dict[str, int] = dict(zip(records.volumes, range(len(records.volumes)), strict=True))
    # A repository's confirmation and the locks of a volume are read beside the fields the report speaks of.
    known = [name for name in records.fields if not name.startswith(ATTRIBUTE)]
    columns = (*known, "flags", "repository", "confirmed_repository", "current_repository")
    width = len(known)
    unchanged = 0
    values, idle = records.values, watch.idle and width == len(records.fields)
    for row in _rows(snapshot, columns, pending, every=watch.inventories):
        index = pending.pop(row[0], None)
        if index is None:
            watch.unlisted(row[0], target=row[width + 2], current=row[width + 4])
            continue
        # The common case by far is a volume that already is as the report says.
        if idle and row[1 : width + 1] == values[index]:
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
        alerts=tuple(sorted(watch.alerts, key=lambda alert: alert.text)),
        left_alone=tuple(Count(reason, rows) for reason, rows in sorted(draft.left_alone.items())),
        notes=tuple(watch.notes()),
        more_alerts=watch.more_alerts,
        along=len(contents_of(records.scope, draft.containers, snapshot).difference(draft.targeted)),
    )


def _rows(
    snapshot: Snapshot, columns: tuple[str, ...], listed: Mapping[str, int], *, every: bool
) -> Iterable[tuple[str, ...]]:
    """The volumes to compare: `every` one, or only those listed where few are."""
    if every or len(listed) * _FEW > snapshot.size:
        return snapshot.rows(columns)
    return snapshot.lookup(sorted(listed), columns)


class _Held(NamedTuple):
    """What the server says of a volume beside the fields that the report speaks of."""

    flags: str
    target: str
    confirmed: str
    current: str


class _Draft:
    """A plan in the making: what `make_plan` gathers row by row."""

    def __init__(self, records: Records, repositories: Mapping[str, object], rules: PlanRules, watch: Watch) -> None:
        self.records = records
        self.repositories = repositories
        self.rules = rules
        self.watch = watch
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.left_alone: Counter[str] = Counter()
        self.targeted: set[str] = set()
        self.containers: set[str] = set()
        self._compare: tuple[Callable[[str, str], bool], ...] = tuple(
            _comparison(FIELD_BY_NAME[name]) for name in records.fields
        )
        # Attributes come last in the records, and are in no snapshot.
        known = sum(not name.startswith(ATTRIBUTE) for name in records.fields)
        self._known, self._unseen = known, (_NOT_KNOWN,) * (len(records.fields) - known)
        self._place = records.fields.index("repository") if "repository" in records.fields else -1

    def known(self, index: int, row: tuple[str, ...]) -> int:
        """Plans one volume the scope has; 1 when it is already as the report says, else 0."""
        fields, wanted = self.records.fields, self.records.values[index]
        if not self._repository_exists(index, wanted):
            return 0
        volume, origin = row[0], self.records.origin(index)
        held = _Held(*row[self._known + 1 :])
        seen = self._seen(index, wanted)
        reason = self._left_alone(seen or self._said(wanted), held)
        if reason is not None:
            self.left_alone[reason] += 1
            return 0
        before = len(self.steps)
        now_held = (*row[1 : self._known + 1], *self._unseen)
        for name, same, now, want in zip(fields, self._compare, now_held, wanted, strict=True):
            if want is None or same(now, want) or (name == "repository" and seen):
                continue
            place = held.current if name == "repository" else ""
            action, reason = self._action(name, held.flags, stays=bool(place) and place == want)
            self._step(Step(volume, name, action, now, want, reason, origin, place), held)
        if seen:
            self._locate(index, volume, seen, held)
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
            said = {name: want for name, want in zip(records.fields, wanted, strict=True) if want}
            seen = self._seen(index, wanted)
            said |= {"repository": seen} if seen else {}
            for name, want in (said or {"description": ""}).items():
                self.steps.append(Step(volume, name, Action.ADD, "", want, "unknown volume", origin))
            if seen and self.watch.listing(records.which[index]).confirms:
                self._confirm(volume, "", seen, origin)

    def _said(self, wanted: tuple[Value, ...]) -> Value:
        """The repository a row says."""
        return wanted[self._place] if self._place >= 0 else None

    def _seen(self, index: int, wanted: tuple[Value, ...]) -> str:
        """Where the row says that its volume is; empty when it says no such thing."""
        return self.watch.listing(self.records.which[index]).seen(self._said(wanted))

    def _left_alone(self, proposed: Value, held: _Held) -> str | None:
        """Why a change of repository is left alone, None when it is not."""
        if proposed is None or proposed == held.target:
            return None
        for rule in self.rules.changes:
            if rule.proposed(proposed) and rule.target(held.target) and rule.current(held.current):
                return rule.reason
        return None

    def _action(self, field: str, flags: str, *, stays: bool) -> tuple[Action, str]:
        """The action a differing field leads to, given the volume's flags (L: locked, l: may not be moved)."""
        if field.startswith(ATTRIBUTE):
            return Action.SET, "the server knows if it differs"
        if "L" in flags:
            return Action.SKIP, "the volume is locked"
        if field != "repository":
            return Action.SET, "differs"
        if "l" in flags:
            return Action.SKIP, "the volume may not be moved"
        return (Action.CANCEL, "it is still there") if stays else (Action.MOVE, "differs")

    def _repository_exists(self, index: int, wanted: tuple[Value, ...]) -> bool:
        place = self._said(wanted)
        if not place or place in self.repositories:
            return True
        text = f'repository "{place}" is unknown in {self.records.scope}'
        hint = "map its name in the route's repositories, or add it on the server"
        self.problems.append(Problem(self.records.origin(index), text, hint))
        return False

    def _locate(self, index: int, volume: str, seen: str, held: _Held) -> None:
        """Plans what it means that a volume is in `seen`: the table of inventory.py."""
        origin, listing = self.records.origin(index), self.watch.listing(self.records.which[index])
        if held.target == seen:
            if listing.confirms and not held.current == held.confirmed == seen:
                self._confirm(volume, held.confirmed, seen, origin)
            return
        if held.current == seen:
            self.watch.leaves(seen, held.target)
            return
        self.watch.unexpected(volume, seen, held.target, origin)
        if not listing.confirms and not self._said(self.records.values[index]):
            return
        action, reason = self._action("repository", held.flags, stays=False)
        if action is Action.MOVE:
            action, reason = Action.SEEN, "seen there"
        self._step(Step(volume, "repository", action, held.target, seen, reason, origin, held.current), held)
        if action is Action.SEEN and listing.confirms:
            self._confirm(volume, held.confirmed, seen, origin)

    def _step(self, step: Step, held: _Held) -> None:
        """Takes a step; of a container that moves, also that what is in it goes along."""
        if step.action in TARGETING:
            self.targeted.add(step.volume)
            if "B" in held.flags:
                self.containers.add(step.volume)
                step = step._replace(reason=f"{step.reason}; what is in it goes along")
        self.steps.append(step)

    def _confirm(self, volume: str, before: str, seen: str, origin: Origin) -> None:
        """A confirmation is carried out after whatever else is asked of its volume."""
        reason = "listed there by an inventory"
        self.steps.append(Step(volume, "confirmed_repository", Action.CONFIRM, before, seen, reason, origin))


def _comparison(field: Field) -> Callable[[str, str], bool]:
    if field.name.startswith(ATTRIBUTE):
        return lambda _now, _want: False
    return lambda now, want: now == want or same_value(field.kind, now, want)


def _step_order(step: Step) -> tuple[str, str]:
    return step.volume, step.field


def _problem_order(problem: Problem) -> tuple[Origin, str]:
    return problem.origin, problem.text
