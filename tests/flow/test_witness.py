"""Every mail that mailsync sends carries where the ledger ended when this host last saw it, and names nobody else's."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from sites import FAULTY, PER_ROW, Site, extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.client.cache import Cache
from mailsync.client.journal import Chapter
from mailsync.config.route import SENDER, Audience
from mailsync.config.site import load_site
from mailsync.core.errors import DeadlineError, TemporaryError
from mailsync.core.kept import facts_to_json, to_json
from mailsync.core.ledger import SITE, Head
from mailsync.core.model import RunId, parse_scope
from mailsync.core.plan import Plan
from mailsync.core.summary import Applied, Context, Facts
from mailsync.flow import witness
from mailsync.flow.answer import Asked, answer_failure, answer_losses
from mailsync.flow.decide import Decided
from mailsync.flow.witness import heads_for
from mailsync.flow.world import World
from mailsync.mail.reply import OriginalMail
from mailsync.mail.verdict import Action, Verdict
from mailsync.server.sqlite import SqliteStore

NAMES = volume_names(40)
LINE = re.compile(r"X-Mailsync-Ledger: (\S+) (\d+) ([0-9a-f]{64})(?: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?")
TEAM = Audience("team", ("team@example.com",), "always", "operator")


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path / "site")
    load(made, library_csv(40).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    return made


def stored(site: Site) -> dict[str, Head]:
    with SqliteStore(site.folder / "state/server.db") as store:
        return {head.chain: head for head in store.heads()}


def told(reply: bytes) -> dict[str, Head]:
    """The heads in the header of a mail."""
    lines = reply.partition(b"\n\n")[0].decode().split("\n")
    found = [LINE.fullmatch(line) for line in lines if line.startswith("X-Mailsync-Ledger")]
    return {one[1]: Head(one[1], int(one[2]), bytes.fromhex(one[3])) for one in found}


def last(site: Site, said: bytes) -> bytes:
    """The one mail in the outbox that says so."""
    (found,) = [one for one in site.replies() if said in one]
    return found


def move(number: int, site: Site, *names: str, place: str = "OFFS") -> bytes:
    return report_mail(site, extract([(name, place) for name in names]), number=number)


def test_a_reply_to_what_was_applied_has_the_sites_head_and_its_scopes_after_it(site):
    with served(site):
        assert site.filter(move(1, site, NAMES[0])).returncode == 0
    (reply,) = site.replies()
    assert list(told(reply)) == [SITE, "US01.LTO"], "the site's is the first"
    assert told(reply) == stored(site)
    assert site.run("audit", "verify").stdout.endswith(b"0 flaws, 2 heads seen by replies\n")


def test_a_reply_to_what_a_guard_withheld_has_the_heads_though_nothing_was_sent(site):
    with served(site):
        assert site.filter(move(1, site, *NAMES[:30])).returncode == 0
    assert told(last(site, b"refused: US01.LTO")) == stored(site)


def test_a_reply_to_what_could_not_be_read_has_the_heads_of_the_last_sync(site):
    with served(site):
        assert site.filter(move(1, site, NAMES[0])).returncode == 0
        before = stored(site)
        assert site.filter(move(2, site, NAMES[1])).returncode == 0
        assert site.filter(report_mail(site, b"volume;place\nx;y\n", number=3)).returncode == 0
    nothing = last(site, b"nothing could be read")
    assert told(nothing) == before, "where the second mail found it; what that one did is in its own reply"
    assert stored(site) != before


def test_what_was_done_by_others_since_is_witnessed_by_the_next_sync(site):
    with served(site):
        assert site.filter(move(1, site, NAMES[0])).returncode == 0
        load(site, b"customer,media,volume,slot\nUS01,LTO,A00009L8,7\n")
        assert site.run("server", "scope", "add", "US02.LTO").returncode == 0
        now = stored(site)
        assert site.filter(move(2, site, *NAMES[:30])).returncode == 0
    assert told(last(site, b"refused: US01.LTO")) == {name: now[name] for name in (SITE, "US01.LTO")}


def test_a_notice_that_a_mail_is_given_up_has_the_heads_though_there_is_no_server(site):
    with served(site):
        assert site.filter(move(1, site, *NAMES[:30])).returncode == 0
    waiting = move(2, site, NAMES[1])
    assert site.filter(waiting).returncode == 75
    site.edit("give_up: 24h", "give_up: 1s")
    time.sleep(2.1)
    assert site.filter(waiting).returncode == 0
    assert told(last(site, b"given up")) == stored(site)
    assert site.run("audit", "verify").stdout.endswith(b"0 flaws, 4 heads seen by replies\n")


def test_a_notice_of_a_crash_has_the_heads(site):
    words = [sys.executable, "-c", FAULTY, "filter", "--config", str(site.config), "--recipient", site.recipient]
    mail = move(1, site, NAMES[0])
    with served(site):
        for _ in range(3):
            subprocess.run(words, input=mail, capture_output=True, check=False, timeout=60)
    assert told(last(site, b"crashed")) == stored(site)


def test_an_overtaken_mail_is_answered_with_the_heads(site):
    old, new = move(1, site, NAMES[0]), move(2, site, NAMES[1])
    assert site.filter(old).returncode == 75
    time.sleep(1.1)  # the order of reports is kept in whole seconds
    with served(site):
        assert site.filter(new).returncode == 0
        assert site.filter(old).returncode == 0
    overtaken = last(site, b"overtaken")
    assert set(told(overtaken)) == {SITE, "US01.LTO"}
    assert site.run("audit", "verify").returncode == 0


def test_a_push_that_is_mailed_has_the_scopes_head_and_the_sites_as_a_mail_saw_it(site):
    push = ("push", "--definition", "nightly-csv", "--mail")
    with served(site):
        assert site.run(*push, stdin=extract([(NAMES[0], "OFFS")])).returncode == 0
        (first,) = site.replies()
        assert set(told(first)) == {"US01.LTO"}, "a push borrows no run, and this host has seen no other"
        assert site.filter(move(1, site, NAMES[1])).returncode == 0
        assert site.run(*push, stdin=extract([(NAMES[2], "OFFS")])).returncode == 0
    assert [told(reply).get(SITE) for reply in site.replies()].count(stored(site)[SITE]) == 2
    assert sum(told(reply)["US01.LTO"] == stored(site)["US01.LTO"] for reply in site.replies()) == 1


def test_a_reply_is_sent_though_the_cache_cannot_be_read(site):
    """Heads are for later: that they cannot be had is no reason to tell nobody that a mail is given up."""
    waiting = move(1, site, NAMES[0])
    assert site.filter(waiting).returncode == 75
    (cache,) = (site.folder / "state/cache").glob("*.db")
    for file in (site.folder / "state/cache").glob("*.db*"):
        file.unlink()
    cache.mkdir()
    site.edit("give_up: 24h", "give_up: 1s")
    time.sleep(2.1)
    assert site.filter(waiting).returncode == 0
    assert told(last(site, b"given up")) == {}


@pytest.mark.parametrize("fault", [RuntimeError("a fault of the program"), TemporaryError("cache: disk full")])
def test_whatever_is_wrong_with_the_cache_a_mail_goes_without_heads_but_not_beyond_its_time(world, monkeypatch, fault):
    def broken(*_):
        raise fault

    monkeypatch.setattr(Cache, "heads", broken)
    assert heads_for(world, world.site.routes[0], TEAM) == ()
    fault = DeadlineError("not done within 100 s")
    with pytest.raises(DeadlineError):
        heads_for(world, world.site.routes[0], TEAM)


def two_customers(site: Site) -> None:
    """The site reads reports that say of each row whose it is, by a route without a scope of its own."""
    assert site.run("server", "scope", "add", "US02.LTO", "--default", "LIBR").returncode == 0
    assert site.run("server", "repository", "add", "US02.LTO", "OFFS").returncode == 0
    load(site, library_csv(20, scope="US02.LTO").replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    site.edit("definitions: [nightly-csv]", "definitions: [per-row]")
    (site.folder / "definitions/per-row.yaml").write_text(PER_ROW)
    (site.folder / "definitions/nightly-csv.yaml").unlink()
    (line,) = [line for line in site.config.read_text().splitlines() if line.lstrip().startswith("scope:")]
    site.edit(line + "\n", "")


def test_a_reply_names_no_scope_of_another_customer(site):
    two_customers(site)
    head = b"customer,media,volume,repository\n"
    rows = {scope: head + scope.replace(".", ",").encode() + b",A00001L8,OFFS\n" for scope in ("US01.LTO", "US02.LTO")}
    with served(site):
        for number, content in enumerate((*rows.values(), b"volume;place\nx;y\n"), 1):
            assert site.filter(report_mail(site, content, number=number)).returncode == 0
    named = {
        int(re.search(rb"In-Reply-To: <report-(\d)@", reply)[1]): set(told(reply)) - {SITE} for reply in site.replies()
    }
    assert named == {1: {"US01.LTO"}, 2: {"US02.LTO"}, 3: set()}
    assert all(SITE in told(reply) for reply in site.replies())


@pytest.fixture
def world(site):
    """The site of a host that has seen the site's chain and those of 100 scopes; nobody serves it."""
    with World(load_site(site.config)) as made:
        for name in (SITE, *(f"US{number:02}.LTO" for number in range(100))):
            made.server._cache.keep_head(Head(name, 7, name.encode().ljust(32)))
        yield made


