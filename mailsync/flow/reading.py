"""From a kept mail, or a file, to mapped records: unpack, let a definition claim each attachment, map its rows.

Strategy: a pure function of what was kept and of the site's files, called when a plan is needed, and worked out once.
An attachment nobody claims is a note with the nearest miss; two claims are a problem that names both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from mailsync.config.definitions import load_definitions
from mailsync.config.route import Route
from mailsync.config.site import Site
from mailsync.core.model import Attachment, Mapped, Origin, Problem, Scope
from mailsync.core.plan import PlanRules
from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, claim
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition
from mailsync.flow.settle import Report
from mailsync.mail.unpack import Unpacked, unpack
from mailsync.mail.verdict import Verdict
from mailsync.tables.reader import first_lines, read_table


class Claims(NamedTuple):
    """Who reads which attachment, and what is to be said of the others."""

    claimed: tuple[tuple[Attachment, Definition], ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def mail_report(mail: bytes, verdict: Verdict, route: Route, site: Site) -> Callable[[], Report]:
    """The function that reads a mail's attachments, once however often it is called."""

    @cache
    def report() -> Report:
        tiers = load_definitions(site).tiers(route)
        unpacked = unpack(mail, site.limits.unpack)
        facts = MailFacts(verdict.subject, verdict.from_address)
        claims = _claims(unpacked.attachments, lambda one: claim(one, facts, tiers, first_lines=first_lines))
        return _report(claims, unpacked, route, site, verdict.message_id)

    return report


def file_report(attachment: Attachment, definition: Definition, route: Route, site: Site) -> Callable[[], Report]:
    """The function that reads one extract with the definition it was handed over with, once."""

    @cache
    def report() -> Report:
        return _report(Claims(((attachment, definition),), (), ()), Unpacked((), (), ()), route, site, "")

    return report


def _claims(attachments: Iterable[Attachment], claimed_by: Callable[[Attachment], object]) -> Claims:
    claimed, problems, notes = [], [], []
    for attachment in attachments:
        found = claimed_by(attachment)
        origin = Origin(attachment=attachment.path)
        if isinstance(found, Claimed):
            claimed.append((attachment, found.definition))
        elif isinstance(found, Ambiguous):
            text = f"claimed by {' and '.join(found.names)}: nobody reads it"
            problems.append(Problem(origin, text, "make the claim of one of them more precise"))
        elif not attachment.body:
            # The covering words of a mail are no extract, and nobody expects to hear of them.
            notes.append(Problem(origin, f"ignored, no definition claims it; {_nearest(found)}"))
    return Claims(tuple(claimed), tuple(problems), tuple(notes))


def _nearest(found: object) -> str:
    nearest, why = getattr(found, "nearest", ""), getattr(found, "why", "")
    return f"nearest: {nearest}, but {why}" if nearest else why


def _report(claims: Claims, unpacked: Unpacked, route: Route, site: Site, message_id: str) -> Report:
    context = Context(
        read=read_table,
        mail=message_id,
        scope=route.scope,
        repositories=route.repositories,
        timezone=route.timezone,
        limits=site.limits.rows,
    )
    mapped = tuple(map_attachment(attachment, definition, context) for attachment, definition in claims.claimed)
    definitions = {definition.name: definition for _, definition in claims.claimed}
    return Report(
        mapped=mapped,
        problems=(*unpacked.problems, *claims.problems),
        notes=(*unpacked.notes, *claims.notes),
        digest=hashlib.sha256("".join(sorted(one.digest for one in definitions.values())).encode()).hexdigest(),
        source=f"{route.name}/{'+'.join(sorted(definitions))}",
        rules=lambda scope: _rules(scope, mapped, definitions, route),
    )


def _rules(scope: Scope, mapped: Iterable[Mapped], definitions: dict[str, Definition], route: Route) -> PlanRules:
    """How to plan a scope: it is complete, or confirmed, only if every definition that speaks of it says so."""
    speaking = [definitions[one.definition] for one in mapped if any(records.scope == scope for records in one.records)]
    places = {one.inventory_of for one in speaking}
    return PlanRules(
        add_unknown=route.add_unknown,
        confirms=bool(speaking) and all(one.confirms for one in speaking),
        inventory_of=places.pop() if len(places) == 1 else "",
    )
