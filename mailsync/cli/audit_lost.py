"""`mailsync audit lost`: the mails that were applied, and that the server lost when it was restored from a backup."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime

from mailsync.mail.shown import plural

_EXAMPLE = """\
Runs on a mail host, and knows what went through it. `--clear` empties the list, when all on it is dealt with. Ends in 1
when there is something on it, also when it clears that.

example:
  mailsync audit lost --json
"""


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-command."""
    text = "mails that were applied, and lost by a restore of the server"
    formatter = argparse.RawDescriptionHelpFormatter
    lost = commands.add_parser("lost", help=text, description=text, epilog=_EXAMPLE, formatter_class=formatter)
    lost.add_argument("--json", action="store_true", help="one JSON document")
    lost.add_argument("--clear", action="store_true", help="empty the list, once it is printed")
    lost.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the site's mailsync.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Prints the lost mails; 1 when there are any, also when they are taken off the list."""
    from mailsync.config.site import find_config, load_site
    from mailsync.flow.answer import lost_mails
    from mailsync.flow.world import World

    with World(load_site(find_config(arguments.config))) as world:
        found = lost_mails(world, world.journal.losses.all()) if world.site.audit.journal.exists() else ()
        if arguments.json:
            lost = [{**one._asdict(), "received": _time(one.received)} for one in found]
            print(json.dumps({"lost": lost}, indent=2))
        else:
            for one in found:
                print(f"{one.run[:16]}  {_time(one.received)}  {','.join(one.scopes)}  {one.sender}  {one.subject}")
            print(f"{plural(len(found), 'mail')} lost")
        if arguments.clear and found:
            world.journal.losses.clear()
    return 1 if found else 0


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
