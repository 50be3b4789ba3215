"""What a mail would do, worked out with the same code and without any effect: `explain`.

The server is asked for its volumes; when it does not answer, the volumes as last seen must do.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.client.journal import DONE
from mailsync.core.errors import TemporaryError
from mailsync.core.guard import Earlier, stopped
from mailsync.core.model import RunId, Scope, Snapshot
from mailsync.core.summarise import summarise
from mailsync.core.summary import Applied, Facts, Summary
from mailsync.core.tally import foreseen
from mailsync.flow.answer import Asked, Letter, letters
from mailsync.flow.decide import Decision, decide
from mailsync.flow.intake import Intake, judged
from mailsync.flow.reading import mail_report
from mailsync.flow.world import World
from mailsync.mail.reply import OriginalMail
from mailsync.mail.verdict import Action, Envelope, Verdict


class Foreseen(NamedTuple):
    """A mail decided and not done. Beside a verdict other than `process`, nothing is decided."""

    verdict: Verdict
    decision: Decision | None = None
    summary: Summary | None = None
    letters: tuple[Letter, ...] = ()
    stale: tuple[Scope, ...] = ()


def foresee(mail: bytes, envelope: Envelope, world: World) -> Foreseen:
    """What `filter` would do with the mail now. Raises TemporaryError without a server and without a cache."""
    intake = judged(mail, envelope, world)
    if world.site.audit.journal.exists():
        known = world.journal.find(intake.run)
        if known is not None and known.state == DONE:
            reason = f"run {known.run.hex()[:16]} was already {known.reason or 'done'}"
            return Foreseen(intake.verdict._replace(action=Action.DUPLICATE, reason=reason))
    if intake.verdict.action is not Action.PROCESS:
        return Foreseen(intake.verdict)
    return _decided(intake, world)


def _decided(intake: Intake, world: World) -> Foreseen:
    route = next(one for one in world.site.routes if one.name == intake.verdict.route)
    report = mail_report(intake.mail, intake.verdict, route, world.site, now=world.now())()
    view = _Remembering(world)
    decision = decide(route, intake.run, report, view)
    summary = summarise(_outlook(decision))
    original = OriginalMail(intake.headers.first("message-id"), intake.headers.first("references"))
    asked = Asked(intake.run, route, intake.verdict, original, world.now())
    return Foreseen(intake.verdict, decision, summary, letters(world, asked, summary), tuple(view.stale))


class _Remembering:
    """The server, or what was last seen of it; `stale` are the scopes it could not be asked about."""

    def __init__(self, world: World) -> None:
        self.stale: list[Scope] = []
        self._server = world.server

    def refresh(self, scope: Scope) -> Snapshot:
        try:
            return self._server.refresh(scope)
        except TemporaryError:
            remembered = self._server.remembered(scope)
            if remembered is None:
                raise
            self.stale.append(scope)
            return remembered

    def earlier(self, scope: Scope, source: str, run: RunId) -> Earlier:
        if scope in self.stale:
            return Earlier()
        return self._server.earlier(scope, source, run)


def _outlook(decision: Decision) -> Facts:
    """The facts as they will be if the server accepts everything that is sent."""
    found = decision.facts.objections
    plans = [one.plan for one in decision.scopes]
    rounds = tuple(Applied(plan, (), 0, 0) if stopped(found, plan.scope) else foreseen(plan) for plan in plans)
    return decision.facts._replace(rounds=rounds)
