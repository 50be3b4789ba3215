"""Carrying a run out: journal what was decided, apply it, and plan again what was in the way, round by round.

Strategy (exactly-once.md sections 1 to 3). All scopes are decided (decide.py) before anything is sent, and plans and
requests are journalled in one transaction. From then on the journal leads: a batch without an outcome is sent byte for
byte, first.

answer of the server           what follows
outcome                        kept
  ... with conflicts           the next round: the scope is synced and planned again; the last round's stay problems
601, 602, 605 (stale)          nothing was recorded: the chapter is dropped, and the same round planned again
606 (overtaken)                a newer report of this source was applied: the run ends here (OvertakenError)
604: the id was used before     its effects stand, what they were is not known here: the next round plans what is left
204, 301 (no grant any more)   the scope is refused, and told; the other scopes go on
none                           75; the next attempt goes on here
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from mailsync.client.failures import ForbiddenError, NoScopeError, ReusedError, StaleError
from mailsync.client.journal import Chapter, Journal, KeptBatch
from mailsync.config.route import Route
from mailsync.core.batches import Cause, make_batches
from mailsync.core.errors import RefusedError, TemporaryError
from mailsync.core.guard import GRANTS, Earlier, Objection, objections, stopped
from mailsync.core.kept import facts_from_json, facts_to_json, from_json, to_json
from mailsync.core.merge import Merged, merge
from mailsync.core.model import Records, RunId, Scope, parse_scope
from mailsync.core.outcome import Change, Outcome, Result
from mailsync.core.plan import TARGETING, Plan, moved_volumes, plan_id
from mailsync.core.summary import Along, Applied, Context, Facts, Unfinished
from mailsync.core.tally import operations_of, tally
from mailsync.flow.decide import MOST_PROBLEMS, Decided, Decision, Report, decide, plan_scope
from mailsync.flow.lost import Watched, Witness
from mailsync.wire.batches import encode_apply

ROUNDS = 5


class Server(Witness, Protocol):
    """What a run needs of the server."""

    def apply(self, body: bytes) -> Outcome:
        """The outcome of the encoded batch. Raises StaleError, ReusedError, OvertakenError or TemporaryError."""
        ...


class Job(NamedTuple):
    """One run to settle. `report` reads and maps the extract: a pure function of what was kept, called when needed."""

    run: RunId
    route: Route
    asof: int
    report: Callable[[], Report]


def settle(job: Job, journal: Journal, server: Server) -> Facts:
    """Brings a run to its end, from wherever an earlier attempt left it; all that was done, by whichever attempt."""
    kept = journal.find(job.run)
    if kept is None or kept.report is None:
        report = job.report()
        _keep(job, journal, report, decide(job.route, job.run, report, Watched(journal, server)))
    _Course(job, journal, server).run()
    return facts_of(journal, job.run)


def facts_of(journal: Journal, run: RunId, unfinished: str = "") -> Facts:
    """The kept facts of a run. `unfinished` is why scopes without all their outcomes were given up."""
    kept = journal.find(run)
    if kept is None or kept.report is None:
        return Facts(route=kept.route if kept else "", run=run.hex(), plan="")
    facts = facts_from_json(kept.report)
    rounds = []
    contexts: list[Context] = []
    left: list[Unfinished] = []
    refused: list[Objection] = []
    outcomes = journal.outcomes(run)
    for chapter in journal.chapters(run):
        decided = from_json(Decided, chapter.plan)
        answers = outcomes.get(chapter.chapter, [])
        rounds.append(_applied(decided.plan, [from_json(Outcome, one) for one in answers if one is not None]))
        contexts.append(decided.context)
        if decided.forbidden:
            refused.append(Objection(GRANTS, decided.forbidden, decided.plan.scope))
        reason = decided.objection or (unfinished if None in answers else "")
        left = [one for one in left if one.scope != decided.plan.scope]
        left += [Unfinished(decided.plan.scope, reason)] if reason else []
    return facts._replace(
        rounds=tuple(rounds),
        contexts=tuple(contexts),
        unfinished=tuple(left),
        objections=(*facts.objections, *refused),
    )


class _Course:
    """The rounds of one run, led by its journal."""

    def __init__(self, job: Job, journal: Journal, server: Server) -> None:
        self._job = job
        self._journal = journal
        self._server = server
        self._view = Watched(journal, server)
        self._report: Report | None = None
        self._merged = Merged()

    def run(self) -> None:
        """Sends what has no outcome, and plans again what conflicted, until nothing is left to do."""
        for _ in range(2 * ROUNDS):
            stale, reused = self._send_all()
            again = [chapter for chapter in self._conflicting() if chapter not in (*stale, *reused)]
            if not stale and not reused and not again:
                return
            for chapter in stale:
                self._plan_again(chapter, chapter.round, dropping=True)
            for chapter in reused:
                self._plan_again(chapter, chapter.round + 1, dropping=True)
            for chapter in again:
                self._plan_again(chapter, chapter.round + 1, dropping=False)
        hint = "the mail stays queued and the run goes on with the next attempt"
        raise TemporaryError("the server's store changes faster than this run can follow", hint=hint)

    def _send_all(self) -> tuple[list[Chapter], list[Chapter]]:
        """Sends every batch without an outcome; the chapters that turned out stale, and those whose id was used."""
        chapters = {chapter.chapter: chapter for chapter in self._journal.chapters(self._job.run)}
        stale: list[Chapter] = []
        reused: list[Chapter] = []
        refused: list[Chapter] = []
        for batch in self._journal.unanswered(self._job.run):
            chapter = chapters[batch.chapter]
            if chapter in stale or chapter in reused or chapter in refused:
                continue
            try:
                outcome = self._server.apply(batch.body)
            except (ForbiddenError, NoScopeError) as error:
                self._refuse(chapter, error)
                refused.append(chapter)
            except ReusedError:
                # The stored outcome is of other operations than ours: laid beside them it would tell lies.
                reused.append(chapter)
            except StaleError:
                stale.append(chapter)
            else:
                self._journal.answered(self._job.run, batch, to_json(outcome))
        return stale, reused

    def _conflicting(self) -> list[Chapter]:
        """The last chapters of scopes in which conflicts were left, where another round is allowed."""
        outcomes = self._journal.outcomes(self._job.run)
        latest = {chapter.scope: chapter for chapter in self._journal.chapters(self._job.run)}
        return [
            chapter
            for chapter in latest.values()
            if chapter.round + 1 < ROUNDS and any(map(_has_conflict, outcomes.get(chapter.chapter, ())))
        ]

    def _plan_again(self, chapter: Chapter, round_: int, *, dropping: bool) -> None:
        """Adds a plan for the chapter's scope, against its newest state, and journals it with its requests."""
        scope = parse_scope(chapter.scope)
        assert scope is not None
        records, report = self._records(scope)
        try:
            decided = plan_scope(records, self._view.refresh(scope), report.rules(scope))
        except NoScopeError as error:
            self._refuse(chapter, error)
            return
        # An epoch that changed may have brought back last month's store: the guards see every plan.
        run = self._job.run
        chapters = self._journal.chapters(run)
        latest = {one.scope: one for one in chapters if one.scope != chapter.scope}
        others = [from_json(Decided, one.plan).plan for one in latest.values()]
        earlier = {scope: self._earlier(decided.plan, report.source)} if moved_volumes(decided.plan) else {}
        found = [
            one
            for one in objections(report.mapped, [*others, decided.plan], self._job.route.guards, earlier)
            if stopped([one], scope)
        ]
        if found:
            decided = decided._replace(objection="; ".join(one.text for one in found))
        number = len(chapters)
        # Parts of a dropped chapter that were recorded keep their numbers: a batch id is never used twice.
        outcomes = self._journal.outcomes(run)
        part = sum(
            outcome is not None
            for other in chapters
            if (other.scope, other.round) == (chapter.scope, round_)
            for outcome in outcomes.get(other.chapter, ())
        )
        batches = () if found else _requests(self._job, report, decided.plan, (number, round_, part))
        added = Chapter(number, round_, chapter.scope, to_json(decided), dropped=False)
        self._journal.extend(run, (added,), batches, dropping=chapter.chapter if dropping else None)
        if not found:
            self._journal.losses.redone(run, chapter.scope)

    def _earlier(self, plan: Plan, source: str) -> Earlier:
        """What others moved, and what this run did before and does not do again."""
        others = self._view.earlier(plan.scope, source, self._job.run)
        rounds = [one for one in facts_of(self._journal, self._job.run).rounds if one.plan.scope == plan.scope]
        mine = {step.volume for step in tally(rounds).done if step.action in TARGETING}
        mine -= {step.volume for step in plan.steps if step.action in TARGETING}
        return Earlier(others.volumes + len(mine), others.mails + bool(mine))

    def _refuse(self, chapter: Chapter, error: RefusedError) -> None:
        """Notes that the server takes nothing of a scope from this user, while it takes other things.

        Raises RefusedError where it takes nothing at all, as of a revoked user: that is no matter of this mail.
        """
        scope = parse_scope(chapter.scope)
        assert scope is not None
        with suppress(NoScopeError):
            self._view.refresh(scope)
        decided = from_json(Decided, chapter.plan)._replace(forbidden=f"{scope} is not this site's to write: {error}")
        added = Chapter(
            len(self._journal.chapters(self._job.run)), chapter.round, chapter.scope, to_json(decided), dropped=False
        )
        self._journal.extend(self._job.run, (added,), (), dropping=chapter.chapter)

    def _records(self, scope: Scope) -> tuple[Records, Report]:
        if self._report is None:
            self._report = self._job.report()
            self._merged = merge(self._report.mapped, MOST_PROBLEMS)
        found = [one for one in self._merged.records if one.scope == scope]
        if not found:
            hint = "put the definition back as it was; after limits.give_up the mail is held"
            raise TemporaryError(f"the report no longer speaks of {scope}: its definition was changed", hint=hint)
        return found[0], self._report


