"""Replies of bounded length, whatever a report speaks of; lists no spreadsheet runs; names that show all they are."""

import pytest

from mailsync.core.model import Origin, Scope
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summarise import summarise
from mailsync.core.summary import Facts, Unfinished
from mailsync.core.tally import foreseen
from mailsync.mail.address import shown
from mailsync.mail.moves import neutral
from mailsync.mail.render import environment, render
from mailsync.mail.sample import sample_facts
from mailsync.mail.shown import one_line
from mailsync.mail.view import MAX_MOVES, MAX_STATES, view_of


def summary(scopes):
    plans = []
    for number in range(scopes):
        step = Step("000001L5", "repository", Action.MOVE, "LIBR", "OFFS", "", Origin("", "a.csv", "", 1, 1))
        plans.append(Plan(Scope(f"{number:04d}", "LTO"), bytes(16), 7, 9_000, 1, 0, (step,), (), ()))
    last = Unfinished(plans[-1].scope, "given up")
    return summarise(Facts("nightly", "00", "11", rounds=tuple(map(foreseen, plans)), unfinished=(last,)))


def test_states_and_routes_are_listed_up_to_a_bound():
    view = view_of(summary(300), sample_facts())
    assert len(view.states) == MAX_STATES + 1
    assert view.states[0].scope == "0299.LTO"
    assert view.states[-1] == ("others", True, "200 more, done", "")
    assert len(view.routes) <= MAX_MOVES
    assert view.csv
    rendered = render(environment(), "operator", summary=summary(300), facts=sample_facts())
    assert "Scope:  others: 200 more, done\n" in rendered.text
    assert rendered.csv.count(b"000001L5") == 300


def test_as_many_scopes_as_are_listed_keep_their_order():
    view = view_of(summary(MAX_STATES), sample_facts())
    assert [one.scope for one in view.states] == [f"{number:04d}.LTO" for number in range(MAX_STATES)]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        (" =1", "' =1"),
        ("\u00a0\u3000=1", "'\u00a0\u3000=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff201", "'\uff201"),
        ('x;=HYPERLINK("a")', 'x;\'=HYPERLINK("a")'),
        ("x; \"=1;'-1", "x;' \"=1;''-1"),
        ("x\n=1\t@y", "x\n'=1\t'@y"),
        ("\tx", "'\tx"),
        ("a=b - c; d", "a=b - c; d"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_no_beginning_of_a_cell_is_left_to_a_spreadsheet(cell, safe):
    assert neutral(cell) == safe


def test_a_cell_made_to_be_slow_is_made_text_in_linear_time():
    assert neutral("; " * 500_000) == "; " * 500_000


UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u202e\u2066\u3164\ufeff\uffa0\ufff9\ufffa\ufffb\U000e0001\U000e007f"
)


@pytest.mark.parametrize("character", UNSEEN)
def test_nothing_unseen_is_shown(character):
    assert one_line(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert shown(f"a{character}b") == "a b"


@pytest.mark.parametrize(
    "text", ["B\u00e4nder \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4", "\u05e9\u05dc\u05d5\u05dd", "\u2714 ok \U0001f4fc"]
)
def test_what_people_write_is_shown_as_it_is(text):
    assert one_line(text) == shown(text) == text
