"""Volumes as CSV, in and out: what `server load` reads and `server export` writes (server.md, Loading and exporting).

Columns, in the order of export: customer, media, volume, then `core.fields.VOLUME_FIELDS`, then attributes such as
`attribute_7`. A load may have any subset in any order, with the first three among them; empty = unset; dates are ISO.
UTF-8, with or without a byte order mark; export ends lines with LF. Rows are read one at a time, and a row that is off
is a `LoadFault` with its line in place of a `LoadRow`, so that all of a file's faults are found in one go. A column
whose caption is nearly right is checked as what it was meant to be, so that faults of the first line do not hide those
of the rows.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from mailsync.core.fields import ATTRIBUTE, FIELD_NAMES, KEY_FIELDS, LAST_ATTRIBUTE
from mailsync.core.model import VOLUME, Scope, Volume, parse_scope
from mailsync.server.rules import attribute_number, field_named, value_fault
from mailsync.server.store import LoadFault, LoadRow

HEADER = (*KEY_FIELDS, *FIELD_NAMES)
_FORMS = (  # how a file begins that is no text in UTF-8, decoded with surrogateescape
    ("\x1f\udc8b", "gzip: uncompress it first"),
    ("PK\x03\x04", "a zip archive or a spreadsheet: save it as CSV first"),
    ("\udcff\udcfe", "UTF-16: convert it to UTF-8 first"),
    ("\udcfe\udcff", "UTF-16: convert it to UTF-8 first"),
)
_SIGNS = {";": '";"', "\t": "tabs", "|": '"|"'}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_STAND_INS = {"customer": "X", "media": "X", "volume": "X0"}  # for a key without a column, to look at the others


class Reading(NamedTuple):
    """A CSV file being read: the fields it names, and its rows as they come.

    `faults` is what is wrong with its first line; where there are some, only the faults among the rows mean anything.
    """

    fields: tuple[str, ...]
    rows: Iterator[LoadRow | LoadFault]
    faults: tuple[LoadFault, ...] = ()


def read_volumes(lines: Iterable[str]) -> Reading:
    """The fields and rows of a CSV text given as its lines, ends kept, and what is wrong with its caption line.

    Decode with errors="surrogateescape": what is not UTF-8 becomes a fault of its row. Values are checked against
    core.fields; whether scopes and repositories exist is the store's business.
    """
    lines = iter(lines)
    first = next(lines, "").removeprefix("\ufeff")
    reader = csv.reader(chain((first,), lines), strict=True)
    try:
        captions = tuple(next(reader, ()))
    except csv.Error as error:
        return _unreadable(f"not CSV: {error}")
    form = _form(first) or _cut(captions)
    if form:
        return _unreadable(form)
    columns = tuple(map(_meant, captions))
    faults = tuple(LoadFault(1, text) for text in _caption_faults(captions, columns))
    fields = tuple(dict.fromkeys(name for name in columns if field_named(name)))
    return Reading(fields, _rows(lines, reader.line_num, _RowReader(columns, fields)), faults)


def write_volumes(scope: Scope, volumes: Iterable[tuple[str, Volume]]) -> Iterator[str]:
    """The lines of an export: the captions, then one line per volume, in the order given."""
    return _written(HEADER, ((*scope, name, *volume) for name, volume in volumes))


def write_attributes(
    scope: Scope, numbers: Sequence[int], volumes: Iterable[tuple[str, Volume, Mapping[int, str]]]
) -> Iterator[str]:
    """The same with a column for each of the attributes."""
    captions = (*HEADER, *(f"{ATTRIBUTE}{number}" for number in numbers))
    rows = (
        (*scope, name, *volume, *(attributes.get(number, "") for number in numbers))
        for name, volume, attributes in volumes
    )
    return _written(captions, rows)


def _written(captions: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    for row in chain((captions,), rows):
        writer.writerow(row)
        yield line.text


def _unreadable(text: str) -> Reading:
    return Reading((), iter(()), (LoadFault(1, text),))


def _form(first: str) -> str:
    """What the file is instead of CSV in UTF-8, by its first line; empty when nothing tells."""
    named = next((text for start, text in _FORMS if first.startswith(start)), "")
    if not named and "\0" in first:
        named = "UTF-16, or no text at all: convert it to UTF-8 first"
    return f"the file is {named}" if named else ""


def _cut(captions: tuple[str, ...]) -> str:
    """That the columns are cut by another sign than the comma; empty when they are not."""
    line = captions[0] if len(captions) == 1 else ""
    for sign, shown in _SIGNS.items():
        if any(map(_meant, line.split(sign)[1:])):
            return f'the line looks cut by {shown}: columns must be cut by ","'
    return ""


def _meant(caption: str) -> str:
    """The column that a caption names, or nearly names; empty for one that is like none."""
    if caption in HEADER or attribute_number(caption):
        return caption
    plain = "_".join(caption.casefold().split())
    if attribute_number(plain):
        return plain
    return next(iter(difflib.get_close_matches(plain, HEADER, n=1, cutoff=0.8)), "")


def _caption_faults(captions: tuple[str, ...], columns: tuple[str, ...]) -> Iterator[str]:
    """Everything wrong with the first line; the known columns are listed once, where that may help."""
    missing = [name for name in KEY_FIELDS if name not in columns]
    for name in missing:
        yield f'no column "{name}": the first line names the columns'
    for position, (caption, column) in enumerate(zip(captions, columns, strict=True), 1):
        if caption != column:
            unknown = f"column {position}: {caption!r} is unknown"
            yield f'{unknown}; did you mean "{column}"?' if column else unknown
        elif caption in columns[: position - 1]:
            yield f"column {position}: {caption!r} is there twice"
    if missing or not all(columns):
        yield f"known columns are: {', '.join(HEADER)}, and {ATTRIBUTE}1 to {ATTRIBUTE}{LAST_ATTRIBUTE}"


def _rows(lines: Iterator[str], before: int, read: _RowReader) -> Iterator[LoadRow | LoadFault]:
    reader = csv.reader(lines, strict=True)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # the reader goes on with the line after it
            yield LoadFault(line, f"not CSV: {error}")
            continue
        if cells:
            yield read(cells, line)


class _RowReader:
    """Turns the cells of a line into a row, or into what is wrong with it."""

    def __init__(self, columns: tuple[str, ...], fields: tuple[str, ...]) -> None:
        lacking = tuple(name for name in KEY_FIELDS if name not in columns)
        self._width = len(columns)
        self._more = [_STAND_INS[name] for name in lacking]
        self._order = [(*columns, *lacking).index(name) for name in (*KEY_FIELDS, *fields)]
        self._fields = [field for name in fields if (field := field_named(name))]
        self._scopes: dict[str, Scope | None] = {}

    def __call__(self, cells: list[str], line: int) -> LoadRow | LoadFault:
        if _NOT_UTF8.search("".join(cells)):
            return LoadFault(line, "the line is not UTF-8: save the file as UTF-8")
        if len(cells) != self._width:
            return LoadFault(line, f"{len(cells)} columns, where the first line names {self._width}")
        cells += self._more
        customer, media, volume, *values = [cells[index] for index in self._order]
        scope = self._scope(f"{customer}.{media}")
        if scope is None:
            text = f"{customer}.{media}"
            return LoadFault(line, f"{text!r} is not a scope: customer and media have 1 to 4 letters or digits")
        if not VOLUME.match(volume):
            return LoadFault(line, f"{volume!r} is not a volume: 2 to 10 of A-Z, 0-9 and dash, no dash first")
        faults = "; ".join(filter(None, map(value_fault, self._fields, values)))
        return LoadFault(line, faults) if faults else LoadRow(scope, volume, tuple(values), line)

    def _scope(self, text: str) -> Scope | None:
        if text not in self._scopes:
            self._scopes[text] = parse_scope(text)
        return self._scopes[text]


class _Line:
    """The file that csv.writer writes to: it keeps the last line."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text = text
