"""Volumes as CSV, in and out: what `server load` reads and `server export` writes (cli.md).

Columns, in the order of export: customer, media, volume, then `core.fields.VOLUME_FIELDS`. A load may have any subset
in any order, with the first three among them; empty = unset; dates are ISO. UTF-8, with or without a byte order mark;
export ends lines with LF. Rows are read one at a time, and a row that is off is a `LoadFault` with its line in place
of a `LoadRow`, so that all of a file's faults are found in one go.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, FIELD_NAMES, KEY_FIELDS
from mailsync.core.model import VOLUME, Scope, Volume, parse_scope
from mailsync.server.rules import value_fault
from mailsync.server.store import LoadFault, LoadRow

HEADER = (*KEY_FIELDS, *FIELD_NAMES)


class Reading(NamedTuple):
    """A CSV file being read: the fields it names, and its rows as they come."""

    fields: tuple[str, ...]
    rows: Iterator[LoadRow | LoadFault]


def read_volumes(lines: Iterable[str]) -> Reading | tuple[LoadFault, ...]:
    """The fields and rows of a CSV text given as its lines, ends kept; or what is wrong with its caption line.

    Decode with errors="surrogateescape": what is not UTF-8 becomes a fault of its row. Values are checked against
    core.fields; whether scopes and repositories exist is the store's business.
    """
    lines = iter(lines)
    reader = csv.reader(lines, strict=True)
    try:
        captions = tuple(next(reader, ()))
    except csv.Error as error:
        return (LoadFault(1, f"not CSV: {error}"),)
    if captions:
        captions = (captions[0].removeprefix("\ufeff"), *captions[1:])
    faults = tuple(LoadFault(1, text) for text in _caption_faults(captions))
    if faults:
        return faults
    fields = tuple(name for name in captions if name not in KEY_FIELDS)
    return Reading(fields, _rows(lines, reader.line_num, _RowReader(captions, fields)))


def write_volumes(scope: Scope, volumes: Iterable[tuple[str, Volume]]) -> Iterator[str]:
    """The lines of an export: the captions, then one line per volume, in the order given."""
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(HEADER)
    yield line.text
    for name, volume in volumes:
        writer.writerow((*scope, name, *volume))
        yield line.text


def _caption_faults(captions: tuple[str, ...]) -> Iterator[str]:
    for missing in (name for name in KEY_FIELDS if name not in captions):
        yield f'no column "{missing}": the first line names the columns'
    for position, name in enumerate(captions, 1):
        if name not in HEADER:
            yield f"column {position}: {name!r} is unknown; known are: {', '.join(HEADER)}"
        elif name in captions[: position - 1]:
            yield f"column {position}: {name!r} is there twice"


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

    def __init__(self, captions: tuple[str, ...], fields: tuple[str, ...]) -> None:
        self._width = len(captions)
        self._order = [captions.index(name) for name in (*KEY_FIELDS, *fields)]
        self._fields = [FIELD_BY_NAME[name] for name in fields]
        self._scopes: dict[str, Scope | None] = {}

    def __call__(self, cells: list[str], line: int) -> LoadRow | LoadFault:
        if len(cells) != self._width:
            return LoadFault(line, f"{len(cells)} columns, where the first line names {self._width}")
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
