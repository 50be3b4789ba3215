"""A server that real sockets reach: ServerSession in a thread over one scope kept in dictionaries, without a store.

It answers SYNC as protocol.md says (SYNC and PAGE), keeps batches by id, and does what a test has put in `failures`.
"""

from __future__ import annotations

import os
import socket
import threading

import pytest

from mailsync.client.link import connect
from mailsync.core.cursor import Cursor, Page
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Outcome, Result, RowResult
from mailsync.wire import events as seen
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.keys import new_client_key, new_ring, new_token, with_key
from mailsync.wire.messages import Failure
from mailsync.wire.scram import make_verifier
from mailsync.wire.server_session import ServerSession

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
EMPTY_RING = new_ring(bytes(range(32)))
KEY = new_client_key(EMPTY_RING, "site-1", bytes(range(32, 64)))
RING = with_key(EMPTY_RING, KEY)
TOKEN = new_token("filter", bytes(range(64, 96)))


class Table:
    """One scope: rows and tombstones with their versions."""

    def __init__(self):
        self.epoch = b"e" * 16
        self.life = 2**40  # what the ledger's marks tell one history from another by
        self.version = 0
        self.floor = 0
        self.rows = {}
        self.texts = {}  # the version at which a description last changed
        self.gone = {}
        self.repositories = (Repository(RepositoryId("LIBR"), "Library", "Library"), Repository(RepositoryId("OFFS")))
        self.repositories_version = 1

    def put(self, volume, **fields):
        self.version += 1
        held = self.rows.get(volume, (0, dict.fromkeys(FIELD_NAMES, "")))[1]
        if volume not in self.rows or fields.get("description", held["description"]) != held["description"]:
            self.texts[volume] = self.version
        self.rows[volume] = (self.version, held | fields)
        self.gone.pop(volume, None)

    def delete(self, volume):
        self.version += 1
        del self.rows[volume]
        self.gone[volume] = self.version

    def expire(self):
        self.floor = self.version
        self.gone.clear()

    def restore(self):
        """Another life of the store: the same rows, numbered anew."""
        self.epoch = os.urandom(16)
        self.version, self.floor, self.gone = len(self.rows), 0, {}
        for number, volume in enumerate(sorted(self.rows), 1):
            self.rows[volume] = (number, self.rows[volume][1])
            self.texts[volume] = number

    def lose(self, versions):
        """Another history of the same life: a replica that never got the last commits takes over unnoticed."""
        self.life += 2**40
        self.version -= versions

    def page(self, cursor, known, limit):
        newest = max(cursor.since, cursor.snap)
        reset = cursor.epoch != self.epoch or max(newest, cursor.at) > self.version or newest < self.floor
        reset = reset or cursor.mark != self.mark(cursor.at)
        since, snap, done = (0, self.version, 0) if reset else (cursor.since, cursor.snap, cursor.done)
        items = [(version, volume, fields) for volume, (version, fields) in self.rows.items() if version > since]
        items += [(version, volume, None) for volume, version in self.gone.items() if version > max(since, snap)]
        items.sort(key=lambda item: item[0])
        more = len(items) > limit
        items = items[:limit]
        table = reset or known != self.repositories_version
        kept = {volume for _, volume, fields in items if fields is not None and self.texts[volume] <= done}
        said = [
            (volume, *(fields | {"description": ""} if volume in kept else fields).values())
            for _, volume, fields in items
            if fields is not None
        ]
        return Page(
            reset=reset,
            more=more,
            cursor=Cursor(
                self.epoch,
                items[-1][0] if more else self.version,
                snap if more else 0,
                done if more else self.version,
                self.mark(self.version),
                self.version,
            ),
            tombstones=tuple(volume for _, volume, fields in items if fields is None),
            rows=tuple(sorted(said)),
            repositories_version=self.repositories_version,
            repositories=self.repositories if table else None,
            texts_kept=tuple(sorted(kept)),
            entry=self.version,
            ledger=self.mark(self.version) * 4,
        )

    def mark(self, version):
        return (self.life + version).to_bytes(8, "big")

    def everything(self):
        return [(volume, *fields.values()) for volume, (_, fields) in sorted(self.rows.items())]


