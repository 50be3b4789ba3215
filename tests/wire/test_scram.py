"""SCRAM: the published example to the letter, and what must fail."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.wire import scram
from mailsync.wire.errors import RemoteProtocolError
from mailsync.wire.scram import Exchange

# RFC 7677 section 3: user `user`, password `pencil`.
CLIENT_FIRST = "n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
EXCHANGE = Exchange(CLIENT_FIRST, SERVER_FIRST)
GS2 = b"n,,"  # the example has no channel binding


def salted():
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    return hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)


def test_the_example_of_rfc_7677_comes_out_to_the_letter():
    challenge = scram.read_server_first(SERVER_FIRST, CLIENT_FIRST)
    verifier = scram.verifier_of(challenge.salt, salted())
    assert challenge.iterations == 4096
    assert scram.read_client_first(CLIENT_FIRST) == ("user", "rOprNGfwEbeRWgbNEkqO")
    assert scram.client_final(salted(), EXCHANGE, challenge.nonce, GS2) == CLIENT_FINAL
    assert scram.proof_holds(CLIENT_FINAL, EXCHANGE, verifier, GS2)
    assert scram.server_final(verifier, EXCHANGE, CLIENT_FINAL) == SERVER_FINAL
    assert scram.signature_holds(SERVER_FINAL, salted(), EXCHANGE, CLIENT_FINAL)


def login(*, token=b"t" * 32, known=b"t" * 32, binding=b"h", bound=b"h"):
    verifier = scram.make_verifier(known, b"s" * 16)
    first = scram.client_first("filter", b"c" * 18)
    challenge = scram.server_first(scram.read_client_first(first)[1], b"n" * 18, verifier)
    exchange = Exchange(first, challenge)
    read = scram.read_server_first(challenge, first)
    assert read.iterations == 1
    proof = scram.client_final(scram.salted_token(token, read.salt), exchange, read.nonce, binding)
    signature = scram.server_final(verifier, exchange, proof)
    accepted = scram.proof_holds(proof, exchange, verifier, bound)
    return accepted, scram.signature_holds(signature, scram.salted_token(token, read.salt), exchange, proof)


def test_a_token_is_proved_both_ways():
    assert login() == (True, True)


def test_a_wrong_token_proves_nothing_in_either_direction():
    assert login(token=b"u" * 32) == (False, False)


def test_a_proof_is_worth_nothing_on_another_connection():
    assert login(bound=b"another handshake") == (False, True)


def test_a_tokens_salted_password_is_pbkdf2_of_one_iteration():
    assert scram.salted_token(b"t" * 32, b"s" * 16) == hashlib.pbkdf2_hmac("sha256", b"t" * 32, b"s" * 16, 1)


def test_an_unknown_user_has_the_same_salt_at_every_attempt_and_another_than_his_neighbour():
    one, again = (scram.unknown_verifier(b"k" * 32, "nobody") for _ in range(2))
    assert one == again
    assert len(one.salt) == scram.SALT_BYTES
    assert one.salt != scram.unknown_verifier(b"k" * 32, "noone").salt


def test_a_verifier_shows_nothing_of_itself():
    assert repr(scram.make_verifier(b"t" * 32, b"s" * 16)) == "Verifier(...)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n=user",
        "n=,r=abc",
        "n=us er,r=abc",
        "n=user,r=",
        "n=user,r=a,b",
        "n=user,r=abc\n",
        "n=us=2Cer,r=abc",
        "m=x,n=user,r=abc",
        f"n={'u' * 17},r=abc",
        f"n=user,r={'x' * 129}",
    ],
)
def test_a_first_message_that_is_none_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        scram.read_client_first(text)


@pytest.mark.parametrize(
    "text",
    [
        "r=abc,s=c2FsdA==,i=1",  # the client's nonce, with nothing added
        "r=xyzzy,s=c2FsdA==,i=1",
        "r=abcdef,s=c2FsdA==,i=0",
        "r=abcdef,s=c2FsdA==,i=٣",
        "r=abcdef,s=***,i=1",
        "r=abcdef,s=c2FsdA=,i=1",
        "r=abcdef,s=c2FsdA==,i=1,x",
    ],
)
def test_a_challenge_that_is_none_or_not_for_this_client_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        scram.read_server_first(text, "n=user,r=abc")


@pytest.mark.parametrize("text", ["", "c=biws,r=x", "c=biws,r=x,p=AAAA", "c=bi ws,r=x,p=AAAA", "c=b,r=x,p=AAAA"])
def test_a_proof_that_is_none_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        scram.proof_holds(text, EXCHANGE, scram.make_verifier(b"t" * 32, b"s" * 16), GS2)


@pytest.mark.parametrize("text", ["", "v=", "e=other-error", "v=!"])
def test_a_signature_that_is_none_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        scram.signature_holds(text, bytes(32), EXCHANGE, CLIENT_FINAL)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    for read in (
        lambda: scram.read_client_first(text),
        lambda: scram.read_server_first(text, CLIENT_FIRST),
        lambda: scram.proof_holds(text, EXCHANGE, scram.make_verifier(b"t" * 32, b"s" * 16), GS2),
        lambda: scram.signature_holds(text, bytes(32), EXCHANGE, CLIENT_FINAL),
    ):
        try:
            read()
        except RemoteProtocolError:
            continue


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ann", "ann"),
        ("ann@example.com", "ann@example.com"),
        ("a,b=c=2C@example.com", "a=2Cb=3Dc=3D2C@example.com"),
    ],
)
def test_a_name_is_a_user_or_an_address_and_commas_in_it_are_written_as_rfc_5802_says(name, written):
    first = scram.client_first(name, b"c" * 18)
    assert first.startswith(f"n={written},r=")
    assert scram.read_client_first(first)[0] == name


@pytest.mark.parametrize(
    "name", ["", "no body", "a=b@example.com", "a=2cb@example.com", "@example.com", "a@", "-a", "x" * 300]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(RemoteProtocolError):
        scram.read_client_first(f"n={name},r=nonce")
