"""Pages packed once for all who ask alike, bounded in bytes (exactly-once.md section 4).

A page is known by its scope, the life of the store, and where in it the copy is: since, snap, done. It is given again
only while that is what the store would say:

a page with more behind it   while a copy that has it may go on from there: what changed since has a newer version
a last page                  while the scope's version and its ledger are the same
the first of a snapshot      likewise, and while the scope is not more than a page further: its `snap` is its own, so
                             that no page is ever followed by one of another snapshot

A page is the same for all who may read its scope, so it is not known by its user: whether this one may is read from
the store each time, before the page is looked for.

Used by the store's thread alone.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from mailsync.core.cursor import Cursor
from mailsync.server.access import Asker
from mailsync.server.store import Footing, Store
from mailsync.wire.compression import Method, Packed
from mailsync.wire.errors import LocalProtocolError
from mailsync.wire.messages import Sync
from mailsync.wire.pages import pack_page

MOST_BYTES = 64 * 2**20
_Key = tuple[object, ...]


class Step(NamedTuple):
    """A page as it travels, and where it leads."""

    packed: Packed
    reset: bool
    cursor: Cursor
    more: bool
    repositories_version: int


class PageCache:
    """The pages last asked for. `reads` counts the pages that came from the store."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.reads = 0
        self._most = most
        self._bytes = 0
        self._steps: OrderedDict[_Key, Step] = OrderedDict()

    def step(self, store: Store, sync: Sync, method: Method, asker: Asker) -> Step:
        """The page that follows `sync.cursor`. Raises as store.Store.sync does, a page that is kept or not."""
        at = store.footing(sync.scope, sync.cursor, asker)
        key = _key(sync, at, method)
        step = self._steps.get(key)
        if step is not None and _holds(store, sync, at, step, asker):
            self._steps.move_to_end(key)
            return step
        self._forget(key)
        step = self._read(store, sync, method, asker)
        # Somebody may have written between the two looks at the store.
        read = (step.reset, step.cursor.epoch, step.cursor.at, step.repositories_version)
        if read == (at.reset, at.epoch, at.version, at.repositories_version):
            self._keep(key, step)
        return step

    def _read(self, store: Store, sync: Sync, method: Method, asker: Asker) -> Step:
        self.reads += 1
        rows = sync.rows
        while True:
            page = store.sync(sync.scope, sync.cursor, sync.repositories_version, rows, asker)
            try:
                packed = pack_page(page, method)
            except LocalProtocolError:
                # Long texts in every row: the page is larger than a message may be.
                if rows == 1:
                    raise
                rows //= 2
            else:
                return Step(packed, page.reset, page.cursor, page.more, page.repositories_version)

    def _keep(self, key: _Key, step: Step) -> None:
        self._steps[key] = step
        self._bytes += len(step.packed.body)
        while self._bytes > self._most:
            self._forget(next(iter(self._steps)))

    def _forget(self, key: _Key) -> None:
        step = self._steps.pop(key, None)
        if step is not None:
            self._bytes -= len(step.packed.body)


def _key(sync: Sync, at: Footing, method: Method) -> _Key:
    cursor = sync.cursor
    place = () if at.reset else (cursor.since, cursor.snap, cursor.done, sync.repositories_version)
    return (sync.scope, at.epoch, at.repositories_version, sync.rows, method, *place)


def _holds(store: Store, sync: Sync, at: Footing, step: Step, asker: Asker) -> bool:
    """True when the store would say the same, or what leads to the same."""
    cursor = step.cursor
    if not step.more:
        return (cursor.at, cursor.mark) == (at.version, at.mark)
    if at.reset and at.version - cursor.snap > sync.rows:
        return False
    return not store.footing(sync.scope, cursor, asker).reset
