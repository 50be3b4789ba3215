"""`mailsync server scope` and `server repository`: what the store has, and adding to it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from mailsync.cli import server
from mailsync.core.model import Repository, RepositoryId
from mailsync.server.store import RequestError

_SCOPE = "what is there: mailsync server scope list; how to add one: mailsync server scope add --help"
_REPOSITORY = "how to add one: mailsync server repository add --help"


def add_scope(arguments: Namespace) -> int:
    """Adds a media type, with its default repository when one is named."""
    default = arguments.default
    repositories = (Repository(RepositoryId(default), default),) if default else ()
    with server.open_store(arguments) as store, _hinting(_SCOPE):
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
        found = store.scopes()
    if arguments.json:
        listed = [
            {
                "scope": str(one.scope),
                "description": one.description,
                "default_repository": one.default_repository,
                "volumes": one.volumes,
                "version": one.version,
                "epoch": one.epoch.hex(),
            }
            for one in found
        ]
        print(json.dumps({"scopes": listed}, indent=2))
        return 0
    for one in found:
        print(f"{one.scope!s:10}{one.volumes:>9} volumes  version {one.version:<9} {one.description}".rstrip())
    return 0


def add_repository(arguments: Namespace) -> int:
    """Adds a repository, or changes the one of this ID."""
    place = Repository(RepositoryId(arguments.id), arguments.description, arguments.type, arguments.offsite)
    with server.open_store(arguments) as store, _hinting(_REPOSITORY):
        store.add_repository(arguments.scope, place)
    print(f"repository {arguments.scope}.{arguments.id} added")
    return 0


def list_repositories(arguments: Namespace) -> int:
    """Prints every repository of a scope."""
    with server.open_store(arguments) as store:
        found = store.repositories(arguments.scope)
    if arguments.json:
        listed = [
            {"id": one.id, "description": one.description, "type": one.kind, "offsite": one.offsite} for one in found
        ]
        print(json.dumps({"scope": str(arguments.scope), "repositories": listed}, indent=2))
        return 0
    for one in found:
        print(f"{one.id:6}{one.kind:19}{'offsite' if one.offsite else '':9}{one.description}".rstrip())
    return 0


@contextmanager
def _hinting(hint: str) -> Iterator[None]:
    """Around a request: what the store refuses without saying what to do gets this hint."""
    try:
        yield
    except RequestError as error:
        error.hint = error.hint or hint
        raise
