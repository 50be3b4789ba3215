"""Both sessions together: the way to a login and through requests, and everything that must stop it."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.cursor import Cursor, Page
from mailsync.core.guard import Earlier
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import events as seen
from mailsync.wire import limits, messages
from mailsync.wire.batches import encode_apply, request_hash
from mailsync.wire.client_session import ClientSession
from mailsync.wire.compression import Method
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, ImpostorError, LocalProtocolError, Refusal, RemoteProtocolError
from mailsync.wire.figures import ScopeFigures, ScopeList, ScopeStats
from mailsync.wire.frames import Message, seal
from mailsync.wire.keys import ClientKey, new_token
from mailsync.wire.ledger import MovedAsked
from mailsync.wire.messages import Failure, Kind, Sync
from mailsync.wire.runs import RunLease, RunStep, RunWord
from mailsync.wire.server_session import ServerSession
from mailsync.wire.states import SENT_BY, TRANSITIONS, Role, State, Step, after

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
CURSOR = Cursor(b"e" * 16, 3, 0, 3, b"m" * 8, 3)
SYNC = Sync(SCOPE, CURSOR, 2)
ROW = ("A00001", "Weekly", "OFFS", *[""] * 13)
PAGE = Page(
    reset=False,
    more=False,
    cursor=Cursor(b"e" * 16, 4, 0, 4, b"n" * 8, 4),
    tombstones=("A00002",),
    rows=(ROW,),
    repositories_version=2,
    repositories=(Repository(RepositoryId("OFFS")),),
    entry=2,
    ledger=b"n" * 32,
)
MOVE = Operation(Change.UPDATE, "A00001", ("repository",), ("OFFS",), 0, 1, 2)
BATCH = Batch(
    b"b" * 16, b"r" * 32, b"p" * 32, SCOPE, b"e" * 16, 4, "nightly/csv", 1, (("<m@example.com>", "a.csv"),), (MOVE,)
)
OUTCOME = Outcome(b"b" * 16, 5, 5, (RowResult(Result.OK),), entry=2, ledger=b"h" * 32)


@pytest.mark.parametrize("suite", [1, 2], ids=["NNpsk0", "NKpsk0"])
@pytest.mark.parametrize("compress", [("deflate",), ("zstd", "deflate")], ids=["deflate", "zstd"])
def test_a_whole_conversation(pair, suite, compress):
    end = pair(key=pair.key if suite == 2 else pair.key._replace(server=b""), compress=compress)
    assert end.shake_hands() == [seen.Connected(1, compress[0])]
    assert end.client.log_id == end.server.log_id != ""
    assert end.client.receive_data(end.serve(end.client.send_auth())) == [seen.LoggedIn("filter")]
    assert (end.server.user, end.server.key_id) == ("filter", "site-1")
    one, data = end.client.send_sync(SYNC)
    end.serve(data)
    two, data = end.client.send_apply(encode_apply(BATCH))
    end.serve(data)
    assert end.asked == [seen.SyncAsked(one, SYNC), seen.ApplyAsked(two, BATCH, request_hash(encode_apply(BATCH)))]
    assert end.client.receive_data(end.server.send_page(one, PAGE)) == [seen.PageReceived(one, PAGE, last=True)]
    assert end.client.receive_data(end.server.send_outcome(two, OUTCOME)) == [seen.OutcomeReceived(two, OUTCOME)]
    three, data = end.client.send_ping(b"tape")
    assert end.client.receive_data(end.serve(data)) == [seen.PongReceived(three, b"tape")]
    end.serve(end.client.send_bye("done"))
    assert end.asked[-1] == seen.ByeReceived("done")
    assert end.client.closed
    assert end.server.closed
    end.server.receive_eof()


LEASE = RunLease("yours", ((SCOPE, b"b" * 16),), ("operator",), 7, b"h" * 32)
SCOPES = ScopeList(b"e" * 16, (ScopeFigures(SCOPE, "Tapes", 4, 1, 2),))
STATS = ScopeStats(1795428900, 1, 17, (("OFFS", 1),), (("M", 1),))
EARLIER = Earlier(12, 2)
MOVED = MovedAsked(SCOPE, "nightly/csv", b"r" * 32)
WORD = RunWord(RunStep.REPLIED, b"r" * 32, b"h" * 16, "operator")


def test_a_run_scopes_and_figures_are_asked_for_and_answered(pair):
    end = pair().log_in()
    one, run = end.client.send_run(WORD)
    two, scopes = end.client.send_scopes("US00.LTO")
    three, stats = end.client.send_stats(SCOPE)
    four, ledger = end.client.send_ledger(MOVED)
    end.serve(run + scopes + stats + ledger)
    assert end.asked == [
        seen.RunAsked(one, WORD),
        seen.ScopesAsked(two, "US00.LTO"),
        seen.StatsAsked(three, SCOPE),
        seen.LedgerAsked(four, MOVED),
    ]
    assert end.client.receive_data(end.server.send_lease(one, LEASE)) == [seen.LeaseReceived(one, LEASE)]
    assert end.client.receive_data(end.server.send_scopes(two, SCOPES)) == [seen.ScopesReceived(two, SCOPES)]
    assert end.client.receive_data(end.server.send_stats(three, STATS)) == [seen.StatsReceived(three, STATS)]
    assert end.client.receive_data(end.server.send_ledger(four, EARLIER)) == [seen.LedgerReceived(four, EARLIER)]


def test_a_run_may_be_begun_behind_the_proof_and_its_answer_is_read_only_behind_the_servers(pair):
    end = pair()
    end.shake_hands()
    auth = end.client.send_auth()
    request, run = end.client.send_run(WORD)
    assert end.client.receive_data(end.serve(auth + run)) == [seen.LoggedIn("filter")]
    assert end.asked == [seen.RunAsked(request, WORD)]
    for ask in (lambda: pair().client.send_run(WORD), lambda: pair().client.send_ledger(MOVED)):
        with pytest.raises(LocalProtocolError):
            ask()


def test_a_run_is_the_one_request_that_is_not_padded(pair):
    end = pair().log_in()
    _, data = end.client.send_run(RunWord(RunStep.RENEW, bytes(range(32)), bytes(range(32, 48))))
    assert len(data) == 2 + 14 + 50 + 16
    assert len(end.client.send_ping()[1]) == 2 + 256 + 16


def test_a_sync_can_be_given_up_and_nothing_else(pair):
    end = pair().log_in()
    one, sync = end.client.send_sync(SYNC)
    two, apply = end.client.send_apply(encode_apply(BATCH))
    for other in (two, 99):
        with pytest.raises(LocalProtocolError):
            end.client.send_cancel(other)
    end.serve(sync + apply + end.client.send_cancel(one))
    assert end.asked[-1] == seen.CancelAsked(one)
    failure = Failure(Code.CANCELLED, "given up")
    assert end.client.receive_data(end.server.send_page(one, PAGE._replace(more=True))) == [
        seen.PageReceived(one, PAGE._replace(more=True), last=False)
    ]
    assert end.client.receive_data(end.server.send_error(one, failure)) == [seen.ErrorReceived(one, failure)]
    assert end.client.receive_data(end.server.send_outcome(two, OUTCOME)) == [seen.OutcomeReceived(two, OUTCOME)]
    with pytest.raises(LocalProtocolError):
        end.server.send_page(one, PAGE)


def test_a_server_may_ask_whether_somebody_is_there(pair):
    end = pair().log_in()
    (asked,) = end.client.receive_data(end.server.send_ping())
    assert asked == seen.PingAsked(1, b"")
    pong = end.client.send_pong(1, b"")
    end.serve(pong)
    assert end.asked == [seen.PongReceived(1, b"")]
    end.refusal(end.client.send_pong(1, b""))  # once is enough


def test_auth_and_sync_share_a_round_trip(pair):
    end = pair()
    end.shake_hands()
    auth = end.client.send_auth()
    request, sync = end.client.send_sync(SYNC)
    assert end.client.receive_data(end.serve(auth + sync)) == [seen.LoggedIn("filter")]
    assert end.asked == [seen.SyncAsked(request, SYNC)]


def test_nothing_is_applied_before_the_server_has_proved_itself(pair):
    end = pair()
    end.shake_hands()
    end.client.send_auth()
    with pytest.raises(LocalProtocolError, match="APPLY may not be sent in state PROVING"):
        end.client.send_apply(encode_apply(BATCH))


def test_a_key_holder_who_poses_as_the_server_learns_nothing_and_changes_nothing(pair):
    """With suite 1 every holder of the key can answer. Without the token's verifier it cannot sign the login."""
    thief = pair(key=pair.key._replace(server=b""), verifier_of=new_token("filter", b"?" * 32))
    thief.shake_hands()
    auth = thief.client.send_auth()
    thief.server.receive_data(auth)
    thief.server._challenge._proved = True  # it does not care what the proof says
    with pytest.raises(ImpostorError):
        thief.client.receive_data(thief.server.answer_login())
    with pytest.raises(LocalProtocolError):
        thief.client.send_apply(encode_apply(BATCH))


