"""Who guesses waits, and nobody else: throttling, replayed handshakes, and failures that cannot be told apart."""

from __future__ import annotations

import os
import sys
import threading
from typing import NamedTuple

import pytest
from listening import KEY, PATIENCE, RING, SCOPE, TOKEN, ended

from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.server import service
from mailsync.server.admission import Admission, Limits
from mailsync.server.throttle import Throttle, Who
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code
from mailsync.wire.events import KeyAsked, LoginAsked, LoginProved
from mailsync.wire.keys import Token
from mailsync.wire.passwords import ARGON2ID, MD5, Kdf, Password, md5_of
from mailsync.wire.scram import make_password_verifier, make_verifier
from mailsync.wire.server_session import ServerSession

WHO = Who("site", "alice", "192.0.2.7")
WRONG = Token("filter", b"x" * 32)
CHEAP = Kdf(ARGON2ID, 2, 19_456, 1)
DIGEST = CHEAP._replace(prehash=MD5)
NOW = 100  # Unix seconds
GUESSED = frozenset({"token"})  # as if tokens could be guessed


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


def test_each_failure_holds_the_answer_back_twice_as_long_up_to_a_minute():
    throttle = Throttle(Limits())
    assert [throttle.failed(WHO, float(at)) for at in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [throttle.failed(WHO, 9.0) for _ in range(2000)] == [60] * 2000


@pytest.mark.parametrize("changed", [{"key_id": "other"}, {"user": "bob"}, {"network": "192.0.2.8"}])
def test_failures_of_another_key_user_or_network_do_not_count(changed):
    throttle = Throttle(Limits())
    assert [throttle.failed(WHO, 0.0), throttle.failed(WHO._replace(**changed), 0.0)] == [1, 1]


def test_failures_are_forgotten_after_a_login_and_after_a_quarter_of_an_hour():
    throttle = Throttle(Limits())
    throttle.failed(WHO, 0.0)
    assert throttle.failed(WHO, 899.0) == 2
    assert throttle.failed(WHO, 899.0 + 901) == 1
    throttle.succeeded(WHO)
    assert throttle.failed(WHO, 899.0 + 902) == 1


def test_what_is_remembered_of_failures_and_of_handshakes_is_bounded():
    limits = Limits(ephemerals=100)
    throttle, admission = Throttle(limits), Admission(limits)
    for number in range(1000):
        throttle.failed(WHO._replace(user=f"u{number}"), 0.0)
        admission.remember(number.to_bytes(32, "big"))
    assert len(throttle._failures) == len(admission._ephemerals) == 100
    assert admission.is_repeated((999).to_bytes(32, "big"))
    assert not admission.is_repeated((0).to_bytes(32, "big"))


def test_a_wrong_login_is_answered_late_and_a_right_one_beside_it_at_once(serve, talk, scope):
    served = serve(throttled=GUESSED, hold=600, hold_most=600, login=PATIENCE)
    guessing = talk(served, WRONG)
    guessing.socket.sendall(guessing.session.send_auth())
    guessing.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        guessing.socket.recv(1)
    with served.link() as link:
        assert list(link.sync(scope, Cursor(), 0))


@pytest.mark.parametrize("user", ["alice", "nobody", "filter"])
def test_a_wrong_password_is_answered_late_whoever_it_is_for_and_a_right_one_at_once(serve, talk, library, user):
    library.add_user("alice", make_password_verifier("open sesame", b"a" * 16, CHEAP), 1)
    served = serve(hold=600, hold_most=600, login=PATIENCE)
    guessing = talk(served, Password(user, "wrong"))
    guessing.socket.sendall(guessing.session.send_auth())
    guessing.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        guessing.socket.recv(1)
    assert talk(served, Password("alice", "open sesame")).log_in().session.logged_in


def test_the_answer_comes_when_it_was_held_back_long_enough_also_after_the_logins_ten_seconds(serve, talk):
    served = serve(throttled=GUESSED, hold=2, login=1)
    guessing = talk(served, WRONG)
    guessing.socket.sendall(guessing.session.send_auth())
    assert guessing.event().failure.code == Code.AUTH_FAILED
    served.stop()
    assert served.ends() == ["refused"]


def test_neither_hanging_up_nor_being_dropped_gives_a_guesser_a_new_place(serve, talk):
    served = serve(throttled=GUESSED, hold=600, hold_most=600, guesses=1, newcomers=1, login=600)
    guessing = talk(served, WRONG)
    guessing.socket.sendall(guessing.session.send_auth())
    guessing.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        guessing.socket.recv(1)
    with served.socket() as again:
        again.sendall(ClientSession(key=KEY, token=WRONG, random=os.urandom(RANDOM_BYTES)).start())
        guessing.socket.settimeout(PATIENCE)
        assert ended(guessing.socket) == b"", "the newer one has its place among the newcomers"
        again.settimeout(0.3)
        with pytest.raises(TimeoutError):
            again.recv(1)
    served.link(token=Token("another", b"x" * 32)).close()


def test_a_stopping_server_does_not_wait_for_answers_held_back(serve, talk):
    served = serve(throttled=GUESSED, hold=600, hold_most=600)
    guessing = talk(served, WRONG)
    guessing.socket.sendall(guessing.session.send_auth())
    served.link().close()
    served.stop()
    assert "stopped" in served.ends()


def test_tokens_are_not_throttled(serve):
    served = serve(hold=600, hold_most=600, guesses=1)
    for _ in range(5):
        with served.link(token=WRONG) as link, pytest.raises(RefusedError, match="user, token or password is wrong"):
            link.ping()


def test_a_right_login_gets_in_beside_a_flood_of_wrong_ones(serve, scope):
    served, stop = serve(), threading.Event()

    def flood() -> None:
        while not stop.is_set():
            with served.link(token=WRONG) as link, pytest.raises(RefusedError):
                link.ping()

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with served.link() as link:
                assert list(link.sync(scope, Cursor(), 0))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    served.stop()
    ends = served.ends()
    assert ends.count("bye") == 5
    assert set(ends) == {"bye", "refused"}


def test_a_handshake_repeated_many_times_never_counts_as_a_failure(serve):
    served = serve(throttled=GUESSED, hold=600, hold_most=600, guesses=1)
    first = ClientSession(key=KEY, token=WRONG, random=os.urandom(RANDOM_BYTES)).start()
    for _ in range(5):
        with served.socket() as connection:
            connection.sendall(first)
            connection.recv(2**16)
    with served.socket() as connection:
        connection.sendall(first)
        assert ended(connection) == b""
    with served.link() as link:
        assert list(link.sync(SCOPE, Cursor(), 0))


class Counted:
    """What is done while it is in force, in order: each line of ours, each HMAC, each SQL statement and its steps."""

    def __init__(self, store) -> None:
        self._database = store._database._connection
        self.seen: list[object] = []
        self.steps = 0  # of SQLite's machine

    def __enter__(self):
        self._database.set_trace_callback(lambda statement: self.seen.append(statement.partition("'")[0]))
        self._database.set_progress_handler(self._step, 1)
        sys.setprofile(self._note)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)
        sys.setprofile(None)
        self._database.set_progress_handler(None, 1)
        self._database.set_trace_callback(None)

    def _step(self) -> None:
        self.steps += 1

    def _note(self, _, event, argument) -> None:
        if event == "c_call" and "hmac" in argument.__name__:
            self.seen.append("HMAC")

    def _trace(self, frame, event, _):
        if "/mailsync/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.seen.append((frame.f_code.co_qualname, frame.f_lineno))
        return self._trace


