"""The effects a run may have, opened when first used: journal, archive, server, sendmail, clock.

Strategy: one place that knows how a site becomes open files and connections. Nothing is opened that a run does not
need: a duplicate opens the journal and no more. Writing to a site that belongs to somebody else is refused before
anything is written.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mailsync.client.archive import Archive
from mailsync.client.journal import Journal
from mailsync.config.keys import read_client_key, read_login
from mailsync.config.ownership import require_owner
from mailsync.config.site import Site
from mailsync.core.errors import DeadlineError, TemporaryError
from mailsync.core.model import RunId, Scope, Snapshot
from mailsync.mail.loop import OwnMarks

if TYPE_CHECKING:
    from mailsync.client.heads import SeenHead
    from mailsync.client.link import Link
    from mailsync.core.guard import Earlier
    from mailsync.core.outcome import Outcome
    from mailsync.wire.ledger import Missing
    from mailsync.wire.runs import RunLease


class World:
    """A site in operation. Use it as a context manager: it closes what it opened."""

    def __init__(self, site: Site, *, clock: Callable[[], float] = time.time) -> None:
        self.site = site
        self._clock = clock
        self._server: SiteServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        if "journal" in self.__dict__:
            self.journal.close()

    @cached_property
    def journal(self) -> Journal:
        """The journal, opened for this user."""
        require_owner(self.site.state)
        return Journal(self.site.audit.journal)

    @cached_property
    def archive(self) -> Archive:
        """The audit Maildir."""
        require_owner(self.site.audit.maildir)
        return Archive(self.site.audit.maildir)

    @cached_property
    def marks(self) -> OwnMarks:
        """What tells this site's own mails: made from the client's key, so every host with that key knows them."""
        key = read_client_key(self.site.server.key)
        secret = hmac.digest(key.secret, b"mailsync own mail 1", "sha256")
        return OwnMarks(secret, "mailsync-" + hashlib.sha256(b"x-loop" + secret).hexdigest()[:20])

    @property
    def lock(self) -> Path:
        """The file whose bytes are the locks of runs."""
        require_owner(self.site.state)
        return self.site.state / "runs.lock"

    @property
    def server(self) -> SiteServer:
        """The server: connected when it is first asked something."""
        if self._server is None:
            self._server = SiteServer(self.site)
        return self._server

    @property
    def has_server(self) -> bool:
        """True when this attempt was connected to the server."""
        return self._server is not None and self._server.connected

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock())

    def heads(self, chains: Sequence[str]) -> tuple[SeenHead, ...]:
        """As SiteServer.heads; none where they cannot be had."""
        try:
            return self.server.heads(chains)
        except DeadlineError:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with the cache, people are to be told, of that too
            return ()

    def send(self, message: Path, *, name: str) -> None:
        """Hands a kept message to the site's sendmail; TemporaryError when it does not accept it."""
        from mailsync.client.sendmail import send

        with _waiting():
            send(self.site.sendmail, message, name=name)


@contextmanager
def _waiting() -> Iterator[None]:
    """Around waiting for somebody else: a deadline that strikes here is no fault of the mail."""
    try:
        yield
    except DeadlineError as error:
        raise TemporaryError(str(error), hint=error.hint) from error


class SiteServer:
    """The site's server behind one connection and one cache."""

    def __init__(self, site: Site) -> None:
        from mailsync.client.cache import Cache, cache_name

        require_owner(site.state)
        self._server = site.server
        self._key = read_client_key(site.server.key)
        self._login = read_login(site.server)
        name = cache_name(site.server.address, self._key, self._login.user)
        self._cache = Cache.open(site.state / "cache", name)
        self._link: Link | None = None
        self._spent = (0, 0)

    def refresh(self, scope: Scope) -> Snapshot:
        """The scope as the server has it now."""
        with _waiting():
            return self._cache.refresh(self._connected(), scope)

    def remembered(self, scope: Scope) -> Snapshot | None:
        """The scope as it was last seen, or None when it never was completely."""
        return self._cache.snapshot(scope)

    def heads(self, chains: Sequence[str]) -> tuple[SeenHead, ...]:
        """Where these chains of the ledger ended when this host last saw them; the server is not asked."""
        return self._cache.heads(chains)

    def apply(self, body: bytes) -> Outcome:
        """The outcome of an encoded batch."""
        with _waiting():
            return self._connected().apply(body)

    def begin_run(self, run: RunId, holder: bytes, scope: Scope | None = None) -> RunLease:
        """As lease.Lender.begin_run; asks for the news of a scope, which will be refreshed next, in the same breath."""
        from mailsync.core.ledger import SITE, Head  # not for duplicates, which end before this
        from mailsync.wire.messages import Sync

        with _waiting():
            link = self._connected()
            lease = link.begin_run(run, holder, None if scope is None else Sync(scope, *self._cache.place(scope)))
            if lease.ledger:
                self._cache.keep_head(Head(SITE, lease.entry, lease.ledger))
            return lease

    def renew_run(self, run: RunId, holder: bytes) -> bool:
        """As lease.Lender.renew_run."""
        with _waiting():
            return self._connected().renew_run(run, holder)

    def replied(self, run: RunId, holder: bytes, audience: str) -> None:
        """As lease.Lender.replied."""
        with _waiting():
            self._connected().replied(run, holder, audience)

    def end_run(self, run: RunId, holder: bytes) -> None:
        """As lease.Lender.end_run."""
        with _waiting():
            self._connected().end_run(run, holder)

    def release_run(self, run: RunId, holder: bytes) -> None:
        """As lease.Lender.release_run."""
        with _waiting():
            self._connected().release_run(run, holder)

    def earlier(self, scope: Scope, source: str, run: RunId) -> Earlier:
        """As decide.View.earlier."""
        with _waiting():
            return self._connected().earlier(scope, source, run)

    def missing(self, scope: Scope, batches: Sequence[bytes]) -> Missing:
        """As lost.Witness.missing."""
        with _waiting():
            return self._connected().missing(scope, batches)

    @property
    def connected(self) -> bool:
        """True once there was a connection."""
        return self._link is not None

    def spent(self) -> tuple[int, int]:
        """Application bytes sent and received since this was last asked."""
        sent, received = (self._link.sent, self._link.received) if self._link else (0, 0)
        before, self._spent = self._spent, (sent, received)
        return sent - before[0], received - before[1]

    def close(self) -> None:
        """Says goodbye, and closes connection and cache."""
        if self._link is not None:
            self._link.close()
        self._cache.close()

    def _connected(self) -> Link:
        if self._link is None:
            from mailsync.client.link import connect
            from mailsync.client.way import way_of

            way = way_of(self._server, os.environ)
            self._link = connect(self._server.address, self._key, self._login, random=os.urandom, way=way)
        return self._link
