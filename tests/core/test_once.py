"""Names of runs and batches, and a small model of what they must do (exactly-once.md section 1).

The model has volumes that reports move back and forth, a server that stores an outcome per batch id, and a network
that loses acknowledgements. What a report says must take effect once, however often its run is tried, and also when a
later report asks for the same thing again.
"""

import hashlib
import random
from itertools import pairwise

from mailsync.core.batches import Cause, make_batches
from mailsync.core.identity import batch_id, run_id
from mailsync.core.model import Origin, Scope, Volume
from mailsync.core.plan import Action, Plan, Step, plan_id
from mailsync.core.planning import PlanRules, make_plan

LTO, OLD = Scope("US01", "LTO"), Scope("US0", "1LTO")
ONE = "000001L5"


def prefixed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_a_run_is_named_by_its_route_and_what_the_authentication_covers():
    named = hashlib.sha256(prefixed(b"mailsync run 1", b"nightly", b"<1@example.com>", b"\x01")).digest()
    assert run_id("nightly", [b"<1@example.com>", b"\x01"]) == named
    assert named.hex() == "4ebb0f204d2f297a9232733f65c63aa434a7112ddc934fbccf37c1d5bd892b50"


def test_a_batch_is_named_by_run_round_scope_and_part():
    whole = prefixed(b"mailsync batch 1", bytes(32), bytes([0, 0, 0, 1]), b"US01.LTO", bytes([0, 0, 0, 2]))
    assert batch_id(bytes(32), 1, LTO, 2) == hashlib.sha256(whole).digest()[:16]


def test_moving_a_byte_from_one_part_to_the_next_makes_another_name():
    assert run_id("a", [b"bc"]) != run_id("ab", [b"c"]) != run_id("abc", [])
    assert run_id("a", [b"b", b"c"]) != run_id("a", [b"bc"])
    assert batch_id(bytes(32), 0, LTO, 0) != batch_id(bytes(32), 0, OLD, 0)


def test_no_two_parts_rounds_or_scopes_of_any_run_share_a_batch_id():
    runs = [run_id(route, [b"%d" % number]) for route in ("a", "b") for number in range(10)]
    names = [
        batch_id(run, round_, scope, part)
        for run in runs
        for round_ in range(5)
        for scope in (LTO, OLD)
        for part in range(5)
    ]
    assert len(set(names)) == len(names)


class Server:
    """Applies a batch once: the same id gets the stored outcome, whatever it asks for."""

    def __init__(self, library):
        self.library = library
        self.outcomes = {}
        self.effects = []

    def apply(self, batch, run, plan):
        if batch not in self.outcomes:
            self.library.carry_out(plan.steps)
            self.library.version += bool(plan.steps)
            self.effects.append(run)
            self.outcomes[batch] = self.library.version
        return self.outcomes[batch]


class Filter:
    """A run as the journal has it: the plan is made once, and sent again until an answer arrives."""

    def __init__(self, number, report):
        self.run = run_id("nightly", [b"<%d@example.com>" % number])
        self.report = report
        self.plan = None

    def attempt(self, server, *, answered):
        if self.plan is None:
            self.plan = make_plan(self.report, server.library, PlanRules())
        server.apply(batch_id(self.run, 0, LTO, 0), self.run, self.plan)
        return answered


def test_what_a_report_says_takes_effect_once_though_acknowledgements_are_lost(shelf, records):
    for seed in range(300):
        one_history(random.Random(seed), shelf, records)


def one_history(chance, shelf, records):
    library = shelf({ONE: Volume()._replace(repository="LIBR")})
    server = Server(library)
    seen, runs = ["LIBR"], []
    for number in range(12):
        place = chance.choice(["LIBR", "OFFS"])
        run = Filter(number, records({ONE: {"repository": place}}))
        runs.append(run)
        while not run.attempt(server, answered=chance.random() < 0.6):
            # Nobody is told yet; another host, or an earlier mail's retry, may hand in what it has in the meantime.
            chance.choice(runs).attempt(server, answered=True)
        seen.append(place)
        assert library.volumes[ONE].repository == place
    assert server.effects == [run.run for run in runs]
    changes = sum(one != other for one, other in pairwise(seen))
    assert library.version == 7 + changes


def test_going_back_and_forth_is_work_each_time_though_the_plans_have_the_same_name(shelf, records):
    library = shelf({ONE: Volume()._replace(repository="LIBR")})
    server, names, batches = Server(library), [], []
    for number, place in enumerate(["OFFS", "LIBR", "OFFS"]):
        run = Filter(number, records({ONE: {"repository": place}}))
        run.attempt(server, answered=True)
        names.append(plan_id("d", [run.plan]))
        batches.append(batch_id(run.run, 0, LTO, 0))
        assert library.volumes[ONE].repository == place
    assert names[0] == names[2] != names[1]
    assert len(set(batches)) == 3
    # The rule this replaces, nothing twice by content, would have swallowed the third.
    assert len(server.effects) == 3


def test_a_plan_is_cut_where_a_message_would_be_full(monkeypatch):
    steps = tuple(
        Step(f"A{number:05d}", "description", Action.SET, "", "x" * 256, "differs", Origin("m", "a.csv", "", 1, 1))
        for number in range(9)
    )
    plan = Plan(Scope("US01", "LTO"), bytes(16), 1, 9, 9, 0, steps, (), ())
    cause = Cause(bytes(32), bytes(32), "", 1)
    monkeypatch.setattr("mailsync.core.batches.MOST_CHARACTERS", 1024)
    parts = make_batches(plan, cause, round_=0, first_part=0)
    assert [len(part.operations) for part in parts] == [4, 4, 1]
    assert [one.volume for part in parts for one in part.operations] == [step.volume for step in steps]
    assert len({part.id for part in parts}) == 3
    monkeypatch.setattr("mailsync.core.batches.MOST_CHARACTERS", 1)
    assert [len(part.operations) for part in make_batches(plan, cause, round_=0, first_part=0)] == [1] * 9
    assert [len(part.operations) for part in make_batches(plan._replace(steps=()), cause, round_=0, first_part=0)] == [
        0
    ]
