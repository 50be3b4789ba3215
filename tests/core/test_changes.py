"""Changes of repository that a definition leaves alone, and repositories said by their description."""

import pytest

from mailsync.core.model import Count, Repository, Volume
from mailsync.core.plan import Action
from mailsync.core.planning import ChangeRule, PlanRules, make_plan
from mailsync.core.summarise import summarise
from mailsync.core.summary import Facts
from mailsync.core.tally import foreseen

ONE, TWO = "000001L5", "000002L5"
HELD = Volume(repository="LIBR", current_repository="RACK", slot="12")


def rule(proposed, target, current, reason="left"):
    return ChangeRule(*(lambda text, one=one: one in (text, "*") for one in (proposed, target, current)), reason)


def steps(plan):
    return [(step.volume, step.field, step.action, step.after) for step in plan.steps]


@pytest.mark.parametrize("three", [("OFFS", "LIBR", "RACK"), ("*", "*", "RACK"), ("OFFS", "*", "*")])
def test_a_change_that_all_three_filters_match_leaves_the_volume_alone_and_is_counted(shelf, records, three):
    said = records({ONE: {"repository": "OFFS", "slot": "13"}})
    plan = make_plan(said, shelf({ONE: HELD}), PlanRules(changes=(rule(*three),)))
    assert (plan.steps, plan.problems, plan.unchanged) == ((), (), 0)
    assert plan.left_alone == (Count("left", 1),)


@pytest.mark.parametrize("three", [("RACK", "LIBR", "RACK"), ("OFFS", "RACK", "RACK"), ("OFFS", "LIBR", "LIBR")])
def test_a_change_that_one_filter_does_not_match_is_made(shelf, records, three):
    plan = make_plan(records({ONE: {"repository": "OFFS"}}), shelf({ONE: HELD}), PlanRules(changes=(rule(*three),)))
    assert steps(plan) == [(ONE, "repository", Action.MOVE, "OFFS")]
    assert plan.left_alone == ()


def test_without_a_change_of_repository_no_rule_applies(shelf, records):
    everything = PlanRules(changes=(rule("*", "*", "*"),), add_unknown=True)
    said = records({ONE: {"repository": "LIBR", "slot": "13"}, TWO: {"repository": "OFFS"}})
    plan = make_plan(said, shelf({ONE: HELD}), everything)
    assert steps(plan) == [(ONE, "slot", Action.SET, "13"), (TWO, "repository", Action.ADD, "OFFS")]


def test_what_is_left_alone_counts_as_skipped_and_is_told(shelf, records):
    said = records({ONE: {"repository": "OFFS"}, TWO: {"slot": "1"}})
    plan = make_plan(said, shelf({ONE: HELD, TWO: HELD}), PlanRules(changes=(rule("*", "*", "RACK", "stays"),)))
    told = summarise(Facts("nightly", "", "", rounds=(foreseen(plan),)))
    assert (told.counts.skipped, told.counts.matched, told.counts.changed) == (1, 1, 1)
    assert [note.text for note in told.notes] == ["1 of US01.LTO left alone: stays"]
    assert not told.problems


@pytest.mark.parametrize(("said", "meant"), [("OFFS room", "OFFS"), ("rack ROOM", "RACK"), ("LIBR", "LIBR")])
def test_a_repository_may_be_said_by_its_description(shelf, records, said, meant):
    plan = make_plan(records({ONE: {"slot": "12", "repository": said}}), shelf({ONE: HELD}), PlanRules())
    assert [step.after for step in plan.steps] == ([meant] if meant != "LIBR" else [])
    assert not plan.problems


def test_a_description_of_two_repositories_says_neither(shelf, records):
    library = shelf({ONE: HELD})
    library.repositories |= {"OFF2": Repository("OFF2", "offs ROOM")}
    plan = make_plan(records({ONE: {"repository": "OFFS room"}}), library, PlanRules())
    assert not plan.steps
    assert [problem.text for problem in plan.problems] == ['repository "OFFS room" is unknown in US01.LTO']
