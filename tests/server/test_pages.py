"""Pages packed once: the same to all who ask alike, and never one that the store would not stand by."""

from __future__ import annotations

import pytest

from mailsync.core.cursor import Cursor
from mailsync.server.access import ADMINISTRATOR, Principal
from mailsync.server.pages import PageCache
from mailsync.server.store import LoadRow
from mailsync.wire import limits
from mailsync.wire.compression import Method, inflate
from mailsync.wire.messages import Sync
from mailsync.wire.pages import decode_page

WHO = Principal("filter", "site", 1)


class Copy:
    """A copy that follows by a page cache."""

    def __init__(self, store, pages, scope) -> None:
        self.store, self.pages, self.scope = store, pages, scope
        self.cursor, self.repositories, self.rows = Cursor(), 0, {}

    def step(self, rows=3):
        """One page further; True while there are more."""
        asked = Sync(self.scope, self.cursor, self.repositories, rows)
        step = self.pages.step(self.store, asked, Method.DEFLATE, WHO)
        page = decode_page(inflate(*step.packed))
        assert (page.cursor, page.more, page.repositories_version) == step[2:]
        self.rows = {} if page.reset else self.rows
        for name in page.tombstones:
            self.rows.pop(name, None)
        for name, text, *values in page.rows:
            self.rows[name] = (self.rows[name][0] if name in page.texts_kept else text, *values)
        self.cursor, self.repositories = page.cursor, page.repositories_version
        return page.more

    def follow(self, rows=3):
        while self.step(rows):
            pass
        return self

    def is_whole(self):
        return self.rows == {name: tuple(volume) for name, volume in self.store.export(self.scope)}


@pytest.fixture
def pages():
    return PageCache()


@pytest.fixture
def copy(library, pages, scope):
    return lambda: Copy(library, pages, scope)


def put(store, scope, *names, **fields):
    store.load(tuple(fields), [LoadRow(scope, name, tuple(fields.values()), 0) for name in names])


def test_a_second_copy_is_given_what_was_packed_for_the_first(copy, pages):
    assert copy().follow().is_whole()
    assert pages.reads == 3
    assert copy().follow().is_whole()
    assert pages.reads == 3
    assert copy().follow(rows=4).is_whole()
    assert pages.reads == 6, "other pages for who asks for other sizes"


def test_a_change_makes_a_last_page_worthless_and_leaves_the_others(copy, pages, library, scope):
    first = copy().follow()
    put(library, scope, "A2", description="seen")
    assert first.follow().is_whole()
    reads = pages.reads
    assert copy().follow().is_whole()
    assert pages.reads == reads + 2, "two pages of the snapshot as it was, and what comes after them anew"


def test_a_copy_of_an_earlier_snapshot_loses_what_was_deleted_since(copy, library, scope):
    copy().follow()
    library.delete(scope, ["A1", "A2"])
    put(library, scope, "A2", repository="OFFS")
    late = copy()
    assert late.step()
    assert "A1" in late.rows, "the page is the one of the earlier snapshot"
    assert late.follow().is_whole()


def test_a_snapshot_whose_tombstones_were_forgotten_is_given_to_nobody(copy, library, scope):
    copy().follow()
    library.delete(scope, ["A1"])
    library.expire(scope, 10)
    late = copy()
    late.step()
    assert "A1" not in late.rows
    assert late.follow().is_whole()


def test_a_copy_below_the_floor_is_given_no_page_of_those_above_it(copy, library, scope):
    slow, quick = copy(), copy()
    slow.step()
    quick.follow()
    library.delete(scope, ["A1"])
    library.expire(scope, 10)
    assert slow.follow().is_whole()


def test_a_snapshot_far_behind_is_made_anew(copy, pages, library, scope):
    copy().follow()
    put(library, scope, *[f"B{number}" for number in range(4)], repository="LIBR")
    reads = pages.reads
    assert copy().follow().is_whole()
    assert pages.reads == reads + 5


def test_nothing_of_another_life_is_given(copy, pages, library, scope):
    copy().follow()
    library.renew_epoch(b"another life....")
    assert copy().follow().is_whole()
    assert pages.reads == 6


def test_a_changed_table_of_repositories_travels(copy, library, scope):
    one = copy().follow()
    library.add_repository(scope, library.repositories(scope)[0]._replace(description="Elsewhere"))
    assert one.follow().repositories == library.scopes(ADMINISTRATOR)[0].repositories_version
    assert copy().follow().repositories == one.repositories


def test_what_is_kept_is_bounded_and_the_oldest_goes_first(library, scope):
    pages = PageCache(most=1)
    assert Copy(library, pages, scope).follow().is_whole()
    assert Copy(library, pages, scope).follow().is_whole()
    assert pages.reads == 6
    assert (pages._bytes, len(pages._steps)) == (0, 0)


def test_a_page_too_large_for_a_message_becomes_smaller_ones(copy, pages, library, scope, monkeypatch):
    for number in range(1, 10):
        put(library, scope, f"A{number}", description=str(number) * 200)
    monkeypatch.setattr(limits, "MESSAGE_INFLATED", 1000)
    assert copy().follow(rows=9).is_whole()
    assert pages.reads > 2
