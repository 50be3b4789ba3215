"""Folding: the parser sees the same mail with shorter bodies, and every body can be put back."""

import email

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail.fold import fold, restore

BIG = b"".join(b"%06dL4,Offsite\r\n" % number for number in range(20_000))


def _mail(*parts, boundary=b"XX", declared=b'boundary="XX"', end=b"--XX--\n"):
    head = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; " + declared + b"\n\n"
    return head + b"".join(b"--" + boundary + b"\nContent-Type: text/csv\n\n" + part + b"\n" for part in parts) + end


def _texts(mail, folded=None):
    message = email.message_from_bytes(folded.skeleton if folded else mail)
    texts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    return [restore(folded, text) for text in texts] if folded else texts


def test_a_big_body_is_set_aside_and_put_back():
    mail = _mail(b"small", BIG, b"tail")
    folded = fold(mail)
    assert len(folded.runs) == 1
    assert len(folded.skeleton) < len(mail) // 5
    assert _texts(mail, folded) == [b"small", BIG, b"tail"]


def test_rulers_of_dashes_do_not_keep_a_body_from_being_folded():
    body = b"".join(b"------\n%d\n" % number for number in range(20_000))
    folded = fold(_mail(body))
    assert len(folded.runs) == 1
    assert _texts(None, folded) == [body]


def test_a_boundary_in_rfc_2231_form_is_respected():
    mail = _mail(BIG, BIG, declared=b"boundary*0=X; boundary*1=X")
    assert _texts(mail, fold(mail)) == [BIG, BIG]


def test_a_mail_that_contains_our_marker_gets_another_one():
    mail = _mail(b"mailsync-folded-0-0;", BIG)
    assert _texts(mail, fold(mail)) == [b"mailsync-folded-0-0;", BIG]
    hostile = _mail(b"".join(b"mailsync-folded-%d-0;" % number for number in range(8)), BIG)
    assert fold(hostile).runs == ()
    assert fold(hostile).skeleton == hostile


def test_what_stands_before_the_start_is_left_out():
    mail = b"From a@example.com Mon\n" + _mail(b"x")
    assert fold(mail, 23).skeleton == mail[23:]


@pytest.mark.timeout(60)  # milliseconds; in quadratic time, hours
def test_a_mail_made_of_boundaries_is_left_as_it_is():
    assert fold(_mail() + b"--XX\n" * 1_000_000).runs == ()
    assert fold(b"boundary=" * 1_000_000).skeleton


@given(
    st.lists(
        st.sampled_from([b"--A", b"--A--", b"\r--A", b"\n", b"\r\n", b"\r", b"x", b"\xe4", b"boundary=A\n"]),
        max_size=60,
    ),
    st.integers(1, 20),
)
@settings(max_examples=500, deadline=None)
def test_nothing_is_lost_and_no_boundary_is_folded_away(pieces, shortest):
    mail = b"".join(pieces)
    folded = fold(mail, shortest=shortest)
    assert restore(folded, folded.skeleton) == mail
    if b"boundary=A" in mail:
        for run in folded.runs:
            assert not any(line.startswith(b"--A") for line in bytes(run).splitlines()[1:])


@given(
    st.lists(
        st.lists(st.sampled_from([b"x,y", b"--", b"-- A", b"", b"\xe4", b"=20", b"--a--"]), min_size=1, max_size=12),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_every_part_of_a_folded_mail_reads_as_it_did(parts, end, closed):
    head = b"Content-Type: multipart/mixed; boundary=A" + end + end
    mail = head + b"".join(b"--A" + end + b"X: y" + end + end + end.join(part) + end for part in parts)
    mail += b"--A--" + end if closed else b""
    folded = fold(mail, shortest=1)
    assert _texts(mail, folded) == _texts(mail)


def test_a_boundary_declared_on_a_line_of_its_own_and_an_empty_one_are_respected():
    folded_field = _mail(BIG, BIG, declared=b'boundary =\r\n\t "XX"')
    assert len(fold(folded_field).runs) == 2
    empty = b"Content-Type: multipart/mixed; boundary=\n\n--\nX: y\n\n" + BIG + b"\n--\n\nx\n----\n"
    assert _texts(empty, fold(empty)) == _texts(empty) == [BIG, b"x"]
