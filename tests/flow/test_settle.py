"""Deciding and carrying out a run against a real server, with somebody or something getting in between."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sites import Site, extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.client.failures import OvertakenError
from mailsync.config.definitions import load_definitions
from mailsync.config.route import Audience
from mailsync.config.site import load_site
from mailsync.core.errors import RefusedError, TemporaryError, UnreachableError
from mailsync.core.identity import run_id
from mailsync.core.model import Attachment
from mailsync.core.outcome import Result
from mailsync.core.summarise import summarise
from mailsync.core.summary import Verdict
from mailsync.flow.answer import Asked, answer_losses
from mailsync.flow.reading import file_report
from mailsync.flow.settle import ROUNDS, Job, settle
from mailsync.flow.world import World
from mailsync.mail.reply import OriginalMail
from mailsync.mail.verdict import Action
from mailsync.mail.verdict import Verdict as Verdict_

NAMES = volume_names(40)


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path / "site")
    load(made, library_csv(40).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    with served(made):
        yield made


@pytest.fixture
def world(site):
    with World(load_site(site.config)) as opened:
        yield opened


class Between:
    """The site's server, with something happening before the n-th APPLY."""

    def __init__(self, world: World, *happenings) -> None:
        self.server = world.server
        self.happenings = list(happenings)

    def refresh(self, scope):
        return self.server.refresh(scope)

    def apply(self, body):
        if self.happenings:
            self.happenings.pop(0)()
        return self.server.apply(body)

    def earlier(self, scope, source, run):
        return self.server.earlier(scope, source, run)

    def missing(self, scope, batches):
        return self.server.missing(scope, batches)


def job(world: World, rows, *, name: str = "extract.csv") -> Job:
    """A run begun in the journal, of an extract with these rows."""
    (route,) = world.site.routes
    run = run_id(route.name, (os.urandom(16),))
    world.journal.begin(run, mail=bytes(run), route=route.name, verdict="[]", now=world.now())
    definition = load_definitions(world.site).by_name["nightly-csv"]
    extract_ = Attachment(name, extract(rows), "", "", 0, body=False)
    return Job(run, route, world.now(), file_report(extract_, definition, route, world.site, now=world.now()))


def changed_by_somebody(site: Site, volume: str, place: str):
    """Somebody loads another place for a volume."""
    content = f"customer,media,volume,repository\nUS01,LTO,{volume},{place}\n".encode()
    return lambda: load(site, content)


def test_a_volume_somebody_changed_meanwhile_is_planned_again_and_done(site, world):
    asked = job(world, [(NAMES[0], "OFFS"), (NAMES[1], "OFFS")])
    facts = settle(asked, world.journal, Between(world, changed_by_somebody(site, NAMES[0], "RACK")))
    assert [row.result for _, row in facts.rounds[0].results] == [Result.CONFLICT, Result.OK]
    assert [volume for volume, _ in facts.rounds[1].results] == [NAMES[0]]
    assert [chapter.round for chapter in world.journal.chapters(asked.run)] == [0, 1]
    summary = summarise(facts)
    assert (summary.verdict, summary.counts.moved) == (Verdict.DONE, 2)
    assert {site.export()[name]["repository"] for name in NAMES[:2]} == {"OFFS"}


def test_a_volume_that_keeps_changing_is_a_problem_after_the_last_round(site, world):
    meddling = [changed_by_somebody(site, NAMES[0], place) for place in ("RACK", "LIBR", "RACK", "LIBR", "RACK")]
    facts = settle(job(world, [(NAMES[0], "OFFS")]), world.journal, Between(world, *meddling))
    assert len(facts.rounds) == ROUNDS
    summary = summarise(facts)
    assert summary.verdict is Verdict.PROBLEMS
    assert NAMES[0] in summary.problems[0].text
    assert site.export()[NAMES[0]]["repository"] == "RACK"


def test_a_restored_server_makes_the_same_round_be_planned_again(site, world):
    def restored() -> None:
        assert site.run("server", "restored").returncode == 0

    asked = job(world, [(NAMES[0], "OFFS")])
    facts = settle(asked, world.journal, Between(world, restored))
    assert [(chapter.round, chapter.dropped) for chapter in world.journal.chapters(asked.run)] == [
        (0, True),
        (0, False),
    ]
    assert summarise(facts).counts.moved == 1
    assert site.export()[NAMES[0]]["repository"] == "OFFS"


