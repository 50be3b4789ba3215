"""What one run asks of a store never goes over a table that grows: with the scope, with its history, or with the runs.

The statements are those that a run issued, and the database itself says how it finds their rows. A search by the
scope's number alone goes over all of the scope: it counts as going over the table, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.outcome import Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.administration import Cluster
from mailsync.server.store import LoadRow
from mailsync.wire import limits

GROWING = {"volumes", "tombstones", "attributes", "batches", "changes", "sources", "ledger", "runs", "replied"}
RUN, HOLDER = b"r" * 32, b"h" * 16


class Step(NamedTuple):
    """One step in which the database finds a statement's rows; `bad` where it goes over a table that grows."""

    text: str
    statement: str
    bad: bool


Watched = Callable[[], list[Step]]  # the steps of each statement issued so far


def sqlite_watch(store) -> Watched:
    connection, issued = store._database._connection, []
    connection.set_trace_callback(issued.append)

    def steps() -> list[Step]:
        connection.set_trace_callback(None)
        found = []
        for statement in issued:
            if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", statement):
                continue
            aliases = {alias: table for table, alias in re.findall(r"(\w+) AS (\w+)", statement)}
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
                said = re.match(r"(SCAN|SEARCH) (\w+)(.*)", step)
                grows = said is not None and aliases.get(said[2], said[2]) in GROWING
                # What refers to a new batch is only gone over while a deferred reference waits: none is deferred.
                if grows and said[2] == "volumes" and statement.startswith("INSERT INTO batches"):
                    continue
                bad = grows and (said[1] == "SCAN" or said[3].endswith("(media=?)"))
                found.append(Step(step, statement, bad))
        return found

    return steps


def postgres_watch(store) -> Watched:
    import psycopg

    issued = []

    class Watching(psycopg.Cursor):
        """Psycopg's own cursor, which notes what it is given."""

        def execute(self, query, params=None, **more):
            issued.append((query, params))
            return super().execute(query, params, **more)

        def executemany(self, query, params_seq, **more):
            rows = list(params_seq)
            issued.extend((query, row) for row in rows[:1])
            return super().executemany(query, rows, **more)

    connection = store._database._connection
    connection.cursor_factory = Watching

    def steps() -> list[Step]:
        connection.cursor_factory = psycopg.Cursor
        found = []
        with connection.transaction(force_rollback=True):
            connection.execute("ANALYZE")
            # With so few rows going over a table may be cheapest: what is asked is whether it could be avoided.
            connection.execute("SET LOCAL enable_seqscan = off")
            for statement, values in issued:
                if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|DECLARE)", statement):
                    ((plan,),) = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchall()
                    found += [Step(json.dumps(node), statement, is_bad(node)) for node in nodes(plan[0]["Plan"])]
        return found

    return steps


def nodes(plan) -> Iterator[dict[str, object]]:
    yield {key: value for key, value in plan.items() if key != "Plans"}
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def is_bad(node) -> bool:
    if "Scan" not in node["Node Type"]:
        return False
    if node["Node Type"] == "Bitmap Heap Scan":
        return False  # of what the scan of an index below it found
    condition = node.get("Index Cond", "")
    narrow = condition and not re.fullmatch(r"\((\w+\.)?media = \S+\)", condition)
    if node["Node Type"] == "Bitmap Index Scan":
        return not narrow
    return node.get("Relation Name") in GROWING and not narrow


@pytest.fixture
def watch(store_url) -> Callable[..., Watched]:
    return sqlite_watch if store_url.startswith("sqlite:") else postgres_watch


@pytest.fixture
def shelves(library, scope, who, make_batch, move):
    """A library with a box, a data cluster, thousands of volumes, and a history of reports with and without changes."""
    rows = [LoadRow(scope, f"F{number}", ("LIBR", "x"), 0) for number in range(2000)]
    library.load(("repository", "attribute_3"), rows)
    library.delete(scope, [f"F{number}" for number in range(500)])
    for number in range(100):
        operations = [move("A6", slot=str(number))] if number % 2 else []
        name = number.to_bytes(16, "big")
        library.apply(
            make_batch(*operations, id=name, run=name * 2, source=f"job{number % 20}", asof=number), name * 2, who, 5
        )
    library.load(("container",), [LoadRow(scope, "B1", ("",), 1), LoadRow(scope, "A8", ("US01.LTO.B1",), 2)])
    library.add_cluster(Cluster("nightly"))
    return library


def changes() -> tuple[Operation, ...]:
    def make(change, volume, **fields):
        return Operation(change, volume, tuple(fields), tuple(fields.values()), 0, 1, 2)

    return (
        make(Change.UPDATE, "A1", repository="OFFS"),
        make(Change.UPDATE, "A2", description="seen", data_cluster="nightly", attribute_7="x"),
        make(Change.UPDATE, "A3", container="US01.LTO.B1"),
        make(Change.CONFIRM, "A4", confirmed_repository="LIBR"),
        make(Change.CREATE, "N1", repository="RACK"),
        make(Change.CREATE, "A9", repository="RACK"),
    )


def test_no_statement_of_a_run_goes_over_a_table_that_grows(shelves, scope, who, make_batch, watch):
    old = shelves.sync(scope, Cursor(), 0, limits.PAGE_ROWS, ADMINISTRATOR).cursor
    shelves.load(("slot",), [LoadRow(scope, "A5", ("7",), 1)])
    shelves.delete(scope, ["A9"])
    batch = make_batch(*changes(), source="job1")
    steps = watch(shelves)

    assert shelves.verifier(who.user) is not None
    assert shelves.begin_run(RUN, HOLDER, 10, who).state == "yours"
    assert not shelves.footing(scope, old, who).reset
    page = shelves.sync(scope, old, 1, limits.DEFAULT_PAGE_ROWS, who)
    assert ([row[0] for row in page.rows], page.tombstones) == (["A5"], ("A9",))
    outcome = shelves.apply(batch, b"h" * 32, who, 10)
    assert [row.result for row in outcome.results].count(Result.OK) == 5, outcome.results
    assert shelves.apply(batch, b"h" * 32, who, 11).replayed
    box = make_batch(Operation(Change.UPDATE, "B1", ("repository",), ("OFFS",), 0, 1, 2), id=b"batch-0000000002")
    assert shelves.apply(box, b"i" * 32, who, 12).results[0].result is Result.OK
    assert shelves.renew_run(RUN, HOLDER, 12, who)
    assert shelves.mark_replied(RUN, HOLDER, "operator", 12, who)
    shelves.end_run(RUN, HOLDER, 13, who)

    found = steps()
    assert len({step.statement for step in found}) > 20
    assert "\n".join(f"{step.text}: {step.statement}" for step in found if step.bad) == ""


def test_what_a_source_moved_is_looked_up_among_the_batches_of_a_day_that_moved_something(shelves, scope, who, watch):
    steps = watch(shelves)
    assert shelves.earlier(scope, "job1", RUN, 10, who).volumes == 0
    found = [step for step in steps() if "coalesce(sum(moved)" in step.statement]
    assert set(re.findall(r"batches_\w+", "".join(step.text for step in found))) == {"batches_by_move"}
    assert not any(step.bad for step in found)


def test_going_over_a_scope_is_found_out(shelves, scope, watch):
    """STATS counts all of a scope, whoever asks for it: the test above would see such a statement in a run."""
    steps = watch(shelves)
    shelves.stats(scope, ADMINISTRATOR)
    assert sum(step.bad for step in steps()) == 3
