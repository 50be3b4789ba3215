"""Guards: a plan that looks like an accident is answered, not applied, and an operator can release exactly it.

objection            when
min_rows             the report has fewer records than it says
max_share_problems   more than this share of its rows have problems
max_share_moved      more than `always_allowed` volumes, and more than this share of the scope, would get another target

grants               the server lets the site not write to the scope (found out when it is sent, not here)

The first two are about the report, and stop all of it. The last is about one scope, and stops that alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.model import Scope

if TYPE_CHECKING:
    # The limits are read with the site, for every mail; plans are made for few of them.
    from mailsync.core.model import Mapped
    from mailsync.core.plan import Plan


class Guards(NamedTuple):
    """A route's limits. Shares are of 1; `always_allowed` moves pass however small the scope is."""

    max_share_moved: float = 0.3
    max_share_problems: float = 0.5
    min_rows: int = 1
    always_allowed: int = 0


GRANTS = "grants"


class Objection(NamedTuple):
    """Why a plan is not applied: the guard's name, which is its setting's, and the sentence for people.

    `scope` is the one that is stopped; None: all of the report.
    """

    guard: str
    text: str
    scope: Scope | None = None


def objections(mapped: Sequence[Mapped], plans: Sequence[Plan], guards: Guards) -> tuple[Objection, ...]:
    """Every objection to what a mail asks for, none when it may be applied."""
    from mailsync.core.plan import moved_volumes

    found = []
    recorded = sum(plan.listed for plan in plans)
    if recorded < guards.min_rows:
        text = f"the report has {recorded} usable rows, fewer than min_rows: {guards.min_rows}"
        found.append(Objection("min_rows", text))
    refused = sum(one.refused for one in mapped) + sum(len(plan.problems) for plan in plans)
    rows = sum(one.refused for one in mapped) + recorded
    if rows and refused > guards.max_share_problems * rows:
        text = f"{refused} of {rows} rows have problems, more than max_share_problems: {guards.max_share_problems:g}"
        found.append(Objection("max_share_problems", text))
    for plan in plans:
        moved = moved_volumes(plan)
        if moved > guards.always_allowed and moved > guards.max_share_moved * plan.size:
            text = (
                f"{moved} of the {plan.size} volumes of {plan.scope} would get another target, "
                f"more than max_share_moved: {guards.max_share_moved:g}"
            )
            found.append(Objection("max_share_moved", text, plan.scope))
    return tuple(found)


def stopped(objections: Iterable[Objection], scope: Scope) -> bool:
    """True when one of the objections stops the scope."""
    return any(one.scope in (None, scope) for one in objections)
