"""A share of the random histories of tests/support/histories.py; thousands: `python -m tests.bench --model 10000`."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from bench_model import first_found, play
from histories import STEPS, History, fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_places import InCluster, InFile, empty_file


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return empty_file(tmp_path_factory.mktemp("empty"), fill)


@pytest.mark.parametrize("first", range(1_000_000, 1_000_009, 3))
def test_whatever_happens_the_store_is_as_the_oracle_says_and_every_copy_equals_it(empty, first):
    for seed in range(first, first + 3):
        with tempfile.TemporaryDirectory() as folder:
            counts = play(InFile(Path(folder), empty), Path(folder), seed)
        assert counts["applied"], "a history in which nothing happens shows nothing"
        assert counts["copies"]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(list(STEPS)), min_size=5, max_size=12), st.integers(0, 2**32))
def test_whatever_steps_are_drawn_the_store_is_as_the_oracle_says(empty, steps, seed):
    with tempfile.TemporaryDirectory() as folder:
        History(InFile(Path(folder), empty), Path(folder), random.Random(seed)).play(steps)


@pytest.mark.system
@pytest.mark.xdist_group("postgres")
def test_on_postgresql_too_the_store_is_as_the_oracle_says(cluster):
    for seed in range(3):
        with tempfile.TemporaryDirectory() as folder:
            play(InCluster(cluster, fill), Path(folder), seed)


# Those that some tens of histories find; the benchmark counts how many each of them takes, and the others.
FOUND = ("no order of reports", "no lease", "no done in the cursor", "epoch before batch id", "no 604", "no base")


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_that_is_broken_is_found(rule):
    assert first_found(rule, 40) >= 0
