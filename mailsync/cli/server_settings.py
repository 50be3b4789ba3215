"""`mailsync server scope set`, `server repository set` and `server cluster`: what volumes may be, and where they go."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, _SubParsersAction

from mailsync.cli import server
from mailsync.cli.server_words import group, hinting, leaf, listing, scope_word, there_already
from mailsync.core.errors import UsageError

_SCOPE_HELP = """\
What is not named stays as it is. The filter and the cap are for new volumes, from reports and loads; in a locked media
type only users with the access alter, and loads, change volumes.

example:
  mailsync server scope set US01.LTO --filter 'A*,B?????L8' --cap 20000
  mailsync server scope set US01.LTO --customer-description "Example Incorporated" --lock
"""
_REPOSITORY_HELP = """\
What is not named stays as it is.

example:
  mailsync server repository set US01.LTO OFFS --type Vault --offsite --next LIBR
"""
_CLUSTER_HELP = """\
A report that names a data cluster which is not there is refused, row by row.

example:
  mailsync server cluster add north --description "Building 1"
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-command for data clusters."""
    actions = group(commands, "cluster", "data clusters that volumes may name", _CLUSTER_HELP)
    add = leaf(actions, "add", "add a data cluster, or change its description", _CLUSTER_HELP, add_cluster)
    add.add_argument("id", metavar="NAME", help="at most 256 characters")
    add.add_argument("--description", help="at most 40 characters")
    listing(leaf(actions, "list", "every data cluster", _CLUSTER_HELP, list_clusters))


def configure_scope(actions: _SubParsersAction[ArgumentParser]) -> None:
    """Adds `scope set`."""
    change = leaf(actions, "set", "change a media type, or its customer", _SCOPE_HELP, set_scope)
    change.add_argument("scope", metavar="CUST.MEDIA", type=scope_word)
    change.add_argument("--description", help="of the media type, at most 20 characters")
    change.add_argument("--customer-description", metavar="TEXT", help="of the customer, at most 40 characters")
    change.add_argument("--default", metavar="REPOSITORY", help="where new volumes belong; '' for none")
    change.add_argument("--filter", metavar="FILTER", help="what new volumes must be called; '' for anything")
    change.add_argument("--cap", metavar="N", type=int, help="how many volumes there may be; 0 for any number")
    lock = change.add_mutually_exclusive_group()
    lock.add_argument("--lock", action="store_true", default=None, help="refuse changes by reports")
    lock.add_argument("--unlock", dest="lock", action="store_false", help="allow them again")


def configure_repository(actions: _SubParsersAction[ArgumentParser]) -> None:
    """Adds `repository set`."""
    change = leaf(actions, "set", "change a repository", _REPOSITORY_HELP, set_repository)
    change.add_argument("scope", metavar="CUST.MEDIA", type=scope_word)
    change.add_argument("id", metavar="ID")
    change.add_argument("--description", help="at most 20 characters")
    change.add_argument("--type", help="Library, Vault, Rack, ...")
    place = change.add_mutually_exclusive_group()
    place.add_argument("--offsite", action="store_true", default=None, help="it is not on the site")
    place.add_argument("--onsite", dest="offsite", action="store_false", help="it is on the site")
    change.add_argument("--next", metavar="ID", help="where volumes go from there by default; '' for nowhere")


def set_scope(arguments: Namespace) -> int:
    """Changes a media type."""
    from mailsync.server.administration import ScopeChange

    change = ScopeChange(
        description=arguments.description,
        customer_description=arguments.customer_description,
        default_repository=arguments.default,
        volume_filter=arguments.filter,
        cap=arguments.cap,
        locked=arguments.lock,
    )
    _require_change("scope set", change)
    with server.open_store(arguments) as store, hinting("mailsync server scope set --help"):
        store.set_scope(arguments.scope, change)
    print(f"scope {arguments.scope} changed")
    return 0


def set_repository(arguments: Namespace) -> int:
    """Changes a repository."""
    from mailsync.server.administration import RepositoryChange

    change = RepositoryChange(arguments.description, arguments.type, arguments.offsite, arguments.next)
    _require_change("repository set", change)
    with server.open_store(arguments) as store, hinting("mailsync server repository set --help"):
        store.set_repository(arguments.scope, arguments.id, change)
    print(f"repository {arguments.scope}.{arguments.id} changed")
    return 0


def _require_change(what: str, change: tuple[object, ...]) -> None:
    if all(one is None for one in change):
        raise UsageError(f"{what}: nothing is named that is to change", hint=f"mailsync server {what} --help")


def add_cluster(arguments: Namespace) -> int:
    """Adds a data cluster, or changes its description."""
    from mailsync.server.administration import Cluster

    with server.open_store(arguments, make=True) as store, hinting("mailsync server cluster add --help"):
        is_there = any(one.id == arguments.id for one in store.clusters())
        if is_there and arguments.description is None:
            raise there_already(f"data cluster {arguments.id}")
        store.add_cluster(Cluster(arguments.id, arguments.description or ""))
    print(f"data cluster {arguments.id} {'changed' if is_there else 'added'}")
    return 0


def list_clusters(arguments: Namespace) -> int:
    """Prints every data cluster."""
    with server.open_store(arguments) as store:
        found = store.clusters()
    if arguments.json:
        print(json.dumps({"clusters": [one._asdict() for one in found]}, indent=2))
        return 0
    for one in found:
        print(f"{one.id:24} {one.description}".rstrip())
    return 0
