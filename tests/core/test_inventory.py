"""The truth tables of core/inventory.py: what a list that says where volumes are makes of each of them."""

import pytest

from mailsync.core import inventory
from mailsync.core.inventory import Listing, Lists, joined_doubts
from mailsync.core.model import Place, Volume
from mailsync.core.plan import Action, moved_volumes
from mailsync.core.planning import ChangeRule, PlanRules, make_plan

ONE, TWO, THREE = "000001L5", "000002L5", "000003L5"
HELD = Volume(description="old", repository="LIBR", current_repository="LIBR", confirmed_repository="LIBR", slot="12")
BARE = {"slot": "12"}


def lists(place="", *, confirms=False, **more):
    """Rules under which the report is an inventory of a place, or confirms what it lists."""
    return PlanRules(lists=Lists({"a.csv": Listing(place, confirms)}, **more))


def steps(plan):
    return [(step.volume, step.field, step.action, step.before, step.after) for step in plan.steps]


def alerts(plan):
    return [str(alert) for alert in plan.alerts]


def notes(plan):
    return [str(note) for note in plan.notes]


@pytest.mark.parametrize(
    ("place", "confirms", "said", "seen"),
    [
        ("", False, "LIBR", ""),
        ("", True, "LIBR", "LIBR"),
        ("", True, None, ""),
        ("OFFS", True, None, "OFFS"),
        ("OFFS", True, "", "OFFS"),
        ("OFFS", True, "LIBR", "LIBR"),
        ("OFFS", False, None, "OFFS"),
        ("OFFS", False, "OFFS", "OFFS"),
        ("OFFS", False, "LIBR", ""),
    ],
)
def test_where_a_row_says_its_volume_is(place, confirms, said, seen):
    assert Listing(place, confirms).seen(said) == seen


@pytest.mark.parametrize("said", [{"repository": "OFFS"}, BARE])
def test_one_scan_leaves_the_truth_of_a_volume_nobody_expected_there(shelf, records, said):
    library, rules = shelf({ONE: HELD}), lists("OFFS", confirms=True)
    plan = make_plan(records({ONE: said}), library, rules)
    assert steps(plan) == [
        (ONE, "confirmed_repository", Action.CONFIRM, "LIBR", "OFFS"),
        (ONE, "repository", Action.SEEN, "LIBR", "OFFS"),
    ]
    assert alerts(plan) == [f"a.csv:2: volume US01.LTO.{ONE} is unexpected in OFFS: it should be in LIBR"]
    assert moved_volumes(plan) == 1
    library.carry_out(plan.steps)
    again = make_plan(records({ONE: said}), library, rules)
    assert (again.steps, again.alerts, again.unchanged) == ((), (), 1)


def test_an_inventory_that_was_not_scanned_sets_the_target_if_it_speaks_of_repositories(shelf, records):
    plan = make_plan(records({ONE: {"repository": "OFFS"}}), shelf({ONE: HELD}), lists("OFFS"))
    assert steps(plan) == [(ONE, "repository", Action.SEEN, "LIBR", "OFFS")]
    assert len(plan.alerts) == 1


def test_an_inventory_that_says_nothing_but_volumes_only_alerts(shelf, records):
    plan = make_plan(records({ONE: BARE}), shelf({ONE: HELD}), lists("OFFS"))
    assert steps(plan) == []
    assert alerts(plan) == [f"a.csv:2: volume US01.LTO.{ONE} is unexpected in OFFS: it should be in LIBR"]


@pytest.mark.parametrize("confirms", [True, False])
@pytest.mark.parametrize("said", [{"repository": "LIBR"}, BARE])
def test_a_volume_that_has_not_left_yet_is_expected_and_its_move_goes_on(shelf, records, said, confirms):
    waiting = HELD._replace(repository="OFFS", flags="M")
    library = shelf({ONE: waiting, TWO: waiting})
    plan = make_plan(records({ONE: said, TWO: said}), library, lists("LIBR", confirms=confirms))
    assert (plan.steps, plan.alerts, plan.unchanged) == ((), (), 2)
    assert notes(plan) == ["2 of US01.LTO listed in LIBR are yet to move to OFFS"]


def test_a_volume_that_arrives_is_confirmed_once(shelf, records):
    library, rules = shelf({ONE: HELD._replace(repository="OFFS", flags="M")}), lists("OFFS", confirms=True)
    plan = make_plan(records({ONE: BARE}), library, rules)
    assert steps(plan) == [(ONE, "confirmed_repository", Action.CONFIRM, "LIBR", "OFFS")]
    assert not plan.alerts
    library.carry_out(plan.steps)
    assert not make_plan(records({ONE: BARE}), library, rules).steps


@pytest.mark.parametrize("flag", ["L", "l"])
def test_a_locked_volume_seen_elsewhere_is_alerted_of_and_left(shelf, records, flag):
    plan = make_plan(records({ONE: BARE}), shelf({ONE: HELD._replace(flags=flag)}), lists("OFFS", confirms=True))
    assert steps(plan) == [(ONE, "repository", Action.SKIP, "LIBR", "OFFS")]
    assert len(plan.alerts) == 1


def test_a_volume_of_no_place_is_said_to_belong_nowhere(shelf, records):
    plan = make_plan(records({ONE: {"slot": ""}}), shelf({ONE: Volume()}), lists("OFFS"))
    assert alerts(plan) == [f"a.csv:2: volume US01.LTO.{ONE} is unexpected in OFFS: it should be nowhere"]


