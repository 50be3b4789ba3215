"""Step 2 of the evaluation order: which records of a table are rows.

a record                                        is
after one that matches `terminate`              left out: after the end
one of the `rows` a heading has                 left out: header; fields may be read from it
one that a heading's filter matches             left out: header, the first of its records
one that matches `terminate`                    left out: the end
outside, one that matches `start`               left out; the records after it are rows
outside, any other                              left out: outside
inside, one that matches `start` or `end`       left out; `end`: the records after it are outside
inside, any other                               a row

A report begins outside when there is a `start`, else inside. Headings are seen outside too, because that is where
they often are. TapeTrack's manual does not say whether the records that match are rows: that they are not is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.definition.cells import Odd, skipped
from mailsync.definition.filters import Filter
from mailsync.definition.model import Definition, Skip, Take
from mailsync.definition.table import Chunk

_BLANK = Odd(skip=True, text="blank")
_HEADER = Odd(skip=True, text="header")
_OUTSIDE = Odd(skip=True, text="outside start and end")
_AFTER = Odd(skip=True, text="after the end of the list")


class Sieve:
    """What has been seen of a table so far; asked for each of its chunks once, in order."""

    def __init__(self, definition: Definition) -> None:
        self._heading = definition.heading
        self._stretches = definition.stretches
        self._idle = not (self._heading.filters or any(self._stretches))
        self._left = 0
        self._header: tuple[str, ...] = ()
        self._inside = not self._stretches.start
        self._ended = False
        self._headers: list[tuple[int, tuple[str, ...]]] = []

    def sift(self, chunk: Chunk) -> dict[int, Odd]:
        """The records of the chunk that are no rows, by index."""
        if self._idle:
            return {}
        self._headers = [(0, self._header)]
        first = _matching(self._heading.filters, chunk.raw)
        start, end, terminate = (_matching(filters, chunk.raw) for filters in self._stretches)
        found = {}
        for index, raw in enumerate(chunk.raw):
            if self._ended:
                found[index] = _AFTER
            elif self._left or index in first:
                found[index] = _HEADER
                self._note_header(index, raw)
            elif index in terminate:
                self._ended = True
                found[index] = _AFTER
            elif not self._inside or index in start or index in end:
                found[index] = _OUTSIDE
                self._inside = index in start or (self._inside and index not in end)
        return found

    def header_column(self, take: Take, rows: int) -> list[str]:
        """The text that `take` finds in the last header, for each record of the chunk sifted last."""
        column: list[str] = []
        ends = [at for at, _ in self._headers[1:]] + [rows]
        for (_, header), end in zip(self._headers, ends, strict=True):
            record = header[take.heading - 1] if len(header) >= take.heading else ""
            column += [record[take.start : take.end]] * (end - len(column))
        return column

    def _note_header(self, index: int, raw: str) -> None:
        if not self._left:
            self._header, self._left = (), self._heading.rows
        self._left -= 1
        self._header += (raw,)
        self._headers.append((index, self._header))


def left_out(skips: Sequence[Skip], chunk: Chunk, padding: str) -> dict[int, Odd]:
    """The rows whose raw text is excluded, by the first exclusion that matches, or blank."""
    found = dict.fromkeys([index for index, raw in enumerate(chunk.raw) if not raw.strip(padding)], _BLANK)
    for skip in reversed(skips):
        if not skip.field:
            found |= dict.fromkeys(skipped(skip, chunk.raw), Odd(skip=True, text=skip.reason))
    return found


def _matching(filters: Sequence[Filter], column: Sequence[str]) -> set[int]:
    return {index for one in filters for index in one.matching(column)}
