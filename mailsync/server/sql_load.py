"""Loading volumes: all rows or none, every fault at once, flat memory.

Strategy: rows first go to a temporary table, which locks nothing, however slowly they come; then one transaction
walks them in the order of their keys beside the volumes there are, and writes those that differ. A fault, before or
then, rolls everything back.

volume    a field the load names       a field it lacks
exists    set                          keeps its value
missing   set                          repository: the default one; current: the repository; confirmed: the current one

Flags M and D follow from the places and the move date, whatever the file says, and a container keeps its B. A load is
administration: locks are not in its way, but a new volume must be one that its media type takes. It says where each
volume is, so that moving a container in it moves nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.server.administration import Cluster
from mailsync.server.database import Connection
from mailsync.server.rules import CONTAINER, addition_fault, settled_flags
from mailsync.server.sql_attributes import Values, find_attributes, write_attributes
from mailsync.server.sql_chain import Said, Writing, append, append_site
from mailsync.server.sql_nesting import settle_containers
from mailsync.server.sql_places import known_clusters, put_cluster
from mailsync.server.sql_scope import (
    Standpoint,
    Stored,
    Written,
    add_media,
    find_repositories,
    find_volumes,
    has_scope,
    lock_scope,
    put_repositories,
    set_version,
    write_volumes,
)
from mailsync.server.sql_spool import Columns, Faults, LoadRefusedError
from mailsync.server.store import Loaded, LoadFault, LoadPolicy, LoadRow

_WRITES = 1000
_INCOMING = "SELECT * FROM incoming ORDER BY customer, media, volume, line"


def merge(connection: Connection, columns: Columns, policy: LoadPolicy, faults: Faults, writing: Writing) -> Loaded:
    """Carries the spooled rows over, in the caller's transaction. Raises LoadRefusedError when there are faults."""
    merging = _Merging(connection, columns, policy, faults, writing)
    clusters_added = _add_clusters(connection, columns, policy, faults, writing)
    for line, customer, media, volume, *values in connection.stream(_INCOMING):
        merging.row(LoadRow(Scope(CustomerId(customer), MediaId(media)), volume, tuple(values), line))
    merging.leave()
    for fault in settle_containers(connection, writing) if "container" in columns.names else ():
        faults.add(fault)
    loaded = merging.loaded()._replace(clusters_added=clusters_added)
    if loaded.faults:
        raise LoadRefusedError(loaded)
    return loaded


def _add_clusters(
    connection: Connection, columns: Columns, policy: LoadPolicy, faults: Faults, writing: Writing
) -> tuple[str, ...]:
    """Adds the data clusters that the store does not have, or finds fault with the rows that name them."""
    if "data_cluster" not in columns.names:
        return ()
    query = "SELECT data_cluster, min(line) FROM incoming WHERE data_cluster <> '' GROUP BY data_cluster"
    lines: dict[str, int] = dict(connection.execute(query).fetchall())
    added = sorted(lines.keys() - known_clusters(connection, set(lines)))
    for name in added:
        if policy is LoadPolicy.STRICT:
            faults.add(LoadFault(lines[name], f'data cluster "{name}" is unknown'))
        else:
            put_cluster(connection, Cluster(name))
            append_site(connection, writing, Said("cluster", {"id": name}))
    return tuple(added)


class _Here:
    """What a load did to the scope it is in: how many rows it has there, and a digest of the volumes it wrote."""

    def __init__(self) -> None:
        self.rows = 0
        self.added = 0
        self.repositories: list[str] = []
        self.hashed = hashlib.sha256()


