"""The records of several attachments, joined per scope: what a mail says, whichever attachment says it.

Attachments that speak of different fields of a volume complete each other. Per volume listed more than once:

    the rows agree where both speak      one record, a note, the later rows count as repeated
    they contradict each other           no record, one problem that cites both places, all rows count as refused

Nearly every mail has one attachment for a scope: its records are then handed on as they are, untouched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, SYNC_FIELDS, same_value
from mailsync.core.model import Count, Mapped, Origin, Place, Problem, Records, Scope, Value


class Merged(NamedTuple):
    """What a mail says: one `Records` a scope, by scope.

    `problems` and `notes` hold the first of them up to the caller's bound; `unlisted` counts the contradicted volumes
    beyond it. `refused` counts the contradicted rows of each attachment, `repeated` those that say nothing new:
    recorded rows = rows of `records` + refused + repeated.
    """

    records: tuple[Records, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    refused: tuple[Count, ...] = ()
    repeated: int = 0
    unlisted: int = 0


def merge(mapped: Sequence[Mapped], limit: int) -> Merged:
    """The records of all attachments joined per scope, with at most `limit` problems and `limit` notes."""
    by_scope: dict[Scope, list[Records]] = {}
    for one in mapped:
        for records in one.records:
            by_scope.setdefault(records.scope, []).append(records)
    joined, joints = [], []
    for scope in sorted(by_scope):
        group = by_scope[scope]
        if len(group) == 1:
            joined.append(group[0])
            continue
        joint = _Joint(scope, group)
        for records in group:
            joint.add(records)
        joined.append(joint.records())
        joints.append(joint)
    problems = [problem for joint in joints for problem in joint.problems]
    notes = [note for joint in joints for note in joint.notes]
    refused = sum((joint.refused for joint in joints), Counter[str]())
    return Merged(
        records=tuple(joined),
        problems=tuple(problems[:limit]),
        notes=tuple(notes[:limit]),
        refused=tuple(Count(attachment, rows) for attachment, rows in sorted(refused.items())),
        repeated=sum(joint.repeated for joint in joints),
        unlisted=max(0, len(problems) - limit),
    )


class _Row(NamedTuple):
    """A volume's values under the joint fields, where they were first said, and the places that say them."""

    values: tuple[Value, ...]
    row: int
    line: int
    which: int
    said_at: tuple[int, ...]


class _Joint:
    """The records of one scope in the making."""

    def __init__(self, scope: Scope, group: Sequence[Records]) -> None:
        spoken = {field for records in group for field in records.fields}
        self.scope = scope
        self.fields = tuple(field for field in SYNC_FIELDS if field in spoken)
        self.places: tuple[Place, ...] = ()
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.refused: Counter[str] = Counter()
        self.repeated = 0
        self._rows: dict[str, _Row] = {}
        self._contradicted: set[str] = set()

    def add(self, records: Records) -> None:
        """Takes in one attachment's records of the scope."""
        offset = len(self.places)
        self.places += records.places
        position = {field: index for index, field in enumerate(records.fields)}
        columns = [position.get(field, -1) for field in self.fields]
        listed = zip(records.volumes, records.values, records.rows, records.lines, records.which, strict=True)
        for volume, said, number, line, which in listed:
            values = tuple(said[column] if column >= 0 else None for column in columns)
            row = _Row(values, number, line, which + offset, (which + offset,))
            if volume in self._contradicted:
                self._refuse(row)
            elif volume in self._rows:
                self._again(volume, self._rows[volume], row)
            else:
                self._rows[volume] = row

    def records(self) -> Records:
        """What the attachments agree on, in the order it was first said."""
        rows = self._rows.values()
        return Records(
            scope=self.scope,
            fields=self.fields,
            volumes=tuple(self._rows),
            values=tuple(row.values for row in rows),
            rows=tuple(row.row for row in rows),
            lines=tuple(row.line for row in rows),
            places=self.places,
            which=tuple(row.which for row in rows),
        )

    def _again(self, volume: str, first: _Row, second: _Row) -> None:
        here, there = self._origin(second), self._origin(first)
        for field, one, other in zip(self.fields, first.values, second.values, strict=True):
            if one is not None and other is not None and not same_value(FIELD_BY_NAME[field].kind, one, other):
                text = f'volume {self.scope}.{volume}: {field} is "{one}" at {there} and "{other}" here'
                hint = "correct one of the two reports; neither was applied to this volume"
                self.problems.append(Problem(here, text, hint))
                del self._rows[volume]
                self._contradicted.add(volume)
                self.repeated -= len(first.said_at) - 1
                self._refuse(first)
                self._refuse(second)
                return
        values = tuple(other if one is None else one for one, other in zip(first.values, second.values, strict=True))
        self._rows[volume] = first._replace(values=values, said_at=first.said_at + second.said_at)
        self.repeated += 1
        self.notes.append(Problem(here, f"volume {self.scope}.{volume} is also listed at {there}, and agrees"))

    def _refuse(self, row: _Row) -> None:
        self.refused.update(self.places[place].attachment for place in row.said_at)

    def _origin(self, row: _Row) -> Origin:
        return Origin(*self.places[row.which], row.row, row.line)
