"""MSYN/1 without a socket: bytes of the peer in, events out; values in, bytes for the peer out (protocol.md).

What both ends share: unread bytes, the way through the handshake's states, the channel after it. `receive_data` takes
what came and returns the first event in it (events.py says what each asks for), `next_events` the one after it, so that
what follows an event cannot overtake its answer; `send_...` returns bytes to be sent in that order. The peer's first
error is final: it is raised at every later call. Nothing here reads a clock or makes randomness: `random` is 50 fresh
bytes (ephemeral key and nonce), so the same bytes make the same transcript. A server's caller answers questions rather
than being called back:

    events = session.receive_data(data)
    while events:
        for event in events:
            send(answer(event))               # accept_key, offer_login, answer_login, send_...
        events = session.next_events()        # it waited for the answer, and reads on
    on RemoteProtocolError: send(session.refuse(error)), close
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

from mailsync.wire import limits, messages, scram
from mailsync.wire.channel import Channel
from mailsync.wire.compression import Method, Packed
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.events import ClientEvent, ServerEvent
from mailsync.wire.messages import Kind
from mailsync.wire.noise import KEY_BYTES, Transport
from mailsync.wire.states import Role, State, Step, after


class Request(NamedTuple):
    """A request under way: the kind of its reply, and how many pages may still come."""

    reply: Kind
    pages: int = 0


RANDOM_BYTES = KEY_BYTES + scram.NONCE_BYTES
E = TypeVar("E", ClientEvent, ServerEvent)


class End(ABC, Generic[E]):
    """What both ends share: the bytes not read yet, the channel once there is one, and the error that ended it."""

    def __init__(self, random: bytes) -> None:
        if len(random) != RANDOM_BYTES:
            raise LocalProtocolError(f"a session is made of {RANDOM_BYTES} random bytes")
        self.log_id = ""
        self._ephemeral, self._nonce = random[:KEY_BYTES], random[KEY_BYTES:]
        self._buffer = bytearray()
        self._channel: Channel | None = None
        self._greeting = State.START
        self._binding = b""
        self._over = False
        self._error: RemoteProtocolError | None = None

    @property
    def closed(self) -> bool:
        """True when nothing more may be sent."""
        return self._over or self._error is not None or self._state is State.CLOSED

    @property
    def connected(self) -> bool:
        """True once both ends have proved the key."""
        return self._channel is not None

    @property
    def logged_in(self) -> bool:
        """True from AUTH_OK to the end."""
        return self._state is State.READY and self._error is None

    def receive_data(self, data: bytes) -> list[E]:
        """Takes what came, and returns as `next_events` does. After the end, or an error, nothing is kept of it."""
        if self.closed:
            return self.next_events()
        if self._channel is not None:
            self._channel.feed(data)
        else:
            self._buffer += data
            if len(self._buffer) > limits.WAITING_BYTES:
                self._error = RemoteProtocolError("too much before the handshake's end", Code.SILENT)
        return self.next_events()

    def next_events(self) -> list[E]:
        """The next event in what came, none until more comes. RemoteProtocolError, for good, when it is not MSYN.

        One event at a time: what the peer did afterwards, its BYE or its error, must not overtake the answer.
        """
        if self._error is not None:
            raise self._error
        try:
            event = self._next()
        except RemoteProtocolError as error:
            self._error = error
            raise
        return [] if event is None else [event]

    def receive_eof(self) -> None:
        """Takes the end of the peer's bytes. RemoteProtocolError when no BYE came before it: something was cut."""
        if self._error is not None:
            raise self._error
        if not self.closed:
            raise RemoteProtocolError("the connection was cut", Code.SILENT)

    def send_bye(self, reason: str = "") -> bytes:
        """The end, on purpose."""
        return self._send(Kind.BYE, 0, messages.encode_bye(messages.Bye(reason)))

    @abstractmethod
    def _next(self) -> E | None: ...

    @property
    def _state(self) -> State:
        return self._channel.state if self._channel else self._greeting

    def _greet(self, step: Step, sender: Role) -> None:
        state = after(self._greeting, step, sender)
        if state is None:
            raise LocalProtocolError(f"{step.name} is not due in state {self._greeting.name}")
        self._greeting = state

    def _send(self, kind: Kind, request: int, body: bytes | Packed, *, step: Step | None = None) -> bytes:
        if self._channel is None or self.closed:
            raise LocalProtocolError(f"{kind.name} may not be sent now")
        return self._channel.send(kind, request, body, step=step)

    def _open(self, role: Role, transport: Transport, method: Method) -> Channel:
        self._channel = Channel(role, transport, method)
        self._channel.feed(bytes(self._buffer))
        self._buffer.clear()
        self._binding = scram.GS2.encode() + transport.hash
        self.log_id = hashlib.sha256(b"log" + transport.hash).hexdigest()[:16]
        return self._channel
