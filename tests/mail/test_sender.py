"""Tokens: who shows a live one is let in; nobody gets to read one."""

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail import sender
from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.sender import (
    AllOf,
    AnyOf,
    Presented,
    TokenOf,
    authenticate,
    extension,
    presented_tokens,
    redact,
    redact_extensions,
    token_digest,
    token_text,
)

GOOD, OLD, OTHER = (token_text(bytes([number] * 16)) for number in (1, 2, 3))
NIGHTLY = TokenOf("nightly", (token_digest(GOOD), token_digest(OLD)))
WEEKLY = TokenOf("weekly", (token_digest(OTHER),))
NO_HEADERS = scan_headers(b"A: b\n\n", HeaderLimits())


def test_a_token_has_at_least_128_bits_and_fits_into_a_local_part():
    assert len(GOOD) == 26
    assert len(token_text(bytes(32))) == 52
    assert len("sync+nightly." + token_text(bytes(20))) <= sender.MAX_LOCAL_PART
    for length in (15, 33):
        with pytest.raises(ValueError, match="random bytes"):
            token_text(bytes(length))


@pytest.mark.parametrize(
    "recipient",
    [
        f"sync+nightly.{GOOD}@example.com",
        f"nightly.{GOOD}",
        f"sync+nightly.{GOOD}",
        f"SYNC+Nightly.{GOOD.upper()}@EXAMPLE.COM",
    ],
)
def test_a_token_is_found_in_the_address_or_in_its_extension_alone(recipient):
    assert presented_tokens(recipient, NO_HEADERS) == (Presented("nightly", GOOD),)


def test_a_token_is_found_in_its_header_field():
    headers = scan_headers(f"X-Mailsync-Token: nightly.{GOOD}\n\n".encode(), HeaderLimits())
    assert presented_tokens("sync@example.com", headers) == (Presented("nightly", GOOD),)


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "sync@example.com",
        f"{GOOD}",
        f"sync+{GOOD}@example.com",
        f"sync+nightly.{GOOD[:-1]}@example.com",
        f"sync+nightly.{GOOD}0@example.com",
        f"sync+night ly.{GOOD}@example.com",
        f"{'x' * 40}+nightly.{GOOD}@example.com",
        f"nightly.{GOOD}@example.com",
    ],
)
def test_what_only_resembles_a_token_is_none(recipient):
    assert presented_tokens(recipient, NO_HEADERS) == ()


def test_both_live_tokens_of_an_id_are_accepted_and_prove_no_from():
    for token in (GOOD, OLD):
        proof = authenticate(NIGHTLY, (Presented("nightly", token),))
        assert proof == (True, False, "token nightly", "")


def test_a_token_of_another_id_or_a_dead_one_is_refused_with_a_reason():
    assert authenticate(NIGHTLY, ()).reason == "it shows no token nightly"
    assert authenticate(NIGHTLY, (Presented("weekly", GOOD),)).reason == "it shows no token nightly"
    assert (
        authenticate(NIGHTLY, (Presented("nightly", OTHER),)).reason == "the token nightly it shows is not a live one"
    )
    assert not authenticate(TokenOf("nightly", ()), (Presented("nightly", GOOD),)).accepted


@pytest.mark.parametrize(
    ("condition", "shown", "method"),
    [
        (AnyOf((NIGHTLY, WEEKLY)), ("weekly",), "token weekly"),
        (AnyOf((NIGHTLY, WEEKLY)), (), ""),
        (AllOf((NIGHTLY, WEEKLY)), ("weekly",), ""),
        (AllOf((NIGHTLY, WEEKLY)), ("nightly", "weekly"), "token nightly and token weekly"),
        (AllOf((AnyOf((NIGHTLY, WEEKLY)), NIGHTLY)), ("weekly",), ""),
        (AllOf(()), ("nightly", "weekly"), ""),
        (AnyOf(()), ("nightly", "weekly"), ""),
    ],
)
def test_conditions_combine(condition, shown, method):
    tokens = {"nightly": Presented("nightly", GOOD), "weekly": Presented("weekly", OTHER)}
    proof = authenticate(condition, tuple(tokens[one] for one in shown))
    assert (proof.accepted, proof.method) == (bool(method), method)
    assert bool(proof.reason) == (not method)


def test_every_presented_token_is_compared_with_every_stored_one_in_constant_time(monkeypatch):
    compared = []

    def counting(one, other):
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(sender, "hmac", type("Counting", (), {"compare_digest": staticmethod(counting)}))
    shown = (Presented("nightly", GOOD), Presented("weekly", OTHER))
    assert authenticate(NIGHTLY, shown).accepted
    assert compared == [(token_digest(one.token), stored) for one in shown for stored in NIGHTLY.digests]


def test_redaction_keeps_what_a_person_needs_to_recognise_the_address():
    assert redact(f"to <sync+nightly.{GOOD}@example.com>, again") == "to <sync+...@example.com>, again"
    assert redact(f"X-Mailsync-Token: nightly.{GOOD}") == "X-Mailsync-Token: nightly...."
    assert redact("C++ and a@example.com") == "C++ and a@example.com"


def test_the_hexadecimal_names_of_runs_survive_redaction():
    run = "a" * 31 + "0" + "b" * 32
    assert redact(f"run {run}") == f"run {run}"


@pytest.mark.parametrize("beside", ["0", "9", "18", "x", "B" * 30])
def test_a_token_that_touches_letters_and_digits_is_redacted(beside):
    for text in (f"nightly.{GOOD}{beside}", f"{beside}{GOOD}", f"{beside}{GOOD.upper()}{beside}"):
        assert GOOD not in redact(text).lower()


def test_only_extensions_with_a_token_are_redacted_where_the_rest_must_stay_whole():
    assert redact_extensions(f"<1+nightly.{GOOD}@example.com>") == "<1+...@example.com>"
    assert redact_extensions(f"sync+Nightly.{GOOD.upper()}7@example.com") == "sync+...@example.com"
    for whole in ("<a+b@example.com>", f"<{GOOD}@example.com>", "backup+reports@example.com", "a+b.c@example.com"):
        assert redact_extensions(whole) == whole
    assert redact_extensions("+a." * 200_000) == "+a." * 200_000


FORMS = st.sampled_from(
    [
        "sync+nightly.{}@example.com",
        "nightly.{}",
        "X-Mailsync-Token: nightly.{}",
        "<sync+a+b.{}@example.com>",
        "{}",
        "sync+nightly.{}=example.com@example.net",
        "for sync+nightly.{}@example.com; Mon",
        "rfc822;sync+nightly.{}@example.com",
        "z18{}0",
    ]
)


@given(st.text(max_size=30), FORMS, st.text(max_size=30), st.binary(min_size=16, max_size=32), st.booleans())
@settings(max_examples=500, deadline=None)
def test_redaction_never_leaks_a_token(before, form, after, random, upper):
    token = token_text(random)
    text = form.format(token.upper() if upper else token)
    assert token not in redact(f"{before} {text} {after}").lower()


def test_redaction_of_a_hostile_text_is_linear():
    assert redact("+" * 1_000_000 + "@") == "+...@"
    assert redact("a" * 1_000_000) == "a" * 1_000_000


@pytest.mark.parametrize(
    ("recipient", "expected"), [("a+b+c@example.com", "b+c"), ("a@example.com", ""), ("b.c", "b.c"), ("+b", "b")]
)
def test_the_extension_is_what_follows_the_first_plus(recipient, expected):
    assert extension(recipient) == expected
