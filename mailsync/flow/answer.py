"""Answering a run: every audience that is due gets its reply, rendered once, kept, and then sent.

Strategy (exactly-once.md section 2): a reply is on disk before sendmail sees it, so every copy that is ever sent is
the same bytes under the same Message-ID. The mark follows sendmail's acceptance: dying between the two sends a second
copy, and never none. A run that is given up is answered too, under names of its own, so that it can still be answered
when it is taken up again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from mailsync.client.losses import Lost
from mailsync.config.route import SENDER, Audience, Route
from mailsync.core.errors import TemporaryError
from mailsync.core.kept import from_json
from mailsync.core.model import RunId
from mailsync.core.summarise import summarise
from mailsync.core.summary import Facts, Summary, digest, due
from mailsync.flow.lease import Lease
from mailsync.flow.masked import masked_summary
from mailsync.flow.settle import facts_of
from mailsync.flow.witness import heads_for
from mailsync.flow.world import World
from mailsync.mail.loop import own_message_id
from mailsync.mail.notice import HeldMail, LostMail, Notice, crash_alert, given_up_notice, lost_notice
from mailsync.mail.render import Rendered, environment, render
from mailsync.mail.reply import Envelope, OriginalMail, build_notice, build_reply
from mailsync.mail.verdict import Action, Verdict
from mailsync.mail.view import ReplyFacts

_LEFT_OVER = 20  # held runs looked at after each mail


class Asked(NamedTuple):
    """The mail that is answered: its verdict, the ids of its thread, and when it was first seen, in seconds."""

    run: RunId
    route: Route
    verdict: Verdict
    original: OriginalMail
    received: int


class Letter(NamedTuple):
    """One reply as it would be sent: to whom, and what it says."""

    audience: str
    to: tuple[str, ...]
    rendered: Rendered


class _Told(NamedTuple):
    """A notice, the facts of the mail it is about, if there is one, and the scopes of others."""

    edition: str
    notice: Notice
    facts: Facts | None = None
    scopes: tuple[str, ...] = ()


def letters(world: World, asked: Asked, summary: Summary) -> tuple[Letter, ...]:
    """The replies that are due, rendered; nothing is kept or sent."""
    due_now = [audience for audience in asked.route.audiences if _is_due(audience, asked, summary)]
    return tuple(_letter(world, asked, audience, summary) for audience in due_now)


def operator_text(world: World, asked: Asked, summary: Summary) -> str:
    """The summary as the operator reads it, whether or not anybody is due a mail."""
    return _letter(world, asked, Audience("operator", (), "always", "operator"), summary).rendered.text


def answer(world: World, asked: Asked, facts: Facts, *, edition: str = "", lease: Lease | None = None) -> Summary:
    """Sends every reply that is due and not yet accepted by sendmail, here or elsewhere; the summary they tell."""
    summary = summarise(facts)
    for audience in asked.route.audiences:
        if _is_due(audience, asked, summary):
            name = audience.name + edition

            def compose(audience: Audience = audience, name: str = name) -> bytes:
                letter = _letter(world, asked, audience, summary)
                ledger = heads_for(world, asked.route, audience, facts)
                envelope = _envelope(world, asked, letter.to, name, digest(summary))
                return build_reply(envelope._replace(ledger=ledger), asked.original, letter.rendered)

            _send_once(world, asked.run, name, compose, lease)
    return summary


def answer_failure(world: World, asked: Asked, reason: str, *, trace: str = "") -> None:
    """Tells people that a run is given up: what is done and what is not, and the traceback of a crash."""
    edition = f"-given-up-{asked.received}"
    facts = facts_of(world.journal, asked.run, unfinished=reason)
    if facts.rounds and _answered_in_full(world, asked, facts, edition) and not trace:
        return
    run = world.journal.find(asked.run)
    mail = HeldMail(
        asked.run.hex(), asked.verdict.from_address, asked.verdict.subject, reason, run.attempts if run else 0
    )
    notice = crash_alert(mail, trace) if trace else given_up_notice(mail, _states(facts))
    for audience in _told_of_failures(asked.route):
        _send_notice(world, asked, audience, _Told(f"notice-{asked.received}", notice, facts))


def answer_losses(world: World, asked: Asked) -> None:
    """Tells people which mails were applied and are lost, because the server began a new life without them."""
    told = _told_of_failures(asked.route)
    untold = tuple(one for one in world.journal.losses.all() if not one.told and _is_of(world, one, asked.route))
    if not untold or not told:
        return
    notice = lost_notice(lost_mails(world, untold))
    edition = f"lost-{hashlib.sha256(notice.text.encode()).hexdigest()[:16]}"
    for audience in told:
        _send_notice(world, asked, audience, _Told(edition, notice, scopes=tuple(one.scope for one in untold)))
    world.journal.losses.mark_told(untold, world.now())


def _is_of(world: World, lost: Lost, route: Route) -> bool:
    """True when the mail came by this route: others' audiences are not told of it."""
    known = world.journal.find(lost.run)
    return known is not None and known.route == route.name


