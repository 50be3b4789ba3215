"""Volumes that should go somewhere: on their way now, or with a move date that has passed.

What makes a volume overdue at its target, and what sets TapeTrack's flags d, o and p, is not public, and d depends on
the day: none of them is stored. What is late is decided by whoever lists it, from the times given here.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.database import Database
from mailsync.server.store import Moving

_SELECT = """
    SELECT m.customer, m.id, v.volume, v.current_repository, v.repository, v.sent, v.move_date, v.container
    FROM volumes AS v JOIN media AS m ON m.number = v.media
"""
# One that is known nowhere is on its way once somebody has sent it elsewhere, although it has no flag M.
_MOVING = "v.current_repository <> v.repository AND (v.current_repository <> '' OR v.sent > 0)"
_DATED = "v.move_date <> '' AND v.move_date < ?"
_ORDER = "m.customer, m.id, v.volume"


def each_moving(database: Database, number: int | None) -> Iterator[Moving]:
    """The volumes on their way, longest first; of one scope or of all."""
    return _each(database, _MOVING, (), number, f"v.sent, {_ORDER}")


def each_dated(database: Database, number: int | None, before: str) -> Iterator[Moving]:
    """The volumes with a move date before the day, oldest first; of one scope or of all."""
    return _each(database, _DATED, (before,), number, f"v.move_date, {_ORDER}")


def _each(
    database: Database, where: str, values: tuple[object, ...], number: int | None, order: str
) -> Iterator[Moving]:
    narrowed = "" if number is None else " AND v.media = ?"
    query = f"{_SELECT} WHERE {where}{narrowed} ORDER BY {order}"
    rows = database.each(query, values if number is None else (*values, number))
    return (Moving(Scope(CustomerId(row[0]), MediaId(row[1])), *row[2:]) for row in rows)
