"""What must hold for what is said within the handshake, whatever it is: a hello to a server, a hello_ok to a client.

only RemoteProtocolError is raised          a connection is made by what can be read, and by nothing else
a client makes no proof that is cheap to guess from, and no token is taken for a password
"""

from __future__ import annotations

from collections.abc import Callable

from first_inputs import KEY, RING, TOKEN
from harnesses_sessions import client_says, heard, server_end, server_says

from mailsync.wire import events as seen
from mailsync.wire import limits, messages, scram
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import Token
from mailsync.wire.noise import NK, Handshake, Keys, derive_psk
from mailsync.wire.passwords import OF_TOKENS, Password, check_kdf
from mailsync.wire.preamble import Preamble, announce
from mailsync.wire.states import State


def greetings(data: bytes) -> None:
    """What is within the handshake: a hello to a server or, where the first byte is odd, a hello_ok to a client."""
    payload = data[1:]
    if len(payload) > limits.HANDSHAKE_BYTES - 48 or not data:
        return
    if data[0] % 2:
        _greet_client(payload, Password("anna", "correct horse") if data[0] & 2 else TOKEN)
        return
    preamble = Preamble(2, KEY.id)
    keys = Keys(b"e" * 32, derive_psk(KEY.secret, KEY.id), KEY.server)
    client = Handshake(NK, preamble.prologue(), keys, initiator=True)
    end = server_end(State.START)
    found = heard(end, [preamble.encode() + announce(client.write(payload))], server_says)
    assert isinstance(found.events[0], seen.KeyAsked)
    assert end.connected == (not found.error)
    if end.connected:
        asked = found.events[1]
        assert isinstance(asked, seen.LoginAsked)
        hello = messages.decode_hello(payload)
        assert asked.user == (scram.read_client_first(hello.scram.removeprefix(scram.GS2))[0] if hello.scram else "")


def _greet_client(payload: bytes, token: Token | Password) -> None:
    end = ClientSession(key=KEY, token=token, random=b"\1" * RANDOM_BYTES)
    opening = end.start()
    keys = Keys(b"E" * 32, derive_psk(KEY.secret, KEY.id), RING.static)
    server = Handshake(NK, Preamble(2, KEY.id).prologue(), keys, initiator=False)
    server.read(opening[len(Preamble(2, KEY.id).encode()) + 2 :])
    found = heard(end, [announce(server.write(payload))], client_says)
    assert bool(found.events) == (not found.error) == end.connected
    if end.connected and token is TOKEN:
        assert end._kdf == OF_TOKENS
        assert end.send_auth()
    elif end.connected:
        check_kdf(end._kdf)
        assert len(end._challenge.salt) >= scram.SALT_BYTES


HARNESSES: dict[str, Callable[[bytes], None]] = {"greetings": greetings}
