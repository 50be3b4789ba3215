"""What the server answers: wire events in, wire values out, over a Store. No sockets, no clock, no session.

asked        answered
key          its secret, None for an unknown one: both then go on alike
login        the user's verifier, None for an unknown or revoked one: both then go on alike
SYNC         pages, one `next_page` after the other, until one has no more or as many as were asked for are out
APPLY        the outcome, or the failure with the code the store gave it

What a user may do is read in each request's transaction: a user whose token was revoked after logging on gets 204 from
then on, a scope without read is answered as an unknown one. What the store cannot do now is 502; its own
words, which may name paths, stay in the log.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.cursor import Page
from mailsync.core.errors import TemporaryError
from mailsync.core.outcome import Outcome
from mailsync.server.store import Principal, RequestError, Store
from mailsync.wire.errors import Code
from mailsync.wire.events import ApplyAsked
from mailsync.wire.messages import Failure, Sync

RETRY_MS = 5000


class Unable(NamedTuple):
    """A failure, and what only the log may know about it."""

    failure: Failure
    cause: str


def next_page(store: Store, user: str, sync: Sync) -> Page | Unable:
    """The page that `sync` asks for first."""
    try:
        return store.sync(sync.scope, sync.cursor, sync.repositories_version, sync.rows, user)
    except (RequestError, TemporaryError) as error:
        return _unable(error)


def following(sync: Sync, page: Page) -> Sync | None:
    """What asks for the page after `page`; None when `page` was the last that may answer `sync`."""
    if not page.more or sync.pages <= 1:
        return None
    return sync._replace(cursor=page.cursor, repositories_version=page.repositories_version, pages=sync.pages - 1)


def apply(store: Store, principal: Principal, asked: ApplyAsked, now: int) -> Outcome | Unable:
    """The outcome of the batch; `now` is in Unix seconds."""
    try:
        outcome = store.apply(asked.batch, asked.request_hash, principal, now)
    except (RequestError, TemporaryError) as error:
        return _unable(error)
    if outcome.overtaken:
        text = f"a newer report of {asked.batch.source} was applied to {asked.batch.scope} before this one"
        return Unable(Failure(Code.OVERTAKEN, text), text)
    return outcome


def late(seconds: float) -> Unable:
    """The answer to a request that the store did not answer within the time it may take."""
    text = f"the store did not answer within {seconds:g} s; the same request may be sent again"
    return Unable(Failure(Code.STORE_UNAVAILABLE, text, after_ms=RETRY_MS), text)


def _unable(error: RequestError | TemporaryError) -> Unable:
    if isinstance(error, RequestError):
        return Unable(Failure(error.code, str(error), outcome=error.outcome), str(error))
    text = "the store cannot answer now; nothing was changed"
    return Unable(Failure(Code.STORE_UNAVAILABLE, text, after_ms=RETRY_MS), str(error))
