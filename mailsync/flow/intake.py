"""One mail, from the bytes on stdin to its end: the order of the effects (exactly-once.md section 2).

    scan, judge            pure; the verdict of the first attempt is reused while the run is open
    keep the mail          durable under the run's name
    journal.begin          counts this attempt as one that has not ended in order
    hold | settle, answer  each fact durable before the next effect
    journal.end            done, or held with a reason

how an attempt ends                                    status
done, held, ignored, a duplicate                       0
a condition outside the mail (TemporaryError, ...)     75; after `give_up` held, and told which scopes are done
anything else, first and second time                   75
anything else, third time                              0: held with its traceback, the operator is told
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mailsync.client.journal import DONE, HELD, OPEN, Run
from mailsync.client.lock import only_attempt
from mailsync.core.errors import MailsyncError, TemporaryError
from mailsync.core.identity import run_id
from mailsync.core.model import RunId
from mailsync.flow.world import World
from mailsync.mail.headers import Headers, scan_headers
from mailsync.mail.verdict import Action, Envelope, Verdict, identity, judge

if TYPE_CHECKING:
    from mailsync.flow.answer import Asked

MOST_CRASHES = 3
_HOUR = 3600
_KILLED = f"{MOST_CRASHES} attempts were ended from outside before they were done (killed, or out of memory)"


class Ending(NamedTuple):
    """How an attempt ended for good, and the sentence for the log."""

    action: Action
    text: str


class Intake(NamedTuple):
    """One mail as it came, its header, what names it, and what was decided about it."""

    mail: bytes
    headers: Headers
    identity: tuple[bytes, ...]
    delivery: bytes
    verdict: Verdict

    @property
    def run(self) -> RunId:
        """The run id: of a mail that is acted on by its identity, of any other by all of it, so that none is lost."""
        if self.verdict.action is Action.PROCESS:
            return run_id(self.verdict.route, self.identity)
        return self.run_if_held

    @property
    def run_if_held(self) -> RunId:
        """The run id this very mail has, or would have, as one that is not acted on."""
        return run_id("", (hashlib.sha256(self.mail).digest(),))


def judged(mail: bytes, envelope: Envelope, world: World) -> Intake:
    """The mail with its verdict. Nothing is written, and nothing read but the configuration."""
    headers = scan_headers(mail, world.site.limits.headers)
    named = identity(headers, mail)
    verdict = judge(headers, envelope, (route.rule for route in world.site.routes), world.marks)
    return Intake(mail, headers, named, _delivery(named, envelope), verdict)


def deliver(mail: bytes, envelope: Envelope, world: World) -> Ending:
    """Deals with one mail. Raises MailsyncError when it must be tried again."""
    intake = judged(mail, envelope, world)
    known = world.journal.delivered(intake.delivery)
    if known is not None and known.state == DONE:
        return _duplicate(known)
    if known is not None and known.state == OPEN:
        from mailsync.core.kept import from_json

        intake = intake._replace(verdict=from_json(Verdict, known.verdict))
    with only_attempt(world.lock, intake.run):
        begun = world.journal.find(intake.run)
        if begun is not None and begun.state == DONE:
            return _duplicate(begun)
        if known is not None and known.state == HELD:
            _supersede(intake, world)
        return _attempt(intake, world)


def hold_oversize(head: bytes, rest: BinaryIO, world: World) -> Ending:
    """Holds a mail beyond `mail_size`: it goes to disk as it comes in, and nothing in it is looked at."""
    draft, digest = world.archive.spool(head, rest)
    run = run_id("", (digest,))
    reason = f"larger than mail_size: {world.site.limits.mail_size} bytes"
    verdict = Verdict(Action.HOLD, reason)
    from mailsync.core.kept import to_json

    world.journal.begin(run, delivery=digest, route="", verdict=to_json(verdict), now=world.now())
    world.archive.hold_draft(run, draft)
    world.journal.end(run, state=HELD, reason=reason, now=world.now())
    return Ending(Action.HOLD, reason)


def _attempt(intake: Intake, world: World) -> Ending:
    """One attempt at a run that is not done yet."""
    from mailsync.core.kept import to_json

    run, verdict = intake.run, intake.verdict
    world.archive.release(run)
    world.archive.keep(run, intake.mail)
    begun = world.journal.begin(
        run, delivery=intake.delivery, route=verdict.route, verdict=to_json(verdict), now=world.now()
    )
    if verdict.action is Action.IGNORE:
        world.journal.end(run, state=DONE, reason=verdict.reason, now=world.now())
        return Ending(Action.IGNORE, verdict.reason)
    if verdict.action is Action.HOLD:
        return _hold(intake, world, verdict.reason)
    if begun.crashes > MOST_CRASHES:
        return _give_up(intake, world, begun, _KILLED, trace=_KILLED)
    try:
        return _process(intake, world, begun)
    except MailsyncError as error:
        if world.now() - begun.first_seen > world.site.limits.give_up:
            hours = world.site.limits.give_up // _HOUR
            return _give_up(intake, world, begun, f"not done within {hours} h: {error}")
        world.journal.postpone(run)
        raise
    except Exception as error:
        if begun.crashes < MOST_CRASHES:
            raise
        reason = f"{MOST_CRASHES} attempts failed, the last with {type(error).__name__}"
        return _give_up(intake, world, begun, reason, trace=_trace(error))


def _process(intake: Intake, world: World, begun: Run) -> Ending:
    from mailsync.flow.answer import answer
    from mailsync.flow.reading import mail_report
    from mailsync.flow.settle import Job, settle

    asked = _asked(intake, world, begun)
    report = mail_report(intake.mail, intake.verdict, asked.route, world.site)
    try:
        facts = settle(Job(intake.run, asked.route, begun.first_seen, report), world.journal, world.server)
    finally:
        sent, received = world.server.spent()
        world.journal.spent(intake.run, sent, received)
    summary = answer(world, asked, facts)
    world.journal.end(intake.run, state=DONE, reason=summary.verdict.value, now=world.now())
    told = f"{summary.verdict.value} (run {intake.run.hex()[:16]}, {sent} bytes up, {received} bytes down)"
    return Ending(Action.PROCESS, told)


def _hold(intake: Intake, world: World, reason: str) -> Ending:
    world.archive.hold(intake.run, intake.mail)
    world.journal.end(intake.run, state=HELD, reason=reason, now=world.now())
    return Ending(Action.HOLD, reason)


def _supersede(intake: Intake, world: World) -> None:
    """Ends the held run of this very mail when it is judged otherwise now."""
    held, run = intake.run_if_held, intake.run
    if held != run and (known := world.journal.find(held)) is not None and known.state == HELD:
        world.archive.release(held)
        world.journal.end(held, state=DONE, reason=f"taken up as run {run.hex()[:16]}", now=world.now())


def _give_up(intake: Intake, world: World, begun: Run, reason: str, *, trace: str = "") -> Ending:
    """Holds a mail that cannot be done; people are told what is done and what is not."""
    from mailsync.flow.answer import answer_failure

    held = f"{reason}\n{trace}" if trace else reason
    try:
        answer_failure(world, _asked(intake, world, begun), reason, trace=trace)
    except Exception as error:  # noqa: BLE001 - telling people failed too; the mail must not circle because of that
        held = f"{held}\nand nobody could be told: {_trace(error)}"
    return _hold(intake, world, held)


def _asked(intake: Intake, world: World, begun: Run) -> Asked:
    from mailsync.flow.answer import Asked
    from mailsync.mail.reply import OriginalMail

    original = OriginalMail(intake.headers.first("message-id"), intake.headers.first("references"))
    route = next((one for one in world.site.routes if one.name == intake.verdict.route), None)
    if route is None:
        text = f'route "{intake.verdict.route}" of this run is gone from {world.site.path}'
        raise TemporaryError(text, hint="put it back, or the mail is held after limits.give_up")
    return Asked(intake.run, route, intake.verdict, original, begun.first_seen)


def _duplicate(run: Run) -> Ending:
    return Ending(Action.DUPLICATE, f"run {run.run.hex()[:16]} was already {run.reason or 'done'}")


def _delivery(named: tuple[bytes, ...], envelope: Envelope) -> bytes:
    """What names a delivery, whatever is decided about it: the mail's identity, and for whom it came."""
    state = hashlib.sha256(b"mailsync delivery 1")
    for part in (*named, envelope.recipient.encode("utf-8", "surrogateescape")):
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()


def _trace(error: BaseException) -> str:
    """The error and where it happened, without the values at hand: they may hold secrets."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = "".join(f"\n  {frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__}: {str(error)[:500]}{places}"
