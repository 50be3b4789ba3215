"""What a decoded attachment is, by its content rather than its label: mail programs label CSV as anything.

content                                    what becomes of it
gzip, zip                                  unpacked (compressed.py); an .xlsx or .ods workbook stays whole
signatures, calendars, business cards      left out, with a note
pictures that belong to another part       left out, with a note
pictures, PDF, .doc, .xls, encrypted, ...  a problem that says what to send instead
anything else                              an attachment: a definition may claim it
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    """What becomes of an attachment."""

    READ = "read"
    GZIP = "gzip"
    ZIP = "zip"
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


_CSV = "send the list as text or CSV"
_SMALL_PICTURE = 32_768  # logos and dividers; a photographed list is larger
_LITTER = (b"\x00\x05\x16\x07", b"\x00\x00\x00\x01Bud1")  # macOS puts them beside files: AppleDouble, .DS_Store
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_UNREADABLE: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF", _CSV),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Outlook message or an old Office file", _CSV),
    (b"\x78\x9f\x3e\x22", "Outlook's winmail.dat", "let the sender switch to plain text or HTML, or zip the file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "send it as .zip or .gz"),
    (b"Rar!\x1a\x07", "a RAR archive", "send it as .zip or .gz"),
    (b"BZh", "a bzip2 file", "send it as .zip or .gz"),
    (b"\xfd7zXZ\x00", "an xz file", "send it as .zip or .gz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "send it as .zip or .gz"),
    (b"{\\rtf", "rich text (RTF)", _CSV),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted with PGP", "send it without encryption"),
)
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
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def judge_content(content: bytes, content_type: str, *, embedded: bool) -> Judged:
    """What becomes of an attachment. `embedded`: it belongs to another part of the mail, as a logo does."""
    if content.startswith(b"\x1f\x8b"):
        return Judged(Fate.GZIP)
    if content.startswith(_ZIP_STARTS):
        return Judged(Fate.ZIP)
    if content_type in _ACCESSORIES:
        return Judged(Fate.LEAVE_OUT, f"{_ACCESSORIES[content_type]} was left out")
    if content_type in _SMIME:
        return Judged(
            Fate.REFUSE, "it is encrypted or wrapped (S/MIME)", "send it without, or with a detached signature"
        )
    if content.startswith(_LITTER):
        return Judged(Fate.LEAVE_OUT, "what macOS notes about a file was left out")
    for start, what, hint in _UNREADABLE:
        if content.startswith(start):
            return Judged(Fate.REFUSE, f"it is {what}, which is not read", hint)
    if content.startswith(_PICTURES) and _is_picture(content):
        if embedded or len(content) < _SMALL_PICTURE:
            return Judged(Fate.LEAVE_OUT, "a picture was left out")
        return Judged(Fate.REFUSE, "it is a picture, which is not read", _CSV)
    return Judged(Fate.READ)


def _is_picture(content: bytes) -> bool:
    """False for text that begins like a bitmap, as a list with the caption `BMR` does."""
    return not content.startswith(b"BM") or b"\x00" in content[:64]
