"""What a decoded attachment is, by its content rather than its label: mail programs label CSV as anything.

content                                    what becomes of it
gzip, bzip2, xz, zip, tar, winmail.dat,    unpacked (opened.py); an .xlsx or .ods workbook stays whole
uuencode
a mail                                     its parts are read, one deeper
signatures, calendars, notes of macOS      left out, with a note
small pictures, those of another part      left out, with a note
other pictures, PDF, .doc, encrypted, ...  a problem that says what to send instead
anything else                              an attachment: a definition may claim it
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    """What becomes of an attachment."""

    READ = "read"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZIP = "zip"
    TAR = "tar"
    TNEF = "winmail.dat"
    UUENCODED = "uuencoded"
    MAIL = "mail"
    LEAVE_OUT = "leave out"
    REFUSE = "refuse"


class Unreadable(NamedTuple):
    """Why something of a mail is not read, and what the sender can do instead."""

    text: str
    hint: str


class Judged(NamedTuple):
    """The fate of an attachment; for those not read, what it is and what to do instead."""

    fate: Fate
    text: str = ""
    hint: str = ""


AGAIN = "send it again"
_CSV = "send the list as text or CSV"
_ZIP = "send it as .zip or .gz"
_SMALL_PICTURE = 32_768  # logos and dividers; a photographed list is larger
_LITTER = (b"\x00\x05\x16\x07", b"\x00\x00\x00\x01Bud1")  # macOS puts them beside files: AppleDouble, .DS_Store
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_UNREADABLE: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF", _CSV),
    (b"%!PS", "PostScript", _CSV),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _ZIP),
    (b"Rar!\x1a\x07", "a RAR archive", _ZIP),
    (b"MSCF\x00", "a cabinet archive", _ZIP),
    (b"\x28\xb5\x2f\xfd", "a zstd file", _ZIP),
    (b"LZIP\x01", "an lzip file", _ZIP),
    (b"\x1f\x9d", "a file of compress (.Z)", _ZIP),
    (b"{\\rtf", "rich text (RTF)", _CSV),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted with PGP", "send it without encryption"),
    (b"SQLite format 3\x00", "a database", _CSV),
    (b"\x7fELF", "a program", _CSV),
    (b"\xca\xfe\xba\xbe", "a program", _CSV),
    (b"\xcf\xfa\xed\xfe", "a program", _CSV),
    (b"\x1aE\xdf\xa3", "a video", _CSV),
    (b"OggS\x00", "a recording", _CSV),
    (b"ID3\x03", "a recording", _CSV),
    (b"ID3\x04", "a recording", _CSV),
)
# What is in a compound file (MS-CFB) is named by its directory, in UTF-16; the first that is there says what it is.
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_COMPOUNDS: tuple[tuple[str, str, str], ...] = (
    ("EncryptedPackage", "an Office file with a password", "save it without a password, or send the list as CSV"),
    (
        "__properties_version1.0",
        "an Outlook message (.msg)",
        "forward the mail itself, or send the list as text or CSV",
    ),
    ("WordDocument", "an old Word document (.doc)", _CSV),
)
_WORKBOOKS = ("Workbook", "Book")  # .xls
_ACCESSORIES = {
    "application/pgp-signature": "a signature",
    "application/pgp-encrypted": "the label of an encrypted mail",
    "application/pkcs7-signature": "a signature",
    "application/x-pkcs7-signature": "a signature",
    "text/calendar": "a calendar entry",
    "text/vcard": "a business card",
    "text/x-vcard": "a business card",
    "text/x-amp-html": "a copy of the body",
    "text/rfc822-headers": "the header of another mail",
}
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_OPENED: tuple[tuple[bytes, Fate], ...] = (
    (b"\x1f\x8b", Fate.GZIP),
    (b"\xfd7zXZ\x00", Fate.XZ),
    (b"PK\x03\x04", Fate.ZIP),
    (b"PK\x05\x06", Fate.ZIP),
    (b"PK\x07\x08", Fate.ZIP),
    (b"\x78\x9f\x3e\x22", Fate.TNEF),
)
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # of a file with something in it, and of an empty one
# Compiled when something looks like one, which is seldom: start-up is paid by every mail.
_UUENCODED = rb"begin(?:-base64)? [0-7]{3,4} [^\r\n]{1,1000}\r?\n"
_FIELD = rb"(?:From [^\n]{1,500}\n)?[A-Za-z][A-Za-z0-9-]{0,60}:"
_MAIL_FIELDS = (b"\nfrom:", b"\nmime-version:")


def judge_content(content: bytes, content_type: str, *, embedded: bool) -> Judged:
    """What becomes of an attachment. `embedded`: it belongs to another part of the mail, as a logo does."""
    fate = _opened(content)
    if fate is not Fate.READ:
        return Judged(fate)
    if content_type in _ACCESSORIES:
        return Judged(Fate.LEAVE_OUT, f"{_ACCESSORIES[content_type]} was left out")
    if content_type in _SMIME:
        return Judged(
            Fate.REFUSE, "it is encrypted or wrapped (S/MIME)", "send it without, or with a detached signature"
        )
    if content.startswith(_LITTER):
        return Judged(Fate.LEAVE_OUT, "what macOS notes about a file was left out")
    unreadable = _unreadable(content)
    if unreadable:
        what, hint = unreadable
        return Judged(Fate.REFUSE, f"it is {what}, which is not read", hint)
    if content.startswith(_PICTURES) and _is_picture(content):
        if embedded or len(content) < _SMALL_PICTURE:
            return Judged(Fate.LEAVE_OUT, "a picture was left out")
        return Judged(Fate.REFUSE, "it is a picture, which is not read", _CSV)
    return Judged(Fate.READ)


def is_mail(content: bytes) -> bool:
    """True for what begins with a header of a mail: fields, among them From and MIME-Version."""
    head = b"\n" + content[:65_536].replace(b"\r\n", b"\n").partition(b"\n\n")[0].lower()
    return all(field in head for field in _MAIL_FIELDS) and bool(re.match(_FIELD, content))


def _opened(content: bytes) -> Fate:
    for start, fate in _OPENED:
        if content.startswith(start):
            return fate
    if content.startswith(b"BZh") and content[4:10] in _BZIP2_BLOCKS:
        return Fate.BZIP2
    # ustar and GNU tar write it into the first header, behind the file's name and numbers.
    if content[257:262] == b"ustar":
        return Fate.TAR
    if content.startswith(b"begin") and re.match(_UUENCODED, content):
        return Fate.UUENCODED
    return Fate.MAIL if is_mail(content) else Fate.READ


def _unreadable(content: bytes) -> tuple[str, str] | None:
    """What it is that is not read, and what to send instead; None for anything else."""
    for start, what, hint in _UNREADABLE:
        if content.startswith(start):
            return what, hint
    if content.startswith(_COMPOUND):
        for name, what, hint in _COMPOUNDS:
            if _has_stream(content, name):
                return what, hint
        if any(_has_stream(content, name) for name in _WORKBOOKS):
            return None
        return "an Outlook message or an old Office file", _CSV
    # Text may begin like these: only with bytes that no text has are they what they seem.
    if content.startswith(b"MZ") and b"\x00" in content[:64]:
        return "a program", _CSV
    if content[4:8] == b"ftyp" and content[:3] == b"\x00\x00\x00":
        return "a video or a picture", _CSV
    if content.startswith(b"RIFF") and content[8:12] in (b"AVI ", b"WAVE", b"WEBP"):
        return "a video, a recording or a picture", _CSV
    return None


def _has_stream(content: bytes, name: str) -> bool:
    """True for a compound file that has a stream of that name: zeros follow it in the directory."""
    return (name + "\0").encode("utf-16-le") in content


def _is_picture(content: bytes) -> bool:
    """False for text that begins like a bitmap, as a list with the caption `BMR` does."""
    return not content.startswith(b"BM") or b"\x00" in content[:64]