def _keep(job: Job, journal: Journal, report: Report, decision: Decision) -> None:
    """Journals a decision with every request it comes to, in one transaction."""
    chapters: list[Chapter] = []
    batches: list[KeptBatch] = []
    for number, decided in enumerate(decision.scopes):
        chapters.append(Chapter(number, 0, str(decided.plan.scope), to_json(decided), dropped=False))
        if decided.plan.epoch and not stopped(decision.facts.objections, decided.plan.scope):
            batches += _requests(job, report, decided.plan, (number, 0, 0))
    journal.decide(job.run, facts_to_json(decision.facts), tuple(chapters), tuple(batches))


def _requests(job: Job, report: Report, plan: Plan, place: tuple[int, int, int]) -> tuple[KeptBatch, ...]:
    """The encoded requests of a plan; `place` is chapter, round and first part."""
    chapter, round_, first = place
    cause = Cause(
        job.run, bytes.fromhex(plan_id(report.digest, [plan])), report.source, job.asof if report.ordered else 0
    )
    batches = make_batches(plan, cause, round_=round_, first_part=first)
    return tuple(
        KeptBatch(chapter, first + number, batch.id, encode_apply(batch)) for number, batch in enumerate(batches)
    )


def _has_conflict(outcome: str | None) -> bool:
    return outcome is not None and any(row.result is Result.CONFLICT for row in from_json(Outcome, outcome).results)


def _applied(plan: Plan, outcomes: list[Outcome]) -> Applied:
    results = [row for one in outcomes for row in one.results]
    operations = operations_of(plan)
    volumes = [volume for volume, _ in operations]
    changed = [one for one in outcomes if any(row.result is Result.OK for row in one.results)]
    first, last = (changed[0].first, changed[-1].last) if changed else (0, 0)
    seen = max(((one.entry, one.ledger) for one in outcomes), default=(0, b""))
    return Applied(plan, tuple(zip(volumes, results, strict=False)), first, last, *seen, _along(operations, outcomes))


def _along(operations: Sequence[tuple[str, Change]], outcomes: Iterable[Outcome]) -> tuple[Along, ...]:
    """What containers took along; an outcome counts its operations from 0, and they follow each other."""
    found = []
    before = 0
    for one in outcomes:
        found += [Along(*operations[before + carried.position], carried.barcode) for carried in one.carried]
        before += len(one.results)
    return tuple(found)
