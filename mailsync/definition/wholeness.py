"""Whether a list is whole: what of an inventory was not recorded, so that nobody looks for a volume that is listed.

    a row that is a problem, its volume readable          the volume is named: it is not missing
    a row that is a problem, its volume not readable      any volume may be meant: the list is doubted
    a total that does not agree, or is not said at all    doubted
    nothing of the attachment could be used               doubted

A row that the definition skips is no part of the list, by the definition's own words.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.core.model import VOLUME, Gaps, Place, Scope
from mailsync.definition.cells import Checked, Odd
from mailsync.definition.model import Definition


class Wholeness:
    """The gaps of one attachment so far; none are kept for a definition that is no inventory."""

    def __init__(self, definition: Definition, place: Place) -> None:
        self._counts = bool(definition.inventory_of)
        self._awaited = bool(definition.layout.totals)
        self._attachment = place.attachment
        self._named: dict[Scope, set[str]] = {}
        self._unnamed = 0
        self._doubts: list[str] = []

    def refused(self, volume: Checked, scope: Scope | Odd) -> None:
        """Notes a row that is a problem, with what could be read of its key."""
        if not self._counts:
            return
        if isinstance(scope, Scope) and isinstance(volume, str) and VOLUME.match(volume):
            self._named.setdefault(scope, set()).add(volume)
        else:
            self._unnamed += 1

    def doubt(self, reason: str) -> None:
        """Notes why the list may not be whole."""
        if self._counts:
            self._doubts.append(f"{self._attachment}: {reason}")

    def total_said(self) -> None:
        """Notes that the report says a total, as its definition expects."""
        self._awaited = False

    def gaps(self, recorded: Sequence[object]) -> Gaps:
        """What the records lack."""
        if not self._counts:
            return Gaps()
        if not recorded:
            self.doubt("nothing of it could be used")
        elif self._awaited:
            self.doubt("it says no total, as if it were cut off")
        if self._unnamed:
            self.doubt(f"{self._unnamed} of its rows are problems and name no volume")
        return Gaps(
            tuple((scope, tuple(sorted(volumes))) for scope, volumes in sorted(self._named.items())),
            tuple(self._doubts),
        )
