"""What is not read is a problem that says what to send instead; what looks like it and is a list is read."""

import pytest
from mailparts import CSV, base64_leaf, file, multipart

from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def _compound(name):
    return COMPOUND + "Root Entry".encode("utf-16-le") + bytes(44) + name.encode("utf-16-le") + bytes(40)


@pytest.mark.parametrize(
    ("content", "label", "word", "hint"),
    [
        (b"%PDF-1.7 ...", "text/csv; name=a.csv", "a PDF", "as text or CSV"),
        (b"%!PS-Adobe-3.0", "text/plain; name=a.txt", "PostScript", "as text or CSV"),
        (b"{\\rtf1\\ansi", "text/plain; name=a.txt", "rich text", "as text or CSV"),
        (_compound("__properties_version1.0"), "application/x; name=a.msg", "Outlook message", "forward the mail"),
        (_compound("WordDocument"), "application/msword; name=a.doc", "Word document", "as text or CSV"),
        (_compound("EncryptedPackage"), "application/x; name=a.xlsx", "with a password", "without a password"),
        (COMPOUND, "application/x; name=a", "an old Office file", "as text or CSV"),
        (b"7z\xbc\xaf\x27\x1c..", "application/x; name=a.7z", "7z", "as .zip or .gz"),
        (b"Rar!\x1a\x07\x01\x00", "application/zip; name=a.zip", "RAR", "as .zip or .gz"),
        (b"MSCF\x00\x00", "application/x; name=a.cab", "cabinet", "as .zip or .gz"),
        (b"\x28\xb5\x2f\xfd", "application/x; name=a.zst", "zstd", "as .zip or .gz"),
        (b"LZIP\x01", "application/x; name=a.lz", "lzip", "as .zip or .gz"),
        (b"\x1f\x9d\x90", "application/x; name=a.Z", "compress", "as .zip or .gz"),
        (b"MZ\x90\x00\x03", "text/csv; name=a.csv", "a program", "as text or CSV"),
        (b"\x7fELF\x02", "application/x; name=a", "a program", "as text or CSV"),
        (b"\x00\x00\x00\x20ftypmp42", "video/mp4; name=a.mp4", "a video", "as text or CSV"),
        (b"\x1aE\xdf\xa3", "video/webm; name=a.webm", "a video", "as text or CSV"),
        (b"RIFF\x00\x00\x00\x00AVI ", "video/avi; name=a.avi", "a video", "as text or CSV"),
        (b"OggS\x00", "audio/ogg; name=a.ogg", "a recording", "as text or CSV"),
        (b"ID3\x04", "audio/mpeg; name=a.mp3", "a recording", "as text or CSV"),
        (b"SQLite format 3\x00", "application/x; name=a.db", "a database", "as text or CSV"),
        (b"-----BEGIN PGP MESSAGE-----\n", "application/octet-stream", "encrypted", "without encryption"),
        (b"0\x82\x01", "application/pkcs7-mime; smime-type=enveloped-data", "encrypted", "detached signature"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50_000), 'image/png; name="scan.png"', "a picture", "as text or CSV"),
        (b"\xff\xd8\xff\xe0" + bytes(50_000), 'image/jpeg; name="scan.jpg"', "a picture", "as text or CSV"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_a_problem_that_says_what_to_send(content, label, word, hint):
    found = unpack(multipart(file(CSV), base64_leaf(content, f"Content-Type: {label}")), LIMITS)
    assert [one.path for one in found.attachments] == ["a.csv"]
    (problem,) = found.problems
    assert (word in problem.text, hint in problem.hint) == (True, True), problem


@pytest.mark.parametrize("name", ["Workbook", "Book"])
def test_an_old_workbook_is_an_attachment(name):
    found = unpack(multipart(file(_compound(name), "a.xls")), LIMITS)
    assert ([one.content for one in found.attachments], found.problems) == ([_compound(name)], ())


@pytest.mark.parametrize(
    "content",
    [
        b"BMR,slot\r\n1,2\r\n",
        b"MZ0001,Offsite\r\n",
        b"BZh,slot\r\n",
        b"BZh9,slot\r\n",
        b"ID3,slot\r\n",
        b"RIFF,slot\r\n",
        b"0000ftyp,slot\r\n",
        b"begin,end\r\n",
        b"begin 644\r\n",
        b"PK,slot\r\n",
        b"MSCF,slot\r\n",
    ],
)
def test_a_list_that_begins_like_something_else_is_a_list(content):
    found = unpack(multipart(file(content)), LIMITS)
    assert ([one.content for one in found.attachments], found.problems) == ([content], ())
