"""What a reply tells: every figure from plans and answers, and the verdict."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.guard import Objection
from mailsync.core.inventory import Listing, Lists
from mailsync.core.merge import Merged, merge
from mailsync.core.model import Count, Mapped, Origin, Problem, Repository, Scope, Volume
from mailsync.core.outcome import Change, Result, RowResult
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.planning import PlanRules, make_plan
from mailsync.core.summarise import summarise
from mailsync.core.summary import (
    Along,
    Applied,
    Context,
    Facts,
    Move,
    Moving,
    Unfinished,
    Verdict,
    changed,
    context,
    digest,
    due,
)
from mailsync.core.tally import foreseen, operations_of

LTO, DISK = Scope("US01", "LTO"), Scope("US01", "3592")
ONE, TWO, THREE = "000001L5", "000002L5", "000003L5"
OK, SAME, CONFLICT, FORBIDDEN, EXISTS = (
    RowResult(Result[name]) for name in ("OK", "UNCHANGED", "CONFLICT", "FORBIDDEN", "EXISTS")
)


def step(volume, action=Action.MOVE, field="repository", before="LIBR", after="OFFS", *, line=2):
    return Step(volume, field, action, before, after, "the volume is locked", Origin("", "a.csv", "", line, line))


def plan(*steps, scope=LTO, listed=10, problems=(), alerts=()):
    return Plan(scope, bytes(16), 7, 100, listed, 0, tuple(sorted(steps)), problems, alerts)


def mapped(read=10, **said):
    given = {"refused": 0, "skipped": (), "records": (), "problems": (), "notes": ()} | said
    return Mapped("a.csv", "csv", "d", "", read, **given)


def facts(*rounds, read=None, **said):
    listed = sum(one.plan.listed for one in {one.plan.scope: one for one in rounds}.values())
    return Facts(
        "nightly", "00", "11", **({"mapped": (mapped(listed if read is None else read),)} | said), rounds=rounds
    )


def told(one):
    return [str(problem) for problem in summarise(one).problems]


def test_a_plan_the_server_accepted_is_counted_as_the_best_that_became_of_each_volume():
    steps = [
        step(ONE),
        step(ONE, Action.SET, "slot", "1", "2"),
        step(TWO, Action.SET, "slot", "1", "2"),
        step(TWO, Action.SET, "description", "", "x"),
        step(THREE, Action.ADD, "description", "", "new"),
        step(THREE, Action.ADD, "slot", "", "3"),
        step("000004L5", Action.CONFIRM, "confirmed_repository", "", "LIBR"),
    ]
    summary = summarise(facts(foreseen(plan(*steps))))
    counts = summary.counts
    assert (counts.moved, counts.changed, counts.added, counts.confirmed, counts.unchanged) == (1, 1, 1, 1, 6)
    assert (counts.read, counts.matched, counts.unknown) == (10, 9, 0)
    assert summary.verdict is Verdict.DONE
    assert changed(summary) == 4
    assert [(one.volume, one.field) for one in summary.settings] == [
        (f"US01.LTO.{ONE}", "slot"),
        (f"US01.LTO.{TWO}", "description"),
        (f"US01.LTO.{TWO}", "slot"),
    ]
    assert [(one.volume, one.values) for one in summary.additions] == [
        (f"US01.LTO.{THREE}", (("description", "new"), ("slot", "3")))
    ]


def test_a_volume_that_could_not_be_set_where_it_was_seen_is_one_problem_not_two():
    steps = [step(ONE, Action.SEEN), step(ONE, Action.CONFIRM, "confirmed_repository")]
    results = ((ONE, FORBIDDEN), (ONE, RowResult(Result.INVALID, "seen in OFFS, but should be in LIBR")))
    found = told(facts(Applied(plan(*steps), results, 0, 0)))
    assert [text.partition(": ")[2].startswith(f"volume US01.LTO.{ONE} not moved") for text in found] == [True]
    confirmed = facts(Applied(plan(*steps), ((ONE, OK), (ONE, FORBIDDEN)), 8, 8))
    assert ["not confirmed in OFFS" in text for text in told(confirmed)] == [True]


def test_a_scope_that_its_guard_stops_leaves_the_others_done():
    stops = Objection("max_share_moved", "too many", DISK)
    rounds = (Applied(plan(step(TWO), scope=DISK), (), 0, 0), foreseen(plan(step(ONE))))
    summary = summarise(facts(*rounds, objections=(stops,)))
    assert summary.verdict is Verdict.PARTLY
    assert [(str(one.scope), one.done, one.reason) for one in summary.states] == [
        ("US01.3592", False, "refused: nothing was applied"),
        ("US01.LTO", True, ""),
    ]
    assert (summary.counts.moved, summary.counts.pending, due("failure", summary)) == (1, 1, True)
    whole = summarise(facts(*rounds, objections=(stops, stops._replace(scope=None))))
    assert whole.verdict is Verdict.REFUSED
    unreached = facts(rounds[0], Applied(plan(step(ONE)), (), 0, 0), objections=(stops,))
    assert summarise(unreached).verdict is Verdict.FAILED


def test_notes_and_unlisted_alerts_of_every_scope_are_told():
    note, other = Problem(Origin(), "yet to move"), Problem(Origin(), "not whole")
    plans = (plan()._replace(notes=(note,), more_alerts=2), plan(scope=DISK)._replace(notes=(other,), more_alerts=3))
    summary = summarise(facts(*map(foreseen, plans)))
    assert (summary.notes, summary.more_alerts) == ((other, note), 5)


def test_moves_are_listed_per_from_and_to_pair_by_volume():
    steps = [step(THREE), step(ONE), step(TWO, before="OFFS", after="LIBR"), step("000004L5", after="RACK")]
    places = (Repository("LIBR", "Library"), Repository("OFFS", "Vault", offsite=True))
    given = facts(foreseen(plan(*steps)), contexts=(Context(LTO, places, (Moving(ONE, "payroll"),)),))
    assert [
        (leg.before, leg.after, leg.direction, leg.after_name, [(move.volume, move.description) for move in leg.moves])
        for leg in summarise(given).legs
    ] == [
        ("LIBR", "OFFS", "send", "Vault", [(ONE, "payroll"), (THREE, "")]),
        ("LIBR", "RACK", "", "", [("000004L5", "")]),
        ("OFFS", "LIBR", "bring back", "Library", [(TWO, "")]),
    ]


def test_a_move_is_listed_from_where_the_volume_is_and_with_what_is_newest_of_it():
    steps = [
        step(ONE, before="OFFS", after="RACK")._replace(current="LIBR"),
        step(ONE, Action.SET, "move_date", "", "2026-05-01"),
    ]
    contexts = (Context(LTO, (), (Moving(ONE, "payroll", "2026-04-01"),)), Context(LTO, (), ()))
    (leg,) = summarise(facts(foreseen(plan(*steps)), contexts=contexts)).legs
    assert (leg.before, leg.after) == ("LIBR", "RACK")
    assert leg.moves == (Move(ONE, "payroll", "a.csv:2", "2026-05-01"),)


def test_what_is_cancelled_or_seen_elsewhere_is_no_move_and_is_told_and_counted_apart():
    steps = [
        step(ONE, Action.CANCEL, before="OFFS", after="LIBR")._replace(current="LIBR"),
        step(TWO, Action.SEEN, before="LIBR", after="OFFS")._replace(current="LIBR"),
    ]
    summary = summarise(facts(foreseen(plan(*steps))))
    assert summary.legs == ()
    for legs, wanted in (
        (summary.cancelled, ("OFFS", "LIBR", "", ONE)),
        (summary.seen, ("LIBR", "OFFS", "", TWO)),
    ):
        assert [(leg.before, leg.after, leg.direction, leg.moves[0].volume) for leg in legs] == [wanted]
    counts = summary.counts
    assert (counts.moved, counts.cancelled, counts.seen, counts.matched) == (0, 1, 1, 10)
    assert (summary.verdict, changed(summary)) == (Verdict.DONE, 2)


@pytest.mark.parametrize(
    ("answers", "added", "unknown", "blocked"),
    [(((ONE, OK),), 1, 0, 0), (((ONE, FORBIDDEN),), 0, 1, 0), ((), 0, 1, 0), (((ONE, EXISTS),), 0, 0, 1)],
)
def test_a_volume_that_is_to_be_added_matches_none(answers, added, unknown, blocked):
    counts = summarise(facts(Applied(plan(step(ONE, Action.ADD, before="")), answers, 8, 8))).counts
    assert (counts.added, counts.unknown, counts.blocked, counts.pending) == (added, unknown, blocked, 0)
    assert (counts.matched, counts.unchanged) == (9 + blocked, 9)


def test_rows_that_contradict_each_other_are_refused_in_the_figures_of_their_attachments(records):
    one, other = records({ONE: {"slot": "1"}}), records({ONE: {"slot": "2"}}, attachment="b.csv")
    read = (mapped(1, records=(one,)), mapped(1, records=(other,))._replace(attachment="b.csv"))
    summary = summarise(Facts("nightly", "", "", mapped=read, merged=merge(read, 10)))
    assert [(source.attachment, source.refused) for source in summary.attachments] == [("a.csv", 1), ("b.csv", 1)]
    assert (summary.counts.refused, len(summary.problems), summary.unlisted) == (2, 1, 0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (step(ONE, Action.SKIP, before="OFFS", after="RACK")._replace(current="LIBR"), "not moved LIBR -> RACK"),
        (
            step(ONE, Action.SKIP, before="OFFS", after="LIBR")._replace(current="LIBR"),
            "move LIBR -> OFFS not cancelled",
        ),
    ],
)
def test_a_locked_volume_says_what_it_does_not_do_and_how_it_is_unlocked(asked, said):
    (problem,) = summarise(facts(foreseen(plan(asked)))).problems
    assert problem.text == f"volume US01.LTO.{ONE} {said}: the volume is locked"
    assert "mailsync server load, with a column flags" in problem.hint


def test_a_move_the_server_refused_is_a_problem_and_no_move():
    made = plan(step(ONE, line=2), step(TWO, line=3))
    given = facts(Applied(made, ((ONE, OK), (TWO, RowResult(Result.FORBIDDEN, "no write grant"))), 8, 8))
    summary = summarise(given)
    assert [move.volume for leg in summary.legs for move in leg.moves] == [ONE]
    assert told(given) == [
        "a.csv:3: volume US01.LTO.000002L5 not moved LIBR -> OFFS: the server forbids it (no write grant)"
    ]
    (problem,) = summary.problems
    for way_out in ("load, with a column flags", "scope set --unlock", "grant add"):
        assert f"mailsync server {way_out}" in problem.hint
    assert (summary.counts.moved, summary.counts.blocked, summary.verdict) == (1, 1, Verdict.PROBLEMS)


@pytest.mark.parametrize("result", [one for one in Result if one not in (Result.OK, Result.UNCHANGED)])
def test_every_refusal_of_the_server_says_why_and_what_to_do(result):
    summary = summarise(facts(Applied(plan(step(ONE)), ((ONE, RowResult(result)),), 0, 0)))
    (problem,) = summary.problems
    assert problem.text.startswith("volume US01.LTO.000001L5 not moved LIBR -> OFFS: ")
    assert problem.hint
    assert summary.verdict is Verdict.PROBLEMS


def test_a_change_somebody_else_made_first_is_nothing_to_tell():
    summary = summarise(facts(Applied(plan(step(ONE)), ((ONE, SAME),), 0, 0)))
    assert (summary.verdict, summary.counts.unchanged, summary.legs) == (Verdict.UNCHANGED, 10, ())


def test_a_locked_volume_is_one_problem_however_many_fields_were_asked_for():
    steps = [step(ONE, Action.SKIP), step(ONE, Action.SKIP, "slot", "1", "2")]
    given = facts(foreseen(plan(*steps)))
    assert told(given) == [
        "a.csv:2: volume US01.LTO.000001L5 not moved LIBR -> OFFS, slot not set: the volume is locked"
    ]
    assert summarise(given).counts.blocked == 1


def test_an_update_and_a_confirmation_of_one_volume_have_their_own_answers():
    made = plan(step(ONE, Action.CONFIRM, "confirmed_repository", "", "LIBR"), step(ONE, Action.SET, "slot", "1", "2"))
    assert operations_of(made) == ((ONE, Change.UPDATE), (ONE, Change.CONFIRM))
    given = facts(Applied(made, ((ONE, OK), (ONE, FORBIDDEN)), 8, 8))
    assert [one.field for one in summarise(given).settings] == ["slot"]
    assert told(given) == ["a.csv:2: volume US01.LTO.000001L5 not confirmed in LIBR: the server forbids it"]


def test_a_conflict_that_a_later_round_settled_is_a_move():
    first = Applied(plan(step(ONE), step(TWO)), ((ONE, OK), (TWO, CONFLICT)), 8, 8)
    second = Applied(plan(step(TWO, before="RACK")), ((TWO, OK),), 10, 10)
    summary = summarise(facts(first, second))
    assert (summary.verdict, summary.counts.moved, summary.counts.unchanged) == (Verdict.DONE, 2, 8)
    assert [(leg.before, len(leg.moves)) for leg in summary.legs] == [("LIBR", 1), ("RACK", 1)]
    assert (summary.states[0].first, summary.states[0].last) == (8, 10)


def test_a_conflict_that_a_later_round_found_settled_by_others_is_nothing():
    summary = summarise(facts(Applied(plan(step(ONE)), ((ONE, CONFLICT),), 0, 0), foreseen(plan())))
    assert (summary.verdict, summary.problems) == (Verdict.UNCHANGED, ())


def test_a_conflict_of_the_last_round_is_a_problem():
    rounds = [Applied(plan(step(ONE)), ((ONE, CONFLICT),), 0, 0)] * 5
    assert told(facts(*rounds)) == [
        "a.csv:2: volume US01.LTO.000001L5 not moved LIBR -> OFFS: somebody else changed it meanwhile"
    ]


def test_a_refusal_stands_until_a_later_round_gets_an_answer():
    first = Applied(plan(step(ONE), step(TWO)), ((ONE, FORBIDDEN), (TWO, CONFLICT)), 0, 0)
    assert len(told(facts(first, foreseen(plan(step(TWO)))))) == 1
    assert told(facts(first, foreseen(plan(step(ONE), step(TWO))))) == []


def test_the_part_of_a_stale_plan_that_was_applied_is_told_and_the_rest_is_not_pending():
    stale = Applied(plan(step(ONE), step(TWO)), ((ONE, OK),), 8, 8)
    again = Applied(plan(step(TWO)), ((TWO, OK),), 12, 12)
    summary = summarise(facts(stale, again))
    assert (summary.verdict, summary.counts.moved, summary.pending) == (Verdict.DONE, 2, ())


def test_a_refused_plan_shows_what_would_move_and_moves_nothing():
    given = facts(Applied(plan(step(ONE), step(TWO)), (), 0, 0), objections=(Objection("max_share_moved", "too many"),))
    summary = summarise(given)
    assert (summary.verdict, summary.legs, changed(summary)) == (Verdict.REFUSED, (), 0)
    assert [move.volume for leg in summary.pending for move in leg.moves] == [ONE, TWO]
    assert summary.counts.pending == 2
    assert [(state.done, state.reason) for state in summary.states] == [(False, "refused: nothing was applied")]


def test_a_given_up_run_says_which_scopes_are_done_and_which_are_not():
    down = Unfinished(DISK, "the server did not answer")
    summary = summarise(facts(foreseen(plan(step(ONE))), read=25, unfinished=(down,)))
    assert summary.verdict is Verdict.FAILED
    assert [(str(state.scope), state.done, state.reason) for state in summary.states] == [
        ("US01.3592", False, "the server did not answer"),
        ("US01.LTO", True, ""),
    ]
    assert (summary.counts.moved, summary.counts.unplanned) == (1, 15)


def test_rows_that_no_plan_accounts_for_are_a_failure():
    summary = summarise(facts(foreseen(plan()), read=11))
    assert (summary.verdict, summary.counts.unplanned) == (Verdict.FAILED, 1)


def test_a_scope_with_an_answer_missing_is_not_done():
    summary = summarise(facts(Applied(plan(step(ONE), step(TWO)), ((ONE, OK),), 8, 8)))
    assert (summary.verdict, summary.counts.moved, summary.counts.pending) == (Verdict.FAILED, 1, 1)
    assert [state.reason for state in summary.states] == ["not all of it was applied"]
    assert [move.volume for leg in summary.pending for move in leg.moves] == [TWO]


def test_problems_come_from_everywhere_in_the_order_of_their_places_and_once():
    def at(line):
        return Problem(Origin("", "a.csv", "", line, line), "bad")

    given = facts(
        foreseen(plan(problems=(at(3),), listed=9)),
        mapped=(mapped(10, refused=4, problems=(at(5),), unlisted=3),),
        merged=Merged(problems=(at(4),), refused=(Count("a.csv", 2),), unlisted=1),
        problems=(Problem(Origin(), "unreadable attachment"), at(5)),
    )
    summary = summarise(given)
    assert [str(one) for one in summary.problems] == ["unreadable attachment", *(f"a.csv:{n}: bad" for n in (3, 4, 5))]
    assert summary.unlisted == 3 + 1


def test_refused_rows_alone_make_a_problem_though_none_is_listed():
    summary = summarise(facts(foreseen(plan()), mapped=(mapped(12, refused=2),)))
    assert summary.verdict is Verdict.PROBLEMS


def test_one_problem_that_refuses_every_row_is_one_problem():
    fault = Problem(Origin("", "a.csv", "", 0, 1), "the line looks cut otherwise")
    summary = summarise(facts(mapped=(mapped(7, refused=7, problems=(fault,)),)))
    assert (summary.problems, summary.unlisted, summary.counts.refused) == ((fault,), 0, 7)


DONE = facts(foreseen(plan(step(ONE))))
QUIET = facts(foreseen(plan()))
ALERT = facts(foreseen(plan(alerts=(Problem(Origin(), "missing"),))))
TROUBLE = facts(foreseen(plan()), problems=(Problem(Origin(), "x"),))
REFUSED = facts(Applied(plan(step(ONE)), (), 0, 0), objections=(Objection("max_share_moved", "x"),))
FAILED = facts(Applied(plan(step(ONE), step(TWO)), ((ONE, OK),), 8, 8))


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (DONE, {"always", "change"}),
        (QUIET, {"always"}),
        (ALERT, {"always", "problem"}),
        (TROUBLE, {"always", "problem"}),
        (REFUSED, {"always", "problem", "failure"}),
        (FAILED, {"always", "change", "problem", "failure"}),
    ],
)
def test_an_audience_is_told_when_its_rule_says_so(given, rules):
    summary = summarise(given)
    assert {when for when in ("always", "change", "problem", "failure", "never") if due(when, summary)} == rules


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match='"sometimes" is not one of always, change, problem, failure, never'):
        due("sometimes", summarise(QUIET))


def test_the_digest_is_of_everything_told_and_of_nothing_else():
    summaries = [summarise(one) for one in (DONE, QUIET, ALERT, TROUBLE, REFUSED, FAILED)]
    assert len({digest(one) for one in summaries}) == len(summaries)
    assert digest(summarise(DONE)) == digest(summarise(DONE))
    assert digest(summaries[0]._replace(route="night", run="ly00")) != digest(summaries[0])
    assert digest(summaries[0]._replace(notes=(Problem(Origin(), "\udcff"),))) != digest(summaries[0])


def test_the_context_of_a_plan_is_its_places_and_what_moves(shelf):
    library = shelf({ONE: Volume(description="payroll"), TWO: Volume(description="other")})
    library.volumes[THREE] = Volume(move_date="2026-04-01")
    found = context(plan(step(ONE), step(THREE), step(TWO, Action.SET, "slot")), library)
    assert [place.id for place in found.repositories] == ["LIBR", "OFFS", "RACK"]
    assert found.moving == ((ONE, "payroll", ""), (THREE, "", "2026-04-01"))


names = st.integers(1, 9).map(lambda number: f"{number:06d}L5")
values = st.fixed_dictionaries(
    {}, optional={"repository": st.sampled_from(["LIBR", "OFFS", "NOWH"]), "slot": st.sampled_from(["", "1"])}
)
held = st.dictionaries(
    names,
    st.builds(Volume, repository=st.sampled_from(["LIBR", "RACK"]), flags=st.sampled_from(["", "L", "l"])),
    max_size=9,
)


@settings(max_examples=150, deadline=None)
@given(
    reports=st.lists(st.dictionaries(names, values, max_size=9), min_size=1, max_size=3),
    held=held,
    rules=st.builds(
        PlanRules,
        st.booleans(),
        st.builds(Listing, st.sampled_from(["", "LIBR"]), st.booleans()).map(lambda one: Lists({"a.csv": one})),
        st.just(()),
    ),
    results=st.lists(st.sampled_from(Result), max_size=12),
    refused=st.integers(0, 3),
    reached=st.booleans(),
)
def test_the_figures_of_any_run_add_up(shelf, records, *, reports, held, rules, results, refused, reached):
    read = [
        mapped(len(said) + refused + 2, refused=refused, skipped=(Count("x", 2),), records=(records(said),))
        for said in reports
    ]
    merged = merge(read, 100)
    made = make_plan(merged.records[0], shelf(held), rules)
    answers = zip((volume for volume, _ in operations_of(made)), map(RowResult, results), strict=False)
    rounds = (Applied(made, tuple(answers), 8, 9),) if reached else ()
    counts = summarise(Facts("r", "", "", mapped=tuple(read), merged=merged, rounds=rounds)).counts
    assert min(counts) >= 0
    assert counts.read == sum(counts[1:8])
    assert counts.matched == sum(counts[8:])
    new = {step.volume for step in made.steps if step.action is Action.ADD}
    assert counts.unknown + counts.added <= (len(made.problems) + len(new) if reached else 0)
    assert counts.unknown >= (len(made.problems) if reached else 0)


def test_a_container_is_one_piece_and_what_went_along_stands_beside_it():
    made = foreseen(plan(step(ONE), step(TWO, Action.CONFIRM, "confirmed_repository", "LIBR", "OFFS")))
    along = (
        Along(ONE, Change.UPDATE, "US01.LTO.A00001"),
        Along(ONE, Change.UPDATE, "DE01.LTO.B00001"),
        Along(TWO, Change.CONFIRM, "US01.LTO.A00002"),
    )
    summary = summarise(facts(made._replace(along=along)))
    (leg,) = summary.legs
    assert [(move.volume, move.along) for move in leg.moves] == [(ONE, ("DE01.LTO.B00001", "US01.LTO.A00001"))]
    assert (summary.counts.moved, summary.counts.confirmed) == (1, 1)
    (note,) = summary.notes
    assert note.text == f"US01.LTO.{TWO} was confirmed, and with it 1 in it: US01.LTO.A00002"


def test_a_scope_that_the_server_forbids_is_refused_and_what_was_done_before_is_told():
    forbidden = Objection("grants", "US01.3592 is not this site's to write", DISK)
    rounds = (Applied(plan(step(TWO), scope=DISK), (), 0, 0), foreseen(plan(step(ONE))))
    summary = summarise(facts(*rounds, objections=(forbidden,)))
    assert (summary.verdict, summary.counts.moved, summary.counts.pending) == (Verdict.PARTLY, 1, 1)
    alone = summarise(facts(rounds[0], objections=(forbidden,)))
    assert alone.verdict is Verdict.REFUSED
    early = foreseen(plan(step(THREE), scope=DISK))._replace(first=8, last=8)
    both = plan(step(TWO), step(THREE), scope=DISK)
    late = summarise(facts(early, Applied(both, (), 0, 0), objections=(forbidden,)))
    assert [move.volume for leg in late.pending for move in leg.moves] == [TWO]
    assert late.verdict is Verdict.PARTLY
    assert [one.reason for one in late.states] == ["refused: not all of it was applied"]
