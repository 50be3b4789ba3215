"""Two sessions joined by hand: every byte between them is the test's to split, flip, drop or count."""

from __future__ import annotations

import pytest

from mailsync.wire import events as seen
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.keys import ClientKey, Ring, Token, new_client_key, new_ring, new_token, with_key
from mailsync.wire.messages import Failure
from mailsync.wire.scram import make_verifier
from mailsync.wire.server_session import ServerSession

EMPTY_RING = new_ring(bytes(range(32)))
KEY = new_client_key(EMPTY_RING, "site-1", bytes(range(32, 64)))
RING = with_key(EMPTY_RING, KEY)
TOKEN = new_token("filter", bytes(range(64, 96)))


class Pair:
    """A client and a server of one site. The server's caller is `answer`; requests wait in `asked`."""

    key: ClientKey = KEY
    ring: Ring = RING
    token: Token = TOKEN

    def __init__(self, *, key=KEY, token=TOKEN, verifier_of=TOKEN, compress=("zstd", "deflate"), server_compress=None):
        self.client = ClientSession(key=key, token=token, random=b"\1" * RANDOM_BYTES, compress=compress)
        self.server = ServerSession(
            static=RING.static, random=b"\2" * RANDOM_BYTES, compress=server_compress or compress
        )
        self.verifiers = {verifier_of.user: make_verifier(verifier_of.secret, b"s" * 16)} if verifier_of else {}
        self.questions = []
        self.asked = []
        self.up = self.down = 0

    def serve(self, data):
        """What the server says to `data`; its requests are kept in `asked`, everything it saw in `questions`."""
        self.up += len(data)
        out = b""
        events = self.server.receive_data(data)
        while events:
            for event in events:
                out += self.answer(event)
            events = self.server.next_events()
        self.down += len(out)
        return out

    def answer(self, event):
        self.questions.append(event)
        match event:
            case seen.KeyAsked(key_id):
                self.server.accept_key(self.ring.secrets.get(key_id))
            case seen.LoginAsked(user):
                return self.server.offer_login(self.verifiers.get(user))
            case seen.LoginProved():
                return self.server.answer_login()
            case seen.PingAsked(request, payload):
                return self.server.send_pong(request, payload)
            case seen.UnknownAsked(request, kind):
                return self.server.send_error(request, Failure(Code.UNKNOWN_TYPE, f"type {kind}"))
            case _:
                self.asked.append(event)
        return b""

    def shake_hands(self):
        """Both are connected, nobody logged in; the client's events."""
        return self.client.receive_data(self.serve(self.client.start()))

    def log_in(self):
        """Both are logged in; returned for chaining."""
        self.shake_hands()
        assert self.client.receive_data(self.serve(self.client.send_auth())) == [seen.LoggedIn("filter")]
        return self

    def refusal(self, data):
        """The bytes the server answers to what it must refuse."""
        with pytest.raises(RemoteProtocolError) as caught:
            self.serve(data)
        return self.server.refuse(caught.value)


@pytest.fixture(scope="session")
def pair():
    return Pair
