"""`server bench`, the refusals: whether how long one takes tells which kind it is.

Measured is the server's own work: from a hello to the challenge, and from a proof to the refusal, by the session, the
service and the store in the order in which a connection calls them. Sockets, and the time for which a refusal is held
back, are left out: the store's knowledge is in neither, and whoever listens in the network has their noise on top.

Each kind stands beside the first of its group, whose name or address a client sends alike. The kinds take turns in an
order that is drawn anew each time, so what the machine does meanwhile meets them all. What can be told is in the share
of pairs in which one is slower than the other: 0.5 is nothing. How far from it chance alone goes is read from the
first kind itself, cut into halves.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailsync.core.errors import MailsyncError
from mailsync.server import service
from mailsync.server.store import Store
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import ClientKey, Token, new_client_key, new_ring
from mailsync.wire.passwords import DEFAULT, MD5, SALTED_BYTES, Password
from mailsync.wire.scram import SALT_BYTES, TOKEN_BYTES, Verifier, make_verifier
from mailsync.wire.server_session import ServerSession

Clock = Callable[[], int]  # nanoseconds
_HALVINGS = 100
_WARM = 10  # attempts of each kind that are not counted
_MAIL = "@example.com"


class Told(NamedTuple):
    """The share of pairs in which one kind is slower than another, and how far from 0.5 one kind's own halves are."""

    slower: float
    chance: float


class Spread(NamedTuple):
    """How microseconds are spread; `most` is what 95 in 100 keep within."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float


class Refusals(NamedTuple):
    """One kind: how long it takes, and what tells it from the one it stands beside (empty: it is the first)."""

    name: str
    times: int
    microseconds: Spread
    beside: str = ""
    challenge: Told | None = None
    refusal: Told | None = None


class Taken(NamedTuple):
    """Nanoseconds of each attempt, until the challenge and from the proof on."""

    challenge: list[int]
    refusal: list[int]


class Guesser(ClientSession):
    """A client that sends any proof: what a password would have to go through costs it nothing."""

    def _salt(self, _: Token | Password, __: bytes) -> bytes:
        return os.urandom(SALTED_BYTES)


def prepare(store: Store) -> tuple[tuple[tuple[str, Token | Password], ...], ...]:
    """Lets some log on, and some no more; returns the groups of kinds to try, by name, names being equally long."""
    secret = os.urandom(TOKEN_BYTES)
    for user in ("keeper", "ceased"):
        store.add_token(user, make_verifier(secret, os.urandom(SALT_BYTES)), 1)
    store.revoke_token("ceased", 2)
    for user, kdf in (("person", DEFAULT), ("leaver", DEFAULT), ("digest", DEFAULT._replace(prehash=MD5))):
        # No password leads to it, and none is needed.
        verifier = Verifier(os.urandom(SALT_BYTES), os.urandom(32), os.urandom(32), kdf)
        store.add_user(user, verifier, 1, email=user + _MAIL, upgrade_by=2**40 if kdf.prehash == MD5 else 0)
    store.revoke_user("leaver", 2)
    users = (("wrong password", "person"), ("unknown person", "nobody"), ("revoked person", "leaver"))
    people = (*users, ("wrong password of an imported MD5", "digest"))
    return (
        (
            ("wrong token", Token("keeper", os.urandom(TOKEN_BYTES))),
            ("unknown user", Token("nobody", secret)),
            ("revoked token", Token("ceased", secret)),
        ),
        tuple((name, Password(user, "any")) for name, user in people),
        tuple((f"{name}, by e-mail", Password(user + _MAIL, "any")) for name, user in people),
    )


def refusals(store: Store, times: int, seconds: float, clock: Clock) -> list[Refusals]:
    """Each kind's distribution, of at most so many attempts each within these seconds."""
    groups = prepare(store)
    found = measure(store, [login for group in groups for _, login in group], times, seconds, clock)
    told: list[Refusals] = []
    for group in groups:
        first = found[len(told)]
        for name, _ in group:
            taken = found[len(told)]
            one = Refusals(name, len(taken.challenge), _spread(taken))
            if taken is not first:
                one = one._replace(
                    beside=group[0][0],
                    challenge=compare(first.challenge, taken.challenge),
                    refusal=compare(first.refusal, taken.refusal),
                )
            told.append(one)
    return told


def measure(store: Store, logins: Sequence[Token | Password], times: int, seconds: float, clock: Clock) -> list[Taken]:
    """What each login takes, at each attempt."""
    ring = new_ring(os.urandom(32))
    key = new_client_key(ring, "bench", os.urandom(32))
    found = [Taken([], []) for _ in logins]
    until = time.monotonic() + seconds
    for attempt in range(_WARM + times):
        if attempt >= _WARM + 2 and time.monotonic() > until:
            break
        for number in random.sample(range(len(logins)), len(logins)):
            took = _refused(store, key, ring.static, logins[number], clock)
            if attempt >= _WARM:
                for one, nanoseconds in zip(found[number], took, strict=True):
                    one.append(nanoseconds)
    return found


def compare(first: Sequence[int], other: Sequence[int]) -> Told:
    """How often the other is slower than the first, and the most that 95 in 100 halvings of the first differ by."""
    halves: list[float] = []
    for _ in range(_HALVINGS):
        drawn = random.sample(first, len(first))
        middle = len(drawn) // 2
        halves.append(abs(share(drawn[:middle], drawn[middle:]) - 0.5))
    return Told(share(first, other), sorted(halves)[_HALVINGS * 95 // 100])


def share(first: Sequence[int], other: Sequence[int]) -> float:
    """The share of pairs in which the other is greater, equal ones as half (Mann and Whitney's U by its most)."""
    ordered = sorted(first)
    pairs = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in other)
    return pairs / (2 * len(first) * len(other))


def _refused(store: Store, key: ClientKey, static: bytes, login: Token | Password, clock: Clock) -> tuple[int, int]:
    client = Guesser(key=key, token=login, random=os.urandom(RANDOM_BYTES))
    server = ServerSession(static=static, random=os.urandom(RANDOM_BYTES))
    hello = client.start()
    began = clock()
    server.receive_data(hello)
    server.accept_key(key.secret)
    server.next_events()
    found = service.find_login(store, login.user, (), int(time.time()))
    challenge = server.offer_login(found.verifier, found.mix, found.account, found.overdue)
    challenged = clock() - began
    client.receive_data(challenge)
    proof = client.send_auth()
    began = clock()
    server.receive_data(proof)
    server.answer_login()
    refused = clock() - began
    if server.user:
        raise MailsyncError("a login that must fail did not")
    return challenged, refused


def _spread(taken: Taken) -> Spread:
    both = [sum(one) / 1000 for one in zip(*taken, strict=True)]
    parts = statistics.quantiles(both, n=20, method="inclusive")
    return Spread(min(both), parts[4], parts[9], parts[14], parts[18])
