from __future__ import annotations

import codecs
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.tables.text import Decoded, Undecodable, blocks, decode, decode_start

TEXT = "Bücher,Köln\r\nA00001,naïve\r\n"


@pytest.mark.parametrize(
    ("content", "given_", "encoding"),
    [
        (codecs.BOM_UTF8 + TEXT.encode(), {}, "utf-8"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), {"charset": "us-ascii"}, "utf-16-le"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), {}, "utf-16-be"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), {}, "utf-32-le"),
        (TEXT.encode("utf-16-le"), {"charset": "iso-8859-1"}, "utf-16-le"),
        (TEXT.encode("utf-16-be"), {}, "utf-16-be"),
        (TEXT.encode(), {}, "utf-8"),
        (TEXT.encode(), {"encoding": "cp437"}, "utf-8"),
        (TEXT.encode("latin-1"), {"charset": "ISO_8859-1"}, "iso-8859-1"),
        (TEXT.encode("cp850"), {"charset": "cp850"}, "cp850"),
        (TEXT.encode("cp850"), {"encoding": "cp850"}, "cp850"),
        (TEXT.encode("cp850"), {"charset": "us-ascii", "encoding": "cp850"}, "cp850"),
        (TEXT.encode("cp037"), {"charset": "us-ascii", "encoding": "cp037"}, "cp037"),
        (TEXT.encode(), {"encoding": "cp037"}, "utf-8"),
        (TEXT.encode("latin-1"), {"charset": "iso-8859-1", "encoding": "cp037"}, "iso-8859-1"),
        (TEXT.encode("utf-16-le"), {"encoding": "cp037"}, "utf-16-le"),
    ],
)
def test_what_is_known_is_not_guessed(content, given_, encoding):
    assert decode(content, **given_) == Decoded(TEXT, encoding)


def test_latin_1_with_bytes_that_latin_1_does_not_have_is_windows_1252():
    assert decode("5 € “x”".encode("cp1252"), charset="iso-8859-1").text == "5 € “x”"
    assert decode(b"\x81 a", charset="iso-8859-1").encoding == "latin-1"


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
@pytest.mark.parametrize("text", ["Bücher in Köln", "Größe", "Ç'est l'été à Paris, garçon"])
def test_a_guess_finds_the_letters_and_says_that_it_is_one(encoding, text):
    if encoding == "cp437" and text.startswith("Ç"):
        text = text[1:]
    found = decode(text.encode(encoding))
    assert isinstance(found, Decoded)
    assert (found.text, found.encoding) == (text, encoding)
    assert "names no charset" in found.guess


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp273"])
@pytest.mark.parametrize("text", [" Total volumes . . . :   12", "a", "*" * 40 + " A00001", "1/2", "MOVED: über, été"])
def test_a_report_in_ebcdic_may_come_converted_too(encoding, text):
    assert decode(text.encode(encoding), encoding=encoding).encoding == encoding
    assert decode_start(text.encode(encoding), encoding=encoding) == text
    converted = decode(text.encode("latin-1"), encoding=encoding)
    assert (converted.text, converted.encoding in ("utf-8", "cp1252")) == (text, True)


def test_lines_drawn_in_cp437_are_seen():
    assert decode("╔═══╗║A1║╚═══╝".encode("cp437")).text == "╔═══╗║A1║╚═══╝"


@pytest.mark.parametrize(
    "content", [codecs.BOM_UTF16_LE + b"abc", codecs.BOM_UTF8 + b"K\xf6ln", codecs.BOM_UTF32_BE + b"abc"]
)
def test_a_mark_that_does_not_hold_is_damage(content):
    assert isinstance(decode(content), Undecodable)


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("Bücher,Kö".encode()[:-1], ""),
        ("Bücher,10 €".encode()[:-1], "utf-8"),
        ("A00001,ö".encode()[:-1], "utf-8"),
        ("A00001,LIBR".encode("utf-16-le")[:-1], ""),
        ("A00001,LIBR".encode("utf-16-be")[:-1], "iso-8859-1"),
    ],
)
def test_a_text_that_ends_within_a_character_was_cut_off_and_is_claimed_nevertheless(content, charset):
    found = decode(content, charset=charset)
    assert isinstance(found, Undecodable)
    assert "cut off" in found.reason
    assert decode_start(content, charset=charset)[0] in "BA"


