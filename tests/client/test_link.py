"""The link against a real session behind a real socket: what it asks, and what each refusal becomes."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from mailsync.client.failures import NoScopeError, ReusedError, ServerError, StaleError
from mailsync.client.line import parse_address
from mailsync.client.link import connect
from mailsync.client.ping import ping
from mailsync.core.cursor import Cursor
from mailsync.core.errors import (
    ForeignProtocolError,
    RefusedError,
    TemporaryError,
    UnreachableError,
    UsageError,
)
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire.batches import encode_apply
from mailsync.wire.errors import Code
from mailsync.wire.events import ApplyAsked, KeyAsked, LoginProved, SyncAsked
from mailsync.wire.keys import ClientKey, new_token
from mailsync.wire.messages import Failure
from mailsync.wire.passwords import SMALL, Password
from mailsync.wire.scram import verifier_of

START = Cursor()


@pytest.fixture
def body(scope):
    move = Operation(Change.UPDATE, "A00001", ("repository",), ("OFFS",), 0, 1, 1)
    source = (("<m@example.com>", "a.csv"),)
    return encode_apply(Batch(b"b" * 16, b"r" * 32, b"p" * 32, scope, b"e" * 16, 1, "nightly/csv", 1, source, (move,)))


def test_a_sync_asks_again_while_there_are_more_pages(server, link, scope):
    for number in range(25):
        server.table.put(f"A{number:05}", repository="LIBR")
    server.page_rows = 3
    pages = list(link.sync(scope, START, 0))
    assert [page.more for page in pages] == [True] * 8 + [False]
    assert [page.reset for page in pages] == [True] + [False] * 8
    assert [page.repositories is None for page in pages] == [False] + [True] * 8
    assert sorted(row for page in pages for row in page.rows) == server.table.everything()
    syncs = [event.sync.cursor for event in server.asked if isinstance(event, SyncAsked)]
    assert syncs == [START, pages[3].cursor, pages[7].cursor]


def test_a_sync_given_up_leaves_the_link_in_order(server, link, scope):
    for number in range(10):
        server.table.put(f"A{number:05}")
    server.page_rows = 3
    given_up = link.sync(scope, START, 0)
    next(given_up)
    given_up.close()
    assert link.ping() >= 0
    assert sum(len(page.rows) for page in link.sync(scope, START, 0)) == 10


def test_a_batch_is_applied_and_the_same_bytes_again_are_replayed(server, link, body):
    server.table.put("A00001", repository="LIBR")
    first, again = link.apply(body), link.apply(body)
    assert first == Outcome(b"b" * 16, 2, 2, (RowResult(Result.OK),), entry=1, ledger=b"h" * 32)
    assert again == first._replace(replayed=True)
    assert server.table.rows["A00001"][1]["repository"] == "OFFS"


def test_bytes_are_counted_both_ways(link):
    before = link.sent, link.received
    link.ping()
    assert (link.sent - before[0], link.received - before[1]) == (2 * 274, 2 * 274)  # AUTH rides with the first PING


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.EPOCH_CHANGED, StaleError),
        (Code.BASE_TOO_OLD, StaleError),
        (Code.PLAN_STALE, StaleError),
        (Code.NO_SUCH_SCOPE, NoScopeError),
        (Code.FORBIDDEN, RefusedError),
        (Code.BUSY, ServerError),
        (Code.STORE_UNAVAILABLE, ServerError),
        (Code.INTERNAL, ServerError),
        (Code.SHUTTING_DOWN, ServerError),
        (Code.INVALID, ServerError),
        (999, ServerError),
    ],
)
def test_what_the_server_says_no_to_is_an_error_with_its_text(server, link, body, code, error):
    server.failures.append(Failure(code, "the reason", 1500))
    with pytest.raises(error, match="the reason") as caught:
        link.apply(body)
    if isinstance(caught.value, ServerError):
        assert (caught.value.code, caught.value.after_ms) == (code, 1500)
        assert caught.value.exit_status == 75
        assert "1.5 s" in caught.value.hint


def test_a_batch_id_used_before_brings_its_outcome(server, link, body):
    outcome = Outcome(b"b" * 16, 7, 9, (RowResult(Result.CONFLICT, "changed since"),), entry=1, ledger=b"h" * 32)
    server.failures.append(Failure(Code.BATCH_ID_REUSED, "recorded with another request", 0, outcome))
    with pytest.raises(ReusedError) as caught:
        link.apply(body)
    assert caught.value.outcome == outcome


def test_an_error_of_a_request_leaves_the_link_in_order(server, link, scope, body):
    server.failures.append(Failure(Code.EPOCH_CHANGED, "another life"))
    with pytest.raises(StaleError):
        link.apply(body)
    assert len(list(link.sync(scope, START, 0))) == 1


def test_an_error_of_the_connection_ends_it(server, link, body):
    server.failures.append(Failure(Code.SHUTTING_DOWN, "back soon"))
    with pytest.raises(ServerError):
        link.apply(body)
    with pytest.raises(UnreachableError, match="has ended"):
        link.ping()


def test_a_cut_in_the_middle_is_unreachable(server, link, body):
    server.failures.append("cut")
    with pytest.raises(UnreachableError, match="hung up"):
        link.apply(body)
    link.close()


def test_a_server_that_says_goodbye_is_unreachable(server, link, body):
    server.failures.append("bye")
    with pytest.raises(UnreachableError, match="closing for the night"):
        link.apply(body)


def test_a_broken_stream_is_temporary_and_ends_the_link(server, link, body):
    link.ping()
    server.failures.append("noise")
    with pytest.raises(TemporaryError, match="is broken"):
        link.apply(body)
    with pytest.raises(UnreachableError, match="has ended"):
        link.ping()


def test_a_holder_of_the_key_who_poses_as_the_server_is_given_no_batch(server, key, token, body):
    server.impostor = True
    server.verifiers = {}
    with (
        connect(server.address, key._replace(server=b""), token, random=os.urandom) as link,
        pytest.raises(RefusedError, match="could not prove"),
    ):
        link.apply(body)
    server.wait()
    assert not any(isinstance(event, ApplyAsked) for event in server.asked)


@pytest.mark.parametrize(
    ("salt", "kdf", "text"),
    [
        (b"s" * 16, SMALL._replace(memory=64), "a password is not protected like that here"),
        (b"s" * 8, SMALL, "a salt has 16 bytes at least"),
    ],
)
def test_a_server_that_asks_for_a_proof_cheap_to_guess_from_is_told_as_such(server, key, salt, kdf, text):
    server.verifiers = {"ann": verifier_of(salt, b"x" * 32, kdf)}
    with pytest.raises(RefusedError, match=f"log on to server {server.address}: {text}") as refused:
        connect(server.address, key, Password("ann", "correct horse"), random=os.urandom)
    assert refused.value.hint == "nothing was proved to it: does another pose as it?"
    server.wait()
    assert not any(isinstance(event, LoginProved) for event in server.asked)


@pytest.mark.parametrize("user", ["filter", "nobody"])
def test_a_wrong_token_and_an_unknown_user_are_refused_alike(server, key, user, scope, body):
    wrong = new_token(user, b"?" * 32)
    for ask in (lambda link: link.apply(body), lambda link: list(link.sync(scope, START, 0)), lambda link: link.ping()):
        with (
            connect(server.address, key, wrong, random=os.urandom) as link,
            pytest.raises(RefusedError, match="refused the login: user, token or password is wrong") as caught,
        ):
            ask(link)
        assert "mailsync server key list" in caught.value.hint
    assert server.table.version == 0


def test_a_wrong_key_is_refused(server, key, token):
    wrong = ClientKey(key.id, b"?" * 32, key.server)
    with pytest.raises(RefusedError, match="refused the key"):
        connect(server.address, wrong, token, random=os.urandom)


def test_ping_needs_a_key_and_no_login(server, key):
    result = ping(server.address, key, random=os.urandom)
    assert len(result.round_trips) == 2
    assert (result.compress, result.version) == ("zstd", 1)
    assert not any(isinstance(event, LoginProved) for event in server.asked)
    assert isinstance(server.asked[0], KeyAsked)


def test_ping_tells_a_wrong_key_apart(server, key):
    with pytest.raises(RefusedError):
        ping(server.address, key._replace(id="other"), random=os.urandom)


@pytest.fixture
def stranger():
    """A port behind which `says` is said to whoever comes, then `stays` open or hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(says, *, stays=False):
        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(says)
                while stays and connection.recv(65536):
                    pass

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for thread in threads:
        thread.join()
    listener.close()


