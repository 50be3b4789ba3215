"""Old Excel workbooks (.xls, [MS-XLS], BIFF8: Excel 97 to 2003): the sheets and their rows as text.

    the workbook's records      texts, number formats, and where each sheet begins: read once
    a sheet's records           its cells; where they are not in the order of rows they are sorted by their places

Cells become what they would be in an .xlsx. Only the records named here are looked at: formulas, names, pictures and
macros, by which a reader can be made slow, are bytes to step over (docs/decisions/0008).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, partial
from itertools import pairwise
from struct import unpack, unpack_from
from typing import NamedTuple

from mailsync.tables.biff import Pieces, Record, Stream
from mailsync.tables.compound import compound_stream
from mailsync.tables.package import FlawError
from mailsync.tables.sheet import EPOCH, EPOCH_1904, Growing, Sheet, SheetRow, moment_text, number_text, shows_dates

MOST_BYTES = 100_000_000
MOST_TEXTS = 2_000_000
_MOST_FORMS = 100_000
_VERSION = 0x600
_SHEET, _FORM, _XF, _TEXTS, _PASSWORD, _SINCE_1904 = 0x85, 0x41E, 0xE0, 0xFC, 0x2F, 0x22
_FORMULA, _NUMBER, _LABEL, _RICH_LABEL, _TEXT, _FLAG = 0x06, 0x203, 0x204, 0xD6, 0xFD, 0x205
_SHORT, _SHORTS, _RESULT, _ROW = 0x27E, 0xBD, 0x207, 0x208
_ROW_HIDDEN, _SHEET_HIDDEN = 0x20, 0x03
# How long each has to be, so that no record is read beyond its end.
_CELLS = {_FORMULA: 14, _NUMBER: 14, _LABEL: 9, _RICH_LABEL: 9, _TEXT: 10, _FLAG: 8, _SHORT: 10, _SHORTS: 12}
_GLOBALS = {_SHEET: 8, _FORM: 5, _XF: 4, _TEXTS: 8, _SINCE_1904: 2}
_SHORTER = "a record is shorter than it should be"
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


class _Book(NamedTuple):
    """The stream, its bytes, and what cells refer to: texts, which formats are dates, the day dates count from."""

    records: Stream
    stream: bytes
    texts: Callable[[], list[str]]
    dates: frozenset[int]
    epoch: datetime


def xls_sheets(content: bytes, most: int) -> list[Sheet]:
    """The sheets in their order, at most so many columns each. Raises FlawError."""
    if len(content) > MOST_BYTES:
        raise FlawError(f"it has more than {MOST_BYTES} bytes")
    return _sheets(Stream(compound_stream(content, ("Workbook", "Book"))), most)


def _sheets(records: Stream, most: int) -> list[Sheet]:
    stream = records.content
    if len(stream) < 8 or unpack_from("<H", stream, 4)[0] != _VERSION:
        raise FlawError("it is older than Excel 97")
    named: list[tuple[str, int, bool]] = []
    forms: dict[int, str] = {}
    styles: list[int] = []
    texts: Record | None = None
    epoch = EPOCH
    for record in _globals(records):
        kind, start, _ = record
        if kind == _SHEET:
            at, state, sort, length = unpack_from("<IBBB", stream, start)
            if sort == 0:  # neither a chart nor a macro's
                named.append((Pieces(stream, record, 7).text(length), at, bool(state & _SHEET_HIDDEN)))
        elif kind == _FORM:
            number, length = unpack_from("<HH", stream, start)
            forms[number] = Pieces(stream, record, 4).text(length)
        elif kind == _XF and len(styles) < _MOST_FORMS:
            styles.append(unpack_from("<H", stream, start + 2)[0])
        elif kind == _TEXTS:
            texts = record
        elif kind == _SINCE_1904:
            epoch = EPOCH_1904 if unpack_from("<H", stream, start)[0] else EPOCH
    dates = frozenset(place for place, form in enumerate(styles) if shows_dates(form, forms.get(form, "")))
    book = _Book(records, stream, cache(partial(_texts, stream, texts)), dates, epoch)
    return [Sheet(name, partial(_rows, book, at, most), hidden) for name, at, hidden in named]


def _globals(stream: Stream) -> Iterator[Record]:
    """The workbook's own records that matter."""
    for record in stream.records(0):
        if record.kind == _PASSWORD:
            raise FlawError("it has a password")
        if record.kind in _GLOBALS:
            if record.end - record.start < _GLOBALS[record.kind]:
                raise FlawError(_SHORTER)
            yield record


def _texts(stream: bytes, record: Record | None) -> list[str]:
    """The texts that cells share."""
    if record is None:
        return []
    (count,) = unpack_from("<I", stream, record.start + 4)
    if count > MOST_TEXTS:
        raise FlawError(f"it has more than {MOST_TEXTS} texts")
    pieces = Pieces(stream, record, 8)
    return [pieces.text(pieces.number(2)) for _ in range(count)]


