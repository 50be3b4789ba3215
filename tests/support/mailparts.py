"""Mails put together from raw parts, to say exactly what their bytes are."""

import base64
import binascii
import io
import struct
import tarfile
import zipfile

CSV = b"volume,repository\r\n000001L4,Offsite\r\n"


def multipart(*parts, kind="mixed", end="--XX--\n", boundary="XX"):
    head = f"From: a@example.com\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary={boundary}\n\n"
    opening = f"--{boundary}\n".encode()
    return head.encode() + b"".join(opening + one + b"\n" for one in parts) + end.replace("XX", boundary).encode()


def leaf(content, *fields, encoding=""):
    head = "".join(
        f"{field}\n" for field in (*fields, *([f"Content-Transfer-Encoding: {encoding}"] if encoding else ()))
    )
    return head.encode() + b"\n" + content


def base64_leaf(content, *fields):
    return leaf(base64.encodebytes(content), *fields, encoding="base64")


def file(content, name="a.csv"):
    return base64_leaf(content, f'Content-Disposition: attachment; filename="{name}"')


def forward(inner, *fields):
    return leaf(inner, "Content-Type: message/rfc822", *fields)


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(*files, form=tarfile.GNU_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def uuencoded(content, name="a.csv", *, grave=True, closing=b"end\n"):
    lines = (binascii.b2a_uu(content[at : at + 45], backtick=grave) for at in range(0, len(content), 45))
    return f"begin 644 {name}\n".encode() + b"".join(lines) + (b"`\n" if grave else b" \n") + closing


def tnef(*attributes, key=1):
    """A winmail.dat of (level, id and type, data) attributes (MS-OXTNEF section 2.1.3)."""
    packed = (
        struct.pack("<BII", level, name, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
        for level, name, data in attributes
    )
    return struct.pack("<IH", 0x223E9F78, key) + b"".join(packed)


def tnef_file(content, title=b"A.CSV\0", properties=None):
    """The attributes of one attachment in a winmail.dat."""
    listed = [] if properties is None else [(2, 0x00069005, properties)]
    return ((2, 0x00069002, bytes(14)), (2, 0x00018010, title), (2, 0x0006800F, content), *listed)


def mapi(*properties):
    """A list of (type, id, value) properties (MS-OXTNEF section 2.1.3.4); bytes values of any length, ints of four."""
    packed = [struct.pack("<I", len(properties))]
    for kind, name, value in properties:
        packed.append(struct.pack("<HH", kind, name))
        if isinstance(value, bytes):
            packed.append(struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4))
        else:
            packed.append(struct.pack("<I", value))
    return b"".join(packed)