def test_with_the_servers_public_key_a_key_holder_cannot_even_shake_hands(pair):
    end = pair()
    thief = ServerSession(static=b"!" * 32, random=b"\3" * RANDOM_BYTES)
    thief.receive_data(end.client.start())
    with pytest.raises(RemoteProtocolError):
        thief.accept_key(pair.key.secret)


def refused_login(pair, **changed):
    end = pair(**changed)
    end.shake_hands()
    events = end.client.receive_data(end.serve(end.client.send_auth()))
    assert end.server.closed
    assert end.client.closed
    return events, [type(one) for one in end.questions], end.down


def test_a_wrong_token_an_unknown_user_and_a_revoked_one_are_the_same_to_the_client(pair):
    wrong = refused_login(pair, verifier_of=new_token("filter", b"?" * 32))
    unknown = refused_login(pair, verifier_of=None)
    assert wrong == unknown
    assert wrong[0] == [seen.ErrorReceived(0, Failure(Code.AUTH_FAILED, "user, token or password is wrong"))]


def test_an_unknown_key_and_a_wrong_one_are_the_same_to_the_client(pair):
    refusals = []
    for key in (pair.key._replace(id="site-9"), ClientKey("site-1", b"!" * 32, pair.key.server)):
        end = pair(key=key)
        refusals.append(end.refusal(end.client.start()))
        assert end.client.receive_data(refusals[-1]) == [seen.Refused(Refusal.NO)]
        assert end.client.closed
    assert refusals == [b"\0\0\3"] * 2


