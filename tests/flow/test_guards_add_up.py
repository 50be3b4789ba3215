"""Guards add up: several mails, each within its share, cannot move everything within a day."""

from __future__ import annotations

import json
import os

import pytest
from sites import extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.config.definitions import load_definitions
from mailsync.config.site import load_site
from mailsync.core.errors import TemporaryError
from mailsync.core.guard import DAY_SECONDS
from mailsync.core.identity import run_id
from mailsync.core.model import Attachment
from mailsync.flow.reading import file_report
from mailsync.flow.settle import Job, settle
from mailsync.flow.world import World
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sqlite import SqliteStore

NAMES = volume_names(100)
LIBRARY = library_csv(100).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR")


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path / "site")
    load(made, LIBRARY)
    with served(made):
        yield made


@pytest.fixture
def world(site):
    with World(load_site(site.config)) as opened:
        yield opened


def moves(start: int, count: int) -> list[tuple[str, str]]:
    return [(name, "OFFS") for name in NAMES[start : start + count]]


def moved(site) -> int:
    return sum(volume["repository"] == "OFFS" for volume in site.export().values())


def job(world, rows, *, route: str = "", events: bool = False) -> Job:
    """A run begun in the journal; of the site's route under another name, or of a definition that lists events."""
    (site_route,) = world.site.routes
    site_route = site_route._replace(name=route or site_route.name)
    run = run_id(site_route.name, (os.urandom(16),))
    world.journal.begin(run, mail=bytes(run), route=site_route.name, verdict="", now=world.now())
    definition = load_definitions(world.site).by_name["nightly-csv"]
    definition = definition._replace(overtaken="apply") if events else definition
    report = file_report(
        Attachment("extract.csv", extract(rows), "", "", 0, body=False), definition, site_route, world.site, now=1
    )
    return Job(run, site_route, world.now(), report)


class Through:
    """The site's server, as it is."""

    def __init__(self, server):
        self.server = server

    def __getattr__(self, name):
        return getattr(self.server, name)


def guards(facts) -> list[str]:
    return [one.guard for one in facts.objections]


def test_ten_mails_of_19_percent_are_stopped_before_the_share_is_passed_and_people_are_told(site):
    for number in range(10):
        mail = report_mail(site, extract(moves(number * 10, 10 if number else 19)), number=number)
        assert site.filter(mail).returncode == 0
    assert moved(site) <= 30
    assert moved(site) >= 19
    refused = [reply for reply in site.replies() if b"of the same source moved" in b" ".join(reply.split())]
    assert len(refused) >= 7
    done = site.run("explain", "--recipient", site.recipient, "--json", stdin=report_mail(site, extract(moves(80, 12))))
    (objection,) = json.loads(done.stdout)["objections"]
    assert objection["guard"] == "max_share_moved"
    assert "within 24 h" in objection["text"]


def test_another_route_has_a_share_of_its_own(site, world):
    assert guards(settle(job(world, moves(0, 20)), world.journal, world.server)) == []
    assert guards(settle(job(world, moves(20, 20)), world.journal, world.server)) == ["max_share_moved"]
    assert guards(settle(job(world, moves(20, 20), route="weekly"), world.journal, world.server)) == []
    assert moved(site) == 40


def test_lists_of_events_add_up_too_and_apart_from_those_of_another_route(world):
    first, second = job(world, moves(0, 20), events=True), job(world, moves(20, 20), events=True)
    elsewhere = job(world, moves(40, 20), route="weekly", events=True)
    assert guards(settle(first, world.journal, world.server)) == []
    assert guards(settle(second, world.journal, world.server)) == ["max_share_moved"]
    assert guards(settle(elsewhere, world.journal, world.server)) == []


def test_a_run_does_not_stand_in_its_own_way_when_it_is_tried_again(site, world):
    """It is applied, its answer is lost, and the journal too: what it moved is not held against it."""
    asked = job(world, moves(0, 20))

    class Cut(Through):
        def apply(self, body):
            self.server.apply(body)
            raise TemporaryError("the connection broke")

    with pytest.raises(TemporaryError):
        settle(asked, world.journal, Cut(world.server))
    with SqliteStore(site.folder / "state/server.db") as store:
        (batch,) = store.batches(world.site.routes[0].scope)
    scope = world.site.routes[0].scope
    assert world.server.earlier(scope, batch.source, asked.run) == (0, 0)
    assert world.server.earlier(scope, batch.source, bytes(32)) == (20, 1)
    world.journal._db.execute("DELETE FROM batches")
    world.journal._db.execute("DELETE FROM chapters")
    world.journal._db.execute("UPDATE runs SET report = NULL")
    again = settle(asked, world.journal, world.server)
    assert guards(again) == []
    assert moved(site) == 20


def test_only_what_moves_something_asks_the_server(world):
    asked = []

    class Counting(Through):
        def earlier(self, scope, source, run):
            asked.append(source)
            return self.server.earlier(scope, source, run)

    settle(job(world, [(NAMES[0], "LIBR")]), world.journal, Counting(world.server))
    assert asked == []
    settle(job(world, moves(0, 1)), world.journal, Counting(world.server))
    assert len(asked) == 1


def test_a_day_later_it_goes_on(world):
    """The server's clock decides: here the store's own, a day ahead."""
    asked = job(world, moves(0, 20))
    settle(asked, world.journal, world.server)
    scope, now = world.site.routes[0].scope, world.now()
    with SqliteStore(world.site.state / "server.db") as store:
        source = store.batches(scope)[0].source
        assert store.earlier(scope, source, bytes(32), now + DAY_SECONDS - 60, ADMINISTRATOR) == (20, 1)
        assert store.earlier(scope, source, bytes(32), now + DAY_SECONDS + 60, ADMINISTRATOR) == (0, 0)


class Away(Through):
    """No batch comes through."""

    def apply(self, _):
        raise TemporaryError("the server is away")


@pytest.mark.parametrize("events", [False, True])
def test_plans_that_waited_for_the_server_are_judged_by_what_the_others_moved_meanwhile(site, world, events):
    jobs = [job(world, moves(20 * number, 20), events=events) for number in range(4)]
    for one in jobs:
        with pytest.raises(TemporaryError):
            settle(one, world.journal, Away(world.server))
    for one in jobs:
        settle(one, world.journal, world.server)
    assert moved(site) == 20
