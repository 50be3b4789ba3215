"""A part's text out of its transfer encoding (RFC 2045 section 6), or why it cannot be trusted.

`email` skips what is not base64 and decodes the rest: half an inventory would look like a whole one. Here a part is
decoded whole or not at all.
"""

from __future__ import annotations

import binascii

from mailsync.mail.kinds import AGAIN, Unreadable

_PLAIN = ("", "7bit", "8bit", "binary")
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_OTHERWISE = f"{AGAIN}, as an ordinary attachment"
_UUENCODED = ("x-uuencode", "uuencode", "uue", "x-uue")


def decode_transfer(raw: bytes, encoding: str) -> bytes | Unreadable:
    """The content of a part, whole, or why there is none. Unknown encodings are taken as they are: content decides."""
    if encoding == "base64":
        return _decode_base64(raw)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding in _UUENCODED:
        return _decode_uuencoded(raw)
    return raw


def known(encoding: str) -> bool:
    """True for the encodings of RFC 2045, and the one that was before them."""
    return encoding in (*_PLAIN, *_UUENCODED, "base64", "quoted-printable")


def _decode_base64(raw: bytes) -> bytes | Unreadable:
    compact = raw.translate(None, b" \t\r\n")
    try:
        return binascii.a2b_base64(compact, strict_mode=True)
    except binascii.Error:
        if b"=" in compact.rstrip(b"=") or compact.endswith(b"==="):
            return Unreadable("its base64 is damaged: it ends, and then goes on", _OTHERWISE)
        if not compact.translate(None, _DIGITS):
            return Unreadable("its base64 is cut off", AGAIN)
        return Unreadable("its base64 is damaged: there are other characters in it or after it", _OTHERWISE)


def _decode_uuencoded(raw: bytes) -> bytes | Unreadable:
    """The one file of a part that says it is uuencoded; what is written around it is nothing."""
    from mailsync.mail.uuencoded import take_pasted

    files = take_pasted(raw, 1).files
    if len(files) == 1:
        return files[0].content
    return Unreadable(f"it is uuencoded and has {'several files' if files else 'no whole file'} in it", _OTHERWISE)
