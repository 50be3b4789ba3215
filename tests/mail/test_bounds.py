"""Every bound has a bomb: a mail made to go beyond it, refused by its name, soon and in little memory."""

import bz2
import gzip
import lzma
import tracemalloc

import pytest
from mailparts import CSV, base64_leaf, file, forward, leaf, multipart, tarred, uuencoded, zipped

from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
_FORWARDED = b"Content-Type: message/rfc822\n\n"


def _archives(levels):
    content = CSV
    for _ in range(levels):
        content = zipped(("a", content))
    return content


def _nested(levels):
    heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (one, one) for one in range(levels))
    return heads + b"\nx\n" + b"".join(b"--b%d--\n" % one for one in reversed(range(levels)))


def _large_dictionary():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 100 << 20, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}]
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    return packer.compress(CSV) + packer.flush()


# For each bound, mails far beyond it: (name in the problem, the mail, limits that keep the others out of the way).
BOMBS = {
    "parts": [
        multipart(*[file(CSV)] * 5_000),
        multipart(*[base64_leaf(multipart(*[leaf(b"x")] * 9), _FORWARDED[:-2].decode())] * 50),
    ],
    "part_fields": [multipart(leaf(CSV, *["X: y"] * 20_000))],
    "nesting": [_nested(3_000), _FORWARDED * 3_000],
    "depth": [_FORWARDED * 15 + b"Subject: x\n\n" + CSV],
    "mail_lines": [b"A: b\n" + b"x\n" * 1_500_000, b"A: b\n" + b"\r" * 1_500_000],
    "mail_unpacked": [multipart(*[file(zipped(("a.csv", bytes(900_000)))) for _ in range(5)])],
    "archive_ratio": [
        multipart(file(pack(bytes(20_000_000))))
        for pack in (gzip.compress, bz2.compress, lambda one: zipped(("a", one)))
    ],
    "archive_members": [
        multipart(file(zipped(*((f"{number}", b"") for number in range(5_000))))),
        multipart(file(tarred(*((f"{number}", b"") for number in range(5_000))))),
        multipart(file(b"PK\x03\x04" + b"PK\x01\x02" * 500_000)),
        b"A: b\n\n" + uuencoded(CSV) * 5_000,
    ],
    "archive_depth": [multipart(file(_archives(50)))],
    "archive_memory": [multipart(file(_large_dictionary()))],
}
ROOM = {"mail_unpacked": {"mail_unpacked": 3_000_000}}


def test_every_bound_has_a_bomb():
    assert set(BOMBS) == set(UnpackLimits._fields)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "mail"), [(name, mail) for name, mails in BOMBS.items() for mail in mails])
def test_a_bomb_is_refused_by_the_name_of_its_bound_and_costs_little(name, mail):
    limits = LIMITS._replace(**ROOM.get(name, {}))
    tracemalloc.start()
    try:
        found = unpack(mail, limits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    named = f"{name}: {getattr(limits, name)}" if name != "mail_unpacked" else name
    assert any(named in one.text and one.hint for one in found.problems), found.problems[:3]
    assert peak < 10_000_000 + 12 * len(mail)


@pytest.mark.parametrize(
    ("limit", "mail"),
    [
        ({"parts": 3}, multipart(*[file(CSV)] * 3)),
        ({"part_fields": 5}, multipart(leaf(CSV, *["X: y"] * 4))),
        ({"nesting": 4}, _nested(5)),
        ({"mail_lines": 10}, b"A: b\n" + b"x\n" * 10),
        ({"mail_unpacked": len(CSV) - 1}, multipart(file(CSV))),
        ({"archive_ratio": 1}, multipart(file(gzip.compress(bytes(1_048_577))))),
        ({"archive_members": 2}, multipart(file(zipped(*((f"{number}", CSV) for number in range(3)))))),
        ({"archive_depth": 1}, multipart(file(zipped(("a.zip", zipped(("b.csv", CSV))))))),
        ({"archive_memory": 3_000_000}, multipart(file(lzma.compress(CSV, preset=3)))),
        ({"depth": 0}, multipart(forward(b"Subject: x\n\n" + CSV))),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bound_is_exact_and_raising_it_lets_the_mail_through(limit, mail):
    ((name, value),) = limit.items()
    (problem,) = unpack(mail, LIMITS._replace(**limit)).problems
    assert f"{name}: {value}" in problem.text
    assert unpack(mail, LIMITS).problems == () or name == "archive_ratio"
    assert unpack(mail, LIMITS._replace(**{name: value * 2 + 3_000})).problems == ()


@pytest.mark.parametrize(
    ("name", "mail"),
    [
        ("header_bytes", b"Subject: " + b"x" * 5_000_000),
        ("header_fields", b"X: y\n" * 50_000),
        ("header_bytes", b"X:\n" * 200_000),
    ],
    ids=range(3),
)
def test_the_header_has_bounds_of_its_own(name, mail):
    wide = HeaderLimits()._replace(**({"header_fields": 10**9} if name == "header_bytes" else {}))
    fault = scan_headers(mail, wide).fault
    assert f"{name}: {getattr(HeaderLimits(), name)}" in fault