def test_an_unknown_volume_is_added_where_it_was_seen(shelf, records):
    library = shelf()
    rules = lists("OFFS", confirms=True)._replace(add_unknown=True)
    plan = make_plan(records({ONE: {"slot": "3"}}), library, rules)
    library.carry_out(plan.steps)
    assert library.volumes[ONE] == Volume("", "OFFS", "OFFS", "OFFS", slot="3")
    assert not make_plan(records({ONE: {"slot": "3"}}), library, rules).steps


def test_a_volume_that_is_not_listed_where_it_should_be_is_missing(shelf, records):
    library = shelf({ONE: HELD, TWO: HELD, THREE: HELD._replace(repository="RACK")})
    plan = make_plan(records({ONE: BARE}), library, lists("LIBR"))
    assert alerts(plan) == [f"a.csv: volume US01.LTO.{TWO} is missing: it should be in LIBR and is not listed"]
    assert not make_plan(records({ONE: BARE}), library, lists(confirms=True)).alerts


@pytest.mark.parametrize(
    ("target", "current", "missing"),
    [("LIBR", "LIBR", True), ("LIBR", "", True), ("LIBR", "OFFS", False), ("OFFS", "LIBR", False)],
)
def test_a_volume_that_is_still_on_its_way_is_not_missing(shelf, records, target, current, missing):
    library = shelf({ONE: HELD, TWO: HELD._replace(repository=target, current_repository=current)})
    assert bool(make_plan(records({ONE: BARE}), library, lists("LIBR")).alerts) is missing


def test_a_volume_that_a_problem_names_is_listed(shelf, records):
    library = shelf({ONE: HELD, TWO: HELD, THREE: HELD})
    plan = make_plan(records({ONE: BARE}), library, lists("LIBR", named=frozenset({TWO})))
    assert [THREE in alert for alert in alerts(plan)] == [True]


def test_what_is_missing_from_a_list_that_may_not_be_whole_is_a_note(shelf, records):
    library = shelf({ONE: HELD, TWO: HELD, THREE: HELD})
    plan = make_plan(records({ONE: BARE}), library, lists("LIBR", doubts={"LIBR": ("x.csv: cut off", "why else")}))
    assert alerts(plan) == []
    assert notes(plan) == [
        "a.csv: 2 of US01.LTO should be in LIBR and are not listed, which is no alert: x.csv: cut off; why else"
    ]


def test_a_doubt_about_one_inventory_is_none_about_another(shelf, records):
    library = shelf({ONE: HELD, TWO: HELD, THREE: HELD._replace(repository="OFFS", current_repository="OFFS")})
    said = records({ONE: BARE})
    said = said._replace(places=(*said.places, Place("<1@example.com>", "b.csv")))
    rules = PlanRules(lists=Lists({"a.csv": Listing("LIBR"), "b.csv": Listing("OFFS")}, {"LIBR": ("cut off",)}))
    plan = make_plan(said, library, rules)
    assert alerts(plan) == [f"b.csv: volume US01.LTO.{THREE} is missing: it should be in OFFS and is not listed"]
    assert len(plan.notes) == 1


def test_rows_of_an_attachment_that_is_no_list_are_wishes(shelf, records):
    said = records({ONE: {"repository": "OFFS"}}, attachment="moves.csv")
    plan = make_plan(said, shelf({ONE: HELD, TWO: HELD}), lists("LIBR", confirms=True))
    assert steps(plan) == [(ONE, "repository", Action.MOVE, "LIBR", "OFFS")]
    assert not plan.alerts


def test_an_inventory_of_a_place_that_the_scope_does_not_have_is_none_there(shelf, records):
    plan = make_plan(records({ONE: BARE}), shelf({ONE: HELD}), lists("NOWH", confirms=True))
    assert (plan.steps, plan.alerts, plan.unchanged) == ((), (), 1)
    assert notes(plan) == [
        "a.csv: US01.LTO has no repository NOWH, which the list is an inventory of: it is not one there"
    ]


def test_where_a_volume_was_seen_is_a_change_that_a_rule_may_leave_alone(shelf, records):
    rule = ChangeRule("OFFS".__eq__, "LIBR".__eq__, "LIBR".__eq__, "left")
    rules = lists("OFFS", confirms=True)._replace(changes=(rule,))
    plan = make_plan(records({ONE: BARE}), shelf({ONE: HELD}), rules)
    assert (plan.steps, plan.alerts, plan.left_alone) == ((), (), (("left", 1),))


def test_of_two_lists_of_one_inventory_the_first_is_cited(shelf, records):
    said = records({ONE: BARE})
    said = said._replace(places=(*said.places, Place("<1@example.com>", "b.csv")))
    rules = PlanRules(lists=Lists({"a.csv": Listing("LIBR"), "b.csv": Listing("LIBR")}))
    plan = make_plan(said, shelf({ONE: HELD, TWO: HELD}), rules)
    assert [alert.partition(":")[0] for alert in alerts(plan)] == ["a.csv"]


def test_the_first_three_doubts_are_told_and_the_others_counted():
    assert joined_doubts(["a", "b", "c"]) == ("a", "b", "c")
    assert joined_doubts(["a", "b", "c", "d", "e"]) == ("a", "b", "c", "and 2 more")


def test_alerts_beyond_a_bound_are_counted(shelf, records, monkeypatch):
    monkeypatch.setattr(inventory, "MOST_ALERTS", 10)
    library = shelf({f"{number:06d}L5": HELD for number in range(1, 100)})
    plan = make_plan(records({ONE: BARE}), library, lists("LIBR"))
    assert (len(plan.alerts), plan.more_alerts) == (10, 88)
    assert alerts(plan)[0].startswith(f"a.csv: volume US01.LTO.{TWO} ")
