"""A cache file that was damaged in any of its pages: thrown away, or told, and never believed where it is wrong."""

from __future__ import annotations

import sqlite3

import pytest

from mailsync.client.cache import Cache
from mailsync.client.cache_file import LAYOUT
from mailsync.core.errors import TemporaryError
from mailsync.core.fields import FIELD_NAMES

PAGE = 4096
VOLUMES = 400


@pytest.fixture
def whole(server, link, scope, tmp_path) -> bytes:
    """The file of a complete copy, some of whose texts are as long as texts may be."""
    for number in range(VOLUMES):
        text = "words " * (42 if number % 50 == 0 else 10)
        server.table.put(f"A{number:05d}", repository="LIBR", description=text)
    with Cache.open(tmp_path, "one") as cache:
        cache.refresh(link, scope)
    return (tmp_path / "one.db").read_bytes()


def attempt(link, scope, folder):
    """What one attempt makes of the scope: all of its rows, or None when it is to be tried again."""
    try:
        with Cache.open(folder, "one") as cache:
            return list(cache.refresh(link, scope).rows(FIELD_NAMES))
    except TemporaryError:
        return None


def check(server, link, scope, folder, damaged):
    """At once, or with the next attempt, the copy is right; and a wrong one is never given."""
    (folder / "one.db").write_bytes(damaged)
    first = attempt(link, scope, folder)
    assert first in (None, server.table.everything())
    if first is None:
        assert attempt(link, scope, folder) == server.table.everything()


def test_whichever_page_is_zeroed_the_copy_is_right_or_made_anew(server, link, scope, tmp_path, whole):
    for start in range(0, len(whole), PAGE):
        check(server, link, scope, tmp_path, whole[:start] + bytes(PAGE) + whole[start + PAGE :])


def test_wherever_the_file_is_cut_the_copy_is_made_anew(server, link, scope, tmp_path, whole):
    for length in (*range(0, len(whole), 3 * PAGE), 1, 99, PAGE - 1, PAGE + 1, len(whole) - 1):
        check(server, link, scope, tmp_path, whole[:length])


def test_garbage_and_another_magic_are_no_cache(server, link, scope, tmp_path, whole):
    check(server, link, scope, tmp_path, b"SQLite format 4\0" + whole[16:])
    check(server, link, scope, tmp_path, bytes(range(256)) * 64)


def test_tables_of_another_program_are_no_cache(server, link, scope, tmp_path, whole):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as made:
        made.executescript(f"CREATE TABLE scopes (name); PRAGMA user_version = {LAYOUT};")
    made.close()
    check(server, link, scope, tmp_path, other.read_bytes())


def test_a_folder_in_its_place_is_told_with_its_name(server, link, scope, tmp_path):
    (tmp_path / "one.db").mkdir()
    with pytest.raises(TemporaryError, match=r"one\.db: Is a directory") as caught:
        Cache.open(tmp_path, "one")
    assert "deleted at any time" in caught.value.hint
    (tmp_path / "one.db").rmdir()
    assert attempt(link, scope, tmp_path) == server.table.everything()
