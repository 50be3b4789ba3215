"""The names that make a run happen once (exactly-once.md section 1). Every part is length-prefixed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mailsync.core.model import BatchId, RunId, Scope


def run_id(route: str, identity: Iterable[bytes]) -> RunId:
    """The 32-byte name of a run: the route and what the accepted authentication covers of the mail."""
    return RunId(_digest("mailsync run 1", route.encode(), *identity))


def batch_id(run: RunId, round_: int, scope: Scope, part: int) -> BatchId:
    """The 16-byte idempotency key of one part of one scope in one round of a run."""
    numbers = (round_.to_bytes(4, "big"), str(scope).encode(), part.to_bytes(4, "big"))
    return BatchId(_digest("mailsync batch 1", run, *numbers)[:16])


def _digest(purpose: str, *parts: bytes) -> bytes:
    state = hashlib.sha256()
    for part in (purpose.encode(), *parts):
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()
