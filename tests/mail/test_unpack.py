"""Attachments by content, whole or a problem, by the same names each time; the traps measured in mail-parser 4.8."""

import base64
import gzip
import quopri
import random
import tracemalloc
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from mailparts import CSV, base64_leaf, file, forward, leaf, multipart, tarred, zipped

from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
SAMPLES = Path(__file__).resolve().parents[1] / "definition" / "samples"


def _paths(mail, limits=LIMITS):
    return [one.path for one in unpack(mail, limits).attachments]


def _contents(mail):
    return {one.path: one.content for one in unpack(mail, LIMITS).attachments}


def _problem(mail, limits=LIMITS):
    (problem,) = unpack(mail, limits).problems
    return problem


@pytest.mark.parametrize(
    "part",
    [
        base64_leaf(CSV),
        leaf(quopri.encodestring(CSV).replace(b"\r\n", b"=0D=0A=\n"), encoding="quoted-printable"),
        leaf(CSV),
        leaf(CSV, encoding="7bit"),
        leaf(CSV, encoding="8BIT "),
        leaf(CSV, encoding="binary"),
    ],
)
def test_each_transfer_encoding_gives_the_bytes_that_were_sent(part):
    mail = multipart(b"Content-Type: text/csv; name=a.csv\n" + part)
    (found,) = unpack(mail, LIMITS).attachments
    assert (found.path, found.content, found.content_type, found.depth, found.body) == (
        "a.csv",
        CSV,
        "text/csv",
        0,
        False,
    )


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "latin-1", "cp437"])
def test_charsets_are_left_to_the_tables_byte_for_byte(charset):
    content = "volume,repository\r\n000001L4,Tresör\r\n".encode(charset)
    for part in (base64_leaf(content), leaf(content, encoding="8bit")):
        if charset == "utf-16" and b"base64" not in part:
            continue  # UTF-16 has line ends of its own and travels encoded
        (found,) = unpack(
            multipart(b'Content-Type: text/plain; charset="Mine"; name=a.csv\n' + part), LIMITS
        ).attachments
        assert (found.content, found.charset) == (content, "mine")


def test_the_text_body_is_an_extract_of_its_own():
    (found,) = unpack(b"From: a@example.com\nSubject: x\n\n" + CSV, LIMITS).attachments
    assert (found.path, found.content, found.body, found.content_type) == ("(body)", CSV, True, "text/plain")


def test_text_around_an_attachment_and_an_empty_body_are_told_apart():
    parts = (leaf(b"hello"), file(CSV), leaf(b" \r\n", "Content-Type: text/plain"), leaf(b"bye"))
    assert _paths(multipart(*parts)) == ["(body)", "a.csv", "(body) (3)"]
    assert [one.content for one in unpack(multipart(*parts), LIMITS).attachments if one.body] == [b"hello", b"bye"]


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.sample.*")), ids=lambda path: path.name)
def test_every_kind_of_report_comes_through_a_mail_whole(sample):
    found = unpack(multipart(leaf(b"hello"), file(sample.read_bytes(), sample.name)), LIMITS)
    assert [(one.path, one.content) for one in found.attachments[1:]] == [(sample.name, sample.read_bytes())]
    assert (found.problems, found.notes) == ((), ())


def test_an_archive_that_claims_to_be_a_workbook_is_bounded_like_any_other():
    many = zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b""), *((f"{n}", b"") for n in range(300)))
    assert "archive_members" in _problem(multipart(file(many, "a.xlsx"))).text


# The traps of mail-parser 4.8, one by one.


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (leaf(CSV, "Content-Type: text/csv"), "part-2.csv"),
        (base64_leaf(gzip.compress(CSV, mtime=0), "Content-Type: application/octet-stream"), "part-2!/part-2"),
        (base64_leaf(gzip.compress(CSV, mtime=0), "Content-Type: application/gzip"), "part-2.gz!/part-2"),
        (base64_leaf(CSV, "Content-Type: application/octet-stream", "Content-Disposition: attachment"), "part-2"),
    ],
)
def test_a_part_without_name_and_disposition_is_found_and_called_the_same_each_time(part, path):
    mail = multipart(leaf(b"hello"), part)
    assert _contents(mail) == {"(body)": b"hello", path: CSV}
    assert unpack(mail, LIMITS) == unpack(mail, LIMITS)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6])
