"""`mailsync held list` and `held show ID`: mails not acted on, and why."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mailsync.cli.main import add_config
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.client.journal import Run
    from mailsync.flow.world import World

_EXAMPLE = """\
example:
  mailsync held list
  mailsync held show 3f9a      the start of an ID is enough; the mail itself: held show --raw 3f9a
"""
_SHORT = 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    commands = parser.add_subparsers(dest="action", metavar="list|show", required=True)
    listing = commands.add_parser("list", help="the held mails, oldest first")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    show = commands.add_parser("show", help="one held mail: why, when, from whom")
    show.add_argument("id", metavar="ID", help="its ID, or the start of it")
    show.add_argument("--json", action="store_true", help="one JSON document")
    show.add_argument("--raw", action="store_true", help="the mail itself, byte for byte (it holds its token)")
    add_config(parser)
    for one in (listing, show):
        # Without a default here, what was given before the action stays.
        one.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the site's mailsync.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Shows what was asked for; 0."""
    from mailsync.config.site import find_config, load_site
    from mailsync.flow.world import World

    with World(load_site(find_config(arguments.config))) as world:
        if arguments.action == "list":
            _list(world, as_json=arguments.json)
        else:
            _show(world, arguments)
    return 0


def _list(world: World, *, as_json: bool) -> None:
    held = [_described(world, run) for run in world.journal.held()]
    if as_json:
        print(json.dumps({"held": held}, indent=2))
        return
    for one in held:
        first_line = one["reason"].partition("\n")[0]
        print(f"{one['id'][:_SHORT]}  {one['first_seen']}  {one['from'] or '(nobody)'}  {first_line}")
    if not held:
        print("no mail is held", file=sys.stderr)


def _show(world: World, arguments: argparse.Namespace) -> None:
    if not arguments.id:
        raise UsageError("held show: the ID is empty", hint="mailsync held list")
    found = [run for run in world.journal.matching(arguments.id) if run.state == "held"]
    if len(found) != 1:
        text = f"{len(found)} held mails have an ID that begins with {arguments.id}"
        raise UsageError(text, hint="mailsync held list")
    described = _described(world, found[0])
    if arguments.raw:
        path = world.archive.find(found[0].run)
        if path is None:
            raise UsageError(f"the mail of {arguments.id} is not in {world.site.audit.maildir}")
        sys.stdout.buffer.write(path.read_bytes())
    elif arguments.json:
        print(json.dumps(described, indent=2))
    else:
        for name, value in described.items():
            print(f"{name + ':':12}{value}")


def _described(world: World, run: Run) -> dict[str, Any]:
    from mailsync.core.kept import from_json
    from mailsync.mail.verdict import Verdict

    verdict = from_json(Verdict, run.verdict)
    path = world.archive.find(run.run)
    return {
        "id": run.run.hex(),
        "reason": run.reason,
        "first_seen": _time(run.first_seen),
        "held_at": _time(run.ended),
        "attempts": run.attempts,
        "route": run.route,
        "from": verdict.from_address,
        "subject": verdict.subject,
        "message_id": verdict.message_id,
        "recipient": verdict.recipient_shown,
        "file": str(path) if path else "",
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
