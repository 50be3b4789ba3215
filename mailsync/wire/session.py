"""MSYN/1 without a socket: bytes of the peer in, events out; values in, bytes for the peer out (protocol.md).

Both sessions work alike. `receive_data` takes what came and returns the first event in it (events.py says what each
asks for), `next_events` the one after it; `send_...` returns bytes to be sent in that order. A RemoteProtocolError is
final. Nothing here reads a clock or makes randomness: `random` is 50 fresh bytes (ephemeral key and nonce), so the
same bytes make the same transcript. A server's caller answers questions rather than being called back:

    events = session.receive_data(data)
    while events:
        for event in events:
            send(answer(event))               # accept_key, offer_login, answer_login, send_...
        events = session.next_events()        # it waited for the answer, and reads on
    on RemoteProtocolError: send(session.refuse(error)), close
"""

from __future__ import annotations

from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.server_session import ServerSession

__all__ = ["RANDOM_BYTES", "ClientSession", "ServerSession"]
