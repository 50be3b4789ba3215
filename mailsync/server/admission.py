"""Who may come in: the caps on connections, and the memory that drops a replayed handshake (server.md, Limits).

connections open                 500   the next one is refused
not yet logged in                 64   one of them is dropped for the next one
not yet logged in, one address     8   the next one waits, within its own ten seconds, until one of them is done
client ephemerals remembered  65,536   a repeated one is dropped without a word

Dropped is who was refused and is not told yet, else the oldest of the address that has most of them: a flood of
half-open connections, or of wrong logins, costs the flood its places and nobody else more than a wait. Only the
ephemerals of clients that proved their key are remembered: nobody else can wash the memory out.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv6Network
from typing import NamedTuple

Drop = Callable[[], object]  # ends a connection at once; it is also its name here
_REFUSED = "refused"  # in the place of a network


class Limits(NamedTuple):
    """The limits of a listener; times in seconds, sizes in bytes."""

    login: float = 10.0  # handshake and login together
    frame: float = 30.0  # without a byte in the middle of a message
    ping: float = 30.0  # without a byte between messages, until the client is asked whether it is there
    idle: float = 120.0  # without a byte between messages
    request: float = 60.0  # until the store answers
    stall: float = 60.0  # until what was written is taken
    finish: float = 20.0  # for the requests in hand at the end
    connections: int = 500
    newcomers: int = 64
    per_address: int = 8
    ephemerals: int = 65_536
    drain: int = 2**20  # written and not yet taken
    guesses: int = 4  # logins of one triple under way, where they are throttled
    hold: float = 1.0  # the first failing answer is held back so long, each further one twice as long
    hold_most: float = 60.0
    forget: float = 900.0  # failures, after the last one
    throttled: frozenset[str] = frozenset({"password"})  # logins that can be guessed


class Admission:
    """The connections there are, and what is known of those not yet logged in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open = 0
        self._newcomers: dict[Drop, str] = {}  # the oldest first, and the network of each
        self._dropped: set[Drop] = set()  # on their way out: their places are others' already
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()
        self._ephemerals: OrderedDict[bytes, None] = OrderedDict()

    def enter(self, drop: Drop, network: str) -> bool:
        """Takes a connection in, False when there are too many; may call the `drop` of another newcomer."""
        if self._open >= self._limits.connections:
            return False
        self._open += 1
        if len(self._newcomers) >= self._limits.newcomers:
            dropped = self._next_to_drop()
            del self._newcomers[dropped]
            self._open -= 1
            self._dropped.add(dropped)
            dropped()
        self._newcomers[drop] = network
        return True

    def refused(self, drop: Drop) -> None:
        """Notes that a newcomer's login failed: it keeps its place only while nobody else needs one."""
        if drop in self._newcomers:
            self._newcomers[drop] = _REFUSED

    def leave(self, drop: Drop) -> None:
        """Lets a connection that entered go."""
        if drop in self._dropped:
            self._dropped.remove(drop)
        else:
            self._open -= 1
        self._newcomers.pop(drop, None)

    @asynccontextmanager
    async def login(self, drop: Drop, network: str) -> AsyncIterator[None]:
        """The time in which a connection logs in: it begins when its network has a turn free, and ends in a login."""
        self._waiting[network] += 1
        turn = self._turns.setdefault(network, asyncio.Semaphore(self._limits.per_address))
        try:
            async with turn:
                yield
            self._newcomers.pop(drop, None)
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network], self._turns[network]

    def _next_to_drop(self) -> Drop:
        crowds = Counter(self._newcomers.values())

        def weight(drop: Drop) -> tuple[bool, int]:
            network = self._newcomers[drop]
            return network == _REFUSED, crowds[network]

        return max(self._newcomers, key=weight)  # the oldest of equals

    def is_repeated(self, ephemeral: bytes) -> bool:
        """True when a client that proved its key used the ephemeral before."""
        return ephemeral in self._ephemerals

    def remember(self, ephemeral: bytes) -> None:
        """Notes the ephemeral of a client that proved its key."""
        self._ephemerals[ephemeral] = None
        if len(self._ephemerals) > self._limits.ephemerals:
            self._ephemerals.popitem(last=False)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, of which a host has them all."""
    if ":" not in address:
        return address
    return str(IPv6Network((address.partition("%")[0], 64), strict=False))
