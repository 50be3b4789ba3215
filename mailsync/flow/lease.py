"""The lease of a run: while this host has it no other answers the same mail (exactly-once.md section 2).

the server says   this attempt
yours             goes on; audiences that another host answered already are not answered again
busy              another host is at it: 75, and the mail stays queued
done              another host has done it all: nothing is left to do

It is renewed right before each sendmail, because what came before may have taken long; when it was lost meanwhile, the
other host answers. Effects need no lease: a batch is applied once, whoever sends it. A host has one name for all its
attempts, so that one that was killed is followed by the next without waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId, Scope

if TYPE_CHECKING:
    from mailsync.wire.runs import RunLease

_DONE, _YOURS = "done", "yours"


class Lender(Protocol):
    """What a lease needs of the server."""

    def begin_run(self, run: RunId, holder: bytes, scope: Scope | None = None) -> RunLease:
        """Lends the run, or says why not; `scope` is what will be refreshed next, if that is known."""
        ...

    def renew_run(self, run: RunId, holder: bytes) -> bool:
        """Lends it on; False when another has it."""
        ...

    def replied(self, run: RunId, holder: bytes, audience: str) -> None:
        """Says who was answered, without waiting."""
        ...

    def end_run(self, run: RunId, holder: bytes) -> None:
        """Notes that the run is done. Raises when this, or what was said without waiting, did not get through."""
        ...

    def release_run(self, run: RunId, holder: bytes) -> None:
        """Gives the run back unfinished."""
        ...


class Lease:
    """A run that is this host's for a while. `answered` are the audiences that had their reply before."""

    def __init__(self, server: Lender, run: RunId, holder: bytes, answered: frozenset[str]) -> None:
        self.answered = answered
        self._server = server
        self._run = run
        self._holder = holder

    def renew(self) -> None:
        """Makes sure that the run is still ours. Raises TemporaryError when another host has it."""
        if not self._server.renew_run(self._run, self._holder):
            raise _busy()

    def replied(self, audience: str) -> None:
        """Tells the server who has their reply now; whoever took the run over meanwhile sends a second copy."""
        self._server.replied(self._run, self._holder, audience)

    def end(self) -> None:
        """Tells the server that all is done. Raises when it cannot be told: the next attempt does no more than that."""
        self._server.end_run(self._run, self._holder)


def take_lease(server: Lender, run: RunId, holder: bytes, scope: Scope | None = None) -> Lease | None:
    """The lease of a run, None when it is done already. Raises TemporaryError while another host is at it.

    `scope` is what will be refreshed next, if that is known: the server is asked for it in the same breath.
    """
    lent = server.begin_run(run, holder, scope)
    if lent.state == _DONE:
        return None
    if lent.state != _YOURS:
        raise _busy()
    return Lease(server, run, holder, frozenset(lent.audiences))


def _busy() -> TemporaryError:
    return TemporaryError("another mail host is at this mail", hint="the mail stays queued until it is known done")
