"""A real listener on loopback: what clients of both kinds see of it, orderly ones and others, limit by limit.

The listener runs in a thread with its own event loop. Limits are made small, so that a test waits only for what it
is about: nothing here measures time.
"""

from __future__ import annotations

import os
import random
import threading
import time

import pytest
from listening import KEY, PATIENCE, RING, SCOPE, TOKEN, ended

from mailsync.client.failures import ReusedError, ServerError, StaleError
from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.server.admission import network_of
from mailsync.server.store import LoadRow
from mailsync.wire import limits as wire_limits
from mailsync.wire.batches import encode_apply
from mailsync.wire.client_session import ClientSession
from mailsync.wire.compression import Method
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code
from mailsync.wire.events import Connected, ErrorReceived, PongReceived
from mailsync.wire.frames import Message, seal
from mailsync.wire.keys import Token, format_ring, new_client_key, with_key, without_key
from mailsync.wire.messages import Sync


def test_a_client_follows_applies_and_sees_its_move(serve, library, scope, make_batch, move):
    with serve().link() as link:
        (page,) = link.sync(scope, Cursor(), 0)
        assert len(page.rows) == 9
        batch = make_batch(move("A1", "OFFS"))
        outcome = link.apply(encode_apply(batch))
        assert (outcome.first, outcome.last) == (10, 10)
        assert link.apply(encode_apply(batch)) == outcome._replace(replayed=True)
        (page,) = link.sync(scope, page.cursor, page.repositories_version)
        assert [row[:3] for row in page.rows] == [("A1", "", "OFFS")]
        assert page.repositories is None
    assert {one.user for one in library.ledger(scope)} == {"filter"}


def test_a_refusal_of_the_store_reaches_the_client_as_what_it_is(serve, scope, make_batch, move):
    with serve().link() as link:
        outcome = link.apply(encode_apply(make_batch(move("A1", "OFFS"))))
        with pytest.raises(ReusedError) as reused:
            link.apply(encode_apply(make_batch(move("A2", "OFFS"))))
        assert reused.value.outcome == outcome
        with pytest.raises(StaleError):
            link.apply(encode_apply(make_batch(id=b"batch-0000000009", base=99)))
        with pytest.raises(RefusedError, match="no scope"):
            list(link.sync(scope._replace(media="NONE"), Cursor(), 0))
        assert len(list(link.sync(scope, Cursor(), 0))) == 1, "the connection goes on after a refusal"


@pytest.mark.parametrize("token", [Token("filter", b"x" * 32), Token("nobody", b"t" * 32)])
def test_a_wrong_token_and_an_unknown_user_are_refused_alike(serve, scope, token):
    served = serve()
    with served.link(token=token) as link, pytest.raises(RefusedError, match="user, token or password is wrong"):
        list(link.sync(scope, Cursor(), 0))
    served.stop()
    assert served.ends() == ["refused"]
    assert "user=-" in served.log[-1]


@pytest.mark.parametrize("key", [KEY._replace(secret=b"x" * 32), KEY._replace(id="nobody")])
def test_a_wrong_key_and_an_unknown_one_are_refused_alike(serve, key):
    with pytest.raises(RefusedError, match="refused the key"):
        serve().link(key=key)


def test_a_key_added_or_revoked_counts_from_the_next_connection_on(serve, ring_path):
    served = serve()
    other = new_client_key(RING, "other", b"O" * 32)
    ring_path.write_text(format_ring(without_key(with_key(with_key(RING, KEY), other), "site")))
    served.link(key=other).close()
    with pytest.raises(RefusedError):
        served.link()
    ring_path.write_text("half of a ring")
    served.link(key=other).close()


def test_a_token_revoked_while_its_user_is_connected_is_worth_nothing_more(serve, library, scope, make_batch, move):
    with serve().link() as link:
        list(link.sync(scope, Cursor(), 0))
        library.revoke_token("filter", 2)
        with pytest.raises(RefusedError, match="may not read"):
            list(link.sync(scope, Cursor(), 0))
        with pytest.raises(RefusedError, match="may not write"):
            link.apply(encode_apply(make_batch(move("A1", "OFFS"))))


def test_a_ping_needs_no_login(serve, talk):
    served = serve()
    talker = talk(served, token=None)
    assert isinstance(talker.ping(), PongReceived)
    talker.socket.sendall(talker.session.send_bye())
    assert ended(talker.socket) == b""
    served.stop()
    assert served.ends() == ["bye"]


