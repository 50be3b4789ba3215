"""What the server answers: wire events in, wire values out, over a Store. No sockets, no clock, no session.

asked        answered
key          its secret, None for an unknown one: both then go on alike
login        the user's verifier, None for an unknown or revoked one, or one that the key is not for: all go on alike
SYNC         pages, one `next_page` after the other, until one has no more or as many as were asked for are out
APPLY        the outcome, or the failure with the code the store gave it
RUN          how the run stands
SCOPES       as many scopes as one answer holds, from the one after the named one on
STATS        the scope in figures
LEDGER       what the scope's ledger has recorded
SET_VERIFIER that what was sent proves the user's own password from now on

What a user may do is read in each request's transaction: a user who was revoked after logging on gets 204 from then
on, whoever has the name now, and a scope without read is answered as an unknown one. What the store cannot do now is
502; its own words, which may name paths, stay in the log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from mailsync.core.errors import TemporaryError
from mailsync.core.model import Scope
from mailsync.core.outcome import Outcome
from mailsync.server.access import Principal
from mailsync.server.administration import Login
from mailsync.server.pages import PageCache, Step
from mailsync.server.store import BUSY, DONE, YOURS, RequestError, Store
from mailsync.wire import limits
from mailsync.wire.compression import Method
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.events import ApplyAsked
from mailsync.wire.figures import ScopeFigures, ScopeList, ScopeStats
from mailsync.wire.ledger import Answer, MovedAsked, Question
from mailsync.wire.messages import Failure, Sync
from mailsync.wire.passwords import MD5, NO_PREHASH, Kdf, check_kdf
from mailsync.wire.runs import RunLease, RunStep, RunWord
from mailsync.wire.scram import Verifier

RETRY_MS = 5000
NO_EPOCH = bytes(16)  # of a store without scopes
_OVERDUE = Failure(
    Code.AUTH_UPGRADE_REQUIRED, "the imported MD5 of this password is not enough any more: ask for a new password"
)


class Unable(NamedTuple):
    """A failure, and what only the log may know about it."""

    failure: Failure
    cause: str


class Offer(NamedTuple):
    """What a login is offered (see ServerSession.offer_login), and when its user was let in (Unix seconds)."""

    verifier: Verifier | None
    mix: tuple[Kdf, ...]
    account: str
    overdue: Failure | None
    created: int


NOBODY = Offer(None, (), "", None, 0)
_STRANGER = Login("", Verifier(b"", b"", b""), 0, 0)  # looked at in the place of somebody who is not there


def next_page(store: Store, pages: PageCache, principal: Principal, sync: Sync, method: Method) -> Step | Unable:
    """The page that `sync` asks for first, packed by `method`."""
    try:
        return pages.step(store, sync, method, principal)
    except (RequestError, TemporaryError) as error:
        return _unable(error)


def following(sync: Sync, page: Step) -> Sync | None:
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
        # When it was seen tells a host whose clock is behind from a mail that was late.
        seen = datetime.fromtimestamp(min(asked.batch.asof, now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        batch = asked.batch
        text = f"a newer report of {batch.source} was applied to {batch.scope} before this one, first seen {seen}"
        return Unable(Failure(Code.OVERTAKEN, text), text)
    return outcome


def lend(store: Store, principal: Principal, word: RunWord, now: int) -> RunLease | Unable:
    """How the run stands once the store has noted what the client says of it; `now` is in Unix seconds."""
    try:
        if word.step is RunStep.BEGIN:
            return RunLease(*store.begin_run(word.run, word.holder, now, principal))
        if word.step is RunStep.END:
            store.end_run(word.run, word.holder, now, principal)
            return RunLease(DONE)
        if word.step is RunStep.RELEASE:
            store.release_run(word.run, word.holder, now, principal)
            return RunLease(BUSY)
        if word.step is RunStep.REPLIED:
            held = store.mark_replied(word.run, word.holder, word.audience, now, principal)
        else:
            held = store.renew_run(word.run, word.holder, now, principal)
        return RunLease(YOURS if held else BUSY)
    except (RequestError, TemporaryError) as error:
        return _unable(error)


def list_scopes(store: Store, principal: Principal, after: str) -> ScopeList | Unable:
    """The scopes that the user may read whose names come after `after`, as many as one answer holds."""
    try:
        states = store.scopes(principal)
    except (RequestError, TemporaryError) as error:
        return _unable(error)
    wanted = sorted((one for one in states if str(one.scope) > after), key=lambda one: str(one.scope))
    scopes = tuple(
        ScopeFigures(one.scope, one.description, one.version, one.volumes, one.repositories_version)
        for one in wanted[: limits.SCOPES]
    )
    epoch = states[0].epoch if states else NO_EPOCH
    return ScopeList(epoch, scopes, more=len(wanted) > len(scopes))


def count(store: Store, principal: Principal, scope: Scope, now: int) -> ScopeStats | Unable:
    """The scope in figures; `now` is in Unix seconds."""
    try:
        found = store.stats(scope, principal)
    except (RequestError, TemporaryError) as error:
        return _unable(error)
    return ScopeStats(now, found.volumes, found.bytes, found.repositories, found.flags)


def recall(store: Store, principal: Principal, question: Question, now: int) -> Answer | Unable:
    """What the scope's ledger has recorded; `now` is in Unix seconds."""
    try:
        if isinstance(question, MovedAsked):
            return store.earlier(question.scope, question.source, question.run, now, principal)
        return store.missing(question.scope, question.batches, principal)
    except (RequestError, TemporaryError) as error:
        return _unable(error)


def find_login(store: Store, name: str, users: tuple[str, ...], now: int) -> Offer:
    """What a login by this name, or e-mail address, is offered; all of it is looked up for anybody.

    `users` are those that the connection's key is for, empty: any. `now` is in Unix seconds.
    """
    found, mix = store.login(name)
    login = found or _STRANGER
    welcome = found is not None and (not users or login.user in users)
    overdue = login.verifier.kdf.prehash == MD5 and 0 < login.upgrade_by <= now
    return Offer(
        login.verifier if welcome else None,
        mix,
        login.user if welcome else "",
        _OVERDUE if welcome and overdue else None,
        login.created if welcome else 0,
    )


def set_verifier(store: Store, principal: Principal, verifier: Verifier, instead_of: bytes, now: int) -> Unable | None:
    """Replaces what proves the user's own password, whose StoredKey is `instead_of`; `now` is in Unix seconds."""
    try:
        check_kdf(verifier.kdf._replace(prehash=NO_PREHASH))
    except RemoteProtocolError as error:
        return _unable(RequestError(error.code, f"set verifier: {error}"))
    if verifier.kdf.prehash != NO_PREHASH:
        return _unable(RequestError(Code.INVALID, "set verifier: a digest is not kept any more"))
    try:
        store.set_verifier(verifier, principal, now, instead_of=instead_of)
    except (RequestError, TemporaryError) as error:
        return _unable(error)
    return None


def late(seconds: float) -> Unable:
    """The answer to a request that the store did not answer within the time it may take."""
    text = f"the store did not answer within {seconds:g} s; the same request may be sent again"
    return Unable(Failure(Code.STORE_UNAVAILABLE, text, after_ms=RETRY_MS), text)


def _unable(error: RequestError | TemporaryError) -> Unable:
    if isinstance(error, RequestError):
        return Unable(Failure(error.code, str(error), outcome=error.outcome), str(error))
    text = "the store cannot answer now; nothing was changed"
    cause = f"{error} ({error.hint})" if error.hint else str(error)
    return Unable(Failure(Code.STORE_UNAVAILABLE, text, after_ms=RETRY_MS), cause)
