"""Servers and clients are killed at random, on every store: each batch is applied exactly once."""

from __future__ import annotations

import pytest
from kill_both import Loop

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]
KILLS = 8  # of servers, and of clients; `python -m tests.bench --kills-both N` has more
BATCHES = 60


def test_whoever_is_killed_each_batch_is_applied_exactly_once(store_url, tmp_path):
    servers = 1 if store_url.startswith("sqlite:") else 2
    counted = Loop(tmp_path / "site", store_url, servers).run(KILLS, BATCHES, "gate")
    assert counted.batches >= BATCHES
    assert min(counted.servers, counted.clients) >= KILLS