def test_an_unknown_request_is_answered_and_the_connection_goes_on(serve, talk):
    served = serve()
    talker = talk(served).log_in()
    talker.session._last += 1
    talker.socket.sendall(
        seal(talker.session._channel._cipher, Message(0x2F, Method.NONE, talker.session._last, b"", 0))
    )
    assert talker.event().failure.code == Code.UNKNOWN_TYPE
    assert isinstance(talker.ping(), PongReceived)
    assert [f"code={Code.UNKNOWN_TYPE:d}" in line for line in served.log if "event=unable" in line] == [True]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"MSYN\x01\x02\x01 "])
def test_another_protocol_is_hung_up_on_without_a_word(serve, data):
    served = serve()
    with served.socket() as connection:
        connection.sendall(data)
        assert ended(connection) == b""
    served.stop()
    assert served.ends() == ["refused"]


def test_a_flipped_bit_ends_the_connection_without_a_word(serve, talk):
    served = serve()
    talker = talk(served).log_in()
    data = bytearray(talker.session.send_ping()[1])
    data[-1] ^= 1
    talker.socket.sendall(data)
    assert ended(talker.socket) == b""
    served.stop()
    assert served.ends() == ["protocol"]


def test_a_handshake_seen_before_is_dropped_without_a_word(serve):
    served = serve()
    session = ClientSession(key=KEY, token=TOKEN, random=os.urandom(RANDOM_BYTES))
    first = session.start()
    with served.socket() as one, served.socket() as other:
        one.sendall(first)
        assert isinstance(session.receive_data(one.recv(2**16))[0], Connected)
        other.sendall(first)
        assert ended(other) == b""


def test_who_does_not_log_in_in_time_is_told_nothing_and_dropped(serve, talk):
    served = serve(login=1)
    with served.socket() as silent, served.socket() as half:
        half.sendall(b"MSYN\x01")
        assert ended(silent) == ended(half) == b""
    talker = talk(served)
    assert talker.event().failure.code == Code.TIMEOUT
    served.stop()
    assert served.ends() == ["timeout"] * 3


def test_a_logged_in_client_outlives_the_login_deadline_and_is_ended_when_idle(serve, talk):
    talker = talk(serve(login=5, idle=0.2)).log_in()
    event = talker.event()
    assert isinstance(event, ErrorReceived)
    assert (event.request, event.failure.code) == (0, Code.TIMEOUT)
    assert ended(talker.socket) == b""


def test_a_message_that_stops_in_its_middle_is_not_waited_for_as_long_as_the_next_one(serve, talk):
    talker = talk(serve(idle=600, frame=0.2)).log_in()
    talker.socket.sendall(talker.session.send_ping()[1][:20])
    assert talker.event().failure.code == Code.TIMEOUT


def test_one_connection_more_than_there_may_be_is_told_so(serve, talk):
    served = serve(connections=1)
    talker = talk(served).log_in()
    with served.socket() as other:
        assert ended(other) == b"\x00\x00\x01"
    with pytest.raises(ServerError, match="no room"):
        served.link()
    assert isinstance(talker.ping(), PongReceived)


def test_the_oldest_half_open_connection_makes_room_for_a_new_one(serve, talk):
    served = serve(newcomers=2)
    with served.socket() as oldest, served.socket() as younger:
        younger.sendall(b"MSYN")
        talker = talk(served).log_in()
        assert ended(oldest) == b""
        served.link().close()
        assert isinstance(talker.ping(), PongReceived), "who has logged in is never dropped for a newcomer"
    served.stop()
    assert served.ends().count("dropped") == 1


def test_one_address_logs_in_so_many_at_a_time_and_the_next_one_waits(serve):
    served = serve(per_address=1)
    with served.socket() as half_open:
        half_open.sendall(b"MSYN")
        session = ClientSession(key=KEY, token=TOKEN, random=os.urandom(RANDOM_BYTES))
        with served.socket() as waiting:
            waiting.sendall(session.start())
            waiting.settimeout(0.2)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            waiting.settimeout(PATIENCE)
            half_open.close()
            assert isinstance(session.receive_data(waiting.recv(2**16))[0], Connected)


