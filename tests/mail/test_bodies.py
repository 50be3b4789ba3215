"""What a mail says itself, what lies in mails within it, and how all of it is written."""

import base64
import quopri

import pytest
from mailparts import CSV, base64_leaf, file, forward, leaf, multipart, zipped

from mailsync.core.model import Attachment
from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
TABLE = b"<table><tr><td>A00001</td></tr></table>"
HTML = leaf(TABLE, "Content-Type: text/html; charset=utf-8")


def _bodies(mail):
    found = unpack(mail, LIMITS)
    assert (found.problems, found.notes) == ((), ())
    return [(one.path, one.content, one.html.content if one.html else b"") for one in found.attachments]


def test_text_and_html_are_one_body_in_two_forms():
    mail = multipart(leaf(b"see below"), HTML, kind="alternative")
    (found,) = unpack(mail, LIMITS).attachments
    assert (found.path, found.content, found.body) == ("(body)", b"see below", True)
    assert found.html == Attachment("(html)", TABLE, "text/html", "utf-8", depth=0, body=True)


@pytest.mark.parametrize("text", [b"", b" \r\n\r\n"])
def test_html_beside_an_empty_text_or_alone_is_the_body(text):
    assert _bodies(multipart(leaf(text), HTML, kind="alternative")) == [("(html)", TABLE, b"")]
    assert _bodies(multipart(HTML)) == [("(html)", TABLE, b"")]


def test_html_and_a_footer_that_a_list_put_behind_it_are_put_together():
    assert _bodies(multipart(HTML, leaf(b"-- \nfooter"))) == [("(body)", b"-- \nfooter", TABLE)]


def test_html_of_related_parts_belongs_to_the_text_beside_them():
    related = multipart(HTML, base64_leaf(b"GIF89a", "Content-Type: image/gif"), kind="related", boundary="YY")
    found = unpack(multipart(leaf(b"x"), related, kind="alternative"), LIMITS)
    assert [(one.path, one.html is not None) for one in found.attachments] == [("(body)", True)]
    assert [one.text for one in found.notes] == ["a picture was left out"]


def test_each_mail_within_has_its_own_text_and_html():
    inner = multipart(leaf(b"inner"), HTML, kind="alternative", boundary="YY")
    assert _bodies(multipart(leaf(b"outer"), forward(inner))) == [
        ("(body)", b"outer", b""),
        ("part-2!/(body)", b"inner", TABLE),
    ]


def test_more_html_than_text_is_not_lost():
    assert _bodies(multipart(leaf(b"x"), HTML, HTML)) == [("(body)", b"x", TABLE), ("(html) (2)", TABLE, b"")]


# Mails within mails.

INNER = multipart(leaf(b"inner"), file(CSV), boundary="YY")


@pytest.mark.parametrize(
    "attached",
    [
        forward(INNER, 'Content-Disposition: attachment; filename="a.eml"'),
        base64_leaf(INNER, "Content-Type: message/rfc822; name=a.eml"),
        leaf(quopri.encodestring(INNER), "Content-Type: message/rfc822; name=a.eml", encoding="quoted-printable"),
        base64_leaf(INNER, "Content-Type: application/octet-stream; name=a.eml"),
        file(b"From backup Mon Jan  1 00:00:00 2031\n" + INNER, "a.eml"),
    ],
    ids=["plain", "base64", "quoted-printable", "mislabelled", "mbox"],
)
def test_a_forwarded_mail_is_read_however_it_is_attached(attached):
    found = unpack(multipart(leaf(b"outer"), attached), LIMITS)
    assert [(one.path, one.content, one.depth) for one in found.attachments] == [
        ("(body)", b"outer", 0),
        ("a.eml!/(body)", b"inner", 1),
        ("a.eml!/a.csv", CSV, 1),
    ]
    assert (found.problems, found.notes) == ((), ())


def test_a_forwarded_mail_in_an_archive_is_read():
    found = unpack(multipart(file(zipped(("a.eml", INNER)), "mails.zip")), LIMITS)
    assert [(one.path, one.depth) for one in found.attachments] == [
        ("mails.zip!/a.eml!/(body)", 1),
        ("mails.zip!/a.eml!/a.csv", 1),
    ]


def test_a_list_that_begins_with_names_and_colons_is_no_mail():
    for content in (b"From: vault\nTo: library\n\nA00001\n", b"Volume: A00001\nMIME-Version: 1.0\n\nFrom: x\n"):
        assert [one.content for one in unpack(multipart(file(content)), LIMITS).attachments] == [content]


