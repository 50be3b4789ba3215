"""JSON: an array of objects, at the top or where a path leads; the objects' keys are the columns.

Objects are decoded one by one as their rows are asked for, so that a row knows its line and no more than some are in
memory. What is no JSON is so found behind rows that were read: it is a flaw of the whole table, also where the array
is closed and what is around it is not, because a file that is cut short must not look like a shorter list.

Keys within keys are written with dots (`media.barcode`), eight deep; an array of plain values is its values with
commas between, which `split` can take apart. Numbers are their digits as written. A key that is there twice breaks its
row: nobody can tell which one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.header import Header
from mailsync.tables.labelled import Labelled, columns_of
from mailsync.tables.table import BLANKS, Chunk, Flaw

DEEPEST = 8
_CHUNK_ROWS = 500
_BLANKS = re.compile(r"[ \t\n\r]*")


class _FlawError(Exception):
    """What is wrong with the text, and in which line; never leaves this module."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


class _Twice(dict[str, Any]):
    """An object with a key that is there twice."""


def read_objects(text: str, layout: Layout, most: int) -> tuple[Header, Iterator[Chunk]]:
    """The keys as captions, at most so many, and the objects as rows."""
    try:
        start = _array(text, layout.path)
    except _FlawError as flaw:
        return Header(fault=str(flaw)), iter(())
    return columns_of(_chunks(text, start, layout.path), layout, most)


def _decoder() -> JSONDecoder:
    # Numbers as they are written: 007 and 1e9 are nobody's integers here, and long ones would take quadratic time.
    return JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


def _array(text: str, path: tuple[str, ...]) -> int:
    """Where the first element of the array at the path begins."""
    decoder, place = _decoder(), _skip(text, 0)
    for depth, key in enumerate(path):
        place = _member(decoder, text, place, key, ".".join(path[: depth + 1]))
    if text[place : place + 1] != "[":
        where = f'at "{".".join(path)}"' if path else "at the top"
        raise _FlawError(f"there is no array of rows {where}")
    return _skip(text, place + 1)


def _member(decoder: JSONDecoder, text: str, place: int, key: str, path: str) -> int:
    """Where the value of the object's key begins."""
    if text[place : place + 1] != "{":
        raise _FlawError(f'there is no "{path}"')
    place = _skip(text, place + 1)
    while text[place : place + 1] == '"':
        name, place = _value(decoder, text, place)
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            break
        place = _skip(text, place + 1)
        if name == key:
            return place
        place = _skip(text, _value(decoder, text, place)[1])
        place = _skip(text, place + (text[place : place + 1] == ","))
    raise _FlawError(f'there is no "{path}"')


def _check_rest(text: str, place: int, path: tuple[str, ...]) -> None:
    """Raises _FlawError unless the objects around the array are JSON, without its key again, and the text ends then."""
    decoder = _decoder()
    for key in reversed(path):
        while text[place : place + 1] == ",":
            start = _skip(text, place + 1)
            if text[start : start + 1] != '"':
                raise _not_json(text, start)
            name, place = _value(decoder, text, start)
            place = _skip(text, place)
            if text[place : place + 1] != ":":
                raise _not_json(text, place)
            if name == key:
                raise _FlawError(f'the key "{key}" is there twice', _line(text, start))
            place = _skip(text, _value(decoder, text, _skip(text, place + 1))[1])
        if text[place : place + 1] != "}":
            raise _not_json(text, place)
        place = _skip(text, place + 1)
    if text[place:].strip(BLANKS):
        raise _FlawError("there is more behind the end of the JSON", _line(text, place))


def _not_json(text: str, place: int) -> _FlawError:
    line = _line(text, place)
    if place >= len(text):
        return _FlawError(f"the JSON breaks off in line {line}", line)
    return _FlawError(f"not JSON in line {line}", line)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _value(decoder: JSONDecoder, text: str, place: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, place)
    except RecursionError:
        raise _FlawError("not JSON: nested too deep", _line(text, place)) from None
    except ValueError as error:
        found = error if isinstance(error, JSONDecodeError) else JSONDecodeError("no value", text, place)
        if found.pos >= len(text) or found.msg.startswith("Unterminated"):
            raise _not_json(text, len(text)) from None
        raise _FlawError(f"not JSON in line {found.lineno}: {found.msg.lower()}", found.lineno) from None


def _skip(text: str, place: int) -> int:
    blank = _BLANKS.match(text, place)
    return blank.end() if blank else place


class _Row(NamedTuple):
    row: dict[str, str]
    raw: str
    line: int
    fault: str = ""


def _chunks(text: str, place: int, path: tuple[str, ...]) -> Iterator[Labelled]:
    rows: list[_Row] = []
    flaw = None
    try:
        for row in _rows(text, place, path):
            rows.append(row)
            if len(rows) == _CHUNK_ROWS:
                yield _labelled(rows)
                rows = []
    except _FlawError as error:
        flaw = Flaw(error.line, str(error))
    last = _labelled(rows)
    yield last._replace(chunk=last.chunk._replace(flaw=flaw))


def _labelled(rows: list[_Row]) -> Labelled:
    broken = tuple((place, row.fault) for place, row in enumerate(rows) if row.fault)
    chunk = Chunk([[]] * len(rows), [row.raw for row in rows], [row.line for row in rows], broken)
    return Labelled(chunk, [row.row for row in rows])


def _rows(text: str, place: int, path: tuple[str, ...]) -> Iterator[_Row]:
    """The array's elements. Raises _FlawError behind them when the text is no JSON up to its end."""
    decoder = _decoder()
    line, counted = 1, 0
    more = text[place : place + 1] != "]"
    while more:
        line += text.count("\n", counted, place)
        counted = place
        value, end = _value(decoder, text, place)
        yield _row(value, text[place:end], line)
        place = _skip(text, end)
        more = text[place : place + 1] == ","
        if more:
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise _not_json(text, place)
    _check_rest(text, _skip(text, place + 1), path)


def _row(value: object, raw: str, line: int) -> _Row:
    if not isinstance(value, dict):
        return _Row({}, raw, line, "not an object")
    row: dict[str, str] = {}
    fault = _flatten(value, "", row, DEEPEST)
    return _Row(row, raw, line, fault)


def _flatten(value: dict[str, Any], path: str, row: dict[str, str], depth: int) -> str:
    """Adds the object's plain values under their dotted keys; what is wrong with it, or nothing."""
    if isinstance(value, _Twice):
        return "a key is there twice"
    if not depth:
        return f"nested more than {DEEPEST} deep"
    for key, one in value.items():
        if isinstance(one, dict):
            fault = _flatten(one, f"{path}{key}.", row, depth - 1)
            if fault:
                return fault
        elif isinstance(one, list):
            row[path + key] = ", ".join(_text(item) for item in one if not isinstance(item, dict | list))
        else:
            row[path + key] = _text(one)
    return ""


def _text(value: object) -> str:
    """A plain value as text: null is empty, true and false are words."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
