"""What one operation makes of one volume: a pure decision, the same for every store.

change   volume         row says                                   result      effect
any      -              a value a field cannot hold                INVALID     -
CREATE   exists         -                                          EXISTS      -
         missing        a deletion newer than the plan's base      CONFLICT    -
         missing        -                                          OK          target = given or the media's default
UPDATE   missing        -                                          NOT_FOUND   -
CONFIRM  changed since the base, by another run                    CONFLICT    -
         as the row says                                           UNCHANGED   -
         locked L, or the media type is; no administrator          FORBIDDEN   -
UPDATE   locked l       another repository                         FORBIDDEN   -
         exists         another repository                         OK          the *target* changes; moving
         moving         the repository it is to leave              OK          cancelled: target = current, flag W
         exists         another field                              OK          it is set
CONFIRM  exists         its target                                 OK          current = confirmed = target, no W
         exists         another repository                         INVALID     -

Flags M and D are derived: a volume with a current repository moves when its target is another, and has a move date or
not (server.md, Volumes). That a confirmation takes the warning W away is ours; so is that a volume's repository cannot
be unset, and what else a media type may refuse. What containers add is in sql_contents, attributes in sql_attributes.
"""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from mailsync.core.fields import (
    ATTRIBUTE,
    FIELD_BY_NAME,
    FIELD_NAMES,
    LAST_ATTRIBUTE,
    NO,
    SYNC_FIELDS,
    YES,
    Field,
    Kind,
    same_value,
)
from mailsync.core.model import VOLUME, Scope, Volume, parse_scope
from mailsync.core.outcome import Change, Operation, Result, RowResult
from mailsync.server.access import matches

LOCKED, UNMOVABLE, MOVING, WARNING, DATED, CONTAINER = "L", "l", "M", "W", "D", "B"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z", re.ASCII)
_FLAGS = re.compile(r"[A-Za-z]*\Z", re.ASCII)
# Control characters but the tab, and lone surrogates, which no encoding carries.
_UNSTORABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_INDEX = {name: index for index, name in enumerate(FIELD_NAMES)}
_SETTABLE = frozenset(SYNC_FIELDS)
_OK, _UNCHANGED, _EXISTS = RowResult(Result.OK), RowResult(Result.UNCHANGED), RowResult(Result.EXISTS, "already there")


class Terms(NamedTuple):
    """What holds for all volumes of a scope: the data clusters there are, that it is locked, and who asks."""

    clusters: Container[str] = ()
    locked: bool = False
    administrator: bool = False


class Standing(NamedTuple):
    """What an operation is judged against, beside the volume itself.

    `newer` is true when the volume (or its deletion) is newer than the batch's base and not of the batch's own run.
    """

    repositories: Container[str]
    default_repository: str
    newer: bool
    terms: Terms = Terms()


class Barcode(NamedTuple):
    """A volume by its fully qualified name. `str()` is `US01.LTO.A00001`."""

    scope: Scope
    volume: str

    def __str__(self) -> str:
        return f"{self.scope}.{self.volume}"


def change_volume(volume: Volume | None, operation: Operation, standing: Standing) -> tuple[Volume | None, RowResult]:
    """The volume after the operation, and what became of it; the volume is the same object unless OK."""
    fault = _operation_fault(operation, standing)
    if fault:
        return volume, RowResult(Result.INVALID, fault)
    if operation.change is Change.CREATE:
        return _create(volume, operation, standing)
    if volume is None:
        return None, RowResult(Result.NOT_FOUND, "no such volume")
    if standing.newer:
        return volume, RowResult(Result.CONFLICT, "changed since the plan was made")
    if operation.change is Change.CONFIRM:
        return _confirm(volume, operation.values[0], standing.terms)
    return _update(volume, operation, standing.terms)


def lock_fault(volume: Volume, terms: Terms) -> str:
    """Why nothing of the volume may be changed, `""` when it may."""
    if terms.administrator:
        return ""
    if terms.locked:
        return "the media type is locked"
    return "the volume is locked" if LOCKED in volume.flags else ""


def addition_fault(name: str, volume_filter: str, cap: int, volumes: int) -> str:
    """Why a media type that has so many volumes takes no volume of this name, `""` when it does."""
    if volume_filter and not matches(volume_filter, name):
        return f"the media type takes only volumes like {volume_filter}"
    if cap and volumes >= cap:
        return f"the media type is full: it has at most {cap} volumes"
    return ""


def parse_barcode(text: str) -> Barcode | None:
    """The volume that `US01.LTO.A00001` names, None when the text is no such barcode."""
    scope, _, volume = text.rpartition(".")
    found = parse_scope(scope)
    return Barcode(found, volume) if found and VOLUME.match(volume) else None


def field_named(name: str) -> Field | None:
    """The field of a volume, or its attribute `attribute_1` to `attribute_200`; None for another name."""
    return FIELD_BY_NAME.get(name)


def attribute_number(name: str) -> int:
    """The number of `attribute_7`; 0 for a name that is none of them."""
    digits = name.removeprefix(ATTRIBUTE)
    plain = name.startswith(ATTRIBUTE) and digits.isascii() and digits.isdigit() and digits[0] != "0"
    return int(digits) if plain and len(digits) <= 3 and int(digits) <= LAST_ATTRIBUTE else 0


