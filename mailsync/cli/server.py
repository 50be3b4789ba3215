"""`mailsync server`: runs the server, loads and exports volumes, and administers scopes, repositories, tokens, keys.

Everything but `run` works on the store itself, with the server running or not. The store is the one of the site's
`listen` section, or `--store`. state/ belongs to one user: whoever else asks is refused before anything is opened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mailsync.cli.handing_out import tell_next
from mailsync.cli.main import add_config, finish_output
from mailsync.cli.server_words import STORE
from mailsync.cli.server_words import group as _group
from mailsync.cli.server_words import leaf as _leaf
from mailsync.cli.server_words import listing as _listing
from mailsync.cli.server_words import scope_word as _scope
from mailsync.core.errors import MailsyncError, UsageError

if TYPE_CHECKING:
    from mailsync.config.site import Listen
    from mailsync.server.sql_store import SqlStore

_EXAMPLE = """\
example:
  mailsync server run &
  mailsync server load volumes.csv
  mailsync server export --scope US01.LTO > volumes.csv
  mailsync server token add filter2 --grant 'US*:write' --out keys/filter2.token
"""
_LOAD_HELP = """\
FILE is CSV whose first line names its columns: customer, media and volume, and any of description, repository,
current_repository, confirmed_repository, home_repository, container, slot, flags, data_cluster, system, move_date,
write_time, expiry_date, scratch, encrypted, attribute_1 to attribute_200. Dates are 2026-01-31, times
2026-01-31T18:30:00Z; empty means unset.

A volume that the server has keeps what FILE has no column for: a new `repository` sends it on its way there. A new
volume is settled: where FILE has no such columns it is, and is confirmed, at its repository, and a repository that is
not given is the media's default. All rows are loaded, or none. Scopes, repositories and data clusters that are new are
made.

example:
  mailsync server load volumes.csv
  zcat volumes.csv.gz | mailsync server load --strict -
"""
_EXPORT_HELP = """\
example:
  mailsync server export --scope US01.LTO > volumes.csv
"""
_DELETE_HELP = """\
For what was added by mistake, or is destroyed: the volumes are gone from the scope, and what is in the ledger of them
stays there. A container that holds others is not deleted, and then none is.

example:
  mailsync server delete US01.LTO A00001 A00002
"""
_SCOPE_HELP = """\
example:
  mailsync server scope add US01.LTO --default LIBR
  mailsync server scope list --json
"""
_REPOSITORY_HELP = """\
example:
  mailsync server repository add US01.LTO OFFS --description "Offsite vault" --type Vault --offsite
"""
_RESTORED_HELP = """\
Say this after the store was put back from a backup: every client's copy may be newer than the store now, and will be
downloaded anew.

example:
  mailsync server restored
"""


_COPY_HELP = """\
Stop the server, copy, change listen.store, start the server again. Every client downloads its volumes anew, once.

example:
  mailsync server copy --to postgresql://mailsync@db.example.com/mailsync
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands and their options."""
    parser.epilog = _EXAMPLE
    add_config(parser)
    parser.add_argument("--store", metavar="URL", help=STORE)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _configure_run(commands)
    load = _leaf(commands, "load", "load volumes from CSV", _LOAD_HELP, _load)
    load.add_argument("file", metavar="FILE", help="CSV, or - for stdin")
    load.add_argument(
        "--strict", action="store_true", help="refuse scopes, repositories and data clusters that are new"
    )
    export = _leaf(commands, "export", "write a scope's volumes as CSV to stdout", _EXPORT_HELP, _export)
    export.add_argument("--scope", metavar="CUST.MEDIA", required=True, type=_scope, help="customer and media")
    export.add_argument("--attributes", action="store_true", help="with a column for each attribute that is set")
    delete = _leaf(commands, "delete", "delete volumes", _DELETE_HELP, _delete)
    delete.add_argument("scope", metavar="CUST.MEDIA", type=_scope)
    delete.add_argument("volumes", metavar="VOLUME", nargs="+")
    copying = _leaf(commands, "copy", "put the whole store into another, empty one", _COPY_HELP, _copy)
    copying.add_argument("--to", metavar="URL", required=True, help="sqlite:PATH or postgresql://...")
    _leaf(commands, "restored", "tell the store that it comes from a backup", _RESTORED_HELP, _restored)
    _configure_scopes(commands)
    _configure_rest(commands)


def run(arguments: argparse.Namespace) -> int:
    """Does what the sub-command says; its exit status."""
    act: Callable[[argparse.Namespace], int] = arguments.act
    return act(arguments)


def open_store(arguments: argparse.Namespace, *, make: bool = False) -> SqlStore:
    """The store that the words or the site name; where there is none, one is made for what begins with an empty one.

    Raises UsageError to whoever does not own its file, NoStoreError where there is none.
    """
    import getpass

    from mailsync.config.ownership import require_owner
    from mailsync.server.stores import open_url, sqlite_path

    url = arguments.store or find_listen(arguments).store
    path = sqlite_path(url)
    if path is not None:
        require_owner(path)
    return open_url(url, by=f"admin {getpass.getuser()}", make=make)


def find_listen(arguments: argparse.Namespace) -> Listen:
    """The site's `listen` section. Raises UsageError where there is none."""
    from mailsync.config.site import find_config, load_site

    path = find_config(arguments.config)
    listen = load_site(path).listen
    if listen is None:
        raise UsageError(f"{path}: has no listen section, so no server runs here", hint="run this on the server's host")
    return listen


