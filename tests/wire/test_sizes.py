"""Byte budgets: application bytes, both ways where it says so, so that a worse encoding is a failing test."""

from __future__ import annotations

import pytest

from mailsync.core.cursor import Cursor, Page
from mailsync.core.identity import batch_id
from mailsync.core.model import CustomerId, MediaId, RunId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire.batches import encode_apply
from mailsync.wire.messages import Sync

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
RUN = RunId(bytes((i * 167 + 13) % 256 for i in range(32)))
PLAN = bytes((i * 89 + 7) % 256 for i in range(32))
EPOCH = bytes((i * 61 + 5) % 256 for i in range(16))
SOURCES = (("<20261123101500.4711.nightly@backup1.example.com>", "tape-report.csv"),)


def scattered_moves(count: int) -> tuple[Operation, ...]:
    """Moves of volumes that lie anywhere among 10,000, from lines in another order."""
    chosen = sorted((i * 7919 + 13) % 10_000 for i in range(count))
    places = ("OFFS", "LIBR", "RACK")
    return tuple(
        Operation(
            Change.UPDATE,
            f"A{number:05}L8",
            ("repository",),
            (places[number % 3],),
            0,
            (number * 31) % 10_000 + 1,
            (number * 31) % 10_000 + 2,
        )
        for number in chosen
    )


def batch(operations: tuple[Operation, ...]) -> Batch:
    return Batch(
        batch_id(RUN, 0, SCOPE, 0),
        RUN,
        PLAN,
        SCOPE,
        EPOCH,
        10_000,
        "nightly/nightly-csv",
        1795428900,
        SOURCES,
        operations,
    )


def run(pair, operations):
    """A whole run of a warm cache: connect, log in, SYNC, APPLY, BYE. The APPLY's own bytes are returned."""
    end = pair()
    end.shake_hands()
    auth = end.client.send_auth()
    request, sync = end.client.send_sync(Sync(SCOPE, Cursor(EPOCH, 10_000, 0), 5))
    end.client.receive_data(end.serve(auth + sync))
    page = end.server.send_page(
        request,
        Page(
            reset=False,
            more=False,
            cursor=Cursor(EPOCH, 10_000, 0),
            tombstones=(),
            rows=(),
            repositories_version=5,
            repositories=None,
        ),
    )
    end.client.receive_data(page)
    request, apply = end.client.send_apply(encode_apply(batch(operations)))
    end.serve(apply)
    results = (RowResult(Result.OK),) * len(operations)
    done = end.server.send_outcome(request, Outcome(batch(operations).id, 10_001, 10_000 + len(operations), results))
    end.client.receive_data(done)
    bye = end.client.send_bye()
    end.serve(bye)
    end.down += len(page) + len(done)
    return end, len(apply)


@pytest.mark.parametrize("compress", [("deflate",), ("zstd", "deflate")])
def test_a_run_that_changes_nothing_costs_at_most_2600_bytes_both_ways(pair, compress):
    end, _ = run(lambda: pair(compress=compress), ())
    assert end.up + end.down <= 2600


@pytest.mark.parametrize("compress", [("deflate",), ("zstd", "deflate")])
def test_100_scattered_moves_fit_in_1500_bytes_and_their_run_in_3000_up(pair, compress):
    end, apply = run(lambda: pair(compress=compress), scattered_moves(100))
    assert apply <= 1500
    assert end.up <= 3000


def test_moves_of_whole_boxes_are_cheaper_still(pair):
    neighbours = tuple(
        Operation(
            Change.UPDATE, f"A{box * 1000 + n:05}L8", ("repository",), ("OFFS",), 0, box * 1000 + n, box * 1000 + n
        )
        for box in range(5)
        for n in range(20)
    )
    _, apply = run(pair, neighbours)
    assert apply <= 800