def value_fault(field: Field, value: str) -> str:
    """Why a field cannot hold a text, `""` when it can: longest values and canonical forms of core.fields."""
    if not value:
        return ""
    if len(value) > field.longest:
        return f"{field.name}: {len(value)} characters, at most {field.longest}"
    if not value.isascii() or not value.isprintable():
        found = _UNSTORABLE.search(value)
        if found:
            return f"{field.name}: holds the character U+{ord(found[0]):04X}"
    if field.kind is Kind.DATE and not _is_date(value):
        return f'{field.name}: "{value}" is not a date such as 2026-01-31'
    if field.kind is Kind.TIME and not _is_time(value):
        return f'{field.name}: "{value}" is not a time such as 2026-01-31T18:30:00Z'
    if field.kind is Kind.FLAG and value not in (YES, NO):
        return f'{field.name}: "{value}" is neither yes nor no'
    if field.name == "flags" and not _FLAGS.match(value):
        return f'flags: "{value}" is not letters only'
    if field.name == "container" and parse_barcode(value) is None:
        return f'container: "{value}" is not a barcode such as US01.BOX.BOX001'
    return ""


def settled_flags(volume: Volume) -> Volume:
    """The volume with its flags sorted, each once; M present exactly when it is moving, D when it has a move date."""
    moving = volume.current_repository not in ("", volume.repository)
    flags = _sorted_flags(volume.flags, moving, volume.move_date != "")
    return volume if flags == volume.flags else volume._replace(flags=flags)


@lru_cache(maxsize=4096)
def _sorted_flags(flags: str, moving: bool, dated: bool) -> str:  # noqa: FBT001 - positional, as the cache is fastest
    letters = set(flags) - {MOVING, DATED}
    return "".join(sorted(letters.union(MOVING if moving else "", DATED if dated else "")))


def _create(volume: Volume | None, operation: Operation, standing: Standing) -> tuple[Volume | None, RowResult]:
    if volume is not None:
        return volume, _EXISTS
    if standing.newer:
        return None, RowResult(Result.CONFLICT, "deleted since the plan was made")
    fault = lock_fault(Volume(), standing.terms)
    if fault:
        return None, RowResult(Result.FORBIDDEN, fault)
    values = dict(zip(operation.fields, operation.values, strict=True))
    if not values.get("repository"):
        values["repository"] = standing.default_repository
    return settled_flags(Volume(**values)), _OK


def _update(volume: Volume, operation: Operation, terms: Terms) -> tuple[Volume, RowResult]:
    differs = [
        (name, want)
        for name, want in zip(operation.fields, operation.values, strict=True)
        if not same_value(FIELD_BY_NAME[name].kind, volume[_INDEX[name]], want)
    ]
    if not differs:
        return volume, _UNCHANGED
    fault = lock_fault(volume, terms)
    if fault:
        return volume, RowResult(Result.FORBIDDEN, fault)
    values = dict(differs)
    target = values.get("repository", volume.repository)
    if target != volume.repository:
        if UNMOVABLE in volume.flags:
            return volume, RowResult(Result.FORBIDDEN, "the volume may not be moved")
        if not target:
            return volume, RowResult(Result.INVALID, "repository: a volume's repository cannot be unset")
        if target == volume.current_repository:
            values["flags"] = volume.flags + WARNING
    return settled_flags(volume._replace(**values)), _OK


def _confirm(volume: Volume, seen: str, terms: Terms) -> tuple[Volume, RowResult]:
    if seen != volume.repository:
        text = f"seen in {seen}, but should be in {volume.repository or 'no repository'}"
        return volume, RowResult(Result.INVALID, text)
    if volume.current_repository == volume.confirmed_repository == seen:
        return volume, _UNCHANGED
    fault = lock_fault(volume, terms)
    if fault:
        return volume, RowResult(Result.FORBIDDEN, fault)
    flags = volume.flags.replace(WARNING, "")
    return settled_flags(volume._replace(current_repository=seen, confirmed_repository=seen, flags=flags)), _OK


def _operation_fault(operation: Operation, standing: Standing) -> str:
    if not VOLUME.match(operation.volume):
        return "the volume's name is not 2 to 10 of A-Z, 0-9 and dash"
    if operation.change is Change.CONFIRM:
        if operation.fields != ("confirmed_repository",) or not operation.values[0]:
            return "a confirmation names one repository and nothing else"
    elif not _SETTABLE.issuperset(operation.fields):
        name = next(name for name in operation.fields if name not in _SETTABLE)
        return f"{name}: not a field that a report may set"
    for name, value in zip(operation.fields, operation.values, strict=True):
        field = FIELD_BY_NAME[name]
        fault = value_fault(field, value)
        if fault:
            return fault
        if field.kind is Kind.REPOSITORY and value and value not in standing.repositories:
            return f'{name}: repository "{value}" is unknown'
        if name == "data_cluster" and value and value not in standing.terms.clusters:
            return f'{name}: data cluster "{value}" is unknown'
    return ""


def _is_date(text: str) -> bool:
    try:
        return _DATE.match(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        return _TIME.match(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False
