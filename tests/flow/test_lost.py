"""What a new life of the server has lost: what is asked for, and what of the answer counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mailsync.client.journal import DONE, Chapter, Journal, KeptBatch
from mailsync.core.kept import to_json
from mailsync.core.model import RunId, Scope
from mailsync.core.outcome import Outcome, Result, RowResult
from mailsync.flow import lost
from mailsync.flow.lost import Watched, find_lost
from mailsync.wire.ledger import Missing

SCOPE = Scope("US01", "LTO")


class Server:
    """A server in a life, with what it has not recorded and how far its ledger was pruned; `asked` are the packets."""

    def __init__(self, *missing: int, pruned: int = 0) -> None:
        self.asked: list[list[int]] = []
        self.epoch = b"1" * 16
        self._missing = {batch(number) for number in missing}
        self._pruned = pruned

    def refresh(self, _):
        return SimpleNamespace(epoch=self.epoch)

    def missing(self, _, batches):
        self.asked.append([one[0] for one in batches])
        return Missing(self._pruned, tuple(one for one in batches if one in self._missing))


def run(number: int) -> RunId:
    return RunId(bytes((number,)) * 32)


def batch(number: int) -> bytes:
    return bytes((number,)) * 16


@pytest.fixture
def journal(tmp_path):
    """A journal in which runs 1 to 6 are done; all of them changed something, but run 4."""
    made = Journal(tmp_path / "journal.db")
    for number in range(1, 7):
        kept = KeptBatch(0, 0, batch(number), b"")
        made.begin(run(number), mail=bytes(32), route="nightly", verdict="[]", now=number)
        made.decide(run(number), "[]", (Chapter(0, 0, str(SCOPE), "[]", dropped=False),), (kept,))
        result = Result.UNCHANGED if number == 4 else Result.OK
        outcome = Outcome(batch(number), number, number, (RowResult(result),), entry=number)
        made.answered(run(number), kept, to_json(outcome))
        made.end(run(number), state=DONE, reason="done", now=number)
    yield made
    made.close()


def test_what_changed_something_is_asked_for_newest_first_until_a_packet_is_all_there(journal, monkeypatch):
    monkeypatch.setattr(lost, "PACKET", 2)
    server = Server(1, 5, 6)
    assert find_lost(journal.losses, server, SCOPE) == (run(6), run(5))
    assert server.asked == [[6, 5], [3, 2]]


def test_what_the_server_has_pruned_is_not_lost(journal):
    assert find_lost(journal.losses, Server(2, 3, 5, pruned=3), SCOPE) == (run(5),)


def test_a_scope_in_the_epoch_it_was_seen_in_costs_no_question(journal):
    server = Server(6)
    watched = Watched(journal, server)
    for _ in range(2):  # seen for the first time, and again
        watched.refresh(SCOPE)
    assert server.asked == []
    server.epoch = b"2" * 16
    watched.refresh(SCOPE)
    assert [one.run for one in journal.losses.all()] == [run(6)]
    watched.refresh(SCOPE)
    assert len(server.asked) == 1