def test_a_client_that_does_not_read_is_dropped(serve, library, scope, talk):
    letters = random.Random(1)
    texts = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=250)) for _ in range(4096)]
    library.load(("description",), [LoadRow(scope, f"B{at:05}", (text,), 0) for at, text in enumerate(texts)])
    served = serve(stall=0.3, drain=1024)
    talker = talk(served).log_in()
    for _ in range(wire_limits.OUTSTANDING):
        talker.socket.sendall(talker.session.send_sync(Sync(scope, Cursor()))[1])
    deadline = time.monotonic() + PATIENCE
    while served.ends() != ["stalled"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_page_too_large_for_a_message_comes_as_smaller_ones(serve, library, scope, monkeypatch):
    texts = ["".join(random.Random(at).choices("abcdefghijklmnopqrstuvwxyz", k=250)) for at in range(1, 10)]
    library.load(("description",), [LoadRow(scope, f"A{at}", (text,), 0) for at, text in enumerate(texts, 1)])
    monkeypatch.setattr(wire_limits, "MESSAGE_INFLATED", 1500)
    with serve().link() as link:
        pages = list(link.sync(scope, Cursor(), 0))
    assert len(pages) > 1
    assert sorted(row[1] for page in pages for row in page.rows) == sorted(texts)
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]


def test_stopping_says_so_to_who_is_connected_and_to_who_is_connecting(serve, talk):
    served = serve()
    talker = talk(served).log_in()
    with served.socket() as half_open:
        half_open.sendall(b"MSYN")
        served.link().close()  # by now the server has seen what came before
        served.stop()
        assert talker.event().failure.code == Code.SHUTTING_DOWN
        assert ended(half_open) == b"\x00\x00\x01"
    assert sorted(served.ends()) == ["bye", "stopped", "stopped"]


def test_each_connection_has_one_line_in_the_log_and_no_secret_is_in_it(serve, scope, make_batch, move):
    served = serve()
    with served.link() as link:
        list(link.sync(scope, Cursor(), 0))
        link.apply(encode_apply(make_batch(move("A1", "OFFS"))))
    served.stop()
    (line,) = served.log
    assert " key=site user=filter id=" in line
    assert " requests=2 " in line
    assert line.endswith("end=bye")
    assert b"t" * 8 not in line.encode()


def test_a_fault_of_the_server_ends_one_connection_and_is_told_without_its_inside(serve, library, scope, monkeypatch):
    served = serve()
    with served.link() as link, monkeypatch.context() as patched:
        patched.setattr(library, "sync", lambda *_: 1 // 0)
        with pytest.raises(ServerError, match="504: internal error; the server's log has it under"):
            list(link.sync(scope, Cursor(), 0))
    with served.link() as link:
        assert list(link.sync(scope, Cursor(), 0))
    served.stop()
    assert sum("ZeroDivisionError" in line for line in served.log) == 1
    assert served.ends() == ["internal", "bye"]


def test_a_store_that_cannot_answer_is_told_without_its_path(serve, library, scope):
    with serve().link() as link:
        list(link.sync(scope, Cursor(), 0))
        library._database._connection.execute("ALTER TABLE media RENAME TO hidden")
        with pytest.raises(ServerError) as caught:
            list(link.sync(scope, Cursor(), 0))
        library._database._connection.execute("ALTER TABLE hidden RENAME TO media")
        assert (caught.value.code, caught.value.after_ms) == (Code.STORE_UNAVAILABLE, 5000)
        assert "server.db" not in str(caught.value)
        assert list(link.sync(scope, Cursor(), 0))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_one_address_is_an_ipv4_address_or_an_ipv6_network(address, network):
    assert network_of(address) == network


def test_a_request_the_store_does_not_answer_in_time_is_told_so_and_the_connection_lives(serve, library, monkeypatch):
    held = threading.Event()
    inner = library.sync

    def slow(*arguments):
        held.wait(PATIENCE)
        return inner(*arguments)

    monkeypatch.setattr(library, "sync", slow)
    served = serve(request=1)
    with served.link() as link:
        with pytest.raises(ServerError, match="did not answer within") as caught:
            list(link.sync(SCOPE, Cursor(), 0))
        assert caught.value.code == Code.STORE_UNAVAILABLE
        held.set()
        assert list(link.sync(SCOPE, Cursor(), 0))