class Server:
    """Listens on a port of its own. `page_rows` makes pages small; `failures` answers requests, in order."""

    def __init__(self):
        self.tables = {SCOPE: Table()}
        self.table = self.tables[SCOPE]
        self.verifiers = {"filter": make_verifier(TOKEN.secret, b"s" * 16)}
        self.outcomes = {}
        self.page_rows = 8192
        self.failures = []
        self.before_page = []
        self.asked = []
        self.impostor = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def wait(self):
        """Until every connection has ended."""
        for thread in self._threads[1:]:
            thread.join()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.wait()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection):
        session = ServerSession(static=RING.static, random=os.urandom(RANDOM_BYTES))
        with connection:
            try:
                while (data := connection.recv(65536)) and not session.closed:
                    events = session.receive_data(data)
                    while events:
                        for answer in self._answers(session, events[0]):
                            connection.sendall(answer)
                        events = session.next_events()
            except RemoteProtocolError as error:
                connection.sendall(session.refuse(error))
            except (ConnectionError, _Cut):
                return

    def _answers(self, session, event):
        self.asked.append(event)
        match event:
            case seen.KeyAsked(key_id):
                session.accept_key(RING.secrets.get(key_id))
            case seen.LoginAsked(user):
                yield session.offer_login(self.verifiers.get(user))
            case seen.LoginProved():
                session._challenge._proved |= self.impostor  # it does not care for proofs, and cannot give one
                yield session.answer_login()
            case seen.PingAsked(request, payload):
                yield session.send_pong(request, payload)
            case seen.SyncAsked(request, _) | seen.ApplyAsked(request, _, _) if self.failures:
                yield self._fail(session, request, self.failures.pop(0))
            case seen.SyncAsked(request, sync):
                yield from self._pages(session, request, sync)
            case seen.ApplyAsked(request, batch, _):
                yield session.send_outcome(request, self._apply(batch))

    def _fail(self, session, request, how):
        match how:
            case "cut":
                raise _Cut
            case "bye":
                return session.send_bye("closing for the night")
            case "noise":
                return b"\0\x14" + bytes(20)
        return session.send_error(0 if how.code == Code.SHUTTING_DOWN else request, how)

    def _pages(self, session, request, sync):
        table = self.tables.get(sync.scope)
        if table is None:
            yield session.send_error(request, Failure(Code.NO_SUCH_SCOPE, f"there is no scope {sync.scope}"))
            return
        cursor, known = sync.cursor, sync.repositories_version
        for _ in range(sync.pages):
            if self.before_page:
                self.before_page.pop(0)()
            page = table.page(cursor, known, min(sync.rows, self.page_rows))
            cursor, known = page.cursor, page.repositories_version
            yield session.send_page(request, page)
            if not page.more:
                return

    def _apply(self, batch):
        if batch.id in self.outcomes:
            return self.outcomes[batch.id]._replace(replayed=True)
        first = self.table.version + 1
        for operation in batch.operations:
            self.table.put(operation.volume, **dict(zip(operation.fields, operation.values, strict=True)))
        results = tuple(RowResult(Result.OK) for _ in batch.operations)
        self.outcomes[batch.id] = Outcome(batch.id, first, self.table.version, results, entry=1, ledger=b"h" * 32)
        return self.outcomes[batch.id]


class _Cut(Exception):  # noqa: N818 - an event, not an error
    pass


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def dial(server):
    """Opens a link to the server; what is still open at the end is closed then."""
    opened = []

    def start():
        opened.append(connect(server.address, KEY, TOKEN, random=os.urandom))
        return opened[-1]

    yield start
    for link in opened:
        link.close()


@pytest.fixture
def link(dial):
    return dial()


@pytest.fixture(scope="session")
def key():
    return KEY


@pytest.fixture(scope="session")
def token():
    return TOKEN


@pytest.fixture(scope="session")
def scope():
    return SCOPE
