"""Any bytes are a mail: unpacked, or a clean problem, soon."""

import bz2
import gzip
import lzma

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mailparts import tarred, tnef, tnef_file, uuencoded, zipped

from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.loop import OwnMarks
from mailsync.mail.unpack import Unpacked, UnpackLimits, unpack
from mailsync.mail.verdict import Envelope, identity, judge

LINES = st.sampled_from(
    [
        b"From: a@example.com",
        b"From: =?utf-8?b?",
        b'From: "',
        b"Subject: =?x?q?=C3=?=",
        b"\xff\xfe: \x80",
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/mixed; boundary=A",
        b'Content-Type: multipart/related; boundary="B"',
        b"Content-Type: ;;;=",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: multipart/digest; boundary=A",
        b"Content-Type: message/partial",
        b"Content-Type: text/csv; name*0*=x'y'%ff; name*2=z",
        b"Content-Type: multipart/mixed",
        b"Content-Type: text/plain; charset*=undefined''%80; name=\"\xe4",
        b"Content-Disposition: attachment; filename*=''''",
        b"Content-Disposition: attachment; filename*999999999*=a",
        b"Content-Transfer-Encoding: base64",
        b"Content-ID: <",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: \xe4",
        b"QUJD",
        b"=3D=",
        b"begin 644 a",
        b"#86)C",
        b"`",
        b"end",
        b"begin-base64 644 a",
        b"====",
        b"Content-Type: text/plain; format=flowed; delsp=yes",
        b"> a line that is long enough to have been wrapped by whoever quoted it now ",
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64",
        b"RnJvbTogYQpNSU1FLVZlcnNpb246IDEuMAoKeAo=",
        b"Content-Type: text/html",
        b"Content-Type: multipart/alternative; boundary=A",
        b"BZh91AY&SY",
        b"\xfd7zXZ\x00",
        b"\x78\x9f\x3e\x22\x01\x00",
        b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"--A",
        b"--A--",
        b"--B",
        b"--B--",
        b"",
        b" ",
        b"\tx",
        b"\r",
        b"\x00",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        b"\x1f\x8b\x08",
        b"%PDF-",
        b"x,y",
        b"From evil Mon",
        b">From evil",
        b"mailsync-folded-0-0;",
    ]
)
MAILS = st.lists(LINES | st.binary(max_size=8), max_size=40).flatmap(
    lambda lines: st.sampled_from([b"\n".join(lines), b"\r\n".join(lines)])
)


@given(MAILS | st.binary(max_size=500))
@example(b"Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\nx\n--A--\n")
@settings(max_examples=600, deadline=None)
def test_any_bytes_are_unpacked_or_a_clean_problem(mail):
    found = unpack(mail, UnpackLimits())
    assert isinstance(found, Unpacked)
    paths = [one.path for one in found.attachments]
    assert len(set(paths)) == len(paths)
    for text in (*paths, *(str(one) for one in (*found.problems, *found.notes))):
        text.encode()
        assert text.isprintable()
        assert "/" not in text.replace("!/", "") or "://" not in text
    assert found == unpack(mail, UnpackLimits())


_CSV = b"volume,repository\r\nA00001,OFFS\r\n"
_FORMS = [
    gzip.compress(_CSV, mtime=0),
    bz2.compress(_CSV),
    lzma.compress(_CSV),
    zipped(("a.csv", _CSV)),
    tarred(("a.csv", _CSV)),
    tnef(*tnef_file(_CSV)),
    uuencoded(_CSV),
]


@given(st.sampled_from(_FORMS), st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=4)), max_size=4))
@settings(max_examples=400, deadline=None)
def test_a_damaged_form_is_a_clean_problem_or_an_attachment(form, changes):
    damaged = bytearray(form)
    for at, new in changes:
        damaged[at % (len(damaged) + 1) : at % (len(damaged) + 1) + len(new)] = new
    found = unpack(b"Content-Type: text/csv; name=a\n\n" + bytes(damaged), UnpackLimits())
    assert len(found.attachments) + len(found.problems) + len(found.notes) >= bool(damaged)


@given(MAILS | st.binary(max_size=500), st.text(max_size=60))
@settings(max_examples=800, deadline=None)
def test_any_bytes_have_a_verdict_and_an_identity(mail, recipient):
    headers = scan_headers(mail, HeaderLimits())
    verdict = judge(headers, Envelope(recipient), (), OwnMarks(b"s", "x"))
    assert verdict.reason
    assert verdict.route == ""
    assert len(identity(headers, mail)) in (2, 4)


def _slow(head, body=b""):
    return b"Content-Type: " + head + b"\n\n" + body


@pytest.mark.timeout(60)  # each takes well under a second; what these mails were made for takes minutes
@pytest.mark.parametrize(
    ("mail", "problem"),
    [
        (_slow(b"multipart/mixed; boundary=A", b"--A\n\n" * 200_000), "more parts than parts: 200"),
        (_slow(b"multipart/mixed; boundary=A", b"--A\n--\n" * 200_000), "more parts than parts: 200"),
        (_slow(b"multipart/mixed; boundary=A", b"--A\n" + b"X: y\n" * 300_000), "more header fields than part_fields"),
        (_slow(b"multipart/mixed; boundary=", b"--\n" * 1_000_001), "more lines to look at than mail_lines"),
        (_slow(b"text/plain; " + b"a*0*=b;" * 50_000), "field is longer than 2000 characters"),
        (_slow(b"text/csv; name=a\nContent-Transfer-Encoding: base64", b"A" * 5_000_001), "its base64 is cut off"),
        (_slow(b"text/csv; name=a", b"\x1f\x8b\x08\x00" + bytes(5_000_000)), "the gzip file is damaged"),
        (_slow(b"text/csv; name=a", gzip.compress(b"", mtime=0) * 100_000), "the gzip file is damaged"),
        (_slow(b"text/csv; name=a", b"PK\x03\x04" + b"PK\x01\x02" * 1_000_000), "more files than archive_members: 200"),
        (_slow(b"text/csv; name=a\nContent-Transfer-Encoding: quoted-printable", b"=" * 5_000_000), ""),
        (b"\n" * 5_000_000, ""),
        (b"a\n" * 2_000_000, "more lines to look at than mail_lines"),
        (b"Subject: " + b"=?utf-8?q?" * 20_000 + b"\n\n", ""),
        (b"From: " + b"(" * 200_000 + b"\n\n", ""),
    ],
    ids=range(14),
)
def test_a_mail_made_to_be_slow_is_dealt_with(mail, problem):
    judge(scan_headers(mail, HeaderLimits()), Envelope("x@example.com"), (), OwnMarks(b"s", "x"))
    problems = [one.text for one in unpack(mail, UnpackLimits()).problems]
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)
