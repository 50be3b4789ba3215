"""A whole server end without a disk and without a network: a store of SQLite in memory, and its `Connection`.

The store is the same at every call: a writer, a reader and a user with a password; two scopes they may see and one they
may not; volumes that move, lie in a container, or are locked. Making it from an image costs a fraction of filling it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from first_inputs import KEY, RING, VERIFIER

from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.server import sqlite
from mailsync.server.access import Access
from mailsync.server.account import Peer
from mailsync.server.administration import Cluster
from mailsync.server.admission import Admission, Limits
from mailsync.server.connection import Connection
from mailsync.server.log import Log
from mailsync.server.metrics import Metrics
from mailsync.server.pages import PageCache
from mailsync.server.ring import Entry
from mailsync.server.shared import Shared, Streams
from mailsync.server.sql_store import SqlStore
from mailsync.server.store import LoadRow
from mailsync.server.throttle import Throttle
from mailsync.wire.keys import with_key
from mailsync.wire.passwords import DEFAULT

T = TypeVar("T")
LTO, BOXES, HIDDEN = (
    Scope(CustomerId(one), MediaId(two)) for one, two in (("US01", "LTO"), ("US01", "BOX"), ("GB01", "LTO"))
)
EPOCH = b"E" * 16
WRITER, READER, PERSON = "filter", "reader", "anna"
NOW = 1_795_428_900
_PLACES = tuple(Repository(RepositoryId(name), name) for name in ("LIBR", "OFFS", "RACK"))
_FIELDS = ("repository", "current_repository", "container", "flags", "move_date", "description")
_ROWS = (
    (BOXES, "B1", "OFFS", "OFFS", "", "", "", "a box"),
    (LTO, "A1", "LIBR", "LIBR", "", "", "", "one"),
    (LTO, "A2", "LIBR", "LIBR", "", "", "2031-05-04", "two"),
    (LTO, "A3", "OFFS", "LIBR", "", "W", "", "three"),
    (LTO, "A4", "OFFS", "OFFS", "US01.BOX.B1", "", "", "four"),
    (LTO, "A5", "LIBR", "LIBR", "", "L", "", "five"),
    (LTO, "A6", "LIBR", "LIBR", "", "l", "", "six"),
    (LTO, "A7", "LIBR", "LIBR", "", "", "", "seven"),
    (HIDDEN, "A1", "LIBR", "LIBR", "", "", "", "not for you"),
)


class InMemory(sqlite.SqliteDatabase):
    """A database that is a copy of an image."""

    def __init__(self, image: bytes) -> None:
        self._path = Path("memory")
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if image:
            self._connection.deserialize(image)
        else:
            sqlite._create(self._connection)
            self._connection.execute("UPDATE store SET epoch = ?", (EPOCH,))

    def image(self) -> bytes:
        """The database's bytes."""
        return self._connection.serialize()

    def rows(self, query: str) -> list[tuple]:
        """What a query finds."""
        return self._connection.execute(query).fetchall()


def open_store() -> SqlStore:
    """The store, as new."""
    return SqlStore(InMemory(_image()), by="admin")


@cache
def _image() -> bytes:
    database = InMemory(b"")
    store = SqlStore(database, by="admin")
    for scope in (LTO, BOXES, HIDDEN):
        store.add_scope(scope, repositories=_PLACES, default_repository="LIBR")
    store.add_cluster(Cluster("daily"))
    store.add_token(WRITER, VERIFIER, 1, grants=(("US*", Access.WRITE),))
    store.add_token(READER, VERIFIER, 1, grants=(("US*", Access.READ),))
    store.add_user(PERSON, VERIFIER._replace(kdf=DEFAULT), 1, grants=(("US01", Access.ALTER),))
    loaded = store.load(_FIELDS, [LoadRow(scope, name, values, 1) for scope, name, *values in _ROWS])
    assert not loaded.faults, loaded
    store.delete(LTO, ["A7"])
    return database.image()


class Client(Protocol):
    """A client: called with what the server says, it returns its answer; once it is `over` it says nothing more."""

    over: bool

    def __call__(self, data: bytes) -> bytes:
        """The answer."""
        ...


class Conversation:
    """What one client and the server said to each other."""

    def __init__(self, store: SqlStore) -> None:
        self.log: list[str] = []
        self._loop = _loop()
        self._shared = Shared(
            store,
            PageCache(),
            _Ring(),
            Admission(Limits()),
            Throttle(Limits()),
            Limits(),
            self._loop.create_future(),
            _at_once,
            Log(self.log.append, clock=lambda: NOW),
            Metrics(),
            lambda: NOW,
        )

    def run(self, opening: bytes, client: Client) -> str:
        """How the connection ended, as the log says it."""
        self._loop.run_until_complete(self._converse(opening, client))
        (line,) = (line for line in self.log if " event=connection " in line)
        return line.rpartition("end=")[2]

    async def _converse(self, opening: bytes, client: Client) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(opening)

        async def opened() -> Streams:
            return Streams(reader, _Writer(reader, client))

        await Connection(self._shared, Peer("192.0.2.7", 40_112), opened).run(lambda: None)


async def _at_once(call: Callable[[], T]) -> T:
    return call()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


class _Ring:
    """The key ring, without its file."""

    static = RING.static

    def find(self, key_id: str, _address: str) -> Entry:
        return Entry(with_key(RING, KEY).secrets.get(key_id), RING.static)


class _Writer:
    """A writer whose other end is the client: what it answers is there to be read at once."""

    def __init__(self, reader: asyncio.StreamReader, client: Client) -> None:
        self._reader, self._client, self._over = reader, client, False
        self.transport = self

    def write(self, data: bytes) -> None:
        answer = self._client(data)
        if not self._over:
            self._reader.feed_data(answer)
        if self._client.over and not self._over:
            self._over = True
            self._reader.feed_eof()

    async def drain(self) -> None:
        await asyncio.sleep(0)

    async def wait_closed(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 1  # so that it is waited for, and the reader has its turn

    def is_closing(self) -> bool:
        return self._over

    def close(self) -> None:
        pass

    abort = close
