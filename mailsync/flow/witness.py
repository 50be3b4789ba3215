"""Which heads of the ledger a reply carries, so that who keeps it can show later what the ledger was.

Strategy (exactly-once.md section 5). Nobody is asked for them: they came with the run's own answers, or are what the
cache kept when it last followed a scope. Those say when this host saw them: a head that was told after a restore may
be of the life before. No scope is named that a reader has nothing to do with: a route may serve several customers, so
only its own scope counts beside those of the report, and that not to the sender of a mail.

head of                       from                                       in
the site's chain              RUN begin of this run, or of one before    every mail
the scopes of the report      what was applied, else the last sync       every mail about the report
the scopes of lost mails      the last sync                              the notice of lost mails
the route's `scope`           the last sync                              every mail but those to the sender
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailsync.config.route import SENDER, Audience, Route
from mailsync.core.ledger import SITE, Head
from mailsync.core.summary import Facts
from mailsync.flow.world import World

if TYPE_CHECKING:
    from mailsync.client.heads import SeenHead

MOST = 100  # about 12 KB: sendmail takes 32 KB of header


def heads_for(
    world: World, route: Route, audience: Audience, facts: Facts | None = None, scopes: Iterable[str] = ()
) -> tuple[str, ...]:
    """The values of a mail's X-Mailsync-Ledger lines, at most MOST: the site's, those of what was applied, the others.

    `facts` are those of the report that is answered, `scopes` are others that the mail speaks of.
    """
    applied = _applied(facts) if facts else {}
    named = {str(one.plan.scope) for one in facts.rounds if one.plan.epoch} if facts else set()
    named.update(scopes)
    if route.scope is not None and audience.name != SENDER:
        named.add(str(route.scope))
    site, others = (world.heads(chains) for chains in ([SITE], sorted(named - applied.keys())[:MOST]))
    lines = [*map(_kept, site), *(_text(applied[scope]) for scope in sorted(applied)), *map(_kept, others)]
    return tuple(lines[:MOST])


def _applied(facts: Facts) -> dict[str, Head]:
    """Where the ledger of each scope stood when the report was applied."""
    latest: dict[str, Head] = {}
    for one in facts.rounds:
        if one.ledger:
            head = Head(str(one.plan.scope), one.entry, one.ledger)
            latest[head.chain] = max(latest.get(head.chain, head), head)
    return latest


def _text(head: Head) -> str:
    return f"{head.chain} {head.seq} {head.hash.hex()}"


def _kept(one: SeenHead) -> str:
    return f"{_text(one.head)} {datetime.fromtimestamp(one.seen, UTC):%Y-%m-%dT%H:%M:%SZ}"