def test_truncated_base64_is_a_problem_and_nothing_of_it_is_read(cut):
    text = base64.b64encode(CSV)[: -4 - cut]
    mail = multipart(leaf(text, "Content-Type: text/csv; name=a.csv", encoding="base64"))
    if len(text) % 4:
        assert _problem(mail).text == "its base64 is cut off"
        assert _paths(mail) == []


@pytest.mark.parametrize("junk", [b"!", b"\x00", b"_______\nThe list's footer\n", b"\xe4", b"AAAA"])
def test_junk_in_or_after_base64_is_a_problem(junk):
    mail = multipart(leaf(base64.b64encode(b"12345") + junk, "Content-Type: text/csv; name=a.csv", encoding="base64"))
    assert _problem(mail).text.startswith("its base64 is")
    assert _paths(mail) == []


def test_a_mail_that_ends_within_an_attachment_is_a_problem_of_that_attachment_only():
    mail = multipart(file(CSV, "first.csv"), file(CSV * 100, "second.csv"))
    cut = mail[: len(mail) - 2_000]
    cut = cut[: cut.rfind(b"\n") + 1]  # a whole number of base64 groups: only the missing boundary tells
    assert _paths(cut) == ["first.csv"]
    problem = _problem(cut)
    assert (problem.origin.attachment, problem.hint) == ("second.csv", "send it again")
    assert "cut off" in problem.text


def test_the_last_part_of_an_inner_multipart_without_an_end_is_a_problem():
    inner = b"Content-Type: multipart/mixed; boundary=YY\n\n--YY\nContent-Type: text/csv; name=a.csv\n\n" + CSV
    mail = multipart(inner, file(CSV, "whole.csv"))
    assert _paths(mail) == ["whole.csv"]
    assert _problem(mail).origin.attachment == "a.csv"


@pytest.mark.parametrize("encode", [lambda cut: cut, base64.encodebytes])
def test_a_mail_that_was_cut_off_and_then_forwarded_is_a_problem(encode):
    whole = multipart(file(CSV, "first.csv"), leaf(CSV * 9, "Content-Type: text/csv; name=second.csv"), boundary="YY")
    cut = whole[: whole.rindex(b"000001L4")]
    encoding = () if encode(cut) == cut else ("Content-Transfer-Encoding: base64",)
    mail = multipart(forward(encode(cut), *encoding), file(CSV, "last.csv"))
    assert _paths(mail) == ["part-1!/first.csv", "last.csv"]
    assert _problem(mail).origin.attachment == "part-1!/second.csv"


def test_a_second_archive_behind_a_tar_archive_is_not_dropped_without_a_word():
    one, other = tarred(("a.csv", CSV)), tarred(("b.csv", CSV))
    for content in (one + other, one[:1024] + bytes(512) + other):
        assert _paths(multipart(file(content, "x.tar"))) == []
        assert _problem(multipart(file(content, "x.tar"))).text == "the archive is damaged or cut off"
    assert _paths(multipart(file(one + bytes(9), "x.tar"))) == ["x.tar!/a.csv"]


def test_files_of_a_zip_that_its_directory_does_not_name_are_not_dropped_without_a_word():
    one, other = zipped(("a.csv", CSV)), zipped(("b.csv", CSV))
    book = zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b""))
    for content in (one + other, one + other[:-22], one + other[: other.index(b"PK\x01\x02")], one + book):
        assert _paths(multipart(file(content, "x.zip"))) == []
        assert _problem(multipart(file(content, "x.zip"))).text == "the archive is damaged or cut off"
    assert _paths(multipart(file(one + b"\r\n", "x.zip"))) == ["x.zip!/a.csv"]


