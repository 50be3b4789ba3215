"""A part's text out of its transfer encoding (RFC 2045 section 6), or why it cannot be trusted.

`email` skips what is not base64 and decodes the rest: half an inventory would look like a whole one. Here a part is
decoded whole or not at all.
"""

from __future__ import annotations

import binascii

from mailsync.mail.kinds import Unreadable

_PLAIN = ("", "7bit", "8bit", "binary")
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_AGAIN = "send it again, as an ordinary attachment"
_UUENCODED = ("x-uuencode", "uuencode", "uue", "x-uue")


def decode_transfer(raw: bytes, encoding: str) -> bytes | Unreadable:
    """The content of a part, whole, or why there is none. Unknown encodings are taken as they are: content decides."""
    if encoding == "base64":
        return _decode_base64(raw)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding in _UUENCODED:
        return Unreadable("it is uuencoded, which is not read", _AGAIN)
    return raw


def known(encoding: str) -> bool:
    """True for the encodings of RFC 2045."""
    return encoding in (*_PLAIN, "base64", "quoted-printable")


def _decode_base64(raw: bytes) -> bytes | Unreadable:
    compact = raw.translate(None, b" \t\r\n")
    try:
        return binascii.a2b_base64(compact, strict_mode=True)
    except binascii.Error:
        if not compact.translate(None, _DIGITS):
            return Unreadable("its base64 is cut off", "send it again")
        return Unreadable("its base64 is damaged: there are other characters in it or after it", _AGAIN)
