"""Containers after a load: each that a row names must be there, and gets flag B; none is in itself, however deep.

A load puts its rows in place first, because a container may come behind what it holds, in another scope too. Then
each container that the rows name is followed upwards.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.server.database import Connection
from mailsync.server.rules import CONTAINER, Barcode, parse_barcode, settled_flags
from mailsync.server.sql_chain import Said, Writing, append
from mailsync.server.sql_contents import MOST_DEEP
from mailsync.server.sql_scope import (
    Stored,
    Written,
    find_scope,
    find_volumes,
    has_scope,
    lock_scope,
    set_version,
    write_volumes,
)
from mailsync.server.store import LoadFault

_HOLDERS = """
    SELECT m.customer, m.id, v.volume FROM volumes AS v JOIN media AS m ON m.number = v.media
    WHERE v.container = ? AND v.container <> '' AND EXISTS (
        SELECT 1 FROM volumes AS h
        WHERE h.container <> '' AND h.container = m.customer || '.' || m.id || '.' || v.volume)
"""
_NAMED = "SELECT container, min(line) FROM incoming WHERE container <> '' GROUP BY container ORDER BY container"


def settle_containers(connection: Connection, writing: Writing) -> Iterator[LoadFault]:
    """Gives flag B to the containers that the spooled rows name; what is wrong with them, by line."""
    marked: list[Barcode] = []
    for text, line in connection.execute(_NAMED).fetchall():
        place = parse_barcode(text)
        stored = _find(connection, place) if place else None
        if place is None or stored is None:
            yield LoadFault(line, f'container: volume "{text}" is unknown')
            continue
        fault = _nesting_fault(connection, place, stored)
        if fault:
            yield LoadFault(line, fault)
        elif CONTAINER not in stored.volume.flags:
            marked.append(place)
    for place in sorted(marked):
        _mark(connection, place, writing)


def _nesting_fault(connection: Connection, place: Barcode, stored: Stored) -> str:
    above = 1
    volume = stored.volume
    while volume.container:
        holder = parse_barcode(volume.container)
        found = _find(connection, holder) if holder else None
        if holder is None or found is None:
            break
        if holder == place:
            return f"container: {place} would be in itself"
        volume = found.volume
        above += 1
        if above > MOST_DEEP:
            break
    if above + _containers_below(connection, place) > MOST_DEEP:
        return f"container: more than {MOST_DEEP} containers would stand in each other"
    return ""


def _containers_below(connection: Connection, place: Barcode) -> int:
    """How many containers stand in each other inside of one."""
    count, found = 0, [str(place)]
    while count <= MOST_DEEP:
        rows = [row for one in found for row in connection.execute(_HOLDERS, (one,)).fetchall()]
        if not rows:
            break
        count, found = count + 1, [".".join(row) for row in rows]
    return count


def _find(connection: Connection, place: Barcode) -> Stored | None:
    if not has_scope(connection, place.scope):
        return None
    number = find_scope(connection, place.scope).number
    return find_volumes(connection, number, (place.volume,)).get(place.volume)


def _mark(connection: Connection, place: Barcode, writing: Writing) -> None:
    at = lock_scope(connection, place.scope)
    stored = find_volumes(connection, at.number, (place.volume,))[place.volume]
    volume = settled_flags(stored.volume._replace(flags=stored.volume.flags + CONTAINER))
    version = at.version + 1
    write_volumes(connection, at.number, [Written(place.volume, version, None, writing.now, volume, stored)])
    set_version(connection, at.number, version)
    append(connection, at, writing, Said("container", {"volume": place.volume}), version=version)
