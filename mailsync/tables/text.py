"""Bytes as text, and how sure that is. Nothing is ever replaced or dropped; the first rule that reads it all wins.

    1 byte order mark                  what it says, or nothing does: such a file is damaged
    2 EBCDIC by the definition         what it says, where the bytes look like EBCDIC: no other rule could tell
    3 shape of UTF-16 (NULs)           UTF-16, little or big endian
    4 declared charset                 what it says (ISO 8859-1 with bytes from 80 to 9F is Windows-1252)
    5 valid UTF-8                      UTF-8
    6 the definition's encoding        what it says
    7 otherwise                        Windows-1252 or cp437, whichever gives more letters beside letters; a guess

Rules 4 to 7 go on when a byte does not fit; but UTF-8 that ends within a character was cut off. A guess is a note in
the reply. Lines end with LF or CRLF (or CR CR LF, where a program that writes CRLF got it once more); a text without
any LF may end them with CR (old Macintosh) or NEL (EBCDIC). In lines a non-breaking space is a blank: mail programs
put it where several blanks were.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# The longer mark first: UTF-32 little endian begins like UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What a mail may declare. A name from a mail never reaches the codec registry unless it is listed here.
# UTF-16 is known by its mark or its shape only: ASCII read as UTF-16 is valid nonsense.
_DECLARED = {
    name: name
    for name in (
        *("us-ascii", "utf-8", "koi8-r", "koi8-u", "mac-roman", "tis-620"),
        *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"windows-{number}" for number in (874, *range(1250, 1259))),
        *(f"cp{number}" for number in (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 862, 863, 864, 865, 866)),
        *("gb2312", "gbk", "gb18030", "big5", "shift-jis", "euc-jp", "euc-kr", "iso-2022-jp"),
    )
} | {"utf8": "utf-8", "ascii": "us-ascii", "latin1": "iso-8859-1"}
# Blanks, letters and digits, which most of any text is made of. No byte means one of them in both.
_EBCDIC_TEXT = bytes(
    (0x40, *(row + at for row in (0x80, 0x90, 0xA0, 0xC0, 0xD0, 0xE0) for at in range(1, 10)), *range(0xF0, 0xFA))
)
_ASCII_TEXT = b" \t\r\n0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EBCDIC = ("cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140", "cp1141", "ibm037", "ibm500", "ibm273")
# Compiled when a charset is doubtful, which is seldom: start-up is paid by every mail.
_C1 = rb"[\x80-\x9f]"
# A letter beyond ASCII with an ASCII letter beside it, or a line drawn with two of the same character.
_PLAUSIBLE = r"(?<=[A-Za-z])(?![\x00-\x7f])[^\W\d_]|(?![\x00-\x7f])[^\W\d_](?=[A-Za-z])|([\u2500-\u257f])(?=\1)"
_SAMPLE = 65536
_ZIP = b"PK\x03\x04"
LINE_ENDS = ("\n", "\r", "\x85")
_BLOCK = 1 << 14
_Read = Callable[[bytes, str], str | None]


class Decoded(NamedTuple):
    """The text, the encoding it was read with, and how that was guessed (empty: it was not)."""

    text: str
    encoding: str
    guess: str = ""


class Undecodable(NamedTuple):
    """Why the bytes are not text, for people."""

    reason: str


def decode(content: bytes, *, charset: str = "", encoding: str = "") -> Decoded | Undecodable:
    """The text of the bytes. `charset` is what the mail declares, `encoding` what the definition says."""
    if content.startswith(_ZIP):
        return Undecodable("it is a workbook or an archive, for which the definition's table has another kind")
    return _decode(content, charset, encoding, _whole)


def decode_start(content: bytes, *, charset: str = "", encoding: str = "") -> str:
    """The text of the first bytes, for looking at; empty when it is none."""
    reader = _whole if len(content) <= _SAMPLE else _cut
    decoded = _decode(content[:_SAMPLE], charset, encoding, reader)
    if isinstance(decoded, Undecodable):
        # Whoever claims a text that is cut off will be told so.
        decoded = _decode(content[:_SAMPLE], charset, encoding, _cut)
    return decoded.text if isinstance(decoded, Decoded) else ""


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of the text without their ends, some at a time, each time with the number of the first (from 1)."""
    text = _with_line_feeds(text)
    start, number, size = 0, 1, len(text)
    returns = "\r" in text
    while start < size:
        end = text.find("\n", min(start + _BLOCK, size))
        end = size if end < 0 else end
        # With its line end, so that a CR before it is seen; a block at a time, because a text may be huge.
        block = text[start : end + 1]
        block = block.replace("\r\r\n", "\n").replace("\r\n", "\n") if returns else block
        lines = block.replace("\xa0", " ").replace("\u202f", " ").split("\n")
        # The last line end begins no line.
        if not lines[-1]:
            lines.pop()
        yield number, lines
        number += len(lines)
        start = end + 1


