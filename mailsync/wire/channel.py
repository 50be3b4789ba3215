"""An open connection's two directions: messages in, sealed bytes out, and back, with the state that allows them.

Both sessions are built on this. It knows compression, frames, padding and the transition table, and nothing of what
bodies mean. The first error of the peer is the last thing a channel reads: it is raised again at every later call.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.wire import limits
from mailsync.wire.compression import Method, Packed, inflate, pack
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.frames import AFTER_LOGIN, BEFORE_LOGIN, FrameReader, Message, seal
from mailsync.wire.messages import Kind
from mailsync.wire.noise import Transport
from mailsync.wire.states import Role, State, Step, after

IGNORABLE = 0x80
_KNOWN = frozenset(Kind)
_PEER = {Role.CLIENT: Role.SERVER, Role.SERVER: Role.CLIENT}


class Inbound(NamedTuple):
    """A message from the peer, inflated; `kind` may be one that this version does not know."""

    kind: int
    request: int
    body: bytes


class Channel:
    """Carries messages for `role` from the end of the handshake on. `state` is where the connection is."""

    def __init__(self, role: Role, transport: Transport, method: Method) -> None:
        self.state = State.OPEN
        self._role = role
        self._cipher = transport.send
        self._reader = FrameReader(transport.receive)
        self.method = method

    def send(self, kind: Kind, request: int, body: bytes | Packed, *, step: Step | None = None) -> bytes:
        """The bytes of a message. LocalProtocolError when it may not be sent now."""
        state = after(self.state, step or Step[kind.name], self._role)
        if state is None:
            raise LocalProtocolError(f"{kind.name} may not be sent in state {self.state.name}")
        if isinstance(body, Packed):
            packed = body
        elif len(body) > limits.MESSAGE_INFLATED:
            raise LocalProtocolError(f"a message has at most {limits.MESSAGE_INFLATED} bytes")
        else:
            # A proof is never compressed, nor anything that crosses it, nor what will prove the next login.
            plain = self.state is not State.READY or kind is Kind.SET_VERIFIER
            packed = pack(Method.NONE if plain else self.method, body)
        self.state = state
        return seal(self._cipher, Message(kind, packed.method, request, packed.body, packed.inflated))

    def feed(self, data: bytes) -> None:
        """Takes bytes from the peer; what comes after the end is not read."""
        if self.state is not State.CLOSED:
            self._reader.feed(data)

    def receive(self) -> Inbound | None:
        """The next message, None until more bytes come. RemoteProtocolError when it may not come now."""
        while self.state is not State.CLOSED:
            bounds = AFTER_LOGIN if self.state is State.READY else BEFORE_LOGIN
            message = self._reader.next_message(bounds)
            if message is None:
                return None
            self._walk(message)
            body = inflate(message.method, message.body, message.inflated)
            if message.kind < IGNORABLE:
                return Inbound(message.kind, message.request, body)
        return None

    def _walk(self, message: Message) -> None:
        if message.kind not in _KNOWN:
            return
        kind = Kind(message.kind)
        fatal = kind is Kind.ERROR and message.request == 0
        state = after(self.state, Step.FATAL if fatal else Step[kind.name], _PEER[self._role])
        if state is None:
            raise RemoteProtocolError(f"{kind.name} may not be sent in state {self.state.name}", Code.BAD_STATE)
        self.state = state