class Refused(NamedTuple):
    """What a refusal took, and what was said."""

    done: list[object]
    steps: int
    told: object


def failing_login(store, token: Token | Password, users: tuple[str, ...] = ()) -> Refused:
    """What the server did between a client's hello and its refusal, and what it said."""
    client = ClientSession(key=KEY, token=token, random=b"c" * RANDOM_BYTES)
    server = ServerSession(static=RING.static, random=b"s" * RANDOM_BYTES)
    hello = client.start()
    with Counted(store) as counted:
        (event,) = server.receive_data(hello)
        assert isinstance(event, KeyAsked)
        server.accept_key(KEY.secret)
        (event,) = server.next_events()
        assert isinstance(event, LoginAsked)
        found = service.find_login(store, event.user, users, NOW)
        answered = server.offer_login(found.verifier, found.mix, found.account, found.overdue)
    client.receive_data(answered)
    auth = client.send_auth()
    with counted:
        (event,) = server.receive_data(auth)
        assert isinstance(event, LoginProved)
        assert not event.accepted
        refusal = server.answer_login()
    (told,) = client.receive_data(refusal)
    return Refused(counted.seen, counted.steps, told)


def all_alike(first: Refused, *others: Refused) -> None:
    """Each did the same, line by line; SQLite took the same steps, but for one where a name is behind all others."""
    for other in others:
        assert other.done == first.done
        assert other.told == first.told
        assert abs(other.steps - first.steps) <= 1
    assert sum("SELECT" in call for call in first.done) == 2
    assert first.done.count("HMAC") > 4
    assert first.steps > 50


