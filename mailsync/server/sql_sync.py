"""One page of a sync (protocol.md section 8, exactly-once.md section 4).

reset        when the epoch is another, the cursor is ahead of the scope, or max(since, snap) is below the floor;
             then since = 0 and snap = the scope's version
rows         with version > since
tombstones   with version > max(since, snap): older ones mean nothing to a copy that began after them
both         in one ascending order of version, which is unique in the scope, and both count towards the limit
to           the version of the last item while there is more, else the scope's version
"""

from __future__ import annotations

from mailsync.core.cursor import Cursor, Page
from mailsync.server.database import Connection
from mailsync.server.sql_scope import COLUMNS, Standpoint, find_repositories

_ROWS = f"SELECT version, volume, {COLUMNS} FROM volumes WHERE media = ? AND version > ? ORDER BY version LIMIT ?"  # noqa: S608 - our own field names
_TOMBSTONES = "SELECT version, volume FROM tombstones WHERE media = ? AND version > ? ORDER BY version LIMIT ?"


def read_page(connection: Connection, at: Standpoint, cursor: Cursor, repositories_version: int, limit: int) -> Page:
    """The page that follows the cursor, read in the caller's transaction."""
    reset = (
        cursor.epoch != at.epoch
        or max(cursor.since, cursor.snap) > at.version
        or max(cursor.since, cursor.snap) < at.floor
    )
    since, snap = (0, at.version) if reset else (cursor.since, cursor.snap)
    # One more than fits, to know whether there is more.
    rows = connection.execute(_ROWS, (at.number, since, limit + 1)).fetchall()
    gone = connection.execute(_TOMBSTONES, (at.number, max(since, snap), limit + 1)).fetchall()
    versions = sorted([row[0] for row in rows] + [row[0] for row in gone])
    more = len(versions) > limit
    to = versions[limit - 1] if more else at.version
    # A copy that starts over has no repositories either, whatever version it names: that was another life's.
    known = repositories_version == at.repositories_version and not reset
    return Page(
        reset=reset,
        more=more,
        cursor=Cursor(at.epoch, to, snap if more else 0),
        tombstones=tuple(sorted(name for version, name in gone if version <= to)),
        rows=tuple(sorted(row[1:] for row in rows if row[0] <= to)),
        repositories_version=at.repositories_version,
        repositories=None if known else find_repositories(connection, at.number),
    )
