"""`mailsync server scope` and `server repository`: what the store has, and adding to it."""

from __future__ import annotations

import json
from argparse import Namespace

from mailsync.cli import server
from mailsync.cli.server_words import hinting, there_already
from mailsync.core.model import Repository, RepositoryId
from mailsync.server.access import ADMINISTRATOR

_SCOPE = "what is there: mailsync server scope list; how to add one: mailsync server scope add --help"
_REPOSITORY = "how to add one: mailsync server repository add --help"
_REPOSITORY_THERE = f"{_REPOSITORY}; how to change one: mailsync server repository set --help"


def add_scope(arguments: Namespace) -> int:
    """Adds a media type, with its default repository when one is named."""
    default = arguments.default
    repositories = (Repository(RepositoryId(default), default),) if default else ()
    with server.open_store(arguments, make=True) as store, hinting(_SCOPE):
        store.add_scope(
            arguments.scope,
            description=arguments.description,
            repositories=repositories,
            default_repository=default,
        )
    print(f"scope {arguments.scope} added")
    return 0


def list_scopes(arguments: Namespace) -> int:
    """Prints every scope."""
    with server.open_store(arguments) as store:
        found = store.scopes(ADMINISTRATOR)
    if arguments.json:
        listed = [
            {
                "scope": str(one.scope),
                "description": one.description,
                "customer": one.customer_description,
                "default_repository": one.default_repository,
                "volumes": one.volumes,
                "filter": one.volume_filter,
                "cap": one.cap,
                "locked": one.locked,
                "version": one.version,
                "epoch": one.epoch.hex(),
            }
            for one in found
        ]
        print(json.dumps({"scopes": listed}, indent=2))
        return 0
    for one in found:
        limits = (one.volume_filter, f"at most {one.cap}" if one.cap else "", "locked" if one.locked else "")
        said = "; ".join(filter(None, (one.description, *limits)))
        noun = "volume " if one.volumes == 1 else "volumes"
        print(f"{one.scope!s:10}{one.volumes:>9} {noun}  version {one.version:<9} {said}".rstrip())
    return 0


def add_repository(arguments: Namespace) -> int:
    """Adds a repository."""
    place = Repository(RepositoryId(arguments.id), arguments.description, arguments.type, arguments.offsite)
    with server.open_store(arguments) as store, hinting(_REPOSITORY_THERE):
        if any(one.repository.id == place.id for one in store.places(arguments.scope)):
            raise there_already(f"repository {arguments.scope}.{place.id}")
        store.add_repository(arguments.scope, place)
    print(f"repository {arguments.scope}.{arguments.id} added")
    return 0


def list_repositories(arguments: Namespace) -> int:
    """Prints every repository of a scope."""
    with server.open_store(arguments) as store:
        found = store.places(arguments.scope)
    if arguments.json:
        listed = [
            {
                "id": one.repository.id,
                "description": one.repository.description,
                "type": one.repository.kind,
                "offsite": one.repository.offsite,
                "next": one.next,
                "volumes": one.volumes,
            }
            for one in found
        ]
        print(json.dumps({"scope": str(arguments.scope), "repositories": listed}, indent=2))
        return 0
    for place, following, _ in found:
        away, then = ("offsite" if place.offsite else ""), (f"then {following}" if following else "")
        print(f"{place.id:6}{place.kind:19}{away:9}{then:11}{place.description}".rstrip())
    return 0
