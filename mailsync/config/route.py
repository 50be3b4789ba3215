"""A route as configured: which mails it takes, what they may do, who is told. Values only; `routes.py` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mailsync.core.guard import Guards
from mailsync.core.model import Scope
from mailsync.mail.verdict import RouteRule

PLACED = ("definitions", "timezone", "scope", "repositories")
SENDER = "sender"  # the one audience without recipients of its own


class Audience(NamedTuple):
    """Who gets a reply, and when: `always`, `change`, `problem`, `failure` or `never`.

    The audience named `sender` has no `to`: it is the mail's From address, where the authentication covers it.
    """

    name: str
    to: tuple[str, ...]
    when: str
    template: str


class Route(NamedTuple):
    """One route of the site. `scope` is the default of its definitions, None when they set it per row.

    `repositories` maps what reports call a place to its Repository-ID. `expect_every` is in seconds, 0 = never
    expected. `timezone` is an IANA name (`check` looks it up; planning does when a report needs it). `places` has line
    and column, in the site's file, of the values that only later are found to be wrong: the keys of PLACED, and
    `audiences.NAME`, which is the audience's template or, where it names none, the audience. `forwarded` is `read` or
    `refuse`: what becomes of reports in forwarded mails. `day_first` is whether dates whose order a definition leaves
    open have their day first, None: not said.
    """

    name: str
    rule: RouteRule
    definitions: tuple[str, ...]
    scope: Scope | None
    repositories: Mapping[str, str]
    add_unknown: bool
    timezone: str
    expect_every: int
    guards: Guards
    audiences: tuple[Audience, ...]
    reply_from: str
    places: Mapping[str, tuple[int, int]]
    forwarded: str = "read"
    day_first: bool | None = None
