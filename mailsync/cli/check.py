"""`mailsync check`: everything that can be wrong before a mail arrives, all at once, each with file and line.

Strategy: every area is asked whatever the others answered; only what cannot be asked (the site's file is not YAML)
is left out. A problem makes the exit status 1; a note is for a person to judge.

area            problem                                        note
configuration   any fault of mailsync.yaml or a token file     an audience that is never written to
permissions     secrets, mails, databases open to others       -
keys            missing, malformed, not fitting the ring       -
databases       another file in the place of one               -
ledger          mails applied, and lost when the server was    -
                restored
definitions     any fault; two with one claim, asked together  the same, where few mails come;
                                                               routes that name built-in ones
samples         one that gives other records, or lacks its     -
                expected file or its definition, or is
                lacking beside one
templates       one that is missing, or does not render        -
server          elsewhere and unreachable; it refuses us, or   this host's own, and not running
                lacks a scope or repository that a route names
sendmail        not there, or not executable                   it is there: whether it delivers is not tried
procmail        each trap of a .procmailrc                     -
postfix         -                                              a file-size limit on what it runs
"""

from __future__ import annotations

import json
import os
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.cli.main import add_config
from mailsync.config.inspection import (
    NOTE,
    PROBLEM,
    Finding,
    from_error,
    from_faults,
    inspect_audiences,
    inspect_databases,
    inspect_definitions,
    inspect_keys,
    inspect_permissions,
    inspect_time_zones,
)
from mailsync.config.keys import read_client_key, read_login
from mailsync.config.ownership import other_owner
from mailsync.config.procmailrc import MAX_PROCMAILRC, lint_procmailrc
from mailsync.config.route import Route
from mailsync.config.routes import TEMPLATES
from mailsync.config.site import Site, find_config, read_site
from mailsync.core.cursor import Cursor
from mailsync.core.errors import ConfigurationError, MailsyncError, UnreachableError
from mailsync.mail.shown import plural

if TYPE_CHECKING:
    from jinja2 import Environment

    from mailsync.client.link import Link

_TEMPLATES = "mailsync brings " + ", ".join(TEMPLATES)
_SECONDS = 10  # to reach the server, and for postconf
_EXAMPLE = """\
example:
  mailsync check --config site/mailsync.yaml
  mailsync check --offline --procmailrc /home/tapes/.procmailrc --json

exit status:
  0 no problem (notes are for you to judge), 1 otherwise
"""


def configure(parser: ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    add_config(parser)
    parser.add_argument("--procmailrc", metavar="FILE", help="the recipes to look through (default: ~/.procmailrc)")
    parser.add_argument("--offline", action="store_true", help="leave the server alone")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: Namespace) -> int:
    """Prints every finding; 1 when one of them is a problem."""
    findings = tuple(_findings(arguments))
    if arguments.json:
        listed = [finding._asdict() for finding in findings]
        print(json.dumps({"ok": not _problems(findings), "findings": listed}, indent=2))
    else:
        for finding in findings:
            print(_told(finding))
        problems = _problems(findings)
        print(f"{plural(problems, 'problem')}, {plural(len(findings) - problems, 'note')}")
    return 1 if _problems(findings) else 0


def _problems(findings: tuple[Finding, ...]) -> int:
    return sum(finding.level == PROBLEM for finding in findings)


def _findings(arguments: Namespace) -> Iterator[Finding]:
    try:
        path = find_config(arguments.config)
    except ConfigurationError as error:
        yield from from_error("configuration", error)
    else:
        yield from _site_findings(path, offline=arguments.offline)
    yield from _procmail(arguments.procmailrc)
    yield from _postfix()


