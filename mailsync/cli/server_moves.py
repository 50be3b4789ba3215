"""`mailsync server pending` and `server overdue`: what is on its way, and what should be or should have arrived."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailsync.cli import server
from mailsync.cli.server_words import leaf, listing, scope_word
from mailsync.mail.shown import plural

if TYPE_CHECKING:
    from mailsync.server.store import Moving

DAYS = 7
_DAY_SECONDS = 86_400
_LONGEST_DAYS = 5  # digits
_PENDING_HELP = """\
Every volume whose target is not where it is (flag M), the one that waits longest first. One that is known nowhere (-)
is among them once its target was changed.

example:
  mailsync server pending --scope US01.LTO
"""
_OVERDUE_HELP = f"""\
Volumes that were asked to move at least --days ago ({DAYS} when not given) and are not confirmed at their target, then
volumes whose move date has passed, each the oldest first. A move of which nobody knows when it was asked for counts as
overdue.

example:
  mailsync server overdue --days 3 --json
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    pending = leaf(commands, "pending", "volumes on their way", _PENDING_HELP, list_pending)
    overdue = leaf(commands, "overdue", "volumes that should have arrived or left", _OVERDUE_HELP, list_overdue)
    overdue.add_argument("--days", metavar="N", type=_days, default=DAYS, help=f"that a move may take (default {DAYS})")
    for one in (pending, overdue):
        one.add_argument("--scope", metavar="CUST.MEDIA", type=scope_word, help="only this one")
        listing(one)


def list_pending(arguments: Namespace) -> int:
    """Prints every volume on its way."""
    with server.open_store(arguments) as store:
        _print(((one, "", False) for one in store.moving(arguments.scope)), as_json=arguments.json)
    return 0


def list_overdue(arguments: Namespace) -> int:
    """Prints every volume that is late."""
    now = time.time()
    before = now - arguments.days * _DAY_SECONDS
    today = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    with server.open_store(arguments) as store:

        def late() -> Iterator[tuple[Moving, str, bool]]:
            both = set()
            for one in store.moving(arguments.scope):
                if one.sent > before:
                    break
                if one.move_date and one.move_date < today:
                    both.add((one.scope, one.volume))
                yield one, "moving", False
            for one in store.dated(today, arguments.scope):
                yield one, "move date", (one.scope, one.volume) in both

        _print(late(), as_json=arguments.json)
    return 0


def _print(volumes: Iterator[tuple[Moving, str, bool]], *, as_json: bool) -> None:
    """Prints each volume, with why it is listed where there may be several reasons, and whether it is listed again."""
    listed = []
    count = 0
    for one, reason, again in volumes:
        count += not again
        if as_json:
            said = {**one._asdict(), "scope": str(one.scope), "sent": _time(one.sent)}
            listed.append({**said, "reason": reason} if reason else said)
            continue
        when = f"move date {one.move_date}" if reason == "move date" else f"since {_time(one.sent) or 'unknown'}"
        held = f"in {one.container}" if one.container else ""
        way = f"{one.current or '-'} -> {one.target or '-'}"
        print(f"{one.scope!s:10}{one.volume:11} {way:13} {when:27} {held}".rstrip())
    if as_json:
        print(json.dumps({"volumes": listed}, indent=2))
    else:
        print(plural(count, "volume"), file=sys.stderr)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_DAYS):
        raise ArgumentTypeError(f'"{text}" is not a number of days, such as {DAYS}')
    return int(text)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
