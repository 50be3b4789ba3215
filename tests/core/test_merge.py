"""Several attachments that speak of one scope."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.merge import merge
from mailsync.core.model import Count, Mapped, Scope

ONE, TWO, THREE = "000001L5", "000002L5", "000003L5"


def mapped(*records):
    return Mapped("a.csv", "csv", "d", "", sum(len(one.volumes) for one in records), 0, (), records, (), ())


def refused(merged):
    return sum(count.rows for count in merged.refused)


def said(records):
    """What records say, as `{volume: {field: value}}` without the fields they are silent about."""
    return {
        volume: {field: value for field, value in zip(records.fields, values, strict=True) if value is not None}
        for volume, values in zip(records.volumes, records.values, strict=True)
    }


def test_one_attachment_for_a_scope_is_handed_on_as_it_is(records):
    lto, disk = records({ONE: {"slot": "1"}}), records({ONE: {"slot": "2"}}, scope=Scope("US01", "3592"))
    merged = merge([mapped(lto), mapped(disk)], 10)
    assert merged.records[0] is disk
    assert merged.records[1] is lto
    assert merged[1:] == ((), (), (), 0, 0)


def test_attachments_complete_each_other_and_cite_their_own_lines(records):
    one = records({ONE: {"slot": "1"}, TWO: {"slot": "2"}}, attachment="a.csv")
    other = records({THREE: {"description": "x"}}, attachment="b.csv")
    (joint,) = merge([mapped(one), mapped(other)], 10).records
    assert said(joint) == {ONE: {"slot": "1"}, TWO: {"slot": "2"}, THREE: {"description": "x"}}
    assert [str(joint.origin(index)) for index in range(3)] == ["a.csv:2", "a.csv:3", "b.csv:2"]


def test_a_volume_of_which_they_say_different_fields_gets_both(records):
    one, other = records({ONE: {"slot": "1"}}), records({ONE: {"description": "x"}}, attachment="b.csv")
    merged = merge([mapped(one), mapped(other)], 10)
    assert said(merged.records[0]) == {ONE: {"slot": "1", "description": "x"}}
    assert merged.repeated == 1


def test_a_volume_they_agree_on_is_a_note(records):
    one, other = records({ONE: {"scratch": "no"}}), records({ONE: {"scratch": ""}}, attachment="b.csv")
    merged = merge([mapped(one), mapped(other)], 10)
    assert [str(note) for note in merged.notes] == [
        "b.csv:2: volume US01.LTO.000001L5 is also listed at a.csv:2, and agrees"
    ]
    assert (merged.problems, merged.refused, merged.repeated) == ((), (), 1)


def test_a_volume_they_contradict_each_other_about_is_a_problem_that_cites_both_and_nothing_is_applied(records):
    one = records({TWO: {"repository": "RACK"}, ONE: {"repository": "LIBR"}})
    other = records({ONE: {"repository": "OFFS"}}, attachment="b.csv")
    merged = merge([mapped(one), mapped(other)], 10)
    assert [str(problem) for problem in merged.problems] == [
        'b.csv:2: volume US01.LTO.000001L5: repository is "LIBR" at a.csv:3 and "OFFS" here'
    ]
    assert said(merged.records[0]) == {TWO: {"repository": "RACK"}}
    assert (merged.refused, merged.repeated) == ((Count("a.csv", 1), Count("b.csv", 1)), 0)


def test_a_third_attachment_cannot_settle_a_contradiction(records):
    said_by = [records({ONE: {"slot": slot}}, attachment=f"{slot}.csv") for slot in ("1", "1", "2", "1")]
    merged = merge([mapped(one) for one in said_by], 10)
    assert said(merged.records[0]) == {}
    assert dict(merged.refused) == {"1.csv": 3, "2.csv": 1}
    assert (merged.repeated, len(merged.problems)) == (0, 1)


def test_problems_and_notes_are_bounded_and_counted(records):
    one = records({f"{number:06d}L5": {"slot": "1"} for number in range(50)})
    other = records({f"{number:06d}L5": {"slot": "12"[number % 2]} for number in range(50)}, attachment="b.csv")
    merged = merge([mapped(one), mapped(other)], 10)
    assert (len(merged.problems), merged.unlisted, len(merged.notes)) == (10, 15, 10)
    assert (refused(merged), merged.repeated) == (50, 25)


rows = st.dictionaries(
    st.sampled_from([ONE, TWO, THREE]),
    st.dictionaries(st.sampled_from(["slot", "description"]), st.sampled_from(["", "1", "2"]), min_size=1),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(reports=st.lists(rows, min_size=1, max_size=4))
def test_every_row_is_a_record_or_counted_and_nothing_is_invented(records, reports):
    merged = merge([mapped(records(one)) for one in reports], 100)
    (joint,) = merged.records
    assert sum(map(len, reports)) == len(joint.volumes) + refused(merged) + merged.repeated
    for volume in {volume for one in reports for volume in one}:
        opinions = {}
        for one in reports:
            for field, value in one.get(volume, {}).items():
                opinions.setdefault(field, set()).add(value)
        agreed = all(len(values) == 1 for values in opinions.values())
        assert said(joint).get(volume) == (
            {field: values.pop() for field, values in opinions.items()} if agreed else None
        )
