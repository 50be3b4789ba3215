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
from mailsync.core.plan import ChangeRule, PlanRules
from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, claim
from mailsync.definition.days import day_of
from mailsync.definition.filters import Filter
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import ChangeSkip, Definition
from mailsync.flow.settle import Report
from mailsync.mail.unpack import Unpacked, unpack
from mailsync.mail.verdict import Verdict
from mailsync.tables.reader import first_lines, read_table

_NO_ATTACHMENT = Problem(
    Origin(),
    "the mail has no attachment that may be a report, and no definition claims its body",
    'a report in the body is read by a definition with claim: {attachment: "(body)"}',
)


class Claims(NamedTuple):
    """Who reads which attachment, and what is to be said of the others."""

    claimed: tuple[tuple[Attachment, Definition], ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def mail_report(mail: bytes, verdict: Verdict, route: Route, site: Site, *, now: int) -> Callable[[], Report]:
    """The function that reads a mail's attachments, once however often it is called.

    `now` is when the mail was first seen (Unix time): what a definition makes of today is the same at every attempt.
    """

    @cache
    def report() -> Report:
        tiers = load_definitions(site).tiers(route)
        unpacked = unpack(mail, site.limits.unpack)
        attached = any(not one.body for one in unpacked.attachments)
        facts = MailFacts(verdict.subject, verdict.from_address, attached)
        claims = _claims(unpacked.attachments, lambda one: claim(one, facts, tiers, first_lines=first_lines))
        if not any((claims.claimed, claims.problems, claims.notes, unpacked.problems)):
            claims = claims._replace(notes=(_NO_ATTACHMENT,))
        return _report(
            claims,
            unpacked,
            _context(claims, route, site, now)._replace(mail=verdict.message_id, subject=verdict.subject),
            route,
        )

    return report


def file_report(
    attachment: Attachment, definition: Definition, route: Route, site: Site, *, now: int
) -> Callable[[], Report]:
    """The function that reads one extract with the definition it was handed over with, once; `now` in Unix time."""

    @cache
    def report() -> Report:
        claims = Claims(((attachment, definition),), (), ())
        return _report(claims, Unpacked((), (), ()), _context(claims, route, site, now), route)

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


def _context(claims: Claims, route: Route, site: Site, now: int) -> Context:
    # The zone may be one that this machine does not know: that matters only where it is needed.
    by_date = any(definition.by_date for _, definition in claims.claimed)
    return Context(
        read=read_table,
        scope=route.scope,
        repositories=route.repositories,
        timezone=route.timezone,
        limits=site.limits.rows,
        today=day_of(now, route.timezone) if by_date else None,
    )


def _report(claims: Claims, unpacked: Unpacked, context: Context, route: Route) -> Report:
    mapped = _map(claims.claimed, context)
    definitions = {definition.name: definition for _, definition in claims.claimed}
    return Report(
        mapped=mapped,
        problems=(*unpacked.problems, *claims.problems),
        notes=(*unpacked.notes, *claims.notes),
        digest=hashlib.sha256("".join(sorted(one.digest for one in definitions.values())).encode()).hexdigest(),
        source=_source(route, definitions),
        rules=lambda scope: _rules(scope, mapped, definitions, route),
    )


def _map(claimed: Iterable[tuple[Attachment, Definition]], context: Context) -> tuple[Mapped, ...]:
    """Every attachment mapped in turn: how many scopes a mail may speak of is a limit of all of them together."""
    mapped = []
    for attachment, definition in claimed:
        mapped.append(map_attachment(attachment, definition, context))
        spoken = context.spoken.union(records.scope for records in mapped[-1].records)
        context = context._replace(spoken=spoken)
    return tuple(mapped)


def _source(route: Route, definitions: dict[str, Definition]) -> str:
    """What keeps the order of reports; a definition that lists events says `overtaken: apply`, and is in none."""
    if any(definition.overtaken == "apply" for definition in definitions.values()):
        return ""
    return f"{route.name}/{'+'.join(sorted(definitions))}"


def _rules(scope: Scope, mapped: Iterable[Mapped], definitions: dict[str, Definition], route: Route) -> PlanRules:
    """How to plan a scope: it is complete, or confirmed, only if every definition that speaks of it says so."""
    speaking = [definitions[one.definition] for one in mapped if any(records.scope == scope for records in one.records)]
    places = {one.inventory_of for one in speaking}
    return PlanRules(
        add_unknown=route.add_unknown,
        confirms=bool(speaking) and all(one.confirms for one in speaking),
        inventory_of=places.pop() if len(places) == 1 else "",
        changes=tuple(_change_rule(skip) for one in speaking for skip in one.change_skips),
    )


def _change_rule(skip: ChangeSkip) -> ChangeRule:
    def matches(filters: tuple[Filter, ...]) -> Callable[[str], bool]:
        return lambda text: any(one.matches(text) for one in filters)

    return ChangeRule(matches(skip.proposed), matches(skip.target), matches(skip.current), skip.reason)
