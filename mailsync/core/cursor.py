"""How a client's copy of a scope follows the server's: a cursor, and the pages that move it.

Strategy (exactly-once.md section 4): `{epoch, since, snap}` names a point in the life of a scope. Pages leave in
ascending order of version, every page's cursor is a resume point, and a cursor of another epoch, from the future or
below the floor of forgotten tombstones is answered with a reset: a snapshot from the start.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.model import Repository


class Cursor(NamedTuple):
    """Up to where a copy follows. `epoch` is 16 bytes, empty before the first page.

    `since` is the version of the last item seen. `snap` is the version at which the running snapshot began, 0 when
    the copy was complete: tombstones up to it mean nothing to this copy.
    """

    epoch: bytes = b""
    since: int = 0
    snap: int = 0


class Page(NamedTuple):
    """One step of a sync: apply `tombstones`, then `rows`, then store `cursor`, all in one transaction.

    `reset` empties the copy first. `more` means that the copy is not complete after this page. Rows are
    (volume, *values of fields.VOLUME_FIELDS). `repositories` is the scope's whole table, or None when the copy's
    `repositories_version` is still the server's.
    """

    reset: bool
    more: bool
    cursor: Cursor
    tombstones: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    repositories_version: int
    repositories: tuple[Repository, ...] | None
