"""Containers: volumes that hold volumes, of any scope. What holds is a field of what is held, a barcode.

operation                 and then
a volume is put into X    X must exist and not be in the volume, at most MOST_DEEP containers stand in each other, and
                          X gets flag B if it has none
X gets another target     so does all that is in it, and in that
X is confirmed            so is all that is in it, and in that

An operation is done with all that follows from it, or refused: write is needed wherever something is, each volume must
be free to move, and each media type must have the repository. Everything beside "moving a container moves what is in
it" is ours; so is that B stays when a container is empty again, and that a volume may be sent elsewhere than the
container that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailsync.core.model import CustomerId, MediaId, Scope, Volume
from mailsync.core.outcome import Change, Operation, Result, RowResult
from mailsync.server.access import Access
from mailsync.server.rules import CONTAINER, Barcode, Standing, change_volume, parse_barcode, settled_flags
from mailsync.server.sql_draft import Drafts, MoreScopesError, ScopeDraft, Touched
from mailsync.server.sql_scope import has_scope
from mailsync.wire import limits

MOST_DEEP = 4
MOST_CARRIED = limits.CARRIED
_CONTENTS = """
    SELECT m.customer, m.id, v.volume, v.flags FROM volumes AS v JOIN media AS m ON m.number = v.media
    WHERE v.container = ? AND v.container <> '' ORDER BY m.customer, m.id, v.volume LIMIT ?
"""


class RefusedRowError(Exception):
    """The operation is refused, with all that would follow from it."""

    def __init__(self, result: Result, text: str) -> None:
        super().__init__(text)
        self.result = RowResult(result, text)


def follow(drafts: Drafts, place: Barcode, change: Touched) -> list[tuple[Scope, Touched]]:
    """What follows from a change of the volume at `place`. Raises RefusedRowError, MoreScopesError."""
    before, after = change.before or Volume(), change.after
    following: list[tuple[Scope, Touched]] = []
    if after.container and after.container != before.container:
        following += _put_in(drafts, place, change)
    if CONTAINER in before.flags and _places(before) != _places(after):
        following += _carry(drafts, place, change)
    return following


def concerns_containers(before: Volume | None, after: Volume) -> bool:
    """True when something may follow from a change: that is rare, and asked of every change."""
    if before is None:
        return after.container != ""
    return after.container != before.container or CONTAINER in before.flags


def _places(volume: Volume) -> tuple[str, str, str]:
    return volume.repository, volume.current_repository, volume.confirmed_repository


def _put_in(drafts: Drafts, place: Barcode, change: Touched) -> Iterator[tuple[Scope, Touched]]:
    text = change.after.container
    holder = parse_barcode(text)
    draft = _readable(drafts, holder) if holder else None
    volume = draft.volume(holder.volume) if draft and holder else None
    if draft is None or holder is None or volume is None:
        raise RefusedRowError(Result.INVALID, f'container: volume "{text}" is unknown')
    above = _height_above(drafts, place, holder, volume)
    below = len(_levels(drafts, place)) if change.before and CONTAINER in change.before.flags else 0
    if above + below > MOST_DEEP:
        text = f"container: more than {MOST_DEEP} containers would stand in each other"
        raise RefusedRowError(Result.INVALID, text)
    if CONTAINER not in volume.flags:
        if draft.access < Access.WRITE:
            raise RefusedRowError(Result.FORBIDDEN, f"container: {holder} is not one yet, and may not be changed")
        container = settled_flags(volume._replace(flags=volume.flags + CONTAINER))
        yield holder.scope, Touched(change.position, change.operation, holder.volume, volume, container)


def _readable(drafts: Drafts, holder: Barcode) -> ScopeDraft | None:
    """The container's scope, None where it is as unknown as one that the user may not read."""
    try:
        draft = drafts[holder.scope]
    except MoreScopesError:
        if not has_scope(drafts.connection, holder.scope):
            return None
        raise
    return draft if draft.access >= Access.READ else None


def _height_above(drafts: Drafts, place: Barcode, holder: Barcode, volume: Volume) -> int:
    """How many containers stand around what is put into the holder. RefusedRowError when one of them is itself."""
    above = 1
    at: Barcode | None = holder
    while at is not None and above <= MOST_DEEP:
        if at == place:
            raise RefusedRowError(Result.INVALID, "container: the volume would be in itself")
        at = parse_barcode(volume.container)
        held_by = drafts[at.scope].volume(at.volume) if at else None
        if held_by is None:
            break
        volume = held_by
        above += 1
    return above


def _carry(drafts: Drafts, place: Barcode, change: Touched) -> Iterator[tuple[Scope, Touched]]:
    inside = [one for level in _levels(drafts, place) for one in level]
    drafts.carried += len(inside)
    if drafts.carried > MOST_CARRIED:
        text = f"it holds more than may move in one batch: {MOST_CARRIED} volumes"
        raise RefusedRowError(Result.INVALID, text)
    drafts.require(one.scope for one in inside)
    operation = change.operation
    if operation.change is Change.CONFIRM:
        asked = operation._replace(values=(change.after.confirmed_repository,))
    else:
        asked = operation._replace(fields=("repository",), values=(change.after.repository,))
    for one in inside:
        draft = drafts[one.scope]
        if draft.access < Access.WRITE:
            raise RefusedRowError(Result.FORBIDDEN, "it holds volumes of a customer that may not be written")
        yield from _carried(draft, one, asked, change.position)


def _carried(draft: ScopeDraft, one: Barcode, operation: Operation, position: int) -> Iterator[tuple[Scope, Touched]]:
    before = draft.volume(one.volume)
    standing = Standing(draft.repositories, "", newer=False, terms=draft.terms(frozenset()))
    after, result = change_volume(before, operation._replace(volume=one.volume), standing)
    if result.result is Result.UNCHANGED:
        return
    if result.result is not Result.OK or after is None:
        raise RefusedRowError(result.result, f"it holds {one}: {result.text}")
    yield one.scope, Touched(position, operation, one.volume, before, after)


def _levels(drafts: Drafts, place: Barcode) -> list[list[Barcode]]:
    """All that is in a container, one level of containers after the other."""
    levels: list[list[Barcode]] = []
    containers = [place]
    while containers and len(levels) < MOST_DEEP:
        found = [one for container in containers for one in _contents(drafts, container)]
        if found:
            levels.append([one for one, _ in found])
        containers = [one for one, flags in found if CONTAINER in flags]
    return levels


def _contents(drafts: Drafts, container: Barcode) -> list[tuple[Barcode, str]]:
    """What is in a container now, as the batch has left it so far, with its flags."""
    barcode = str(container)
    rows = drafts.connection.execute(_CONTENTS, (barcode, MOST_CARRIED + 1))
    stored = {Barcode(Scope(CustomerId(row[0]), MediaId(row[1])), row[2]): row[3] for row in rows}
    drafts.require(one.scope for one in stored)
    found: list[tuple[Barcode, str]] = []
    for one in sorted(stored.keys() | drafts.held.get(barcode, set())):
        drafted = drafts[one.scope].volumes.get(one.volume)
        if drafted is None:
            found.append((one, stored[one]))
        elif drafted.container == barcode:
            found.append((one, drafted.flags))
    return found
