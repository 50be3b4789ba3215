"""How a server answers, asked without logging on: what `mailsync ping` tells of the way, the key and the distance."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from mailsync.client.failures import HungUpError, foreign
from mailsync.client.line import Line
from mailsync.client.link import DEADLINE_SECONDS, Link
from mailsync.client.way import DIRECT, Way
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import ClientKey


class PingResult(NamedTuple):
    """How a server answered: seconds for TCP, for the handshake, and for each round trip; compression and version."""

    connect: float
    handshake: float
    round_trips: tuple[float, ...]
    compress: str
    version: int


def ping(  # noqa: PLR0913 - an address, a secret and the world
    address: str,
    key: ClientKey,
    *,
    random: Callable[[int], bytes],
    deadline_seconds: float = DEADLINE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    way: Way = DIRECT,
) -> PingResult:
    """How the server answers a client that holds the key: TCP, handshake and two PINGs, without logging on.

    Raises UnreachableError, RefusedError (the key), or ForeignProtocolError also when it hangs up without a word.
    """
    begun = clock()
    line = Line(address, deadline_seconds, clock, way)
    reached = clock()
    with Link(line, ClientSession(key=key, token=None, random=random(RANDOM_BYTES))) as link:
        try:
            connected = link.greet()
        except HungUpError as error:
            raise foreign(address) from error
        greeted = clock()
        trips = tuple(link.ping() for _ in range(2))
        return PingResult(reached - begun, greeted - reached, trips, connected.compress, connected.version)