def test_a_request_behind_a_login_that_fails_is_never_seen(pair):
    end = pair(verifier_of=None)
    end.shake_hands()
    auth = end.client.send_auth()
    end.serve(auth + end.client.send_sync(SYNC)[1])
    assert end.asked == []


def test_a_ping_needs_no_login_and_two_are_the_limit(pair):
    end = pair(token=None)
    end.shake_hands()
    assert seen.LoginAsked("") in end.questions
    for _ in range(limits.LOGIN_PINGS):
        request, data = end.client.send_ping()
        assert end.client.receive_data(end.serve(data)) == [seen.PongReceived(request, b"")]
    refusal = end.refusal(end.client.send_ping()[1])
    (error,) = end.client.receive_data(refusal)
    assert error.failure.code == Code.TOO_LARGE


def test_a_client_that_announced_no_login_cannot_prove_one(pair):
    end = pair(token=None)
    end.shake_hands()
    with pytest.raises(LocalProtocolError):
        end.client.send_auth()
    refusal = end.refusal(end.client._send(Kind.AUTH, 0, b'{"scram":"c=,r=,p="}'))
    assert end.client.receive_data(refusal)[0].failure.code == Code.BAD_STATE


def test_more_requests_than_may_be_under_way_are_refused_at_both_ends(pair):
    end = pair().log_in()
    for _ in range(limits.OUTSTANDING):
        end.serve(end.client.send_sync(SYNC)[1])
    with pytest.raises(LocalProtocolError):
        end.client.send_sync(SYNC)
    end.client._requests.clear()
    refusal = end.refusal(end.client.send_sync(SYNC)[1])
    assert end.client.receive_data(refusal)[0].failure.code == Code.TOO_LARGE


def test_a_request_number_is_used_once(pair):
    end = pair().log_in()
    end.serve(end.client.send_sync(SYNC)[1])
    end.client._last -= 1
    assert end.refusal(end.client.send_sync(SYNC)[1])


