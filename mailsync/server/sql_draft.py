"""A batch in the making: the scopes it has locked, each with its volumes as the batch's operations leave them.

A batch begins with its own scope. What its containers hold, or are held by, may be in others: whatever is asked of a
scope that is not locked raises `MoreScopesError`, the transaction is undone, and done again with all of them locked
in ascending order; nothing that was read before counts then (exactly-once.md section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailsync.core.model import Scope, Volume
from mailsync.core.outcome import Operation
from mailsync.server.access import Access, Rights
from mailsync.server.database import Connection
from mailsync.server.rules import Barcode, Terms
from mailsync.server.sql_scope import Standpoint, Stored, Written, find_repositories, find_volumes


class MoreScopesError(Exception):
    """The batch touches scopes that it has not locked."""

    def __init__(self, scopes: Iterable[Scope]) -> None:
        super().__init__("scopes to lock")
        self.scopes = frozenset(scopes)


class Touched(NamedTuple):
    """What one operation changed on one volume: `before` is None when it created the volume.

    `attributes` are its attributes that changed: name, value before and after.
    """

    position: int
    operation: Operation
    name: str
    before: Volume | None
    after: Volume
    attributes: tuple[tuple[str, str, str], ...] = ()


class ScopeDraft:
    """A locked scope: its volumes as they are stored, and as the batch leaves them. `touched` is in order."""

    def __init__(self, connection: Connection, at: Standpoint, access: Access) -> None:
        self.at = at
        self.access = access
        self.volumes: dict[str, Volume] = {}
        self.stored: dict[str, Stored] = {}
        self.touched: list[Touched] = []
        self.added = 0
        self.repositories = {repository.id for repository in find_repositories(connection, at.number)}
        self._connection = connection
        self._known: set[str] = set()

    def terms(self, clusters: frozenset[str]) -> Terms:
        """What holds for all its volumes in this batch."""
        return Terms(clusters, bool(self.at.locked), self.access >= Access.ALTER)

    def know(self, names: Iterable[str]) -> None:
        """Reads those of the volumes that were not read yet."""
        unread = [name for name in dict.fromkeys(names) if name not in self._known]
        if unread:
            self._known.update(unread)
            found = find_volumes(self._connection, self.at.number, unread)
            self.stored.update(found)
            self.volumes.update({name: stored.volume for name, stored in found.items()})

    def volume(self, name: str) -> Volume | None:
        """The volume as the batch has left it so far, None when there is none."""
        self.know((name,))
        return self.volumes.get(name)

    def take(self, change: Touched) -> None:
        """Notes a change."""
        self.touched.append(change)
        self.volumes[change.name] = change.after
        self.added += change.before is None

    @property
    def moved(self) -> int:
        """How many of its volumes have another target than they had."""
        pairs = ((self.stored.get(name), self.volumes[name]) for name in {change.name for change in self.touched})
        return sum(stored is not None and stored.volume.repository != now.repository for stored, now in pairs)

    def versions(self) -> dict[str, int]:
        """The next versions, one for each volume that changed."""
        names = dict.fromkeys(change.name for change in self.touched)
        return {name: self.at.version + number for number, name in enumerate(names, 1)}

    def written(self, versions: Mapping[str, int], batch: int, now: int) -> list[Written]:
        """The changed volumes, each with its new version."""
        return [
            Written(name, version, batch, now, self.volumes[name], self.stored.get(name))
            for name, version in versions.items()
        ]


class Drafts:
    """The locked scopes of a batch, by scope."""

    def __init__(self, connection: Connection, locked: Mapping[Scope, Standpoint], rights: Rights) -> None:
        self.connection = connection
        self.held: dict[str, set[Barcode]] = {}  # what the batch put in a container, by the container's barcode
        self.carried = 0
        self._locked = locked
        self._rights = rights
        self._drafts: dict[Scope, ScopeDraft] = {}

    def __getitem__(self, scope: Scope) -> ScopeDraft:
        if scope not in self._drafts:
            if scope not in self._locked:
                raise MoreScopesError((scope,))
            access = self._rights.on(scope)
            self._drafts[scope] = ScopeDraft(self.connection, self._locked[scope], access)
        return self._drafts[scope]

    def require(self, scopes: Iterable[Scope]) -> None:
        """Raises MoreScopesError for those that are not locked."""
        missing = set(scopes).difference(self._locked)
        if missing:
            raise MoreScopesError(missing)

    def touched(self) -> list[ScopeDraft]:
        """The scopes in which something changed, ascending."""
        return [draft for _, draft in sorted(self._drafts.items()) if draft.touched]