def test_an_unknown_user_a_wrong_and_a_revoked_token_cost_the_same_operations_and_get_the_same_words(library):
    library.add_token("ceased", make_verifier(TOKEN.secret, b"c" * 16), 1)
    library.revoke_token("ceased", 2)
    unknown = [failing_login(library, Token(name, TOKEN.secret)) for name in ("aaa", "charly", "zzz")]
    revoked = failing_login(library, Token("ceased", TOKEN.secret))
    all_alike(failing_login(library, WRONG), *unknown, revoked)


PEOPLE = {"alice": CHEAP, "carol": CHEAP, "dora": DIGEST, "emil": DIGEST}  # how each password is protected


@pytest.fixture
def people(library):
    """Alice, live; Carol, revoked; Dora and Emil, of an imported MD5, Emil's day being over; and a machine."""
    for name, kdf in PEOPLE.items():
        text = md5_of("open sesame") if kdf == DIGEST else "open sesame"
        over = {"dora": NOW + 1, "emil": NOW}.get(name, 0)
        verifier = make_password_verifier(text, b"a" * 16, kdf)
        library.add_user(name, verifier, 1, email=f"{name}@example.com", upgrade_by=over)
    library.revoke_user("carol", 2)
    return library


@pytest.mark.parametrize("at", ["", "@example.com"])
def test_so_do_a_wrong_password_of_anybody_a_revoked_one_an_unknown_user_and_a_wrong_digest(people, at):
    wrong = [failing_login(people, Password(name + at, "wrong")) for name in ("alice", "dora", "emil")]
    digests = [failing_login(people, Password(name + at, md5_of("wrong"))) for name in ("dora", "emil")]
    nobody = [failing_login(people, Password(name + at, "open sesame")) for name in ("carol", "nobody", "a", "zzz")]
    foreign = failing_login(people, Password(f"alice{at}", "open sesame"), users=("dora",))
    all_alike(*wrong, *digests, *nobody, foreign)


def test_so_does_a_password_given_for_a_machine_or_a_token_for_a_person(people):
    all_alike(failing_login(people, Password("alice", "wrong")), failing_login(people, Password("filter", "wrong")))
    all_alike(failing_login(people, WRONG), failing_login(people, Token("alice", TOKEN.secret)))


def test_without_anybody_to_log_on_the_same_is_done(store):
    all_alike(*(failing_login(store, Password(name, "wrong")) for name in ("alice", "nobody")))
