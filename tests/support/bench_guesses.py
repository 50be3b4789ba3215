"""What a flood of wrong passwords costs the very person whose they are: a right login beside it, and alone.

The server is a process of its own. The right login comes from 127.0.0.1, through Argon2id as new passwords do; the
guesses from 127.0.0.2, or each from another address, and name that person, or somebody who is not there.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from guessing import Flood, beside, from_many, from_one

from mailsync.cli.bench_logins import medians_in_turn, running
from mailsync.server.stores import open_url
from mailsync.wire.passwords import DEFAULT, Password
from mailsync.wire.scram import make_password_verifier

ALICE = Password("alice", "open sesame")
ALONE = 20  # right logins


def bench_guesses(guesses: int) -> None:
    """Prints what became of so many guesses of each kind, and of the logins beside them: each got in."""
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as name, running(Path(name)) as client:
        with open_url(f"sqlite:{client.site}/state/server.db") as store:
            store.add_user(ALICE.user, make_password_verifier(ALICE.text, b"a" * 16, DEFAULT), 1)
        right = client._replace(token=ALICE)
        (alone,) = medians_in_turn([right.log_in], ALONE)
        for user in (ALICE.user, "nobody"):
            for sources in (from_one, from_many):
                flood = Flood(client.address, client.key, user, sources(), patient=sources is from_many)
                took: list[float] = []
                began = time.perf_counter()
                sent, times = beside(flood, guesses, lambda: took.append(medians_in_turn([right.log_in], 1)[0]))  # noqa: B023 - called before the next round
                seconds = time.perf_counter() - began
                print(
                    f"{sent.guesses} guesses for {user} {sources.__name__.replace('_', ' ')}: {sent.proved} proved, "
                    f"{sent.guesses / seconds:.0f}/s; beside them {times} right logins, each got in, median "
                    f"{statistics.median(took) * 1000:.0f} ms (alone {alone * 1000:.0f} ms)",
                    flush=True,
                )
