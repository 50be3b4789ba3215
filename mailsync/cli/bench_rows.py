"""`server bench`, the rows: a snapshot beside gzip -9 of fixed rows, a batch beside the bare SQL of it.

The volumes are made by a seeded generator. A fixed row has 300 bytes, and 256 more for the description: what the seed
of this protocol sends, every time. The bare SQL is what a store of these tables cannot do without: in one transaction,
as many volumes looked up, as many updates, and a line of the history for each, of another scope of the same store.
"""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import MailsyncError
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.server.access import ADMINISTRATOR, Access, Principal
from mailsync.server.database import Connection
from mailsync.server.sql_store import SqlStore
from mailsync.server.store import LoadRow
from mailsync.server.stores import open_database
from mailsync.wire import limits
from mailsync.wire.compression import Method, available, choose, compress
from mailsync.wire.pages import encode_page
from mailsync.wire.scram import make_verifier

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
_BARE = Scope(CustomerId("US01"), MediaId("BARE"))
_WHO = Principal("bench", "bench", 1)
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


def fill(store: SqlStore, count: int) -> None:
    """One scope with so many volumes, described."""
    store.add_token(_WHO.user, make_verifier(bytes(32), bytes(16)), _WHO.created, grants=(("*", Access.WRITE),))
    _load(store, SCOPE, count)


def _load(store: SqlStore, scope: Scope, count: int) -> None:
    dice = random.Random(1)  # noqa: S311 - a generator of samples
    store.add_scope(scope, repositories=[Repository(RepositoryId(place)) for place in _PLACES])
    rows = (
        LoadRow(
            scope,
            f"A{number:06}L8",
            (dice.choice(_PLACES), f"weekly full of host{dice.randrange(400):03} set {dice.randrange(10**6):06}"),
            number,
        )
        for number in range(count)
    )
    loaded = store.load(("repository", "description"), rows)
    if loaded.faults:
        raise MailsyncError(f"load samples: {loaded.faults[0].text}")


def snapshot(store: SqlStore) -> Encoded:
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


def batch(store: SqlStore, url: str, names: Sequence[str]) -> Applied:
    """How long a batch takes that moves each volume, and its bare SQL: the least of several, in turn."""
    _load(store, _BARE, len(names))
    _applied(store, 0, names)  # from here on each batch moves all of them
    found = []
    with closing(open_database(url)) as database:
        for number in range(1, _REPEATS + 1):
            seconds = _applied(store, number, names)
            begun = time.perf_counter()
            database.write(partial(_write_bare, number=number, names=names))
            found.append((seconds, time.perf_counter() - begun))
    return Applied(*(min(seconds) for seconds in zip(*found, strict=True)))


def _applied(store: SqlStore, number: int, names: Sequence[str]) -> float:
    state = next(one for one in store.scopes(ADMINISTRATOR) if one.scope == SCOPE)
    place = _PLACES[number % 3]
    moves = tuple(
        Operation(Change.UPDATE, name, ("repository",), (place,), 0, line, line + 1)
        for line, name in enumerate(names, 1)
    )
    asked = Batch(
        id=b"bench-%010d" % number,
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
    return time.perf_counter() - begun


def volume_names(store: SqlStore) -> list[str]:
    """Every volume, ascending."""
    return [name for name, _ in store.export(SCOPE)]


def _write_bare(connection: Connection, *, number: int, names: Sequence[str]) -> None:
    query = "SELECT m.number, m.version, max(b.number) FROM media AS m, batches AS b WHERE m.id = ? GROUP BY 1, 2"
    ((media, version, batch),) = connection.execute(query, (_BARE.media,)).fetchall()
    query = f"SELECT volume, version, {', '.join(FIELD_NAMES)} FROM volumes WHERE media = ? AND volume"  # noqa: S608 - our own field names
    found = {row[0]: row for row in connection.each_key(query, (media,), names)}
    version += number * len(names)
    connection.executemany(
        "UPDATE volumes SET repository = ?, version = ? WHERE media = ? AND volume = ?",
        [(_PLACES[number % 3], version + at, media, name) for at, name in enumerate(names, 1)],
    )
    connection.executemany(
        "INSERT INTO changes (batch, number, position, media, volume, field, version, before, after, source, row, "
        "line) VALUES (?, ?, ?, ?, ?, 'repository', ?, ?, ?, 0, ?, ?)",
        [
            (batch, 10**6 + at, at, media, name, version + at, found[name][3], _PLACES[number % 3], at, at)
            for at, name in enumerate(names, 1)
        ],
    )


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
