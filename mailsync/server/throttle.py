"""What a wrong password costs whoever guesses: time, and a place (server.md, Limits).

Failures are counted per (key id, user, network) once a proof was checked, so only for holders of a key, and a replayed
message never counts. The proof is always checked: a right one is never refused for the wrong ones beside it.

what is throttled    by how much
a failing answer     is held back 1 s, 2 s, 4 s ... 60 s; a quarter of an hour without a failure, or a login, forgets
logins under way     4 of one triple; the next one waits until one of them is answered

The place of a failed login stays taken for as long as its answer is held back, also when its client does not wait for
it: hanging up wins nothing. Tokens are not throttled: 256 random bits need no protection against guessing, and a
forgotten mail host that tries an old one must not be in the way of others.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import NamedTuple

from mailsync.server.admission import Limits


class Who(NamedTuple):
    """Whose failures are counted together."""

    key_id: str
    user: str
    network: str


class Throttle:
    """The failures that are remembered, at most as many as ephemerals, and the places of logins under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures: OrderedDict[Who, tuple[int, float]] = OrderedDict()  # how many, and until when it matters
        self._places: dict[Who, asyncio.Semaphore] = {}
        self._users: Counter[Who] = Counter()

    async def acquire(self, who: Who) -> None:
        """Returns when a place for a login is free, and taken."""
        self._users[who] += 1
        place = self._places.setdefault(who, asyncio.Semaphore(self._limits.guesses))
        try:
            await place.acquire()
        except BaseException:
            self._leave(who)
            raise

    def failed(self, who: Who, now: float) -> float:
        """Counts a failure, and returns for how many seconds its answer is to be held back."""
        count, until = self._failures.pop(who, (0, 0.0))
        count = count + 1 if now < until else 1
        self._failures[who] = (count, now + self._limits.forget)
        if len(self._failures) > self._limits.ephemerals:
            self._failures.popitem(last=False)
        return min(self._limits.hold * 2.0 ** min(count - 1, 30), self._limits.hold_most)

    def succeeded(self, who: Who) -> None:
        """Forgets the failures."""
        self._failures.pop(who, None)

    def release(self, who: Who) -> None:
        """Gives a place back."""
        self._places[who].release()
        self._leave(who)

    def _leave(self, who: Who) -> None:
        self._users[who] -= 1
        if not self._users[who]:
            del self._users[who], self._places[who]


class Attempt:
    """A login under way, and its place from `begin` to `end`."""

    def __init__(self, throttle: Throttle, who: Who) -> None:
        self._throttle = throttle
        self._who = who
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._begun = False

    async def begin(self) -> None:
        """Waits for a place."""
        await self._throttle.acquire(self._who)
        self._begun = True

    def failed(self) -> float:
        """The proof did not hold: for how many seconds the answer, and the place, are to be held back."""
        now = self._loop.time()
        seconds = self._throttle.failed(self._who, now)
        self._until = now + seconds
        return seconds

    def succeeded(self) -> None:
        """The proof held."""
        self._throttle.succeeded(self._who)

    def end(self) -> None:
        """Gives the place back, when what is held back is over."""
        if not self._begun:
            return
        self._begun = False
        if self._until > self._loop.time():
            self._loop.call_at(self._until, self._throttle.release, self._who)
        else:
            self._throttle.release(self._who)
