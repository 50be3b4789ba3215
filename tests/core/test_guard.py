"""The guards' truth table: each objects on its own side of its limit, and not on the other."""

import pytest

from mailsync.core.guard import Earlier, Guards, objections
from mailsync.core.model import Mapped, Origin, Problem, Scope
from mailsync.core.plan import Action, Plan, Step

LTO = Scope("US01", "LTO")


def plan(*, size=100, listed=10, moved=0, unknown=0, skipped=0):
    actions = [Action.MOVE] * moved + [Action.SKIP] * skipped
    steps = tuple(
        Step(f"{number:06d}L5", "repository", action, "A", "B", "", Origin()) for number, action in enumerate(actions)
    )
    problems = tuple(Problem(Origin(), f"{number}") for number in range(unknown))
    return Plan(LTO, bytes(16), 1, size, listed, 0, steps, problems, ())


def mapped(refused=0):
    return Mapped("a.csv", "csv", "d", "", 10 + refused, refused, (), (), (), ())


@pytest.mark.parametrize(
    ("read", "made", "guards", "found"),
    [
        ([mapped()], [plan()], Guards(), []),
        ([], [], Guards(), ["min_rows"]),
        ([mapped()], [plan(listed=0)], Guards(), ["min_rows"]),
        ([mapped()], [plan(listed=0)], Guards(min_rows=0), []),
        ([mapped()], [plan(listed=9)], Guards(min_rows=10), ["min_rows"]),
        ([mapped()], [plan(listed=5), plan(listed=5)], Guards(min_rows=10), []),
        ([mapped(10)], [plan()], Guards(), []),
        ([mapped(11)], [plan()], Guards(), ["max_share_problems"]),
        ([mapped(5)], [plan(unknown=2)], Guards(), []),
        ([mapped(5)], [plan(unknown=3)], Guards(), ["max_share_problems"]),
        ([mapped(3)], [plan(listed=0)], Guards(min_rows=0), ["max_share_problems"]),
        ([mapped()], [plan(moved=30)], Guards(), []),
        ([mapped()], [plan(moved=31)], Guards(), ["max_share_moved"]),
        ([mapped()], [plan(skipped=31)], Guards(), []),
        ([mapped()], [plan(size=5, moved=5)], Guards(always_allowed=5), []),
        ([mapped()], [plan(size=5, moved=6)], Guards(always_allowed=5), ["max_share_moved"]),
        ([mapped()], [plan(moved=31), plan(moved=1)], Guards(), ["max_share_moved"]),
        ([mapped()], [plan(moved=31), plan(moved=31)], Guards(), ["max_share_moved", "max_share_moved"]),
        ([mapped(11)], [plan(listed=0, moved=31)], Guards(), ["min_rows", "max_share_problems", "max_share_moved"]),
    ],
)
def test_a_guard_objects_on_its_own_side_of_its_limit(read, made, guards, found):
    assert [objection.guard for objection in objections(read, made, guards)] == found


def test_an_objection_says_the_figures_and_the_guard_to_change():
    (objection,) = objections([mapped()], [plan(moved=31)], Guards())
    assert (
        objection.text == "31 of the 100 volumes of US01.LTO would get another target, more than max_share_moved: 0.3"
    )


@pytest.mark.parametrize(
    ("made", "guards", "before", "found"),
    [
        (plan(moved=10), Guards(), 20, []),
        (plan(moved=11), Guards(), 20, ["max_share_moved"]),
        (plan(moved=1), Guards(), 100, ["max_share_moved"]),
        (plan(moved=0), Guards(), 100, []),  # nothing moves: what was moved before is no matter
        (plan(size=5, moved=2), Guards(always_allowed=5), 3, []),
        (plan(size=5, moved=3), Guards(always_allowed=5), 3, ["max_share_moved"]),
    ],
)
def test_what_the_source_moved_before_counts_with_it(made, guards, before, found):
    earlier = {LTO: Earlier(before, 2)}
    assert [objection.guard for objection in objections([mapped()], [made], guards, earlier)] == found
    elsewhere = {Scope("US01", "DLT"): Earlier(before, 2)}
    assert objections([mapped()], [made], guards, elsewhere) == ()


@pytest.mark.parametrize(("mails", "said"), [(1, "1 mail"), (3, "3 mails")])
def test_an_objection_says_how_much_moved_within_the_day_and_by_how_many_mails(mails, said):
    (objection,) = objections([mapped()], [plan(moved=19)], Guards(), {LTO: Earlier(19, mails)})
    assert objection.text == (
        f"19 of the 100 volumes of US01.LTO would get another target, after 19 that {said} of the same source moved "
        "within 24 h: together, more than max_share_moved: 0.3"
    )


@pytest.mark.parametrize("action", [Action.MOVE, Action.CANCEL, Action.SEEN])
def test_whatever_sets_targets_counts_as_moving(action):
    made = plan(moved=31)
    made = made._replace(steps=tuple(step._replace(action=action) for step in made.steps))
    assert [objection.guard for objection in objections([mapped()], [made], Guards())] == ["max_share_moved"]
