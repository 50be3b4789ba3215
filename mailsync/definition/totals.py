"""Totals: what a report says of its own length, beside what was found in it.

What counts is a row that is no part of a header, not blank and not excluded by its raw text: also one that is skipped
for a field's value (a cleaning tape is among the volumes its report counts), and one that is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailsync.definition.table import SaidTotal


class Disagreement(NamedTuple):
    """A total that is not what was counted; `refuses` says whether that is a problem, or worth a note."""

    line: int
    text: str
    refuses: bool


class Totals:
    """The rows counted so far."""

    def __init__(self) -> None:
        self._section = self._report = 0

    def check(self, rows: int, said: Sequence[SaidTotal]) -> Iterator[Disagreement]:
        """The totals behind so many more rows that are wrong."""
        self._section += rows
        self._report += rows
        for one in said:
            counted = self._section if one.total.counts == "section" else self._report
            self._section = 0
            if counted != one.number:
                text = f"the report says {one.number} rows, {counted} were found before it"
                yield Disagreement(one.line, text, one.total.wrong == "problem")
