"""`server bench`, the rows: a snapshot beside gzip -9 of fixed rows, a batch beside the bare SQL of it.

The volumes are made by a seeded generator. A fixed row has 300 bytes, and 256 more for the description: what the seed
of this protocol sends, every time. The bare SQL is what no store could do without: as many updates and as many lines of
a history, in one transaction that is as durable.
"""

from __future__ import annotations

import gzip
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import MailsyncError
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.server.access import ADMINISTRATOR, Access
from mailsync.server.sqlite import SqliteStore
from mailsync.server.store import LoadRow, Principal
from mailsync.wire import limits
from mailsync.wire.compression import Method, available, choose, compress
from mailsync.wire.pages import encode_page
from mailsync.wire.scram import make_verifier

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
_WHO = Principal("bench", "bench")
_PLACES = ("LIBR", "OFFS", "RACK")
_REPEATS = 3
_ROW, _DESCRIPTION = 300, 256


class Encoded(NamedTuple):
    """A snapshot as it is sent, and as fixed rows: seconds and bytes of each."""

    seconds: float
    size: int
    fixed_seconds: float
    fixed_size: int


class Applied(NamedTuple):
    """A batch in the store, and its bare SQL: seconds of each."""

    seconds: float
    bare_seconds: float


def fill(store: SqliteStore, count: int) -> None:
    """One scope with so many volumes, described."""
    dice = random.Random(1)  # noqa: S311 - a generator of samples
    store.add_token(_WHO.user, make_verifier(bytes(32), bytes(16)), 1, grants=(("*", Access.WRITE),))
    store.add_scope(SCOPE, repositories=[Repository(RepositoryId(place)) for place in _PLACES])
    rows = (
        LoadRow(
            SCOPE,
            f"A{number:06}L8",
            (dice.choice(_PLACES), f"weekly full of host{dice.randrange(400):03} set {dice.randrange(10**6):06}"),
            number,
        )
        for number in range(count)
    )
    loaded = store.load(("repository", "description"), rows)
    if loaded.faults:
        raise MailsyncError(f"load samples: {loaded.faults[0].text}")


def snapshot(store: SqliteStore) -> Encoded:
    """How long the scope's pages take to encode and compress, once read, and how large they are."""
    pages: list[Page] = []
    while not pages or pages[-1].more:
        cursor = pages[-1].cursor if pages else Cursor()
        pages.append(store.sync(SCOPE, cursor, 0, limits.DEFAULT_PAGE_ROWS, ADMINISTRATOR))
    method = choose(available(), available())
    fixed = _fixed(pages)
    seconds, sizes = _best(lambda: sum(_size(method, page) for page in pages))
    fixed_seconds, fixed_size = _best(lambda: len(gzip.compress(fixed, 9)))
    return Encoded(seconds, sizes, fixed_seconds, fixed_size)


def batch(store: SqliteStore, folder: Path, names: Sequence[str]) -> Applied:
    """How long a batch takes that moves the volumes, and its bare SQL."""
    state = store.scopes(ADMINISTRATOR)[0]
    moves = tuple(
        Operation(Change.UPDATE, name, ("repository",), (_PLACES[number % 3],), 0, number + 1, number + 2)
        for number, name in enumerate(names)
    )
    asked = Batch(
        id=b"bench-0000000001",
        run=b"r" * 32,
        plan=b"p" * 32,
        scope=SCOPE,
        epoch=state.epoch,
        base=state.version,
        source="",
        asof=1,
        sources=(("bench@example.com", "extract.csv"),),
        operations=moves,
    )
    begun = time.perf_counter()
    store.apply(asked, b"h" * 32, _WHO, 1)
    seconds = time.perf_counter() - begun
    return Applied(seconds, _bare(folder / "bare.db", names))


def volume_names(store: SqliteStore) -> list[str]:
    """Every volume, ascending."""
    return [name for name, _ in store.export(SCOPE)]


def _bare(path: Path, names: Sequence[str]) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE volumes (scope INTEGER, volume TEXT, repository TEXT, description TEXT, version INTEGER, "
            "PRIMARY KEY (scope, volume)) WITHOUT ROWID"
        )
        connection.execute("CREATE INDEX by_version ON volumes (scope, version)")
        connection.execute("CREATE TABLE history (volume TEXT, field TEXT, old TEXT, new TEXT, line INTEGER)")
        filled = ((name, "x" * 40, at) for at, name in enumerate(names))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO volumes VALUES (1, ?, 'LIBR', ?, ?)", filled)
        connection.execute("COMMIT")
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE volumes SET repository = 'OFFS', version = ? WHERE scope = 1 AND volume = ?",
            ((len(names) + at, name) for at, name in enumerate(names)),
        )
        connection.executemany(
            "INSERT INTO history VALUES (?, 'repository', 'LIBR', 'OFFS', ?)",
            ((name, at) for at, name in enumerate(names)),
        )
        connection.execute("COMMIT")
        return time.perf_counter() - begun


def _size(method: Method, page: Page) -> int:
    return len(compress(method, encode_page(page))[1])


def _fixed(pages: Sequence[Page]) -> bytes:
    rows = []
    for page in pages:
        for volume, description, *values in page.rows:
            rows.append("|".join((volume, *values)).encode().ljust(_ROW)[:_ROW])
            rows.append(description.encode().ljust(_DESCRIPTION)[:_DESCRIPTION])
    return b"".join(rows)


def _best(act: Callable[[], int]) -> tuple[float, int]:
    found = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        size = act()
        found.append((time.perf_counter() - begun, size))
    return min(found)
