"""Outlook's winmail.dat: its files and its text, whole or a problem, whatever the bytes."""

import random
import struct

import pytest
from mailparts import CSV, base64_leaf, leaf, mapi, multipart, tnef, tnef_file, zipped

from mailsync.core.model import Attachment
from mailsync.mail.kinds import Unreadable
from mailsync.mail.tnef import open_tnef
from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
STRING, UNICODE, BINARY, OBJECT = 0x1E, 0x1F, 0x102, 0x0D
BODY, HTML, RTF, CODEPAGE, LONG_NAME, DATA_OBJECT = 0x1000, 0x1013, 0x1009, 0x3FDE, 0x3707, 0x3701
MESSAGE_PROPERTIES, OEM_CODEPAGE, OLD_BODY = (1, 0x00069003), (1, 0x00069007), (1, 0x0002800C)
MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
LONG = mapi((UNICODE, LONG_NAME, "Bänder heute.csv\0".encode("utf-16-le")))


def _unpacked(content, *texts, limits=LIMITS):
    return unpack(
        multipart(*texts, base64_leaf(content, "Content-Type: application/ms-tnef; name=winmail.dat")), limits
    )


def _files(found):
    assert found.problems == ()
    return {one.path: one.content for one in found.attachments}


def test_its_attachments_are_read_under_their_long_names():
    content = tnef(*tnef_file(CSV, properties=LONG), *tnef_file(zipped(("b.csv", CSV)), b"LISTS.ZIP\0"))
    found = _unpacked(content, leaf(b"hello"))
    assert _files(found) == {
        "(body)": b"hello",
        "winmail.dat!/Bänder heute.csv": CSV,
        "winmail.dat!/LISTS.ZIP!/b.csv": CSV,
    }


def test_it_is_known_by_its_content_and_not_by_its_name():
    mail = multipart(base64_leaf(tnef(*tnef_file(CSV)), "Content-Type: application/octet-stream; name=noname"))
    assert _files(unpack(mail, LIMITS)) == {"noname!/A.CSV": CSV}


def test_names_are_read_in_the_code_page_it_names():
    page = (*OEM_CODEPAGE, struct.pack("<II", 1250, 0))
    assert list(_files(_unpacked(tnef(page, *tnef_file(CSV, "płyty.csv\0".encode("cp1250")))))) == [
        "winmail.dat!/płyty.csv"
    ]
    odd = (*OEM_CODEPAGE, struct.pack("<II", 4_000_000_000, 0))
    assert list(_files(_unpacked(tnef(odd, *tnef_file(CSV, b"\xe4.csv\0"))))) == ["winmail.dat!/ä.csv"]


def test_its_text_counts_where_the_mail_has_none():
    for attributes, content, charset in (
        ([(*OLD_BODY, CSV + b"\0")], CSV, "windows-1252"),
        ([(*MESSAGE_PROPERTIES, mapi((STRING, BODY, CSV + b"\0")))], CSV, "windows-1252"),
        (
            [(*MESSAGE_PROPERTIES, mapi((UNICODE, BODY, "Tresör\0".encode("utf-16-le"))))],
            "\ufeffTresör".encode("utf-16-le"),
            "windows-1252",
        ),
    ):
        found = _unpacked(tnef(*attributes))
        assert found.attachments == (
            Attachment("winmail.dat!/(body)", content, "text/plain", charset, depth=0, body=True),
        )
        assert list(_files(_unpacked(tnef(*attributes), leaf(b"hello")))) == ["(body)"]


def test_its_html_is_put_to_its_text():
    properties = mapi((STRING, BODY, b"see below\0"), (BINARY, HTML, b"<table>"), (3, CODEPAGE, 65001))
    (found,) = _unpacked(tnef((*MESSAGE_PROPERTIES, properties))).attachments
    assert (found.content, found.html.content, found.html.charset) == (b"see below", b"<table>", "utf-8")
    assert (found.path, found.html.path) == ("winmail.dat!/(body)", "winmail.dat!/(html)")


def test_a_text_that_is_rich_text_only_is_a_problem_where_there_is_nothing_else():
    rich = (*MESSAGE_PROPERTIES, mapi((BINARY, RTF, b"\x10\0\0\0")))
    (problem,) = _unpacked(tnef(rich)).problems
    assert (problem.text, problem.hint) == (
        "its text is rich text (RTF), which is not read",
        "send it as plain text or HTML",
    )
    found = _unpacked(tnef(rich, *tnef_file(CSV)))
    assert list(_files(found)) == ["winmail.dat!/A.CSV"]
    assert [one.text for one in found.notes] == ["a text in rich text (RTF) was left out"]


def _forwarded(content, name=b"Fwd\0"):
    return tnef(
        (2, 0x00069002, bytes(14)),
        (2, 0x00018010, name),
        (2, 0x00069005, mapi((OBJECT, DATA_OBJECT, MESSAGE + content))),
    )


def test_a_message_within_is_a_forwarded_mail():
    content = tnef(*tnef_file(CSV))
    (found,) = _unpacked(_forwarded(_forwarded(content))).attachments
    assert (found.path, found.depth, found.content) == ("winmail.dat!/Fwd!/Fwd!/A.CSV", 2, CSV)
    for limit in ({"depth": 1}, {"archive_depth": 2}):
        ((name, value),) = limit.items()
        (problem,) = _unpacked(_forwarded(_forwarded(content)), limits=LIMITS._replace(**limit)).problems
        assert f"{name}: {value}" in problem.text


