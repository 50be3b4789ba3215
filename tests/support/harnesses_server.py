"""What must hold for a whole server over a real store, whatever a client says that is let in.

the server answers, or closes with a code of its own, never 504     each answer can be read, and they come in order
the ledger verifies, versions only rise, each is there once          a copy made by SYNC is the store
what the user may not write, or not even see, is as it was           a recorded batch is recorded once
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import in_memory
from first_inputs import KEY, TOKEN
from harnesses_bodies import reread
from in_memory import BOXES, EPOCH, HIDDEN, LTO, READER, WRITER, Conversation, open_store
from spoken import Picks, Speech, Word

from mailsync.core.cursor import Cursor
from mailsync.core.fields import FIELD_NAMES, SYNC_FIELDS
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sql_store import SqlStore
from mailsync.server.store import RequestError
from mailsync.wire import ledger, messages, verifiers
from mailsync.wire.batches import decode_outcome, encode_apply, encode_outcome
from mailsync.wire.client_session import ClientSession
from mailsync.wire.compression import inflate
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code
from mailsync.wire.events import Connected
from mailsync.wire.figures import decode_scopes, decode_stats, encode_scopes, encode_stats
from mailsync.wire.frames import AFTER_LOGIN, FrameReader
from mailsync.wire.keys import Token
from mailsync.wire.messages import Kind, Sync
from mailsync.wire.pages import decode_page, encode_page
from mailsync.wire.passwords import DEFAULT
from mailsync.wire.runs import RunStep, RunWord, decode_lease, encode_lease, encode_run
from mailsync.wire.scram import make_verifier

_READ = {
    Kind.AUTH_OK: (messages.decode_auth_ok, messages.encode_auth_ok),
    Kind.SCOPES_OK: (decode_scopes, encode_scopes),
    Kind.PAGE: (decode_page, encode_page),
    Kind.APPLY_OK: (decode_outcome, encode_outcome),
    Kind.RUN_OK: (decode_lease, encode_lease),
    Kind.STATS_OK: (decode_stats, encode_stats),
    Kind.LEDGER_OK: (ledger.decode_answer, ledger.encode_answer),
    Kind.SET_VERIFIER_OK: (bytes, bytes),
    Kind.PING: (bytes, bytes),
    Kind.PONG: (bytes, bytes),
    Kind.ERROR: (messages.decode_failure, messages.encode_failure),
}
_UNKNOWN = Scope(CustomerId("ZZ99"), MediaId("LTO"))
_SCOPES = (LTO, LTO, LTO, BOXES, HIDDEN, _UNKNOWN)
_NAMES = ("A1", "A2", "A3", "A4", "A5", "A6", "A7", "B1", "N1", "N2", "x", "")
_VALUES = ("", "OFFS", "LIBR", "RACK", "NONE", "2031-05-04", "2031-02-30", "2031-05-04T09:30:00Z", "yes", "no", "daily")
_VALUES += ("US01.BOX.B1", "US01.LTO.A1", "GB01.LTO.A1", "text", "é\u2028", "x" * 300, "a\tb", "\x7f")
_LAST = 2**32 - 1
_PING = b"the end"


class _Said(NamedTuple):
    """A message of the server's."""

    kind: int
    request: int
    value: Any


def server(data: bytes) -> None:
    """What a client says once it has logged on: the first byte says as whom, then a row of requests and noise."""
    picks = Picks(data)
    user = (WRITER, WRITER, WRITER, READER)[picks.number() % 4]
    store = open_store()
    copy = _Copy()
    copy.follow(store)
    before = {scope: contents(store, scope) for scope in (LTO, BOXES, HIDDEN)}
    versions = {one.scope: one.version for one in store.scopes(ADMINISTRATOR)}
    client = _Client(Token(user, TOKEN.secret), picks, versions[LTO], copy.cursor)
    conversation = Conversation(store)
    end = conversation.run(client.session.start(), client)
    assert not any(" event=fault " in line for line in conversation.log), conversation.log
    client.check(end)
    assert before[HIDDEN] == contents(store, HIDDEN)
    assert user == WRITER or before == {scope: contents(store, scope) for scope in before}
    _check_store(store, versions, copy)
    store.close()


