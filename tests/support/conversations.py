"""Short conversations (connect, shake hands, log on, SYNC, APPLY one batch, BYE) behind a bad network.

Whatever a fault did, three things must hold afterwards, and each is looked at after each conversation: the client said
what is true, the same batch over a clean line ends in exactly one effect, and the copy is what the store has. Several
talk at once, each with a proxy and a scope of its own, because a fault that nobody is told of costs a wait.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bad_network import CUTS, DOWN, UP, Fault, Kind, Network, Passed
from listening import KEY, PATIENCE, RING, TOKEN, Served

from mailsync.client.cache import Cache
from mailsync.client.link import connect
from mailsync.core.cursor import Cursor
from mailsync.core.errors import ForeignProtocolError, MailsyncError, RefusedError, TemporaryError
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result
from mailsync.server.access import Access
from mailsync.server.admission import Limits
from mailsync.server.ring import RingFile
from mailsync.server.store import LoadRow
from mailsync.server.stores import open_url
from mailsync.wire.batches import encode_apply
from mailsync.wire.keys import format_ring, with_key
from mailsync.wire.scram import make_verifier

TOGETHER = 8
SILENCE = 0.3  # seconds after which a client gives up where nobody may ever tell it
PLACES = ("LIBR", "OFFS")
CHANGING = frozenset({Kind.DROP, Kind.DUPLICATE, Kind.SWAP})
OTHERS = tuple(kind for kind in Kind if kind not in CUTS)
SILENT = CHANGING | {Kind.STALL}
LIMITS = Limits(per_address=8 * TOGETHER, login=PATIENCE)


class Told(Counter[str]):
    """How conversations ended: `done`, or the name of the error; `unacknowledged` are those the server had applied."""


def hold_all(folder: Path, choose: Callable[[Passed], Sequence[Fault]]) -> Told:
    """Holds a conversation with each fault chosen, against a new server; how they ended.

    `choose` gets what passes when nothing is wrong. AssertionError when something does not hold.
    """
    ring = folder / "ring"
    ring.write_text(format_ring(with_key(RING, KEY)))
    ring.chmod(0o600)
    scopes = [Scope(CustomerId(f"T{number}"), MediaId("LTO")) for number in range(TOGETHER + 1)]
    with open_url(f"sqlite:{folder / 'server.db'}") as store:
        store.add_token(TOKEN.user, make_verifier(TOKEN.secret, b"s" * 16), 1, grants=(("*", Access.WRITE),))
        for scope in scopes:
            repositories = tuple(Repository(RepositoryId(name), name) for name in PLACES)
            store.add_scope(scope, repositories=repositories, default_repository=PLACES[0])
            store.load(("repository",), [LoadRow(scope, f"A{number}", PLACES[:1], 0) for number in range(3)])
        served = Served(store, RingFile(ring), LIMITS)
        try:
            found = _hold_each(served, folder, scopes[0], ())
            chosen = choose(found.plain)
            told, connections = Told(), found.connections
            with ThreadPoolExecutor(TOGETHER) as pool:
                parts = [
                    pool.submit(_hold_each, served, folder, scope, chosen[at::TOGETHER])
                    for at, scope in enumerate(scopes[1:])
                ]
            for part in parts:
                told.update(part.result().told)
                connections += part.result().connections
        finally:
            served.stop()
        assert len(served.ends()) == connections, "each connection has one line in the log"
        assert not {"internal", "unfinished"} & set(served.ends())
        assert not [line for line in served.log if "event=fault" in line]
    return told


def every_cut(direction: str) -> Callable[[Passed], Sequence[Fault]]:
    """A cut at every byte of a direction: the end and a reset in turn."""
    return lambda plain: [Fault(CUTS[at % 2], direction, at) for at in range(plain.count(direction))]


def at_edges(plain: Passed) -> Sequence[Fault]:
    """The other faults where messages begin and end and a byte beside that, and at 60 bytes chosen by a seed."""
    dice = random.Random(7)
    found = []
    for way in (UP, DOWN):
        near = {edge + by for edge in plain.edges(way) for by in (-1, 0, 1)}
        near |= set(dice.sample(range(plain.count(way)), 30))
        found += [Fault(kind, way, at) for at in sorted(near) if 0 <= at < plain.count(way) for kind in OTHERS]
    return found


def everything(plain: Passed) -> Sequence[Fault]:
    """Every fault at every byte of both directions."""
    return [Fault(kind, way, at) for way in (UP, DOWN) for at in range(plain.count(way)) for kind in Kind]


class _Held(NamedTuple):
    told: Told
    plain: Passed
    connections: int


def _hold_each(served: Served, folder: Path, scope: Scope, faults: Sequence[Fault]) -> _Held:
    """Conversations about one scope, all in the thread that calls this."""
    talk = Talk(served, folder, scope)
    try:
        plain, told = talk.plain(), Told()
        for fault in faults:
            told.update(talk.hold(fault))
        talk.check_store()
    finally:
        connections = talk.close()
    return _Held(told, plain, connections)


class Talk:
    """Conversations of one client about one scope, one after the other, and a clean line beside them."""

    def __init__(self, served: Served, folder: Path, scope: Scope) -> None:
        self._network = Network(served.address)
        self._scope = scope
        self._clean = served.link()
        self._copy = Cache.open(folder / "cache", str(scope))
        (page,) = self._clean.sync(scope, Cursor(), 0)
        self._epoch, self._version = page.cursor.epoch, page.cursor.since
        self._number = 0
        self._unproved = {UP: 0, DOWN: 0}  # bytes of each direction before both ends have proved the key
        first = self._clean.apply(self._batch())
        self._version, self._entry = first.last, first.entry

    def close(self) -> int:
        """Ends it all; how many connections there were."""
        self._clean.close()
        self._copy.close()
        self._network.close()
        return len(self._network.passed) + 1

    def plain(self) -> Passed:
        """What passes when nothing is wrong."""
        assert self.hold(None) == ["done"]
        passed = self._network.passed[-1]
        assert passed.round_trips == 4  # TCP, handshake, login with SYNC, APPLY
        self._unproved = {way: passed.edges(way)[1] for way in (UP, DOWN)}
        return passed

    def hold(self, fault: Fault | None) -> list[str]:
        """One conversation: how it ended, once all that must hold was seen to hold."""
        body = self._batch()
        self._network.fault = fault
        outcome: Outcome | None = None
        try:
            outcome, ended = self._converse(fault, body), "done"
        except MailsyncError as error:
            ended = type(error).__name__
            self._check_error(fault, error)
        self._network.wait()
        again = self._clean.apply(body)
        assert [row.result for row in again.results] == [Result.OK], (fault, again)
        assert (again.first, again.last, again.entry) == (self._version + 1, self._version + 1, self._entry + 1), fault
        if outcome is not None:
            assert again == outcome._replace(replayed=True), (fault, outcome, again)
        self._version, self._entry = again.last, again.entry
        self._check_copy(fault)
        return [ended, "unacknowledged"] if outcome is None and again.replayed else [ended]

    def _batch(self) -> bytes:
        """The next batch, which sends a volume to where it is not."""
        self._number += 1
        name = f"{self._scope}/{self._number}".encode()
        move = Operation(Change.UPDATE, "A1", ("repository",), (self._place,), 0, 1, 2)
        batch = Batch(
            id=name.ljust(16, b"-"),
            run=name.ljust(32, b"-"),
            plan=b"p" * 32,
            scope=self._scope,
            epoch=self._epoch,
            base=self._version,
            source="",
            asof=100,
            sources=(("<report@example.com>", "a.csv"),),
            operations=(move,),
        )
        return encode_apply(batch)

    @property
    def _place(self) -> str:
        return PLACES[self._number % 2]

    def _converse(self, fault: Fault | None, body: bytes) -> Outcome:
        seconds = SILENCE if fault is not None and fault.kind in SILENT else PATIENCE
        address = self._network.address
        with connect(address, KEY, TOKEN, random=os.urandom, deadline_seconds=seconds) as link:
            self._copy.refresh(link, self._scope).close()
            return link.apply(body)

    def _check_error(self, fault: Fault | None, error: MailsyncError) -> None:
        assert fault is not None, error
        assert fault.kind is not Kind.HOLD, (fault, error)
        # Before both ends have proved the key, nothing tells a changed byte from a wrong key or another protocol.
        unproved = fault.kind in CHANGING and fault.at < self._unproved[fault.direction]
        allowed = (TemporaryError, RefusedError, ForeignProtocolError) if unproved else (TemporaryError,)
        assert isinstance(error, allowed), (fault, error)

    def check_store(self) -> None:
        """The copy is what the store has, version included, and so is every batch once."""
        copy = self._copy.snapshot(self._scope)
        assert copy is not None
        (page,) = self._clean.sync(self._scope, Cursor(), 0)
        assert sorted(copy.rows(FIELD_NAMES)) == sorted(page.rows)
        assert (copy.version, page.cursor.since) == (self._version, self._version)
        copy.close()

    def _check_copy(self, fault: Fault | None) -> None:
        snapshot = self._copy.refresh(self._clean, self._scope)
        places = dict(snapshot.rows(("repository",)))
        snapshot.close()
        assert places == {"A0": PLACES[0], "A1": self._place, "A2": PLACES[0]}, fault
