"""The verdict: every line of its truth table, and the names a mail gets."""

import subprocess
import sys
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail import verdict as verdict_module
from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.loop import OwnMarks
from mailsync.mail.sender import TokenOf, token_digest, token_text
from mailsync.mail.verdict import Action, Envelope, RouteRule, identity, judge

TOKEN = token_text(bytes(range(16)))
RECIPIENT = f"sync+nightly.{TOKEN}@example.com"
OWN = OwnMarks(b"s" * 32, "loop-mark")
ROUTE = RouteRule(
    name="nightly",
    recipient=lambda text: text.startswith("sync+nightly.") and text.endswith("@example.com"),
    extension=lambda text: text.startswith("nightly."),
    from_=None,
    subject=None,
    senders=(lambda text: text == "backup@example.com",),
    authenticate=TokenOf("nightly", (token_digest(TOKEN),)),
)
GOOD = "From: Backup <backup@example.com>\nSubject: =?utf-8?q?B=C3=A4nder?=\nMessage-ID: <1@example.com>\n\nbody\n"


def _judge(mail=GOOD, recipient=RECIPIENT, sender=None, rules=(ROUTE,)):
    return judge(scan_headers(mail.encode(), HeaderLimits()), Envelope(recipient, sender), rules, OWN)


def test_a_mail_with_route_sender_and_token_is_processed():
    assert _judge()._asdict() == {
        "action": Action.PROCESS,
        "reason": "route nightly, token nightly",
        "route": "nightly",
        "method": "token nightly",
        "covers_from": False,
        "notify": True,
        "message_id": "<1@example.com>",
        "subject": "Bänder",
        "from_address": "backup@example.com",
        "recipient_shown": "sync+...@example.com",
    }


@pytest.mark.parametrize(
    ("case", "reason", "notify"),
    [
        ({"mail": ""}, "the mail is empty", True),
        ({"mail": "A: b\rC: d\n\n"}, "the header has a carriage return within a line", True),
        ({"mail": "Auto-Submitted: auto-replied\n" + GOOD}, "it is an automatic reply", False),
        ({"mail": "X-Loop: loop-mark\n" + GOOD}, "it carries our own X-Loop", False),
        ({"mail": "Content-Type: multipart/report\n" + GOOD}, "it is a delivery report", False),
        ({"mail": "From: evil@example.net\n" + GOOD}, "it has 2 From fields", True),
        ({"mail": GOOD.replace("From: ", "From: evil@example.net, ")}, "its From field has 2 addresses", True),
        ({"mail": "Subject: x\n\n"}, "it has no From field", True),
        ({"rules": ()}, "no route matches (recipient sync+...@example.com, from backup@example.com)", True),
        ({"recipient": ""}, "no route matches (recipient unknown", True),
        ({"recipient": "", "sender": ""}, "no route matches", False),
        ({"recipient": "", "mail": "From MAILER-DAEMON Mon\n" + GOOD}, "no route matches", False),
        ({"recipient": "", "mail": "Return-Path: <>\nReceived: x\n" + GOOD}, "no route matches", False),
        ({"recipient": "", "mail": "Received: x\nReturn-Path: <>\n" + GOOD}, "no route matches", True),
        (
            {"mail": GOOD.replace("backup@", "other@")},
            "other@example.com is not among the senders of route nightly",
            True,
        ),
        ({"recipient": "sync+nightly.x@example.com"}, "its sender is not authenticated for route nightly", True),
    ],
)
def test_everything_else_is_held_for_its_own_reason_and_belongs_to_no_route(case, reason, notify):
    found = _judge(**case)
    assert found.reason.startswith(reason)
    assert (found.action, found.route, found.method, found.notify) == (Action.HOLD, "", "", notify)


def test_a_null_return_path_with_a_route_is_processed():
    assert _judge(sender="").action is Action.PROCESS


def test_the_first_matching_route_wins_even_when_it_then_holds():
    strict = ROUTE._replace(name="strict", senders=())
    assert "route strict" in _judge(rules=(strict, ROUTE)).reason
    assert _judge(rules=(ROUTE, strict)).route == "nightly"


def test_all_given_matchers_of_a_route_must_match():
    assert _judge(rules=(ROUTE._replace(subject=lambda text: text == "Bänder"),)).action is Action.PROCESS
    assert _judge(rules=(ROUTE._replace(subject=lambda text: text == "else"),)).reason.startswith("no route")
    assert _judge(rules=(ROUTE._replace(from_=lambda text: text == "backup@example.com"),)).action is Action.PROCESS
    assert _judge(rules=(ROUTE._replace(from_=lambda text: text == "else"),)).reason.startswith("no route")


