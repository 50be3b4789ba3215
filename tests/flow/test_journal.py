"""The journal: what was kept is read back, and counts tell a crash from an orderly end."""

from __future__ import annotations

import sqlite3
import stat

import pytest

from mailsync.client.journal import DONE, HELD, OPEN, Chapter, Journal, KeptBatch
from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId

RUN = RunId(bytes(range(32)))
OTHER = RunId(bytes(range(1, 33)))


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "state" / "journal.db")
    yield opened
    opened.close()


def begin(journal, *, run=RUN, mail=b"mail 1", verdict="{}", now=100):
    return journal.begin(run, mail=mail, route="nightly", verdict=verdict, now=now)


def test_the_verdict_and_time_of_the_first_attempt_stay(journal):
    begin(journal, verdict='{"first": 1}', now=100)
    again = begin(journal, verdict='{"second": 2}', now=900)
    assert (again.verdict, again.first_seen, again.attempts) == ('{"first": 1}', 100, 2)


def test_an_attempt_that_ends_in_order_counts_no_crash(journal):
    for _ in range(5):
        assert begin(journal).crashes == 1
        journal.postpone(RUN)


def test_attempts_that_die_add_up(journal):
    assert [begin(journal).crashes for _ in range(3)] == [1, 2, 3]


def test_a_held_run_that_comes_again_starts_its_count_and_its_time_anew(journal):
    for _ in range(3):
        begin(journal)
    journal.end(RUN, state=HELD, reason="died three times", now=200)
    again = begin(journal, now=500)
    assert (again.state, again.crashes, again.first_seen, again.reason) == (OPEN, 1, 500, "")


def test_the_very_mail_finds_its_run_while_that_is_open(journal):
    begin(journal)
    begin(journal, run=OTHER, mail=b"mail 2")
    assert journal.open_with(b"mail 2").run == OTHER
    assert journal.open_with(b"mail 3") is None
    journal.end(OTHER, state=DONE, reason="", now=2)
    assert journal.open_with(b"mail 2") is None


def test_what_was_decided_is_read_back_whole_after_opening_again(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    begin(journal)
    chapters = (Chapter(0, 0, "US01.LTO", '{"steps": []}', dropped=False),)
    batches = tuple(KeptBatch(0, part, bytes([part]) * 16, b"body" * 99) for part in range(2))
    journal.decide(RUN, '{"read": 7}', chapters, batches)
    journal.answered(RUN, batches[0], '{"first": 1}')
    journal.close()
    journal = Journal(tmp_path / "journal.db")
    assert journal.find(RUN).report == '{"read": 7}'
    assert journal.chapters(RUN) == chapters
    assert journal.unanswered(RUN) == batches[1:]
    assert journal.outcomes(RUN) == {0: ['{"first": 1}', None]}
    journal.close()


def test_dropping_a_stale_chapter_keeps_only_its_answered_batches(journal):
    begin(journal)
    first = Chapter(0, 0, "US01.LTO", "{}", dropped=False)
    batches = tuple(KeptBatch(0, part, bytes([part]) * 16, b"body") for part in range(3))
    journal.decide(RUN, "{}", (first,), batches)
    journal.answered(RUN, batches[0], "{}")
    second = KeptBatch(1, 1, b"n" * 16, b"new body")
    journal.extend(RUN, (Chapter(1, 0, "US01.LTO", "{}", dropped=False),), (second,), dropping=0)
    assert [chapter.dropped for chapter in journal.chapters(RUN)] == [True, False]
    assert journal.outcomes(RUN) == {0: ["{}"], 1: [None]}
    assert [(batch.chapter, batch.part) for batch in journal.unanswered(RUN)] == [(1, 1)]


def test_a_failed_transaction_leaves_nothing(journal):
    begin(journal)
    twice = KeptBatch(0, 0, b"i" * 16, b"body")
    with pytest.raises(TemporaryError):
        journal.decide(RUN, "{}", (Chapter(0, 0, "US01.LTO", "{}", dropped=False),), (twice, twice))
    assert journal.find(RUN).report is None
    assert journal.chapters(RUN) == ()


def test_marks_and_bytes_are_kept_per_run(journal):
    begin(journal)
    journal.mark_sent(RUN, "operator", 120)
    journal.spent(RUN, 10, 20)
    journal.spent(RUN, 1, 2)
    assert journal.sent_to(RUN) == {"operator"}
    assert journal.find(RUN)[-2:] == (11, 22)


def test_held_runs_are_listed_oldest_first_and_found_by_the_start_of_their_id(journal):
    begin(journal, now=300)
    begin(journal, run=OTHER, mail=b"mail 2", now=200)
    journal.end(RUN, state=HELD, reason="no route", now=301)
    journal.end(OTHER, state=HELD, reason="no token", now=201)
    assert [run.reason for run in journal.held()] == ["no token", "no route"]
    assert [run.run for run in journal.matching(OTHER.hex()[:6])] == [OTHER]
    journal.end(OTHER, state=DONE, reason="", now=400)
    assert [run.run for run in journal.held()] == [RUN]


def test_the_file_is_its_owners_alone(tmp_path):
    journal = Journal(tmp_path / "state" / "journal.db")
    begin(journal)
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    journal.close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"not a database, but longer than a header" * 40)
    with pytest.raises(TemporaryError, match=r"journal\.db"):
        Journal(tmp_path / "journal.db")


def test_another_process_that_writes_is_waited_for(tmp_path, journal):
    begin(journal)
    with sqlite3.connect(tmp_path / "state" / "journal.db") as other:
        assert other.execute("SELECT state FROM runs").fetchall() == [(OPEN,)]
    journal.end(RUN, state=DONE, reason="", now=2)
