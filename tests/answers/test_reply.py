"""Replies as messages: what stands in the header, whatever the answered mail says."""

import re
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail.render import Rendered
from mailsync.mail.reply import Envelope, OriginalMail, build_notice, build_reply, message_id, references

ENVELOPE = Envelope(
    "sync@example.com", ("ops@example.com",), "<mailsync.1@example.com>", 1_772_589_060, "sync@example.com"
)
RENDERED = Rendered("[mailsync] done: US01.LTO 1 moved (nightly)", "text\n", "<p>text</p>\n", b"")
ORIGINAL = OriginalMail("<b@example.net>", "<a@example.net>")


def parsed(message):
    return message_from_bytes(message, policy=policy.default)


def test_a_reply_has_the_fields_of_an_automatic_answer_and_joins_the_thread():
    mail = parsed(build_reply(ENVELOPE, ORIGINAL, RENDERED))
    assert {name: str(value) for name, value in mail.items() if not name.startswith("Content-")} == {
        "From": "sync@example.com",
        "To": "ops@example.com",
        "Subject": RENDERED.subject,
        "Date": "Wed, 04 Mar 2026 01:51:00 +0000",
        "Message-ID": "<mailsync.1@example.com>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "X-Loop": "sync@example.com",
        "In-Reply-To": "<b@example.net>",
        "References": "<a@example.net> <b@example.net>",
        "MIME-Version": "1.0",
    }


def test_text_comes_before_html_and_the_move_list_is_attached():
    mail = parsed(build_reply(ENVELOPE, ORIGINAL, RENDERED._replace(csv=b"a,b\r\n1,=2\r\n")))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/csv",
    ]
    (attachment,) = mail.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content_charset()) == ("moves.csv", "utf-8")
    assert attachment.get_payload(decode=True) == b"a,b\r\n1,=2\r\n"


def test_the_same_reply_is_the_same_bytes_and_another_id_changes_the_boundary():
    assert build_reply(ENVELOPE, ORIGINAL, RENDERED) == build_reply(ENVELOPE, ORIGINAL, RENDERED)
    other = parsed(build_reply(ENVELOPE._replace(message_id="<2@example.com>"), ORIGINAL, RENDERED))
    assert other.get_boundary() != parsed(build_reply(ENVELOPE, ORIGINAL, RENDERED)).get_boundary()


def test_a_notice_that_answers_nothing_is_generated_not_replied():
    mail = parsed(build_notice(ENVELOPE, "held\r\nBcc: x@example.com", "text\n"))
    assert (mail["Auto-Submitted"], mail["Subject"]) == ("auto-generated", "held Bcc: x@example.com")
    assert mail["In-Reply-To"] is mail["References"] is mail["Bcc"] is None
    assert parsed(build_notice(ENVELOPE, "held", "text\n", ORIGINAL))["Auto-Submitted"] == "auto-replied"


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "no brackets",
        "<a@b> <c@d>",
        "<a@b>\r\nBcc: x@example.com",
        "<a b@c>",
        "<a\n@c>",
        "<\xe4@example.net>",
        "<" + "a" * 300 + "@example.net>",
        "<a<b@example.net>",
        "<>",
    ],
)
def test_a_message_id_that_is_not_one_is_left_out(hostile):
    assert message_id(hostile) == ""
    mail = parsed(build_reply(ENVELOPE, OriginalMail(hostile, ""), RENDERED))
    assert mail["In-Reply-To"] is None


def test_a_long_message_id_stays_whole_on_a_line_of_its_own():
    long = "<" + "a" * 230 + "@example.net>"
    message = build_reply(ENVELOPE, OriginalMail(long, "<a@b>"), RENDERED)
    assert f"In-Reply-To: {long}\nReferences: <a@b>\n {long}\n".encode() in message


def test_a_long_thread_keeps_its_first_and_its_newest_ids():
    thread = [f"<{number}@example.net>" for number in range(100)]
    found = references(OriginalMail("<own@example.net>", " ".join(thread)))
    assert found == (thread[0], *thread[-18:], "<own@example.net>")


def test_what_is_no_id_in_references_is_left_out():
    text = "<a@b> (comment) <c d> =?utf-8?q?=0A?= <a@b>\n\t<e@f>"
    assert references(OriginalMail("", text)) == ("<a@b>", "<e@f>")


def test_scanning_a_hostile_thread_is_linear():
    assert references(OriginalMail("", "<" * 5_000_000)) == ()
    assert references(OriginalMail("", "<a" * 5_000_000)) == ()


@pytest.mark.parametrize("address", ["", "ops", "a@b, c@d", "a@b\nBcc: x@y", "<a@b>", "ops@exämple.com", "a b@c"])
def test_an_address_that_cannot_be_written_to_is_refused(address):
    with pytest.raises(ValueError, match="not an address"):
        build_reply(ENVELOPE._replace(to=(address,)), ORIGINAL, RENDERED)
    with pytest.raises(ValueError, match="not an address"):
        build_reply(ENVELOPE._replace(from_=address), ORIGINAL, RENDERED)


def test_an_envelope_without_a_message_id_is_refused():
    with pytest.raises(ValueError, match="not a Message-ID: x y"):
        build_reply(ENVELOPE._replace(message_id="x\ny"), ORIGINAL, RENDERED)


FIELDS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Loop",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
}
anything = st.one_of(
    st.text(max_size=200), st.sampled_from(["\r\nBcc: x@example.com\r\n\r\nhi", "=?utf-8?b?Cg==?=", "a" * 2_000])
)


@settings(max_examples=200, deadline=None)
@given(identity=anything, thread=anything, subject=anything, text=anything)
def test_nothing_of_a_mail_reaches_the_header_as_more_than_was_meant(identity, thread, subject, text):
    message = build_notice(ENVELOPE, subject, text, OriginalMail(identity, thread))
    header, _, body = message.partition(b"\n\n")
    assert header.isascii()
    assert b"\r" not in header
    assert max(map(len, message.split(b"\n"))) <= 998
    names = [line.partition(b":")[0].decode() for line in header.split(b"\n") if not line.startswith(b" ")]
    assert set(names) <= FIELDS
    assert len(set(names)) == len(names)
    assert body.isascii()


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=500), html=st.text(max_size=200))
def test_bodies_arrive_as_they_were_and_cannot_end_their_part(text, html):
    rendered = RENDERED._replace(text=f"{text}\n--=_x\n\n--\n", html=html.encode("utf-8", "replace").decode(), csv=b"x")
    mail = parsed(build_reply(ENVELOPE, ORIGINAL, rendered))
    assert not mail.defects
    assert mail.get_body(("plain",)).get_content() == rendered.text
    boundaries = [part.get_boundary() for part in mail.walk() if part.is_multipart()]
    assert all(re.fullmatch(r"=_[0-9a-f]{32}", one) for one in boundaries)
    assert len(list(mail.walk())) == 5


@settings(max_examples=100, deadline=None)
@given(
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"]), min_size=1, max_size=160)
)
def test_a_subject_in_any_script_arrives_as_it_was(subject):
    mail = parsed(build_reply(ENVELOPE, ORIGINAL, RENDERED._replace(subject=f"[mailsync] {subject}")))
    assert str(mail["Subject"]) == f"[mailsync] {subject}"
