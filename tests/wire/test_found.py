"""What fuzzing the protocol found, a plain test each: bodies that must not be taken, and words that were too long.

tests/corpus/test_replay.py replays the inputs themselves.
"""

from __future__ import annotations

import json
from hashlib import sha512

import pytest
from first_inputs import EMPTY_BATCH, EMPTY_PAGE, KEY, OUTCOMES, RING, ROWS, SOURCES, VERIFIER

from mailsync.core.outcome import Change, Operation, Result, RowResult
from mailsync.wire import limits, messages
from mailsync.wire.batches import decode_apply, encode_apply
from mailsync.wire.client_session import ClientSession
from mailsync.wire.columns import encode_table
from mailsync.wire.encodings import Column, encode_numbers, encode_texts
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.integers import encode_integers
from mailsync.wire.messages import Failure
from mailsync.wire.pages import decode_page, encode_page
from mailsync.wire.passwords import DEFAULT, Password
from mailsync.wire.reader import join_texts
from mailsync.wire.server_session import ServerSession


def test_a_volume_is_in_a_page_once():
    twice = (ROWS[0], ROWS[1], ROWS[0])
    for page in (EMPTY_PAGE._replace(rows=twice), EMPTY_PAGE._replace(rows=ROWS[:1], tombstones=(ROWS[0][0],))):
        with pytest.raises(LocalProtocolError, match="twice"):
            encode_page(page)
    head = encode_page(EMPTY_PAGE)[: -2 * len(encode_table(0, {0: encode_texts([])}))]
    rows = [encode_table(count, {0: encode_texts(["A1"] * count)}) for count in range(3)]
    assert decode_page(head + rows[1] + rows[0]).rows[0][0] == "A1"
    for both in ((2, 0), (0, 2), (1, 1)):
        with pytest.raises(RemoteProtocolError, match="twice"):
            decode_page(head + rows[both[0]] + rows[both[1]])


def group(rows: int, *, prefix: int) -> bytes:
    """A group of operations that set a description of serial numbers behind a long prefix: few bytes, many texts."""
    words = join_texts(["x" * prefix, ""])
    serial = b"\0\1" + len(words).to_bytes(4, "big") + words + b"\5" + encode_integers(range(rows))
    numbers = encode_numbers([0] * rows)
    table = {0: encode_texts(["A1"] * rows), 1: numbers, 2: numbers, 3: numbers, 16: Column(3, serial)}
    return b"\2\1\0" + encode_table(rows, table)


@pytest.mark.parametrize(("groups", "rows"), [(1, 4100), (4, 1100)])
def test_the_texts_of_a_batch_are_bounded_together_however_many_groups_they_are_in(groups, rows):
    empty = encode_apply(EMPTY_BATCH._replace(sources=SOURCES))

    def body(prefix: int) -> bytes:
        order = encode_table(groups * rows, {0: encode_numbers(sorted([*range(groups)] * rows))}) if groups > 1 else b""
        return empty[:-2] + groups.to_bytes(2, "big") + group(rows, prefix=prefix) * groups + order

    assert len(decode_apply(body(1000)).operations) == groups * rows
    assert len(body(4090)) < 100_000
    with pytest.raises(RemoteProtocolError) as caught:
        decode_apply(body(4090))
    assert caught.value.code is Code.TOO_LARGE


def test_a_batch_whose_texts_nobody_would_take_is_not_sent():
    fields = ("description", "repository")
    many = tuple(
        Operation(Change.UPDATE, "A1", fields[: 1 + at % 2], ("x" * 4000,) * (1 + at % 2), 0, 1, 1)
        for at in range(3000)
    )
    with pytest.raises(LocalProtocolError, match="characters"):
        encode_apply(EMPTY_BATCH._replace(sources=SOURCES, operations=many))


@pytest.mark.parametrize("text", ["\\ud800", "a\\udfffb", "\\udc00\\ud800"])
def test_half_a_character_is_no_text_of_a_json_body(text):
    body = f'{{"reason":"{text}"}}'.encode()
    assert json.loads(body)
    with pytest.raises(RemoteProtocolError):
        messages.decode_bye(body)
    assert messages.decode_bye(b'{"reason":"\\ud83d\\ude00"}').reason == "\U0001f600"


def test_after_an_error_or_the_end_nothing_is_kept_of_what_still_comes(pair):
    end = pair().log_in()
    with pytest.raises(RemoteProtocolError):
        end.server.receive_data(b"\0\1")
    reader = end.server._channel._reader
    before = len(reader._buffer)
    for _ in range(3):
        with pytest.raises(RemoteProtocolError):
            end.server.receive_data(b"x" * 100_000)
    assert len(reader._buffer) == before
    end = pair().log_in()
    end.serve(end.client.send_bye())
    assert end.server.receive_data(b"x" * 100_000) == []
    assert len(end.server._channel._reader._buffer) == 0


def test_a_stored_outcome_whose_reasons_are_too_long_for_an_error_comes_without_them():
    reasons = tuple(RowResult(Result.INVALID, sha512(b"%d" % number).hexdigest()) for number in range(10_000))
    failure = Failure(Code.BATCH_ID_REUSED, "another", 0, OUTCOMES[0]._replace(results=reasons))
    assert len(messages.encode_failure(failure)) <= limits.CONTROL_BYTES
    found = messages.decode_failure(messages.encode_failure(failure))
    assert [one.result for one in found.outcome.results] == [Result.INVALID] * 10_000
    assert not any(one.text for one in found.outcome.results)
    short = failure._replace(outcome=OUTCOMES[1])
    assert messages.decode_failure(messages.encode_failure(short)) == short


def test_a_client_takes_no_salt_for_a_password_that_is_too_short_to_be_one():
    end = ClientSession(key=KEY, token=Password("anna", "correct horse"), random=b"\1" * RANDOM_BYTES)
    server = ServerSession(static=RING.static, random=b"\2" * RANDOM_BYTES)
    server.receive_data(end.start())
    server.accept_key(KEY.secret)
    server.next_events()
    with pytest.raises(RemoteProtocolError, match="salt"):
        end.receive_data(server.offer_login(VERIFIER._replace(salt=b"short", kdf=DEFAULT)))
    assert not end.connected
