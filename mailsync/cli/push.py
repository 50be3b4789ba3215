"""`mailsync push`: the run of `filter` for an extract in a file or on stdin, with the summary on stdout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.cli.main import add_config
from mailsync.cli.source import read_input
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from mailsync.config.route import Route
    from mailsync.config.site import Site

_EXAMPLE = """\
example:
  mailsync push --definition nightly-csv extract.csv
  vmquery -a -w | mailsync push --definition netbackup --route nightly --mail

ends in 0 when all is done, 1 when done with problems or refused, 75 when it must be tried again, 2 for wrong usage
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument("file", metavar="FILE", nargs="?", help="the extract; else stdin")
    parser.add_argument("--definition", required=True, metavar="NAME", help="the definition that reads it")
    parser.add_argument(
        "--route", metavar="NAME", help="whose scope, repositories and guards apply (else the one that names it)"
    )
    parser.add_argument("--mail", action="store_true", help="answer the route's audiences by mail too")
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the extract and prints its summary; 0, or 1 when something needs a person."""
    from mailsync.config.definitions import load_definitions
    from mailsync.config.site import find_config, load_site
    from mailsync.core.model import Attachment
    from mailsync.core.summary import Verdict
    from mailsync.definition.document import suggestion
    from mailsync.flow.direct import push, push_and_mail
    from mailsync.flow.world import World

    site = load_site(find_config(arguments.config))
    route = _route(site, arguments)
    definitions = load_definitions(site).by_name
    if arguments.definition not in definitions:
        hint = suggestion(arguments.definition, definitions)
        raise UsageError(f'no definition is named "{arguments.definition}" in {site.definitions}', hint=hint)
    name = Path(arguments.file).name if arguments.file else "(stdin)"
    extract = Attachment(name, read_input(arguments.file, site.limits.mail_size), "", "", 0, body=False)
    carry = push_and_mail if arguments.mail else push
    with World(site) as world:
        pushed = carry(world, route, extract, definitions[arguments.definition])
    print(pushed.text)
    return 0 if pushed.summary.verdict in (Verdict.DONE, Verdict.UNCHANGED) else 1


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
