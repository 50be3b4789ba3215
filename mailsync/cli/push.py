"""`mailsync push`: the run of `filter` for an extract in a file or on stdin, with the summary on stdout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mailsync.cli.main import add_config
from mailsync.cli.named import find_definition
from mailsync.cli.source import read_input
from mailsync.config.later import NOT_YET
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.config.route import Route
    from mailsync.config.site import Site
    from mailsync.definition.model import Definition

_EXAMPLE = """\
example:
  mailsync push --definition nightly-csv extract.csv
  vmquery -a -w | mailsync push --definition netbackup --route nightly --mail
  mailsync push -d inventory.ttidef inventory.csv
  mailsync push --definition nightly-csv -A 7 extract.csv

ends in 0 when all is done, 1 when done with problems or refused, 75 when it must be tried again, 2 for wrong usage
"""

# The spellings of TapeTrack's own program, and of later versions: what to use instead.
_INSTEAD = {
    "-S": "server.address, server.key and server.login in mailsync.yaml",
    "-a": "add_unknown: true in the route",
    "--command": "pipe it: COMMAND | mailsync push --definition NAME",
    "--odbc": "export to a file: mailsync push --definition NAME FILE",
    "--query": "export to a file: mailsync push --definition NAME FILE",
}


class _Later(argparse.Action):
    """Refuses its option. What was given with it is not repeated: it may be a password."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        option = self.option_strings[0]
        raise UsageError(f"push {option}: {NOT_YET}", hint=f"instead: {_INSTEAD[option]}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument("file", metavar="FILE", nargs="?", help="the extract; else stdin")
    definition = parser.add_mutually_exclusive_group(required=True)
    definition.add_argument("--definition", metavar="NAME", help="the site's definition that reads it")
    definition.add_argument("-d", dest="file_of_definition", metavar="FILE.ttidef", help="the file that says how")
    parser.add_argument(
        "--route", metavar="NAME", help="whose scope, repositories and guards apply (else the one that names it)"
    )
    parser.add_argument(
        "-A",
        dest="attribute",
        metavar="N",
        type=int,
        default=0,
        help="send descriptions to extended attribute N (1 to 200); 0: to the description",
    )
    for option in _INSTEAD:
        parser.add_argument(option, action=_Later, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--mail", action="store_true", help="answer the route's audiences by mail too")
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the extract and prints its summary; 0, or 1 when something needs a person."""
    from mailsync.config.ownership import require_owner
    from mailsync.config.site import find_config, load_site
    from mailsync.core.model import Attachment
    from mailsync.core.summary import Verdict
    from mailsync.flow.direct import push, push_and_mail
    from mailsync.flow.world import World

    site = load_site(find_config(arguments.config))
    require_owner(site.state)
    route = _route(site, arguments)
    named = arguments.definition or arguments.file_of_definition
    found = find_definition(named, site if arguments.definition else None).definition
    definition = _with_attribute(found, arguments.attribute)
    name = Path(arguments.file).name if arguments.file else "(stdin)"
    extract = Attachment(name, read_input(arguments.file, site.limits.mail_size), "", "", 0, body=False)
    carry = push_and_mail if arguments.mail else push
    with World(site) as world:
        pushed = carry(world, route, extract, definition)
    print(pushed.text)
    return 0 if pushed.summary.verdict in (Verdict.DONE, Verdict.UNCHANGED) else 1


def _with_attribute(definition: Definition, number: int) -> Definition:
    """The definition, with its description sent to the attribute."""
    from mailsync.core.fields import LAST_ATTRIBUTE
    from mailsync.definition.attributes import with_attribute

    if not 0 <= number <= LAST_ATTRIBUTE:
        raise UsageError(f"push -A {number}: there is no such attribute", hint=f"0 to {LAST_ATTRIBUTE}")
    found = with_attribute(definition, number)
    if found is None:
        text = (
            f'push -A {number}: definition "{definition.name}" has no field description, or attribute_{number} already'
        )
        raise UsageError(text, hint="-A sends the descriptions of the extract to the attribute")
    return found


def _route(site: Site, arguments: argparse.Namespace) -> Route:
    """The route that is named, or the only one there is to mean."""
    routes = {route.name: route for route in site.routes}
    if arguments.route is not None:
        if arguments.route not in routes:
            raise UsageError(f'no route is named "{arguments.route}"', hint=f"routes: {', '.join(routes)}")
        return routes[arguments.route]
    meant = [route for route in site.routes if arguments.definition in route.definitions] or list(site.routes)
    if len(meant) != 1:
        names = ", ".join(route.name for route in meant)
        raise UsageError(f"several routes could be meant: {names}", hint="say which: --route NAME")
    return meant[0]
