"""Requests beside SYNC and APPLY, through a real listener: runs, scopes, figures, giving up, and who is still there."""

from __future__ import annotations

import itertools

import pytest
from listening import TOKEN, ended

from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.core.model import Scope
from mailsync.server.access import Access
from mailsync.server.store import LoadRow
from mailsync.wire.batches import encode_apply
from mailsync.wire.errors import Code
from mailsync.wire.events import ErrorReceived, OutcomeReceived, PageReceived, PingAsked
from mailsync.wire.keys import Token
from mailsync.wire.messages import Sync
from mailsync.wire.passwords import SMALL, Password
from mailsync.wire.scram import make_password_verifier, make_verifier

GUEST = Token("guest", b"g" * 32)
ANN, ADDRESS = Password("ann", "correct horse"), "ann@example.com"
OF_ANN = make_password_verifier(ANN.text, b"s" * 16, SMALL)
RUN, ME, OTHER = b"r" * 32, b"m" * 16, b"o" * 16


def test_a_run_is_lent_to_one_process_at_a_time(serve, scope, make_batch, move):
    served = serve()
    with served.link() as mine, served.link() as theirs:
        assert mine.begin_run(RUN, ME)[:3] == ("yours", (), ())
        assert theirs.begin_run(RUN, OTHER).state == "busy"
        theirs.replied(RUN, OTHER, "nobody")
        assert not theirs.renew_run(RUN, OTHER)
        batch = make_batch(move("A1", "OFFS"), run=RUN)
        mine.apply(encode_apply(batch))
        assert mine.renew_run(RUN, ME)
        mine.replied(RUN, ME, "operator")
        assert mine.begin_run(RUN, ME)[:3] == ("yours", ((scope, batch.id),), ("operator",))
        mine.end_run(RUN, ME)
        assert theirs.begin_run(RUN, OTHER)[:3] == ("done", ((scope, batch.id),), ("operator",))


def test_the_scopes_are_listed_with_where_they_stand(serve, library, scope):
    library.add_scope(Scope("US01", "3592"), description="Jaguar")
    with serve().link() as link:
        first, second = link.scopes()
    assert (first.scope, first.description, first.version, first.volumes) == (Scope("US01", "3592"), "Jaguar", 0, 0)
    assert (second.scope, second.version, second.volumes) == (scope, 9, 9)


def test_a_scope_in_figures(serve, library, scope):
    library.load(("repository",), [LoadRow(scope, "A1", ("OFFS",), 0)])
    with serve().link() as link:
        stats = link.stats(scope)
        assert stats.volumes == 9
        assert dict(stats.repositories) == {"LIBR": 8, "OFFS": 1}
        assert stats.time > 1_700_000_000
        with pytest.raises(RefusedError, match="no scope"):
            link.stats(Scope("US01", "NONE"))


def test_after_its_token_is_revoked_a_user_is_told_nothing_more(serve, library, scope):
    with serve().link() as link:
        list(link.scopes())
        library.revoke_token("filter", 2)
        asks = (
            lambda: list(link.scopes()),
            lambda: link.stats(scope),
            lambda: list(link.sync(scope, Cursor(), 0)),
            lambda: link.begin_run(RUN, ME),
        )
        for ask in asks:
            with pytest.raises(RefusedError, match="filter may not"):
                ask()


@pytest.mark.parametrize("login", [TOKEN, ANN, ANN._replace(user=ADDRESS)], ids=["token", "name", "address"])
def test_who_was_connected_before_a_revocation_stays_revoked_when_the_name_is_given_again(
    serve, library, make_batch, move, login
):
    """With the same secret, and by a clock that stands still."""
    library.add_user("ann", OF_ANN, 1, email=ADDRESS, grants=(("*", Access.WRITE),))
    served, batch = serve(), make_batch(move("A1", "OFFS"))
    scope = batch.scope

    def asks(link):
        return (
            lambda: list(link.sync(scope, Cursor(), 0)),
            lambda: link.apply(encode_apply(batch)),
            lambda: link.begin_run(RUN, ME),
            lambda: list(link.scopes()),
            lambda: link.stats(scope),
            lambda: link.earlier(scope, "job1", RUN),
            lambda: link.missing(scope, (batch.id,)),
        )

    with served.link(token=login) as link:
        for ask in asks(link):
            ask()
        library.revoke_user("filter", 1)
        library.revoke_user("ann", 1)
        library.add_token("filter", make_verifier(TOKEN.secret, b"s" * 16), 1)
        library.add_user("ann", OF_ANN, 1, email=ADDRESS)
        for ask in asks(link):
            with pytest.raises(RefusedError, match="may not"):
                ask()
    with served.link(token=login) as link:
        for ask in asks(link):
            ask()


