"""Who guesses passwords, from one address or from many, keeps nobody else out, nor the very person whose they are.

A guess costs next to nothing: any proof will do, and nobody waits for an answer that is held back. A right login takes
its time, for Argon2id, and gets in all the same.
"""

from __future__ import annotations

import time
from functools import partial

import pytest
from guessing import ONE, Flood, beside, from_many, from_one
from listening import KEY, PATIENCE

from mailsync.cli.bench_logins import running
from mailsync.server.admission import Admission, Limits
from mailsync.server.stores import open_url
from mailsync.wire.events import PongReceived
from mailsync.wire.passwords import DEFAULT, SMALL, Password
from mailsync.wire.scram import make_password_verifier

ALICE = Password("alice", "open sesame")
USERS = pytest.mark.parametrize("user", ["alice", "nobody"])
SOURCES = pytest.mark.parametrize("sources", [from_one, from_many])


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


def test_dropped_is_who_was_refused_then_the_oldest_of_the_address_that_has_most():
    dropped: list[str] = []
    admission = Admission(Limits(newcomers=5))

    def enter(name: str, address: str) -> partial[None]:
        drop = partial(dropped.append, name)
        assert admission.enter(drop, address)
        return drop

    enter("old", "192.0.2.1")
    one, _, _ = (enter(name, ONE) for name in ("one", "two", "three"))
    right = enter("right", "192.0.2.2")
    enter("four", ONE)
    admission.refused(right)
    admission.refused(one)  # it is gone already
    for name in ("five", "six", "seven"):
        enter(name, ONE)
    assert dropped == ["one", "right", "two", "three"]
    for address in ("192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"):
        enter("new", address)
    assert dropped[4:] == ["four", "five", "six", "old"], "of addresses with as many each, the oldest"


@USERS
@SOURCES
def test_who_takes_time_to_prove_a_password_keeps_the_place_beside_all_who_guess_it(
    serve, talk, library, sources, user
):
    library.add_user(ALICE.user, make_password_verifier(ALICE.text, b"a" * 16, SMALL), 1)
    served = serve(hold=600, hold_most=600, login=PATIENCE)
    right = talk(served, ALICE)
    flood = Flood(served.address, KEY, user, sources(), patient=sources is from_many)
    sent, _ = beside(flood, 300, lambda: time.sleep(0.01))
    assert isinstance(right.log_in().ping(), PongReceived)
    assert sent.guesses == 300
    assert sent.proved == 300 or sources is from_one
    served.stop()
    assert served.ends().count("dropped") > 50, "more came than there is place for"


@USERS
@SOURCES
def test_a_right_password_gets_in_beside_a_flood_of_wrong_ones_for_the_same_person(tmp_path, sources, user):
    """Ten thousand are what `python -m tests.bench --guesses 10000` makes."""
    with running(tmp_path) as client:
        with open_url(f"sqlite:{client.site}/state/server.db") as store:
            store.add_user(ALICE.user, make_password_verifier(ALICE.text, b"a" * 16, DEFAULT), 1)
        right = client._replace(token=ALICE)
        flood = Flood(client.address, client.key, user, sources(), patient=sources is from_many)
        sent, times = beside(flood, 600, right.log_in)
    assert sent.guesses == 600
    assert sent.proved == 600 or sources is from_one
    assert times > 0