def test_a_route_by_subject_alone_takes_its_token_from_the_header():
    rule = ROUTE._replace(recipient=None, extension=None, subject=lambda text: text == "Bänder")
    assert (
        _judge(mail=f"X-Mailsync-Token: nightly.{TOKEN}\n{GOOD}", recipient="", rules=(rule,)).action is Action.PROCESS
    )


def test_the_extension_alone_is_enough_when_the_mta_gives_no_more():
    assert _judge(recipient=f"nightly.{TOKEN}").action is Action.PROCESS
    assert _judge(recipient=f"nightly.{TOKEN}", rules=(ROUTE._replace(extension=None),)).reason.startswith("no route")


@pytest.mark.parametrize("field", ["X-Original-To", "Delivered-To"])
def test_without_an_option_the_recipient_is_what_the_mta_wrote_on_top(field):
    top = f"{field}: {RECIPIENT}\nReceived: by mx.example.com\n"
    assert _judge(mail=top + GOOD, recipient="").action is Action.PROCESS
    below = f"Received: by mx.example.com\n{field}: {RECIPIENT}\n"
    assert _judge(mail=below + GOOD, recipient="").reason.startswith("no route")


def test_upper_case_in_addresses_changes_nothing():
    assert _judge(mail=GOOD.replace("backup@", "Backup@"), recipient=RECIPIENT.upper()).action is Action.PROCESS


def test_no_text_of_a_verdict_shows_the_token():
    mails = (
        GOOD,
        GOOD.replace("Subject: ", f"Subject: {RECIPIENT} "),
        GOOD.replace("backup@", f"sync+nightly.{TOKEN}@"),
    )
    for mail in mails:
        for rules in ((ROUTE,), (), (ROUTE._replace(senders=()),)):
            found = _judge(mail=mail, rules=rules)
            shown = (found.reason, found.subject, found.recipient_shown)
            assert not any(TOKEN in text.lower() for text in shown)


def _identity(text):
    mail = text.encode("latin-1")
    return identity(scan_headers(mail, HeaderLimits()), mail)


def test_the_identity_is_the_message_id_without_white_space_and_the_body():
    assert _identity("Message-ID: <a \n b@example.com>\n\nbody\n") == (b"<ab@example.com>", sha256(b"body\n").digest())


def test_without_a_message_id_from_date_and_subject_name_the_mail():
    named = _identity("Subject: s\nFrom: f\nDate: d\n\nbody")
    assert named == (b"f", b"d", b"s", sha256(b"body").digest())


def test_line_ends_and_trace_fields_do_not_change_the_identity():
    plain = "Message-ID: <1@example.com>\n\none\ntwo\n"
    assert _identity(plain) == _identity(plain.replace("\n", "\r\n"))
    assert _identity(plain) == _identity("Received: by mx\nDelivered-To: x\n" + plain)
    assert _identity(plain) != _identity(plain.replace("two", "2"))


def test_a_header_that_cannot_be_read_is_named_by_the_whole_mail():
    assert _identity("A: b\rc\n\nbody")[-1] == sha256(b"A: b\rc\n\nbody").digest()


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"yz"]), max_size=40), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_the_body_is_hashed_alike_wherever_it_is_cut(pieces, chunk):
    mail = b"M: 1\n\n" + b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict_module, "_CHUNK", chunk)
        digest = identity(scan_headers(mail, HeaderLimits()), mail)[-1]
    assert digest == sha256(b"".join(pieces).replace(b"\r\n", b"\n")).digest()


def test_a_verdict_costs_no_heavy_import():
    heavy = ["email", "mailparser", "dataclasses", "re2", "logging", "zipfile", "asyncio", "jinja2", "cryptography"]
    code = (
        "import sys; before = set(sys.modules)\n"
        "import mailsync.mail.verdict, mailsync.mail.unpack\n"
        "from mailsync.mail.address import decode_words; decode_words('=?utf-8?q?x?=')\n"
        f"print(*sorted((set(sys.modules) - before) & set({heavy})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_a_token_in_message_id_or_from_is_matched_as_it_is_and_shown_as_none():
    sender = f"backup+nightly.{TOKEN}@example.com"
    rule = ROUTE._replace(senders=(lambda text: text == sender,), from_=lambda text: text == sender)
    mail = f"From: {sender}\nMessage-ID: <1+nightly.{TOKEN}@example.com>\n\nbody\n"
    found = _judge(mail, rules=(rule,))
    assert found.action is Action.PROCESS
    assert (found.from_address, found.message_id) == ("backup+...@example.com", "<1+...@example.com>")
    assert all(TOKEN not in str(judged) for judged in (found, _judge(mail), _judge(mail, rules=())))
    headers = scan_headers(mail.encode(), HeaderLimits())
    assert TOKEN.encode() in identity(headers, mail.encode())[0]
