"""Broken and hostile mails: own samples in every wrapping that mail has, damaged by seeded dice.

A mail is made in three throws: a table (of every kind, in some charset), damaged or not; a wrapping (a transfer
encoding, archives, forwarding, a body, uuencode, winmail.dat); and damage to the mail itself. The same seed gives the
same mail on every machine.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import lzma
import quopri
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence

import old_excel

ROWS = tuple((f"A{number:05d}", ("OFFS", "LIBR", "Offsite")[number % 3]) for number in range(12))
CHARSETS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1", "cp1252", "cp437", "utf-32")
TOKENS = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\x0c", b"\x1a", b'"', b'""', b"=", b"=\n", b"\x85", b"\t"),
    *(b"--A", b"--A--", b"--B\n", b"begin 644 x\n", b"end\n", b"From x\n", b"\n.\n", b"Content-Type: message/rfc822\n"),
    *(b"Content-Transfer-Encoding: base64\n", b"Content-Type: text/plain; charset=utf-7\n", b"=?utf-8?b?////?="),
    *(b"Content-Type: multipart/mixed; boundary=\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"%PDF-"),
    *(
        b"<table>",
        b"</table>",
        b"<!--",
        b"+---+\n",
        b"-----\n",
        b"|",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b"volume",
        b"A00001",
    ),
)


def _text(kind: str) -> str:
    rows = ROWS
    rule = "+--------+----------+\n"
    return {
        "delimited": "volume,to\n" + "".join(f'{volume},"{to}"\n' for volume, to in rows),
        "fixed": "VOLUMES\nSLOT 7\n"
        + "".join(f"{volume:8}{to[:4]}\n" for volume, to in rows)
        + "\fVOLUMES\nSLOT 8\nB00001\n",
        "ruled": "list\nvolume    to\n--------  -------\n" + "".join(f"{volume:10}{to}\n" for volume, to in rows),
        "boxed": f"{rule}| volume | to       |\n{rule}" + "".join(f"| {v} | {to:8} |\n" for v, to in rows) + rule,
        "records": "\n".join(f"volume . . : {volume}\nto: {to}\n" for volume, to in rows),
        "lines": "".join(f"{volume}  {to} é\n" for volume, to in rows),
        "html": "<html><body><p>off</p><table><tr><th>volume<th>to</tr>"
        + "".join(f"<tr><td>{volume}<td>{to} &auml;</tr>\n" for volume, to in rows)
        + "</table></body></html>",
        "json": "[" + ",\n".join(f'{{"volume": "{volume}", "to": "{to}", "é": 1}}' for volume, to in rows) + "]\n",
    }[kind]


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _xlsx() -> bytes:
    cells = ("".join(f'<c t="str"><v>{cell}</v></c>' for cell in row) for row in (("volume", "to"), *ROWS))
    return packed(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/workbook.xml": b'<workbook xmlns:r="r"><sheets><sheet name="S" r:id="1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": b'<Relationships><Relationship Id="1" Target="s.xml"/></Relationships>',
            "xl/s.xml": f"<w><s>{''.join(f'<row>{row}</row>' for row in cells)}</s></w>".encode(),
        }
    )


def _ods() -> bytes:
    cells = ("".join(f"<table-cell><p>{cell}</p></table-cell>" for cell in row) for row in (("volume", "to"), *ROWS))
    rows = "".join(f"<table-row>{row}</table-row>" for row in cells)
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return packed({"mimetype": kind, "content.xml": f'<d><table name="S">{rows}</table></d>'.encode()})


def _xls() -> bytes:
    texts = [cell for row in (("volume", "to"), *ROWS) for cell in row]
    cells = b"".join(old_excel.label(place // 2, place % 2, place) for place in range(len(texts)))
    return old_excel.compound(old_excel.book(cells, general=old_excel.texts(*texts)))


KINDS = ("delimited", "fixed", "ruled", "boxed", "records", "lines", "html", "json", "workbook")


def table(kind: str, dice: random.Random) -> bytes:
    """A table of the kind, as the bytes of a file."""
    if kind == "workbook":
        return dice.choice((_xlsx, _ods, _xls))()
    return _text(kind).encode(dice.choice(CHARSETS), "replace")


def _zip(name: str, content: bytes) -> tuple[str, bytes]:
    return "lists.zip", packed({name: content, "read.me": b"hello"})


def _tar(name: str, content: bytes) -> tuple[str, bytes]:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as archive:
        one = tarfile.TarInfo(name)
        one.size = len(content)
        archive.addfile(one, io.BytesIO(content))
    return "lists.tar", found.getvalue()


def _tnef(name: str, content: bytes) -> tuple[str, bytes]:
    def attribute(level: int, identity: int, data: bytes) -> bytes:
        return struct.pack("<BII", level, identity, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)

    parts = [(2, 0x00069002, bytes(14)), (2, 0x00018010, name.encode() + b"\0"), (2, 0x0006800F, content)]
    return "winmail.dat", struct.pack("<IH", 0x223E9F78, 1) + b"".join(attribute(*one) for one in parts)


_ARCHIVES: tuple[Callable[[str, bytes], tuple[str, bytes]], ...] = (
    _zip,
    _tar,
    _tnef,
    lambda name, content: (f"{name}.gz", gzip.compress(content, mtime=0)),
    lambda name, content: (f"{name}.bz2", bz2.compress(content)),
    lambda name, content: (f"{name}.xz", lzma.compress(content)),
    lambda name, content: (f"{name}.gz", packed({name: content})),
)


def _uuencoded(name: str, content: bytes) -> bytes:
    lines = (binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return f"begin 644 {name}\n".encode() + b"".join(lines) + b"`\nend\n"


def part(name: str, content: bytes, dice: random.Random) -> bytes:
    """A MIME part with the content, in some transfer encoding, labelled rightly or wrongly."""
    encoding = dice.choice(("base64", "base64", "quoted-printable", "8bit", "7bit", "binary", "x-uuencode", ""))
    kind = dice.choice(("text/csv", "text/plain", "application/octet-stream", "application/zip", "text/html", "x"))
    charset = dice.choice(("", "", "; charset=utf-8", "; charset=iso-8859-1", "; charset=x-unknown"))
    names = (f'; name="{name}"', f"; name*=utf-8''{name}", f"; name*0={name[:3]}; name*1={name[3:]}", "")
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(content)
    if encoding == "x-uuencode":
        body = _uuencoded(name, content)
    lines = [f"Content-Type: {kind}{charset}{dice.choice(names)}"]
    lines += [f"Content-Transfer-Encoding: {encoding}"] if encoding else []
    lines += [f'Content-Disposition: attachment; filename="{name}"'] if dice.random() < 0.7 else []
    return "\n".join(lines).encode() + b"\n\n" + body


def multipart(parts: Sequence[bytes], boundary: str) -> bytes:
    """The header and body of a multipart."""
    between = b"".join(b"--" + boundary.encode() + b"\n" + one + b"\n" for one in parts)
    head = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'.encode()
    return head + between + b"--" + boundary.encode() + b"--\n"


_HEAD = b"""\
From: backup@example.com
To: tapes@example.com
Subject: report =?utf-8?q?=C3=A9?=
Message-ID: <1@example.com>
"""


def wrapped(name: str, content: bytes, dice: random.Random) -> bytes:
    """A mail that holds the content somewhere."""
    way = dice.randrange(10)
    if way == 0:
        return _HEAD + b"\n" + content
    if way == 1:
        return _HEAD + b"\nthe list:\n\n" + _uuencoded(name, content) + b"bye\n"
    if way == 2:
        return _HEAD + b"Content-Type: text/html\n\n" + content
    for _ in range(dice.choice((0, 0, 1, 1, 2, 4))):
        name, content = dice.choice(_ARCHIVES)(name, content)
    one = part(name, content, dice)
    if way == 3:
        return _HEAD + b"MIME-Version: 1.0\n" + one
    body = b"Content-Type: text/plain; format=flowed\n\nGood morning, \nthe list.\n"
    found = _HEAD + multipart([body, one, part("delimited-x.csv", _text("delimited").encode(), dice)][: way - 2], "A")
    for depth in range(dice.choice((0, 0, 0, 1, 2, 7))):
        found = _HEAD + multipart([body, b"Content-Type: message/rfc822\n\n" + found], f"B{depth}")
    return found


def _flip(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _drop(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.choice((1, 2, 10, 100)) :]


def _twice(data: bytes, dice: random.Random) -> bytes:
    at, size = dice.randrange(len(data) + 1), dice.choice((1, 20, 300))
    return data[:at] + data[at : at + size] * dice.choice((2, 3, 50)) + data[at + size :]


def _insert(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(TOKENS) * dice.choice((1, 1, 1, 2, 500)) + data[at:]


def _swap_lines(data: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return dice.choice((b"\n", b"\n", b"\r\n", b"\r")).join(lines)


def _drop_line(data: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\n")
    del lines[dice.randrange(len(lines))]
    return b"\n".join(lines)


_DAMAGE = (_flip, _flip, _cut, _drop, _twice, _insert, _insert, _swap_lines, _drop_line)


def damaged(data: bytes, dice: random.Random, times: int) -> bytes:
    """The bytes after so many kinds of damage."""
    for _ in range(times):
        data = dice.choice(_DAMAGE)(data, dice)
    return data


def hostile_mail(seed: int) -> bytes:
    """The mail of that number."""
    dice = random.Random(seed)
    kind = dice.choice(KINDS)
    content = damaged(table(kind, dice), dice, dice.choice((0, 0, 1, 2, 4)))
    mail = wrapped(f"{kind}-{seed % 4}.csv", content, dice)
    return damaged(mail, dice, dice.choice((0, 0, 0, 1, 1, 2, 5)))
