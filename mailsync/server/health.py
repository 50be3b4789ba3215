"""`/metrics` and `/healthz` over HTTP/1.1, on a port of its own: a GET in, an answer out, the connection closed.

answer   when
200      the page; of /healthz: the store answers
400      not a request line of HTTP/1
404      another page
405      another method than GET and HEAD
503      /healthz: the store does not answer

Bounds: 8 KiB of head, five seconds, 16 connections at once. Nothing a client sends is used but the method and the
path, and nothing it is told is secret; the address is loopback unless the operator says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import NamedTuple

from mailsync.core.errors import MailsyncError
from mailsync.server.account import Peer
from mailsync.server.listener import listen
from mailsync.server.metrics import CONTENT_TYPE, Metrics

_HEAD_BYTES = 8192
_SECONDS = 5.0
_CONNECTIONS = 16
_PLAIN = "text/plain; charset=utf-8"


class _Page(NamedTuple):
    status: HTTPStatus
    text: str
    kind: str = _PLAIN


class Health:
    """Answers requests. `store_answers` asks the store, within a time of its own."""

    def __init__(self, metrics: Metrics, store_answers: Callable[[], Awaitable[bool]]) -> None:
        self._metrics = metrics
        self._store_answers = store_answers
        self._open = 0

    @asynccontextmanager
    async def served(self, address: str) -> AsyncIterator[str]:
        """Serves on HOST:PORT while the block runs, and gives the address it has. Raises MailsyncError."""
        try:
            sockets = await listen(address)
        except MailsyncError as error:
            raise MailsyncError(f"metrics: {error}", hint="--metrics HOST:PORT") from error
        servers = [await asyncio.start_server(self._serve, sock=one, limit=_HEAD_BYTES) for one in sockets]
        try:
            yield str(Peer(*sockets[0].getsockname()[:2]))
        finally:
            for server in servers:
                server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS:
                async with asyncio.timeout(_SECONDS + 1):  # the store has five of its own
                    await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # TimeoutError is an OSError; who does not ask in time and in order gets no answer
        finally:
            self._open -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, page = await self._answer(head.partition(b"\r\n")[0])
        body = page.text.encode()
        lines = (
            f"HTTP/1.1 {page.status.value} {page.status.phrase}",
            f"Content-Type: {page.kind}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if method == b"HEAD" else body))
        await writer.drain()

    async def _answer(self, request: bytes) -> tuple[bytes, _Page]:
        method, _, rest = request.partition(b" ")
        path, _, version = rest.partition(b" ")
        if version not in (b"HTTP/1.0", b"HTTP/1.1"):
            return method, _Page(HTTPStatus.BAD_REQUEST, "not a request of HTTP/1\n")
        if method not in (b"GET", b"HEAD"):
            return method, _Page(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered\n")
        match path.partition(b"?")[0]:
            case b"/metrics":
                up = await self._store_answers()
                return method, _Page(HTTPStatus.OK, self._metrics.text(store_up=up), CONTENT_TYPE)
            case b"/healthz":
                if await self._store_answers():
                    return method, _Page(HTTPStatus.OK, "ok\n")
                return method, _Page(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer\n")
        return method, _Page(HTTPStatus.NOT_FOUND, "/metrics or /healthz\n")
