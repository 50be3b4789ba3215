"""The plan's truth table, leaf by leaf, and what must hold of every plan."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core import planning
from mailsync.core.inventory import Listing, Lists
from mailsync.core.model import Scope, Volume
from mailsync.core.plan import Action, moved_volumes, plan_id
from mailsync.core.planning import PlanRules, make_plan

ONE = "000001L5"
HELD = Volume(description="old", repository="LIBR", current_repository="LIBR", confirmed_repository="LIBR", slot="12")


def lists(place="", *, confirms=False, **more):
    """Rules under which the report is an inventory of a place, or confirms what it lists."""
    return PlanRules(lists=Lists({"a.csv": Listing(place, confirms)}, **more))


def steps(plan):
    return [(step.volume, step.field, step.action, step.before, step.after) for step in plan.steps]


def test_an_unknown_volume_is_a_problem_of_its_row_and_the_others_go_on(shelf, records):
    plan = make_plan(records({"000009L5": {"slot": "1"}, ONE: {"slot": "13"}}), shelf({ONE: HELD}), PlanRules())
    assert steps(plan) == [(ONE, "slot", Action.SET, "12", "13")]
    assert [str(problem) for problem in plan.problems] == ["a.csv:2: volume US01.LTO.000009L5 is unknown to the server"]


def test_an_unknown_volume_is_added_with_every_field_its_row_speaks_of(shelf, records):
    said = records({ONE: {"description": "new", "repository": "RACK", "slot": ""}})
    plan = make_plan(said, shelf(), PlanRules(add_unknown=True))
    assert steps(plan) == [
        (ONE, "description", Action.ADD, "", "new"),
        (ONE, "repository", Action.ADD, "", "RACK"),
    ]
    assert not plan.problems


def test_an_unknown_volume_of_which_nothing_is_said_is_still_added(shelf, records):
    plan = make_plan(records({ONE: {"slot": ""}}), shelf(), PlanRules(add_unknown=True))
    assert steps(plan) == [(ONE, "description", Action.ADD, "", "")]


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_repository_is_a_problem_and_none_of_the_rows_fields_is_set(shelf, records, known):
    said = records({ONE: {"repository": "NOWH", "slot": "13"}})
    plan = make_plan(said, shelf({ONE: HELD} if known else {}), PlanRules(add_unknown=True))
    assert not plan.steps
    assert plan.unchanged == 0
    assert [problem.text for problem in plan.problems] == ['repository "NOWH" is unknown in US01.LTO']


def test_a_field_the_row_is_silent_about_keeps_its_value(shelf, records):
    said = records({ONE: {"slot": "12"}, "000002L5": {"description": "x"}})
    plan = make_plan(said, shelf({ONE: HELD, "000002L5": HELD}), PlanRules())
    assert steps(plan) == [("000002L5", "description", Action.SET, "old", "x")]
    assert plan.unchanged == 1


def test_a_field_the_row_says_is_unset_is_unset(shelf, records):
    plan = make_plan(records({ONE: {"slot": ""}}), shelf({ONE: HELD}), PlanRules())
    assert steps(plan) == [(ONE, "slot", Action.SET, "12", "")]


def test_an_unset_flag_is_the_same_as_no(shelf, records):
    plan = make_plan(records({ONE: {"scratch": "no"}}), shelf({ONE: HELD}), PlanRules())
    assert not plan.steps
    assert plan.unchanged == 1


def test_a_locked_volume_is_skipped_field_by_field_with_the_reason(shelf, records):
    said = records({ONE: {"repository": "OFFS", "slot": "13"}})
    plan = make_plan(said, shelf({ONE: HELD._replace(flags="EL")}), PlanRules())
    assert [(step.field, step.action, step.reason) for step in plan.steps] == [
        ("repository", Action.SKIP, "the volume is locked"),
        ("slot", Action.SKIP, "the volume is locked"),
    ]
    assert moved_volumes(plan) == 0


def test_a_volume_that_may_not_be_moved_gets_its_other_fields(shelf, records):
    said = records({ONE: {"repository": "OFFS", "slot": "13"}})
    plan = make_plan(said, shelf({ONE: HELD._replace(flags="l")}), PlanRules())
    assert [(step.field, step.action) for step in plan.steps] == [("repository", Action.SKIP), ("slot", Action.SET)]


def test_another_repository_is_a_move_of_the_target(shelf, records):
    plan = make_plan(records({ONE: {"repository": "OFFS"}}), shelf({ONE: HELD}), PlanRules())
    assert steps(plan) == [(ONE, "repository", Action.MOVE, "LIBR", "OFFS")]
    assert moved_volumes(plan) == 1


def test_a_volume_listed_where_its_target_is_gets_confirmed_once(shelf, records):
    library = shelf({ONE: HELD._replace(current_repository="OFFS", confirmed_repository="OFFS")})
    said, rules = records({ONE: {"repository": "LIBR"}}), lists(confirms=True)
    plan = make_plan(said, library, rules)
    assert steps(plan) == [(ONE, "confirmed_repository", Action.CONFIRM, "OFFS", "LIBR")]
    library.carry_out(plan.steps)
    assert not make_plan(said, library, rules).steps


def test_a_move_starts_where_the_volume_is_whatever_its_target_was(shelf, records):
    library = shelf({ONE: HELD._replace(repository="OFFS", flags="M")})
    (step,) = make_plan(records({ONE: {"repository": "RACK"}}), library, PlanRules()).steps
    assert (step.action, step.before, step.after, step.current) == (Action.MOVE, "OFFS", "RACK", "LIBR")


def test_a_volume_that_is_to_stay_where_it_still_is_has_its_move_cancelled(shelf, records):
    library = shelf({ONE: HELD._replace(repository="OFFS", flags="M")})
    plan = make_plan(records({ONE: {"repository": "LIBR"}}), library, PlanRules())
    assert steps(plan) == [(ONE, "repository", Action.CANCEL, "OFFS", "LIBR")]


def test_a_volume_nobody_knows_the_place_of_is_moved_from_its_target(shelf, records):
    library = shelf({ONE: HELD._replace(current_repository="")})
    (step,) = make_plan(records({ONE: {"repository": "OFFS"}}), library, PlanRules()).steps
    assert (step.action, step.before, step.current) == (Action.MOVE, "LIBR", "")


@pytest.mark.parametrize("inventory", ["", "LIBR"])
def test_a_short_report_reads_only_what_it_names_and_plans_the_same(shelf, records, monkeypatch, inventory):
    held = {f"{number:06d}L5": HELD for number in range(100)}
    said = records({"000007L5": {"slot": "13"}, "NOSUCH": {"slot": "1"}, "000009L5": {"slot": "12"}})
    short = shelf(held)
    read, other = [], shelf(held)
    monkeypatch.setattr(short, "rows", lambda fields, inner=short.rows: read.append(fields) or inner(fields))
    monkeypatch.setattr(short, "lookup", other.lookup)
    rules = lists(inventory)
    plan = make_plan(said, short, rules)
    assert len(read) == (1 if inventory else 0)
    monkeypatch.setattr(planning, "_FEW", 10**9)
    assert make_plan(said, shelf(held), rules) == plan
    assert len(plan.alerts) == (98 if inventory else 0)


def test_the_plans_name_holds_the_decision_and_nothing_of_the_mail(shelf, records):
    said = {ONE: {"repository": "OFFS"}}
    one = make_plan(records(said), shelf({ONE: HELD}), PlanRules())
    other = make_plan(records(said, attachment="b.csv", mail="<2@example.com>"), shelf({ONE: HELD}), PlanRules())
    back = make_plan(records({ONE: {"repository": "RACK"}}), shelf({ONE: HELD}), PlanRules())
    assert plan_id("d", [one]) == plan_id("d", [other]) != plan_id("d", [back])
    assert plan_id("d", [one]) != plan_id("e", [one])
    assert plan_id("d", [one]) != plan_id("d", [one._replace(scope=Scope("US02", "LTO"))])


names = st.integers(1, 12).map(lambda number: f"{number:06d}L5")
places = st.sampled_from(["LIBR", "OFFS", "RACK", ""])
flags = st.sampled_from(["", "E", "L", "l"])
volumes = st.builds(
    Volume,
    description=st.sampled_from(["", "a"]),
    repository=places,
    current_repository=places,
    confirmed_repository=places,
    slot=st.sampled_from(["", "1"]),
    flags=flags,
    scratch=st.sampled_from(["", "yes", "no"]),
)
said_values = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "a", "b"]),
        "repository": st.sampled_from(["LIBR", "OFFS", "RACK", "NOWH", ""]),
        "slot": st.sampled_from(["", "1", "2"]),
        "scratch": st.sampled_from(["", "yes", "no"]),
    },
)
held = st.dictionaries(names, volumes, max_size=12)
said = st.dictionaries(names, said_values, min_size=1, max_size=12)
listings = st.builds(Listing, st.sampled_from(["", "LIBR"]), st.booleans())
rules = st.builds(PlanRules, st.booleans(), listings.map(lambda one: Lists({"a.csv": one})), st.just(()))


@settings(max_examples=150, deadline=None)
@given(held=held, said=said, rules=rules)
def test_a_plan_carried_out_gives_what_the_report_says(shelf, records, held, said, rules):
    library = shelf(held)
    plan = make_plan(records(said), library, rules)
    library.carry_out(plan.steps)
    wrong = {problem.origin.line - 2 for problem in plan.problems}
    skipped = {(step.volume, step.field) for step in plan.steps if step.action is Action.SKIP}
    listing = rules.lists.by_attachment["a.csv"]
    for index, (name, values) in enumerate(said.items()):
        if index in wrong:
            assert library.volumes.get(name) == held.get(name)
            continue
        seen = listing.seen(values.get("repository"))
        if seen:
            now, was = library.volumes[name], held.get(name, Volume())
            stays = was.repository != seen == was.current_repository or (name, "repository") in skipped
            follows = listing.confirms or values.get("repository") or name not in held
            assert now.repository == (seen if follows and not stays else was.repository)
            if listing.confirms and not stays:
                assert now.current_repository == now.confirmed_repository == seen
        for field, value in values.items():
            if field == "repository" and seen:
                continue
            now = getattr(library.volumes[name], field)
            was = getattr(held.get(name, Volume()), field)
            assert now == (was if (name, field) in skipped else value) or {now, value} == {"", "no"}
    for name in held.keys() - said.keys():
        assert library.volumes[name] == held[name]


@settings(max_examples=150, deadline=None)
@given(held=held, said=said, rules=rules)
def test_a_second_run_has_nothing_left_to_do(shelf, records, held, said, rules):
    library = shelf(held)
    library.carry_out(make_plan(records(said), library, rules).steps)
    again = make_plan(records(said), library, rules)
    assert [step for step in again.steps if step.action is not Action.SKIP] == []


@settings(max_examples=100, deadline=None)
@given(held=held, said=said, rules=rules, seed=st.integers(0, 2**32))
def test_the_order_of_rows_is_irrelevant(shelf, records, *, held, said, rules, seed):
    ordered = records(said)
    order = list(range(len(said)))
    random.Random(seed).shuffle(order)
    shuffled = ordered._replace(
        volumes=[ordered.volumes[index] for index in order],
        values=[ordered.values[index] for index in order],
        rows=[ordered.rows[index] for index in order],
        lines=[ordered.lines[index] for index in order],
    )
    one, other = (make_plan(each, shelf(held), rules) for each in (ordered, shuffled))
    assert one == other
    assert plan_id("d", [one]) == plan_id("d", [other])


@settings(max_examples=100, deadline=None)
@given(held=held, said=said, rules=rules)
def test_every_row_is_unchanged_a_problem_or_has_steps(shelf, records, held, said, rules):
    plan = make_plan(records(said), shelf(held), rules)
    assert plan.listed == plan.unchanged + len(plan.problems) + len({step.volume for step in plan.steps})


def test_an_attribute_is_asked_for_whatever_it_is_and_also_of_a_locked_volume(records, shelf):
    said = records({ONE: {"slot": "13"}})
    said = said._replace(fields=("slot", "attribute_7"), values=(("12", "tier 2"),))
    plan = make_plan(said, shelf({ONE: HELD._replace(flags="L")}), PlanRules())
    assert steps(plan) == [(ONE, "attribute_7", Action.SET, "(not known here)", "tier 2")]
    assert plan.unchanged == 0
    silent = said._replace(values=(("12", None),))
    assert (steps(make_plan(silent, shelf({ONE: HELD}), PlanRules())), moved_volumes(plan)) == ([], 0)


def test_a_container_that_moves_takes_along_what_is_in_it_as_far_as_the_scope_tells(records, shelf):
    box = HELD._replace(flags="B")
    volumes = {
        "BOX001": box,
        "BOX002": box._replace(container="US01.LTO.BOX001"),
        "A00001": HELD._replace(container="US01.LTO.BOX001"),
        "A00002": HELD._replace(container="US01.LTO.BOX002"),
        "A00003": HELD._replace(container="US01.LTO.BOX002"),
        "A00004": HELD._replace(container="US02.LTO.BOX001"),
    }
    moving = records({"BOX001": {"repository": "OFFS"}, "A00003": {"repository": "OFFS"}})
    plan = make_plan(moving, shelf(volumes), PlanRules())
    assert [(step.volume, step.reason) for step in plan.steps] == [
        ("A00003", "differs"),
        ("BOX001", "differs; what is in it goes along"),
    ]
    assert (plan.along, moved_volumes(plan)) == (3, 5)
    circle = volumes | {"BOX001": box._replace(container="US01.LTO.BOX002")}
    assert make_plan(moving, shelf(circle), PlanRules()).along == 3
