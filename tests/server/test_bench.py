"""`mailsync server bench`, small: it measures what it says, within its bounds, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from served import MAILSYNC

from mailsync.cli.bench_logins import Bounds, beside_flood, rate, running
from mailsync.cli.bench_refusals import Told, compare, refusals, share
from mailsync.server.sqlite import SqliteStore
from mailsync.wire.passwords import SMALL
from mailsync.wire.scram import make_password_verifier

OF_PASSWORDS = ("wrong password", "unknown person", "revoked person", "wrong password of an imported MD5")
KINDS = {
    "wrong token": "",
    "unknown user": "wrong token",
    "revoked token": "wrong token",
    **{name: OF_PASSWORDS[0] if name != OF_PASSWORDS[0] else "" for name in OF_PASSWORDS},
    **{f"{name}, by e-mail": f"{OF_PASSWORDS[0]}, by e-mail" for name in OF_PASSWORDS},
    f"{OF_PASSWORDS[0]}, by e-mail": "",
}


def words_of_a_small_one(*more):
    return ["server", "bench", "--logins", "8", "--wrong", "8", "--rows", "200", "--seconds", "20", "--json", *more]


def test_every_figure_is_there_beside_what_it_is_compared_with(tmp_path):
    words = words_of_a_small_one()
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([*MAILSYNC, *words], capture_output=True, text=True, check=True, env=env)
    said = json.loads(done.stdout)
    figures = {figure["name"]: figure for figure in said["figures"]}
    assert figures["logins"]["beside"] == "TLS 1.3 with asyncio"
    assert figures["round trips to the first page"]["value"] == 3
    assert figures["round trips of each request after it"]["value"] == 1
    assert figures["8 wrong logins"]["value"] > 0
    assert figures["snapshot of 200 volumes, size"]["ratio"] < 0.65
    assert figures["batch of 200"]["beside"] == "bare SQL"
    assert {one["name"]: one["beside"] for one in said["refusals"]} == KINDS
    for one in said["refusals"]:
        assert one["times"] == 8
        assert list(one["microseconds"].values()) == sorted(one["microseconds"].values())
        assert (one["challenge"] is None) == (one["refusal"] is None) == (one["beside"] == "")
    assert list(tmp_path.iterdir()) == []


def test_the_store_may_be_elsewhere_and_is_gone_afterwards(store_url, tmp_path):
    words = [*MAILSYNC, *words_of_a_small_one("--store", store_url)]
    for _ in range(2):
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}
    assert figures["batch of 200"]["ratio"] > 0
    assert figures["logins"]["value"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_there_is_not_measured(store, store_url, library, scope):
    words = [*MAILSYNC, *words_of_a_small_one("--store", store_url)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "already" in done.stderr
    assert len(list(store.export(scope))) == 9


def test_a_right_login_gets_in_beside_a_thousand_wrong_ones(tmp_path):
    """Ten thousand are what the command makes."""
    with running(tmp_path) as client:
        flood, _, times = beside_flood(client, Bounds(1000, 120))
    assert flood.times == 1000
    assert times > 10


def test_what_is_measured_ends_by_count_and_by_time_and_a_fault_ends_it():
    done: list[int] = []
    assert rate(lambda: done.append(1), Bounds(50, 60)).times == 50
    assert len(done) == 51
    assert rate(lambda: None, Bounds(10**9, 0.05)).times < 10**9
    with pytest.raises(ZeroDivisionError):
        rate(lambda: (len(done) > 60 and 1 // 0) or done.append(1), Bounds(10**6, 60))


@pytest.mark.parametrize("count", ["0", "many", "9999999"])
def test_counts_are_bounded(count):
    words = [*MAILSYNC, "server", "bench", "--rows", count]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not a number from 1 to 1000000" in done.stderr


def test_what_is_told_is_a_share_of_pairs_beside_what_chance_alone_makes_of_one_kind():
    assert share([1, 2, 3], [4, 5]) == 1
    assert share([4, 5], [1, 2, 3]) == 0
    assert share([1, 1, 2], [1, 2]) == (1 + 1 + 0 + 2 + 2 + 1) / 12
    alike, slower = list(range(1000)), list(range(150, 1150))
    assert compare(alike, alike).slower == 0.5
    told = compare(alike, slower)
    assert 0 < told.chance < 0.1 < told.slower - 0.5


class Steps:
    """A clock that counts the steps of a store's SQLite."""

    def __init__(self, store) -> None:
        self._taken = 0
        store._database._connection.set_progress_handler(self._step, 1)

    def _step(self) -> None:
        self._taken += 1

    def __call__(self) -> int:
        return self._taken * 1000


class Telling(SqliteStore):
    """Looks twice for whom it does not find."""

    def login(self, name):
        found = super().login(name)
        return super().login(name) if found[0] is None else found


def test_a_store_that_does_more_for_one_kind_is_told_and_ours_is_not(tmp_path):
    for kind, expected in ((SqliteStore, 0.5), (Telling, 1.0)):
        with kind(tmp_path / f"{kind.__name__}.db") as store:
            # Whose name is the last of all takes a step less.
            store.add_user("zealot", make_password_verifier("any", b"z" * 16, SMALL), 1, email="zealot@example.com")
            found = {one.name: one for one in refusals(store, 4, 60, Steps(store))}
        assert found.keys() == KINDS.keys()
        for name in ("unknown user", "revoked token", "unknown person", "revoked person, by e-mail"):
            assert found[name].challenge == Told(expected, 0.0)
            assert found[name].refusal == Told(0.5, 0.0), "nothing is looked up for it"
