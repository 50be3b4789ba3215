"""Step 12: a volume that a report lists more than once.

    duplicates   the rows agree                        the rows contradict each other
    agree        the first counts, noted               every one is a problem that cites the other line
    first        the first counts                      the first counts, noted with both lines
    last         the last counts                       the last counts, noted with both lines
    error        every one is a problem                every one is a problem that cites the other line

Rows that do not count although nothing is wrong with them are skipped, with the reason.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import compress, islice
from operator import lt
from typing import NamedTuple

from mailsync.core.model import Value
from mailsync.definition.cells import shown
from mailsync.definition.row_values import Values

AGREES, FIRST, LAST = "repeats an earlier row", "a duplicate: the first counts", "a duplicate: the last counts"


class Rows(NamedTuple):
    """The recorded rows of one scope, as columns that grow."""

    volumes: list[str]
    values: Values
    rows: array[int]
    lines: array[int]

    def add(self, volume: str, values: tuple[Value, ...], row: int, line: int) -> None:
        """Adds one row."""
        self.volumes.append(volume)
        self.values.append(values)
        self.rows.append(row)
        self.lines.append(line)


class Verdict(NamedTuple):
    """A row that does not count: its place in the columns, that of the row it is compared with, and how they differ."""

    place: int
    other: int
    contradicts: bool
    refused: bool


def empty_rows() -> Rows:
    """No rows."""
    return Rows([], Values(), array("I"), array("I"))


def has_duplicates(rows: Rows) -> bool:
    """True when a volume occurs twice. Most reports are sorted, which is quicker to see."""
    ascending = all(map(lt, rows.volumes, islice(rows.volumes, 1, None)))
    return not ascending and len(set(rows.volumes)) < len(rows.volumes)


def judge(rows: Rows, policy: str) -> Iterator[Verdict]:
    """A verdict on every row that does not count, by the definition's `duplicates`; by each volume's first row."""
    seen: set[str] = set()
    listed: dict[str, list[int]] = {}
    for volume in rows.volumes:
        if volume in seen:
            listed[volume] = []
        seen.add(volume)
    for place, volume in enumerate(rows.volumes):
        if volume in listed:
            listed[volume].append(place)
    for places in listed.values():
        yield from _judge_volume(places, rows.values, policy)


def without(rows: Rows, dropped: Sequence[int]) -> Rows:
    """The rows but for those at the given indexes."""
    kept = bytearray(b"\1") * len(rows.volumes)
    for index in dropped:
        kept[index] = 0
    return Rows(
        list(compress(rows.volumes, kept)),
        rows.values.chosen(kept),
        array("I", compress(rows.rows, kept)),
        array("I", compress(rows.lines, kept)),
    )


def _judge_volume(places: list[int], values: Sequence[tuple[Value, ...]], policy: str) -> Iterator[Verdict]:
    kept = places[-1] if policy == "last" else places[0]
    differing = next((place for place in places if values[place] != values[kept]), None)
    if policy == "error" or (policy == "agree" and differing is not None):
        other_than_kept = places[1] if differing is None else differing
        for place in places:
            other = other_than_kept if values[place] == values[kept] and (differing or place == kept) else kept
            yield Verdict(place, other, values[place] != values[other], refused=True)
        return
    for place in places:
        if place != kept:
            yield Verdict(place, kept, values[place] != values[kept], refused=False)


def difference(fields: tuple[str, ...], here: tuple[Value, ...], there: tuple[Value, ...]) -> str:
    """What two rows say differently."""
    pairs = zip(fields, here, there, strict=True)
    return ", ".join(f"{name} {_said(one)} here, {_said(other)} there" for name, one, other in pairs if one != other)


def _said(value: Value) -> str:
    return "not said" if value is None else shown(value) if value else "unset"
