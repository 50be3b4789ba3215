"""What must hold for a client whose server is hostile: it holds key and verifier, and answers with anything.

only errors of core/errors.py are raised        what is returned answers what was asked
a copy that is complete can be read             what never ends is not followed forever
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from first_inputs import (
    BATCHES,
    KEY,
    LEASES,
    OUTCOMES,
    PAGES,
    RECALLED,
    RING,
    SCOPE,
    SCOPES,
    STATS,
    TOKEN,
    VERIFIER,
    WORDS,
)
from spoken import Picks, Speech, Word

from mailsync.client.cache import Cache
from mailsync.client.line import Line
from mailsync.client.link import Link
from mailsync.core.cursor import Cursor
from mailsync.core.errors import MailsyncError
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.guard import Earlier
from mailsync.core.outcome import Outcome
from mailsync.wire import events as seen
from mailsync.wire import ledger, messages
from mailsync.wire.batches import encode_apply, encode_outcome
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code
from mailsync.wire.figures import ScopeFigures, ScopeStats, encode_scopes, encode_stats
from mailsync.wire.messages import Failure, Kind
from mailsync.wire.pages import encode_page
from mailsync.wire.runs import encode_lease
from mailsync.wire.server_session import ServerSession

_MOVED = OUTCOMES[1]._replace(results=OUTCOMES[1].results)
_HONEST: dict[type, list[Word]] = {
    seen.SyncAsked: [Word(Kind.PAGE, encode_page(page)) for page in PAGES],
    seen.ApplyAsked: [Word(Kind.APPLY_OK, encode_outcome(one)) for one in (_MOVED, OUTCOMES[0])],
    seen.RunAsked: [Word(Kind.RUN_OK, encode_lease(one)) for one in LEASES],
    seen.ScopesAsked: [Word(Kind.SCOPES_OK, encode_scopes(one)) for one in (SCOPES, SCOPES._replace(more=False))],
    seen.StatsAsked: [Word(Kind.STATS_OK, encode_stats(STATS))],
    seen.LedgerAsked: [Word(Kind.LEDGER_OK, ledger.encode_answer(one)) for one in RECALLED],
    seen.PingAsked: [Word(Kind.PONG, b"")],
}
_CODES = (*Code, 999)
_MOST_ANSWERS = 200


class _Scripted(ServerSession):
    """A server that does not know which pings its script has sent: any pong answers one."""

    def _pong(self, number: int, payload: bytes) -> seen.ServerEvent:
        return seen.PongReceived(number, payload)


class HostileLine:
    """A line to a server that shakes hands and logs the client in, and then answers as a script says."""

    address = "vault.example.com:5000"

    def __init__(self, picks: Picks) -> None:
        self.sent = self.received = self.asked = 0
        self._picks = picks
        self._session = _Scripted(static=RING.static, random=b"\2" * RANDOM_BYTES)
        self._speech: Speech | None = None
        self._waiting = b""

    def now(self) -> float:
        """Always the same moment."""
        return 0.0

    def renew(self) -> None:
        """There is no deadline."""

    def close(self) -> None:
        """There is nothing to close."""

    def receive(self) -> bytes:
        """What the server has said, nothing at the end."""
        said, self._waiting = self._waiting, b""
        return said

    def send(self, data: bytes) -> None:
        """Gives the server what the client says; what it sends must be the protocol, whatever it was told."""
        found = self._session.receive_data(data)
        while found:
            self._waiting += self._answer(found[0])
            found = self._session.next_events()

    def _answer(self, event: seen.ServerEvent) -> bytes:
        session = self._session
        match event:
            case seen.KeyAsked():
                session.accept_key(KEY.secret)
                return b""
            case seen.LoginAsked():
                said = session.offer_login(VERIFIER)
                assert session._channel is not None
                self._speech = Speech(session._channel._cipher, [word for one in _HONEST.values() for word in one])
                return said
            case seen.LoginProved(_, accepted):
                assert accepted
                return session.answer_login()
            case seen.ByeReceived() | seen.PongReceived() | seen.CancelAsked():
                return b""
        self.asked += 1
        assert self.asked < _MOST_ANSWERS, "the client asks for ever"
        session._requests.pop(event.request, None)
        return b"".join(self._words(event))

    def _words(self, event: seen.ServerEvent) -> list[bytes]:
        assert self._speech is not None
        honest, speech, picks = _HONEST.get(type(event), [Word(Kind.PONG, b"")]), self._speech, self._picks
        found = []
        for _ in range(1 + picks.number() % 5):
            what, flags = picks.number(), picks.number()
            if what < 176:
                word = honest[what % len(honest)]
            elif what < 224:
                body = messages.encode_failure(Failure(_CODES[what % len(_CODES)], "no", flags, OUTCOMES[what % 2]))
                word = Word(Kind.ERROR, body)
            else:
                found += [next(speech.chunks(picks), b"")]
                continue
            damaged = speech._damaged(word, flags, picks)
            found.append(speech.say(damaged, event.request + 1 if flags & 0x20 == 0 else picks.number(), flags & 3))
        return found


def client(data: bytes) -> None:
    """What a client asks, in order, the first byte says how much; then what the server answers."""
    picks = Picks(data)
    calls = picks.take(1 + picks.number() % 6)
    line = HostileLine(picks)
    link = Link(_as_line(line), ClientSession(key=KEY, token=TOKEN, random=b"\1" * RANDOM_BYTES), salt=b"s" * 16)
    link.greet()
    path = _folder() / "copy.db"
    path.unlink(missing_ok=True)
    with Cache(path) as copy, link:
        for call in calls:
            with contextlib.suppress(MailsyncError):
                _CALLS[call % len(_CALLS)](link, copy)
        _check_copy(copy)


def _as_line(line: HostileLine) -> Line:
    return line  # type: ignore[return-value]


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="mailsync-fuzz-", dir=memory if memory.is_dir() else None))


def _sync(link: Link, copy: Cache) -> None:
    found = copy.refresh(link, SCOPE)
    assert found.scope == SCOPE


def _peek(link: Link, _: Cache) -> None:
    pages = link.sync(SCOPE, Cursor(), 0)
    next(pages, None)
    pages.close()


def _apply(link: Link, _: Cache) -> None:
    outcome = link.apply(encode_apply(BATCHES[1]))
    assert isinstance(outcome, Outcome)
    assert outcome.batch == BATCHES[1].id
    assert len(outcome.results) == len(BATCHES[1].operations)


def _run(link: Link, _: Cache) -> None:
    run, holder = WORDS[0].run, WORDS[0].holder
    assert link.begin_run(run, holder).state in ("yours", "busy", "done")
    assert link.renew_run(run, holder) in (True, False)
    link.replied(run, holder, "team")
    link.end_run(run, holder)


def _scopes(link: Link, _: Cache) -> None:
    found = list(itertools.islice(link.scopes(), 10_000))
    assert all(isinstance(one, ScopeFigures) for one in found)
    names = [str(one.scope) for one in found]
    assert names == sorted(set(names))


def _stats(link: Link, _: Cache) -> None:
    assert isinstance(link.stats(SCOPE), ScopeStats)


def _ledger(link: Link, _: Cache) -> None:
    assert isinstance(link.earlier(SCOPE, "nightly", WORDS[0].run), Earlier)
    assert isinstance(link.missing(SCOPE, (b"1" * 16,)), ledger.Missing)


def _ping(link: Link, _: Cache) -> None:
    assert link.ping() == 0


_CALLS: tuple[Callable[[Link, Cache], None], ...] = (_sync, _apply, _run, _scopes, _stats, _ping, _peek, _ledger)


def _check_copy(copy: Cache) -> None:
    """A copy is complete and can be read, or it is none."""
    found = copy.snapshot(SCOPE)
    if found is None:
        return
    rows = list(found.rows(FIELD_NAMES))
    names = [row[0] for row in rows]
    assert len(names) == found.size
    assert len(set(names)) == len(names)
    assert list(found.lookup(names, FIELD_NAMES)) == rows
    assert all(isinstance(one.offsite, bool) for one in found.repositories.values())


HARNESSES: dict[str, Callable[[bytes], None]] = {"client": client}
