"""Compressed files and archives: told by content, whole or a problem, within time and memory."""

import bz2
import gzip
import lzma
import struct
import tarfile
import tracemalloc
import zlib

import pytest
from mailparts import CSV, file, forward, leaf, multipart, tarred, zipped

from mailsync.mail.unpack import UnpackLimits, unpack

LIMITS = UnpackLimits()
PACK = {"gz": lambda data: gzip.compress(data, mtime=0), "bz2": bz2.compress, "xz": lzma.compress}
EACH = pytest.mark.parametrize("ending", PACK)


def _contents(mail, limits=LIMITS):
    found = unpack(mail, limits)
    assert (found.problems, found.notes) == ((), ())
    return {one.path: one.content for one in found.attachments}


def _problem(content, limits=LIMITS):
    found = unpack(multipart(file(content, "a.bin")), limits)
    assert found.attachments == ()
    (problem,) = found.problems
    return problem


@EACH
@pytest.mark.parametrize("name", ["a.csv.{}", "a.csv", "A.CSV.{}", "list.zip"])
def test_content_decides_how_a_file_is_compressed_and_not_its_name(ending, name):
    name = name.format(ending if name.islower() else ending.upper())
    inner = name[: -len(ending) - 1] if name.lower().endswith(ending) else name
    assert _contents(multipart(file(PACK[ending](CSV), name))) == {f"{name}!/{inner}": CSV}


def test_a_gzip_file_called_zip_and_a_zip_file_called_gz_are_read():
    mail = multipart(file(PACK["gz"](CSV), "one.zip"), file(zipped(("a.csv", CSV)), "two.csv.gz"))
    assert _contents(mail) == {"one.zip!/one.zip": CSV, "two.csv.gz!/a.csv": CSV}


@EACH
@pytest.mark.parametrize("sizes", [(1_000_000, 2), (262_144, 524_288), (0, 300_000, 1), (2, 999_999)])
def test_streams_after_each_other_are_one_file_whatever_their_sizes(ending, sizes):
    streams = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    packed = b"".join(map(PACK[ending], streams))
    for padding in (b"", bytes(512)):
        assert _contents(multipart(file(packed + padding, f"a.{ending}"))) == {f"a.{ending}!/a": b"".join(streams)}


@EACH
def test_a_compressed_file_is_whole_or_a_problem_wherever_it_is_cut_or_damaged(ending):
    content = b"".join(b"%06dL4,Offsite\r\n" % number for number in range(300))
    packed = PACK[ending](content)
    for at in range(12, len(packed), 7):
        assert "cut off" in _problem(packed[:at]).text
        damaged = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        found = unpack(multipart(file(damaged, "a.bin")), LIMITS)
        assert [one.content for one in found.attachments] in ([], [content])
        assert len(found.problems) + len(found.attachments) == 1
    for junk in (b"junk", b"\x00x"):
        assert "damaged" in _problem(packed + junk).text or "cut off" in _problem(packed + junk).text


