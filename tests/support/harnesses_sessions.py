"""What must hold for both sessions, whatever the peer sends, in every state and in any pieces.

only RemoteProtocolError is raised, and once it is, always      the same bytes are the same events, however split
no event comes after an error or the end                        what waits unread is bounded by what may be sent now
a server's last word can be read by a client
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from first_inputs import (
    BATCHES,
    KEY,
    LEASES,
    OUTCOMES,
    PAGES,
    QUESTIONS,
    RECALLED,
    RING,
    SCOPES,
    STATS,
    SYNC,
    TOKEN,
    VERIFIER,
    WORDS,
)
from spoken import Picks, Speech, Word

from mailsync.wire import events as seen
from mailsync.wire import ledger, limits, messages, scram, verifiers
from mailsync.wire.batches import encode_apply, encode_outcome
from mailsync.wire.challenge import Challenge
from mailsync.wire.client_session import ClientSession
from mailsync.wire.compression import Method, inflate
from mailsync.wire.end import RANDOM_BYTES, Request
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.figures import encode_scopes, encode_stats
from mailsync.wire.frames import AFTER_LOGIN, FrameReader, padded
from mailsync.wire.messages import Failure, Hello, Kind
from mailsync.wire.noise import Cipher, Transport
from mailsync.wire.pages import encode_page
from mailsync.wire.runs import encode_lease, encode_run
from mailsync.wire.server_session import ServerSession
from mailsync.wire.states import Role, State

UP, DOWN, HASH = b"u" * 32, b"d" * 32, b"#" * 32
_BINDING = scram.GS2.encode() + HASH
_FIRST = scram.client_first(TOKEN.user, b"n" * 18)
_CHALLENGE = scram.server_first(scram.read_client_first(_FIRST)[1], b"m" * 18, VERIFIER)
_EXCHANGE = scram.Exchange(_FIRST, _CHALLENGE)
_SALTED = scram.salted_token(TOKEN.secret, VERIFIER.salt)
_NONCE = scram.read_server_first(_CHALLENGE, _FIRST).nonce
_PROOF = scram.client_final(_SALTED, _EXCHANGE, _NONCE, _BINDING)
_SIGNATURE = scram.server_final(VERIFIER, _EXCHANGE, _PROOF)
_READ = 2**16
_LONGEST_FRAME = 2 + 65_535
ASKED = (
    Word(Kind.AUTH, messages.encode_auth(messages.Auth(_PROOF))),
    Word(Kind.SYNC, messages.encode_sync(SYNC)),
    Word(Kind.APPLY, encode_apply(BATCHES[1])),
    Word(Kind.APPLY, encode_apply(BATCHES[2])),
    *(Word(Kind.RUN, encode_run(word)) for word in WORDS),
    Word(Kind.SCOPES, b"{}"),
    Word(Kind.STATS, messages.encode_stats_asked(messages.Stats(SYNC.scope))),
    *(Word(Kind.LEDGER, ledger.encode_question(one)) for one in QUESTIONS),
    Word(Kind.SET_VERIFIER, verifiers.encode_set_verifier(verifiers.SetVerifier(VERIFIER))),
    Word(Kind.CANCEL, messages.encode_cancel(messages.Cancel(1))),
    Word(Kind.PING, b"tape"),
    Word(Kind.PONG, b"", 1),
    Word(Kind.BYE, b"{}"),
    Word(0x2F, b"?"),
    Word(0x80, b"?"),
)
# What the client of a harness has asked: RUN 1, SCOPES 2, SYNC 3, and in READY also APPLY 4, STATS 5, PING 6,
# SET_VERIFIER 7, LEDGER 8.
ANSWERED = (
    Word(Kind.AUTH_OK, messages.encode_auth_ok(messages.AuthOk(_SIGNATURE, TOKEN.user))),
    *(Word(Kind.RUN_OK, encode_lease(lease), 1) for lease in LEASES),
    Word(Kind.SCOPES_OK, encode_scopes(SCOPES), 2),
    *(Word(Kind.PAGE, encode_page(page), 3) for page in PAGES),
    *(Word(Kind.APPLY_OK, encode_outcome(outcome), 4) for outcome in OUTCOMES),
    Word(Kind.STATS_OK, encode_stats(STATS), 5),
    *(Word(Kind.LEDGER_OK, ledger.encode_answer(one), 8) for one in RECALLED),
    Word(Kind.PONG, b"tape", 6),
    Word(Kind.SET_VERIFIER_OK, b"{}", 7),
    Word(Kind.PING, b"", 1),
    Word(Kind.ERROR, messages.encode_failure(Failure(Code.BATCH_ID_REUSED, "another", 0, OUTCOMES[1])), 4),
    Word(Kind.ERROR, messages.encode_failure(Failure(Code.BUSY, "later", 5000)), 3),
    Word(Kind.BYE, b"{}"),
)


class Seen(NamedTuple):
    """What a session made of some bytes: its events, and the error that ended it."""

    events: tuple[object, ...]
    error: str
    code: int


def server_end(state: State) -> ServerSession:
    """A server's session in a state: START, or beyond the handshake and with known keys."""
    session = ServerSession(static=RING.static, random=b"\2" * RANDOM_BYTES)
    if state is State.START:
        return session
    session._hello = Hello((1, 1), ("zstd",), "mailsync", "token", scram.GS2 + _FIRST)
    session._challenge = Challenge(RING.static, "token", scram.GS2 + _FIRST)
    assert session._challenge.put(b"m" * 18, VERIFIER, (), TOKEN.user, None) == _CHALLENGE
    session._open(Role.SERVER, Transport(Cipher(DOWN), Cipher(UP), HASH), Method.DEFLATE).state = state
    if state is State.READY:
        session.user = TOKEN.user
        session.send_ping()
    return session


