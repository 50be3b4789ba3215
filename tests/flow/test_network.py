"""A mail whose server is far away, or behind a bad network: what it waits for, and what it leaves behind."""

from __future__ import annotations

import pytest
from bad_network import DOWN, Fault, Kind
from far_mails import NAMES, chosen_faults, far_site, moved, try_each
from sites import extract, report_mail


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with far_site(tmp_path_factory.mktemp("far")) as found:
        yield found


@pytest.fixture
def site(made):
    return made[0]


@pytest.fixture
def network(made):
    """Without a fault, and as if nothing had passed yet."""
    made[1].fault = None
    made[1].passed.clear()
    return made[1]


def test_a_ping_waits_for_connection_handshake_and_two_answers(site, network):
    assert site.run("ping").returncode == 0
    assert [one.round_trips for one in network.passed] == [4]


def test_a_run_waits_six_times_and_once_more_where_it_moves_whatever_that_is_and_if_its_copy_is_cold(site, network):
    moves = moved(site, NAMES[:100])
    for number, rows in enumerate((moves[:1], moves, moves)):  # a cold copy; 99 more; nothing left to do
        assert site.filter(report_mail(site, extract(rows), number=number)).returncode == 0
    places = site.export()
    assert all(places[name]["repository"] == place for name, place in moves)
    # TCP, handshake, login with RUN begin and SYNC, LEDGER where it moves, APPLY, RUN renew, RUN replied with RUN end.
    # Nobody waits for the answer to RUN replied: where it is there before RUN end is sent, it seems as if.
    for passed, least in zip(network.passed, (7, 7, 6), strict=True):
        assert least <= passed.round_trips <= least + 1


def test_a_mail_whose_answer_was_lost_waits_no_longer_at_its_next_attempt(site, network):
    for number in (50, 51):  # the second finds its copy as the third will
        mail = report_mail(site, extract(moved(site, NAMES[number : number + 1])), number=number)
        assert site.filter(mail).returncode == 0
    answers = network.passed[-1].edges(DOWN)
    network.fault = Fault(Kind.FIN, DOWN, answers[-4])  # of APPLY or of RUN renew
    mail = report_mail(site, extract(moved(site, NAMES[52:53])), number=52)
    assert site.filter(mail).returncode == 75
    network.fault = None
    assert site.filter(mail).returncode == 0
    assert network.passed[-1].round_trips <= 8


def test_over_a_bad_network_a_mail_is_late_and_no_more(site, network):
    statuses = try_each(site, network, chosen_faults(10, seed=23))
    assert set(statuses) == {0, 75}
    assert statuses[75] >= 4
