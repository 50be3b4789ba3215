"""TLS 1.3 around the protocol, on the same port (server.md, TLS): MSYN inside it is the same.

first byte       off                 allowed       required
0x16 TLS         session ends it     TLS           TLS
0x4D "M"         MSYN                MSYN          closed
any other        session ends it     closed        closed

The byte is looked at, not taken. Looking, TLS and the login have one deadline together, the connection's. Nothing of
the login depends on TLS: Noise binds it to its own handshake, so TLS may end in a proxy in front of the server.

The certificate is read again when its files change, as after a renewal; one that cannot be read leaves the old one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mailsync.config.ownership import secret_complaint, secret_hint
from mailsync.core.errors import ConfigurationError
from mailsync.server.shared import Streams
from mailsync.wire.errors import Code, RemoteProtocolError

_TLS, _MSYN = b"\x16", b"M"
_BUFFER = 2**16


class Mode(StrEnum):
    """Who must come by TLS: nobody, whoever wants to, everybody."""

    OFF = "off"
    ALLOWED = "allowed"
    REQUIRED = "required"


class Certificate(NamedTuple):
    """The files of a certificate (with its chain) and of its private key, both PEM."""

    chain: Path
    key: Path


class Outside:
    """TLS as a server offers it. Raises ConfigurationError when the certificate cannot be used at first."""

    def __init__(self, mode: Mode, certificate: Certificate) -> None:
        self.mode = mode
        self._certificate = certificate
        self._stamp = self._look()
        complaint = secret_complaint(certificate.key)
        if complaint:
            raise ConfigurationError((f"{certificate.key}: {complaint}",), hint=secret_hint(certificate.key))
        try:
            self._context = _context(certificate)
        except (OSError, ValueError) as error:  # ssl's own errors are OSErrors
            text = f"{certificate.chain}: not a certificate that {certificate.key} belongs to: {error}"
            raise ConfigurationError((text,), hint="both in PEM; the chain begins with the server's own") from error

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 with the certificate as it is now."""
        stamp = self._look()
        if stamp != self._stamp and not secret_complaint(self._certificate.key):
            try:
                self._context = _context(self._certificate)
            except (OSError, ValueError):
                return self._context  # being replaced: chain and key do not match yet
            self._stamp = stamp
        return self._context

    def _look(self) -> tuple[int, ...]:
        try:
            found = [path.stat() for path in self._certificate]
        except OSError:
            return ()
        return tuple(number for one in found for number in (one.st_mtime_ns, one.st_size, one.st_ino))


async def open_streams(client: socket.socket, outside: Outside | None) -> Streams:
    """The streams of a connection, inside TLS if it begins so. RemoteProtocolError when it may not begin so."""
    loop = asyncio.get_running_loop()
    context = None if outside is None else await _choose(client, outside)
    reader = asyncio.StreamReader(limit=_BUFFER, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=context)
    return Streams(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def _choose(client: socket.socket, outside: Outside) -> ssl.SSLContext | None:
    first = await _peek(client)
    if first == _TLS:
        return outside.context()
    if first == _MSYN and outside.mode is Mode.ALLOWED:
        return None
    if not first:
        raise ConnectionResetError("nothing came")
    raise RemoteProtocolError("neither TLS nor what is spoken here", Code.SILENT)


async def _peek(client: socket.socket) -> bytes:
    """The first byte, left where it is; none at the end."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def seen() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(client, seen)
    try:
        await readable
    finally:
        loop.remove_reader(client)
    return client.recv(1, socket.MSG_PEEK)


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody resumes a session here
    context.load_cert_chain(certificate.chain, certificate.key)
    return context