def test_a_lost_answer_is_asked_for_again_with_the_same_bytes_and_nothing_is_done_twice(site, world):
    class Lossy(Between):
        def apply(self, body):
            sent.append(body)
            outcome = self.server.apply(body)
            if len(sent) == 1:
                raise TemporaryError("the connection broke")
            return outcome

    sent: list[bytes] = []
    asked = job(world, [(NAMES[0], "OFFS")])
    with pytest.raises(TemporaryError):
        settle(asked, world.journal, Lossy(world))
    facts = settle(asked, world.journal, Lossy(world))
    assert sent[0] == sent[1]
    assert summarise(facts).counts.moved == 1
    version = facts.rounds[0].last
    assert world.server.refresh(facts.rounds[0].plan.scope).version == version


class Down(Between):
    """The server, which cannot be reached with an APPLY."""

    def apply(self, _body):
        raise TemporaryError("the server is down")


def test_a_run_that_waited_plans_again_after_another_of_its_source(site, world):
    """Both came in the same second: neither is newer, but the one that waited has not seen what the other did."""
    waiting = job(world, [(NAMES[0], "OFFS"), (NAMES[1], "OFFS")])._replace(asof=1000)
    with pytest.raises(TemporaryError):
        settle(waiting, world.journal, Down(world))
    settle(job(world, [(NAMES[0], "RACK")])._replace(asof=1000), world.journal, Between(world))
    facts = settle(waiting, world.journal, Between(world))
    assert [chapter.dropped for chapter in world.journal.chapters(waiting.run)] == [True, False]
    assert summarise(facts).counts.moved == 2


def test_an_older_report_that_waited_is_overtaken_and_changes_nothing(site, world):
    older = job(world, [(NAMES[0], "OFFS")])._replace(asof=1000)
    with pytest.raises(TemporaryError):
        settle(older, world.journal, Down(world))
    settle(job(world, [(NAMES[0], "RACK")])._replace(asof=2000), world.journal, Between(world))
    for _ in range(2):
        with pytest.raises(OvertakenError):
            settle(older, world.journal, Between(world))
    assert site.export()[NAMES[0]]["repository"] == "RACK"


def test_a_definition_changed_while_a_run_is_open_is_told_and_nothing_is_lost(site, world):
    asked = job(world, [(NAMES[0], "OFFS")])
    with pytest.raises(TemporaryError):
        settle(asked, world.journal, Down(world))
    definition = site.folder / "definitions" / "nightly-csv.yaml"
    text = definition.read_text()
    definition.write_text(text + "scope: {customer: US01, media: DLT}\n")
    elsewhere = job(world, [(NAMES[0], "OFFS")])
    definition.write_text(text)
    with pytest.raises(TemporaryError, match="definition was changed"):
        settle(
            asked._replace(report=elsewhere.report),
            world.journal,
            Between(world, changed_by_somebody(site, NAMES[0], "RACK")),
        )
    facts = settle(asked, world.journal, Between(world))
    assert summarise(facts).counts.moved == 1


def test_a_plan_the_guards_refuse_sends_nothing_and_is_not_made_again(site, world):
    asked = job(world, [(name, "OFFS") for name in NAMES])

    class Watched(Between):
        def refresh(self, scope):
            asked_for.append(scope)
            return self.server.refresh(scope)

        def apply(self, _body):
            raise AssertionError("a refused plan was sent")

    asked_for: list[object] = []
    first = settle(asked, world.journal, Watched(world))
    again = settle(asked, world.journal, Watched(world))
    assert len(asked_for) == 1
    assert summarise(first) == summarise(again)
    assert [one.guard for one in first.objections] == ["max_share_moved"]


def test_a_scope_the_server_does_not_have_is_a_problem_and_nothing_is_sent(site, world):
    site.edit("media: LTO", "media: DLT")
    with World(load_site(site.config)) as other:
        facts = settle(job(other, [(NAMES[0], "OFFS")]), other.journal, Between(other))
    assert any("no scope US01.DLT" in problem.text for problem in facts.problems)
    assert facts.rounds[0].results == ()


def test_facts_read_back_from_the_journal_are_what_the_run_returned(site, world):
    asked = job(world, [(NAMES[0], "OFFS"), ("NOSUCH", "OFFS"), ("bad id", "OFFS")])
    facts = settle(asked, world.journal, Between(world))
    with World(load_site(site.config)) as later:
        assert settle(asked, later.journal, Between(later)) == facts


def granted(site: Site, *words: str):
    """The administrator changes what the site's token may do."""

    def change() -> None:
        assert site.run("server", *words).returncode == 0

    return change


