"""How a client's copy of a scope follows the server's: a cursor, and the pages that move it.

Strategy (exactly-once.md section 4): a cursor names a point in the life of a scope. Pages leave in ascending order of
version, and every page's cursor is a resume point. A cursor of another epoch, from the future, below the floor of
forgotten tombstones, or with a mark that the scope's ledger never had is answered with a reset: a snapshot from the
start.

since   rows newer than this are still to come
snap    tombstones up to this mean nothing to a copy whose snapshot began then; 0 once the copy is complete
done    long texts older than this are in the copy already; 0 in a snapshot
mark    what the ledger looked like to the copy: a store that lost commits has another history, and is found out
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.model import Repository

MARK_BYTES = 8


class Cursor(NamedTuple):
    """Up to where a copy follows. `epoch` is 16 bytes, empty before the first page.

    `since` is the version of the last item seen; `snap` the version at which the running snapshot began, 0 when there
    is none; `done` the version at which the copy was last complete, 0 in a snapshot. `mark` is the first 8 bytes of a
    hash that the scope's ledger ended in when the scope was at version `at`, which is when the last page was read; it
    is empty with the epoch.
    """

    epoch: bytes = b""
    since: int = 0
    snap: int = 0
    done: int = 0
    mark: bytes = b""
    at: int = 0


class Page(NamedTuple):
    """One step of a sync: apply `tombstones`, then `rows`, then store `cursor`, all in one transaction.

    `reset` empties the copy first. `more` means that the copy is not complete after this page: `cursor.done` is then
    the one it was asked with (0 after a reset), else `cursor.since`. Rows are (volume, *values of
    fields.VOLUME_FIELDS). The volumes of `texts_kept`, in the order of the rows, have "" for `description` there,
    because it has not changed since `done`: the copy keeps what it has. `repositories` is the scope's whole table, or
    None when the copy's `repositories_version` is still the server's. `ledger` is the hash (32 bytes) that the scope's
    ledger ended in when the page was read, and `entry` how many entries it had: `cursor.mark` is the hash's beginning.
    """

    reset: bool
    more: bool
    cursor: Cursor
    tombstones: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    repositories_version: int
    repositories: tuple[Repository, ...] | None
    texts_kept: tuple[str, ...] = ()
    entry: int = 0
    ledger: bytes = b""

    @property
    def at(self) -> int:
        """The scope's version when the page was read."""
        return self.cursor.at

    @property
    def mark(self) -> bytes:
        """The first 8 bytes of the hash its ledger ended in then."""
        return self.cursor.mark
