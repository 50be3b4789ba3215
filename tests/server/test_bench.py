"""`mailsync server bench`, small: it measures what it says, within its bounds, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from served import MAILSYNC

from mailsync.cli.bench_logins import Bounds, beside_flood, rate, running


def words_of_a_small_one(*more):
    return ["server", "bench", "--logins", "8", "--wrong", "8", "--rows", "200", "--seconds", "20", "--json", *more]


def test_every_figure_is_there_beside_what_it_is_compared_with(tmp_path):
    words = words_of_a_small_one()
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([*MAILSYNC, *words], capture_output=True, text=True, check=True, env=env)
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}
    assert figures["logins"]["beside"] == "TLS 1.3 with asyncio"
    assert figures["round trips to the first page"]["value"] == 3
    assert figures["round trips of each request after it"]["value"] == 1
    assert figures["8 wrong logins"]["value"] > 0
    assert figures["snapshot of 200 volumes, size"]["ratio"] < 0.65
    assert figures["batch of 200"]["beside"] == "bare SQL"
    assert figures["refusing an unknown user"]["beside"] == figures["refusing a revoked token"]["beside"]
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
