"""One page of a sync (protocol.md, SYNC and PAGE; exactly-once.md section 4).

reset        when the epoch is another, the cursor is ahead of the scope, max(since, snap) is below the floor, or the
             ledger never had the cursor's mark at its version `at` (a store that lost commits); then since = done = 0
             and snap = the scope's version
rows         with version > since; the description only where it changed after `done`
tombstones   with version > max(since, snap): older ones mean nothing to a copy that began after them
both         in one ascending order of version, which is unique in the scope, and both count towards the limit
to           the version of the last item while there is more, else the scope's version
"""

from __future__ import annotations

from mailsync.core.cursor import MARK_BYTES, Cursor, Page
from mailsync.core.fields import FIELD_NAMES
from mailsync.server.chain import GENESIS
from mailsync.server.database import Connection, Row
from mailsync.server.sql_scope import COLUMNS, Standpoint, find_repositories
from mailsync.server.store import Footing

_ROWS = f"SELECT version, text_version, volume, {COLUMNS} FROM volumes WHERE media = ? AND version > ? ORDER BY version LIMIT ?"  # noqa: S608, E501 - our own field names
_TOMBSTONES = "SELECT version, volume FROM tombstones WHERE media = ? AND version > ? ORDER BY version LIMIT ?"
_MARK = "SELECT 1 FROM ledger WHERE media = ? AND version = ? AND hash BETWEEN ? AND ?"
_TEXT = 3 + FIELD_NAMES.index("description")


def read_page(connection: Connection, at: Standpoint, cursor: Cursor, repositories_version: int, limit: int) -> Page:
    """The page that follows the cursor, read in the caller's transaction."""
    reset = _must_reset(connection, at, cursor)
    since, snap, done = (0, at.version, 0) if reset else (cursor.since, cursor.snap, cursor.done)
    # One more than fits, to know whether there is more.
    rows = connection.execute(_ROWS, (at.number, since, limit + 1)).fetchall()
    gone = connection.execute(_TOMBSTONES, (at.number, max(since, snap), limit + 1)).fetchall()
    versions = sorted([row[0] for row in rows] + [row[0] for row in gone])
    more = len(versions) > limit
    to = versions[limit - 1] if more else at.version
    # A copy that starts over has no repositories either, whatever version it names: that was another life's.
    known = repositories_version == at.repositories_version and not reset
    sent = sorted((row for row in rows if row[0] <= to), key=lambda row: row[2])
    return Page(
        reset=reset,
        more=more,
        cursor=Cursor(at.epoch, to, snap if more else 0, done if more else to, at.head[:MARK_BYTES], at.version),
        tombstones=tuple(sorted(name for version, name in gone if version <= to)),
        rows=tuple(_row(row, done) for row in sent),
        repositories_version=at.repositories_version,
        repositories=None if known else find_repositories(connection, at.number),
        texts_kept=tuple(row[2] for row in sent if row[1] <= done),
        entry=at.entry,
        ledger=at.head,
    )


def find_footing(connection: Connection, at: Standpoint, cursor: Cursor) -> Footing:
    """Whether a copy may go on from the cursor, and where the scope stands."""
    mark = at.head[:MARK_BYTES]
    return Footing(_must_reset(connection, at, cursor), at.epoch, at.version, at.floor, mark, at.repositories_version)


def _must_reset(connection: Connection, at: Standpoint, cursor: Cursor) -> bool:
    place = max(cursor.since, cursor.snap)
    if cursor.epoch != at.epoch or not at.floor <= place <= at.version or not place <= cursor.at <= at.version:
        return True
    if not cursor.at and cursor.mark == GENESIS[:MARK_BYTES]:
        return False
    if len(cursor.mark) != MARK_BYTES:
        return True
    # Reports that change nothing add entries at the same version: the index has the hash, too.
    rest = len(GENESIS) - MARK_BYTES
    ends = (cursor.mark + bytes(rest), cursor.mark + b"\xff" * rest)
    return connection.execute(_MARK, (at.number, cursor.at, *ends)).fetchone() is None


def _row(row: Row, done: int) -> tuple[str, ...]:
    values = row[2:]
    return values if row[1] > done else (*values[: _TEXT - 2], "", *values[_TEXT - 1 :])