def test_a_ping_has_at_most_8_bytes(pair):
    end = pair().log_in()
    assert end.refusal(end.client._send(Kind.PING, 1, b"123456789"))


def test_an_unknown_type_is_answered_and_an_ignorable_one_is_skipped(pair):
    end = pair().log_in()
    (error,) = end.client.receive_data(end.serve(sealed(end.client, 0x2F)))
    assert error == seen.ErrorReceived(1, Failure(Code.UNKNOWN_TYPE, "type 47"))
    assert end.serve(sealed(end.client, 0x80, request=2)) == b""
    assert end.client.receive_data(end.serve(end.client.send_ping()[1]))


def sealed(session, kind, body=b"", *, request=1):
    """A message of any type and body, whatever the sender's own session would say to it."""
    session._last = request
    return seal(session._channel._cipher, Message(kind, Method.NONE, request, body, len(body)))


def test_an_answer_to_nothing_is_refused(pair):
    end = pair().log_in()
    request, data = end.client.send_sync(SYNC)
    end.serve(data)
    for send in (
        lambda: end.server.send_page(request + 1, PAGE),
        lambda: end.server.send_outcome(request, OUTCOME),
        lambda: end.server.send_pong(request, b""),
    ):
        with pytest.raises(LocalProtocolError):
            send()
    page = end.server.send_page(request, PAGE)
    end.client._requests.clear()
    with pytest.raises(RemoteProtocolError, match="answers no request"):
        end.client.receive_data(page)


def test_a_sync_is_answered_with_as_many_pages_as_it_asked_for(pair):
    end = pair().log_in()
    request, data = end.client.send_sync(SYNC._replace(pages=2))
    end.serve(data)
    more = PAGE._replace(more=True)
    one, two = end.server.send_page(request, more), end.server.send_page(request, more)
    received = end.client.receive_data(one + two) + end.client.next_events()
    assert [event.last for event in received] == [False, True]
    with pytest.raises(LocalProtocolError):
        end.server.send_page(request, more)


def test_an_error_ends_a_request_and_not_the_connection(pair):
    end = pair().log_in()
    request, data = end.client.send_apply(encode_apply(BATCH))
    end.serve(data)
    failure = Failure(Code.BATCH_ID_REUSED, "recorded with another request", 0, OUTCOME)
    assert end.client.receive_data(end.server.send_error(request, failure)) == [seen.ErrorReceived(request, failure)]
    assert end.client.receive_data(end.serve(end.client.send_ping()[1]))


def test_what_breaks_the_protocol_is_told_why_and_the_session_is_over(pair):
    end = pair().log_in()
    refusal = end.refusal(end.client._send(Kind.SYNC, 1, b"{}"))
    (error,) = end.client.receive_data(refusal)
    assert error.request == 0
    assert error.failure.code == Code.MALFORMED
    with pytest.raises(RemoteProtocolError):
        end.server.receive_data(b"")
    with pytest.raises(LocalProtocolError):
        end.server.send_bye()
    with pytest.raises(LocalProtocolError):
        end.client.send_ping()


def test_nothing_is_said_after_a_frame_that_was_tampered_with(pair):
    end = pair().log_in()
    data = bytearray(end.client.send_ping()[1])
    data[-1] ^= 1
    assert end.refusal(bytes(data)) == b""
    with pytest.raises(RemoteProtocolError):
        end.server.receive_eof()


def test_a_message_larger_than_any_may_be_does_not_leave(pair):
    end = pair().log_in()
    with pytest.raises(LocalProtocolError):
        end.client.send_apply(bytes(limits.MESSAGE_INFLATED + 1))
    assert end.client.receive_data(end.serve(end.client.send_ping()[1]))


def test_events_before_an_error_are_not_lost(pair):
    end = pair().log_in()
    ping, broken = end.client.send_ping()[1], end.client._send(Kind.SYNC, 2, b"{}")
    assert end.server.receive_data(ping + broken) == [seen.PingAsked(1, b"")]
    with pytest.raises(RemoteProtocolError):
        end.server.next_events()


