"""What was applied and is lost: a server that begins a new life is asked for what this host's journal saw applied.

Every scope's epoch is compared with the one it was last seen in. While it is the same that costs nothing; when it is
another (a restore, a promoted replica, another store), the batches that changed something are looked for, newest first,
until a packet of them is there to the last. What the server has pruned is not lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from mailsync.core.kept import from_json
from mailsync.core.model import RunId, Scope, Snapshot
from mailsync.core.outcome import Outcome, Result
from mailsync.flow.decide import View

if TYPE_CHECKING:
    from mailsync.client.journal import Journal
    from mailsync.client.losses import Losses
    from mailsync.core.guard import Earlier
    from mailsync.wire.ledger import Missing

PACKET = 500  # batches asked for at once


class Witness(View, Protocol):
    """What it takes to know what a server has lost."""

    def missing(self, scope: Scope, batches: Sequence[bytes]) -> Missing:
        """Which of at most 1,000 batches of the scope are not recorded. Raises TemporaryError."""
        ...


class Watched:
    """What deciding needs of a server, with an eye on the epochs of the scopes it shows."""

    def __init__(self, journal: Journal, server: Witness) -> None:
        self._losses = journal.losses
        self._server = server

    def refresh(self, scope: Scope) -> Snapshot:
        """As decide.View.refresh; what a new life of the scope has lost is journalled before it is planned for."""
        snapshot = self._server.refresh(scope)
        known = self._losses.epoch(str(scope))
        if known != snapshot.epoch:
            lost = find_lost(self._losses, self._server, scope) if known else ()
            self._losses.note(str(scope), snapshot.epoch, lost)
        return snapshot

    def earlier(self, scope: Scope, source: str, run: RunId) -> Earlier:
        """As decide.View.earlier."""
        return self._server.earlier(scope, source, run)


def find_lost(losses: Losses, server: Witness, scope: Scope) -> tuple[RunId, ...]:
    """The runs whose changes to the scope the server has no more, newest first."""
    lost: dict[RunId, None] = {}
    entries = _effective(losses, scope)
    while packet := tuple(islice(entries, PACKET)):
        found = server.missing(scope, [id_ for _, id_, _ in packet])
        missing = frozenset(found.batches)
        lost.update((run, None) for run, id_, entry in packet if id_ in missing and entry > found.pruned)
        if not missing:
            break
    return tuple(lost)


def _effective(losses: Losses, scope: Scope) -> Iterator[tuple[RunId, bytes, int]]:
    """Run, id and ledger entry of each batch that changed something."""
    for one in losses.answered(str(scope)):
        outcome = from_json(Outcome, one.outcome)
        if any(row.result is Result.OK for row in outcome.results):
            yield one.run, one.id, outcome.entry