def _rows(book: _Book, at: int, most: int) -> Iterator[SheetRow]:
    """The rows of the sheet that begins there."""
    growing = Growing(most)
    reading = _Cells(book, growing)
    last = -1
    places, hidden = _places(book.records, at)
    for start in places:
        row = unpack_from("<H", book.stream, start)[0]
        if row != last:
            if last >= 0:
                growing.end()
                yield from growing.taken()
            growing.begin(row + 1, hidden=row in hidden)
            last = row
        reading.put(start)
    if last >= 0:
        growing.end()
    yield from growing.taken()


def _places(stream: Stream, at: int) -> tuple[array[int], set[int]]:
    """Where the records of cells are, by row and column: programs write them in the order they like. Hidden rows."""
    places = array("Q")
    hidden = set()
    for kind, start, end in stream.records(at):
        if kind == _ROW and end - start >= 16 and stream.content[start + 12] & _ROW_HIDDEN:
            hidden.add(unpack_from("<H", stream.content, start)[0])
        if kind in _CELLS:
            if end - start < _CELLS[kind] or (kind == _SHORTS and (end - start) % 6):
                raise FlawError(_SHORTER)
            row, column = unpack_from("<HH", stream.content, start)
            places.append(row << 48 | column << 32 | start)
    if any(before > after for before, after in pairwise(places)):
        places = array("Q", sorted(places))
    for index, place in enumerate(places):
        places[index] = place & 0xFFFFFFFF
    return places, hidden


class _Cells:
    """Puts cells into the row that grows."""

    def __init__(self, book: _Book, growing: Growing) -> None:
        self._book = book
        self._growing = growing

    def put(self, start: int) -> None:
        """The cell, or the cells, of the record whose content begins there."""
        stream, growing = self._book.stream, self._growing
        kind, length = unpack_from("<HH", stream, start - 4)
        _, column, style = unpack_from("<HHH", stream, start)
        growing.place(column)
        if kind == _SHORTS:
            for at in range(start + 4, start + length - 6, 6):
                style, short = unpack_from("<HI", stream, at)
                growing.put(self._shown(_unshortened(short), style))
        elif kind == _SHORT:
            growing.put(self._shown(_unshortened(unpack_from("<I", stream, start + 6)[0]), style))
        elif kind == _NUMBER:
            growing.put(self._shown(unpack_from("<d", stream, start + 6)[0], style))
        elif kind == _TEXT:
            growing.put(self._text(unpack_from("<I", stream, start + 6)[0]))
        elif kind == _FLAG:
            growing.put(_flag(*unpack_from("<BB", stream, start + 6)))
        elif kind == _FORMULA:
            growing.put(self._result(start, length, style))
        else:
            record = Record(kind, start, start + length)
            growing.put(Pieces(stream, record, 8).text(unpack_from("<H", stream, start + 6)[0]).strip())

    def _text(self, place: int) -> str:
        texts = self._book.texts()
        if place >= len(texts):
            raise FlawError("a cell refers to a text that is not there")
        return texts[place]

    def _result(self, start: int, length: int, style: int) -> str:
        """What a formula gave when it was last worked out."""
        stream = self._book.stream
        sort, value, mark = unpack_from("<BxBxxxH", stream, start + 6)
        if mark != 0xFFFF:
            return self._shown(unpack_from("<d", stream, start + 6)[0], style)
        if sort in (1, 2):
            return _flag(value, sort - 1)
        if sort == 3:
            return ""
        return self._text_behind(start + length)

    def _text_behind(self, at: int) -> str:
        """The text in the record that follows the formula's, or the one behind what formulas share."""
        stream = self._book.stream
        for _ in range(2):
            if at + 4 > len(stream):
                break
            kind, length = unpack_from("<HH", stream, at)
            start, at = at + 4, at + 4 + length
            if kind == _RESULT and length > 2 and at <= len(stream):
                record = Record(kind, start, at)
                return Pieces(stream, record, 2).text(unpack_from("<H", stream, start)[0])
        raise FlawError("the text of a formula is not there")

    def _shown(self, value: float, style: int) -> str:
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return (style in self._book.dates and moment_text(self._book.epoch, text)) or number_text(text)


def _unshortened(short: int) -> float:
    """A number in four bytes: 30 bits of a whole number, or the first 30 of a float; perhaps a hundredth of it."""
    if short & 2:
        value = float((short >> 2) - ((short & 0x80000000) >> 1))
    else:
        value = unpack("<d", b"\x00\x00\x00\x00" + (short & 0xFFFFFFFC).to_bytes(4, "little"))[0]
    return value / 100 if short & 1 else value


def _flag(value: int, is_error: int) -> str:
    if is_error:
        return _ERRORS.get(value, "#ERROR")
    return "TRUE" if value else "FALSE"
