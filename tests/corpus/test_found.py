"""What fuzzing found in mails, each as small as it can be; tables and definitions have theirs beside their tests."""

from __future__ import annotations

import io
import zipfile

from mailsync.mail.unpack import UnpackLimits, unpack


def test_a_file_without_a_name_in_a_zip_is_read():
    # The standard library's ZipInfo.is_dir raises IndexError for it.
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"volume\nA00001\n")
    content = packed.getvalue().replace(b"\x00\x00a", b"\x00\x00\x00")
    assert b"a" not in content.partition(b"PK\x01\x02")[2]
    head = b"Content-Type: application/zip; name=lists.zip\nContent-Transfer-Encoding: binary\n\n"
    found = unpack(head + content, UnpackLimits())
    assert [one.content for one in found.attachments] == [b"volume\nA00001\n"]


def test_a_parameter_that_is_continued_and_is_not_at_once_is_a_problem_of_its_part():
    # The standard library's parser raises TypeError where it looks for the boundary.
    head = b'Content-Type: multipart/mixed; boundary=XX; name*=a; name*0=b; name*1="c"\n\n'
    found = unpack(head + b"--XX\nContent-Type: text/csv; name=a.csv\n\nA\n--XX--\n", UnpackLimits())
    assert [problem.text for problem in found.problems] == [
        "it should have parts and has none: its boundary is missing"
    ]