@pytest.mark.parametrize("properties", [mapi((OBJECT, DATA_OBJECT, bytes(16) + b"OLE")), mapi()])
def test_an_object_drawn_into_the_mail_and_a_link_are_problems(properties):
    (problem,) = _unpacked(tnef((2, 0x00069002, bytes(14)), (2, 0x00069005, properties))).problems
    assert (problem.origin.attachment, problem.hint) == ("winmail.dat!/file-1", "attach it as a file")


def test_properties_of_every_type_are_stepped_over():
    named = struct.pack("<HH16sII", 3, 0x8001, bytes(16), 0, 7) + bytes(4)
    called = (
        struct.pack("<HH16sII", STRING, 0x8002, bytes(16), 1, 6)
        + b"n\0a\0\0\0\0\0"
        + struct.pack("<II", 1, 2)
        + b"x\0\0\0"
    )
    many = struct.pack("<HHI", 0x1003, 0x1234, 3) + bytes(12)
    strings = (
        struct.pack("<HHI", 0x101E, 0x1235, 2) + struct.pack("<I", 3) + b"ab\0\0" + struct.pack("<I", 1) + bytes(4)
    )
    fixed = b"".join(
        struct.pack("<HH", kind, 0x2000) + bytes(size)
        for kind, size in ((2, 4), (4, 4), (5, 8), (0x0B, 4), (0x14, 8), (0x40, 8), (0x48, 16))
    )
    known = mapi((UNICODE, LONG_NAME, "a.csv\0".encode("utf-16-le")))[4:]
    properties = struct.pack("<I", 12) + named + called + many + strings + fixed + known
    assert list(_files(_unpacked(tnef(*tnef_file(CSV, properties=properties))))) == ["winmail.dat!/a.csv"]


GOOD = tnef(
    (*OEM_CODEPAGE, struct.pack("<II", 1252, 0)),
    (*MESSAGE_PROPERTIES, mapi((STRING, BODY, b"hello\0"))),
    *tnef_file(CSV * 20, properties=LONG),
)


def test_it_is_whole_or_a_problem_wherever_it_is_cut():
    for cut in range(6, len(GOOD)):
        found = _unpacked(GOOD[:cut])
        # Between two attributes nothing says that more follow; but an attachment has its content or is a problem.
        assert all(one.content in (CSV * 20, b"hello") for one in found.attachments), cut
        assert found.attachments or found.problems or found.notes, cut


def test_a_damaged_byte_is_found_by_its_checksum():
    at = GOOD.index(CSV)
    (problem,) = _unpacked(GOOD[:at] + b"X" + GOOD[at + 1 :]).problems
    assert problem.text == "Outlook's winmail.dat is damaged or cut off"


def test_random_damage_never_changes_a_list():
    rng = random.Random(3)
    for _ in range(1_500):
        damaged = bytearray(GOOD)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(6, len(GOOD))] = rng.randrange(256)
        found = _unpacked(bytes(damaged))
        assert all(one.content in (CSV * 20, b"hello") for one in found.attachments)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        tnef(*[(1, 0x00068008, b"")] * 100_000),
        tnef((*MESSAGE_PROPERTIES, struct.pack("<I", 2**32 - 1) + bytes(400_000))),
        tnef((*MESSAGE_PROPERTIES, struct.pack("<IHHI", 1, 0x1003, 0x1234, 2**32 - 1) + bytes(400_000))),
        tnef((*MESSAGE_PROPERTIES, struct.pack("<IHHI", 1, STRING, 0x1234, 2**32 - 1) + bytes(400_000))),
        tnef((*MESSAGE_PROPERTIES, struct.pack("<IHH16sII", 1, 3, 0x8001, bytes(16), 1, 2**32 - 1))),
        tnef((*MESSAGE_PROPERTIES, b"\1")),
        tnef((2, 0x00018010, b"a.csv\0")),
        tnef() + struct.pack("<BII", 1, 0x00068008, 2**32 - 1),
        tnef((9, 0x00068008, b"")),
    ],
    ids=range(9),
)
def test_one_made_to_be_slow_or_large_is_refused(content):
    found = _unpacked(content)
    assert found.attachments == ()
    assert [one.text for one in found.problems] == ["Outlook's winmail.dat is damaged or cut off"]


def test_messages_within_each_other_a_thousand_times_end_at_the_limit():
    content = tnef(*tnef_file(CSV))
    for _ in range(1_000):
        content = _forwarded(content)
    (problem,) = _unpacked(content).problems
    assert "archive_depth: 3" in problem.text


def test_more_files_than_a_mail_may_have_are_a_problem():
    (problem,) = _unpacked(tnef(*[one for _ in range(300) for one in tnef_file(CSV)])).problems
    assert "archive_members: 200" in problem.text


def test_one_without_files_and_text_is_noted():
    found = _unpacked(tnef((1, 0x00078008, b"IPM.Note\0")), leaf(b"hello"))
    assert (list(_files(found)), [one.text for one in found.notes]) == (["(body)"], ["there is no file in it"])


def test_properties_and_their_values_are_counted():
    empty = struct.pack("<HH", 1, 0x1234)
    values = struct.pack("<IHHI", 1, 0x101E, 0x1234, 30_000) + bytes(4) * 30_000
    assert not isinstance(open_tnef(tnef((1, 0x00069003, struct.pack("<I", 9) + empty * 9))), Unreadable)
    for attributes in (
        [(1, 0x00069003, struct.pack("<I", 30_000) + empty * 30_000)],
        [(1, 0x00069003, struct.pack("<I", 100) + empty * 100)] * 300,
        [(1, 0x00069003, values)],
    ):
        assert isinstance(open_tnef(tnef(*attributes)), Unreadable)
