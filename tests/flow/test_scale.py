"""A scope ten times as large: 100 changes cost the same work and bytes, and nobody needs more memory.

`python -m tests.bench --scale` does it with a million volumes, and on PostgreSQL.
"""

from __future__ import annotations

import re

import pytest
from bench_scale import change, export, fetch, make_scope, serving
from sites import MAILSYNC

SMALL, LARGE = 10_000, 100_000
MEBIBYTE = 2**20
# SQLite keeps 32 MiB of a file's pages, and a load has two files open; the rest is room for other machines.
STORE, LOAD = 32 * MEBIBYTE, 64 * MEBIBYTE
ROOM = 16 * MEBIBYTE


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What a load, an export, a first fetch and 100 changes take, by size."""
    found = {}
    for rows in (SMALL, LARGE):
        scope, loaded = make_scope(tmp_path_factory.mktemp("scale"), rows, MAILSYNC)
        with serving(scope) as server:
            cold = fetch(scope, server)
        with serving(scope, counting=True) as server:
            # The first reads nothing of another run, those after it what the one before has changed.
            warm = [change(scope, server, counting=True) for _ in range(2)][1]
        found[rows] = {"load": loaded, "export": export(scope), "cold": cold, "warm": warm}
    return found


@pytest.mark.long
@pytest.mark.parametrize("what", ["client_steps", "server_steps"])
def test_a_hundred_changes_take_no_more_work_in_a_scope_ten_times_as_large(measured, what):
    small, large = (getattr(measured[rows]["warm"], what) for rows in (SMALL, LARGE))
    assert 5_000 < large <= 1.1 * small


@pytest.mark.long
def test_a_hundred_changes_take_no_more_bytes_in_a_scope_ten_times_as_large(measured):
    small, large = (_bytes(measured[rows]["warm"]) for rows in (SMALL, LARGE))
    assert large <= small + 512, "bytes are filled up to steps of 256, either way"


@pytest.mark.long
def test_nobodys_memory_grows_with_the_scope(measured):
    """All rows at once would be 100 MB and more."""
    small, large = measured[SMALL], measured[LARGE]
    assert large["load"].memory - small["load"].memory < LOAD + ROOM
    assert large["export"].memory - small["export"].memory < STORE + ROOM
    assert large["cold"].client.memory - small["cold"].client.memory < ROOM
    assert large["cold"].server.memory - small["cold"].server.memory < STORE + ROOM
    assert large["warm"].client.memory - small["warm"].client.memory < ROOM


def _bytes(run) -> int:
    found = re.search(r"(\d+) bytes up, (\d+) bytes down", run.client.said)
    return int(found[1]) + int(found[2])
