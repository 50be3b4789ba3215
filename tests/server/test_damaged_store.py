"""A store's file with a page that was lost: every answer is the right one, or that the store is damaged."""

from __future__ import annotations

import re

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.errors import MailsyncError
from mailsync.core.outcome import Result
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sqlite import SqliteStore
from mailsync.server.store import LoadRow

PAGE = 4096
HASH = b"h" * 32
VOLUMES = 300


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:{tmp_path / 'server.db'}"


@pytest.fixture
def whole(library, scope, who, make_batch, move):
    """The file of a store that has been used, a batch that can be applied to it, and its rows."""
    rows = [LoadRow(scope, f"B{number:05d}", ("LIBR", f"words {number}"), 0) for number in range(VOLUMES)]
    library.load(("repository", "description"), rows)
    library.apply(make_batch(*(move(f"B{number:05d}", "OFFS") for number in range(0, VOLUMES, 3))), HASH, who, 200)
    batch = make_batch(move("A1", "OFFS"), id=b"another-batch-01")
    right = library.sync(scope, Cursor(), 0, 8192, ADMINISTRATOR).rows
    library.close()  # the last connection: what is in its log goes into the file
    return library.path.read_bytes(), batch, right


def answers(path, scope, who, batch):
    """What the store says when it is asked everything that clients ask, or why it does not."""
    try:
        with SqliteStore(path) as store:
            page = store.sync(scope, Cursor(), 0, 8192, ADMINISTRATOR)
            outcome = store.apply(batch, HASH, who, 200)
            after = dict(store.export(scope))["A1"].repository
            flaws = list(store.verify())
            return page.rows, outcome.results, after, flaws
    except MailsyncError as error:
        return error


def test_whichever_page_is_lost_no_answer_is_wrong(whole, scope, who, tmp_path):
    content, batch, right = whole
    path = tmp_path / "damaged.db"
    told = 0
    for start in range(0, len(content), PAGE):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(content[:start] + bytes(PAGE) + content[start + PAGE :])
        found = answers(path, scope, who, batch)
        if isinstance(found, MailsyncError):
            told += 1
            assert re.search("damaged|open store", str(found)), found
            assert found.hint == "restore it from a backup, and say: mailsync server restored"
        else:
            rows, results, after, flaws = found
            assert rows == right
            assert [one.result for one in results] == [Result.OK]
            assert after == "OFFS"
            assert flaws == []
    assert told > len(content) // PAGE // 2, "most pages hold something that was asked for"
