"""The ledger: every writer leaves an entry, and whatever is altered, removed or inserted behind its back is found."""

from __future__ import annotations

import json

import pytest

from mailsync.core.ledger import SITE
from mailsync.core.model import Repository, RepositoryId
from mailsync.server.access import ADMINISTRATOR, Access
from mailsync.server.chain import GENESIS, Entry, entry_hash
from mailsync.server.store import LEASE_SECONDS, LoadRow
from mailsync.wire.scram import make_verifier

HASH = b"h" * 32
RUN, OTHER_RUN = b"r" * 32, b"s" * 32
PARTS = "version, epoch, time, principal, run, batch, kind, salt, payload, hash"
ONE, TWO = b"1" * 16, b"2" * 16


@pytest.fixture
def history(library, who, scope, make_batch, move):
    """A library with three batches, a load and a deletion in its ledger."""
    for number, (name, place) in enumerate((("A1", "OFFS"), ("A2", "OFFS"), ("A1", "LIBR")), 1):
        batch = make_batch(move(name, place), id=number.to_bytes(16, "big"), run=bytes([number]) * 32)
        library.apply(batch, HASH, who, 100 + number)
    library.load(("slot",), [LoadRow(scope, "A3", ("7",), 2)])
    library.delete(scope, ["A9"])
    return library


def flaws(store):
    return [(flaw.chain, flaw.text) for flaw in store.verify()]


def test_a_ledger_nobody_touched_is_whole_and_every_writer_is_in_it(history, scope, behind):
    history.add_repository(scope, Repository(RepositoryId("DEST"), "Destruction"))
    history.expire(scope, 3)
    history.revoke_token("filter", 9)
    history.renew_epoch(b"e" * 16)
    history.note("key revoked", {"id": "site"})
    assert flaws(history) == []
    kinds = {entry.kind for chain in (SITE, str(scope)) for entry, _ in history.chain(chain)}
    assert kinds == {
        "scope", "token added", "token revoked", "epoch", "key revoked",
        "load", "batch", "delete", "repository", "expire",
    }  # fmt: skip


def test_an_entry_says_who_did_what_when_and_for_which_run(history, scope):
    entry, stored = next(link for link in history.chain(str(scope)) if link[0].kind == "batch")
    assert (entry.principal, entry.time, entry.run) == ("filter/site", 101, b"\x01" * 32)
    assert json.loads(entry.payload)["fields"] == 2  # the target, and the flag that it moves
    assert history.batches(scope)[0].outcome.ledger == stored


def test_the_hash_is_the_documented_one():
    entry = Entry("US01.LTO", 1, 2, b"e" * 16, 3, "filter/site", b"r" * 32, b"b" * 16, "batch", b"s" * 16, "{}")
    assert entry_hash(GENESIS, entry).hex() == "f5fd6ed85d460a4a6acb436d3381fbc15aef1294c630fc73784c4c41a20dbe52"
    for name, value in entry._asdict().items():
        other = value + (1 if isinstance(value, int) else type(value)(b"x") if isinstance(value, bytes) else "x")
        assert entry_hash(GENESIS, entry._replace(**{name: other})) != entry_hash(GENESIS, entry), name
    moved = entry._replace(principal="filter/sitex", run=b"r" * 31)
    assert entry_hash(GENESIS, moved) != entry_hash(GENESIS, entry)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE ledger SET time = time + 1 WHERE media = 1 AND seq = 3", "its hash is not that of its parts"),
        ("UPDATE ledger SET principal = 'x' WHERE media = 0 AND seq = 1", "its hash is not that of its parts"),
        ("UPDATE ledger SET payload = '{}' WHERE media = 1 AND seq = 5", "its hash is not that of its parts"),
        ("DELETE FROM ledger WHERE media = 1 AND seq = 3", "entry 4 follows entry 2"),
        ("DELETE FROM ledger WHERE media = 1 AND seq = 6", "the chain ends here"),
        ("DELETE FROM ledger WHERE media = 1", "the chain ends here"),
        (
            f"INSERT INTO ledger SELECT media, 7, {PARTS} FROM ledger WHERE media = 1 AND seq = 6",
            "it was inserted behind the chain's end",
        ),
        (
            f"INSERT INTO ledger SELECT 99, seq, {PARTS} FROM ledger WHERE media = 1",
            "a scope that the store does not have",
        ),
        ("UPDATE changes SET after = 'RACK' WHERE after = 'OFFS' AND volume = 'A1'", "was altered"),
        ("UPDATE changes SET line = 99 WHERE volume = 'A2'", "was altered"),
        ("DELETE FROM changes WHERE volume = 'A2' AND field = 'flags'", "was altered"),
        ("UPDATE batches SET asof = 7 WHERE number = 2", "was altered"),
        ("UPDATE batches SET results = '1' WHERE number = 2", "was altered"),
        ("UPDATE sources SET mail = 'x' WHERE batch = 2 AND position = 1", "was altered"),
        ("DELETE FROM batches WHERE number = 2", "is not recorded any more"),
        ("UPDATE batches SET media = 99 WHERE number = 2", "is not recorded any more"),
        ("DELETE FROM ledger WHERE media = 1 AND seq = 2", "the ledger knows nothing of it"),
    ],
)
def test_whatever_is_altered_removed_or_inserted_is_found(history, behind, statement, text):
    behind(statement)
    assert [found for _, found in flaws(history) if text in found], flaws(history)