def test_a_user_is_told_of_the_scopes_it_was_granted_and_of_no_others(serve, library, scope):
    other = Scope("DE01", "LTO")
    library.add_scope(other)
    library.load(("repository",), [LoadRow(other, "B1", ("LIBR",), 0)])
    library.add_token("guest", make_verifier(GUEST.secret, b"g" * 16), 1, grants=(("DE*", Access.READ),))
    served = serve()
    with served.link() as link:
        assert len(list(link.scopes())) == 2
        assert sum(len(page.rows) for page in link.sync(scope, Cursor(), 0)) == 9
    with served.link(token=GUEST) as link:
        assert [one.scope for one in link.scopes()] == [other]
        assert link.stats(other).volumes == 1
        assert sum(len(page.rows) for page in link.sync(other, Cursor(), 0)) == 1
        for ask in (lambda: link.stats(scope), lambda: list(link.sync(scope, Cursor(), 0))):
            with pytest.raises(RefusedError, match="no scope"):
                ask()
        with pytest.raises(RefusedError, match="may not write"):
            link.begin_run(RUN, ME)


def test_a_sync_that_was_given_up_ends_and_what_was_asked_behind_it_is_answered(serve, talk, scope, make_batch, move):
    talker = talk(serve()).log_in()
    session = talker.session
    sync, asked = session.send_sync(Sync(scope, Cursor(), rows=1, pages=4))
    cancel = session.send_cancel(sync)
    apply, batch = session.send_apply(encode_apply(make_batch(move("A1", "OFFS"))))
    talker.socket.sendall(asked + cancel + batch)
    events = []
    while not events or not isinstance(events[-1], OutcomeReceived):
        events += session.next_events() or talker.events()
    pages, (error, outcome) = events[:-2], events[-2:]
    assert [type(page) for page in pages] == [PageReceived]
    assert isinstance(error, ErrorReceived)
    assert (error.request, error.failure.code) == (sync, Code.CANCELLED)
    assert (outcome.request, outcome.outcome.last) == (apply, 10)


def test_who_asks_and_says_goodbye_at_once_is_let_go_without_a_word_too_many(serve, talk, scope):
    served = serve()
    talker = talk(served).log_in()
    _, asked = talker.session.send_sync(Sync(scope, Cursor(), rows=1, pages=4))
    talker.socket.sendall(asked + talker.session.send_bye())
    ended(talker.socket)
    served.stop()
    assert served.ends() == ["bye"]


def test_what_is_asked_behind_a_long_sync_is_answered_in_its_order(serve, talk, scope):
    talker = talk(serve()).log_in()
    session = talker.session
    _, sync = session.send_sync(Sync(scope, Cursor(), rows=1, pages=3))
    data = b"".join(session.send_ping(bytes((number,)))[1] for number in range(5))
    talker.socket.sendall(sync + data)
    events = []
    while len(events) < 8:
        events += session.next_events() or talker.events()
    assert [event.request for event in events] == [1, 1, 1, 2, 3, 4, 5, 6]


def test_a_cancel_that_comes_too_late_changes_nothing(serve, talk, scope):
    talker = talk(serve()).log_in()
    session = talker.session
    request, asked = session.send_sync(Sync(scope, Cursor()))
    cancel = session.send_cancel(request)
    talker.socket.sendall(asked + cancel)
    assert talker.event().last
    assert talker.ping()


def test_a_link_that_gives_a_sync_up_goes_on_with_the_next_request(serve, library, scope):
    library.load((), [LoadRow(scope, f"E{at:05}", (), 0) for at in range(9000)])  # more than two pages
    with serve().link() as link:
        pages = link.sync(scope, Cursor(), 0)
        next(pages)
        pages.close()
        assert sum(len(page.rows) for page in link.sync(scope, Cursor(), 0)) == 9009


def test_who_says_nothing_is_asked_and_who_does_not_answer_is_let_go(serve, talk):
    served = serve(ping=0.05, idle=2)
    talker = talk(served).log_in()
    for number in itertools.islice(itertools.count(1), 3):
        assert talker.event() == PingAsked(number, b"")
        talker.socket.sendall(talker.session.send_pong(number, b""))
    assert talker.event() == PingAsked(4, b"")
    assert ended(talker.socket)
    served.stop()
    assert served.ends() == ["timeout"]
