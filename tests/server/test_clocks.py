"""Clocks that jump, of the server or of its clients: leases, the order of reports, the ledger and replays hold."""

from __future__ import annotations

import pytest

from mailsync.core.outcome import Result
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sql_apply import CLOCKS_DIFFER
from mailsync.server.store import LEASE_SECONDS

HASH = b"h" * 32
RUN, ONE, TWO = b"r" * 32, b"1" * 16, b"2" * 16
NOW = 1_800_000_000
DAY, YEAR = 86_400, 365 * 86_400


@pytest.fixture
def report(make_batch, move):
    """Makes the batch of a report of one source, planned against the store as it is: its number names batch and run."""

    def make(number, asof, place):
        names = {"id": bytes([number]) * 16, "run": bytes([number]) * 32}
        return make_batch(move("A1", place), **names, asof=asof, source="nightly/nightly-csv")

    return make


def target(store, scope):
    return dict(store.export(scope))["A1"].repository


@pytest.mark.parametrize("ahead", [DAY, YEAR])
def test_a_lease_of_a_clock_that_was_ahead_is_over_when_the_clock_is_right_again(library, ahead):
    assert library.begin_run(RUN, ONE, NOW + ahead, ADMINISTRATOR).state == "yours"
    assert library.begin_run(RUN, TWO, NOW, ADMINISTRATOR).state == "yours"
    assert not library.renew_run(RUN, ONE, NOW, ADMINISTRATOR), "whoever had it does not answer any more"


@pytest.mark.parametrize("differ", [-LEASE_SECONDS // 2, 0, LEASE_SECONDS])
def test_a_lease_holds_among_servers_whose_clocks_differ_a_little(library, differ):
    library.begin_run(RUN, ONE, NOW + differ, ADMINISTRATOR)
    assert library.begin_run(RUN, TWO, NOW, ADMINISTRATOR).state == "busy"
    assert library.renew_run(RUN, ONE, NOW, ADMINISTRATOR)


def test_a_clock_that_leaps_ahead_ends_a_lease_and_its_holder_is_told(library):
    library.begin_run(RUN, ONE, NOW, ADMINISTRATOR)
    assert library.begin_run(RUN, TWO, NOW + YEAR, ADMINISTRATOR).state == "yours"
    assert not library.mark_replied(RUN, ONE, "operator", NOW, ADMINISTRATOR)
    assert library.mark_replied(RUN, TWO, "operator", NOW, ADMINISTRATOR)


def test_a_report_from_a_clock_that_is_ahead_overtakes_nobody_once_that_is_right_again(library, who, scope, report):
    library.apply(report(1, NOW + YEAR, "OFFS"), HASH, who, NOW)
    (first,) = library.batches(scope)
    assert first.asof == NOW + CLOCKS_DIFFER
    later = NOW + CLOCKS_DIFFER + 1
    assert not library.apply(report(2, later, "RACK"), HASH, who, later).overtaken
    assert target(library, scope) == "RACK"
    assert library.apply(report(3, NOW - 1, "LIBR"), HASH, who, later).overtaken, "an older one never has the last word"


def test_a_server_whose_clock_is_set_back_still_takes_new_reports(library, who, scope, report):
    library.apply(report(1, NOW, "OFFS"), HASH, who, NOW)
    outcome = library.apply(report(2, NOW + 60, "RACK"), HASH, who, NOW + 60 - DAY)
    assert (outcome.overtaken, target(library, scope)) == (False, "RACK")
    assert not library.apply(report(3, NOW + 120, "LIBR"), HASH, who, NOW + 120).overtaken


def test_versions_ledger_and_replays_do_not_depend_on_the_clock(library, who, scope, report):
    outcomes = []
    for number, (now, place) in enumerate(((NOW, "OFFS"), (NOW - DAY, "RACK"), (NOW + YEAR, "LIBR"), (0, "OFFS")), 1):
        batch = report(number, NOW + number, place)
        outcomes.append((batch, library.apply(batch, HASH, who, now)))
    versions = [outcome.last for _, outcome in outcomes]
    assert versions == sorted(set(versions))
    assert all(row.result is Result.OK for _, outcome in outcomes for row in outcome.results)
    for batch, outcome in outcomes:
        for now in (NOW - YEAR, NOW + YEAR):
            assert library.apply(batch, HASH, who, now) == outcome._replace(replayed=True)
    assert list(library.verify()) == []


def test_tombstones_expire_by_version_and_never_by_the_clock(library, scope):
    library.delete(scope, ["A1"])
    through = library.scopes(ADMINISTRATOR)[0].version
    library._clock = lambda: NOW - YEAR
    library.expire(scope, through - 1)
    assert library.scopes(ADMINISTRATOR)[0].floor < through
    library._clock = lambda: NOW + YEAR
    library.expire(scope, through)
    assert library.scopes(ADMINISTRATOR)[0].floor == through
    assert list(library.verify()) == []
