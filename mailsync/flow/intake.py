"""One mail, from the bytes on stdin to its end: the order of the effects (exactly-once.md section 2).

    scan, judge            pure; a mail whose run is open keeps the verdict of its first attempt
    keep the mail          durable under the run's name
    journal.begin          counts this attempt as one that has not ended in order
    hold | settle, answer  each fact durable before the next effect
    journal.end            done, or held with a reason

how an attempt ends                                    status
done, held, ignored, a duplicate                       0
overtaken by a newer report of its source              0: held, and told which scopes are done
a condition outside the mail (TemporaryError, ...)     75; after `give_up` held, and told which scopes are done
anything else, the deadline too: first, second time    75
anything else, third time                              0: held with its traceback, the operator is told
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mailsync.client.journal import DONE, HELD, Run
from mailsync.client.lock import only_attempt
from mailsync.core.errors import DeadlineError, MailsyncError, TemporaryError
from mailsync.core.identity import run_id
from mailsync.core.model import RunId, Scope
from mailsync.flow.world import World
from mailsync.mail.headers import Headers, scan_headers
from mailsync.mail.verdict import Action, Envelope, Verdict, identity, judge

if TYPE_CHECKING:
    from mailsync.flow.answer import Asked
    from mailsync.flow.decide import Report

MOST_CRASHES = 3
_EVERYBODY = ""  # no audience has this name: all of them were answered, and only the server may not know it yet
_HOUR = 3600
_KILLED = f"{MOST_CRASHES} attempts were ended from outside before they were done (killed, or out of memory)"


class Ending(NamedTuple):
    """How an attempt ended for good, and the sentence for the log."""

    action: Action
    text: str


class Intake(NamedTuple):
    """One mail as it came, its header, what names it, and what was decided about it.

    `digest` covers the whole mail and its recipient: it tells a mail the MTA tries again from any other.
    """

    mail: bytes
    headers: Headers
    identity: tuple[bytes, ...]
    digest: bytes
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
        return run_id("", (self.digest,))


def judged(mail: bytes, envelope: Envelope, world: World) -> Intake:
    """The mail with its verdict. Nothing is written, and nothing read but the configuration."""
    headers = scan_headers(mail, world.site.limits.headers)
    verdict = judge(headers, envelope, (route.rule for route in world.site.routes), world.marks)
    return Intake(mail, headers, identity(headers, mail), _digest(mail, envelope), verdict)


def deliver(mail: bytes, envelope: Envelope, world: World) -> Ending:
    """Deals with one mail. Raises MailsyncError when it must be tried again."""
    intake = _begun(judged(mail, envelope, world), world)
    known = world.journal.find(intake.run)
    if known is not None and known.state == DONE:
        return _duplicate(known)
    with only_attempt(world.lock, intake.run):
        known = world.journal.find(intake.run)
        if known is not None and known.state == DONE:
            return _duplicate(known)
        return _attempt(intake, world)


def _begun(intake: Intake, world: World) -> Intake:
    """The mail with the verdict of its first attempt, if it would be held now: tokens change while mails wait.

    Only the very same mail has that right. One that merely bears the same Message-ID may come from anybody.
    """
    if intake.verdict.action is Action.PROCESS:
        return intake
    known = world.journal.open_with(intake.digest)
    return intake if known is None else intake._replace(verdict=_verdict_of(known))


def hold_oversize(head: bytes, rest: BinaryIO, world: World) -> Ending:
    """Holds a mail beyond `mail_size`: it goes to disk as it comes in, and nothing in it is looked at."""
    draft, digest = world.archive.spool(head, rest)
    run = run_id("", (digest,))
    reason = f"larger than mail_size: {world.site.limits.mail_size} bytes"
    verdict = Verdict(Action.HOLD, reason)
    from mailsync.core.kept import to_json

    world.journal.begin(run, mail=digest, route="", verdict=to_json(verdict), now=world.now())
    world.archive.hold_draft(run, draft)
    world.journal.end(run, state=HELD, reason=reason, now=world.now())
    return Ending(Action.HOLD, reason)


def _attempt(intake: Intake, world: World) -> Ending:
    """One attempt at a run that is not done yet."""
    from mailsync.core.kept import to_json

    run, verdict = intake.run, intake.verdict
    world.archive.release(run)
    kept = world.archive.keep(run, intake.mail)
    begun = world.journal.begin(run, mail=intake.digest, route=verdict.route, verdict=to_json(verdict), now=world.now())
    if begun.mail != intake.digest:
        # Another mail of the same identity came first: what was kept of it is what this run is about.
        mail = kept.read_bytes()
        intake = intake._replace(
            mail=mail, headers=scan_headers(mail, world.site.limits.headers), verdict=_verdict_of(begun)
        )
        verdict = intake.verdict
    _supersede(intake, world)
    if verdict.action is Action.IGNORE:
        world.journal.end(run, state=DONE, reason=verdict.reason, now=world.now())
        return Ending(Action.IGNORE, verdict.reason)
    if verdict.action is Action.HOLD:
        return _hold(intake, world, verdict.reason)
    return _tried(intake, world, begun)


def _tried(intake: Intake, world: World, begun: Run) -> Ending:
    """One attempt at a mail that is to be processed, however it ends."""
    from mailsync.client.failures import OvertakenError

    if begun.crashes > MOST_CRASHES:
        return _give_up(intake, world, begun, _KILLED, trace=_KILLED)
    try:
        return _process(intake, world, begun)
    except OvertakenError as error:
        return _give_up(intake, world, begun, f"overtaken: {error.text}")
    except DeadlineError as error:
        # Not while waiting for the server or sendmail (world.py): the mail itself takes that long.
        if begun.crashes < MOST_CRASHES:
            raise
        return _give_up(intake, world, begun, f"{MOST_CRASHES} attempts took too long: {error}", trace=_trace(error))
    except MailsyncError as error:
        if world.now() - begun.first_seen > world.site.limits.give_up:
            return _give_up(intake, world, begun, f"not done within {_duration(world.site.limits.give_up)}: {error}")
        world.journal.postpone(intake.run)
        raise
    except Exception as error:
        if begun.crashes < MOST_CRASHES:
            raise
        reason = f"{MOST_CRASHES} attempts failed, the last with {type(error).__name__}"
        return _give_up(intake, world, begun, reason, trace=_trace(error))


def _process(intake: Intake, world: World, begun: Run) -> Ending:
    from mailsync.flow.answer import answer, answer_losses, send_left_over
    from mailsync.flow.lease import take_lease
    from mailsync.flow.reading import mail_report
    from mailsync.flow.settle import Job, settle

    asked = _asked(intake, world, begun)
    report = mail_report(intake.mail, intake.verdict, asked.route, world.site, now=begun.first_seen)
    try:
        lease = take_lease(world.server, intake.run, world.journal.holder, _first_scope(begun, report))
        if lease is None:
            reason = "done already, by another mail host or by an attempt that was killed at its end"
            world.journal.end(intake.run, state=DONE, reason=reason, now=world.now())
            return Ending(Action.DUPLICATE, f"run {intake.run.hex()[:16]} was {reason}")
        facts = settle(Job(intake.run, asked.route, begun.first_seen, report), world.journal, world.server)
        summary = answer(world, asked, facts, lease=lease)
        answer_losses(world, asked)
        world.journal.mark_sent(intake.run, _EVERYBODY, world.now())
        lease.end()
    finally:
        world.journal.spent(intake.run, *world.server.spent())
    world.journal.end(intake.run, state=DONE, reason=summary.verdict.value, now=world.now())
    send_left_over(world)
    spent = world.journal.find(intake.run) or begun
    told = f"{summary.verdict.value} (run {intake.run.hex()[:16]}, {spent.sent} bytes up, {spent.received} bytes down)"
    return Ending(Action.PROCESS, told)


def _first_scope(begun: Run, report: Callable[[], Report]) -> Scope | None:
    """The scope that will be planned first, if there is planning to do: its news can be asked for with the lease."""
    if begun.report is not None:
        return None
    return min((records.scope for one in report().mapped for records in one.records), default=None)


def _hold(intake: Intake, world: World, reason: str) -> Ending:
    world.archive.hold(intake.run, intake.mail)
    world.journal.end(intake.run, state=HELD, reason=reason, now=world.now())
    return Ending(Action.HOLD, reason)


def _supersede(intake: Intake, world: World) -> None:
    """Ends the held run of this very mail, now that it is judged otherwise and its new run is journalled."""
    held, run = intake.run_if_held, intake.run
    if held != run and (known := world.journal.find(held)) is not None and known.state == HELD:
        world.journal.end(held, state=DONE, reason=f"taken up as run {run.hex()[:16]}", now=world.now())
        world.archive.release(held)


def _give_up(intake: Intake, world: World, begun: Run, reason: str, *, trace: str = "") -> Ending:
    """Holds a mail that cannot be done; people are told what is done and what is not."""
    from mailsync.flow.answer import answer_failure

    if _EVERYBODY in world.journal.sent_to(intake.run):
        told = f"done and answered, which the server could not be told: {reason}"
        world.journal.end(intake.run, state=DONE, reason=told, now=world.now())
        return Ending(Action.PROCESS, told)
    held = f"{reason}\n{trace}" if trace else reason
    try:
        answer_failure(world, _asked(intake, world, begun), reason, trace=trace)
    except Exception as error:  # noqa: BLE001 - telling people failed too; the mail must not circle because of that
        held = f"{held}\nand nobody could be told: {_trace(error)}"
    ending = _hold(intake, world, held)
    _give_back(intake, world)
    return ending


def _give_back(intake: Intake, world: World) -> None:
    """Lets another host with the same mail try at once. Where the server cannot be told, the lease runs out."""
    if world.has_server:
        with suppress(MailsyncError):
            world.server.release_run(intake.run, world.journal.holder)


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


def _digest(mail: bytes, envelope: Envelope) -> bytes:
    """What names a mail whole, with its recipient; without the `From ` line, which has the time of delivery in it."""
    start = mail.find(b"\n") + 1 if mail.startswith(b"From ") else 0
    state = hashlib.sha256(b"mailsync mail 1")
    recipient = envelope.recipient.encode("utf-8", "surrogateescape")
    state.update(len(recipient).to_bytes(4, "big") + recipient)
    state.update(memoryview(mail)[start:])
    return state.digest()


def _verdict_of(run: Run) -> Verdict:
    from mailsync.core.kept import from_json

    return from_json(Verdict, run.verdict)


def _duration(seconds: int) -> str:
    return f"{seconds // _HOUR} h" if seconds >= _HOUR else f"{seconds} s"


def _trace(error: BaseException) -> str:
    """The error and where it happened, without the values at hand: they may hold secrets."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = "".join(f"\n  {frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__}: {str(error)[:500]}{places}"
