"""The messages with small bodies: values, and the JSON objects they travel as (protocol.md, Frames and messages).

JSON because these bodies are short, are read by people in a debug log, and grow by new members: unknown members are
ignored. Everything else is strict: UTF-8, one object, no member twice, no NaN, bounded depth, bounded strings, whole
numbers below 2^53. Rows travel as columns instead (pages.py, batches.py).
"""

from __future__ import annotations

import base64
from enum import IntEnum
from typing import NamedTuple

from mailsync.core.cursor import MARK_BYTES, Cursor
from mailsync.core.model import Scope
from mailsync.core.outcome import Outcome, RowResult
from mailsync.wire import limits
from mailsync.wire.batches import decode_outcome, encode_outcome
from mailsync.wire.control import Members, encode_object
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.passwords import OF_TOKENS, Kdf
from mailsync.wire.reader import read_scope
from mailsync.wire.verifiers import kdf_members, read_kdf


class Kind(IntEnum):
    """Message types. From 0x80 on a receiver skips what it does not know."""

    AUTH = 0x03
    AUTH_OK = 0x04
    SET_VERIFIER = 0x05
    SET_VERIFIER_OK = 0x06
    SCOPES = 0x10
    SCOPES_OK = 0x11
    SYNC = 0x12
    PAGE = 0x13
    CANCEL = 0x15
    APPLY = 0x22
    APPLY_OK = 0x23
    RUN = 0x24
    RUN_OK = 0x25
    STATS = 0x30
    STATS_OK = 0x31
    LEDGER = 0x32
    LEDGER_OK = 0x33
    PING = 0x40
    PONG = 0x41
    ERROR = 0x50
    BYE = 0x5F


class Hello(NamedTuple):
    """What a client says inside Noise message 1. `versions` is (least, most); `login` is `token` or `password`.

    `login` and `scram` are empty for a mere ping.

    Message 1 can be replayed by whoever saw it: it causes look-ups, never a change.
    """

    versions: tuple[int, int]
    compress: tuple[str, ...]
    client: str
    login: str
    scram: str


class HelloOk(NamedTuple):
    """What a server answers inside Noise message 2. The iterations of `kdf` are those of `scram`."""

    version: int
    compress: str
    scram: str
    kdf: Kdf = OF_TOKENS


class Auth(NamedTuple):
    """The client's SCRAM proof."""

    scram: str


class AuthOk(NamedTuple):
    """The server's SCRAM signature, and the user as the server knows it."""

    scram: str
    user: str


class Sync(NamedTuple):
    """Asks for what changed after `cursor`: at most `pages` pages of at most `rows` rows and tombstones.

    `repositories_version` is 0 while the client has no table; the server sends its table when its version differs.
    """

    scope: Scope
    cursor: Cursor
    repositories_version: int = 0
    rows: int = limits.DEFAULT_PAGE_ROWS
    pages: int = limits.PAGES


class Scopes(NamedTuple):
    """Asks for the scopes whose names come after `after`."""

    after: str = ""


class Stats(NamedTuple):
    """Asks for a scope in figures."""

    scope: Scope


class Cancel(NamedTuple):
    """Gives up a SYNC by its request number: the rest of its pages is not sent. Nothing else can be given up."""

    request: int


class Failure(NamedTuple):
    """An ERROR: `after_ms` is how long to wait before trying again; 604 carries the stored outcome."""

    code: int
    text: str
    after_ms: int = 0
    outcome: Outcome | None = None


class Bye(NamedTuple):
    """The end, on purpose; end of file without it is a cut."""

    reason: str


def encode_hello(hello: Hello) -> bytes:
    """The JSON body of a hello."""
    return encode_object(hello._asdict())


def decode_hello(body: bytes) -> Hello:
    """The hello in a JSON body. RemoteProtocolError when it is not one."""
    members = Members(body)
    least, most = members.numbers("versions", 2)
    compress = members.texts("compress")
    return Hello((least, most), compress, members.text("client"), members.text("login"), members.text("scram"))


def encode_hello_ok(hello: HelloOk) -> bytes:
    """The JSON body of a hello_ok."""
    members = hello._asdict()
    kdf = members.pop("kdf")
    return encode_object(members if kdf == OF_TOKENS else {**members, "kdf": kdf_members(kdf)})


def decode_hello_ok(body: bytes) -> HelloOk:
    """The hello_ok in a JSON body. RemoteProtocolError when it is not one."""
    members = Members(body)
    inner = members.inner("kdf")
    kdf = read_kdf(inner) if inner else OF_TOKENS
    return HelloOk(members.number("version"), members.text("compress"), members.text("scram"), kdf)


