"""Password users against the real server: logging on, the end of an imported digest, and who may change what."""

from __future__ import annotations

import json

import pytest
from listening import KEY, TOKEN

from mailsync.core.errors import RefusedError
from mailsync.server.access import Access, Principal
from mailsync.server.store import RequestError
from mailsync.wire import verifiers
from mailsync.wire.end import Request
from mailsync.wire.errors import Code
from mailsync.wire.events import ErrorReceived
from mailsync.wire.messages import Kind
from mailsync.wire.passwords import FIPS, MD5, OF_TOKENS, SMALL, Password, md5_of
from mailsync.wire.scram import Verifier, make_password_verifier

ALICE = Password("alice", "correct horse")
OLD = make_password_verifier(md5_of(ALICE.text), b"s" * 16, SMALL._replace(prehash=MD5))


def test_a_digest_is_replaced_at_the_first_login_and_proves_nothing_afterwards(serve, library):
    library.add_user("alice", OLD, 1, grants=(("*", Access.WRITE),))
    served = serve()
    with served.link(token=ALICE) as link:
        assert [one.volumes for one in link.scopes()] == [9]
        link.ping()
    new = library.verifier("alice")
    assert new.kdf == SMALL
    assert new.salt != OLD.salt
    with served.link(token=ALICE) as link:
        assert list(link.scopes())
    assert library.verifier("alice") == new
    entry = [entry for entry, _ in library.chain("site")][-1]
    assert (entry.kind, entry.principal) == ("password set", "alice/site")
    assert json.loads(entry.payload) == {"user": "alice", "kdf": "argon2id 2 19456 1 none"}
    assert list(library.verify()) == []
    with served.link(token=ALICE._replace(text=md5_of(ALICE.text))) as link, pytest.raises(RefusedError):
        list(link.scopes())


def test_who_knows_only_the_digest_logs_on_until_it_is_replaced(serve, library):
    library.add_user("alice", OLD, 1, grants=(("*", Access.WRITE),))
    with serve().link(token=ALICE._replace(text=md5_of(ALICE.text))) as link:
        assert list(link.scopes())
    assert library.verifier("alice") == OLD


def test_a_wrong_password_and_an_unknown_user_are_told_the_same(serve, library):
    library.add_user("alice", OLD, 1, grants=(("*", Access.WRITE),))
    served, said = serve(), set()
    for wrong in (ALICE._replace(text="wrong"), Password("nobody", "wrong"), Password("filter", "wrong")):
        with served.link(token=wrong) as link, pytest.raises(RefusedError) as refused:
            list(link.scopes())
        said.add(str(refused.value))
    assert len(said) == 1


def test_the_profiles_are_those_of_live_passwords(library):
    assert library.login("")[1] == ()
    library.add_user("alice", OLD, 1, grants=(("*", Access.WRITE),))
    library.add_user("bob", make_password_verifier("pencil", b"b" * 16, FIPS), 1, grants=(("*", Access.WRITE),))
    assert sorted(library.login("")[1]) == sorted((OLD.kdf, FIPS))
    library.revoke_user("bob", 2)
    assert library.login("")[1] == (OLD.kdf,)


def test_only_a_live_password_is_replaced(library):
    for user in ("filter", "nobody"):
        with pytest.raises(RequestError) as refused:
            library.set_verifier(OLD, Principal(user, "site", 1), 2, instead_of=b"t" * 32)
        assert refused.value.code is Code.FORBIDDEN
    assert library.verifier("filter").kdf == OF_TOKENS


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((TOKEN, OLD._replace(kdf=SMALL)), Code.FORBIDDEN),
        ((ALICE, OLD), Code.INVALID),  # a digest again
        ((ALICE, OLD._replace(kdf=SMALL._replace(memory=64))), Code.INVALID),
        ((ALICE, Verifier(b"s" * 16, bytes(32), bytes(32), OF_TOKENS)), Code.INVALID),
    ],
)
def test_what_would_make_a_login_weaker_is_refused(serve, talk, library, change, code):
    login, verifier = change
    library.add_user("alice", make_password_verifier(ALICE.text, b"s" * 16, SMALL), 1, grants=(("*", Access.WRITE),))
    before = library.verifier(login.user)
    talker = talk(serve(), token=login).log_in()
    body = verifiers.encode_set_verifier(verifiers.SetVerifier(verifier))
    request, data = talker.session._ask(Kind.SET_VERIFIER, body, Request(Kind.SET_VERIFIER_OK))
    talker.socket.sendall(data)
    event = talker.event()
    assert isinstance(event, ErrorReceived)
    assert (event.request, event.failure.code) == (request, code)
    assert library.verifier(login.user) == before


def test_the_key_is_needed_all_the_same(serve, library):
    library.add_user("alice", OLD, 1, grants=(("*", Access.WRITE),))
    with pytest.raises(RefusedError, match="refused the key"):
        serve().link(key=KEY._replace(id="other"), token=ALICE)
