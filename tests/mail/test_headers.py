"""The header as every verdict sees it: bounded, unfolded, and ending where the attachments' parser ends it."""

import email

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail.headers import HeaderLimits, scan_headers

LIMITS = HeaderLimits()


def test_the_envelope_lines_of_procmail_are_not_part_of_the_header():
    mail = b"From backup@example.com  Mon Nov 23 10:00:00 2026\n>From root Mon Nov 23\nSubject: x\n\nbody"
    headers = scan_headers(mail, LIMITS)
    assert headers.envelope_sender == "backup@example.com"
    assert headers.fields == (("subject", "x"),)
    assert mail[headers.body_offset :] == b"body"


@pytest.mark.parametrize(
    "line", [b"From MAILER-DAEMON  Mon Nov 23 10:00:00 2026\n", b"From <>  Mon Nov 23\n", b"From \n"]
)
def test_the_null_sender_of_a_from_line_is_the_empty_text(line):
    assert scan_headers(line + b"A: b\n\n", LIMITS).envelope_sender == ""


def test_without_a_from_line_the_envelope_sender_is_unknown():
    assert scan_headers(b"A: b\n\n", LIMITS).envelope_sender is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_folded_fields_are_unfolded_whatever_the_line_ends(end):
    mail = end.join([b"Subject: one", b"\ttwo", b"  three", b"X-A: 1", b"x-a: 2", b"", b"body", b""])
    headers = scan_headers(mail, LIMITS)
    assert headers.first("subject") == "one\ttwo  three"
    assert headers.all("x-a") == ("1", "2")
    assert headers.first("date") == ""
    assert mail[headers.body_offset :] == b"body" + end
    assert headers.raw == mail[: headers.body_offset]


def test_8_bit_text_is_kept_byte_for_byte():
    assert scan_headers("Subject: Bänder\n\n".encode(), LIMITS).first("subject").encode("latin-1") == "Bänder".encode()


def test_a_mail_without_a_body_is_all_header():
    headers = scan_headers(b"A: b\nC: d", LIMITS)
    assert headers.fields == (("a", "b"), ("c", "d"))
    assert headers.body_offset == 9


def test_a_header_beyond_its_bytes_is_a_fault_and_at_its_bytes_is_none():
    line = b"A: " + b"x" * 96 + b"\n"
    assert scan_headers(line * 10 + b"\nbody", HeaderLimits(header_bytes=1001)).fault == ""
    fault = scan_headers(line * 10 + b"\nbody" * 9, HeaderLimits(header_bytes=999)).fault
    assert fault == "the header is longer than header_bytes: 999"


def test_one_endless_line_is_a_fault():
    assert "header_bytes" in scan_headers(b"A: " + b"x" * 300_000, LIMITS).fault


def test_more_fields_than_the_limit_are_a_fault():
    assert scan_headers(b"A: b\n" * 2_000 + b"\n", LIMITS).fault == ""
    assert (
        scan_headers(b"A: b\n" * 2_001 + b"\n", LIMITS).fault == "the header has more fields than header_fields: 2000"
    )


def test_sixteen_thousand_received_lines_are_refused_before_mail_parser_sees_them():
    mail = b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n" * 16_000
    assert scan_headers(mail, LIMITS).fault == "the header has more fields than header_fields: 2000"


def test_a_lone_carriage_return_within_a_line_is_a_fault():
    assert "carriage return" in scan_headers(b"X: y\rFrom: evil@example.net\n\n", LIMITS).fault


def test_a_field_without_a_name_is_a_fault():
    assert "without a name" in scan_headers(b"A: b\n: c\n d\n\n", LIMITS).fault


def test_an_envelope_line_further_down_is_a_fault():
    assert "envelope line" in scan_headers(b"A: b\nFrom evil@example.net Mon\nC: d\n\n", LIMITS).fault


@pytest.mark.parametrize("mail", [b"", b"\n", b"\r\n\r\n", b"From a@example.com Mon\n\n"])
def test_an_empty_mail_is_a_fault(mail):
    assert scan_headers(mail, LIMITS).fault == "the mail is empty"


def test_only_what_stands_above_the_first_received_is_the_mtas():
    mail = b"X-Original-To: ours@example.com\nReceived: by mx\nX-Original-To: theirs@example.com\n\n"
    assert scan_headers(mail, LIMITS).top == (("x-original-to", "ours@example.com"),)


LINES = st.sampled_from(
    [
        b"A: b",
        b"a:",
        b" more",
        b"\tmore",
        b"no colon",
        b"From: x@example.com",
        b"B : c",
        b"",
        b"--x: y",
    ]
)


@given(st.lists(LINES, min_size=1, max_size=12), st.sampled_from([b"\n", b"\r\n"]))
@settings(max_examples=300, deadline=None)
def test_the_header_ends_where_the_parser_of_the_attachments_ends_it(lines, end):
    mail = b"First: 1" + end + end.join(lines) + end + b"tail"
    mine, theirs = scan_headers(mail, LIMITS), email.message_from_bytes(mail)
    unfolded = [(name.lower(), "".join(value.splitlines()).strip(" \t")) for name, value in theirs.items()]
    assert list(mine.fields) == unfolded
    assert mail[mine.body_offset :] == theirs.get_payload().encode()


@given(st.binary(max_size=2_000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_have_a_header_or_a_fault(mail):
    headers = scan_headers(mail, LIMITS)
    assert headers.fault or 0 <= headers.body_offset <= len(mail)
    assert not (headers.fault and headers.fields)