def test_a_workbook_whose_files_are_compressed_as_none_is_is_refused_before_they_are_opened():
    sheets = zipped(("mimetype", b"opendocument.spreadsheet" * 9), ("content.xml", b""), method=zipfile.ZIP_LZMA)
    book = zipped(("[Content_Types].xml", b"x" * 99), ("xl/workbook.xml", b""), method=zipfile.ZIP_BZIP2)
    for content in (sheets, sheets.replace(b"spreadsheet", b"\0" * 11), book):
        assert _paths(multipart(file(content, "a.ods"))) == []
        assert _problem(multipart(file(content, "a.ods"))).text == "its compression method is not read"


def test_a_token_in_a_name_is_hidden():
    name = f"reports+nightly.{'a2' * 16}@example.com.csv"
    assert _paths(multipart(file(CSV, name), file(zipped((name, CSV)), "x.zip"))) == [
        "reports+...@example.com.csv",
        "x.zip!/reports+...@example.com.csv",
    ]


def test_repeated_and_absent_fields_do_not_matter():
    part = leaf(CSV, "Content-Type: text/csv; name=a.csv", "Content-Type: application/pdf", "Content-Disposition:")
    assert _paths(multipart(part)) == ["a.csv"]


def test_attachments_of_forwarded_mails_know_their_depth():
    once = multipart(leaf(b"see below"), forward(multipart(file(CSV)).replace(b"XX", b"YY")))
    twice = multipart(forward(once.replace(b"XX", b"ZZ"), 'Content-Disposition: attachment; filename="Fwd.eml"'))
    assert [(one.path, one.depth) for one in unpack(once, LIMITS).attachments] == [("(body)", 0), ("part-2!/a.csv", 1)]
    assert [(one.path, one.depth) for one in unpack(twice, LIMITS).attachments] == [
        ("Fwd.eml!/(body)", 1),
        ("Fwd.eml!/part-3!/a.csv", 2),
    ]
    assert "depth: 1" in _problem(twice, LIMITS._replace(depth=1)).text


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("Content-Disposition: attachment; filename*=utf-8''B%C3%A4nder.csv", "Bänder.csv"),
        ("Content-Disposition: attachment; filename*0=ban; filename*1=der.csv", "bander.csv"),
        ("Content-Disposition: attachment; filename*0*=utf-8''B%C3%A4n; filename*1=der.csv", "Bänder.csv"),
        ('Content-Disposition: attachment; filename="=?utf-8?q?B=C3=A4nder=2Ecsv?="', "Bänder.csv"),
        ('Content-Disposition: attachment; filename="Bänder.csv"', "Bänder.csv"),
        ("Content-Type: text/csv;\n name=folded.csv", "folded.csv"),
        ('Content-Type: text/csv; name="../../etc/passwd"', "passwd"),
        ('Content-Type: text/csv; name="C:\\\\out\\\\a.csv"', "a.csv"),
        ('Content-Type: text/csv; name=".."', "part-1.csv"),
        ('Content-Type: text/csv; name="/"', "part-1.csv"),
        ("Content-Type: text/csv; name*=utf-8''a%0D%0ABcc%3A%20x.csv", "a Bcc: x.csv"),
        ("Content-Type: text/csv; name*=utf-8''a%E2%80%AEvsc.csv", "a vsc.csv"),
        ("Content-Type: text/csv; name*=undefined''a.csv", "part-1.csv"),
        ("Content-Type: text/csv; name=" + "n" * 300 + ".csv", "n" * 80 + "~" + "n" * 35 + ".csv"),
    ],
)
def test_names_are_decoded_and_made_fit_to_be_shown(fields, path):
    assert _paths(multipart(leaf(CSV, *[fields]))) == [path]


def test_the_same_name_twice_is_told_apart():
    assert _paths(multipart(file(CSV), file(CSV), file(CSV, "b"), file(CSV, "b"))) == [
        "a.csv",
        "a (2).csv",
        "b",
        "b (2)",
    ]


