"""Who broke the protocol, as two exceptions, and the codes by which one end tells the other.

    LocalProtocolError    this program called a session out of turn or gave it a value that cannot travel: a bug here
    RemoteProtocolError   the peer's bytes are not the protocol; `code` is what to answer, SILENT = close without a word

Nothing else is raised by a decoder in this package, whatever the bytes are.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The codes of ERROR messages (protocol.md, Error codes). SILENT never travels."""

    SILENT = 0
    MALFORMED = 101
    TOO_LARGE = 102
    UNKNOWN_TYPE = 103
    BAD_STATE = 104
    TIMEOUT = 105
    VERSION = 106
    CANCELLED = 107
    AUTH_FAILED = 201
    AUTH_THROTTLED = 202
    AUTH_UPGRADE_REQUIRED = 203
    FORBIDDEN = 204
    NO_SUCH_SCOPE = 301
    INVALID = 302
    BUSY = 501
    STORE_UNAVAILABLE = 502
    SHUTTING_DOWN = 503
    INTERNAL = 504
    EPOCH_CHANGED = 601
    BASE_TOO_OLD = 602
    BATCH_ID_REUSED = 604
    PLAN_STALE = 605
    OVERTAKEN = 606


class Refusal(IntEnum):
    """What one byte says instead of Noise message 2. A hint: nothing weaker is ever tried because of it."""

    BUSY = 1
    VERSION = 2
    NO = 3  # an unknown key id and a wrong key are the same on purpose


class LocalProtocolError(Exception):
    """This end asked its session for something the protocol does not allow now, or ever."""


class RemoteProtocolError(Exception):
    """The peer's bytes are not the protocol. `code` is what to tell it (SILENT: nothing at all)."""

    def __init__(self, text: str, code: Code = Code.MALFORMED) -> None:
        super().__init__(text)
        self.code = code


class ImpostorError(RemoteProtocolError):
    """The server holds the key but does not know the token: nothing was changed, and nothing more is said to it."""

    def __init__(self) -> None:
        super().__init__("the server could not prove that it knows the token", Code.SILENT)
