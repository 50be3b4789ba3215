"""A tunnel through an HTTP proxy by CONNECT (RFC 9110 section 9.3.6), with basic authentication where the URL has it.

The answer's head is at most 8 KiB, and nothing may follow it: in what comes next, TLS or MSYN, the client speaks
first. What the proxy says is shown as printable ASCII, cut short; what it was told is not shown at all.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from mailsync.client.way import Proxy
from mailsync.core.errors import ForeignProtocolError, RefusedError, UnreachableError

_HEAD_BYTES = 8192
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r\n")
_HINT = "server.proxy in mailsync.yaml: http://USER:PASSWORD@HOST:PORT"
_REASON = 60  # characters of the proxy's own words


def tunnel(connected: socket.socket, proxy: Proxy, address: str, left: Callable[[], float]) -> None:
    """Makes a connection to the proxy one to the server at `address`, within what `left` gives (seconds).

    Raises RefusedError (the proxy wants another login, or does not let this through), UnreachableError (it could not
    reach the server), ForeignProtocolError (it is no proxy), OSError.
    """
    connected.settimeout(left())
    connected.sendall(_request(proxy, address))
    status, reason = _status(_head(connected, proxy, left), proxy)
    if 200 <= status < 300:
        return
    said = f"proxy {proxy.host}:{proxy.port} answered {status} {reason}".rstrip()
    if status in (401, 407):  # some proxies (tinyproxy) say 401
        raise RefusedError(f"{said}: it wants a login, or another one", hint=_HINT)
    if status in (403, 405):
        raise RefusedError(f"{said}: it does not let anybody through to {address}", hint="ask who runs the proxy")
    raise UnreachableError(f"server {address}: {said}", hint="nothing is lost; is the server running?")


def _request(proxy: Proxy, address: str) -> bytes:
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.credentials:
        login = base64.b64encode(unquote_to_bytes(proxy.credentials)).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _head(connected: socket.socket, proxy: Proxy, left: Callable[[], float]) -> bytes:
    head = b""
    while _END not in head:
        connected.settimeout(left())
        data = connected.recv(_HEAD_BYTES)
        head += data
        if not data:
            raise UnreachableError(f"proxy {proxy.host}:{proxy.port} hung up", hint="nothing is lost")
        if len(head) > _HEAD_BYTES:
            raise _foreign(proxy)
    return head


def _status(head: bytes, proxy: Proxy) -> tuple[int, str]:
    found = _STATUS.match(head)
    if not found or (found[1][:1] == b"2" and not head.endswith(_END)) or head.find(_END) < 0:
        raise _foreign(proxy)
    reason = (found[2] or b"")[:_REASON].decode("ascii", "replace")
    return int(found[1]), "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in reason)


def _foreign(proxy: Proxy) -> ForeignProtocolError:
    return ForeignProtocolError(f"what answers at {proxy.host}:{proxy.port} is no HTTP proxy", hint=_HINT)
