"""The YAML of a proposed definition: what it was made of, beside every line that a person may want to change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mailsync.definition.cells import shown
from mailsync.definition.filters import Filter, compile_filter
from mailsync.definition.learn_candidate import Candidate, content_filter
from mailsync.definition.learn_columns import Role, Roles, volume_like
from mailsync.definition.learn_shapes import first_volume

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+)*\Z", re.ASCII)
_MOST_SHAPES = 8
_ALSO = ": VOLUMES TOO? Only one column of them is read"
_NAMING = 3  # letters of a file's name that tell it from others
_ANY, _DIGIT = "[A-Z0-9]", "[0-9]"
_NUMBERED = 6
_SUFFIXED = frozenset((6, 8))
_DISK = ("/*", "?:[\\]*")


class Told(NamedTuple):
    """What is written: the definition's name, the report's and its first lines, and what was found out about it."""

    name: str
    report: str
    lines: Sequence[str]
    candidate: Candidate
    found: Roles
    duplicates: str = ""


def written(told: Told) -> str:
    """The definition's text."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Told) -> Iterator[str]:
    candidate, found = told.candidate, told.found
    volume = found.roles[0]
    yield f"# Proposed by mailsync definitions learn, from {shown(told.report)}. Read it before it is used: what is a"
    yield "# guess says so, and a wrong repository moves tapes. docs/definitions.md has every key."
    yield f"name: {_value(told.name)}"
    yield f"claim: {_claim(told)}  # which reports it reads: say it as precisely as you can"
    settings = candidate.table | ({"split": _split(candidate, volume, found.split)} if found.split else {})
    words = settings["kind"] == "lines" and len(candidate.columns) > 1
    yield f"table: {_value(settings)}" + ("  # a line of more or fewer words is left out" if words else "")
    yield "skip:"
    yield '  - {field: volume, matches: "CLN*", reason: cleaning tape}'
    yield from _skips(candidate, volume)
    if told.duplicates:
        yield f"duplicates: {told.duplicates}  # some volumes are listed twice and differ: is the last one right?"
    yield "fields:"
    for role in found.roles:
        yield _field(candidate, role)
    if all(role.field != "repository" for role in found.roles):
        yield "  # Where volumes are was not found. One place for all: repository: {value: OFFS}; a title: source"
    also = [place for place in found.left if volume_like(candidate.column(place))]
    for place in found.left:
        cell = next(filter(None, candidate.column(place)), "")
        if cell:
            label = candidate.captions[place] or candidate.columns[place]
            yield f"  # not used: {_value(label)}, such as {shown(cell)}{_ALSO if place in also else ''}"


def _claim(told: Told) -> str:
    """The captions where there are any, else the file's name with other digits, whole where little would be left of it.

    A claim by the ending alone would take every report from the built-in definitions.
    """
    content = content_filter(told.candidate.line)
    compiled = compile_filter(content) if content else None
    if isinstance(compiled, Filter) and any(map(compiled.matches, told.lines)):
        return _value({"content": content})
    report = told.report.rpartition("/")[2]
    name = re.sub(r"[0-9]+", "*", report)
    if sum(map(str.isalpha, name.rpartition(".")[0] or name)) < _NAMING:
        name = report
    return _value({"attachment": re.sub(r"[?\[!]", "?", name)})


def _split(candidate: Candidate, volume: Role, at: str) -> dict[str, Any]:
    return {"column": candidate.columns[volume.place], "at": at}


def _skips(candidate: Candidate, volume: Role) -> Iterator[str]:
    """What else is no row: disk volumes, and what does not look like the other volumes."""
    cells = candidate.column(volume.place)
    if volume.also >= 0:
        pairs = zip(cells, candidate.column(volume.also), strict=True)
        cells = [cell if first_volume(cell) else other for cell, other in pairs]
    if any(cell.startswith("/") for cell in cells):
        yield f"  - {{field: volume, matches: {_value(_DISK[0])}, reason: disk volume}}"
    if any(cell[1:3] == ":\\" for cell in cells):
        yield f"  - {{field: volume, matches: {_value(_DISK[1])}, reason: disk volume}}"
    if candidate.loose or any(cell and not first_volume(cell) for cell in cells):
        shapes = _shapes([found for cell in cells if (found := first_volume(cell))])
        yield f"  - {{field: volume, unless: {_value(shapes)}, reason: no volume}}  # their lengths, and a digit"


def _shapes(volumes: Sequence[str]) -> list[str]:
    """Filters for volumes of the lengths of these, with a digit where all of these have the last one of their number.

    Nothing else of them is asked: a prefix that was not seen yet must not be left out. Of six characters and a suffix
    of the medium, either may come without the other.
    """
    found = []
    lengths = {len(volume) for volume in volumes}
    for length in sorted(lengths)[:_MOST_SHAPES]:
        places = zip(*(volume for volume in volumes if len(volume) == length), strict=True)
        digits = [all(map(str.isdigit, characters)) for characters in places]
        found.append(_shape(length, _last(digits[:_NUMBERED]) if any(digits[:_NUMBERED]) else _last(digits)))
    if len(lengths) == 1 and lengths <= _SUFFIXED:
        at = found[0].find(_DIGIT) // len(_ANY)
        found += [_shape(length, at) for length in _SUFFIXED - lengths if 0 <= at < _NUMBERED]
    return found


def _last(digits: Sequence[bool]) -> int:
    return max((place for place, digit in enumerate(digits) if digit), default=-1)


def _shape(length: int, digit: int) -> str:
    """A filter for texts of that length, with a digit at that place (-1: at none)."""
    return "".join(_DIGIT if place == digit else _ANY for place in range(length))


def _field(candidate: Candidate, role: Role) -> str:
    settings: dict[str, Any] = {"column": candidate.columns[role.place]}
    if role.also >= 0:
        settings = {"join": [settings, {"column": candidate.columns[role.also]}]}
    settings |= dict(role.settings)
    remark = f"  # {role.remark}" if role.remark else ""
    if role.proposed:
        return f"  # {role.field}: {_value(settings)}{remark}"
    return f"  {role.field}: {_value(settings)}{remark}"


def _value(value: Any) -> str:  # noqa: ANN401 - whatever YAML can say
    """The value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str) and not _PLAIN.match(value):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return str(value)
