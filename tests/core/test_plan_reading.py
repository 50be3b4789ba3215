"""A plan is the same whether it looked up the volumes that are named, or went over all of the scope."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsync.core import planning
from mailsync.core.inventory import Listing, Lists
from mailsync.core.model import Volume
from mailsync.core.planning import PlanRules, make_plan

NAMES = st.integers(0, 9).map("A{:05}L8".format)
PLACES = st.sampled_from(("", "LIBR", "OFFS", "RACK", "NOWH"))
VOLUMES = st.builds(
    Volume,
    description=st.sampled_from(("", "weekly")),
    repository=PLACES,
    current_repository=PLACES,
    confirmed_repository=PLACES,
    slot=st.sampled_from(("", "1", "2")),
    flags=st.sampled_from(("", "L", "l", "M")),
    scratch=st.sampled_from(("", "no", "yes")),
)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "repository": PLACES,
        "slot": st.sampled_from((None, "", "1", "2")),
        "scratch": st.sampled_from((None, "no", "yes")),
    },
)


@given(
    held=st.dictionaries(NAMES, VOLUMES, max_size=5),
    said=st.dictionaries(NAMES, SAID, min_size=1, max_size=5),
    rules=st.builds(
        lambda add, *listing: PlanRules(add_unknown=add, lists=Lists({"a.csv": Listing(*listing)})),
        st.booleans(),
        st.sampled_from(("", "", "", "LIBR")),
        st.booleans(),
    ),
)
def test_what_is_looked_up_and_what_is_gone_over_make_one_plan(shelf, records, held, said, rules):
    plans = []
    for few in (0, 10**9):
        read = []
        scope = shelf(held)
        for way in ("rows", "lookup"):
            setattr(scope, way, _noting(getattr(scope, way), read, way))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "_FEW", few)
            plans.append(make_plan(records(said), scope, rules))
        # An inventory means something by what it does not list, so nothing less than all will do.
        assert read[0] == ("rows" if few or rules.lists.by_attachment["a.csv"].inventory_of else "lookup")
    assert plans[0] == plans[1]


def _noting(inner, read, way):
    def outer(*arguments):
        read.append(way)
        return inner(*arguments)

    return outer