def facts_of(*scopes: str, **applied) -> Facts:
    plans = (Plan(parse_scope(scope), b"e" * 16, 1, 0, 0, 0, (), (), ()) for scope in scopes)
    return Facts("nightly", "r", "p", rounds=tuple(Applied(plan, (), 0, 0, **applied) for plan in plans))


def names(lines: tuple[str, ...]) -> list[str]:
    return [line.partition(" ")[0] for line in lines]


def test_the_routes_own_scope_is_told_to_its_people_and_not_to_the_sender(world):
    (route,) = world.site.routes
    assert names(heads_for(world, route, TEAM)) == [SITE, "US01.LTO"]
    assert names(heads_for(world, route._replace(scope=None), TEAM)) == [SITE]
    assert names(heads_for(world, route, Audience(SENDER, (), "always", "operator"))) == [SITE]
    assert names(heads_for(world, route, TEAM._replace(name=SENDER), facts_of("US02.LTO"))) == [SITE, "US02.LTO"]


def test_what_was_applied_is_told_as_the_server_said_and_not_as_it_was_before(world):
    (route,) = world.site.routes
    facts = facts_of("US01.LTO", entry=9, ledger=b"h" * 32)
    assert heads_for(world, route, TEAM, facts)[1:] == (f"US01.LTO 9 {(b'h' * 32).hex()}",)
    older = facts_of("US01.LTO", entry=8, ledger=b"g" * 32)
    both = facts._replace(rounds=facts.rounds + older.rounds)
    assert heads_for(world, route, TEAM, both) == heads_for(world, route, TEAM, facts)


