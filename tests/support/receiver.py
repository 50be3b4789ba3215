"""A mail server for tests: takes every mail on a loopback port and keeps it. Only as much SMTP as clients need."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import NamedTuple


class Mailbox(NamedTuple):
    """The port to send to, and the mails that have come: take one with `mails.get(timeout=...)`."""

    port: int
    mails: Queue[bytes]


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self):
        self._say("220 mail.example.com")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                self.server.mails.put(b"".join(self._lines()))
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 mail.example.com")

    def _lines(self):
        """The mail's lines as a file has them, up to the dot."""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            yield line.removeprefix(b".").replace(b"\r\n", b"\n")

    def _say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox that is open until the block ends."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.daemon_threads = True
        server.mails = Queue()
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Mailbox(server.server_address[1], server.mails)
        finally:
            server.shutdown()
            thread.join()