def _site_findings(path: Path, *, offline: bool) -> Iterator[Finding]:
    site, faults = read_site(path)
    yield from from_faults("configuration", faults)
    if site is None:
        yield from _asked("definitions", inspect_definitions(None, path.absolute().parent / "definitions"))
        return
    yield from inspect_time_zones(site)
    yield from inspect_audiences(site)
    yield from _asked("permissions", inspect_permissions(site))
    keys = tuple(_asked("keys", inspect_keys(site))) if site.server.address else ()
    yield from keys
    yield from _asked("databases", inspect_databases(site))
    yield from _losses(site)
    yield from _asked("definitions", inspect_definitions(site, site.definitions))
    yield from _asked("templates", _templates(site))
    if site.server.address and not offline and not keys:
        yield from _server(site)
    yield from _asked("sendmail", _sendmail(site))


def _asked(area: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of an area; what of it this user may not even look at is one of them."""
    try:
        yield from findings
    except ConfigurationError as error:
        yield from from_error(area, error)
    except OSError as error:
        owner = other_owner(Path(error.filename or "."))
        hint = f"run this as {owner}" if owner else ""
        yield Finding(PROBLEM, area, str(error.filename or ""), f"cannot be read: {error.strerror}", hint)


def _templates(site: Site) -> Iterator[Finding]:
    """Every template that an audience gets, rendered with samples; one that is missing is cited where it is named."""
    from mailsync.mail.render import environment

    if site.templates.is_dir():
        list(site.templates.iterdir())  # the loader passes over a folder it may not read
    templates = environment(site=site.templates)
    known = templates.list_templates()
    named = {audience.template: (route, audience) for route in site.routes for audience in route.audiences}
    for name, (route, audience) in sorted(named.items()):
        missing = [file for file in (f"{name}.txt.j2", f"{name}.html.j2") if file not in known]
        if missing:
            line, column = route.places[f"audiences.{audience.name}"]
            text = f'audience "{audience.name}": no {" and no ".join(missing)} in {site.templates}, nor with mailsync'
            yield Finding(PROBLEM, "templates", f"{site.path}:{line}:{column}", text, _TEMPLATES)
        else:
            yield from _rendered(site, templates, name)


def _rendered(site: Site, templates: Environment, name: str) -> Iterator[Finding]:
    from mailsync.mail.render import render
    from mailsync.mail.sample import sample_facts, sample_summaries

    facts = sample_facts()
    try:
        for summary in sample_summaries():
            render(templates, name, summary=summary, facts=facts)
    except ConfigurationError as error:
        for finding in from_error("templates", error):
            file = finding.place.partition(":")[0]
            shipped = Path(file).name in templates.list_templates() and not (site.folder / file).is_file()
            place = f"mailsync's own {finding.place}" if shipped else f"{site.folder}/{finding.place}"
            yield finding._replace(place=place)


def _server(site: Site) -> Iterator[Finding]:
    """Connects and logs on, as a mail would, and asks for the scopes and repositories that routes name."""
    from mailsync.client.link import connect
    from mailsync.client.way import way_of

    address = site.server.address
    key, login = read_client_key(site.server.key), read_login(site.server)
    try:
        way = way_of(site.server, os.environ)
        with connect(address, key, login, random=os.urandom, deadline_seconds=_SECONDS, way=way) as link:
            link.ping()
            for route in site.routes:
                yield from _scope(site, route, link)
    except UnreachableError as error:
        nobody = isinstance(error.__cause__, ConnectionRefusedError)  # what hangs up, or is silent, is running
        if nobody and site.listen is not None and site.listen.address == address:
            hint = f"mailsync server run --config {site.path}"
            yield Finding(NOTE, "server", address, "this host's own server is not running", hint)
        else:
            hint = f"is it running there? mailsync ping --config {site.path}"
            yield Finding(PROBLEM, "server", address, _without(address, error), hint)
    except MailsyncError as error:
        yield Finding(PROBLEM, "server", address, _without(address, error), error.hint)


def _without(address: str, error: MailsyncError) -> str:
    """What the error says, without the address that the finding cites."""
    return str(error).removeprefix(f"server {address}").removeprefix(":").lstrip()


def _scope(site: Site, route: Route, link: Link) -> Iterator[Finding]:
    """What of a route's scope the server does not have. The first page tells it all."""
    from mailsync.client.failures import NoScopeError

    if route.scope is None:
        return
    try:
        page = next(link.sync(route.scope, Cursor(), 0))
    except NoScopeError as error:
        line, column = route.places["scope"]
        yield Finding(PROBLEM, "server", f"{site.path}:{line}:{column}", f"{route.scope}: {error}", error.hint)
        return
    known = {repository.id for repository in page.repositories or ()}
    line, column = route.places["repositories"]
    for name, place in route.repositories.items():
        if place not in known:
            text = f'repository "{place}" ({name}) is unknown in {route.scope}'
            hint = "known there: " + ", ".join(sorted(known))
            yield Finding(PROBLEM, "server", f"{site.path}:{line}:{column}", text, hint)


def _losses(site: Site) -> Iterator[Finding]:
    """Mails that a restore of the server took back, and nobody has dealt with yet."""
    from mailsync.client.journal import Journal
    from mailsync.config.ownership import require_owner

    path = site.audit.journal
    try:
        if not path.exists():
            return
        require_owner(site.state)
        with closing(Journal(path)) as journal:
            lost = len({one.run for one in journal.losses.all()})
    except (MailsyncError, OSError):
        return  # what is wrong with the file or its folder is told among the databases and permissions
    if lost:
        text = f"{plural(lost, 'mail')} applied, and lost when the server was restored"
        yield Finding(PROBLEM, "ledger", str(path), text, "mailsync audit lost; when all is dealt with: --clear")


def _sendmail(site: Site) -> Iterator[Finding]:
    if isinstance(site.sendmail, Path):
        if not os.access(site.sendmail if site.sendmail.exists() else site.sendmail.parent, os.W_OK | os.X_OK):
            yield Finding(PROBLEM, "sendmail", str(site.sendmail), "replies cannot be filed in this Maildir")
        return
    program = site.sendmail[0] if site.sendmail else ""
    if program and not (os.path.isfile(program) and os.access(program, os.X_OK)):  # noqa: PTH113 - a program's name
        hint = "install a mail server, or set sendmail: maildir:outbox"
        yield Finding(PROBLEM, "sendmail", program, "there is no such program", hint)
    elif program:
        yield Finding(NOTE, "sendmail", program, "is there; whether it delivers mail was not tried")


def _procmail(option: str | None) -> Iterator[Finding]:
    """The named file, or the user's own where it has to do with mailsync."""
    path = Path(option) if option else Path(os.environ.get("HOME") or "/nonexistent") / ".procmailrc"
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_PROCMAILRC)
    except OSError as error:
        if option:
            yield Finding(PROBLEM, "procmail", option, f"cannot be read: {error.strerror}")
        return
    if option or "mailsync" in text:
        yield from from_faults("procmail", lint_procmailrc(str(path), text))


def _postfix() -> Iterator[Finding]:
    """Postfix's mailbox_size_limit bounds every file of what mailbox_command runs, databases too."""
    try:
        done = subprocess.run(
            ["postconf", "-h", "mailbox_size_limit"],  # noqa: S607 - whichever Postfix is this user's
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    limit = done.stdout.decode("ascii", "replace").strip()
    if not done.returncode and limit.isdecimal() and int(limit):
        text = f"mailbox_size_limit is {limit}: where Postfix runs procmail, no file can grow beyond it, databases too"
        yield Finding(NOTE, "postfix", "main.cf", text, "postconf -e mailbox_size_limit=0")


def _told(finding: Finding) -> str:
    place = f"{finding.place}: " if finding.place else ""
    hint = f"\n    hint: {finding.hint}" if finding.hint else ""
    return f"{finding.level}: {finding.area}: {place}{finding.text}{hint}"
