"""Random histories of a store and three caches, on the real code and both databases (exactly-once.md sections 3 and 4).

One cache is given what the store says; the others share a `PageCache` and are given pages packed before.

Loads, deletions, expiry, batches of several runs, lost acknowledgements, pages of any size left half done, backups
and restores in any order. Whatever happened: a cache that has followed to the end equals the store, versions only
rise, a batch has one effect, and every row's result is what its version and the batch's base say.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_places import InCluster, InFile, empty_file

from mailsync.core.cursor import Cursor, Page
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result
from mailsync.server.access import ADMINISTRATOR, Access, Principal
from mailsync.server.pages import PageCache
from mailsync.server.sql_store import SqlStore
from mailsync.server.store import LoadRow, RequestError
from mailsync.wire.compression import Method, inflate
from mailsync.wire.errors import Code
from mailsync.wire.messages import Sync
from mailsync.wire.pages import decode_page
from mailsync.wire.scram import make_verifier

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
WHO = Principal("filter", "site", 1)
NAMES = st.sampled_from([f"A{number}" for number in range(6)])
PLACES = st.sampled_from(["LIBR", "OFFS"])
CACHES = st.integers(0, 2)
LIMITS = st.integers(1, 4)
OPERATIONS = st.lists(st.tuples(st.sampled_from(list(Change)), NAMES, PLACES), max_size=4)
STEPS = st.one_of(
    st.tuples(st.just("load"), st.lists(NAMES, min_size=1, max_size=4, unique=True), st.sampled_from("123")),
    st.tuples(st.just("delete"), st.lists(NAMES, min_size=1, max_size=3)),
    st.tuples(st.just("expire"), st.integers(0, 12)),
    st.tuples(st.just("follow_one_page"), CACHES, LIMITS),
    st.tuples(st.just("follow_to_the_end"), CACHES, LIMITS),
    st.tuples(st.just("apply"), CACHES, st.integers(0, 1), OPERATIONS),
    st.tuples(st.just("apply"), CACHES, st.integers(0, 1), OPERATIONS),
    st.tuples(st.just("lose_the_acknowledgement"), st.integers(0, 3)),
    st.tuples(st.just("back_up")),
    st.tuples(st.just("restore")),
)


class Cache:
    """A client's copy, as client/cache.py keeps it: the cursor moves with the rows, and only by pages.

    With a `PageCache` it is given the pages of its user, as they travel and as they were packed for whoever asked.
    """

    def __init__(self, pages: PageCache | None) -> None:
        self.pages = pages
        self.cursor = Cursor()
        self.rows: dict[str, Volume] = {}
        self.complete = False

    def follow(self, store: SqlStore, limit: int) -> bool:
        page = self.next_page(store, limit)
        if page.reset:
            self.rows = {}
        else:
            assert page.cursor.since >= self.cursor.since
        assert len(page.rows) + len(page.tombstones) <= limit
        for name in page.tombstones:
            self.rows.pop(name, None)
        kept = {name: self.rows[name].description for name in page.texts_kept}
        self.rows.update({name: Volume(*values) for name, *values in page.rows})
        self.rows.update({name: self.rows[name]._replace(description=text) for name, text in kept.items()})
        self.cursor = page.cursor
        self.complete = not page.more
        return page.more

    def next_page(self, store: SqlStore, limit: int) -> Page:
        if self.pages is None:
            return store.sync(SCOPE, self.cursor, 0, limit, ADMINISTRATOR)
        step = self.pages.step(store, Sync(SCOPE, self.cursor, 0, limit), Method.NONE, WHO)
        return decode_page(inflate(*step.packed))


def fill(store: SqlStore) -> None:
    places = (Repository(RepositoryId("LIBR")), Repository(RepositoryId("OFFS")))
    store.add_scope(SCOPE, repositories=places, default_repository="LIBR")
    store.add_token(WHO.user, make_verifier(b"t" * 32, b"s" * 16), 1, grants=(("*", Access.WRITE),))


@cache
def empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return empty_file(Path(folder), fill)


class History:
    """A store with its caches and backup, and what is known of the batches it took."""

    def __init__(self, place: InFile | InCluster) -> None:
        self.place = place
        self.store = place.open()
        pages = PageCache()
        self.caches = [Cache(None), Cache(pages), Cache(pages)]
        self.sent: dict[bytes, tuple[Batch, Outcome]] = {}
        self.backup: set[bytes] | None = None
        self.epochs = 0
        self.numbers = 0
        self.high = (b"", 0)

    def versions(self, table: str) -> dict[str, int]:
        schema = "mailsync." if isinstance(self.place, InCluster) else ""
        return dict(self.place.query(f"SELECT volume, version FROM {schema}{table}"))

    def load(self, names, slot):
        rows = [LoadRow(SCOPE, name, (slot, f"text {slot}"), 1) for name in names]
        # Every other load says nothing of descriptions: they stay, and their versions.
        fields = ("slot", "description") if slot != "2" else ("slot",)
        rows = [row._replace(values=row.values[: len(fields)]) for row in rows]
        assert not self.store.load(fields, rows).faults

    def delete(self, names):
        there = set(dict(self.store.export(SCOPE)))
        assert set(self.store.delete(SCOPE, names)) == there & set(names)

    def expire(self, kept):
        self.store.expire(SCOPE, max(0, self.store.scopes(ADMINISTRATOR)[0].version - kept))

    def follow_one_page(self, cache, limit):
        self.caches[cache].follow(self.store, limit)

    def follow_to_the_end(self, cache, limit):
        cache = self.caches[cache]
        pages = 0
        while cache.follow(self.store, limit):
            pages += 1
            assert pages < 100, "a sync that never ends"
        assert cache.rows == dict(self.store.export(SCOPE))

    def apply(self, cache, run, wanted):
        cache = self.caches[cache]
        if not cache.complete:
            return  # a half-downloaded copy never drives a batch
        self.numbers += 1
        operations = tuple(self.operation(*one) for one in wanted)
        run_id = bytes([run]) * 32
        batch = Batch(
            self.numbers.to_bytes(16, "big"), run_id, b"p" * 32, SCOPE, cache.cursor.epoch, cache.cursor.since,
            "", 1, (("mail", "a.csv"),), operations,
        )  # fmt: skip
        at = self.store.scopes(ADMINISTRATOR)[0]
        if batch.epoch != at.epoch or batch.base < at.floor:
            with pytest.raises(RequestError) as caught:
                self.store.apply(batch, batch.id * 2, WHO, 1)
            assert caught.value.code is (Code.EPOCH_CHANGED if batch.epoch != at.epoch else Code.BASE_TOO_OLD)
            return
        expected = self.expected(batch)
        outcome = self.store.apply(batch, batch.id * 2, WHO, 1)
        self.sent[batch.id] = (batch, outcome)
        for result, allowed in zip(outcome.results, expected, strict=True):
            assert result.result in allowed
        changed = {row.volume for row in self.store.ledger(SCOPE) if row.batch == batch.id}
        assert outcome.last - at.version == len(changed)

    @staticmethod
    def operation(change: Change, name: str, place: str) -> Operation:
        field = "confirmed_repository" if change is Change.CONFIRM else "repository"
        return Operation(change, name, (field,), (place,), 0, 1, 1)

    def expected(self, batch: Batch) -> list[set[Result]]:
        """What each operation may come to, as far as versions alone say: the first one on a volume tells."""
        rows, tombstones = self.versions("volumes"), self.versions("tombstones")
        last_run = {row.volume: (row.version, row.run) for row in self.store.ledger(SCOPE)}
        allowed: list[set[Result]] = []
        seen: set[str] = set()
        for name, creates in ((one.volume, one.change is Change.CREATE) for one in batch.operations):
            version = rows.get(name, 0)
            newer = version > batch.base and last_run.get(name) != (version, batch.run)
            if name in seen:
                allowed.append(set(Result))
            elif name in rows and creates:
                allowed.append({Result.EXISTS})
            elif name in rows:
                allowed.append({Result.CONFLICT} if newer else set(Result) - {Result.CONFLICT})
            elif creates:
                allowed.append({Result.CONFLICT if tombstones.get(name, 0) > batch.base else Result.OK})
            else:
                allowed.append({Result.NOT_FOUND})
            seen.add(name)
        return allowed

    def lose_the_acknowledgement(self, back):
        if not self.sent:
            return
        batch, outcome = self.sent[sorted(self.sent)[-1 - back % len(self.sent)]]
        before = self.all_there_is()
        again = self.store.apply(batch, batch.id * 2, WHO, 2)
        assert again == outcome._replace(replayed=True)
        with pytest.raises(RequestError) as caught:
            self.store.apply(batch._replace(operations=()), b"another request", WHO, 2)
        assert caught.value.outcome == outcome
        assert self.all_there_is() == before

    def all_there_is(self):
        return self.store.scopes(ADMINISTRATOR), dict(self.store.export(SCOPE)), list(self.store.ledger(SCOPE))

    def back_up(self):
        self.place.back_up()
        self.backup = set(self.sent)

    def restore(self):
        if self.backup is None:
            return
        self.store.close()
        self.place.restore()
        self.store = self.place.open()
        self.epochs += 1
        self.store.renew_epoch(self.epochs.to_bytes(16, "big"))
        self.sent = {name: kept for name, kept in self.sent.items() if name in self.backup}

    def check_versions(self):
        at, (epoch, version) = self.store.scopes(ADMINISTRATOR)[0], self.high
        assert at.epoch != epoch or at.version >= version
        self.high = (at.epoch, at.version)
        numbers = [*self.versions("volumes").values(), *self.versions("tombstones").values()]
        assert len(set(numbers)) == len(numbers)
        assert all(number <= at.version for number in numbers)


def play(place: InFile | InCluster, steps) -> None:
    history = History(place)
    try:
        for name, *arguments in steps:
            getattr(history, name)(*arguments)
            history.check_versions()
        for cache in range(3):
            history.follow_to_the_end(cache, 2)
    finally:
        history.store.close()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=25, max_size=50))
def test_whatever_happens_every_cache_equals_the_store_and_nothing_is_applied_twice(steps):
    with tempfile.TemporaryDirectory() as folder:
        play(InFile(Path(folder), empty_store()), steps)


@pytest.mark.system
@pytest.mark.xdist_group("postgres")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=25, max_size=50))
def test_on_postgresql_too_every_cache_equals_the_store_and_nothing_is_applied_twice(cluster, steps):
    play(InCluster(cluster, fill), steps)
