"""Killed at every effect, and at random: each mail is applied exactly once, and its reply tells all that was done."""

from __future__ import annotations

import re

import pytest
from crash import check, crash_site, kill_at_random, kill_filters_and_server, killed_before, two_moves
from sites import served

KILLS = 100
SERVER_KILLS = 6
pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = crash_site(tmp_path_factory.mktemp("crash"), mails=1000)
    with served(made):
        yield made


def test_killed_before_each_effect_and_run_again_every_mail_is_applied_once_and_answered(site):
    # The first run of a site does more than the others: it fetches all volumes and compiles the templates.
    assert site.filter(two_moves(site, 499)[0]).returncode == 0
    counted = killed_before(site, two_moves(site, 0)[0], 0)
    assert counted.returncode == 0, counted.stderr
    effects = int(re.search(rb"effects: (\d+)", counted.stderr)[1])
    assert effects > 30
    died = 0
    for effect in range(1, effects + 1):
        mail, volumes = two_moves(site, effect)
        first = killed_before(site, mail, effect)
        died += first.returncode == -9
        assert first.returncode in (-9, 0), first.stderr
        again = site.filter(mail)
        assert again.returncode == 0, again.stderr.decode()
        check(site, effect, volumes)
    # A later run may have an effect less than the counted one; that nearly all were killed shows the kills are real.
    assert died > 0.9 * effects, (died, effects)
    assert b"no mail is held" in site.run("held", "list").stderr


def test_killed_at_random_moments_every_mail_is_applied_once_and_answered(site):
    kill_at_random(site, range(500, 1000), KILLS, seed=7)


def test_killed_together_with_its_server_every_mail_is_applied_once_and_answered(tmp_path):
    site = crash_site(tmp_path, mails=200)
    servers, filters, mails = kill_filters_and_server(site, range(200), SERVER_KILLS, seed=5)
    assert servers >= SERVER_KILLS
    assert filters > 0, mails
    assert b"no mail is held" in site.run("held", "list").stderr
    assert site.run("audit", "verify").returncode == 0