class _Client:
    """A client that logs on, says all it has to say, asks for a PONG and says BYE; called with what the server says."""

    def __init__(self, token: Token, picks: Picks, version: int, cursor: Cursor) -> None:
        self.session = ClientSession(key=KEY, token=token, random=b"\1" * RANDOM_BYTES)
        self.said: list[_Said] = []
        self.over = False
        self._picks, self._version, self._cursor = picks, version, cursor
        self._reader: FrameReader | None = None
        self._speech: Speech | None = None

    def __call__(self, data: bytes) -> bytes:
        if self._reader is not None:
            self._hear(data)
            return b""
        (event,) = self.session.receive_data(data)
        assert isinstance(event, Connected), event
        channel = self.session._channel
        assert channel is not None
        self._reader = channel._reader
        auth = self.session.send_auth()
        self._speech = speech = Speech(channel._cipher, ())
        requests = b"".join(self._requests(speech))
        self.over = True
        return auth + requests + speech.say(Word(Kind.PING, _PING, _LAST)) + speech.say(Word(Kind.BYE, b"{}"))

    def _requests(self, speech: Speech) -> Iterator[bytes]:
        """Requests of all kinds, now and then damaged, and other messages and noise."""
        for _ in range(40):
            if not self._picks:
                return
            what = self._picks.number()
            if what % 16 == 15:
                yield next(speech.chunks(self._picks), b"")
                continue
            word = self._request(what % 16)
            flags = self._picks.number() if what & 0x40 else 0
            number = self._picks.number() if what & 0x80 else 0
            yield speech.say(speech._damaged(word, flags, self._picks), number, flags & 0x37)

    def _request(self, what: int) -> Word:
        picks = self._picks
        if what == 5:
            return Word(Kind.LEDGER, ledger.encode_question(self._question()))
        if what < 6:
            return Word(Kind.APPLY, encode_apply(self._batch()))
        if what < 9:
            return Word(Kind.SYNC, messages.encode_sync(self._sync()))
        if what < 11:
            run, holder = bytes((picks.number() % 3,)) * 32, bytes((picks.number() % 3,)) * 16
            step = RunStep(1 + picks.number() % len(RunStep))
            audience = "team" if step is RunStep.REPLIED else ""
            return Word(Kind.RUN, encode_run(RunWord(step, run, holder, audience)))
        scope = _SCOPES[picks.number() % len(_SCOPES)]
        verifier = make_verifier(b"t" * 32, b"s" * 16)._replace(kdf=DEFAULT)
        return {
            11: Word(Kind.STATS, messages.encode_stats_asked(messages.Stats(scope))),
            12: Word(Kind.SCOPES, messages.encode_scopes_asked(messages.Scopes(str(scope)))),
            13: Word(Kind.SET_VERIFIER, verifiers.encode_set_verifier(verifiers.SetVerifier(verifier))),
            14: Word(Kind.CANCEL, messages.encode_cancel(messages.Cancel(picks.number()))),
        }[what]

    def _question(self) -> ledger.Question:
        picks = self._picks
        where, named = picks.number(), picks.number()
        scope, name = _SCOPES[where % len(_SCOPES)], bytes((named % 3,))
        if where & 0x80:
            return ledger.RecordedAsked(scope, (name * 16,) * (named >> 3))
        return ledger.MovedAsked(scope, ("", "nightly", "weekly")[(named >> 3) % 3], name * 32)

    def _batch(self) -> Batch:
        picks = self._picks
        name, run, where, order = (picks.number() for _ in range(4))
        operations = tuple(self._operation() for _ in range(picks.number() % 8))
        return Batch(
            id=bytes((name % 3,)) * 16,
            run=bytes((run % 3,)) * 32,
            plan=b"p" * 32,
            scope=_SCOPES[where % len(_SCOPES)],
            epoch=b"?" * 16 if where > 240 else EPOCH,
            base=max(self._version + 4 - order % 8, 0),
            source=("", "nightly", "weekly")[order >> 3 & 3 and (order >> 3) % 3],
            asof=order >> 5,
            sources=(("<1@example.com>", "a.csv"), ("<2@example.com>", "b.csv")),
            operations=operations,
        )

    def _operation(self) -> Operation:
        picks = self._picks
        name, what, field, value = (picks.number() for _ in range(4))
        change = (Change.UPDATE, Change.CREATE, Change.CONFIRM, Change.UPDATE)[what % 4]
        settable = SYNC_FIELDS if what & 0x80 == 0 else FIELD_NAMES
        fields = [settable[field % len(settable)]] if change is not Change.CONFIRM else ["confirmed_repository"]
        if what & 0x40 and "description" not in fields:
            fields.append("description")
        values = tuple(_VALUES[(value + at) % len(_VALUES)] for at in range(len(fields)))
        return Operation(change, _NAMES[name % len(_NAMES)], tuple(fields), values, what >> 2 & 1, field, value)

    def _sync(self) -> Sync:
        picks = self._picks
        where, how = picks.number(), picks.number()
        cursor = (Cursor(), self._cursor, self._cursor._replace(since=how >> 4, snap=how & 7, at=how >> 2))[how % 3]
        return Sync(_SCOPES[where % len(_SCOPES)], cursor, how >> 5, rows=1 + how % 4, pages=1 + where % 4)

    def _hear(self, data: bytes) -> None:
        assert self._reader is not None
        self._reader.feed(data)
        while (message := self._reader.next_message(AFTER_LOGIN)) is not None:
            body = inflate(message.method, message.body, message.inflated)
            value = reread(_READ[Kind(message.kind)], body)
            assert value is not None, "the server said what nobody can read"
            self.said.append(_Said(message.kind, message.request, value))

    def check(self, end: str) -> None:
        """The answers: in order, none of them a fault, the last one the PONG or the reason why there is none."""
        assert self._speech is not None
        assert end in ("bye", "protocol", "cut"), end
        assert self.said[0].kind == Kind.AUTH_OK
        numbers = [one.request for one in self.said if one.request]
        assert numbers == sorted(numbers)
        failures = [one for one in self.said if one.kind == Kind.ERROR]
        codes = {one.value.code for one in failures}
        assert codes <= set(Code) - {Code.INTERNAL, Code.SILENT, Code.TIMEOUT, Code.BUSY}, codes
        assert all(one is self.said[-1] for one in failures if not one.request)
        pong = (Kind.PONG, _LAST, _PING)
        if end == "bye":
            assert self.said[-1] == pong or Kind.BYE in self._speech.kinds[:-1], self.said[-1]
        elif end == "protocol":
            assert self.said[-1] != pong
            assert self.said[-1].kind == Kind.ERROR
        else:
            assert self.said[-1] != pong