def encode_auth(auth: Auth) -> bytes:
    """The JSON body of an AUTH."""
    return encode_object(auth._asdict())


def decode_auth(body: bytes) -> Auth:
    """The AUTH in a JSON body. RemoteProtocolError when it is not one."""
    return Auth(Members(body).text("scram"))


def encode_auth_ok(auth: AuthOk) -> bytes:
    """The JSON body of an AUTH_OK."""
    return encode_object(auth._asdict())


def decode_auth_ok(body: bytes) -> AuthOk:
    """The AUTH_OK in a JSON body. RemoteProtocolError when it is not one."""
    members = Members(body)
    return AuthOk(members.text("scram"), members.text("user"))


def encode_sync(sync: Sync) -> bytes:
    """The JSON body of a SYNC."""
    return encode_object(
        {
            "scope": str(sync.scope),
            "epoch": sync.cursor.epoch.hex(),
            "since": sync.cursor.since,
            "snap": sync.cursor.snap,
            "done": sync.cursor.done,
            "mark": sync.cursor.mark.hex(),
            "at": sync.cursor.at,
            "repositories": sync.repositories_version,
            "rows": sync.rows,
            "pages": sync.pages,
        }
    )


def decode_sync(body: bytes) -> Sync:
    """The SYNC in a JSON body. RemoteProtocolError when it is not one, TOO_LARGE when it asks for too much."""
    members = Members(body)
    scope = read_scope(members.text("scope"))
    since, snap, done, at = (members.number(name) for name in ("since", "snap", "done", "at"))
    cursor = Cursor(members.hex("epoch", 16), since, snap, done, members.hex("mark", MARK_BYTES), at)
    sync = Sync(scope, cursor, members.number("repositories"), members.number("rows"), members.number("pages"))
    if not (1 <= sync.rows <= limits.PAGE_ROWS and 1 <= sync.pages <= limits.PAGES):
        limit = f"1 to {limits.PAGE_ROWS} rows and 1 to {limits.PAGES} pages"
        raise RemoteProtocolError(f"a sync may ask for {limit}", Code.TOO_LARGE)
    return sync


def encode_scopes_asked(scopes: Scopes) -> bytes:
    """The JSON body of a SCOPES."""
    return encode_object({"after": scopes.after} if scopes.after else {})


def decode_scopes_asked(body: bytes) -> Scopes:
    """The SCOPES in a JSON body. RemoteProtocolError when it is not one."""
    return Scopes(Members(body).text("after", ""))


def encode_stats_asked(stats: Stats) -> bytes:
    """The JSON body of a STATS."""
    return encode_object({"scope": str(stats.scope)})


def decode_stats_asked(body: bytes) -> Stats:
    """The STATS in a JSON body. RemoteProtocolError when it is not one."""
    return Stats(read_scope(Members(body).text("scope")))


def encode_cancel(cancel: Cancel) -> bytes:
    """The JSON body of a CANCEL."""
    return encode_object({"request": cancel.request})


def decode_cancel(body: bytes) -> Cancel:
    """The CANCEL in a JSON body. RemoteProtocolError when it is not one."""
    return Cancel(Members(body).number("request"))


def encode_failure(failure: Failure) -> bytes:
    """The JSON body of an ERROR; an outcome whose texts are too long for one goes without them."""
    members: dict[str, object] = {"code": failure.code, "text": failure.text[: limits.TEXT]}
    if failure.after_ms:
        members["after_ms"] = failure.after_ms
    if failure.outcome is not None:
        body = encode_object({**members, "outcome": _in_base64(failure.outcome)})
        if len(body) <= limits.CONTROL_BYTES:
            return body
        # Reasons of thousands of rows: what became of the rows fits always.
        plain = tuple(RowResult(one.result) for one in failure.outcome.results)
        members["outcome"] = _in_base64(failure.outcome._replace(results=plain))
    return encode_object(members)


def _in_base64(outcome: Outcome) -> str:
    return base64.b64encode(encode_outcome(outcome)).decode()


def decode_failure(body: bytes) -> Failure:
    """The ERROR in a JSON body. RemoteProtocolError when it is not one."""
    members = Members(body)
    outcome = members.base64("outcome")
    return Failure(
        code=members.number("code"),
        text=members.text("text"),
        after_ms=members.number("after_ms", 0),
        outcome=decode_outcome(outcome) if outcome else None,
    )


def encode_bye(bye: Bye) -> bytes:
    """The JSON body of a BYE."""
    return encode_object({"reason": bye.reason} if bye.reason else {})


def decode_bye(body: bytes) -> Bye:
    """The BYE in a JSON body. RemoteProtocolError when it is not one."""
    return Bye(Members(body).text("reason", ""))
