"""Values as JSON and back: exactly the same, or a ValueError."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.guard import Objection
from mailsync.core.kept import facts_from_json, facts_to_json, from_json, to_json
from mailsync.core.merge import Merged
from mailsync.core.model import Count, Gaps, Mapped, Origin, Place, Problem, Records, Repository, Scope
from mailsync.core.outcome import Batch, Carried, Change, Operation, Outcome, Result, RowResult
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summary import Along, Applied, Context, Facts, Moving, Unfinished

texts = st.text(max_size=8)
numbers = st.integers(0, 2**53)


def few(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


def whole(kind, *parts):
    """Values of a kind with nothing left to its default: what is added to a kept value is to be read back, too."""
    assert len(parts) == len(kind._fields), kind
    return st.builds(kind, *parts)


scopes = whole(Scope, texts, texts)
origins = whole(Origin, texts, texts, texts, numbers, numbers)
problems = whole(Problem, origins, texts, texts)
steps = whole(Step, texts, texts, st.sampled_from(Action), texts, texts, texts, origins, texts)
counts = whole(Count, texts, numbers)
plans = whole(
    Plan,
    scopes,
    st.binary(max_size=16),
    numbers,
    numbers,
    numbers,
    numbers,
    few(steps),
    few(problems),
    few(problems),
    few(counts),
    few(problems),
    numbers,
    numbers,
)
answers = whole(RowResult, st.sampled_from(Result), texts)
hashes = st.binary(max_size=32)
outcomes = whole(
    Outcome,
    st.binary(max_size=16),
    numbers,
    numbers,
    few(answers),
    st.booleans(),
    st.booleans(),
    numbers,
    hashes,
    few(whole(Carried, numbers, texts)),
)
along = few(whole(Along, texts, st.sampled_from(Change), texts))
rounds = whole(Applied, plans, few(st.tuples(texts, answers)), numbers, numbers, numbers, hashes, along)
mapped = whole(
    Mapped,
    texts,
    texts,
    texts,
    texts,
    numbers,
    numbers,
    few(counts),
    st.just(()),
    few(problems),
    few(problems),
    numbers,
    st.just(Gaps()),
)
repositories = whole(Repository, texts, texts, texts, st.booleans())
facts = whole(
    Facts,
    texts,
    texts,
    texts,
    few(mapped),
    whole(Merged, st.just(()), few(problems), few(problems), few(counts), numbers, numbers),
    few(rounds),
    few(whole(Objection, texts, texts, st.none() | scopes)),
    few(problems),
    few(problems),
    few(whole(Unfinished, scopes, texts)),
    few(whole(Context, scopes, few(repositories), few(whole(Moving, texts, texts, texts)))),
)
operations = whole(Operation, st.sampled_from(Change), texts, few(texts), few(texts), numbers, numbers, numbers)
batches = whole(
    Batch,
    st.binary(),
    st.binary(),
    st.binary(),
    scopes,
    st.binary(),
    numbers,
    texts,
    numbers,
    few(st.tuples(texts, texts)),
    few(operations),
)


@settings(max_examples=60, deadline=None)
@given(value=st.one_of(plans, outcomes, mapped, batches, problems))
def test_any_value_comes_back_as_it_was(value):
    text = to_json(value)
    assert "\n" not in text
    back = from_json(type(value), text)
    assert back == value
    assert repr(back) == repr(value)


@settings(max_examples=40, deadline=None)
@given(value=facts)
def test_the_facts_of_a_run_come_back_as_they_were(value):
    back = facts_from_json(facts_to_json(value))
    assert back == value
    assert repr(back) == repr(value)


def test_the_rows_of_a_report_are_not_kept():
    rows = Records(Scope("US01", "LTO"), ("slot",), ["000001L5"], [("secret",)], [1], [1], (Place("", ""),), [0])
    gaps = Gaps(((rows.scope, ("secret",)),), ())
    read = Mapped("a.csv", "csv", "d", "", 1, 0, (), (rows,), (), (), 0, gaps)
    text = facts_to_json(Facts("r", "", "", mapped=(read,), merged=Merged(records=(rows,))))
    assert "secret" not in text
    assert facts_from_json(text).mapped == (read._replace(records=(), gaps=Gaps()),)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), plan=plans)
def test_a_text_that_was_not_kept_is_a_value_error(data, plan):
    tree = json.loads(to_json(plan))
    index = data.draw(st.integers(0, len(tree) - 1))
    wrong = data.draw(st.sampled_from([{}, True, 1.5, None]))
    with pytest.raises(ValueError, match=r"expected a kept|no|not"):
        from_json(Plan, json.dumps([*tree[:index], wrong, *tree[index + 1 :]]))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '"x"', "null", '[["a"],"",1,1,1,1,[],[],[]]', '[["a","b"],"zz",1,1,1,1,[],[],[]]']
)
def test_a_text_of_another_shape_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        from_json(Plan, text)


def test_what_is_no_core_value_is_refused():
    with pytest.raises(TypeError, match="a set is not kept"):
        to_json((set(),))


def test_what_was_kept_before_a_field_existed_has_its_default():
    problem = Problem(Origin("m", "a.csv"), "off", "do this")
    kept = json.loads(to_json(problem))
    assert kept.pop() == "do this"
    assert from_json(Problem, json.dumps(kept)) == problem._replace(hint="")
    kept.pop()
    with pytest.raises(ValueError, match="a kept Problem has 1 fields"):
        from_json(Problem, json.dumps(kept))
    with pytest.raises(ValueError, match="a kept Problem has 4 fields"):
        from_json(Problem, json.dumps([*kept, "off", "do this", "more"]))
