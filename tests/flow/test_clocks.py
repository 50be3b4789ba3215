"""A mail host whose clock jumps: its mails are given up in time, done once, and not in the way of others."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing

import pytest
from crash import check, crash_site, sent_copies, two_moves
from sites import Site, served

from mailsync.config.site import load_site
from mailsync.core.errors import TemporaryError
from mailsync.flow.intake import deliver
from mailsync.flow.world import World
from mailsync.mail.verdict import Action, Envelope
from mailsync.server.sql_apply import CLOCKS_DIFFER

DAY, YEAR = 86_400, 365 * 86_400


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return crash_site(tmp_path_factory.mktemp("clocks"), mails=60)


@pytest.fixture
def site(made):
    """The site, whose reports of other tests are forgotten: the order of reports is what these tests are about."""
    with closing(sqlite3.connect(made.folder / "state/server.db")) as store, store:
        store.execute("UPDATE batches SET asof = 0")
    return made


def attempt(site: Site, mail: bytes, ahead: int):
    """One attempt at a mail by a host whose clock is so many seconds ahead; None: it stays queued."""
    with World(load_site(site.config), clock=lambda: time.time() + ahead) as world:
        try:
            return deliver(mail, Envelope(site.recipient), world)
        except TemporaryError:
            return None


def newest_asof(site: Site) -> int:
    with closing(sqlite3.connect(site.folder / "state/server.db")) as store:
        return store.execute("SELECT asof FROM batches ORDER BY number DESC LIMIT 1").fetchone()[0]


def test_a_mail_first_seen_by_a_clock_that_was_ahead_is_done_and_in_nobodys_way(site):
    (mail, volumes), (other, others) = two_moves(site, 1), two_moves(site, 2)
    assert attempt(site, mail, YEAR) is None
    with served(site):
        assert attempt(site, mail, 0).action is Action.PROCESS
        assert newest_asof(site) <= time.time()
        assert attempt(site, other, 1).action is Action.PROCESS
    check(site, 1, volumes)
    check(site, 2, others)


def test_a_report_of_a_host_that_is_ahead_overtakes_others_no_longer_than_clocks_may_differ(site):
    (mail, volumes), (other, others) = two_moves(site, 3), two_moves(site, 4)
    with served(site):
        assert attempt(site, mail, YEAR).action is Action.PROCESS
        assert newest_asof(site) <= time.time() + CLOCKS_DIFFER
        assert attempt(site, other, CLOCKS_DIFFER + 1).action is Action.PROCESS
    check(site, 3, volumes)
    check(site, 4, others)


def test_a_mail_first_seen_by_a_clock_that_was_ahead_is_still_given_up_in_time(site):
    mail, volumes = two_moves(site, 5)
    assert attempt(site, mail, YEAR) is None
    assert attempt(site, mail, 0) is None
    given_up = attempt(site, mail, DAY + 60)
    assert given_up.action is Action.HOLD
    assert "not done within 24 h" in given_up.text
    with served(site):
        assert attempt(site, mail, 0).action is Action.PROCESS
    assert site.export()[volumes[0]]["repository"] == "OFFS"


def test_a_clock_that_leaps_ahead_gives_a_waiting_mail_up_which_is_told_and_can_be_taken_up_again(site):
    mail, volumes = two_moves(site, 6)
    assert attempt(site, mail, 0) is None
    assert attempt(site, mail, YEAR).action is Action.HOLD
    assert b"not done within 24 h" in b"".join(sent_copies(site, 6))
    with served(site):
        assert attempt(site, mail, 0).action is Action.PROCESS
        assert attempt(site, mail, -DAY).action is Action.DUPLICATE
    assert site.export()[volumes[0]]["repository"] == "OFFS"


def test_a_clock_set_back_while_a_mail_waits_changes_nothing_for_it(site):
    mail, volumes = two_moves(site, 7)
    assert attempt(site, mail, 0) is None
    with served(site):
        assert attempt(site, mail, -DAY).action is Action.PROCESS
    check(site, 7, volumes)


def test_a_report_that_only_a_wrong_clock_makes_old_is_held_told_and_changes_nothing(site):
    (mail, volumes), (late, lates) = two_moves(site, 8), two_moves(site, 9)
    with served(site):
        assert attempt(site, mail, 0).action is Action.PROCESS
        held = attempt(site, late, -DAY)
        assert held.action is Action.HOLD
        yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY))
        assert re.match(f"overtaken: a newer report of .*, first seen {yesterday}T", held.text)
        check(site, 8, volumes)
        assert site.export()[lates[0]]["repository"] == "LIBR"
        assert b"overtaken" in b"".join(sent_copies(site, 9))
