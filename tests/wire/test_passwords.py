"""Passwords: what they go through, the least that is accepted, digests and their end, and users that do not exist."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire import events as seen
from mailsync.wire import messages, scram, verifiers
from mailsync.wire.compression import Method, pack
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.frames import AFTER_LOGIN
from mailsync.wire.messages import Failure
from mailsync.wire.passwords import (
    DEFAULT,
    FIPS,
    MD5,
    OF_TOKENS,
    SMALL,
    Kdf,
    Password,
    check_kdf,
    format_kdf,
    is_digest,
    md5_of,
    parse_kdf,
    salted_password,
)
from mailsync.wire.scram import make_password_verifier, unknown_verifier

SALT = b"s" * 16
ALICE = Password("alice", "correct horse")
DIGEST = Password("alice", md5_of("correct horse"))


def test_a_password_goes_through_argon2id_as_the_library_and_pbkdf2_as_python_have_it():
    assert salted_password("pencil", SALT, FIPS) == hashlib.pbkdf2_hmac("sha256", b"pencil", SALT, 600_000)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    expected = Argon2id(salt=SALT, length=32, iterations=2, lanes=1, memory_cost=19_456).derive(b"pencil")
    assert salted_password("pencil", SALT, SMALL) == expected


def test_a_digest_is_upper_case_md5_and_stands_for_its_password_where_one_is_asked_for():
    assert md5_of("pencil") == hashlib.md5(b"pencil", usedforsecurity=False).hexdigest().upper()
    hashed = SMALL._replace(prehash=MD5)
    assert salted_password("pencil", SALT, hashed) == salted_password(md5_of("pencil"), SALT, SMALL)
    assert salted_password(md5_of("pencil"), SALT, hashed) == salted_password("pencil", SALT, hashed)
    assert is_digest(md5_of("pencil"))
    assert not is_digest(md5_of("pencil").lower())


def test_the_same_letters_are_the_same_password_however_they_were_typed():
    assert salted_password("Bu\u0308ro", SALT, SMALL) == salted_password("B\u00fcro", SALT, SMALL)


@pytest.mark.parametrize(
    "kdf",
    [
        OF_TOKENS,
        Kdf("scrypt", 3, 65_536, 1),
        DEFAULT._replace(memory=19_455),
        DEFAULT._replace(iterations=1),
        DEFAULT._replace(lanes=0),
        DEFAULT._replace(memory=2**20 + 1),
        DEFAULT._replace(iterations=17),
        DEFAULT._replace(prehash="sha1"),
        FIPS._replace(iterations=599_999),
        FIPS._replace(iterations=10_000_001),
    ],
)
def test_less_than_the_least_is_not_accepted_nor_more_than_a_client_can_afford(kdf):
    with pytest.raises(RemoteProtocolError):
        check_kdf(kdf)
    with pytest.raises(RemoteProtocolError):
        salted_password("pencil", SALT, kdf)


def test_the_defaults_are_accepted_and_come_back_from_a_line():
    for kdf in (DEFAULT, SMALL, FIPS, DEFAULT._replace(prehash=MD5)):
        check_kdf(kdf)
        assert parse_kdf(format_kdf(kdf)) == kdf
    with pytest.raises(RemoteProtocolError, match="salt"):
        salted_password("pencil", b"short", SMALL)


def ends(pair, login, verifier):
    end = pair(token=login, verifier_of=None)
    end.verifiers = {verifier[0]: verifier[1]} if verifier else {}
    return end


@pytest.mark.parametrize("kdf", [SMALL, FIPS], ids=["argon2id", "pbkdf2"])
def test_a_password_is_proved_both_ways(pair, kdf):
    end = ends(pair, ALICE, ("alice", make_password_verifier(ALICE.text, SALT, kdf)))
    end.shake_hands()
    assert end.client.receive_data(end.serve(end.client.send_auth())) == [seen.LoggedIn("alice")]
    assert not end.client.upgrade_due
    with pytest.raises(LocalProtocolError):
        end.client.send_upgrade(SALT)


def refused(end):
    end.shake_hands()
    return end.client.receive_data(end.serve(end.client.send_auth()))


def test_a_wrong_password_an_unknown_user_and_a_token_in_its_place_are_refused_alike(pair):
    no = [seen.ErrorReceived(0, Failure(Code.AUTH_FAILED, "user, token or password is wrong"))]
    right = make_password_verifier(ALICE.text, SALT, SMALL)
    assert refused(ends(pair, ALICE._replace(text="?"), ("alice", right))) == no
    assert refused(ends(pair, ALICE, None)) == no
    token = scram.make_verifier(b"t" * 32, SALT)
    assert refused(ends(pair, Password("filter", "x"), ("filter", token))) == no
    assert refused(ends(pair, pair.token, ("filter", right))) == no


def test_an_imported_digest_is_replaced_at_the_first_login_with_the_password(pair):
    hashed = make_password_verifier(DIGEST.text, SALT, SMALL._replace(prehash=MD5))
    end = ends(pair, ALICE, ("alice", hashed))
    end.shake_hands()
    end.client.receive_data(end.serve(end.client.send_auth()))
    assert end.client.upgrade_due
    request, data = end.client.send_upgrade(b"u" * 16)
    end.serve(data)
    (asked,) = end.asked
    assert asked == seen.SetVerifierAsked(request, make_password_verifier(ALICE.text, b"u" * 16, SMALL))
    assert end.client.receive_data(end.server.send_verifier_set(request)) == [seen.VerifierSet(request)]
    assert refused(ends(pair, ALICE, ("alice", asked.verifier))) == [seen.LoggedIn("alice")]
    assert refused(ends(pair, DIGEST, ("alice", asked.verifier)))[0] != seen.LoggedIn("alice")


def test_what_will_prove_the_next_login_is_not_compressed_although_it_could_be(pair):
    end = ends(pair, ALICE, ("alice", make_password_verifier(DIGEST.text, SALT, SMALL._replace(prehash=MD5))))
    refused(end)
    reader = end.server._channel._reader
    reader.feed(end.client.send_upgrade(b"u" * 16)[1])
    message = reader.next_message(AFTER_LOGIN)
    assert message.method is Method.NONE
    assert pack(end.server.method, message.body).method is end.server.method


def test_who_logs_on_with_the_digest_is_never_upgraded(pair):
    end = ends(pair, DIGEST, ("alice", make_password_verifier(DIGEST.text, SALT, SMALL._replace(prehash=MD5))))
    assert refused(end) == [seen.LoggedIn("alice")]
    assert not end.client.upgrade_due


def test_a_server_that_asks_for_a_cheap_proof_gets_none(pair):
    cheap = Kdf("argon2id", 1, 64, 1)
    end = ends(pair, ALICE, ("alice", scram.verifier_of(SALT, b"x" * 32, cheap)))
    with pytest.raises(RemoteProtocolError, match="not protected"):
        end.shake_hands()


def test_a_token_goes_through_nothing_but_its_own_one_iteration(pair, monkeypatch):
    encode = messages.encode_hello_ok
    monkeypatch.setattr(messages, "encode_hello_ok", lambda one: encode(one._replace(kdf=SMALL._replace(iterations=1))))
    with pytest.raises(RemoteProtocolError, match="one iteration"):
        pair().shake_hands()


def test_users_that_do_not_exist_are_protected_like_those_that_do():
    mix = (SMALL,) * 3 + (SMALL._replace(prehash=MD5),)
    users = [f"user{number}" for number in range(400)]
    profiles = [unknown_verifier(b"secret", user, mix).kdf for user in users]
    assert profiles == [unknown_verifier(b"secret", user, mix).kdf for user in users]
    assert 60 < profiles.count(mix[-1]) < 140
    assert unknown_verifier(b"secret", "alice", ()).kdf == DEFAULT
    assert unknown_verifier(b"secret", "alice").kdf == OF_TOKENS


KDF = st.builds(
    Kdf, st.sampled_from(["argon2id", "pbkdf2"]), *[st.integers(0, 10**7)] * 3, st.sampled_from(["none", "md5"])
)
KEY = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(st.builds(scram.Verifier, st.binary(min_size=16, max_size=64), KEY, KEY, KDF), st.data())
def test_a_verifier_comes_back_and_half_of_one_is_refused(verifier, data):
    said = verifiers.SetVerifier(verifier)
    body = verifiers.encode_set_verifier(said)
    assert verifiers.decode_set_verifier(body) == said
    with pytest.raises(RemoteProtocolError):
        verifiers.decode_set_verifier(body[: data.draw(st.integers(0, len(body) - 1))])
    hello = messages.HelloOk(1, "zstd", "r=x", verifier.kdf)
    assert messages.decode_hello_ok(messages.encode_hello_ok(hello)) == hello


@pytest.mark.parametrize("changed", [{"salt": ""}, {"stored_key": "AAAA"}, {"server_key": ""}, {"kdf": 7}, {"kdf": {}}])
def test_what_is_no_verifier_is_refused(changed):
    import json

    members = json.loads(
        verifiers.encode_set_verifier(verifiers.SetVerifier(scram.Verifier(SALT, SALT * 2, SALT * 2, SMALL)))
    )
    with pytest.raises(RemoteProtocolError):
        verifiers.decode_set_verifier(json.dumps(members | changed).encode())
