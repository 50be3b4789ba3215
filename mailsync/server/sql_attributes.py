"""The extended attributes 1 to 200 of volumes; attribute 0 is the description, and a field.

They are kept beside the volumes and are no part of a client's copy; a volume whose attributes change gets a version,
so that the ledger can name it. An operation names one as the field `attribute_7`; empty unsets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailsync.core.fields import ATTRIBUTE, FIELD_NAMES
from mailsync.core.model import Volume
from mailsync.core.outcome import Change, Operation, Result, RowResult
from mailsync.server.database import Connection, Database
from mailsync.server.rules import Terms, attribute_number, field_named, lock_fault, value_fault

_SELECT = "SELECT volume, number, value FROM attributes WHERE media = ? AND volume"
_FIELDS = ", ".join(f"v.{name}" for name in FIELD_NAMES)
_NUMBERS_FIRST = f"""
    SELECT '' AS volume, number, '' AS value{", ''" * len(FIELD_NAMES)} FROM attributes WHERE media = ? GROUP BY number
    UNION ALL
    SELECT v.volume, coalesce(a.number, 0), coalesce(a.value, ''), {_FIELDS}
    FROM volumes AS v LEFT JOIN attributes AS a ON a.media = v.media AND a.volume = v.volume WHERE v.media = ?
    ORDER BY 1, 2
"""  # noqa: S608 - our own field names
Values = dict[str, dict[int, str]]


def find_attributes(connection: Connection, number: int, volumes: Sequence[str]) -> Values:
    """The attributes of these volumes."""
    found: Values = {}
    for volume, attribute, value in connection.each_key(_SELECT, (number,), volumes):
        found.setdefault(volume, {})[attribute] = value
    return found


def write_attributes(connection: Connection, number: int, changed: Values) -> None:
    """Sets attributes of volumes; an empty value unsets one."""
    rows = [(number, name, attribute, value) for name, said in changed.items() for attribute, value in said.items()]
    connection.executemany(
        "DELETE FROM attributes WHERE media = ? AND volume = ? AND number = ?",
        [row[:3] for row in rows if not row[3]],
    )
    connection.executemany(
        "INSERT INTO attributes (media, volume, number, value) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (media, volume, number) DO UPDATE SET value = excluded.value",
        [row for row in rows if row[3]],
    )


def each_with_attributes(
    database: Database, number: int
) -> tuple[tuple[int, ...], Iterator[tuple[str, Volume, dict[int, str]]]]:
    """The numbers of the attributes in the scope, and its volumes with theirs, ascending: one SELECT, one moment."""
    rows = iter(database.each(_NUMBERS_FIRST, (number, number)))
    numbers = []
    row = next(rows, None)
    while row is not None and not row[0]:
        numbers.append(int(row[1]))
        row = next(rows, None)

    def volumes() -> Iterator[tuple[str, Volume, dict[int, str]]]:
        current = row
        while current is not None:
            name, volume, said = current[0], Volume(*current[3:]), {}
            while current is not None and current[0] == name:
                if current[1]:
                    said[int(current[1])] = current[2]
                current = next(rows, None)
            yield name, volume, said

    return tuple(numbers), volumes()


class Attributes:
    """The attributes of the volumes whose attributes a batch sets, as its operations leave them."""

    def __init__(self, connection: Connection, number: int, operations: Sequence[Operation]) -> None:
        self._connection = connection
        self._number = number
        self._named: dict[tuple[str, ...], bool] = {}
        names = dict.fromkeys(operation.volume for operation in operations if self._names_some(operation))
        self.named = bool(names)  # few batches set any, and those that do not should not pay for it
        self._values = find_attributes(connection, number, tuple(names)) if names else {}
        self._changed: Values = {}

    def without(self, operation: Operation) -> Operation:
        """The operation without the attributes it sets."""
        if not self._names_some(operation):
            return operation
        pairs = zip(operation.fields, operation.values, strict=True)
        kept = [(field, value) for field, value in pairs if not field.startswith(ATTRIBUTE)]
        fields, values = tuple(field for field, _ in kept), tuple(value for _, value in kept)
        return operation._replace(fields=fields, values=values)

    def changed(
        self, operation: Operation, before: Volume | None, result: RowResult, terms: Terms
    ) -> tuple[tuple[tuple[str, str, str], ...], RowResult]:
        """The attributes that differ, each with its name, old and new value, and the result with them."""
        if result.result not in (Result.OK, Result.UNCHANGED) or not self._names_some(operation):
            return (), result
        if operation.change is Change.CONFIRM:
            return (), RowResult(Result.INVALID, "a confirmation names one repository and nothing else")
        found = []
        stored = self._values.get(operation.volume, {})
        for name, value in zip(operation.fields, operation.values, strict=True):
            if name.startswith(ATTRIBUTE):
                field = field_named(name)
                if field is None:
                    return (), RowResult(Result.INVALID, f"{name}: not a field that a report may set")
                fault = value_fault(field, value)
                if fault:
                    return (), RowResult(Result.INVALID, fault)
                was = stored.get(attribute_number(name), "")
                if was != value:
                    found.append((name, was, value))
        if found and before is not None:
            fault = lock_fault(before, terms)
            if fault:
                return (), RowResult(Result.FORBIDDEN, fault)
        return tuple(found), RowResult(Result.OK) if found else result

    def take(self, volume: str, attributes: Sequence[tuple[str, str, str]]) -> None:
        """Notes what an operation changed."""
        for name, _, value in attributes:
            number = attribute_number(name)
            self._values.setdefault(volume, {})[number] = value
            self._changed.setdefault(volume, {})[number] = value

    def write(self) -> None:
        """Writes what was changed."""
        if self._changed:
            write_attributes(self._connection, self._number, self._changed)

    def _names_some(self, operation: Operation) -> bool:
        fields = operation.fields
        found = self._named.get(fields)
        if found is None:
            found = self._named[fields] = any(name.startswith(ATTRIBUTE) for name in fields)
        return found