def test_a_message_from_the_wrong_end_is_refused(pair):
    end = pair().log_in()
    with pytest.raises(LocalProtocolError):
        end.client._send(Kind.PAGE, 1, b"")
    refusal = end.refusal(sealed(end.client, Kind.PAGE))
    assert end.client.receive_data(refusal)[0].failure.code == Code.BAD_STATE


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"G", b""),
        (b"MSYM", b""),
        (b"\x16", b""),
        (b"MSYN\2", b"\0\0\2"),
        (b"MSYN\1\3", b"\0\0\2"),
        (b"MSYN\1\2\0", b""),
        (b"MSYN\1\2\x21" + b"a" * 33, b""),
        (b"MSYN\1\2\1A", b""),
        (b"MSYN\1\2\1a\0\x2f", b""),
        (b"MSYN\1\2\1a" + struct.pack(">H", limits.HANDSHAKE_BYTES + 1), b""),
        (b"MSYN\1\2\1a\0\0\3", b""),
    ],
)
def test_a_start_that_is_none_is_refused_at_its_first_wrong_byte(pair, data, answer):
    end = pair()
    assert end.serve(data[:-1]) == b""
    assert end.questions == []
    assert end.refusal(data[-1:]) == answer


def test_a_server_without_room_says_so(pair):
    end = pair()
    end.client.start()
    busy = end.server.refuse(RemoteProtocolError("too many connections", Code.BUSY))
    assert end.client.receive_data(busy) == [seen.Refused(Refusal.BUSY)]


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH", b"220 mail.example.com ESMTP", b"\0\0\x09", b"HTTP/1.1 400"])
def test_another_protocol_is_no_greeting(pair, greeting):
    end = pair()
    end.client.start()
    with pytest.raises(RemoteProtocolError):
        end.client.receive_data(greeting)


def test_versions_that_do_not_meet_are_refused(pair, monkeypatch):
    end = pair()
    start = end.client.start
    encode = messages.encode_hello
    monkeypatch.setattr(messages, "encode_hello", lambda one: encode(one._replace(versions=(2, 3))))
    assert end.client.receive_data(end.refusal(start())) == [seen.Refused(Refusal.VERSION)]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda _: {"version": 2}, "not offered"),
        (lambda _: {"compress": "zstd"}, "not offered"),
        (lambda _: {"scram": "r=x,s=c2FsdA==,i=1"}, "nonce"),
        (lambda hello: {"scram": hello.scram.replace(",i=1", ",i=2")}, "iteration"),
    ],
)
def test_a_hello_ok_that_answers_something_else_is_refused(pair, monkeypatch, wrong, why):
    end = pair(compress=("deflate",))
    encode = messages.encode_hello_ok

    monkeypatch.setattr(messages, "encode_hello_ok", lambda hello: encode(hello._replace(**wrong(hello))))
    with pytest.raises(RemoteProtocolError, match=why):
        end.shake_hands()


def test_a_login_of_another_kind_is_refused(pair, monkeypatch):
    end = pair()
    encode = messages.encode_hello
    monkeypatch.setattr(messages, "encode_hello", lambda one: encode(one._replace(login="certificate")))
    assert end.client.receive_data(end.refusal(end.client.start())) == [seen.Refused(Refusal.VERSION)]


def test_what_is_piled_up_before_the_handshakes_end_is_bounded(pair):
    end = pair()
    end.server.receive_data(end.client.start())
    with pytest.raises(RemoteProtocolError):
        end.server.receive_data(bytes(limits.WAITING_BYTES + 1))


def test_the_end_without_a_goodbye_is_a_cut(pair):
    end = pair().log_in()
    for session in (end.client, end.server, ClientSession(key=pair.key, token=None, random=bytes(RANDOM_BYTES))):
        with pytest.raises(RemoteProtocolError, match="cut"):
            session.receive_eof()


@pytest.mark.parametrize("call", ["accept_key", "offer_login", "answer_login"])
def test_an_answer_nobody_asked_for_is_refused(pair, call):
    session = pair().server
    with pytest.raises(LocalProtocolError):
        getattr(session, call)(*([None] if call != "answer_login" else []))


def test_a_session_starts_once_and_needs_its_randomness(pair):
    client = pair().client
    client.start()
    with pytest.raises(LocalProtocolError):
        client.start()
    with pytest.raises(LocalProtocolError):
        ServerSession(static=b"s" * 32, random=b"short")
    with pytest.raises(LocalProtocolError):
        client.send_ping()


