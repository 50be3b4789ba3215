"""Guards: a plan that looks like an accident is answered, not applied.

objection            when
min_rows             the report has fewer records than it says
max_share_problems   more than this share of its rows have problems
max_share_moved      more than `always_allowed` volumes, and more than this share of the scope, would get another
                     target, with what the server applied of other reports of its source within the last day

grants               the server lets the site not write to the scope (found out when it is sent, not here)

The first two are about the report, and stop all of it. The last is about one scope, and stops that alone. What moves
nothing has no objection to fear from what was moved before (exactly-once.md section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.model import Scope

if TYPE_CHECKING:
    # The limits are read with the site, for every mail; plans are made for few of them.
    from mailsync.core.model import Mapped
    from mailsync.core.plan import Plan


DAY_SECONDS = 86_400


class Guards(NamedTuple):
    """A route's limits. Shares are of 1; `always_allowed` moves pass however small the scope is."""

    max_share_moved: float = 0.3
    max_share_problems: float = 0.5
    min_rows: int = 1
    always_allowed: int = 0


GRANTS = "grants"


class Earlier(NamedTuple):
    """What other reports of a source moved in a scope within the last day: volumes, each time they moved, and mails."""

    volumes: int = 0
    mails: int = 0


NOTHING_EARLIER: Mapping[Scope, Earlier] = {}


class Objection(NamedTuple):
    """Why a plan is not applied: the guard's name, which is its setting's, and the sentence for people.

    `scope` is the one that is stopped; None: all of the report.
    """

    guard: str
    text: str
    scope: Scope | None = None


def objections(
    mapped: Sequence[Mapped], plans: Sequence[Plan], guards: Guards, earlier: Mapping[Scope, Earlier] = NOTHING_EARLIER
) -> tuple[Objection, ...]:
    """Every objection to what a mail asks for, none when it may be applied.

    `earlier` is what its source moved before, of the scopes where it moved anything.
    """
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
        moved, before = moved_volumes(plan), earlier.get(plan.scope, Earlier())
        total = moved + before.volumes
        if moved and total > guards.always_allowed and total > guards.max_share_moved * plan.size:
            text = (
                f"{moved} of the {plan.size} volumes of {plan.scope} would get another target{_after(before)}, "
                f"more than max_share_moved: {guards.max_share_moved:g}"
            )
            found.append(Objection("max_share_moved", text, plan.scope))
    return tuple(found)


def stopped(objections: Iterable[Objection], scope: Scope) -> bool:
    """True when one of the objections stops the scope."""
    return any(one.scope in (None, scope) for one in objections)


def _after(before: Earlier) -> str:
    if not before.volumes:
        return ""
    mails = "1 mail" if before.mails == 1 else f"{before.mails} mails"
    return f", after {before.volumes} that {mails} of the same source moved within 24 h: together"