def _configure_rest(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mailsync.cli import server_grants, server_keys, server_moves, server_prune, server_secrets, server_settings
    from mailsync.cli import server_users as users

    for part in (server_secrets, server_keys, server_settings, users, server_grants, server_moves, server_prune):
        part.configure(commands)


def _configure_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mailsync.cli import server_bench, server_run

    server_run.configure(_leaf(commands, "run", "serve clients until told to stop", server_run.HELP, server_run.run))
    bench = _leaf(commands, "bench", "measure a temporary server", server_bench.HELP, server_bench.run)
    server_bench.configure(bench)


def _configure_scopes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from mailsync.cli import server_scopes as scopes
    from mailsync.cli import server_settings

    actions = _group(commands, "scope", "customers and their media", _SCOPE_HELP)
    add = _leaf(actions, "add", "add a media type, and its customer", _SCOPE_HELP, scopes.add_scope)
    add.add_argument("scope", metavar="CUST.MEDIA", type=_scope)
    add.add_argument("--description", default="", help="of the media type, at most 20 characters")
    add.add_argument("--default", metavar="REPOSITORY", default="", help="where new volumes belong; it is added, too")
    server_settings.configure_scope(actions)
    _listing(_leaf(actions, "list", "every scope and where it stands", _SCOPE_HELP, scopes.list_scopes))
    actions = _group(commands, "repository", "the places of a scope", _REPOSITORY_HELP)
    add = _leaf(actions, "add", "add a repository", _REPOSITORY_HELP, scopes.add_repository)
    add.add_argument("scope", metavar="CUST.MEDIA", type=_scope)
    add.add_argument("id", metavar="ID", help="1 to 4 letters or digits")
    add.add_argument("--description", default="", help="at most 20 characters")
    add.add_argument("--type", default="", help="Library, Vault, Rack, ...")
    add.add_argument("--offsite", action="store_true", help="it is not on the site")
    server_settings.configure_repository(actions)
    listing = _leaf(actions, "list", "every repository of a scope", _REPOSITORY_HELP, scopes.list_repositories)
    listing.add_argument("scope", metavar="CUST.MEDIA", type=_scope)
    _listing(listing)


def _load(arguments: argparse.Namespace) -> int:
    from mailsync.cli import server_volumes

    with open_store(arguments, make=True) as store:
        return server_volumes.load(store, arguments.file, strict=arguments.strict)


def _delete(arguments: argparse.Namespace) -> int:
    from mailsync.cli import server_volumes

    with open_store(arguments) as store:
        return server_volumes.delete(store, arguments.scope, arguments.volumes)


def _export(arguments: argparse.Namespace) -> int:
    from mailsync.server.volumes import write_attributes, write_volumes

    with open_store(arguments) as store:
        if arguments.attributes:
            _print(write_attributes(arguments.scope, *store.attributes(arguments.scope)))
        else:
            _print(write_volumes(arguments.scope, store.export(arguments.scope)))
    return 0


def _print(lines: Iterable[str]) -> None:
    try:
        sys.stdout.buffer.writelines(line.encode() for line in lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        finish_output()
        raise MailsyncError(f"write to stdout: {error.strerror}", hint="what was written is not whole") from error


def _copy(arguments: argparse.Namespace) -> int:
    import secrets

    from mailsync.server.stores import open_url

    with open_store(arguments) as store, open_url(arguments.to) as target:
        store.copy_to(target, secrets.token_bytes(16), told=lambda name, rows: print(f"{name}: {rows}"))
    tell_next("set listen.store, on every server, to what was copied to", "mailsync check", "mailsync server run")
    return 0


def _restored(arguments: argparse.Namespace) -> int:
    import secrets

    with open_store(arguments) as store:
        if not store.users() and next(iter(store.chain("site")), None) is None:
            raise UsageError(
                "restored: there is nothing in this store", hint="put the backup back first: docs/server.md"
            )
        store.renew_epoch(secrets.token_bytes(16))
    print("every client's copy will be downloaded anew")
    tell_next(
        "start the server, and mailsync audit verify",
        "on each mail host, once mails have gone through again: mailsync audit lost",
    )
    return 0