class _Copy:
    """A client's copy of a scope, made by SYNC."""

    def __init__(self) -> None:
        self.cursor, self.rows = Cursor(), dict[str, tuple[str, ...]]()

    def follow(self, store: SqlStore) -> None:
        """Follows to the end."""
        more = True
        while more:
            page = store.sync(LTO, self.cursor, 0, 2, ADMINISTRATOR)
            if page.reset:
                self.rows = {}
            for name in page.tombstones:
                self.rows.pop(name, None)
            for name, *values in page.rows:
                kept = name in page.texts_kept
                self.rows[name] = (self.rows[name][0], *values[1:]) if kept else tuple(values)
            assert page.reset or page.cursor.since >= self.cursor.since
            self.cursor, more = page.cursor, page.more


def contents(store: SqlStore, scope: Scope) -> dict[str, tuple[str, ...]]:
    """The scope's volumes, and what is said of each."""
    return {name: tuple(volume) for name, volume in store.export(scope)}


def _check_store(store: SqlStore, versions: dict[Scope, int], copy: _Copy) -> None:
    # Nobody deletes by the protocol, and a copy must follow what the administrator does, too.
    for name in ("A1", "N1"):
        with suppress(RequestError):  # it holds something by now
            store.delete(LTO, [name])
    assert list(store.verify()) == []
    fresh = _Copy()
    for one in (copy, fresh):
        one.follow(store)
        assert one.rows == contents(store, LTO)
    database = store._database
    assert isinstance(database, in_memory.InMemory)
    for one in store.scopes(ADMINISTRATOR):
        assert one.version >= versions[one.scope]
        assert one.volumes == len(contents(store, one.scope))
        recorded = [batch.id for batch in store.batches(one.scope)]
        assert len(set(recorded)) == len(recorded)
        changed = [entry for entry in store.ledger(one.scope) if entry.version > one.version]
        assert not changed
    tables = "SELECT media, version FROM volumes UNION ALL SELECT media, version FROM tombstones"
    numbers = database.rows(tables)
    assert len(set(numbers)) == len(numbers)
    above = (
        "SELECT count(*) FROM ("
        + tables
        + ") AS one JOIN media AS m ON m.number = one.media WHERE one.version > m.version"
    )
    assert database.rows(above) == [(0,)]


HARNESSES: dict[str, Callable[[bytes], None]] = {"server": server}