def test_a_scope_that_the_server_does_not_have_for_us_is_not_told(world):
    (route,) = world.site.routes
    facts = facts_of("US02.LTO")
    (one,) = facts.rounds
    nowhere = facts._replace(rounds=(one._replace(plan=one.plan._replace(epoch=b"")),))
    assert names(heads_for(world, route, TEAM, nowhere)) == [SITE, "US01.LTO"]
    assert names(heads_for(world, route, TEAM, facts_of("XX99.LTO"))) == [SITE, "US01.LTO"]


def test_a_reply_has_so_many_heads_at_most_and_those_of_what_was_applied_first(world):
    (route,) = world.site.routes
    applied = facts_of("US99.LTO", "US98.LTO", entry=9, ledger=b"h" * 32)
    lines = heads_for(world, route, TEAM, applied, (f"US{number:02}.LTO" for number in range(100)))
    assert names(lines)[:4] == [SITE, "US98.LTO", "US99.LTO", "US00.LTO"]
    assert len(lines) == witness.MOST
    many = facts_of(*(f"US{number:02}.LTO" for number in range(100)), entry=9, ledger=b"h" * 32)
    assert len(heads_for(world, route, TEAM, many)) == witness.MOST


def asked(world: World, name: str) -> Asked:
    """A mail that was decided and begun and is answered now, by a route that has no scope of its own."""
    run = RunId(name.encode().ljust(32))
    route = world.site.routes[0]._replace(scope=None)
    verdict = Verdict(Action.PROCESS, "", route=route.name, subject=name)
    world.journal.begin(run, mail=run, route=route.name, verdict=to_json(verdict), now=world.now())
    return Asked(run, route, verdict, OriginalMail(), world.now())


def test_a_notice_has_the_heads_of_the_scopes_of_its_report(site, world):
    crashed = asked(world, "report")
    (plan,) = (one.plan for one in facts_of("US05.LTO").rounds)
    chapter = Chapter(0, 0, "US05.LTO", to_json(Decided(plan, Context(plan.scope))), dropped=False)
    world.journal.decide(crashed.run, facts_to_json(facts_of()), (chapter,), ())
    answer_failure(world, crashed, "3 attempts failed", trace="RuntimeError")
    assert list(told(last(site, b"crashed"))) == [SITE, "US05.LTO"]


def test_the_notice_of_lost_mails_has_the_heads_of_their_scopes(site, world):
    lost = asked(world, "report that is lost")
    world.journal.losses.note("US07.LTO", b"e" * 16, [lost.run])
    answer_losses(world, asked(world, "another"))
    assert list(told(last(site, b"report that is lost"))) == [SITE, "US07.LTO"]


def test_a_duplicate_looks_for_no_heads(site):
    mail = move(1, site, NAMES[0])
    with served(site):
        assert site.filter(mail).returncode == 0
    script = "import sys\nfrom mailsync.cli.main import main\nstatus = main(sys.argv[1:])\n"
    script += "print([one for one in sys.modules if one.startswith('mailsync.')])"
    words = ["filter", "--config", str(site.config), "--recipient", site.recipient]
    done = subprocess.run([sys.executable, "-c", script, *words], input=mail, capture_output=True, check=True)
    assert b"was already" in done.stderr
    for unused in (b"flow.witness", b"flow.answer", b"client.cache", b"client.link", b"core.ledger"):
        assert unused not in done.stdout
    assert b"'mailsync.flow.world'" in done.stdout
