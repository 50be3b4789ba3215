"""Answers that are the protocol and cannot be right: a client is not led on for ever, nor told of another batch."""

from __future__ import annotations

import itertools
import os

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from mailsync.client.answers import check_page, check_scopes
from mailsync.client.link import connect
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import RefusedError, TemporaryError
from mailsync.core.model import Scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire.batches import encode_apply
from mailsync.wire.figures import ScopeFigures
from mailsync.wire.passwords import DEFAULT, Password
from mailsync.wire.scram import make_verifier

EPOCH, MARK = b"e" * 16, b"m" * 8


def page(since: int, *, reset: bool = False, more: bool = True) -> Page:
    cursor = Cursor(EPOCH, since, 9, 0, MARK, 9)
    row = (f"A{since}", *[""] * 15)
    return Page(reset, more, cursor, (), (row,), 1, () if reset else None, entry=9, ledger=MARK * 4)


@pytest.mark.parametrize("batch, results", [(b"x" * 16, 1), (b"b" * 16, 0), (b"b" * 16, 2)])  # noqa: PT006 - two names
def test_the_outcome_of_another_batch_is_not_taken_for_this_one(server, link, scope, batch, results):
    move = Operation(Change.UPDATE, "A00001", ("repository",), ("OFFS",), 0, 1, 1)
    asked = Batch(b"b" * 16, b"r" * 32, b"p" * 32, scope, EPOCH, 1, "", 1, (("<m@example.com>", "a.csv"),), (move,))
    rows = (RowResult(Result.OK),) * results
    server.outcomes[asked.id] = Outcome(batch, 1, 1, rows, entry=1, ledger=b"h" * 32)
    with pytest.raises(TemporaryError, match="another batch"):
        link.apply(encode_apply(asked))
    server.outcomes[asked.id] = Outcome(asked.id, 1, 1, (RowResult(Result.OK),), entry=1, ledger=b"h" * 32)
    assert link.apply(encode_apply(asked)).replayed


@pytest.mark.parametrize("reset", [True, False], ids=["starting over", "standing still"])
def test_a_sync_that_leads_nowhere_ends(server, link, scope, reset):
    server.table.page = lambda *_: page(4, reset=reset)
    pages = itertools.islice(link.sync(scope, Cursor(EPOCH, 4, 9, 0, MARK, 9), 1), 100)
    with pytest.raises(TemporaryError, match="lead nowhere"):
        list(pages)


def test_pages_that_lead_on_are_followed():
    asked = Cursor(EPOCH, 4, 9, 0, MARK, 9)
    check_page("a:1", asked, page(5), 0)
    check_page("a:1", asked, page(4, more=False), 0)
    check_page("a:1", asked, page(1, reset=True), 10)
    with pytest.raises(TemporaryError):
        check_page("a:1", asked, page(1, reset=True), 11)


def test_scopes_come_in_ascending_order_after_the_one_asked_for():
    one, two = (ScopeFigures(Scope(customer, "LTO"), "", 1, 1, 1) for customer in ("US01", "US02"))
    check_scopes("a:1", "", (one, two))
    check_scopes("a:1", "US00.LTO", ())
    for after, found in (("US01.LTO", (one,)), ("US09.LTO", (one, two)), ("", (two, one)), ("", (one, one))):
        with pytest.raises(TemporaryError, match="not in order"):
            check_scopes("a:1", after, found)


def test_a_proof_that_cannot_be_made_here_is_an_error_with_its_reason(server, key, monkeypatch):
    def unsupported(**_):
        raise UnsupportedAlgorithm("argon2id")

    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.argon2.Argon2id", unsupported)
    server.verifiers["anna"] = make_verifier(b"t" * 32, b"s" * 16)._replace(kdf=DEFAULT)
    with pytest.raises(RefusedError, match="has no Argon2id"):
        connect(server.address, key, Password("anna", "correct horse"), random=os.urandom)
