"""A run without mail: an extract handed over by hand or by a job, with the definition that reads it.

The run is named by 16 random bytes, journalled before anything else (exactly-once.md section 1); what differs from
the server is worked out, guarded, journalled, applied and summarised as for a mail.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from mailsync.client.journal import DONE
from mailsync.client.lock import only_attempt
from mailsync.config.route import Route
from mailsync.core.errors import MailsyncError
from mailsync.core.identity import run_id
from mailsync.core.kept import to_json
from mailsync.core.model import Attachment
from mailsync.core.summarise import summarise
from mailsync.core.summary import Summary
from mailsync.definition.model import Definition
from mailsync.flow.answer import Asked, answer, answer_losses, operator_text
from mailsync.flow.reading import file_report
from mailsync.flow.settle import Job, settle
from mailsync.flow.world import World
from mailsync.mail.reply import OriginalMail
from mailsync.mail.verdict import Action, Verdict


class Pushed(NamedTuple):
    """What became of an extract: the summary, and the text the operator would be mailed."""

    summary: Summary
    text: str


def push(world: World, route: Route, extract: Attachment, definition: Definition) -> Pushed:
    """Runs one extract; raises MailsyncError when it must be tried again."""
    return _run(world, route, extract, definition, mailed=False)


def push_and_mail(world: World, route: Route, extract: Attachment, definition: Definition) -> Pushed:
    """Runs one extract, and answers the route's audiences by mail too."""
    return _run(world, route, extract, definition, mailed=True)


def _run(world: World, route: Route, extract: Attachment, definition: Definition, *, mailed: bool) -> Pushed:
    identity = os.urandom(16)
    run = run_id(route.name, (identity,))
    verdict = Verdict(Action.PROCESS, "pushed", route=route.name, method="push", subject=f"push of {extract.path}")
    with only_attempt(world.lock, run):
        begun = world.journal.begin(run, mail=identity, route=route.name, verdict=to_json(verdict), now=world.now())
        asked = Asked(run, route, verdict, OriginalMail(), begun.first_seen)
        try:
            report = file_report(extract, definition, route, world.site, now=begun.first_seen)
            facts = settle(Job(run, route, begun.first_seen, report), world.journal, world.server)
            summary = answer(world, asked, facts) if mailed else summarise(facts)
            if mailed:
                answer_losses(world, asked)
        except MailsyncError:
            world.journal.postpone(run)
            raise
        finally:
            world.journal.spent(run, *world.server.spent())
        world.journal.end(run, state=DONE, reason=summary.verdict.value, now=world.now())
    return Pushed(summary, operator_text(world, asked, summary))