def test_a_scope_whose_grant_was_taken_back_meanwhile_is_refused_and_told(site, world):
    customers = granted(site, "grant", "add", "filter", "US*:read")
    everything = granted(site, "grant", "remove", "filter", "*")
    elsewhere = granted(site, "grant", "add", "filter", "DE01:write")

    def happen() -> None:
        for change in (customers, elsewhere, everything):
            change()

    facts = settle(job(world, [(NAMES[0], "OFFS")]), world.journal, Between(world, happen))
    summary = summarise(facts)
    assert (summary.verdict, summary.counts.pending) == (Verdict.REFUSED, 1)
    (objection,) = summary.objections
    assert (objection.guard, str(objection.scope)) == ("grants", "US01.LTO")
    assert "US01.LTO is not this site's to write" in objection.text
    assert site.export()[NAMES[0]]["repository"] == "LIBR"


def test_what_was_applied_before_the_grant_was_taken_back_is_told_as_done(site, world):
    """The answer was lost: the batch is sent again, by a user who may not write there any more."""
    asked = job(world, [(NAMES[0], "OFFS")])

    def lost() -> None:
        (batch,) = world.journal.unanswered(asked.run)
        world.server.apply(batch.body)
        raise UnreachableError("the line was cut")

    with pytest.raises(UnreachableError):
        settle(asked, world.journal, Between(world, lost))
    granted(site, "grant", "add", "filter", "DE01:write")()
    granted(site, "grant", "remove", "filter", "*")()
    summary = summarise(settle(asked, world.journal, Between(world)))
    assert (summary.verdict, summary.counts.moved, summary.objections) == (Verdict.DONE, 1, ())


def test_a_token_that_was_revoked_meanwhile_leaves_the_run_to_be_tried_again(site, world):
    asked = job(world, [(NAMES[0], "OFFS")])
    with pytest.raises(RefusedError):
        settle(asked, world.journal, Between(world, granted(site, "token", "revoke", "filter")))
    assert [chapter.dropped for chapter in world.journal.chapters(asked.run)] == [False]
    assert len(world.journal.unanswered(asked.run)) == 1


def test_a_later_plan_of_a_run_is_judged_together_with_what_the_run_did_before(site, world, monkeypatch):
    monkeypatch.setattr("mailsync.core.batches.MOST_OPERATIONS", 6)
    asked = job(world, [(name, "OFFS") for name in NAMES[:12]])
    other = job(world, [(name, "OFFS") for name in NAMES[20:25]])
    facts = settle(
        asked, world.journal, Between(world, lambda: None, lambda: settle(other, world.journal, world.server))
    )
    assert sum(volume["repository"] == "OFFS" for volume in site.export().values()) == 6 + 5
    assert ["max_share_moved" in one.reason for one in facts.unfinished] == [True]


def test_what_a_restore_took_back_and_the_run_does_again_is_not_told_as_lost(site, world, monkeypatch):
    monkeypatch.setattr("mailsync.core.batches.MOST_OPERATIONS", 1)
    settle(job(world, [(NAMES[5], "LIBR")]), world.journal, world.server)
    copy = _backup(site)
    asked = job(world, [(NAMES[0], "OFFS"), (NAMES[1], "OFFS")])
    settle(asked, world.journal, Between(world, lambda: None, lambda: _restore(site, copy)))
    assert [site.export()[name]["repository"] for name in NAMES[:2]] == ["OFFS", "OFFS"]
    assert world.journal.losses.all() == ()


def test_lost_mails_are_told_to_their_own_routes_people_only(site, world):
    copy = _backup(site)
    assert site.filter(report_mail(site, extract([(NAMES[0], "OFFS")]), number=1)).returncode == 0
    _restore(site, copy)
    asked = job(world, [(NAMES[7], "LIBR")])
    settle(asked, world.journal, world.server)
    known = asked.route._replace(
        name="weekly", audiences=(Audience("customer", ("x@example.net",), "always", "operator"),)
    )
    before = len(site.replies())
    answer_losses(world, Asked(asked.run, known, Verdict_(Action.PROCESS, ""), OriginalMail(), 1))
    assert (len(site.replies()), [one.told for one in world.journal.losses.all()]) == (before, [0])
    answer_losses(world, Asked(asked.run, asked.route, Verdict_(Action.PROCESS, ""), OriginalMail(), 1))
    assert len(site.replies()) == before + 1
    assert [one.told > 0 for one in world.journal.losses.all()] == [True]


def _backup(site) -> Path:
    copy = site.folder / "backup.db"
    with closing(sqlite3.connect(site.folder / "state/server.db")) as live, closing(sqlite3.connect(copy)) as kept:
        live.backup(kept)
    return copy


def _restore(site, copy: Path) -> None:
    with closing(sqlite3.connect(site.folder / "state/server.db")) as live, closing(sqlite3.connect(copy)) as kept:
        kept.backup(live)
    assert site.run("server", "restored").returncode == 0
