"""From a kept mail, or a file, to mapped records: unpack, let a definition claim each attachment, map its rows.

Strategy: a pure function of what was kept and of the site's files, called when a plan is needed, and worked out once.
Who reads which attachment is claims.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from mailsync.config.definitions import load_definitions
from mailsync.config.route import Route
from mailsync.config.site import Site
from mailsync.core.inventory import Listing, Lists, joined_doubts
from mailsync.core.model import Attachment, Mapped, Origin, Problem, Scope
from mailsync.core.planning import ChangeRule, PlanRules
from mailsync.definition.days import day_of
from mailsync.definition.filters import Filter
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import ChangeSkip, Definition
from mailsync.flow.claims import Claims, claims_of
from mailsync.flow.decide import Report
from mailsync.mail.unpack import Unpacked, unpack
from mailsync.mail.verdict import Verdict
from mailsync.tables.reader import read_table

_NO_ATTACHMENT = Problem(
    Origin(),
    "the mail has no attachment that may be a report, and no definition claims its body",
    'a report in the body is read by a definition with claim: {attachment: "(body)"}; '
    "mailsync definitions learn FILE proposes a definition",
)


def mail_report(mail: bytes, verdict: Verdict, route: Route, site: Site, *, now: int) -> Callable[[], Report]:
    """The function that reads a mail's attachments, once however often it is called.

    `now` is when the mail was first seen (Unix time): what a definition makes of today is the same at every attempt.
    """

    @cache
    def report() -> Report:
        definitions = load_definitions(site)
        unpacked = unpack(mail, site.limits.unpack)
        claims = claims_of(unpacked, definitions, route, verdict, limits=site.limits.rows)
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
        day_first=route.day_first,
    )


def _report(claims: Claims, unpacked: Unpacked, context: Context, route: Route) -> Report:
    mapped = _map(claims.claimed, context)
    definitions = tuple(definition for _, definition in claims.claimed)
    unread = tuple(str(one) for one in (*unpacked.problems, *claims.problems))
    read = tuple(_Read(*one) for one in zip(definitions, mapped, strict=True))
    return Report(
        mapped=mapped,
        problems=(*unpacked.problems, *claims.problems),
        notes=(*unpacked.notes, *claims.notes),
        digest=hashlib.sha256("".join(sorted({one.digest for one in mapped})).encode()).hexdigest(),
        source=_source(route, definitions),
        ordered=all(definition.overtaken != "apply" for definition in definitions),
        rules=lambda scope: _rules(scope, read, unread, route),
    )


def _map(claimed: Iterable[tuple[Attachment, Definition]], context: Context) -> tuple[Mapped, ...]:
    """Every attachment mapped in turn: how many scopes a mail may speak of is a limit of all of them together."""
    mapped = []
    for attachment, definition in claimed:
        mapped.append(map_attachment(attachment, definition, context))
        spoken = context.spoken.union(records.scope for records in mapped[-1].records)
        context = context._replace(spoken=spoken)
    return tuple(mapped)


def _source(route: Route, definitions: Sequence[Definition]) -> str:
    """What the server keeps apart: the order of reports, and how much they moved."""
    return f"{route.name}/{'+'.join(sorted({definition.name for definition in definitions}))}"


class _Read(NamedTuple):
    """An attachment that was read, and by which definition: two may be read by their captions, each by its own."""

    definition: Definition
    mapped: Mapped

    def speaks_of(self, scope: Scope) -> bool:
        """True when a row of it is of the scope."""
        return any(records.scope == scope for records in self.mapped.records)


def _rules(scope: Scope, read: Sequence[_Read], unread: Sequence[str], route: Route) -> PlanRules:
    """How to plan a scope; `unread` is why something of the mail could not be read."""
    speaking = dict.fromkeys(one.definition for one in read if one.speaks_of(scope))
    return PlanRules(
        add_unknown=route.add_unknown,
        lists=_lists(scope, read, unread),
        changes=tuple(_change_rule(skip) for one in speaking for skip in one.change_skips),
    )


def _lists(scope: Scope, read: Sequence[_Read], unread: Sequence[str]) -> Lists:
    """The attachments that say where volumes are; an inventory is whole if all that may be of it was read."""
    doubts: dict[str, list[str]] = {}
    for definition, mapped in read:
        if definition.inventory_of:
            doubts.setdefault(definition.inventory_of, list(unread)).extend(mapped.gaps.doubts)
    return Lists(
        {
            mapped.attachment: Listing(definition.inventory_of, definition.confirms)
            for definition, mapped in read
            if definition.inventory_of or definition.confirms
        },
        {place: joined_doubts(reasons) for place, reasons in doubts.items()},
        _named(scope, [one.mapped for one in read]) if doubts else frozenset(),
    )


def _named(scope: Scope, mapped: Sequence[Mapped]) -> frozenset[str]:
    """Volumes that are listed and may have no record in the end: of rows that are problems, or against each other."""
    named = {volume for one in mapped for place, volumes in one.gaps.named if place == scope for volume in volumes}
    speaking = [records for one in mapped for records in one.records if records.scope == scope]
    if len(speaking) > 1:
        named.update(volume for records in speaking for volume in records.volumes)
    return frozenset(named)


def _change_rule(skip: ChangeSkip) -> ChangeRule:
    def matches(filters: tuple[Filter, ...]) -> Callable[[str], bool]:
        return lambda text: any(one.matches(text) for one in filters)

    return ChangeRule(matches(skip.proposed), matches(skip.target), matches(skip.current), skip.reason)
