"""What is forgotten in time: the ledger's old entries, deletions, runs; and what never is."""

from __future__ import annotations

import json
import time

import pytest
from sites import make_site

from mailsync.core.cursor import Cursor
from mailsync.core.ledger import SITE
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Result
from mailsync.server import sql_prune
from mailsync.server.access import ADMINISTRATOR, Principal
from mailsync.server.chain import PRUNE, read_cut
from mailsync.server.sql_chain import CONTENTS, Said, Writing, append
from mailsync.server.sql_scope import find_scope
from mailsync.server.store import LoadRow, RequestError
from mailsync.server.stores import open_url
from mailsync.wire.errors import Code

HASH = b"h" * 32
DAY = 86_400
NOW = 1_800_000_000
YEAR = 365 * DAY
WHO = Principal("filter", "site", 1)
PARTS = "version, epoch, time, principal, run, batch, 'load', salt, payload, hash"
RUN, HOLDER = b"r" * 32, b"1" * 16


class Clock:
    """The store's clock, set by the test."""

    def __init__(self) -> None:
        self.now = NOW - 5 * YEAR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(store_url, clock):
    """An empty store of each kind, five years ago."""
    with open_url(store_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def asked(make_batch, move):
    """Makes the batch that sets fields of a volume; `name` is a byte that names batch and run."""

    def make(volume, place="", *, name, **fields):
        return make_batch(move(volume, place, **fields), id=name * 16, run=name * 32)

    return make


@pytest.fixture
def apply(library, asked):
    """Applies a batch that moves a volume; its number names batch and run."""

    def do(number, volume, place, *, at):
        batch = asked(volume, place, name=bytes([number]))
        return batch, library.apply(batch, HASH, WHO, at)

    return do


@pytest.fixture
def history(library, scope, clock, apply):
    """A library with six batches, one each year, a deletion in the second, and today as its clock."""
    for number, place in enumerate(("OFFS", "LIBR", "RACK", "LIBR", "OFFS", "LIBR")):
        clock.now = NOW - (5 - number) * YEAR
        apply(number + 1, "A1", place, at=clock.now)
        if number == 1:
            library.delete(scope, ["A9"])
    return library


def prune(store, years=3):
    return {one.chain: one for one in store.prune(NOW - years * YEAR + DAY)}


def flaws(store):
    return [flaw.text for flaw in store.verify()]


def kinds(store, chain):
    return [entry.kind for entry, _ in store.chain(chain)]


def test_what_is_older_goes_with_its_batches_and_the_chain_says_so_and_is_whole(history, scope):
    before = {entry.seq: stored for entry, stored in history.chain(str(scope))}
    pruned = prune(history)
    first = next(entry for entry, _ in history.chain(str(scope)))
    last = list(history.chain(str(scope)))[-1][0]
    cut = read_cut(last)
    assert last.kind == PRUNE
    assert cut == (first.seq - 1, before[first.seq - 1], first.seq - 1)
    assert (pruned[str(scope)].batches, pruned[str(scope)].entries) == (3, cut.entries)
    assert [batch.id[-1] for batch in history.batches(scope)] == [4, 5, 6]
    assert kinds(history, SITE)[-1] == PRUNE
    assert flaws(history) == []


def test_pruning_again_takes_what_has_grown_old_and_both_figures_add_up(history, scope):
    prune(history, years=4)
    again = prune(history, years=2)
    cuts = [read_cut(entry) for entry, _ in history.chain(str(scope)) if entry.kind == PRUNE]
    assert cuts[1].through == cuts[0].through + cuts[1].entries
    assert again[str(scope)].entries == cuts[1].entries
    assert flaws(history) == []
    nothing = prune(history, years=2)
    assert not any(one.entries for one in nothing.values())
    assert len([kind for kind in kinds(history, str(scope)) if kind == PRUNE]) == 2


def test_nothing_of_the_last_thirty_days_is_ever_forgotten(history, scope):
    for forget in (history.prune, history.expire_deletions, lambda before: iter([history.forget_runs(before)])):
        with pytest.raises(RequestError) as refused:
            list(forget(NOW - 29 * DAY))
        assert refused.value.code is Code.INVALID


def test_the_last_entry_and_the_newest_batch_stay_whatever_their_age(history, scope, clock):
    clock.now = NOW + 9 * YEAR
    list(history.prune(NOW + 8 * YEAR))
    assert [batch.id[-1] for batch in history.batches(scope)] == [6]
    assert flaws(history) == []


def test_a_copy_of_a_quiet_scope_is_not_downloaded_anew(history, scope, clock):
    cursor = history.sync(scope, Cursor(), 0, 100, ADMINISTRATOR).cursor
    clock.now = NOW + 9 * YEAR
    list(history.prune(NOW + 8 * YEAR))
    page = history.sync(scope, cursor, 1, 100, ADMINISTRATOR)
    assert (page.reset, page.rows) == (False, ())


def test_a_batch_that_was_pruned_and_comes_again_does_nothing_a_second_time(library, scope, clock, apply):
    """Its volume changed after the version it was planned at: the same bytes conflict, as they would for anybody."""
    old, outcome = apply(1, "A3", "OFFS", at=NOW - 4 * YEAR)
    assert [row.result for row in outcome.results] == [Result.OK]
    apply(2, "A4", "OFFS", at=NOW)
    clock.now = NOW
    list(library.prune(NOW - 31 * DAY))
    assert [batch.id[-1] for batch in library.batches(scope)] == [2]
    before = dict(library.export(scope))
    (row,) = library.apply(old, HASH, WHO, NOW).results
    assert row.result is Result.CONFLICT
    assert dict(library.export(scope)) == before
    assert flaws(library) == []


def test_a_run_whose_batch_was_pruned_is_done_for_good(history, library):
    run = b"\1" * 32
    assert library.begin_run(run, HOLDER, NOW - 5 * YEAR, ADMINISTRATOR).state == "yours"
    prune(history)
    history.forget_runs(NOW - 31 * DAY)
    assert library.begin_run(run, HOLDER, NOW, ADMINISTRATOR).state == "done"


def test_runs_that_did_nothing_go_and_those_that_are_done_lose_only_who_was_answered(library, clock, monkeypatch):
    monkeypatch.setattr(sql_prune, "CHUNK", 2)
    clock.now = NOW
    for number in range(5):
        run = bytes([number]) * 32
        library.begin_run(run, HOLDER, NOW - YEAR, ADMINISTRATOR)
        library.mark_replied(run, HOLDER, "operator", NOW - YEAR, ADMINISTRATOR)
        if number < 3:
            library.end_run(run, HOLDER, NOW - YEAR, ADMINISTRATOR)
    library.begin_run(b"y" * 32, HOLDER, NOW - DAY, ADMINISTRATOR)
    assert library.forget_runs(NOW - 31 * DAY) == 2
    for number in range(3):
        assert library.begin_run(bytes([number]) * 32, b"2" * 16, NOW, ADMINISTRATOR)[:3] == ("done", (), ())
    assert library.begin_run(b"y" * 32, HOLDER, NOW - DAY, ADMINISTRATOR).state == "yours"
    assert library.begin_run(bytes([4]) * 32, b"2" * 16, NOW, ADMINISTRATOR)[:3] == ("yours", (), ())


def test_a_run_that_is_given_back_is_anybodys_at_once_and_not_done(library):
    library.begin_run(RUN, HOLDER, NOW, ADMINISTRATOR)
    library.release_run(RUN, b"2" * 16, NOW + 1, ADMINISTRATOR)  # not its holder
    assert library.begin_run(RUN, b"2" * 16, NOW + 1, ADMINISTRATOR).state == "busy"
    library.release_run(RUN, HOLDER, NOW + 1, ADMINISTRATOR)
    assert library.begin_run(RUN, b"2" * 16, NOW + 1, ADMINISTRATOR).state == "yours"
    library.end_run(RUN, b"2" * 16, NOW + 2, ADMINISTRATOR)
    library.release_run(RUN, b"2" * 16, NOW + 3, ADMINISTRATOR)
    assert library.begin_run(RUN, HOLDER, NOW + 4, ADMINISTRATOR).state == "done"


def test_deletions_older_than_a_time_are_forgotten_and_the_floor_follows(history, scope, library, clock):
    fresh = library.sync(scope, Cursor(), 0, 100, ADMINISTRATOR).cursor
    library.delete(scope, ["A8"])  # today
    stale = Cursor(history.scopes(ADMINISTRATOR)[0].epoch, 1, 0, 1, bytes(8), 1)
    assert dict(history.expire_deletions(NOW - 31 * DAY)) == {scope: 1}
    assert dict(history.expire_deletions(NOW - 31 * DAY)) == {scope: 0}
    state = history.scopes(ADMINISTRATOR)[0]
    assert 0 < state.floor < state.version
    assert history.sync(scope, stale, 0, 100, ADMINISTRATOR).reset
    assert history.sync(scope, fresh, 0, 100, ADMINISTRATOR).tombstones == ("A8",)
    assert flaws(history) == []


def test_many_deletions_are_forgotten_a_few_at_a_time(library, scope, clock, monkeypatch):
    monkeypatch.setattr(sql_prune, "DELETIONS", 2)
    library.delete(scope, ["A1", "A2", "A3", "A4", "A5"])
    clock.now = NOW
    assert dict(library.expire_deletions(NOW - 31 * DAY)) == {scope: 5}
    assert kinds(library, str(scope)).count("expire") == 3
    assert flaws(library) == []


@pytest.mark.parametrize("killed_after", [0, 1, 3])
def test_pruning_that_is_killed_leaves_a_whole_ledger_and_is_finished_by_the_next(
    history, scope, monkeypatch, killed_after
):
    monkeypatch.setattr(sql_prune, "CHUNK", 1)
    forget, calls = sql_prune._forget, []

    def dying(connection, number, through):
        if number and len(calls) == killed_after:
            raise KeyboardInterrupt
        calls.extend([1] if number else [])
        return forget(connection, number, through)

    monkeypatch.setattr(sql_prune, "_forget", dying)
    with pytest.raises(KeyboardInterrupt):
        prune(history)
    assert flaws(history) == []
    monkeypatch.setattr(sql_prune, "_forget", forget)
    finished = prune(history)[str(scope)]
    assert finished.batches == len({1, 2, 3}) - sum(1 for number in (2, 3, 5) if number <= killed_after)
    assert flaws(history) == []


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("DELETE FROM ledger WHERE media = 1 AND seq = 6", "is the first, and pruning took those up to 5"),
        ("DELETE FROM ledger WHERE media = 1 AND seq IN (6, 7)", "is the first, and pruning took those up to 5"),
        ("DELETE FROM ledger WHERE media = 1 AND kind = 'prune'", "the chain ends here"),
        ("UPDATE ledger SET principal = 'x' WHERE media = 1 AND seq = 6", "its hash is not that of its parts"),
        (
            "UPDATE ledger SET payload = replace(payload, '\"count\": 5', '\"count\": 6') WHERE kind = 'prune'",
            "its hash is not that of its parts",
        ),
        (
            "UPDATE ledger SET payload = replace(payload, '\"through\": 5', '\"through\": 6') WHERE kind = 'prune'",
            "its hash is not that of its parts",
        ),
        ("UPDATE ledger SET payload = '{}' WHERE media = 1 AND kind = 'prune'", "does not add up"),
        ("DELETE FROM batches WHERE number = 4", "is not recorded any more"),
        (
            f"INSERT INTO ledger SELECT 1, 5, {PARTS} FROM ledger WHERE media = 1 AND seq = 6",
            "its hash is not the one that the prune entry says",
        ),
    ],
)
def test_whatever_else_is_cut_off_or_altered_after_pruning_is_found(history, behind, statement, text):
    prune(history)
    behind(statement)
    assert [found for found in flaws(history) if text in found], flaws(history)


