"""`mailsync server grant` and `server group`: who may do what with which customers."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from typing import TYPE_CHECKING

from mailsync.cli import server
from mailsync.cli.server_words import grant_word, group, hinting, leaf, listing, there_already

if TYPE_CHECKING:
    from mailsync.server.sql_store import SqlStore

_GRANT = "how to grant: mailsync server grant add --help"
_GROUP = "how to add one: mailsync server group add --help"
_GRANT_HELP = """\
A grant is FILTER:ACCESS. The filter names customers, with * for any characters and ? for one, several cut by commas;
the access is read, write (and read) or alter (also what is locked). A user without any grant may do nothing. Adding a
grant for a filter that NAME has already changes its access. A grant that is removed is worth nothing at once.

example:
  mailsync server grant add filter2 'US*:write'
  mailsync server grant add --group couriers 'US01,DE*:read'
  mailsync server grant remove filter2 'US*'
"""
_GROUP_HELP = """\
example:
  mailsync server group add couriers --description "Who carries tapes"
  mailsync server group join couriers ann
  mailsync server grant add --group couriers 'US*:read'
"""


def configure(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the sub-commands."""
    actions = group(commands, "grant", "who may do what with which customers", _GRANT_HELP)
    add = leaf(actions, "add", "grant something to a user or a group", _GRANT_HELP, add_grant)
    _holder(add)
    add.add_argument("grant", metavar="FILTER:ACCESS", type=grant_word, help="such as 'US*:write'")
    listing(leaf(actions, "list", "every grant", _GRANT_HELP, list_grants))
    remove = leaf(actions, "remove", "take a grant back, at once", _GRANT_HELP, remove_grant)
    _holder(remove)
    remove.add_argument("customers", metavar="FILTER", type=_filter, help="of the grant, without its access")
    actions = group(commands, "group", "users who are granted things together", _GROUP_HELP)
    add = leaf(actions, "add", "add a group, or change its description", _GROUP_HELP, add_group)
    add.add_argument("name", metavar="GROUP", help="1 to 16 letters, digits, dots and hyphens")
    add.add_argument("--description", help="at most 40 characters")
    listing(leaf(actions, "list", "every group and its members", _GROUP_HELP, list_groups))
    for word, text, act in (("join", "make a user a member", join_group), ("leave", "end a membership", leave_group)):
        one = leaf(actions, word, text, _GROUP_HELP, act)
        one.add_argument("name", metavar="GROUP")
        one.add_argument("user", metavar="USER")
    remove = leaf(actions, "remove", "remove a group and its grants", _GROUP_HELP, remove_group)
    remove.add_argument("name", metavar="GROUP")


def add_option(parser: ArgumentParser) -> None:
    """Adds --grant to what makes a user."""
    text = "what the user may do, such as 'US*:write'; may be given more than once"
    parser.add_argument("--grant", metavar="FILTER:ACCESS", type=grant_word, action="append", default=[], help=text)


def tell(store: SqlStore, user: str) -> None:
    """Says on stderr what a user who was just made may do, or that it may do nothing."""
    groups = next((one.groups for one in store.users() if one.name == user), ())
    held = {("user", user), *(("group", name) for name in groups)}
    granted = [str(one) for one in store.grants() if (one.kind, one.holder) in held]
    if granted:
        print(f"mailsync: {user} may {', '.join(granted)}", file=sys.stderr)
    else:
        print(f"mailsync: {user} has no grant and may do nothing", file=sys.stderr)
        print(f"mailsync: hint: mailsync server grant add {user} 'US*:write'", file=sys.stderr)


def add_grant(arguments: Namespace) -> int:
    """Grants something to a user or a group."""
    from mailsync.server.access import Grant

    grant = Grant(_kind(arguments), arguments.holder, *arguments.grant)
    with server.open_store(arguments) as store, hinting(_GRANT):
        store.add_grant(grant)
    print(f"{grant.kind} {grant.holder} may {grant}")
    return 0


def list_grants(arguments: Namespace) -> int:
    """Prints every grant."""
    with server.open_store(arguments) as store:
        found = store.grants()
    if arguments.json:
        listed = [
            {"kind": one.kind, "holder": one.holder, "customers": one.customers, "access": one.access.name.lower()}
            for one in found
        ]
        print(json.dumps({"grants": listed}, indent=2))
        return 0
    for one in found:
        print(f"{one.kind:6}{one.holder:17} {one}")
    return 0


def remove_grant(arguments: Namespace) -> int:
    """Takes a grant back."""
    with server.open_store(arguments) as store, hinting(_GRANT):
        store.remove_grant(_kind(arguments), arguments.holder, arguments.customers)
    print(f"{_kind(arguments)} {arguments.holder} has no grant on {arguments.customers} any more")
    return 0


def _filter(text: str) -> str:
    """The filter that a word says: with its access, as it was added, it would name no grant."""
    filters, colon, _ = text.partition(":")
    if colon:
        raise ArgumentTypeError(f'name the filter alone, "{filters}": all that it grants is taken back')
    return text


def add_group(arguments: Namespace) -> int:
    """Adds a group, or changes its description."""
    with server.open_store(arguments, make=True) as store, hinting(_GROUP):
        is_there = any(one.name == arguments.name for one in store.groups())
        if is_there and arguments.description is None:
            raise there_already(f"group {arguments.name}")
        store.add_group(arguments.name, arguments.description or "")
    print(f"group {arguments.name} {'changed' if is_there else 'added'}")
    return 0


def list_groups(arguments: Namespace) -> int:
    """Prints every group."""
    with server.open_store(arguments) as store:
        found = store.groups()
    if arguments.json:
        listed = [{"group": one.name, "description": one.description, "members": one.members} for one in found]
        print(json.dumps({"groups": listed}, indent=2))
        return 0
    for one in found:
        print(f"{one.name:17} {one.description:41} {' '.join(one.members)}".rstrip())
    return 0


def join_group(arguments: Namespace) -> int:
    """Makes a user a member."""
    with server.open_store(arguments) as store, hinting(_GROUP):
        store.join_group(arguments.name, arguments.user)
    print(f"{arguments.user} is in {arguments.name}")
    return 0


def leave_group(arguments: Namespace) -> int:
    """Ends a membership."""
    with server.open_store(arguments) as store, hinting(_GROUP):
        store.leave_group(arguments.name, arguments.user)
    print(f"{arguments.user} is not in {arguments.name} any more")
    return 0


def remove_group(arguments: Namespace) -> int:
    """Removes a group."""
    with server.open_store(arguments) as store, hinting(_GROUP):
        store.remove_group(arguments.name)
    print(f"group {arguments.name} removed")
    return 0


def _holder(parser: ArgumentParser) -> None:
    parser.add_argument("holder", metavar="NAME", help="a user, or with --group a group")
    parser.add_argument("--group", action="store_true", help="NAME is a group")


def _kind(arguments: Namespace) -> str:
    from mailsync.server.access import GROUP_KIND, USER_KIND

    return GROUP_KIND if arguments.group else USER_KIND
