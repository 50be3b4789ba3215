"""What a mapping tells of its rows: problems, which refuse something, and notes, which do not.

Both are listed up to a bound; problems beyond it are counted, so that a report of a million bad rows gives a reply that
can be read. Texts hold what reports say, and so are made printable here, once.
"""

from __future__ import annotations

from mailsync.core.model import Origin, Place, Problem
from mailsync.definition.shown import printable


class Told:
    """The problems and notes of one attachment so far. `unlisted` counts the problems beyond the bound."""

    def __init__(self, place: Place, most: int) -> None:
        self.unlisted = 0
        self._place = place
        self._most = most
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems that are listed, by row."""
        return tuple(sorted(self._problems, key=_by_row))

    @property
    def notes(self) -> tuple[Problem, ...]:
        """The notes that are listed, by row."""
        return tuple(sorted(self._notes, key=_by_row))

    def note(self, row: int, line: int, text: str, hint: str = "") -> None:
        """Notes something that refuses nothing, up to the bound."""
        if len(self._notes) < self._most:
            self._notes.append(self._made(row, line, text, hint))

    def problem(self, row: int, line: int, text: str, hint: str = "") -> None:
        """Lists a problem, up to the bound; beyond it, counts it."""
        if len(self._problems) < self._most:
            self._problems.append(self._made(row, line, text, hint))
        else:
            self.unlisted += 1

    def only(self, line: int, text: str, hint: str) -> None:
        """Lists one problem in place of all others: what they were about does not count any more."""
        self._problems.clear()
        self.unlisted = 0
        self.problem(0, line, text, hint)

    def _made(self, row: int, line: int, text: str, hint: str) -> Problem:
        return Problem(Origin(*self._place, row, line), printable(text), printable(hint))


def _by_row(problem: Problem) -> tuple[int, str]:
    return problem.origin.row, problem.text