@pytest.mark.parametrize("charset", ["", "iso-8859-1"])
def test_a_last_letter_of_latin_1_is_no_cut(charset):
    assert decode("A00001,Café".encode("latin-1"), charset=charset).text == "A00001,Café"


@pytest.mark.parametrize("charset", ["unicode_escape", "rot13", "../../x", "idna", "utf-7", "\0", "x" * 10_000])
def test_a_charset_nobody_listed_is_not_looked_up(charset):
    assert decode(b"\\u0041", charset=charset) == Decoded("\\u0041", "utf-8")


@given(st.binary(max_size=200), st.sampled_from(["", "utf-8", "shift_jis", "gb18030"]))
@settings(max_examples=300, deadline=None)
def test_no_byte_is_replaced_or_dropped(content, charset):
    found = decode(content, charset=charset)
    if isinstance(found, Decoded) and found.encoding not in ("shift-jis", "gb18030"):
        marks = (
            b"",
            codecs.BOM_UTF8,
            codecs.BOM_UTF16_LE,
            codecs.BOM_UTF16_BE,
            codecs.BOM_UTF32_LE,
            codecs.BOM_UTF32_BE,
        )
        assert content in [mark + found.text.encode(found.encoding) for mark in marks]


def test_the_start_of_a_text_may_end_within_a_character():
    assert decode_start(("ü" * 100_000).encode()) == "ü" * 32768
    assert decode_start(b"a" + ("ü" * 100_000).encode()) == "a" + "ü" * 32767
    assert decode_start(codecs.BOM_UTF16_LE + b"a\0b") == "a"
    assert decode_start(codecs.BOM_UTF16_LE + b"\0\xd8a\0") == ""


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\x85"), max_size=30), max_size=30),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=200, deadline=None)
def test_lines_are_counted_as_an_editor_counts_them(lines, end):
    numbered = [
        (first + index, line)
        for first, some in blocks("".join(line + end for line in lines))
        for index, line in enumerate(some)
    ]
    # Of a non-breaking space, whose line is otherwise as it was, the next test speaks.
    assert numbered == [
        (number, line.replace("\xa0", " ").replace("\u202f", " ")) for number, line in enumerate(lines, 1)
    ]


def test_a_non_breaking_space_in_a_line_is_a_blank_in_the_same_place():
    assert list(blocks("A00001\xa0 \u202fLIBR\n\xa0\n")) == [(1, ["A00001   LIBR", " "])]


@pytest.mark.parametrize("end", ["\r\r\n", "\r\n", "\n"])
def test_a_line_that_ends_with_a_carriage_return_too_many_is_one_line(end):
    assert list(blocks(f"A00001{end}A00002{end}")) == [(1, ["A00001", "A00002"])]


def test_lines_are_the_same_in_many_blocks():
    lines = [f"{number} {'x' * (number % 90)}" for number in range(5000)]
    found = list(blocks("\n".join(lines)))
    assert len(found) > 3
    assert [line for _, some in found for line in some] == lines
    assert all(some[0].startswith(f"{first - 1} ") for first, some in found)


def test_old_line_ends_count_where_there_are_no_others():
    assert list(blocks("a\rb\r")) == [(1, ["a", "b"])]
    assert list(blocks("a\x85b")) == [(1, ["a", "b"])]
    assert list(blocks("a\rb\nc\x0bd\u2028")) == [(1, ["a\rb", "c\x0bd\u2028"])]
    assert list(blocks("")) == []
    assert list(blocks("\n")) == [(1, [""])]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cutting_a_text_into_lines_keeps_no_second_copy_of_it(end):
    text = f"\U0001f600{'x' * 98}{end}" * 20_000
    tracemalloc.start()
    try:
        assert sum(len(lines) for _, lines in blocks(text)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(text)
