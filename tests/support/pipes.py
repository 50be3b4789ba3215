"""A connection without a socket: a client's line, and a server that answers in the same thread, byte by byte.

What is sent is given to the server at once, and its answers wait to be received in pieces of any size. Either
direction may end at any byte: what was sent up to there has arrived.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from mailsync.core.errors import UnreachableError
from mailsync.server import service
from mailsync.server.access import Principal
from mailsync.server.pages import PageCache, Step
from mailsync.server.ring import RingFile
from mailsync.server.service import Unable
from mailsync.server.store import YOURS
from mailsync.wire import events as seen
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import RemoteProtocolError
from mailsync.wire.runs import RunStep
from mailsync.wire.server_session import ServerSession


class Serving:
    """A server process over a store: it dies with its store, and the next one begins with empty hands."""

    def __init__(self, store, ring: RingFile, dice: random.Random, clock: Callable[[], int]) -> None:
        self.store = store
        self.pages = PageCache()
        self.ring = ring
        self.dice = dice
        self.clock = clock
        self.life = 0

    def restart(self, store) -> None:
        """Another process, over the store as it was opened anew: whoever is connected is not any more."""
        self.store = store
        self.pages = PageCache()
        self.life += 1

    def about_to(self, event) -> None:
        """Called before an event is served: others may do something now."""

    def on_the_way(self) -> None:
        """Called while answers are on their way to the client: others may do something now."""

    def told(self, run: bytes, audience: str) -> None:
        """Called when the server notes that an audience was answered."""

    def applied(self, asked: seen.ApplyAsked, answer) -> None:
        """Called with what an APPLY is answered with."""


class Conversation:
    """The server's end of one connection."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.session = ServerSession(static=serving.ring.static, random=serving.dice.randbytes(RANDOM_BYTES))
        self.life = serving.life
        self.ended = False
        self.created = 0

    @property
    def principal(self) -> Principal:
        """Who logged on."""
        return Principal(self.session.user, self.session.key_id, self.created)

    @property
    def over(self) -> bool:
        """True when nothing is heard any more."""
        return self.ended or self.life != self.serving.life

    def hear(self, data: bytes) -> bytes:
        """What the server says to these bytes."""
        said = b""
        if self.over:
            return said
        try:
            events = list(self.session.receive_data(data))
            while events and not self.over:
                for event in events:
                    said += self.answer(event)
                events = [] if self.over else list(self.session.next_events())
        except RemoteProtocolError as error:
            self.ended = True
            said += self.session.refuse(error)
        return said

    def answer(self, event) -> bytes:
        session, serving = self.session, self.serving
        serving.about_to(event)
        if self.over:
            return b""
        store, now = serving.store, serving.clock()
        match event:
            case seen.KeyAsked(key_id, _):
                key = serving.ring.find(key_id, "192.0.2.7")
                session.accept_key(key.secret, key.static)
                return b""
            case seen.LoginAsked(user):
                found = service.find_login(store, user, (), now)
                self.created = found.created
                return session.offer_login(found.verifier, found.mix, found.account, found.overdue)
            case seen.LoginProved():
                return session.answer_login()
            case seen.ByeReceived():
                self.ended = True
                return b""
            case seen.CancelAsked():
                return b""
        return self.answer_request(event, now)

    def answer_request(self, event, now: int) -> bytes:
        session, serving, store = self.session, self.serving, self.serving.store
        match event:
            case seen.SyncAsked(request, sync):
                return self.answer_sync(request, sync)
            case seen.ApplyAsked(request):
                answer = service.apply(store, self.principal, event, now)
                serving.applied(event, answer)
                return b"" if self.over else self.reply(request, answer, session.send_outcome)
            case seen.RunAsked(request, word):
                lease = service.lend(store, self.principal, word, now)
                if word.step is RunStep.REPLIED and not isinstance(lease, Unable) and lease.state == YOURS:
                    serving.told(word.run, word.audience)
                return self.reply(request, lease, session.send_lease)
            case seen.LedgerAsked(request, question):
                answer = service.recall(store, self.principal, question, now)
                return self.reply(request, answer, session.send_ledger)
        raise AssertionError(event)

    def answer_sync(self, request, sync) -> bytes:
        """Small pages: a server may send fewer rows than it is asked for."""
        said = b""
        sync = sync._replace(rows=self.serving.dice.randint(1, 4))
        while True:
            self.serving.about_to(sync)
            if self.over:
                return said
            page = service.next_page(self.serving.store, self.serving.pages, self.principal, sync, self.session.method)
            if isinstance(page, Unable):
                return said + self.session.send_error(request, page.failure)
            assert isinstance(page, Step)
            said += self.session.send_packed(request, page.packed, more=page.more)
            following = service.following(sync, page)
            if following is None:
                return said
            sync = following

    def reply(self, request, answer, send) -> bytes:
        if isinstance(answer, Unable):
            return self.session.send_error(request, answer.failure)
        return send(request, answer)


class Pipe:
    """What client/line.py is to a link, without a socket. `cuts` are the bytes after which each direction ends."""

    address = "pipe:1"

    def __init__(
        self, serving: Serving, dice: random.Random, cuts: tuple[int, int], effect: Callable[[], None]
    ) -> None:
        self.sent = self.received = 0
        self.conversation = Conversation(serving)
        self.dice = dice
        self.cuts = cuts
        self.effect = effect
        self.waiting = bytearray()

    def now(self) -> float:
        return 0.0

    def renew(self) -> None:
        """There is no deadline."""

    def send(self, data: bytes) -> None:
        self.effect()
        left = self.cuts[0] - self.sent
        self.sent += len(data)
        self.waiting += self.conversation.hear(data[: max(0, left)])
        if len(data) > left:
            raise UnreachableError("the pipe is cut")

    def receive(self) -> bytes:
        self.effect()
        self.conversation.serving.on_the_way()
        left = self.cuts[1] - self.received
        size = min(left, len(self.waiting), self.dice.choice((1, 17, 300, 4096, 65536)))
        data = bytes(self.waiting[:size]) if size > 0 else b""
        del self.waiting[: len(data)]
        self.received += len(data)
        return data

    def close(self) -> None:
        self.conversation.ended = True
