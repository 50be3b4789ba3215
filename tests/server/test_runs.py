"""A run can be told of in one answer, whatever its holder says of it."""

from __future__ import annotations

import pytest

from mailsync.server.access import ADMINISTRATOR
from mailsync.server.store import RequestError
from mailsync.wire import limits
from mailsync.wire.errors import Code
from mailsync.wire.runs import RunLease, decode_lease, encode_lease

RUN, HOLDER = b"r" * 32, b"h" * 16


def test_a_run_has_no_more_audiences_than_one_answer_holds(library):
    library.begin_run(RUN, HOLDER, 1, ADMINISTRATOR)
    for number in range(limits.AUDIENCES):
        assert library.mark_replied(RUN, HOLDER, f"team {number}", 1, ADMINISTRATOR)
    with pytest.raises(RequestError) as caught:
        library.mark_replied(RUN, HOLDER, "one more", 1, ADMINISTRATOR)
    assert caught.value.code is Code.INVALID
    assert library.mark_replied(RUN, HOLDER, "team 7", 1, ADMINISTRATOR)  # said twice, which is nothing new
    found = library.begin_run(RUN, HOLDER, 1, ADMINISTRATOR)
    lease = RunLease(found.state, found.batches, found.audiences)
    assert len(lease.audiences) == limits.AUDIENCES
    assert decode_lease(encode_lease(lease)) == lease


def test_a_run_of_more_batches_than_one_answer_holds_tells_the_first_of_them(
    library, make_batch, move, monkeypatch, who
):
    monkeypatch.setattr(limits, "RUN_BATCHES", 2)
    names = [bytes((number,)) * 16 for number in range(3)]
    for name in names:
        library.apply(make_batch(move("A1", "OFFS"), id=name), name * 2, who, 1)
    found = library.begin_run(b"r" * 32, HOLDER, 1, ADMINISTRATOR)
    assert [batch for _, batch in found.batches] == names[:2]