def _with_line_feeds(text: str) -> str:
    return text if "\n" in text else text.replace("\r", "\n").replace("\x85", "\n")


def _whole(content: bytes, encoding: str) -> str | None:
    """The text when every byte fits, else None."""
    try:
        return content.decode(encoding)
    except UnicodeError:
        return None


def _cut(content: bytes, encoding: str) -> str | None:
    """As `_whole`, but a character at the end may be cut in two."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeError:
        return None


def _decode(content: bytes, charset: str, encoding: str, read: _Read) -> Decoded | Undecodable:
    for mark, name in _MARKS:
        if content.startswith(mark):
            text = read(content[len(mark) :], name)
            if text is None:
                return Undecodable(f"it begins as {name.upper()} and does not go on as that")
            return Decoded(text, name)
    declared = _DECLARED.get(charset.strip().lower().replace("_", "-"), "")
    ebcdic = encoding.lower() in _EBCDIC
    for name in (
        encoding if ebcdic and _looks_ebcdic(content) else "",
        shape := _utf16_shape(content),
        _declared_encoding(declared, content),
        "utf-8",
        "" if ebcdic else encoding,
    ):
        text = read(content, name) if name else None
        if text is not None:
            return Decoded(text, name)
        if name and name == shape:
            return Undecodable(f"it looks like {name.upper()} and does not go on as that: it was cut off, or damaged")
        if name == "utf-8" and _ends_within_a_character(content, declared):
            return Undecodable("it is UTF-8 that ends within a character: it was cut off")
    return _guess(content)


def _ends_within_a_character(content: bytes, declared: str) -> bool:
    """True for UTF-8 but for its last character, where it is declared or has other characters that say so."""
    text = _cut(content, "utf-8")
    return text is not None and (declared == "utf-8" or not text.isascii())


def _looks_ebcdic(content: bytes) -> bool:
    """True when more of it is blanks, letters and digits as EBCDIC than as ASCII: the report may come as either."""
    sample = content[:_SAMPLE]
    others, ascii_others = (len(sample.translate(None, one)) for one in (_EBCDIC_TEXT, _ASCII_TEXT))
    return others <= ascii_others


def _utf16_shape(content: bytes) -> str:
    """UTF-16 without a mark: text in it has NULs at every other byte and hardly any at the others."""
    sample = content[:4096]
    if b"\0" not in sample or len(content) < 4:
        return ""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be"
    return ""


def _declared_encoding(declared: str, content: bytes) -> str:
    """Programs that say ISO 8859-1 mean Windows-1252: the control characters from 80 to 9F are in no report."""
    if declared == "iso-8859-1" and re.search(_C1, content):
        return "windows-1252"
    return declared


def _guess(content: bytes) -> Decoded:
    said = "it is not UTF-8 and names no charset: read as "
    windows, dos = _whole(content, "cp1252"), content.decode("cp437")
    if _plausible(dos) > _plausible(windows if windows is not None else content.decode("latin-1")):
        return Decoded(dos, "cp437", said + "cp437")
    if windows is not None:
        return Decoded(windows, "cp1252", said + "Windows-1252")
    return Decoded(content.decode("latin-1"), "latin-1", said + "ISO 8859-1")


def _plausible(text: str) -> int:
    return sum(1 for _ in re.finditer(_PLAUSIBLE, text[:_SAMPLE]))