def client_end(state: State) -> ClientSession:
    """A client's session likewise, with requests under way where it may have some."""
    session = ClientSession(key=KEY, token=TOKEN, random=b"\1" * RANDOM_BYTES)
    session.start()
    if state is State.START:
        return session
    session._greeting = State.OPEN
    session._exchange, session._challenge = _EXCHANGE, scram.read_server_first(_CHALLENGE, _FIRST)
    channel = session._open(Role.CLIENT, Transport(Cipher(UP), Cipher(DOWN), HASH), Method.DEFLATE)
    if state is not State.OPEN:
        session.send_auth()
        session.send_run(WORDS[0])
        session.send_scopes()
        session.send_sync(SYNC)
        channel.state = state
    if state is State.READY:
        session.send_apply(encode_apply(BATCHES[1]))
        session.send_stats(SYNC.scope)
        session.send_ping(b"tape")
        session._ask(Kind.SET_VERIFIER, b"{}", Request(Kind.SET_VERIFIER_OK))
        session.send_ledger(QUESTIONS[0])
    return session


@cache
def _opening() -> bytes:
    """What a client begins with."""
    return ClientSession(key=KEY, token=TOKEN, random=b"\1" * RANDOM_BYTES).start()


@cache
def _greeting() -> bytes:
    """What a server answers to it."""
    end = server_end(State.START)
    (key,) = end.receive_data(_opening())
    server_says(end, key)
    (login,) = end.next_events()
    return server_says(end, login)


def server_frames(data: bytes) -> None:
    """The bytes of a client: the first byte says in which state they come, the second how they are split."""
    picks = Picks(data)
    # A server is PROVING only while its caller thinks about a proof.
    state = (State.START, State.OPEN, State.OPEN, State.READY)[picks.number() % 4]
    dice, speech = random.Random(picks.number()), Speech(Cipher(UP), ASKED, _opening())
    said = b"".join(speech.chunks(picks))
    ends = [server_end(state) for _ in range(2)]
    whole, split = (heard(end, pieces, server_says) for end, pieces in zip(ends, _pieces(said, dice), strict=True))
    assert whole == split
    # Who does not have the token has no proof of it.
    assert _PROOF.encode() in speech.plain or seen.LoginProved(TOKEN.user, accepted=True) not in whole.events
    if whole.error:
        _check_last_word(ends[0], whole)


def client_frames(data: bytes) -> None:
    """The bytes of a server, likewise."""
    picks = Picks(data)
    state = (State.START, State.OPEN, State.PROVING, State.READY)[picks.number() % 4]
    dice, speech = random.Random(picks.number()), Speech(Cipher(DOWN), ANSWERED, _greeting())
    said = b"".join(speech.chunks(picks))
    whole, split = (heard(client_end(state), pieces, client_says) for pieces in _pieces(said, dice))
    assert whole == split
    if state is not State.READY and state is not State.START:
        # Nothing that changes anything was answered, and nobody is logged in without the server's signature.
        signed = any(isinstance(event, seen.LoggedIn) for event in whole.events)
        assert not signed or _SIGNATURE.encode() in speech.plain
        answers = (seen.PageReceived, seen.OutcomeReceived, seen.LeaseReceived, seen.ScopesReceived, seen.StatsReceived)
        assert signed or not any(isinstance(event, answers) for event in whole.events)


