"""An older report never has the last word: the order of reports of one source (exactly-once.md section 3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.cursor import Cursor
from mailsync.core.identity import batch_id, run_id
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR, Access, Principal
from mailsync.server.sqlite import SqliteStore
from mailsync.server.store import LoadRow, RequestError
from mailsync.wire.errors import Code
from mailsync.wire.scram import make_verifier

HASH = b"h" * 32
SOURCE = "nightly/nightly-csv"
SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PLACES = ("LIBR", "OFFS", "RACK")


@pytest.fixture
def report(make_batch, move):
    """Makes the batch of a report: its number names batch and run, `asof` its time."""

    def make(number, asof, place, *, source=SOURCE, base=None):
        changes = {"id": bytes([number]) * 16, "run": bytes([number]) * 32, "asof": asof, "source": source}
        batch = make_batch(*([move("A1", place)] if place else []), **changes)
        return batch if base is None else batch._replace(base=base)

    return make


def target(store, scope):
    return dict(store.export(scope))["A1"].repository


def test_an_older_report_is_recorded_as_overtaken_and_changes_nothing(library, who, scope, report):
    library.apply(report(1, 200, "OFFS"), HASH, who, 5)
    late = report(2, 100, "RACK")
    outcome = library.apply(late, HASH, who, 6)
    assert outcome.overtaken
    assert [row.result for row in outcome.results] == [Result.SKIPPED]
    assert target(library, scope) == "OFFS"
    assert len(library.batches(scope)) == 2
    again = library.apply(late, HASH, who, 7)
    assert (again.overtaken, again.replayed) == (True, True)


def test_a_plan_made_before_the_last_report_was_applied_is_stale_and_not_recorded(library, who, scope, report):
    base = library.scopes(ADMINISTRATOR)[0].version
    library.apply(report(1, 100, "OFFS"), HASH, who, 5)
    with pytest.raises(RequestError) as caught:
        library.apply(report(2, 200, "RACK", base=base), HASH, who, 6)
    assert caught.value.code is Code.PLAN_STALE
    assert len(library.batches(scope)) == 1
    assert library.apply(report(2, 200, "RACK"), HASH, who, 6).results[0].result is Result.OK


def test_a_report_that_asked_for_nothing_counts_too(library, who, scope, report):
    library.apply(report(1, 200, ""), HASH, who, 5)
    assert library.apply(report(2, 100, "RACK"), HASH, who, 6).overtaken
    assert target(library, scope) == "LIBR"


def test_one_that_was_overtaken_overtakes_nobody(library, who, report):
    library.apply(report(1, 200, "OFFS"), HASH, who, 5)
    library.apply(report(2, 100, "RACK"), HASH, who, 6)
    assert not library.apply(report(3, 300, "LIBR"), HASH, who, 7).overtaken


@pytest.mark.parametrize("source", ["", "weekly/other-csv"])
def test_other_sources_and_those_that_list_events_are_in_no_order(library, who, scope, report, source):
    base = library.scopes(ADMINISTRATOR)[0].version
    library.apply(report(1, 200, "OFFS"), HASH, who, 5)
    outcome = library.apply(report(2, 100, "RACK", source=source, base=base), HASH, who, 6)
    assert not outcome.overtaken
    assert outcome.results[0].result is Result.CONFLICT


def test_parts_of_one_run_do_not_overtake_each_other(library, who, report):
    first = report(1, 100, "OFFS")
    library.apply(first, HASH, who, 5)
    second = first._replace(id=b"2" * 16, operations=())
    assert not library.apply(second, HASH, who, 6).overtaken


@settings(max_examples=150, deadline=None)
@given(
    reports=st.lists(st.sampled_from(PLACES), min_size=1, max_size=6),
    schedule=st.lists(st.integers(0, 5), max_size=24),
)
def test_however_mails_are_delayed_and_tried_again_the_newest_report_has_the_last_word(
    tmp_path_factory, reports, schedule
):
    """Mail n says where A1 is at time n. A step of the schedule is one attempt at one mail: plan, or send the plan."""
    who = Principal("filter", "site", 1)
    with SqliteStore(tmp_path_factory.mktemp("order") / "server.db") as store:
        store.add_scope(SCOPE)
        store.add_token(who.user, make_verifier(b"t" * 32, b"s" * 16), 1, grants=(("*", Access.WRITE),))
        store.load(("repository",), [LoadRow(SCOPE, "A1", ("LIBR",), 0)])
        for place in PLACES:
            store.load(("repository",), [LoadRow(SCOPE, f"B{place}", (place,), 0)])
        plans: dict[int, Batch] = {}
        done: set[int] = set()
        for step in [*schedule, *(n for n in range(len(reports)) for _ in range(3))]:
            number = step % len(reports)
            if number in done:
                continue
            if number not in plans:
                plans[number] = planned(store, SCOPE, number, reports[number])
                continue
            try:
                store.apply(plans[number], HASH, who, 2000)
                done.add(number)
            except RequestError as error:
                if error.code is not Code.PLAN_STALE:
                    raise
                del plans[number]
        attempts = 0
        while len(done) < len(reports):
            attempts += 1
            assert attempts < 100
            for number in set(range(len(reports))) - done:
                store.apply(planned(store, SCOPE, number, reports[number]), HASH, who, 2000)
                done.add(number)
        newest = max(done)
        assert dict(store.export(SCOPE))["A1"].repository == reports[newest]


def planned(store, scope, number, place):
    """The batch of a mail, made against the store as it is now."""
    at = store.scopes(ADMINISTRATOR)[0]
    now = store.sync(scope, Cursor(), 0, 100, ADMINISTRATOR)
    (row,) = [row for row in now.rows if row[0] == "A1"]
    run = run_id("nightly", (bytes([number]),))
    operations = () if row[2] == place else (Operation(Change.UPDATE, "A1", ("repository",), (place,), 0, 1, 2),)
    return Batch(
        id=batch_id(run, 0, scope, 0),
        run=run,
        plan=b"p" * 32,
        scope=scope,
        epoch=at.epoch,
        base=at.version,
        source=SOURCE,
        asof=1000 + number,
        sources=(("<m@example.com>", "a.csv"),),
        operations=operations,
    )
