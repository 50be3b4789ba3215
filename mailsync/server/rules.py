"""What one operation makes of one volume: a pure decision, the same for every store.

change   volume         row says                                   result      effect
any      -              a value a field cannot hold                INVALID     -
CREATE   exists         -                                          EXISTS      -
         missing        a deletion newer than the plan's base      CONFLICT    -
         missing        -                                          OK          target = given or the media's default
UPDATE   missing        -                                          NOT_FOUND   -
CONFIRM  changed since the base, by another run                    CONFLICT    -
         as the row says                                           UNCHANGED   -
         locked L       -                                          FORBIDDEN   -
UPDATE   locked l       another repository                         FORBIDDEN   -
         exists         another repository                         OK          the *target* changes; moving
         moving         the repository it is to leave              OK          cancelled: target = current, flag W
         exists         another field                              OK          it is set
CONFIRM  exists         its target                                 OK          current = confirmed = target, no W
         exists         another repository                         INVALID     -

Flag M is derived: a volume with a current repository moves when its target is another (domain.md). That a
confirmation takes the warning W away is ours; so is that a volume's repository cannot be unset.
"""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import date, datetime
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, FIELD_NAMES, NO, SYNC_FIELDS, YES, Field, Kind, same_value
from mailsync.core.model import VOLUME, Volume
from mailsync.core.outcome import Change, Operation, Result, RowResult

LOCKED, UNMOVABLE, MOVING, WARNING = "L", "l", "M", "W"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z", re.ASCII)
_FLAGS = re.compile(r"[A-Za-z]*\Z", re.ASCII)
# Control characters but the tab, and lone surrogates, which no encoding carries.
_UNSTORABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_INDEX = {name: index for index, name in enumerate(FIELD_NAMES)}
_SETTABLE = frozenset(SYNC_FIELDS)
_OK, _UNCHANGED, _EXISTS = RowResult(Result.OK), RowResult(Result.UNCHANGED), RowResult(Result.EXISTS, "already there")


class Standing(NamedTuple):
    """What an operation is judged against, beside the volume itself.

    `newer` is true when the volume (or its deletion) is newer than the batch's base and not of the batch's own run.
    """

    repositories: Container[str]
    default_repository: str
    newer: bool


def change_volume(volume: Volume | None, operation: Operation, standing: Standing) -> tuple[Volume | None, RowResult]:
    """The volume after the operation, and what became of it; the volume is the same object unless OK."""
    fault = _operation_fault(operation, standing.repositories)
    if fault:
        return volume, RowResult(Result.INVALID, fault)
    if operation.change is Change.CREATE:
        return _create(volume, operation, standing)
    if volume is None:
        return None, RowResult(Result.NOT_FOUND, "no such volume")
    if standing.newer:
        return volume, RowResult(Result.CONFLICT, "changed since the plan was made")
    if operation.change is Change.CONFIRM:
        return _confirm(volume, operation.values[0])
    return _update(volume, operation)


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
    return ""


def settled_flags(volume: Volume) -> Volume:
    """The volume with its flags sorted, each once, and M present exactly when it is moving."""
    letters = set(volume.flags) - {MOVING}
    if volume.current_repository and volume.current_repository != volume.repository:
        letters.add(MOVING)
    flags = "".join(sorted(letters))
    return volume if flags == volume.flags else volume._replace(flags=flags)


def _create(volume: Volume | None, operation: Operation, standing: Standing) -> tuple[Volume | None, RowResult]:
    if volume is not None:
        return volume, _EXISTS
    if standing.newer:
        return None, RowResult(Result.CONFLICT, "deleted since the plan was made")
    values = dict(zip(operation.fields, operation.values, strict=True))
    if not values.get("repository"):
        values["repository"] = standing.default_repository
    return Volume(**values), _OK


def _update(volume: Volume, operation: Operation) -> tuple[Volume, RowResult]:
    differs = [
        (name, want)
        for name, want in zip(operation.fields, operation.values, strict=True)
        if not same_value(FIELD_BY_NAME[name].kind, volume[_INDEX[name]], want)
    ]
    if not differs:
        return volume, _UNCHANGED
    if LOCKED in volume.flags:
        return volume, RowResult(Result.FORBIDDEN, "the volume is locked")
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


def _confirm(volume: Volume, seen: str) -> tuple[Volume, RowResult]:
    if seen != volume.repository:
        text = f"seen in {seen}, but should be in {volume.repository or 'no repository'}"
        return volume, RowResult(Result.INVALID, text)
    if volume.current_repository == volume.confirmed_repository == seen:
        return volume, _UNCHANGED
    if LOCKED in volume.flags:
        return volume, RowResult(Result.FORBIDDEN, "the volume is locked")
    flags = volume.flags.replace(WARNING, "")
    return settled_flags(volume._replace(current_repository=seen, confirmed_repository=seen, flags=flags)), _OK


def _operation_fault(operation: Operation, repositories: Container[str]) -> str:
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
        if field.kind is Kind.REPOSITORY and value and value not in repositories:
            return f'{name}: repository "{value}" is unknown'
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
