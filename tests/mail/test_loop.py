"""Mails that must never be answered are told from machines that report."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import RunId
from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.loop import OwnMarks, is_own_message_id, loop_reason, own_message_id

SECRET = b"s" * 32
OWN = OwnMarks(SECRET, "mailsync@example.com 5f1c")
RUN = RunId(bytes(32))


def _reason(*fields):
    return loop_reason(scan_headers("\n".join((*fields, "", "")).encode(), HeaderLimits()), OWN)


def _own_id(secret=SECRET, run=RUN, audience="operator", outcome=b"1"):
    return own_message_id(run, audience, outcome, secret=secret, domain="example.com")


def test_our_own_message_id_is_recognised_and_a_forged_one_is_not():
    mine = _own_id()
    assert is_own_message_id(mine, SECRET)
    assert is_own_message_id(f"  {mine} ", SECRET)
    assert not is_own_message_id(mine, b"t" * 32)
    assert not is_own_message_id(mine.replace("@example.com", "@example.com\n"), SECRET)
    digit = "0" if mine[10] != "0" else "1"
    assert not is_own_message_id(mine[:10] + digit + mine[11:], SECRET)


def test_the_same_answer_has_the_same_message_id_and_another_has_another():
    assert _own_id() == _own_id()
    others = (_own_id(run=RunId(b"1" * 32)), _own_id(audience="courier"), _own_id(outcome=b"2"), _own_id(secret=b"t"))
    assert len({_own_id(), *others}) == 5


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (f"Message-ID: {_own_id()}", "our own mails"),
        ("X-Loop: mailsync@example.com 5f1c", "X-Loop"),
        ("Auto-Submitted: auto-replied", "Auto-Submitted"),
        ("Auto-Submitted: Auto-Replied (vacation); owner=x", "Auto-Submitted"),
        ("Content-Type: multipart/report; report-type=delivery-status", "multipart/report"),
        ("Content-Type: Multipart/Report;\n boundary=x", "multipart/report"),
    ],
)
def test_answers_bounces_and_our_own_mails_are_recognised(field, word):
    assert word in _reason("From: a@example.com", field)


def test_one_sign_among_repeated_fields_is_enough():
    assert _reason("X-Loop: else", "X-Loop: mailsync@example.com 5f1c")
    assert _reason("Message-ID: <a@example.com>", f"Message-ID: {_own_id()}")


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: no",
        "X-Loop: backup@example.com",
        "Precedence: bulk",
        "Content-Type: multipart/mixed; boundary=x",
        f"In-Reply-To: {_own_id()}",
        "Message-ID: <mailsync.1@example.com>",
    ],
)
def test_a_machine_that_reports_is_not_a_loop(field):
    assert _reason("From: backup@example.com", field) == ""


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_no_text_is_taken_for_our_own_by_chance(text):
    assert not is_own_message_id(text, SECRET)
