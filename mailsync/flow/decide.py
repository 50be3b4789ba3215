"""Deciding: what a report comes to, as a value. Every scope is planned as it is now, and the guards speak of all plans.

Strategy (exactly-once.md section 1). Only the server is asked, and nothing is changed: settle.py journals what is
decided here and carries it out, foresee.py shows it. A scope the server does not have is planned as an empty one
without an epoch, of which nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from mailsync.client.failures import NoScopeError
from mailsync.config.route import Route
from mailsync.core.guard import Earlier, objections
from mailsync.core.merge import merge
from mailsync.core.model import Mapped, Origin, Problem, Records, Repository, RunId, Scope, Snapshot
from mailsync.core.plan import Plan, moved_volumes, plan_id
from mailsync.core.planning import PlanRules, make_plan
from mailsync.core.summary import Context, Facts, context
from mailsync.flow.masked import masked_context, masked_facts, masked_plan

MOST_PROBLEMS = 1_000


class View(Protocol):
    """What deciding needs of the server."""

    def refresh(self, scope: Scope) -> Snapshot:
        """The scope as it is now. Raises NoScopeError, or TemporaryError when the server cannot say."""
        ...

    def earlier(self, scope: Scope, source: str, run: RunId) -> Earlier:
        """What the source's other runs moved in the scope within the last day. Raises TemporaryError."""
        ...


class Report(NamedTuple):
    """What was read: the mapped attachments, and what is wrong or worth telling of the mail itself.

    `digest` names the definitions that read it, `rules` are what they and the route say about planning a scope.
    `source` is what the server keeps the order of reports by, unless they list events rather than a state and are not
    `ordered`; and what it adds up the moves of.
    """

    mapped: tuple[Mapped, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    digest: str
    source: str
    ordered: bool
    rules: Callable[[Scope], PlanRules]


class Decided(NamedTuple):
    """A planned scope as it is journalled; `objection` says why none of it is sent, after the first round.

    `forbidden` is what the server said, where it was the server that refused it.
    """

    plan: Plan
    context: Context
    objection: str = ""
    forbidden: str = ""


class Decision(NamedTuple):
    """What a report comes to: the facts without any outcome, and the scopes' plans."""

    facts: Facts
    scopes: tuple[Decided, ...]


def decide(route: Route, run: RunId, report: Report, view: View) -> Decision:
    """Plans every scope of a report, and lets the guards object."""
    merged = merge(report.mapped, MOST_PROBLEMS)
    problems = list(report.problems)
    scopes = []
    for records in merged.records:
        try:
            scopes.append(plan_scope(records, view.refresh(records.scope), report.rules(records.scope)))
        except NoScopeError:
            scopes.append(plan_scope(records, _NoSuchScope(records.scope), PlanRules()))
            hint = f"correct the report, or: mailsync server scope add {records.scope}"
            problems.append(Problem(Origin(), f"the server has no scope {records.scope}", hint))
    plans = [one.plan for one in scopes]
    earlier = {plan.scope: view.earlier(plan.scope, report.source, run) for plan in plans if moved_volumes(plan)}
    facts = Facts(
        route=route.name,
        run=run.hex(),
        plan=plan_id(report.digest, plans),
        mapped=report.mapped,
        merged=merged,
        objections=objections(report.mapped, plans, route.guards, earlier),
        problems=tuple(problems),
        notes=report.notes,
        contexts=tuple(one.context for one in scopes),
    )
    return Decision(masked_facts(facts), tuple(scopes))


def plan_scope(records: Records, snapshot: Snapshot, rules: PlanRules) -> Decided:
    """A scope planned as it is now, with the tokens in what is told of it hidden; no guard has spoken yet."""
    plan = masked_plan(make_plan(records, snapshot, rules))
    return Decided(plan, masked_context(context(plan, snapshot)))


class _NoSuchScope(NamedTuple):
    """The snapshot of a scope the server does not have: no volumes, no epoch, so nothing is sent."""

    scope: Scope
    epoch: bytes = b""
    version: int = 0
    size: int = 0

    @property
    def repositories(self) -> Mapping[str, Repository]:
        """No repository."""
        return {}

    def rows(self, fields: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """No volume."""
        del fields
        return ()

    def lookup(self, volumes: Iterable[str], fields: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """No volume."""
        del volumes, fields
        return ()

    def inside(self, container: str) -> Iterable[str]:
        """No volume."""
        del container
        return ()
