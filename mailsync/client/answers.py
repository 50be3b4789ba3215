"""Answers that are the protocol and yet cannot be right: what a broken or hostile server would lead a client on with.

outcome   of another batch, or with more or fewer results than the batch has operations
pages     that say there is more and lead to nothing newer, or start over again and again
scopes    that are not in ascending order, so that asking for those after the last would never end
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import TemporaryError
from mailsync.core.outcome import Outcome
from mailsync.wire.batches import decode_apply
from mailsync.wire.figures import ScopeFigures

_MOST_RESETS = 10  # of one sync: a restore in the middle of it makes two


def check_outcome(address: str, outcome: Outcome, body: bytes) -> None:
    """TemporaryError when this is not what became of the batch in the body of an APPLY."""
    batch = decode_apply(body)
    if (outcome.batch, len(outcome.results)) != (batch.id, len(batch.operations)):
        raise _error(address, "the outcome of another batch")


def check_page(address: str, asked: Cursor, page: Page, resets: int) -> None:
    """TemporaryError when the page that answers a cursor leads nowhere; `resets` counts those of the sync so far."""
    stands_still = page.more and not page.reset and page.cursor.since <= asked.since
    if stands_still or resets > _MOST_RESETS:
        raise _error(address, "pages that lead nowhere")


def check_scopes(address: str, after: str, found: Sequence[ScopeFigures]) -> None:
    """TemporaryError when these are not scopes after the named one, ascending."""
    names = (after, *(str(one.scope) for one in found))
    if any(one >= other for one, other in pairwise(names)):
        raise _error(address, "scopes that are not in order")


def _error(address: str, what: str) -> TemporaryError:
    return TemporaryError(f"server {address} sent {what}", hint="nothing was done with it; is the server sound?")
