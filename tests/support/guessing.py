"""A flood of wrong passwords: who guesses sends any proof, so a guess costs next to nothing, and waits for no refusal.

From many addresses, each guess from one of its own, every one is challenged and proved. From one address four of a name
are under way at once, and the others wait until they are dropped for those that come behind them; the last ones are
given up.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from typing import NamedTuple

from mailsync.cli.bench_refusals import Guesser
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import ClientKey
from mailsync.wire.passwords import Password

THREADS = 2
# Of one thread at once. The patient ones and what is held back of them, or the impatient ones alone, are more than the
# 64 places that the server has for those who are not yet logged on.
OPEN, OPEN_IN_VAIN = 24, 100
PATIENCE = 60.0
ONE = "127.0.0.2"


class Flood(NamedTuple):
    """Who guesses what: the key they have, whose password, from where, and whether the last ones wait, too."""

    address: str
    key: ClientKey
    user: str
    sources: Iterator[str]
    patient: bool


class Sent(NamedTuple):
    """Guesses made, and those of them that were proved: the others were dropped, or had no place."""

    guesses: int
    proved: int


def from_one() -> Iterator[str]:
    """All from one address."""
    while True:
        yield ONE


def from_many() -> Iterator[str]:
    """Each from an address of its own."""
    for number in count(2**16 + 1):
        yield f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def beside(flood: Flood, guesses: int, act: Callable[[], object]) -> tuple[Sent, int]:
    """Does `act` again and again while so many guesses are made; how many were, and how often it was done."""
    lock, left = threading.Lock(), islice(flood.sources, guesses)

    def sources() -> Iterator[str]:
        while True:
            with lock:
                source = next(left, None)
            if source is None:
                return
            yield source

    times = 0
    with ThreadPoolExecutor(THREADS) as threads:
        flooding = [threads.submit(lambda: Counter(_guess(flood, sources()))) for _ in range(THREADS)]
        while not times or not all(one.done() for one in flooding):
            act()
            times += 1
    counted = sum((one.result() for one in flooding), Counter[bool]())
    return Sent(counted.total(), counted[True]), times


def _guess(flood: Flood, sources: Iterator[str]) -> Iterator[bool]:
    waiting: deque[tuple[Guesser, socket.socket]] = deque()
    host, _, port = flood.address.rpartition(":")
    most = OPEN if flood.patient else OPEN_IN_VAIN
    for source in sources:
        session = Guesser(key=flood.key, token=Password(flood.user, "any"), random=os.urandom(RANDOM_BYTES))
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE, source_address=(source, 0))
        with suppress(ConnectionError):
            connection.sendall(session.start())
        waiting.append((session, connection))
        if len(waiting) == most:
            # Challenged, or dropped: more came behind it than there are places.
            yield _prove(*waiting.popleft(), patient=True)
    while waiting:
        yield _prove(*waiting.popleft(), patient=flood.patient)


def _prove(session: Guesser, connection: socket.socket, *, patient: bool) -> bool:
    """Sends a proof, and hangs up. False when there was nothing to prove yet, or any more."""
    with connection, suppress(ConnectionError, BlockingIOError):
        connection.settimeout(PATIENCE if patient else 0)
        if session.receive_data(connection.recv(2**16)):
            connection.sendall(session.send_auth())
            return True
    return False
