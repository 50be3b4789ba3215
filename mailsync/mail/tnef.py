"""Outlook's winmail.dat (TNEF, MS-OXTNEF): the attachments in it, and its text.

A flat list of attributes, walked once: level, id and type, length, data, checksum. Two attributes hold lists of MAPI
properties, of which only the few named below are looked at. Every length is compared with what is there before
anything is read, and every checksum is added up: a file that is cut off or damaged is refused whole.

    attribute                    says
    attAttachRendData            another attachment begins
    attAttachTitle, attAttachData   its short name, its content
    attAttachment                its properties: the long name; or the message in it, which is TNEF again
    attBody, attMsgProps         the message's text; or, in its properties, text, HTML, rich text
    attOemCodepage               how texts of one byte a character are written
"""

from __future__ import annotations

import struct
from codecs import BOM_UTF16_LE
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailsync.mail.kinds import AGAIN, Unreadable
from mailsync.mail.members import Archive, Member

_MOST_ATTRIBUTES = 20_000  # a message has some dozens and eight for each attachment
_MOST_PROPERTIES = 20_000  # and values of theirs, of all lists together; a message has 100, an attachment 30
_REND_DATA, _TITLE, _DATA, _ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9005
_BODY, _MESSAGE, _CODEPAGE = 0x800C, 0x9003, 0x9007
_ATTRIBUTE = struct.Struct("<BHHI")
# Properties: (MS-OXPROPS) PidTagBody, Html, RtfCompressed, InternetCodepage; AttachLongFilename, AttachDataObject.
_TEXT, _HTML, _RTF, _INTERNET, _LONG_NAME, _OBJECT = 0x1000, 0x1013, 0x1009, 0x3FDE, 0x3707, 0x3701
_WANTED = (_TEXT, _HTML, _RTF, _INTERNET, _LONG_NAME, _OBJECT)
_STRING8, _UNICODE, _MANY = 0x1E, 0x1F, 0x1000
_VARIABLE = (_STRING8, _UNICODE, 0x102, 0x0D)
_FIXED = {2: 4, 3: 4, 4: 4, 0x0A: 4, 0x0B: 4, 5: 8, 6: 8, 7: 8, 0x14: 8, 0x40: 8, 0x48: 16, 0: 0, 1: 0}
_MESSAGE_OBJECT = bytes.fromhex("0703020000000000c000000000000046")  # IID_IMessage, before the TNEF of a message
_NO_RTF = Unreadable("its text is rich text (RTF), which is not read", "send it as plain text or HTML")


class _DamagedError(Exception):
    """The file is not what its format asks for; it never leaves this module."""


class _Found(NamedTuple):
    """A property: its type and its bytes."""

    type: int
    data: bytes


_Properties = dict[int, _Found]


class _Attached(NamedTuple):
    """An attachment so far; `data` is None until its content was found."""

    title: bytes = b""
    data: bytes | None = None
    properties: Mapping[int, _Found] = {}


class _Allowed:
    """How many properties and values may still be looked at: a mail of 40 MB has room for ten million."""

    def __init__(self) -> None:
        self._left = _MOST_PROPERTIES

    def take(self, count: int) -> None:
        """Takes so many of them, or raises."""
        self._left -= count
        if self._left < 0:
            raise _DamagedError


def open_tnef(data: bytes) -> Archive | Unreadable:
    """The files and the text of a winmail.dat, or why there are none."""
    try:
        members = tuple(_members(memoryview(data)))
    except _DamagedError:
        return Unreadable("Outlook's winmail.dat is damaged or cut off", AGAIN)
    return Archive(len(members), iter(members))


def _members(data: memoryview) -> Iterator[Member]:
    body, codepage = b"", "windows-1252"
    properties: _Properties = {}
    attached: list[_Attached] = []
    allowed = _Allowed()
    for name, content in _attributes(data):
        if name == _REND_DATA:
            attached.append(_Attached())
        elif name in (_TITLE, _DATA, _ATTACHMENT):
            if not attached:
                raise _DamagedError
            attached[-1] = _with(attached[-1], name, content, allowed)
        elif name == _BODY:
            body = bytes(content).rstrip(b"\0")
        elif name == _MESSAGE:
            properties = _properties(content, allowed)
        elif name == _CODEPAGE and len(content) >= 4:
            codepage = _charset(content)
    yield from _bodies(body, properties, codepage)
    for number, one in enumerate(attached, 1):
        yield _file(one, codepage, number)


