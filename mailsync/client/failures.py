"""What a server says no to becomes an exception.

code               exception          meaning
201, 203           RefusedError       the login
204                ForbiddenError     what the user may not do
301                NoScopeError       there is no such scope for this user
601, 602, 605      StaleError         nothing was recorded: sync, plan again
604                ReusedError        the batch was recorded before with other contents; carries that outcome
606                OvertakenError     a newer report of the same source was applied before; recorded as such
any other          ServerError        75: try again later, `after_ms` when the server says so
"""

from __future__ import annotations

from mailsync.core.errors import ForeignProtocolError, MailsyncError, RefusedError, TemporaryError, UnreachableError
from mailsync.core.outcome import Outcome
from mailsync.wire.errors import Code, Refusal, RemoteProtocolError
from mailsync.wire.messages import Failure

_FOREIGN = (
    "is the port right, and does it require TLS (server.tls)? "
    "for a TapeTrack server use kind: tmss10sync (not in this version)"
)
_HUNG_UP = "nothing is lost; does it require TLS (server.tls), is it the right port?"
_NO_KDF = "another Python or OpenSSL here; or, on the server's host: mailsync server user password --fips NAME"
_NO_SCOPE = "is it there, and granted? on the server's host: mailsync server scope list, mailsync server grant list"
_NO_LOGIN = "on the server's host: mailsync server user list, and mailsync server key list: the key may be for others"
_STALE = frozenset({Code.EPOCH_CHANGED, Code.BASE_TOO_OLD, Code.PLAN_STALE})


class ServerError(TemporaryError):
    """The server could not do it. `after_ms` is how long it asks to be left alone, 0 when it does not say."""

    def __init__(self, code: int, text: str, after_ms: int = 0) -> None:
        hint = f"the server asks for {after_ms / 1000:g} s before the next attempt" if after_ms else ""
        super().__init__(f"the server answered {code}: {text}", hint=hint)
        self.code = code
        self.text = text
        self.after_ms = after_ms


class StaleError(ServerError):
    """The plan was made against a state the server has left, or never had: sync, and plan again."""


class ReusedError(ServerError):
    """The batch id is recorded with another request; `outcome` is what became of that one."""

    def __init__(self, text: str, outcome: Outcome) -> None:
        super().__init__(Code.BATCH_ID_REUSED, text)
        self.outcome = outcome


class OvertakenError(ServerError):
    """A newer report of the same source was applied before this one; nothing of this one is."""


class NoScopeError(RefusedError):
    """The server has no such scope for this user."""


class ForbiddenError(RefusedError):
    """The user may not do this."""


class HungUpError(UnreachableError):
    """The server ended the connection without a word; `early`: before it was known for one of ours."""

    def __init__(self, address: str, *, early: bool) -> None:
        super().__init__(f"server {address} hung up", hint=_HUNG_UP if early else "")


def refused(address: str, refusal: int) -> MailsyncError:
    """Why the server took no handshake."""
    if refusal == Refusal.BUSY:
        return ServerError(Code.BUSY, f"{address} has no room for another connection, or no access to its store")
    if refusal == Refusal.VERSION:
        return ForeignProtocolError(f"server {address} speaks another version", hint="upgrade the older of the two")
    hint = "is the key in its ring and for this network (there: mailsync server key list), and its own key in yours?"
    return RefusedError(f"server {address} refused the key", hint=hint)


def foreign(address: str) -> ForeignProtocolError:
    """What answers is no server of ours."""
    return ForeignProtocolError(f"what answers at {address} does not speak this protocol", hint=_FOREIGN)


def not_greeted(address: str, error: RemoteProtocolError) -> MailsyncError:
    """What answers greets in a way that no server of ours would, or asks for less than a password is worth."""
    return not_proved(address, error) if error.code is Code.INVALID else foreign(address)


def not_proved(address: str, error: RemoteProtocolError) -> RefusedError:
    """Why no proof of a password is made for this server."""
    hint = _NO_KDF if error.code is Code.VERSION else "nothing was proved to it: does another pose as it?"
    return RefusedError(f"log on to server {address}: {error}", hint=hint)


def failed(failure: Failure) -> MailsyncError:
    """What an ERROR of the server is here."""
    code, text, after_ms, outcome = failure
    if code in _STALE:
        return StaleError(code, text, after_ms)
    if code == Code.BATCH_ID_REUSED and outcome is not None:
        return ReusedError(text, outcome)
    if code == Code.OVERTAKEN:
        return OvertakenError(code, text, after_ms)
    if code == Code.NO_SUCH_SCOPE:
        return NoScopeError(f"the server refused: {text}", hint=_NO_SCOPE)
    if code == Code.AUTH_FAILED:
        return RefusedError(f"the server refused the login: {text}", hint=_NO_LOGIN)
    if code == Code.AUTH_UPGRADE_REQUIRED:
        hint = "on the server's host: mailsync server user password NAME"
        return RefusedError(f"the server refused the login: {text}", hint=hint)
    if code == Code.FORBIDDEN:
        return ForbiddenError(f"the server refused: {text}")
    return ServerError(code, text, after_ms)
