"""Files pasted into a text: each whole or a problem, and the words around them stay words."""

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailparts import CSV, file, leaf, multipart, uuencoded

from mailsync.mail import uuencoded as uuencoded_module
from mailsync.mail.unpack import UnpackLimits, unpack
from mailsync.mail.uuencoded import take_pasted

LIMITS = UnpackLimits()
LIST = CSV * 9


def _mail(text, fields="Content-Type: text/plain", encoding="7bit"):
    return f"From: a@example.com\n{fields}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + text


def _found(mail, limits=LIMITS):
    found = unpack(mail, limits)
    return [(one.path, one.content, one.body) for one in found.attachments], [str(one) for one in found.problems]


@given(st.binary(max_size=400), st.booleans(), st.booleans(), st.sampled_from([b"\n", b"\r\n"]))
@settings(max_examples=300, deadline=None)
def test_what_uuencode_writes_is_read_and_the_words_around_it_stay(content, grave, stripped, end):
    text = uuencoded(content, grave=grave)
    if stripped and not grave:
        text = b"\n".join(line.rstrip() for line in text.split(b"\n"))
    pasted = take_pasted((b"hello\n" + text + b"bye\n").replace(b"\n", end), 9)
    assert pasted.text == b"hello\nbye\n".replace(b"\n", end)
    assert [(one.name, one.content) for one in pasted.files] == [("a.csv", content)]


@pytest.mark.parametrize("closing", [b"`\nend\n", b" \nend\n", b"\nend\n", b"end\n", b"end", b"`\nend \r\n"])
def test_every_way_to_end_a_file_is_known(closing):
    text = uuencoded(LIST).removesuffix(b"`\nend\n") + closing
    assert _found(_mail(text)) == ([("a.csv", LIST, False)], [])


def test_a_checksum_behind_each_line_does_not_matter():
    lines = uuencoded(LIST).split(b"\n")
    text = b"\n".join([lines[0], *(line + b"!" for line in lines[1:-3]), *lines[-3:]])
    assert _found(_mail(text)) == ([("a.csv", LIST, False)], [])


def test_several_files_in_one_body_are_found_among_its_words():
    text = b"Hello\n" + uuencoded(LIST, "a.csv") + b"and\n" + uuencoded(CSV, "b.csv", grave=False) + b"Bye\n"
    assert _found(_mail(text)) == (
        [("(body)", b"Hello\nand\nBye\n", True), ("a.csv", LIST, False), ("b.csv", CSV, False)],
        [],
    )


def test_a_file_in_base64_is_read_too():
    text = b"begin-base64 644 a.csv\n" + base64.encodebytes(LIST) + b"====\n"
    assert _found(_mail(b"Hello\n" + text + b"Bye\n")) == (
        [("(body)", b"Hello\nBye\n", True), ("a.csv", LIST, False)],
        [],
    )
    assert "damaged" in _found(_mail(text.replace(b"\n====", b"A\n====")))[1][0]
    assert "cut off" in _found(_mail(text.replace(b"====\n", b"")))[1][0]


@pytest.mark.parametrize(
    "text",
    [
        quopri.encodestring(b"Hello\n" + uuencoded(LIST)),
        base64.encodebytes(b"Hello\n" + uuencoded(LIST)),
    ],
)
def test_a_file_pasted_into_an_encoded_body_is_found(text):
    encoding = "quoted-printable" if b"begin" in text else "base64"
    assert _found(_mail(text, encoding=encoding)) == ([("(body)", b"Hello\n", True), ("a.csv", LIST, False)], [])


def test_a_file_pasted_into_a_flowed_body_is_found():
    stuffed = b"".join(
        b" " + line if line.startswith((b">", b" ", b"From ")) else line
        for line in uuencoded(LIST * 3, grave=False).splitlines(keepends=True)
    )
    mail = _mail(b"Hello\n" + stuffed, "Content-Type: text/plain; format=flowed")
    assert _found(mail) == ([("(body)", b"Hello\n", True), ("a.csv", LIST * 3, False)], [])
    assert any(line.startswith((b" >", b"  ")) for line in stuffed.splitlines())


@pytest.mark.parametrize("fields", ["Content-Type: text/plain", "Content-Type: text/plain; name=list.uue"])
def test_a_file_whose_end_is_missing_is_a_problem_and_nothing_of_it_is_read(fields):
    text = uuencoded(LIST)
    for cut in range(text.index(b"\n") + 3, len(text) - 4):
        attachments, (problem,) = _found(_mail(text[:cut], fields))
        assert attachments == []
        assert "the uuencoded file is" in problem