class _Merging:
    """Rows in the order of their keys on their way into the tables, one scope after the other."""

    def __init__(
        self, connection: Connection, columns: Columns, policy: LoadPolicy, faults: Faults, writing: Writing
    ) -> None:
        self._connection = connection
        self._writing = writing
        self._here = _Here()
        self._columns = columns
        self._policy = policy
        self._faults = faults
        self._at: Standpoint | None = None
        self._version = 0
        self._known: set[str] = set()
        self._previous: LoadRow | None = None
        self._waiting: list[LoadRow] = []
        self._rows = self._added = self._changed = 0
        self._scopes: list[Scope] = []
        self._repositories: list[tuple[Scope, str]] = []

    def row(self, row: LoadRow) -> None:
        """Takes the next row."""
        previous, self._previous = self._previous, row
        if previous is None or previous.scope != row.scope:
            self._turn_to(row.scope)
        elif previous.volume == row.volume:
            text = f"volume {row.scope}.{row.volume} is in line {previous.line} already"
            self._faults.add(LoadFault(row.line, text))
            return
        if self._at is None:
            self._faults.add(LoadFault(row.line, f"no scope {row.scope}"))
        elif self._places_exist(row, self._at):
            self._carry(row, self._at)

    def loaded(self) -> Loaded:
        """What was done, when nothing more comes."""
        return Loaded(
            rows=self._rows,
            added=self._added,
            changed=self._changed,
            scopes_added=tuple(self._scopes),
            repositories_added=tuple(self._repositories),
            faults=self._faults.all(),
            faulty=self._faults.count,
        )

    def _turn_to(self, scope: Scope) -> None:
        self.leave()
        self._at = None
        if not has_scope(self._connection, scope):
            if self._policy is LoadPolicy.STRICT:
                return
            add_media(self._connection, scope)
            append_site(self._connection, self._writing, Said("scope", {"scope": str(scope)}))
            self._scopes.append(scope)
        self._at = lock_scope(self._connection, scope)
        self._version = self._at.version
        self._here = _Here()
        self._known = {repository.id for repository in find_repositories(self._connection, self._at.number)}

    def leave(self) -> None:
        """Ends with the scope it is in."""
        if self._at is None:
            return
        self._flush(self._at)
        here = self._here
        if self._version != self._at.version:
            set_version(self._connection, self._at.number, self._version, added=here.added)
        if self._version != self._at.version or here.repositories:
            said = {
                "rows": here.rows,
                "volumes": self._version - self._at.version,
                "repositories": here.repositories,
                "sha256": here.hashed.hexdigest(),
            }
            append(self._connection, self._at, self._writing, Said("load", said), version=self._version)

    def _places_exist(self, row: LoadRow, at: Standpoint) -> bool:
        unknown = {place for index in self._columns.repositories if (place := row.values[index])} - self._known
        if unknown and self._policy is LoadPolicy.STRICT:
            for place in sorted(unknown):
                self._faults.add(LoadFault(row.line, f'repository "{place}" is unknown in {row.scope}'))
            return False
        if unknown:
            self._known |= unknown
            added = sorted(unknown)
            put_repositories(self._connection, at.number, [Repository(RepositoryId(one), one) for one in added])
            self._repositories.extend((row.scope, one) for one in added)
            self._here.repositories += added
        return True

    def _carry(self, row: LoadRow, at: Standpoint) -> None:
        self._rows += 1
        self._here.rows += 1
        self._waiting.append(row)
        if len(self._waiting) >= _WRITES:
            self._flush(at)

    def _written(self, row: LoadRow, stored: Stored | None, at: Standpoint, *, touched: bool) -> Written | None:
        """The volume as the row leaves it, None when that changes nothing; `touched`: an attribute changes."""
        said = {name: row.values[index] for index, name in self._columns.fields}
        if stored is None:
            volume = settled_flags(self._new(said, at))
            fault = addition_fault(row.volume, at.volume_filter, at.cap, at.volumes + self._here.added)
            if fault:
                self._faults.add(LoadFault(row.line, f"volume {at.scope}.{row.volume}: {fault}"))
                return None
            self._added += 1
            self._here.added += 1
        else:
            changed = stored.volume._replace(**said)
            kept = CONTAINER if CONTAINER in stored.volume.flags else ""
            volume = settled_flags(changed._replace(flags=changed.flags + kept))
            if volume == stored.volume and not touched:
                return None
            self._changed += 1
        self._version += 1
        return Written(row.volume, self._version, None, self._writing.now, volume, stored)

    @staticmethod
    def _new(said: dict[str, str], at: Standpoint) -> Volume:
        target = said.get("repository", at.default_repository)
        current = said.get("current_repository", target)
        confirmed = said.get("confirmed_repository", current)
        places = {"repository": target, "current_repository": current, "confirmed_repository": confirmed}
        return Volume(**{**said, **places})

    def _flush(self, at: Standpoint) -> None:
        names = [row.volume for row in self._waiting]
        stored = find_volumes(self._connection, at.number, names)
        attributes = self._changed_attributes(at, names)
        written = [
            one
            for row in self._waiting
            if (one := self._written(row, stored.get(row.volume), at, touched=row.volume in attributes)) is not None
        ]
        for one in written:
            said = [one.name, one.version, *one.volume]
            said += [f"{number}={value}" for number, value in sorted(attributes.get(one.name, {}).items())]
            self._here.hashed.update(json.dumps(said).encode())
        write_volumes(self._connection, at.number, written)
        write_attributes(self._connection, at.number, attributes)
        self._waiting.clear()

    def _changed_attributes(self, at: Standpoint, names: Sequence[str]) -> Values:
        """The attributes of the waiting rows that differ from what is stored."""
        if not self._columns.attributes:
            return {}
        stored = find_attributes(self._connection, at.number, names)
        changed: Values = {}
        for row in self._waiting:
            was = stored.get(row.volume, {})
            for index, number in self._columns.attributes:
                if row.values[index] != was.get(number, ""):
                    changed.setdefault(row.volume, {})[number] = row.values[index]
        return changed