def test_an_unknown_transfer_encoding_is_taken_as_it_is_and_noted():
    found = unpack(multipart(leaf(CSV, "Content-Type: text/csv; name=a.csv", encoding="utf-8")), LIMITS)
    assert [one.content for one in found.attachments] == [CSV]
    assert [note.text for note in found.notes] == ['the transfer encoding "utf-8" is unknown; taken as it is']


def test_a_multipart_without_boundary_is_a_problem():
    assert "boundary is missing" in _problem(b"Content-Type: multipart/mixed\n\n--XX\n\nx\n--XX--\n").text


# Archives.


def test_gzip_and_zip_are_told_by_content_and_their_files_have_paths():
    mail = multipart(
        file(gzip.compress(CSV, mtime=0), "a.csv.gz"),
        file(gzip.compress(CSV, mtime=0) + gzip.compress(CSV) + bytes(64), "mislabelled.csv"),
        file(zipped(("b.csv", CSV), ("dir/b.csv", CSV), ("dir/", b"")), "lists.zip"),
        file(zipped(("inner.zip", zipped(("c.csv", CSV)))), "outer.bin"),
    )
    assert _contents(mail) == {
        "a.csv.gz!/a.csv": CSV,
        "mislabelled.csv!/mislabelled.csv": CSV * 2,
        "lists.zip!/b.csv": CSV,
        "lists.zip!/b (2).csv": CSV,
        "outer.bin!/inner.zip!/c.csv": CSV,
    }