@pytest.mark.parametrize("junk", [b"hello\n", b"\n\n", b"-- \n", b"M~~~~\n", b"M123\n", b"begin\n"])
def test_a_junk_line_is_a_problem_and_nothing_of_the_file_is_read(junk):
    lines = uuencoded(LIST).splitlines(keepends=True)
    text = b"Hello\n" + b"".join((*lines[:3], junk, *lines[3:])) + b"Bye\n"
    attachments, problems = _found(_mail(text))
    assert attachments == [("(body)", b"Hello\nBye\n", True)]
    assert problems == ["a.csv: the uuencoded file is damaged: a line of it is none"]


def test_a_line_that_lost_its_end_is_a_problem_where_nothing_is_written_as_a_blank():
    whole = uuencoded(bytes(3) + LIST)
    line = whole.splitlines()[1]
    assert b"`" in line
    attachments, (problem,) = _found(_mail(whole.replace(line, line[:-3])))
    assert attachments == []
    assert "damaged" in problem


def test_a_damaged_file_does_not_hide_the_next_one():
    cut = uuencoded(LIST, "a.csv")[:100] + b"\n"
    attachments, (problem,) = _found(_mail(cut + uuencoded(CSV, "b.csv")))
    assert attachments == [("b.csv", CSV, False)]
    assert problem == "a.csv: the uuencoded file is cut off: it has no end"


@pytest.mark.parametrize("words", [b"begin 644 people\nwent home\n", b"Please begin 644 a\n", b"begin 644\nend\n"])
def test_words_that_begin_like_a_file_are_words(words):
    assert _found(_mail(words)) == ([("(body)", words, True)], [])


@pytest.mark.parametrize(
    ("name", "path"),
    [("../../etc/passwd", "passwd"), ("C:\\out\\a.csv", "a.csv"), ("a\x07\x1b[2Jb.csv", "a [2Jb.csv"), ("..", "file")],
)
def test_names_are_made_safe(name, path):
    assert _found(_mail(uuencoded(CSV, name))) == ([(path, CSV, False)], [])


def test_a_part_that_says_it_is_uuencoded_is_decoded():
    mail = multipart(leaf(uuencoded(LIST, "x"), "Content-Type: text/csv; name=a.csv", encoding="x-uuencode"))
    assert _found(mail) == ([("a.csv", LIST, False)], [])
    mail = multipart(leaf(b"begin 644 a\nhello", "Content-Type: text/x; name=a.csv", encoding="x-uuencode"))
    assert _found(mail) == ([], ["a.csv: it is uuencoded and has no whole file in it"])
    mail = multipart(leaf(uuencoded(CSV) * 2, "Content-Type: text/x; name=a.csv", encoding="uuencode"))
    assert _found(mail) == ([], ["a.csv: it is uuencoded and has several files in it"])


def test_an_attached_uuencoded_file_is_unpacked():
    assert _found(multipart(file(uuencoded(CSV), "list.uue"))) == ([("list.uue!/a.csv", CSV, False)], [])


def test_more_files_than_a_mail_may_have_are_not_taken():
    attachments, (problem,) = _found(_mail(uuencoded(CSV) * 3), LIMITS._replace(archive_members=2))
    assert [one for one in attachments if not one[2]] == []
    assert "more files than archive_members: 2" in problem


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        b"begin 644 a\n" * 100_000,
        b"begin 644 a\nhello\n" * 60_000 + b"\nendless\n",
        b"begin-base64 644 a\n" * 60_000,
        b"begin 644 a\n`\nend\n" * 60_000,
        b"begin 644 a\n#86)C\n" * 60_000,
        b"begin 644 a\n" + b"#86)C\n" * 500_000,
        b"begin 644 a\n#86)C\nx\n" + b"\n" * 3_000_000,
        b"begin 644 a" + b" " * 3_000_000,
        b"begin " * 500_000,
    ],
    ids=range(9),
)
def test_a_text_made_to_be_slow_is_dealt_with(text):
    assert len(take_pasted(text, 200).files) <= 201


def test_a_line_that_could_begin_a_file_a_thousand_times_is_looked_at_once(monkeypatch):
    looked = []

    class Pattern:
        def match(self, text, position=0):
            looked.append(position)
            return begin.match(text, position)

    begin = uuencoded_module._BEGIN
    monkeypatch.setattr(uuencoded_module, "_BEGIN", Pattern())
    text = b"begin 644 " * 1_000 + b"\n" + b"begin 644 " * 1_000
    assert take_pasted(text, 9) == (text, ())
    assert looked == [0, 10_001]