def test_what_a_container_moved_in_another_scope_may_be_pruned_before_or_after_its_batch(library, scope, clock, asked):
    other = Scope(CustomerId("US01"), MediaId("DLT"))
    places = tuple(Repository(RepositoryId(name), name) for name in ("LIBR", "OFFS"))
    library.add_scope(other, default_repository="LIBR", repositories=places)
    library.load(("repository",), [LoadRow(other, "B1", ("LIBR",), 0)])
    inside = asked("A1", container="US01.DLT.B1", name=b"i")
    library.apply(inside._replace(base=library.scopes(ADMINISTRATOR)[1].version), HASH, WHO, NOW - 4 * YEAR)
    at = next(one for one in library.scopes(ADMINISTRATOR) if one.scope == other)
    batch = asked("B1", "OFFS", name=b"c")._replace(scope=other, base=at.version)
    assert [row.result for row in library.apply(batch, HASH, WHO, NOW - 4 * YEAR).results] == [Result.OK]
    assert "contents" in kinds(library, str(scope))
    clock.now = NOW - 3 * YEAR
    for chain, volume in ((scope, "A1"), (other, "B1")):
        library.load(("slot",), [LoadRow(chain, volume, ("7",), 2)])
    # The store's newest batch is the container's: its chain stays, and the other scope's is pruned.
    clock.now = NOW
    list(library.prune(NOW - YEAR))
    assert "contents" not in kinds(library, str(scope))
    assert [one.id for one in library.batches(other)] == [batch.id]
    assert flaws(library) == []