def test_one_altered_entry_is_told_once(history, behind):
    behind("UPDATE ledger SET time = 0 WHERE media = 1 AND seq = 3")
    assert [(flaw.chain, flaw.seq) for flaw in history.verify()] == [("US01.LTO", 3)]


def test_a_replayed_batch_is_answered_with_the_head_it_had(library, who, make_batch, move):
    first = make_batch(move("A1", "OFFS"))
    outcome = library.apply(first, HASH, who, 5)
    library.apply(make_batch(move("A2", "OFFS"), id=b"x" * 16), b"i" * 32, who, 6)
    again = library.apply(first, HASH, who, 7)
    assert (again.entry, again.ledger) == (outcome.entry, outcome.ledger)
    assert next(head for head in library.heads() if head.chain == "US01.LTO").seq == outcome.entry + 1


class TestRuns:
    def test_a_run_is_lent_to_one_at_a_time(self, library):
        assert library.begin_run(RUN, ONE, 100, ADMINISTRATOR).state == "yours"
        assert library.begin_run(RUN, TWO, 100, ADMINISTRATOR).state == "busy"
        assert library.begin_run(RUN, ONE, 101, ADMINISTRATOR).state == "yours"
        assert library.begin_run(OTHER_RUN, TWO, 100, ADMINISTRATOR).state == "yours"

    def test_a_run_whose_holder_was_not_heard_of_goes_to_the_next(self, library):
        library.begin_run(RUN, ONE, 100, ADMINISTRATOR)
        assert library.begin_run(RUN, TWO, 100 + LEASE_SECONDS - 1, ADMINISTRATOR).state == "busy"
        assert library.begin_run(RUN, TWO, 100 + LEASE_SECONDS, ADMINISTRATOR).state == "yours"
        assert not library.renew_run(RUN, ONE, 100 + LEASE_SECONDS, ADMINISTRATOR)
        assert not library.mark_replied(RUN, ONE, "operator", 100 + LEASE_SECONDS, ADMINISTRATOR)

    def test_renewing_lends_it_on(self, library):
        library.begin_run(RUN, ONE, 100, ADMINISTRATOR)
        assert library.renew_run(RUN, ONE, 200, ADMINISTRATOR)
        assert library.begin_run(RUN, TWO, 200 + LEASE_SECONDS - 1, ADMINISTRATOR).state == "busy"

    def test_whoever_goes_on_learns_what_was_done(self, library, who, scope, make_batch, move):
        library.begin_run(RUN, ONE, 100, ADMINISTRATOR)
        batch = make_batch(move("A1", "OFFS"), run=RUN)
        library.apply(batch, HASH, who, 100)
        assert library.mark_replied(RUN, ONE, "operator", 101, ADMINISTRATOR)
        assert library.mark_replied(RUN, ONE, "operator", 102, ADMINISTRATOR)
        state = library.begin_run(RUN, TWO, 300, ADMINISTRATOR)
        assert state[:3] == ("yours", ((scope, batch.id),), ("operator",))

    def test_who_begins_a_run_learns_where_the_sites_chain_ends_and_nobody_else_does(self, library, scope):
        for number in range(2):
            library.add_scope(scope._replace(media=f"M{number}"))
            state = library.begin_run(RUN, ONE, 100, ADMINISTRATOR)
            assert (SITE, state.entry, state.ledger) == next(head for head in library.heads() if head.chain == SITE)
        assert library.begin_run(RUN, TWO, 100, ADMINISTRATOR) == ("busy", (), (), 0, b"")
        library.end_run(RUN, ONE, 101, ADMINISTRATOR)
        assert library.begin_run(RUN, TWO, 102, ADMINISTRATOR) == ("done", (), (), 0, b"")

    def test_a_run_that_is_done_is_nobodys(self, library):
        library.begin_run(RUN, ONE, 100, ADMINISTRATOR)
        library.end_run(RUN, TWO, 101, ADMINISTRATOR)  # not its holder
        assert library.begin_run(RUN, TWO, 101, ADMINISTRATOR).state == "busy"
        library.end_run(RUN, ONE, 101, ADMINISTRATOR)
        assert library.begin_run(RUN, ONE, 102, ADMINISTRATOR).state == "done"
        assert library.begin_run(RUN, TWO, 999, ADMINISTRATOR).state == "done"
        assert not library.renew_run(RUN, ONE, 103, ADMINISTRATOR)


def test_a_scope_in_figures(library, scope, who, make_batch, move):
    library.apply(make_batch(move("A1", "OFFS"), move("A2", description="dog")), HASH, who, 5)
    stats = library.stats(scope, ADMINISTRATOR)
    assert (stats.volumes, stats.repositories, stats.flags) == (9, (("LIBR", 8), ("OFFS", 1)), (("M", 1),))
    library.apply(make_batch(move("A3", description="0123456789"), id=b"x" * 16), b"i" * 32, who, 6)
    assert library.stats(scope, ADMINISTRATOR).bytes == stats.bytes + 10


def test_a_token_made_is_in_the_sites_chain(store):
    store.add_token("filter", make_verifier(b"t" * 32, b"s" * 16), 1, grants=(("*", Access.WRITE),))
    ((entry, _),) = store.chain(SITE)
    said = {"user": "filter", "email": "", "grants": ["*:write"]}
    assert (entry.kind, json.loads(entry.payload), entry.principal) == ("token added", said, "admin")