def test_a_body_that_quotes_the_header_of_a_mail_stays_a_body():
    text = b"From: a@example.com\nMIME-Version: 1.0\n\nA00001\n"
    assert _bodies(b"Subject: x\n\n" + text) == [("(body)", text, b"")]


@pytest.mark.parametrize("label", ["message/rfc822", "application/octet-stream"])
def test_mails_in_base64_within_each_other_count_as_depth_and_share_the_limits(label):
    mail = INNER
    for _ in range(6):
        mail = multipart(base64_leaf(mail, f"Content-Type: {label}; name=a.eml"), boundary="ZZ")
    (problem,) = unpack(mail, LIMITS).problems
    assert "depth: 5" in problem.text
    many = multipart(*[base64_leaf(INNER, f"Content-Type: {label}; name=a.eml")] * 9)
    assert "parts: 20" in unpack(many, LIMITS._replace(parts=20)).problems[0].text
    assert "mail_lines: 99" in unpack(many, LIMITS._replace(mail_lines=99)).problems[0].text


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("message/partial; number=2; total=3; id=x", "send it as one mail"), ("message/external-body", "attach the list")],
)
def test_a_piece_of_a_mail_and_one_that_is_elsewhere_are_problems(kind, hint):
    for mail in (f"Content-Type: {kind}\n\n".encode() + INNER, multipart(leaf(INNER, f"Content-Type: {kind}"))):
        found = unpack(mail, LIMITS)
        assert found.attachments == ()
        assert found.problems[0].hint.startswith(hint)


# Transfer encodings.


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"QUJD\nREVGRw==\nQUJD", "it ends, and then goes on"),
        (base64.b64encode(b"ABCDE") * 2, "it ends, and then goes on"),
        (b"QUJDRA===", "it ends, and then goes on"),
        (b"QUJDRA=", "cut off"),
        (b"QUJDR", "cut off"),
        (b"QUJD\n-- \nsent by a list\n", "there are other characters"),
        (b"QU*JD", "there are other characters"),
        (b"=QUJD", "it ends, and then goes on"),
    ],
)
def test_base64_that_is_not_whole_is_a_problem_and_nothing_of_it_is_read(text, problem):
    found = unpack(multipart(leaf(text, "Content-Type: text/csv; name=a.csv", encoding="base64")), LIMITS)
    assert found.attachments == ()
    assert problem in found.problems[0].text
    assert found.problems[0].hint.startswith("send it again")


def test_base64_in_lines_of_any_length_and_with_blanks_is_read():
    text = b" \r\n".join(base64.b64encode(CSV)[at : at + 5] for at in range(0, 60, 5))
    found = unpack(multipart(leaf(text, "Content-Type: text/csv; name=a.csv", encoding="Base64")), LIMITS)
    assert [one.content for one in found.attachments] == [CSV]


# Names.


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("Content-Disposition: attachment; filename*=iso-8859-1'en'%E4.csv", "ä.csv"),
        ("Content-Disposition: attachment; filename*0*=utf-8'de'%C3; filename*1*=%A4.csv", "ä.csv"),
        ("Content-Disposition: attachment; filename*1=er.csv; filename*0=ban; filename*2=x", "baner.csvx"),
        ('Content-Disposition: attachment;\n filename="=?utf-8?B?QsOkbg==?=\n =?utf-8?Q?der=2Ecsv?="', "Bänder.csv"),
        ("Content-Disposition: attachment; filename==?iso-8859-1?q?B=E4nder.csv?=", "Bänder.csv"),
        ('Content-Type: text/csv; name="=?windows-1252?q?=80uro.csv?="', "€uro.csv"),
        ('Content-Disposition: attachment; filename="a=?utf-8?q?=2F=2E=2E=2Fb?=.csv"', "b.csv"),
        ("Content-Disposition: attachment; filename*=utf-8''%2e%2e%2f%2e%2e%2fa.csv", "a.csv"),
        ('Content-Type: text/csv; name="=?utf-8?q?a=00=1B=E2=80=AEvsc.csv?="', "a vsc.csv"),
        ('Content-Disposition: attachment; filename="quoted \\"name\\".csv"', 'quoted "name".csv'),
        ("Content-Disposition: attachment; filename=" + "=?utf-8?q?=C3=A4=C3=A4?=" * 70, "ä" * 80 + "~" + "ä" * 39),
    ],
)
def test_names_are_decoded_as_programs_write_them_rightly_or_wrongly(fields, path):
    found = unpack(multipart(leaf(CSV, fields)), LIMITS)
    assert [one.path for one in found.attachments] == [path]