def test_contents_whose_batch_was_pruned_are_no_flaw(library, scope, apply):
    apply(1, "A1", "OFFS", at=NOW)
    at = library._database.read(lambda connection: find_scope(connection, scope))
    said = Said(CONTENTS, {"batch": 99, "volumes": ["A1"], "sha256": "0" * 64})
    library._database.write(lambda one: append(one, at, Writing("filter/site", NOW), said, version=at.version))
    assert flaws(library) == []


def test_a_pruned_store_is_copied_whole_and_numbers_of_batches_go_on(history, scope, tmp_path, asked):
    prune(history)
    with open_url(f"sqlite:{tmp_path / 'copy.db'}") as target:
        history.copy_to(target, b"e" * 16, told=lambda _name, _rows: None)
        assert flaws(target) == []
        at = target.scopes(ADMINISTRATOR)[0]
        batch = asked("A3", "OFFS", name=b"n")._replace(epoch=at.epoch, base=at.version)
        target.apply(batch, HASH, WHO, NOW)
        newest = list(target.chain(str(scope)))[-1][0]
        assert json.loads(newest.payload)["batch"] == 7
        assert flaws(target) == []


def test_the_command_forgets_deletions_whose_entries_it_takes_away(tmp_path, clock):
    site, scope = make_site(tmp_path / "site"), Scope(CustomerId("US01"), MediaId("DLT"))
    clock.now = time.time() - 60 * DAY
    with open_url(f"sqlite:{site.folder}/state/server.db", clock=clock) as store:
        store.add_scope(scope, repositories=[Repository(RepositoryId("LIBR"))], default_repository="LIBR")
        store.load(("repository",), [LoadRow(scope, f"A{number}", ("LIBR",), 0) for number in range(5)])
        store.delete(scope, ["A1"])
        store.delete(scope, ["A2"])
        clock.now = time.time()
        store.delete(scope, ["A3"])
    told = site.run("server", "prune", "--keep", "30d").stdout
    assert b"US01.DLT: 2 deletions forgotten" in told
    assert b"US01.DLT: 3 entries" in told