@pytest.mark.parametrize("says", [b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x63"])
def test_another_protocol_is_told_apart(stranger, key, token, says):
    with pytest.raises(ForeignProtocolError, match="does not speak this protocol") as caught:
        connect(stranger(says), key, token, random=os.urandom)
    assert "tmss10sync" in caught.value.hint


def test_a_server_that_hangs_up_is_unreachable_to_a_mail_and_foreign_to_a_ping(stranger, key, token):
    with pytest.raises(UnreachableError, match="hung up") as caught:
        connect(stranger(b""), key, token, random=os.urandom)
    assert "server.tls" in caught.value.hint
    with pytest.raises(ForeignProtocolError):
        ping(stranger(b""), key, random=os.urandom)


def test_a_server_without_room_is_temporary(stranger, key, token):
    with pytest.raises(TemporaryError, match="no room"):
        connect(stranger(b"\0\0\1"), key, token, random=os.urandom)


def test_another_version_is_told_apart(stranger, key, token):
    with pytest.raises(ForeignProtocolError, match="another version"):
        connect(stranger(b"\0\0\2"), key, token, random=os.urandom)


def test_a_server_that_says_nothing_is_unreachable_when_the_deadline_is_over(stranger, key, token):
    address = stranger(b"", stays=True)
    with pytest.raises(UnreachableError, match=r"did not answer in 0\.2 s"):
        connect(address, key, token, random=os.urandom, deadline_seconds=0.2)


def test_the_deadline_is_the_clocks(server, key, token):
    times = iter([0.0, 0.0, 100.0])
    with pytest.raises(UnreachableError, match="did not answer in 60 s"):
        connect(server.address, key, token, random=os.urandom, clock=lambda: next(times))


def test_nobody_there_is_unreachable(key, token):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(UnreachableError, match="Connection refused") as caught:
        connect(address, key, token, random=os.urandom)
    assert address in str(caught.value)
    assert caught.value.exit_status == 75


@pytest.mark.parametrize(
    "address",
    ["", "vault1", "vault1:", ":5000", "vault1:x", "vault1:0", "vault1:65536", "vault1:00000199999", "::1:5000"],
)
def test_an_address_that_is_none_is_a_usage_error(key, token, address):
    with pytest.raises(UsageError, match="is not HOST:PORT"):
        connect(address, key, token, random=os.urandom)


def test_an_address_of_version_6_stands_in_brackets():
    assert parse_address("[::1]:5000") == ("::1", 5000)
    assert parse_address("vault1.example.com:65535") == ("vault1.example.com", 65535)


def test_close_says_goodbye_once_and_twice_is_no_fault(server, link):
    link.ping()
    link.close()
    link.close()
    server.wait()
    assert type(server.asked[-1]).__name__ == "ByeReceived"
