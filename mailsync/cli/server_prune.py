"""`mailsync server prune`: forgets what nobody needs any more; of the ledger only when it is told how much to keep."""

from __future__ import annotations

import re
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from mailsync.cli import server
from mailsync.cli.server_words import leaf
from mailsync.mail.shown import plural

if TYPE_CHECKING:
    from mailsync.server.store import Store

_DAY_SECONDS = 86_400
_DAYS = {"d": 1, "y": 365.25}
_AGE = re.compile(r"([1-9][0-9]{0,4})([dy])", re.ASCII)
_LEAST = 30  # days; the store takes no less
_HELP = f"""\
Forgets deletions and runs that did nothing, both older than {_LEAST} days. With --keep or --before, also the ledger's
entries up to then, and the batches they speak of. Each chain notes what it lost, and `mailsync audit verify` goes on
from there. The server may run meanwhile. Run it once a day or a week.

example:
  mailsync server prune
  mailsync server prune --keep 7y
  mailsync server prune --before 2019-01-01
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-command."""
    prune = leaf(commands, "prune", "forget what is old", _HELP, run)
    which = prune.add_mutually_exclusive_group()
    which.add_argument("--keep", metavar="AGE", type=_age, help=f"of the ledger: 7y or 400d, at least {_LEAST}d")
    which.add_argument("--before", metavar="DATE", type=_day, help="of the ledger, what is older than that day (UTC)")


def run(arguments: Namespace) -> int:
    """Prints what was forgotten."""
    now = time.time()
    # A minute to spare: the store looks at its own clock.
    usual = int(now) - _LEAST * _DAY_SECONDS - 60
    before = arguments.before
    if arguments.keep is not None:
        before = min(usual, int(now) - arguments.keep)
    with server.open_store(arguments) as store:
        # First of all: the ledger's entries tell how old a deletion is.
        for scope, count in store.expire_deletions(usual):
            if count:
                print(f"{scope}: {plural(count, 'deletion')} forgotten")
        if before is not None:
            _prune(store, before)
        print(f"{plural(store.forget_runs(usual), 'run')} forgotten that did nothing")
    return 0


def _prune(store: Store, before: int) -> None:
    day = datetime.fromtimestamp(before, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for one in store.prune(before):
        if one.entries:
            said = f"{plural(one.entries, 'entry', 'entries')} and {plural(one.batches, 'batch', 'batches')}"
            print(f"{one.chain}: {said} from before {day} pruned")


def _age(text: str) -> int:
    """The seconds of an age such as 7y or 400d."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f'"{text}" is not an age, such as 7y or 400d')
    seconds = int(int(found[1]) * _DAYS[found[2]] * _DAY_SECONDS)
    if seconds < _LEAST * _DAY_SECONDS:
        raise ArgumentTypeError(f'"{text}" is less than {_LEAST}d, which are kept in any case')
    return seconds


def _day(text: str) -> int:
    """The Unix time at which a day such as 2019-01-01 began, in UTC."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f'"{text}" is not a day, such as 2019-01-01') from error
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