def lost_mails(world: World, lost: Iterable[Lost]) -> tuple[LostMail, ...]:
    """The mails behind lost runs, each with the scopes in which its changes are lost."""
    scopes: dict[RunId, list[str]] = {}
    for one in lost:
        scopes.setdefault(one.run, []).append(one.scope)
    mails = []
    for run, places in scopes.items():
        known = world.journal.find(run)
        verdict = from_json(Verdict, known.verdict) if known and known.verdict else Verdict(Action.PROCESS, "")
        received = known.first_seen if known else 0
        mails.append(LostMail(run.hex(), verdict.from_address, verdict.subject, received, tuple(places)))
    return tuple(mails)


def send_left_over(world: World) -> None:
    """Sends replies of held runs that sendmail did not accept in time, now that it accepts some."""
    for run in world.journal.held()[-_LEFT_OVER:]:
        sent = world.journal.sent_to(run.run)
        for name, kept in world.archive.replies(run.run):
            if name not in sent:
                with suppress(TemporaryError):  # the mail at hand is done; the next one tries again
                    world.send(kept, name=f"{run.run.hex()}.{name}")
                    world.journal.mark_sent(run.run, name, world.now())


def _answered_in_full(world: World, asked: Asked, facts: Facts, edition: str) -> bool:
    """True when the usual replies could be made. If what fails is their making, a plain notice must do."""
    try:
        answer(world, asked, facts, edition=edition)
    except Exception:  # noqa: BLE001 - whatever is wrong with the templates, people are to be told
        return False
    return True


def _send_once(world: World, run: RunId, name: str, compose: Callable[[], bytes], lease: Lease | None = None) -> None:
    """Sends a reply, unless sendmail has accepted it: as it was kept by an earlier attempt, else newly made."""
    if name in world.journal.sent_to(run) or (lease is not None and name in lease.answered):
        return
    kept = world.archive.reply(run, name) or world.archive.keep_reply(run, name, compose())
    if lease is not None:
        lease.renew()
    world.send(kept, name=f"{run.hex()}.{name}")
    world.journal.mark_sent(run, name, world.now())
    if lease is not None:
        lease.replied(name)


def _is_due(audience: Audience, asked: Asked, summary: Summary) -> bool:
    return bool(_recipients(audience, asked)) and due(audience.when, summary)


def _recipients(audience: Audience, asked: Asked) -> tuple[str, ...]:
    if audience.name != SENDER:
        return audience.to
    return (asked.verdict.from_address,) if asked.verdict.covers_from else ()


def _letter(world: World, asked: Asked, audience: Audience, summary: Summary) -> Letter:
    summary = masked_summary(summary)
    site = world.site
    templates = environment(site=site.templates, cache=site.state / "templates")
    verdict = asked.verdict
    kept = world.archive.find(asked.run)
    facts = ReplyFacts(
        message_id=verdict.message_id,
        subject=verdict.subject,
        sender=verdict.from_address,
        received=asked.received,
        answered=world.now(),
        method=verdict.method,
        kept=asked.run.hex() if kept else "",
    )
    rendered = render(templates, audience.template, summary=summary, facts=facts)
    return Letter(audience.name, _recipients(audience, asked), rendered)


def _told_of_failures(route: Route) -> list[Audience]:
    """The audiences of a route that failures concern: people of the site, never the sender of a mail."""
    return [one for one in route.audiences if one.name != SENDER and one.when in ("always", "problem", "failure")]


def _send_notice(world: World, asked: Asked, audience: Audience, told: _Told) -> None:
    """Sends an audience a plain mail, once in each edition."""
    name, notice = f"{audience.name}-{told.edition}", told.notice

    def compose() -> bytes:
        said = hashlib.sha256(notice.text.encode("utf-8", "replace")).digest()
        ledger = heads_for(world, asked.route, audience, told.facts, told.scopes)
        envelope = _envelope(world, asked, audience.to, name, said)._replace(ledger=ledger)
        return build_notice(envelope, notice.subject, notice.text, asked.original)

    _send_once(world, asked.run, name, compose)


def _envelope(world: World, asked: Asked, to: tuple[str, ...], name: str, outcome: bytes) -> Envelope:
    sender = asked.route.reply_from
    domain = sender.rpartition("@")[2] or "localhost"
    named = own_message_id(asked.run, name, outcome, secret=world.marks.secret, domain=domain)
    return Envelope(sender, to, named, world.now(), world.marks.x_loop)


def _states(facts: Facts) -> tuple[str, ...]:
    return tuple(f"{state.scope}: {state.reason or 'done'}" for state in summarise(facts).states)