# ---- the byte stream -------------------------------------------------------------------------------------------


def conversation(pair):
    """All bytes a client sends in a session of every message, made once against a server that reads them whole."""
    end = pair()
    start = end.client.start()
    end.client.receive_data(end.serve(start))
    auth = end.client.send_auth()
    pages = end.client.send_sync(SYNC)[1]
    end.client.receive_data(end.serve(auth + pages))
    rest = end.client.send_apply(encode_apply(BATCH))[1] + end.client.send_ping(b"x")[1] + end.client.send_bye("")
    end.serve(rest)
    return start + auth + pages + rest, end.questions


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 1800), max_size=30))
def test_any_split_of_the_stream_gives_the_same_events(pair, cuts):
    data, events = conversation(pair)
    end = pair()
    for start, stop in itertools.pairwise(sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})):
        end.serve(data[start:stop])
    assert end.questions == events


def test_a_stream_in_single_bytes_gives_the_same_events(pair):
    data, events = conversation(pair)
    end = pair()
    for at in range(len(data)):
        end.serve(data[at : at + 1])
    assert end.questions == events


def test_any_flipped_bit_is_refused_and_nothing_is_seen_after_it(pair):
    data, events = conversation(pair)
    boundaries = boundaries_of(data)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        end = pair()
        try:
            end.serve(bytes(changed))
        except RemoteProtocolError:
            with pytest.raises(RemoteProtocolError):
                end.server.receive_data(data)
        else:  # a length grew: the rest is waited for, and its end is a cut
            with pytest.raises(RemoteProtocolError):
                end.server.receive_eof()
        assert end.asked == [event for event in events if event in end.asked]
        assert len(end.asked) <= sum(boundary <= at for boundary in boundaries)


def boundaries_of(data):
    """Where SYNC, APPLY and BYE end; PING is answered and not kept."""
    at = 7 + data[6]
    (length,) = struct.unpack_from(">H", data, at)
    at += 2 + length
    ends = []
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        at += 2 + length
        ends.append(at)
    return [ends[1], ends[2], ends[4]]


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300), start=st.booleans())
def test_random_bytes_raise_nothing_but_the_peers_error(pair, data, start):
    end = pair()
    data = (b"MSYN\1\2\1a" if start else b"") + data
    for receive in (end.serve, end.client.receive_data):
        try:
            receive(data)
        except RemoteProtocolError:
            continue


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=200), kind=st.sampled_from(list(Kind)))
def test_random_bodies_raise_nothing_but_the_peers_error(pair, data, kind):
    end = pair().log_in()
    for session in (end.client, end.server):
        peer = end.server if session is end.client else end.client
        message = sealed(peer, kind, data)
        try:
            session.receive_data(message)
        except RemoteProtocolError:
            continue


# ---- the table -------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_of_the_page():
    allowed = {
        (state.name, step.name, sender.name)
        for state in State
        for step in Step
        for sender in Role
        if after(state, step, sender)
    }
    client_before_proof = {step for state, step, sender in allowed if state == "PROVING" and sender == "CLIENT"}
    assert client_before_proof == {"RUN", "SCOPES", "SYNC", "CANCEL", "PING", "PONG", "BYE"}
    assert {step for state, step, _ in allowed if state == "OPEN"} == {"PING", "PONG", "ERROR", "AUTH", "FATAL", "BYE"}
    assert not TRANSITIONS[State.CLOSED]
    assert SENT_BY[Role.CLIENT] & SENT_BY[Role.SERVER] == {Step.PING, Step.PONG, Step.BYE}
    assert SENT_BY[Role.CLIENT] | SENT_BY[Role.SERVER] == set(Step)


def test_every_state_is_reached_and_every_one_but_the_start_can_end():
    reached = {State.START} | {after for steps in TRANSITIONS.values() for after in steps.values()}
    assert reached == set(State)
    for state in (State.OPEN, State.PROVING, State.READY):
        assert TRANSITIONS[state][Step.BYE] is State.CLOSED
        assert TRANSITIONS[state][Step.FATAL] is State.CLOSED
