"""Runs that together have something of everything, to render a site's templates with before a mail arrives.

They are summarised from facts like any other run, so a sample cannot say what a run cannot say: one was applied with
problems and alerts, one was refused, one was given up half-way.
"""

from __future__ import annotations

from mailsync.core.guard import Objection
from mailsync.core.model import Count, CustomerId, Mapped, MediaId, Origin, Problem, Repository, RepositoryId, Scope
from mailsync.core.outcome import Result, RowResult
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summarise import summarise
from mailsync.core.summary import Applied, Context, Facts, Moving, Summary, Unfinished
from mailsync.mail.view import ReplyFacts

_LTO = Scope(CustomerId("US01"), MediaId("LTO"))
_DISK = Scope(CustomerId("US01"), MediaId("3592"))
_FILE = "extract.csv"


def sample_facts() -> ReplyFacts:
    """What a reply says about the sample's mail."""
    return ReplyFacts(
        message_id="<sample@example.com>",
        subject="Nightly tapes",
        sender="backup@example.com",
        received=1_772_589_000,
        answered=1_772_589_060,
        method="token nightly",
        kept="5a" * 32,
    )


def sample_summaries() -> tuple[Summary, ...]:
    """A run that was applied with problems and alerts, one that was refused, and one that was given up."""
    applied = Applied(_plan(), tuple((step.volume, RowResult(Result.OK)) for step in _STEPS), 42, 46)
    waiting = applied._replace(results=(), first=0, last=0)
    objection = Objection(
        "max_share_moved", "5 of the 9 volumes of US01.LTO would get another target, more than max_share_moved: 0.3"
    )
    given_up = Unfinished(_DISK, "the server did not answer for 24 h")
    facts = _facts()
    return (
        summarise(facts._replace(rounds=(applied,))),
        summarise(facts._replace(rounds=(waiting,), objections=(objection,))),
        summarise(facts._replace(rounds=(applied._replace(results=applied.results[:3]),), unfinished=(given_up,))),
    )


def _facts() -> Facts:
    unreadable = Problem(_at(10), 'column 5: "???" is not a repository', "map its name in the route's repositories")
    note = Problem(_at(1), "no charset is given; read as UTF-8")
    skipped = (Count("cleaning tape", 1),)
    mapped = Mapped(_FILE, "delimited text", "nightly-csv", "0" * 64, 10, 1, skipped, (), (unreadable,), (note,))
    repositories = (
        Repository(RepositoryId("LIBR"), "Library", "Library"),
        Repository(RepositoryId("OFFS"), "Offsite vault", "Vault", offsite=True),
    )
    described = Context(_LTO, repositories, (Moving("000001L5", "Payroll, week 10", "2026-04-01"),))
    return Facts(route="nightly", run="5a" * 32, plan="3c" * 32, mapped=(mapped,), contexts=(described,))


def _plan() -> Plan:
    unknown = Problem(_at(9), "volume US01.LTO.000009L5 is unknown to the server", "add it there")
    alert = Problem(Origin("", _FILE), "volume US01.LTO.000010L5 is missing: it should be in LIBR and is not listed")
    return Plan(_LTO, bytes(16), 41, 9, 8, 0, _STEPS, (unknown,), (alert,))


def _at(line: int) -> Origin:
    return Origin("<sample@example.com>", _FILE, "", line, line)


_STEPS = (
    Step("000001L5", "repository", Action.MOVE, "LIBR", "OFFS", "differs", _at(2)),
    Step("000002L5", "repository", Action.MOVE, "OFFS", "LIBR", "differs", _at(3)),
    Step("000003L5", "move_date", Action.SET, "", "2026-04-01", "differs", _at(4)),
    Step("000004L5", "repository", Action.ADD, "", "LIBR", "unknown volume", _at(5)),
    Step("000005L5", "repository", Action.MOVE, "LIBR", "OFFS", "differs", _at(6)),
    Step("000006L5", "repository", Action.CANCEL, "OFFS", "LIBR", "it is still there", _at(7), "LIBR"),
    Step("000007L5", "repository", Action.SEEN, "LIBR", "OFFS", "seen there", _at(8), "LIBR"),
)