@EACH
@pytest.mark.timeout(60)
def test_a_bomb_stops_at_its_ratio_and_costs_no_more_memory(ending):
    bomb = PACK[ending](bytes(60_000_000))
    tracemalloc.start()
    try:
        problem = _problem(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problem.text == "it unfolds to more than archive_ratio: 200 times its size"
    assert peak < 25_000_000


@EACH
@pytest.mark.timeout(60)
def test_a_hundred_thousand_empty_streams_are_not_followed(ending):
    assert "damaged" in _problem(PACK[ending](b"") * 100_000).text


def _xz_with_dictionary(bits):
    """An xz file that asks for a dictionary of about 2^(bits/2) bytes, and has the checksum for that."""
    data = bytearray(lzma.compress(CSV))
    header = data[12 : 12 + (data[12] + 1) * 4 - 4]
    header[header.index(b"\x21\x01") + 2] = bits
    data[12 : 12 + len(header) + 4] = header + struct.pack("<I", zlib.crc32(header))
    return bytes(data)


def test_an_xz_file_that_asks_for_gigabytes_gets_none():
    problem = _problem(_xz_with_dictionary(39))
    assert problem.text == "the xz file needs more memory than archive_memory: 70000000"
    assert problem.hint == "compress it with -9 at most, or send it as .zip or .gz"


def test_what_xz_writes_at_its_strongest_is_read():
    packed = lzma.compress(CSV, preset=9 | lzma.PRESET_EXTREME)
    assert list(_contents(multipart(file(packed, "a.csv.xz"))).values()) == [CSV]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_archive_has_the_files_that_tar_put_there(form):
    long_name = "lists/" + "n" * (90 if form == tarfile.USTAR_FORMAT else 200) + ".csv"
    data = tarred(("a.csv", CSV), ("lists/b.csv", CSV * 40), (long_name, b"x"), ("Bänder.csv", b""), form=form)
    found = _contents(multipart(file(data, "lists.tar")))
    shortened = long_name[6:] if form == tarfile.USTAR_FORMAT else f"{'n' * 80}~{'n' * 35}.csv"
    assert found == {
        "lists.tar!/a.csv": CSV,
        "lists.tar!/b.csv": CSV * 40,
        f"lists.tar!/{shortened}": b"x",
        "lists.tar!/Bänder.csv": b"",
    }


@pytest.mark.parametrize(("ending", "name"), [("gz", "lists.tgz"), ("bz2", "lists.tar.bz2"), ("xz", "lists.txz")])
def test_a_compressed_tar_archive_is_read_through_both(ending, name):
    mail = multipart(file(PACK[ending](tarred(("a.csv", CSV))), name))
    assert _contents(mail) == {f"{name}!/lists.tar!/a.csv": CSV}


def _entries(*kinds):
    """A tar archive with an entry of each of these types after a file."""
    block = bytearray(tarred(("x", b""))[:512])
    made = [tarred(("a.csv", CSV))[:1024]]
    for kind in kinds:
        block[156:157] = kind
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        made.append(bytes(block))
    return b"".join(made) + bytes(1024)


def test_folders_and_links_of_a_tar_archive_are_stepped_over_and_sparse_files_are_problems():
    found = unpack(multipart(file(_entries(b"5", b"2", b"1", b"3", b"g"), "a.tar")), LIMITS)
    assert ([one.path for one in found.attachments], found.problems) == (["a.tar!/a.csv"], ())
    found = unpack(multipart(file(_entries(b"S"), "a.tar")), LIMITS)
    assert [one.path for one in found.attachments] == ["a.tar!/a.csv"]
    assert "which is not read" in found.problems[0].text


def test_a_tar_archive_is_whole_or_a_problem_wherever_it_is_cut():
    data = tarred(("a.csv", CSV), ("b.csv", CSV * 20))
    for cut in (300, 512, 600, 1024, 1100, 1536, 2000, 2048):
        assert _problem(data[:cut]).text == "the archive is damaged or cut off"
    assert _problem(data[:1024] + b"\x01" + data[1025:]).text == "the archive is damaged or cut off"
    assert _problem(data.replace(b"00000000045", b"0x000000045")).text == "the archive is damaged or cut off"
    assert _problem(data.replace(b"00000000045", b"77777777777")).text == "the archive is damaged or cut off"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", [b"L", b"x", b"0", b"5"])
def test_a_tar_archive_with_twenty_thousand_entries_ends_soon(kind):
    block = bytearray(_entries(kind)[1024:1536])
    assert unpack(multipart(file(bytes(block) * 20_000 + bytes(1024), "a.tar")), LIMITS).problems


@pytest.mark.timeout(60)
def test_a_pax_header_of_one_long_line_ends_soon():
    for content in (b"5 a=\n" * 200_000, b"9" * 1_000_000, b"99999999 path=" + b"x" * 1_000_000):
        header = bytearray(tarred(("x", content))[:512])
        header[156:157] = b"x"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        data = bytes(header) + content + bytes(-len(content) % 512) + tarred(("a.csv", CSV))
        (found,) = unpack(multipart(file(data, "a.tar")), LIMITS).attachments
        assert found.content == CSV


def test_a_csv_in_a_zip_in_a_mail_in_a_mail_is_found():
    once = multipart(leaf(b"here it is"), file(zipped(("a.csv", CSV)), "lists.zip"), boundary="INNER")
    twice = multipart(forward(once, 'Content-Disposition: attachment; filename="first.eml"'), boundary="MIDDLE")
    mail = multipart(leaf(b"see below"), forward(twice, 'Content-Disposition: attachment; filename="second.eml"'))
    assert _contents(mail)["second.eml!/first.eml!/lists.zip!/a.csv"] == CSV
    assert [one.depth for one in unpack(mail, LIMITS).attachments] == [0, 2, 2]


@pytest.mark.parametrize("content", [zipped(), zipped(("folder/", b"")), _entries(b"5")[1024:]])
def test_an_archive_without_a_file_is_noted(content):
    found = unpack(multipart(file(CSV), file(content, "empty.zip")), LIMITS)
    assert ([one.path for one in found.attachments], found.problems) == (["a.csv"], ())
    assert [str(one) for one in found.notes] == ["empty.zip: there is no file in it"]
