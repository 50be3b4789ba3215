"""What is told of a mail, with the tokens in it hidden: once, before it is journalled, shown or sent.

A report may quote the address it was sent to, in a cell, a name or a line: whoever reads the reply, the log or the
journal would then know the token, and could send reports. Only what is told is changed; what is applied is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.model import Mapped, Problem
from mailsync.core.plan import Plan
from mailsync.core.summary import Addition, Context, Facts, Leg, Setting, Summary
from mailsync.mail.sender import redact_told


def masked_facts(facts: Facts) -> Facts:
    """The facts with every token in a problem, a note or an objection hidden; their rounds are taken as they are."""
    merged = facts.merged
    return facts._replace(
        mapped=tuple(_mapped(one) for one in facts.mapped),
        merged=merged._replace(problems=_all(merged.problems), notes=_all(merged.notes)),
        objections=tuple(one._replace(text=redact_told(one.text)) for one in facts.objections),
        problems=_all(facts.problems),
        notes=_all(facts.notes),
    )


def masked_plan(plan: Plan) -> Plan:
    """The plan with every token in a problem, an alert or a note of it hidden."""
    return plan._replace(problems=_all(plan.problems), alerts=_all(plan.alerts), notes=_all(plan.notes))


def masked_context(context: Context) -> Context:
    """The context with every token in the description of a volume that moves hidden."""
    moving = tuple(one._replace(description=redact_told(one.description)) for one in context.moving)
    return context._replace(moving=moving)


def masked_summary(summary: Summary) -> Summary:
    """The summary with every token in a move, a change or a name hidden: the plan keeps what is applied."""
    return summary._replace(
        legs=_legs(summary.legs),
        cancelled=_legs(summary.cancelled),
        seen=_legs(summary.seen),
        pending=_legs(summary.pending),
        settings=tuple(_setting(one) for one in summary.settings),
        additions=tuple(_addition(one) for one in summary.additions),
        attachments=tuple(one._replace(attachment=redact_told(one.attachment)) for one in summary.attachments),
    )


def _legs(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    return tuple(
        leg._replace(
            moves=tuple(
                one._replace(description=redact_told(one.description), origin=redact_told(one.origin))
                for one in leg.moves
            )
        )
        for leg in legs
    )


def _setting(one: Setting) -> Setting:
    before, after, origin = map(redact_told, (one.before, one.after, one.origin))
    return one._replace(before=before, after=after, origin=origin)


def _addition(one: Addition) -> Addition:
    values = tuple((name, redact_told(value)) for name, value in one.values)
    return one._replace(values=values, origin=redact_told(one.origin))


def _mapped(mapped: Mapped) -> Mapped:
    return mapped._replace(problems=_all(mapped.problems), notes=_all(mapped.notes))


def _all(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(_masked(one) for one in problems)


def _masked(problem: Problem) -> Problem:
    origin = problem.origin
    origin = origin._replace(attachment=redact_told(origin.attachment), table=redact_told(origin.table))
    return Problem(origin, redact_told(problem.text), redact_told(problem.hint))