def _attributes(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The id and the data of each attribute, after its checksum was compared."""
    position = 6
    for _ in range(_MOST_ATTRIBUTES):
        if position == len(data):
            return
        content, position = _attribute(data, position)
        yield content
    raise _DamagedError


def _attribute(data: memoryview, position: int) -> tuple[tuple[int, memoryview], int]:
    begin = position + _ATTRIBUTE.size
    if begin > len(data):
        raise _DamagedError
    level, name, _, length = _ATTRIBUTE.unpack_from(data, position)
    content = data[begin : begin + length]
    end = begin + length + 2
    if level not in (1, 2) or end > len(data):
        raise _DamagedError
    if sum(content) & 0xFFFF != int.from_bytes(data[end - 2 : end], "little"):
        raise _DamagedError
    return (name, content), end


def _with(attached: _Attached, name: int, content: memoryview, allowed: _Allowed) -> _Attached:
    if name == _TITLE:
        return attached._replace(title=bytes(content))
    if name == _DATA:
        return attached._replace(data=bytes(content))
    return attached._replace(properties=_properties(content, allowed))


def _bodies(body: bytes, properties: _Properties, codepage: str) -> Iterator[Member]:
    """The message's text, its HTML, or that it is rich text only."""
    internet = _charset(memoryview(properties[_INTERNET].data)) if _INTERNET in properties else codepage
    text = properties.get(_TEXT)
    if text and text.type == _UNICODE:
        # With its mark: whoever reads the text then knows, and sees whether it is whole.
        body = BOM_UTF16_LE + text.data.removesuffix(b"\0\0")
    elif text:
        body = text.data.rstrip(b"\0")
    if body:
        yield Member("", body, "text/plain", codepage, body=True)
    if _HTML in properties:
        yield Member("", properties[_HTML].data, "text/html", internet, body=True)
    elif not body and _RTF in properties:
        yield Member("", _NO_RTF, body=True)


def _file(one: _Attached, codepage: str, number: int) -> Member:
    long_name = one.properties.get(_LONG_NAME)
    title = _Found(_STRING8, one.title)
    name = _decoded(long_name or title, codepage).strip("\0 ") or f"file-{number}"
    inner = one.properties[_OBJECT].data if _OBJECT in one.properties else b""
    if inner.startswith(_MESSAGE_OBJECT):
        return Member(name, inner[len(_MESSAGE_OBJECT) :], forwarded=True)
    if one.data is None:
        text = "its content is not in the mail: it is a link, or an object drawn into the text"
        return Member(name, Unreadable(text, "attach it as a file"))
    return Member(name, one.data)


def _properties(data: memoryview, allowed: _Allowed) -> _Properties:
    """The properties we know of an attribute that lists them (MS-OXTNEF section 2.1.3.4)."""
    found: _Properties = {}
    count, position = _number(data, 0), 4
    allowed.take(count)
    for _ in range(count):
        kind, name = _number(data, position) & 0xFFFF, _number(data, position) >> 16
        position += 4
        if name >= 0x8000:
            position = _past_name(data, position)
        value, position = _values(data, kind, position, allowed)
        if name in _WANTED and not kind & _MANY:
            found[name] = _Found(kind, bytes(value))
    return found


def _past_name(data: memoryview, position: int) -> int:
    """Where a property's value begins that is called by a GUID and a number, or a GUID and a name."""
    if not _number(data, position + 16):
        return position + 24
    return position + 24 + _padded(_number(data, position + 20))


def _values(data: memoryview, kind: int, position: int, allowed: _Allowed) -> tuple[memoryview, int]:
    """The last value of a property, and where the next property begins."""
    single = kind & ~_MANY
    count = 1
    if kind & _MANY or single in _VARIABLE:
        count, position = _number(data, position), position + 4
    if single not in _VARIABLE:
        if single not in _FIXED:
            raise _DamagedError
        # Values of two bytes take four when they are alone.
        width = 2 if kind & _MANY and single in (2, 0x0B) else _FIXED[single]
        end = position + _padded(count * width)
        if end > len(data):
            raise _DamagedError
        return data[position : position + width], end
    value = data[:0]
    allowed.take(count)
    for _ in range(count):
        length, position = _number(data, position), position + 4
        value, position = data[position : position + length], position + _padded(length)
        if position > len(data):
            raise _DamagedError
    return value, position


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _number(data: memoryview, position: int) -> int:
    if position + 4 > len(data):
        raise _DamagedError
    return int.from_bytes(data[position : position + 4], "little")


def _charset(codepage: memoryview) -> str:
    """The name of one of Windows' code pages, given as four bytes."""
    number = int.from_bytes(codepage[:4], "little")
    if number in (65001, 20127):
        return "utf-8" if number == 65001 else "us-ascii"
    if 28591 <= number <= 28605:
        return f"iso-8859-{number - 28590}"
    return f"windows-{number}" if number == 874 or 1250 <= number <= 1258 else f"cp{number}"


def _decoded(found: _Found, codepage: str) -> str:
    """A text property: UTF-16, or one byte a character."""
    if found.type == _UNICODE:
        return found.data.decode("utf-16-le", "replace").rstrip("\0")
    try:
        return found.data.rstrip(b"\0").decode(codepage)
    except (LookupError, ValueError):
        return found.data.rstrip(b"\0").decode("latin-1")