def _encrypted_zip():
    data = bytearray(zipped(("a.csv", CSV)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def _damaged(data):
    middle = data.index(b"a.csv") + 8
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("content", "text", "hint"),
    [
        (_encrypted_zip(), "it is encrypted", "send it without a password"),
        (_damaged(zipped(("a.csv", CSV * 50))), "it is damaged or cut off", "send it again"),
        (zipped(("a.csv", CSV * 50))[:-30], "the archive is damaged or cut off", "send it again"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), "its compression method is not read", "ordinary zip"),
        (zipped(("[Content_Types].xml", b""), ("word/document.xml", b"")), "it is an Office file", "as CSV"),
        (zipped(("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"")), "it is an Off", "CSV"),
        (gzip.compress(CSV * 50, mtime=0)[:-10], "the gzip file is cut off", "send it again"),
        (gzip.compress(CSV, mtime=0)[:-6] + b"abcdef", "the gzip file is damaged", "send it again"),
        (gzip.compress(CSV, mtime=0) + b"\x00x", "the gzip file is damaged", "send it again"),
        (gzip.compress(CSV, mtime=0) + b"junk", "the gzip file is damaged", "send it again"),
    ],
)
def test_an_archive_is_read_whole_or_is_a_problem(content, text, hint):
    mail = multipart(file(content, "a.bin"))
    problem = _problem(mail)
    assert (problem.text.startswith(text), hint in problem.hint) == (True, True), problem
    assert _paths(mail) == []


def test_one_bad_file_of_an_archive_does_not_hide_the_good_one():
    data = zipped(("a.csv", CSV * 50), ("b.csv", CSV))
    mail = multipart(file(_damaged(data), "a.zip"))
    assert _paths(mail) == ["a.zip!/b.csv"]
    assert _problem(mail).origin.attachment == "a.zip!/a.csv"


# Limits: each with a mail that would pass it.


@pytest.mark.parametrize(
    "content",
    [gzip.compress(bytes(50_000_000)), zipped(("bomb.csv", bytes(50_000_000)))],
    ids=["gzip", "zip"],
)
def test_a_bomb_stops_at_its_ratio_and_costs_no_more_memory(content):
    mail = multipart(file(content, "bomb.gz"))
    tracemalloc.start()
    try:
        problem = _problem(mail)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problem.text == "it unfolds to more than archive_ratio: 200 times its size"
    assert peak < 25_000_000


def test_a_zip_that_lies_about_sizes_and_shares_data_stops_at_what_the_mail_may_unfold_to():
    mail = multipart(*(file(zipped(*((f"{number}.csv", bytes(900_000)) for number in range(5)))) for _ in range(2)))
    found = unpack(mail, LIMITS._replace(mail_unpacked=5_000_000))
    assert sum(len(one.content) for one in found.attachments) <= 5_000_000
    assert {problem.text for problem in found.problems} == {
        "the mail unfolds to more bytes than mail_unpacked allows",
    }


@pytest.mark.parametrize("sizes", [(1_000_000, 2), (262_144, 524_288), (300_000, 1, 600_000), (2, 999_999)])
def test_gzip_streams_after_each_other_are_one_file_whatever_their_sizes(sizes):
    streams = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    packed = b"".join(gzip.compress(stream, mtime=0) for stream in streams)
    for padding in (b"", bytes(512)):
        assert _contents(multipart(file(packed + padding, "a.gz"))) == {"a.gz!/a": b"".join(streams)}


def test_the_ratio_is_of_what_the_archive_has_and_not_of_what_its_directory_claims():
    noise = random.Random(1).randbytes(500_000)
    data = bytearray(zipped(("bomb.csv", bytes(50_000_000)), ("noise.csv", noise)))
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = (450_000).to_bytes(4, "little")
    problem = _problem(multipart(file(bytes(data), "bomb.zip")))
    assert problem.origin.attachment == "bomb.zip!/bomb.csv"
    # Some versions of zipfile compare the claim with the room themselves.
    assert problem.text in (
        "it unfolds to more than archive_ratio: 200 times its size",
        "it is damaged or cut off",
    )


def test_archives_within_archives_share_one_budget_of_members():
    inner = zipped(*((f"{number}.csv", b"") for number in range(150)))
    outer = zipped(*((f"{number}.zip", inner) for number in range(150)))
    found = unpack(multipart(file(outer), file(outer)), LIMITS)
    assert len(found.attachments) == 0
    assert {problem.text for problem in found.problems[:100]} == {
        "the mail's archives have more files than archive_members: 200"
    }
    folders = multipart(*[file(zipped(*((f"{number}/", b"") for number in range(150))), "a.zip")] * 2)
    assert "archive_members: 200" in _problem(folders).text
    singles = multipart(*[file(gzip.compress(CSV, mtime=0), "a.gz")] * 3)
    assert len(_paths(singles, LIMITS._replace(archive_members=2))) == 2


def test_problems_and_notes_of_a_mail_are_listed_up_to_a_bound_and_then_counted():
    broken = leaf(b"%PDF-1.7", "Content-Type: application/pdf; name=a.pdf", "Content-Transfer-Encoding: strange")
    found = unpack(multipart(*[broken] * 150), LIMITS)
    for listed in (found.problems, found.notes):
        assert len(listed) == 101
        assert str(listed[-1]).startswith("and 50 more attachments ")
        assert all(one.origin.attachment for one in listed[:-1])


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("before", [1, 40, 120, 240])
def test_a_long_header_is_the_same_header_to_the_parser(before, end):
    padding = b"".join(b"X-Pad-%d: %s\n" % (number, b"a" * 900) for number in range(before))
    structure = b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="XX"\n\n'
    inner = b"--XX\n" + padding + b"Content-Type: text/csv; name=a.csv\n\n" + CSV.replace(b"\r", b"")
    mail = (b"From: a@example.com\n" + padding + structure + inner + b"\n--XX--\n").replace(b"\n", end)
    assert _paths(mail) == ["a.csv"]
    single = b"From: a@example.com\n" + padding + b"Content-Type: text/csv; name=a.csv\n\n" + CSV * 5_000
    assert _contents(single) == {"a.csv": CSV * 5_000}


@pytest.mark.parametrize("announced", [b"Content-Type: Message/RFC822\n", b""])
def test_a_forwarded_mail_with_a_long_header_is_read_under_all_of_it(announced):
    padding = b"".join(b"X-Pad-%d: %s\n" % (number, b"a" * 900) for number in range(120))
    inner = b"Subject: x\n" + padding + b"Content-Type: text/csv; name=a.csv\n\n" + CSV * 5_000
    kind = "mixed" if announced else "digest"
    assert _contents(multipart(announced + b"\n" + inner, kind=kind)) == {"part-1!/a.csv": CSV * 5_000}


def test_no_field_of_a_long_header_escapes_the_limit_on_fields():
    padding = b"".join(b"X-Pad-%d: %s\n" % (number, b"a" * 900) for number in range(5_001))
    mail = multipart(padding + b"Content-Type: text/csv; name=a.csv\n\n" + CSV)
    assert "part_fields: 5000" in _problem(mail).text


def test_decoded_attachments_count_towards_what_the_mail_may_unfold_to():
    mail = multipart(file(CSV * 10, "1.csv"), file(CSV * 10, "2.csv"))
    limits = LIMITS._replace(mail_unpacked=len(CSV) * 15)
    assert _paths(mail, limits) == ["1.csv"]
    assert "mail_unpacked" in _problem(mail, limits).text


def _nested(levels):
    heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (one, one) for one in range(levels))
    return heads + b"\nx\n" + b"".join(b"--b%d--\n" % one for one in reversed(range(levels)))


def test_deep_nesting_is_refused_before_it_costs_anything():
    assert _paths(_nested(20)) == ["(body)"]
    assert "nesting: 20" in _problem(_nested(21)).text
    assert "nesting: 20" in _problem(_nested(5_000)).text
    assert "nesting: 20" in _problem(b"Content-Type: message/rfc822\n\n" * 5_000).text


def test_a_structure_field_that_is_slow_to_read_is_refused():
    assert "content-type field" in _problem(b'Content-Type: text/plain; a="' + b";" * 100_000 + b"\n\nx").text.lower()


# Kinds.


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50_000), "Content-Type: image/png\nContent-ID: <logo>"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50_000), "Content-Type: image/png; name=logo.png\nContent-Disposition: inline"),
        (b"GIF89a" + bytes(100), "Content-Type: image/gif; name=dot.gif"),
        (b"-----BEGIN PGP SIGNATURE-----", "Content-Type: application/pgp-signature; name=s.asc"),
        (b"BEGIN:VCALENDAR", "Content-Type: text/calendar"),
        (b"\x00\x05\x16\x07\x00\x02", "Content-Type: application/x; name=._a.csv"),
    ],
)
def test_logos_signatures_and_litter_are_left_out_with_a_note(content, fields):
    found = unpack(multipart(file(CSV), base64_leaf(content, fields)), LIMITS)
    assert ([one.path for one in found.attachments], found.problems) == (["a.csv"], ())
    assert len(found.notes) == 1
    assert found.notes[0].text.endswith("was left out")


def test_a_list_that_begins_like_a_bitmap_is_a_list():
    assert _paths(multipart(file(b"BMR,slot\r\n1,2\r\n"))) == ["a.csv"]


def test_a_mail_as_programs_write_it_is_read():
    message = EmailMessage()
    message["From"], message["Subject"] = "backup@example.com", "Bänder"
    message.set_content("Siehe Anhang\n")
    message.add_alternative("<p>Siehe Anhang</p>", subtype="html")
    message.add_attachment(CSV, maintype="text", subtype="csv", filename="Bänder heute.csv")
    for mail in (bytes(message), b"From backup@example.com Mon\n>From root Mon\n" + bytes(message)):
        assert _contents(mail) == {"(body)": b"Siehe Anhang\n", "Bänder heute.csv": CSV}


def test_a_big_attachment_costs_little_more_than_itself():
    content = CSV * 200_000
    mail = multipart(file(content))
    tracemalloc.start()
    try:
        (found,) = unpack(mail, LIMITS).attachments
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.content == content
    assert peak < 5 * len(mail)
