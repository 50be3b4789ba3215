"""The cache follows a real link: complete or not at all, one transaction a page, and never precious."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mailsync.client import cache as module
from mailsync.client.cache import Cache, cache_name
from mailsync.client.failures import NoScopeError
from mailsync.client.heads import SeenHead
from mailsync.core.cursor import Cursor
from mailsync.core.errors import TemporaryError, UnreachableError
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.ledger import SITE, Head
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.wire.events import SyncAsked


@pytest.fixture
def cache(tmp_path):
    with Cache.open(tmp_path / "cache", "one") as opened:
        yield opened


def syncs(server):
    return [event.sync for event in server.asked if isinstance(event, SyncAsked)]


def everything(snapshot):
    return list(snapshot.rows(FIELD_NAMES))


def fill(server, count=10):
    for number in range(count):
        server.table.put(f"A{number:05}", repository="LIBR", description=f"tape {number}")


def at_version(server, version):
    """The cursor of a copy that was complete at a version."""
    return Cursor(b"e" * 16, version, 0, version, server.table.mark(version), version)


def test_a_first_refresh_fetches_the_scope_and_the_next_only_what_changed(server, link, cache, scope):
    fill(server)
    first = cache.refresh(link, scope)
    assert (first.scope, first.epoch, first.version, first.size) == (scope, b"e" * 16, 10, 10)
    assert everything(first) == server.table.everything()
    assert first.repositories == {
        "LIBR": Repository(RepositoryId("LIBR"), "Library", "Library"),
        "OFFS": Repository(RepositoryId("OFFS")),
    }
    server.table.put("A00003", repository="OFFS")
    server.table.delete("A00004")
    second = cache.refresh(link, scope)
    assert everything(second) == server.table.everything()
    assert (second.version, second.size) == (12, 9)
    assert [sync.cursor for sync in syncs(server)] == [Cursor(), at_version(server, 10)]
    assert [sync.repositories_version for sync in syncs(server)] == [0, 1]


def test_a_description_that_did_not_change_does_not_travel_and_is_kept(server, link, cache, scope, monkeypatch):
    fill(server)
    cache.refresh(link, scope)
    server.table.put("A00003", repository="OFFS")
    server.table.put("A00004", description="tape four")
    server.table.delete("A00005")
    server.table.put("A00005", repository="LIBR", description="a new one of the old name")
    pages = []
    commit = Cache._commit
    monkeypatch.setattr(Cache, "_commit", lambda *words: pages.append(words[2]) or commit(*words))
    assert everything(cache.refresh(link, scope)) == server.table.everything()
    assert [page.texts_kept for page in pages] == [("A00003",)]
    server.table.put("A00003", description="")
    assert everything(cache.refresh(link, scope)) == server.table.everything()


def test_a_copy_half_followed_keeps_the_texts_it_had_when_it_was_last_complete(server, dial, cache, scope):
    fill(server)
    cache.refresh(dial(), scope)
    for number in range(10):
        server.table.put(f"A{number:05}", description=f"new {number}")
    server.page_rows = 4
    server.before_page = [lambda: None, lambda: (_ for _ in ()).throw(ConnectionError())]
    with pytest.raises(UnreachableError):
        cache.refresh(dial(), scope)
    for number in range(10):
        server.table.put(f"A{number:05}", slot="7")
    assert everything(cache.refresh(dial(), scope)) == server.table.everything()


def test_a_server_that_lost_commits_is_found_out_by_the_mark(server, link, cache, scope):
    fill(server)
    cache.refresh(link, scope)
    server.table.lose(3)
    for number in range(10, 15):
        server.table.put(f"A{number:05}", repository="OFFS")
    assert server.table.version > 10
    assert everything(cache.refresh(link, scope)) == server.table.everything()


def test_a_snapshot_says_the_same_however_often_it_is_read(server, link, cache, scope):
    fill(server)
    snapshot = cache.refresh(link, scope)
    before = everything(snapshot)
    server.table.put("A00003", repository="OFFS")
    server.table.restore()
    cache.refresh(link, scope)
    assert everything(snapshot) == before
    assert list(snapshot.rows(())) == [(f"A{n:05}",) for n in range(10)]
    assert next(snapshot.rows(("slot", "repository"))) == ("A00000", "", "LIBR")


def test_a_few_volumes_are_looked_up_as_the_whole_says_them(server, link, cache, scope):
    fill(server)
    snapshot = cache.refresh(link, scope)
    named = ("A00007", "NOSUCH", "A00002")
    whole = {row[0]: row for row in snapshot.rows(("repository", "slot"))}
    assert list(snapshot.lookup(named, ("repository", "slot"))) == [whole["A00007"], whole["A00002"]]
    assert list(snapshot.lookup((), ("slot",))) == []


def test_a_field_that_is_none_is_refused(server, link, cache, scope):
    with pytest.raises(KeyError):
        list(cache.refresh(link, scope).rows(("slot; DROP TABLE volumes",)))


def test_only_a_complete_copy_is_a_snapshot(server, link, cache, scope):
    fill(server)
    server.page_rows = 3
    assert cache.snapshot(scope) is None
    server.failures = []
    copy = cache._begun(scope)
    first = next(link.sync(scope, Cursor(), 0))
    assert cache._commit(copy, first)
    assert cache.snapshot(scope) is None
    assert everything(cache.refresh(link, scope)) == server.table.everything()
    assert cache.snapshot(scope).size == 10


def test_what_was_fetched_before_a_break_is_not_fetched_again(server, dial, cache, scope):
    fill(server, 20)
    server.page_rows = 3
    server.before_page = [lambda: None] * 6 + [lambda: (_ for _ in ()).throw(ConnectionError())]
    with pytest.raises(UnreachableError):
        cache.refresh(dial(), scope)
    assert everything(cache.refresh(dial(), scope)) == server.table.everything()
    assert syncs(server)[-1].cursor.since >= 12


def test_a_page_is_dropped_when_another_run_has_moved_the_copy(server, dial, cache, scope, tmp_path):
    fill(server)
    server.page_rows = 4

    def other():
        with Cache.open(tmp_path / "cache", "one") as same:
            same.refresh(dial(), scope)

    server.before_page = [other]
    assert everything(cache.refresh(dial(), scope)) == server.table.everything()
    cursors = [sync.cursor for sync in syncs(server)]
    assert cursors[:2] == [Cursor(), Cursor()]  # both began, one finished
    assert cursors[-1] == at_version(server, 10)  # and the other went on from there


def test_a_copy_that_never_stands_still_is_given_up(server, link, cache, scope, monkeypatch):
    fill(server)
    monkeypatch.setattr(Cache, "_commit", lambda *_: False)
    with pytest.raises(TemporaryError, match="keep changing"):
        cache.refresh(link, scope)
    assert len(syncs(server)) == module.ATTEMPTS


def test_a_refresh_without_news_writes_nothing(server, link, cache, scope):
    fill(server)
    cache.refresh(link, scope)
    before = cache._connection.total_changes
    cache.refresh(link, scope)
    assert cache._connection.total_changes == before


def test_new_repositories_arrive_without_new_volumes(server, link, cache, scope):
    fill(server)
    cache.refresh(link, scope)
    server.table.repositories = (Repository(RepositoryId("RACK"), offsite=True),)
    server.table.repositories_version = 2
    assert cache.refresh(link, scope).repositories == {"RACK": Repository(RepositoryId("RACK"), offsite=True)}


def test_another_life_of_the_store_starts_the_copy_anew(server, link, cache, scope):
    fill(server)
    cache.refresh(link, scope)
    server.table.delete("A00001")
    server.table.restore()
    snapshot = cache.refresh(link, scope)
    assert everything(snapshot) == server.table.everything()
    assert snapshot.epoch == server.table.epoch


def test_a_scope_the_server_does_not_have_is_deleted_from_the_cache(server, link, cache, scope):
    fill(server)
    cache.refresh(link, scope)
    del server.tables[scope]
    with pytest.raises(NoScopeError):
        cache.refresh(link, scope)
    assert cache.snapshot(scope) is None
    assert cache._connection.execute("SELECT count(*) FROM volumes").fetchone() == (0,)


def test_the_head_of_a_scopes_ledger_is_kept_with_each_page_and_goes_with_the_scope(server, link, cache, scope):
    def kept():
        return [one.head for one in cache.heads((str(scope), "DE09.LTO"))]

    assert kept() == []
    fill(server)
    for _ in range(2):
        cache.refresh(link, scope)
        version = server.table.version
        assert kept() == [Head(str(scope), version, server.table.mark(version) * 4)]
        server.table.put("A00003", repository="OFFS")
    server.tables.clear()
    with pytest.raises(NoScopeError):
        cache.refresh(link, scope)
    assert kept() == []


def test_a_head_that_is_seen_again_keeps_the_time_it_was_first_seen(cache):
    """What was there before a restore and after it was not lost; what a restore lost was seen before it."""
    one, other = Head(SITE, 3, b"h" * 32), Head(SITE, 2, b"i" * 32)
    cache.keep_head(one)
    cache._connection.execute("UPDATE heads SET seen = 5")
    cache.keep_head(one)
    assert cache.heads((SITE,)) == (SeenHead(one, 5),)
    cache.keep_head(other)
    ((found, seen),) = cache.heads((SITE,))
    assert (found, seen > 1_700_000_000) == (other, True)


def test_scopes_share_a_file_and_nothing_else(server, link, cache, scope):
    fill(server)
    other = Scope(CustomerId("US01"), MediaId("3592"))
    server.tables[other] = type(server.table)()
    server.tables[other].put("B00001")
    cache.refresh(link, scope)
    assert [row[0] for row in cache.refresh(link, other).rows(())] == ["B00001"]
    assert cache.refresh(link, scope).size == 10


@pytest.mark.parametrize("damage", [b"this is no database" * 100, b"", b"SQLite format 3\0" + bytes(500)])
def test_a_damaged_file_is_made_anew_without_a_word(server, link, scope, tmp_path, damage):
    fill(server)
    with Cache.open(tmp_path, "one") as cache:
        cache.refresh(link, scope)
    (tmp_path / "one.db").write_bytes(damage)
    with Cache.open(tmp_path, "one") as cache:
        assert cache.snapshot(scope) is None
        assert everything(cache.refresh(link, scope)) == server.table.everything()


def test_damage_found_on_the_way_is_repaired_on_the_way(server, link, scope, tmp_path):
    fill(server, 3000)
    with Cache.open(tmp_path, "one") as cache:
        cache.refresh(link, scope)
    path = tmp_path / "one.db"
    size = path.stat().st_size
    with path.open("r+b") as file:  # the header stays, what lies behind the first pages is noise
        file.seek(4096 * 8)
        file.write(os.urandom(size - 4096 * 8))
    with Cache.open(tmp_path, "one") as cache:
        server.table.put("A00003", repository="OFFS")
        snapshot = None
        for _ in range(2):  # found while storing, or while reading: then this attempt ends in 75
            try:
                snapshot = everything(cache.refresh(link, scope))
            except TemporaryError:
                cache.close()
                cache = Cache.open(tmp_path, "one")  # noqa: PLW2901 - as the next attempt would
        assert snapshot == server.table.everything()


def test_damage_found_while_reading_ends_in_75_and_the_next_attempt_starts_anew(server, dial, scope, tmp_path):
    fill(server, 3000)
    with Cache.open(tmp_path, "one") as cache:
        cache.refresh(dial(), scope)
    path = tmp_path / "one.db"
    with Cache.open(tmp_path, "one") as cache:
        snapshot = cache.snapshot(scope)
        with path.open("r+b") as file:
            file.seek(4096 * 8)
            file.write(os.urandom(path.stat().st_size - 4096 * 8))
        with pytest.raises(TemporaryError, match="malformed"):
            everything(snapshot)
        assert not path.exists()
    with Cache.open(tmp_path, "one") as cache:
        assert everything(cache.refresh(dial(), scope)) == server.table.everything()


def test_a_page_is_stored_whole_or_not_at_all(server, link, cache, scope):
    fill(server)
    before = everything(cache.refresh(link, scope))
    copy = cache._begun(scope)
    page = server.table.page(Cursor(), 0, 100)
    with pytest.raises(sqlite3.Error):
        cache._commit(copy, page._replace(rows=(*page.rows[:5], (object(), *page.rows[5][1:]))))
    assert everything(cache.snapshot(scope)) == before
    assert cache._begun(scope) == copy


def test_a_locked_file_is_temporary_and_not_taken_for_damage(server, link, cache, scope, tmp_path):
    fill(server)
    cache._connection.execute("PRAGMA busy_timeout = 0")
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "one.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TemporaryError, match="locked"):
            cache.refresh(link, scope)
    assert cache.refresh(link, scope).size == 10


def test_a_file_of_another_layout_is_made_anew(server, link, scope, tmp_path):
    fill(server)
    with sqlite3.connect(tmp_path / "one.db") as old:
        old.executescript("CREATE TABLE volumes (other); PRAGMA user_version = 99;")
    old.close()
    with Cache.open(tmp_path, "one") as cache:
        assert cache.refresh(link, scope).size == 10


@pytest.fixture
def open_umask():
    """Files are made as openly as a careless account makes them."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_files_are_for_this_user_alone(server, link, tmp_path, scope, open_umask):
    folder = tmp_path / "state" / "cache"
    fill(server)
    with Cache.open(folder, "one") as cache:
        cache.refresh(link, scope)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys(["one.db", "one.db-wal", "one.db-shm"], 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_is_temporary(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TemporaryError):
        Cache.open(tmp_path / "file", "one")


def test_a_cache_is_named_by_server_key_and_user(key):
    names = {
        cache_name("vault1:5000", key, "filter"),
        cache_name("vault1:5000", key, "other"),
        cache_name("vault1:5000", key._replace(id="site-2"), "filter"),
        cache_name("vault1:5000", key._replace(server=b"!" * 32), "filter"),
        cache_name("vault1:5000", key._replace(server=b""), "filter"),
        cache_name("vault2:5000", key._replace(server=b""), "filter"),
    }
    assert len(names) == 6
    assert {len(name) for name in names} == {64}
    assert cache_name("vault1:5000", key, "filter") == cache_name("vault9:1", key, "filter")


VOLUMES = st.integers(0, 12).map("A{:05}".format)


class Histories(RuleBasedStateMachine):
    """Small pages, two caches, one of them used twice, deletions, forgotten tombstones, restored stores, breaks."""

    server = dial = scope = folder = None

    def __init__(self):
        super().__init__()
        self.server.tables[self.scope] = self.server.table = type(self.server.table)()
        self.server.page_rows = 2
        folder = self.folder / os.urandom(8).hex()
        self.caches = [Cache.open(folder, name) for name in ("one", "two", "one")]
        self.links = [self.dial() for _ in self.caches]

    @rule(volume=VOLUMES, slot=st.sampled_from("123"))
    def change(self, volume, slot):
        self.server.table.put(volume, slot=slot)

    @rule(volume=VOLUMES)
    def delete(self, volume):
        if volume in self.server.table.rows:
            self.server.table.delete(volume)

    @rule()
    def expire(self):
        self.server.table.expire()

    @rule()
    def restore(self):
        self.server.table.restore()

    @rule(which=st.integers(0, 2), pages=st.integers(1, 3))
    def break_off(self, which, pages):
        """A run that dies after some pages."""
        cache, link = self.caches[which], self.links[which]
        copy = cache._begun(self.scope)
        for page, _ in zip(link.sync(self.scope, copy.cursor, copy.repositories_version), range(pages), strict=False):
            assert cache._commit(copy, page)
            copy = copy._replace(cursor=page.cursor)

    @rule(which=st.integers(0, 2))
    def refresh(self, which):
        snapshot, table = self.caches[which].refresh(self.links[which], self.scope), self.server.table
        assert everything(snapshot) == table.everything()
        assert (snapshot.epoch, snapshot.version, snapshot.size) == (table.epoch, table.version, len(table.rows))
        snapshot.close()

    @invariant()
    def what_is_complete_has_as_many_rows_as_it_says(self):
        for cache in self.caches:
            snapshot = cache.snapshot(self.scope)
            if snapshot is not None:
                assert snapshot.size == len(everything(snapshot))
                snapshot.close()

    def teardown(self):
        for which in range(3):
            self.refresh(which)
        for one in (*self.caches, *self.links):
            one.close()


def test_after_any_history_every_cache_equals_the_server(server, dial, scope, tmp_path):
    given = {"server": server, "dial": staticmethod(dial), "scope": scope, "folder": tmp_path}
    bounds = settings(deadline=None, max_examples=20, stateful_step_count=20)
    run_state_machine_as_test(type("Bound", (Histories,), given), settings=bounds)