def _pieces(said: bytes, dice: random.Random) -> tuple[list[bytes], list[bytes]]:
    """The bytes in pieces as large as are read at once, and in pieces of any length or of one byte."""
    cuts = [*range(0, len(said), _READ), len(said)]
    more = range(len(said)) if len(said) < 3000 and dice.random() < 0.5 else dice.choices(range(len(said) + 1), k=50)
    split = sorted({*cuts, *more})
    return tuple([said[one:two] for one, two in itertools.pairwise(places)] for places in (cuts, split))


def heard(end: Any, pieces: Sequence[bytes], answer: Callable[[Any, Any], bytes]) -> Seen:
    """What the session makes of the pieces, one after the other; what must hold after each of them."""
    events: list[object] = []
    try:
        for piece in pieces:
            found = end.receive_data(piece)
            while found:
                assert len(found) == 1
                events += found
                answer(end, found[0])
                found = end.next_events()
            _check_waiting(end)
    except RemoteProtocolError as error:
        _check_over(end, error)
        return Seen(tuple(events), str(error), error.code)
    if end.closed:
        assert end.receive_data(b"more") == []
        end.receive_eof()
    return Seen(tuple(events), "", 0)


def _check_waiting(end: Any) -> None:
    """No more waits unread than what the peer may send now."""
    if end._channel is None:
        assert len(end._buffer) <= limits.WAITING_BYTES
        return
    reader: FrameReader = end._channel._reader
    most = limits.MESSAGE_WIRE if end._channel.state is State.READY else limits.LOGIN_BYTES
    assert end.closed or len(reader._buffer) < _LONGEST_FRAME
    assert len(reader._plain) <= padded(most + 14)


def _check_over(end: Any, error: RemoteProtocolError) -> None:
    """After an error there is nothing but the error, and nothing is kept of what still comes."""
    assert end.closed
    before = _kept(end)
    calls = (lambda: end.receive_data(b"x" * 999), end.next_events, end.receive_eof)
    assert [_raised(call) for call in calls] == [error] * 3
    assert _kept(end) == before
    assert isinstance(_raised(end.send_bye), LocalProtocolError)


def _raised(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except (RemoteProtocolError, LocalProtocolError) as error:
        return error
    return None


def _kept(end: Any) -> int:
    return len(end._buffer) + (len(end._channel._reader._buffer) if end._channel else 0)


def server_says(end: ServerSession, event: object) -> bytes:
    """What a server's caller does about an event."""
    match event:
        case seen.KeyAsked(key_id):
            end.accept_key(KEY.secret if key_id == KEY.id else None)
        case seen.LoginAsked(user):
            return end.offer_login(VERIFIER if user == TOKEN.user else None)
        case seen.LoginProved(user, accepted):
            assert user == TOKEN.user or not accepted
            return end.answer_login()
        case seen.SyncAsked(request, sync):
            assert 1 <= sync.rows <= limits.PAGE_ROWS
            return end.send_page(request, PAGES[1])
        case seen.ApplyAsked(request, batch, _):
            assert end.logged_in
            return end.send_error(request, Failure(Code.INVALID, str(len(batch.operations))))
        case seen.PingAsked(request, payload):
            return end.send_pong(request, payload)
        case seen.RunAsked(request, _):
            return end.send_lease(request, LEASES[0])
        case seen.ScopesAsked() | seen.StatsAsked() | seen.SetVerifierAsked() | seen.UnknownAsked():
            return end.send_error(event.request, Failure(Code.INVALID, "no"))
    return b""


def client_says(end: ClientSession, event: object) -> bytes:
    if isinstance(event, seen.PingAsked):
        return end.send_pong(event.request, event.payload)
    if isinstance(event, seen.LoggedIn):
        assert end.logged_in
    return b""


def _check_last_word(end: ServerSession, whole: Seen) -> None:
    """What a server says to an error is one ERROR that a client can read, or a refusal, or nothing."""
    last = end.refuse(RemoteProtocolError(whole.error, Code(whole.code)))
    if end._channel is None:
        assert last in (b"", b"\0\0\2", b"\0\0\3")
        return
    # To a BYE that is none there is nothing to say either.
    said_bye = end._channel.state is State.CLOSED and not last
    assert said_bye or bool(last) == (whole.code != Code.SILENT)
    if last:
        reader = FrameReader(Cipher(DOWN))
        reader._cipher._count = end._channel._cipher._count - 1
        reader.feed(last)
        message = reader.next_message(AFTER_LOGIN)
        assert message is not None
        assert (message.kind, message.request) == (Kind.ERROR, 0)
        failure = messages.decode_failure(inflate(message.method, message.body, message.inflated))
        assert failure.code == whole.code


HARNESSES: dict[str, Callable[[bytes], None]] = {
    "server_frames": server_frames,
    "client_frames": client_frames,
}
