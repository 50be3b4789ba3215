"""The records of a BIFF8 stream ([MS-XLS] 2.1.4), and the texts in them.

A text too long for its record goes on in CONTINUE records, each of which says anew whether it has one byte or two per
character. Every step takes bytes, forwards, so that reading ends with the stream whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import NamedTuple

from mailsync.tables.package import FlawError

MOST_RECORDS = 10_000_000  # looked at in all: sheets may be said to begin anywhere, many at one place
BOF, EOF, CONTINUE = 0x809, 0x0A, 0x3C
_WIDE, _PHONETIC, _RICH = 1, 4, 8


class Record(NamedTuple):
    """A record's number, and where its content lies in the stream."""

    kind: int
    start: int
    end: int


class Stream:
    """The bytes of a stream, and the records in them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._left = MOST_RECORDS

    def records(self, at: int) -> Iterator[Record]:
        """The records of a substream: those from its beginning to its end, without those of others within it.

        Raises FlawError where the stream ends before.
        """
        content, depth = self.content, 0
        while at + 4 <= len(content):
            kind, length = unpack_from("<HH", content, at)
            start, at = at + 4, at + 4 + length
            self._left -= 1
            if at > len(content):
                break
            depth += (kind == BOF) - (kind == EOF)
            if depth <= 0:
                if kind == EOF:
                    return
                raise FlawError("a part of it does not begin as it should")
            if self._left < 0:
                raise FlawError(f"it has more than {MOST_RECORDS} records")
            if depth == 1 and kind != EOF:
                yield Record(kind, start, at)
        raise FlawError("it ends in the middle")


class Pieces:
    """What is in a record and in those that continue it. Raises FlawError when more is asked for than there is."""

    def __init__(self, stream: bytes, record: Record, offset: int) -> None:
        self._stream = stream
        self._at, self._end = record.start + offset, record.end
        if self._at > self._end:
            raise FlawError("a record is shorter than it should be")

    def number(self, size: int) -> int:
        """The next so many bytes as a number; they lie in one record."""
        if self._at == self._end:
            self._go_on()
        if self._at + size > self._end:
            raise FlawError("a number lies in two records")
        self._at += size
        return int.from_bytes(self._stream[self._at - size : self._at], "little")

    def text(self, characters: int) -> str:
        """The text of so many characters with what it says before and behind it of its form."""
        form = self.number(1)
        runs = self.number(2) if form & _RICH else 0
        phonetic = self.number(4) if form & _PHONETIC else 0
        parts = []
        while True:
            width = 2 if form & _WIDE else 1
            some = min(characters, (self._end - self._at) // width)
            part = self._stream[self._at : self._at + some * width]
            parts.append(part.decode("utf-16-le" if width == 2 else "latin-1", "replace"))
            self._at += some * width
            characters -= some
            if not characters:
                break
            self._go_on()
            form = self.number(1)
        self._skip(4 * runs + phonetic)
        return "".join(parts)

    def _skip(self, size: int) -> None:
        while size > self._end - self._at:
            size -= self._end - self._at
            self._go_on()
        self._at += size

    def _go_on(self) -> None:
        """To the record that continues this one."""
        kind, length = unpack_from("<HH", self._stream, self._end) if self._end + 4 <= len(self._stream) else (0, 0)
        if kind != CONTINUE or not length or self._end + 4 + length > len(self._stream):
            raise FlawError("a text ends in the middle")
        self._at, self._end = self._end + 4, self._end + 4 + length
