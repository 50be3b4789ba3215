"""`server bench`, the connections: logins beside TLS 1.3 with asyncio, one beside a flood of wrong ones, round trips.

Both servers are processes of their own, both are asked by the same threads of this one, in turn, so that whatever the
machine is, the ratio means something. A login here is TCP, handshake, login and one request answered; of TLS it is TCP,
handshake and one line answered.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from mailsync.client.line import Line
from mailsync.client.link import Link, connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.core.cursor import Cursor, Page
from mailsync.core.errors import MailsyncError, RefusedError
from mailsync.core.model import Scope
from mailsync.server.stores import open_url
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import ClientKey, Token

THREADS = 4
SECONDS = 20.0  # of one conversation
_ROUNDS = 4
_PROGRAM = (sys.executable, "-m", "mailsync.cli.main")
_TLS_SERVER = """\
import asyncio, ssl, sys
async def answer(reader, writer):
    await reader.readline()
    writer.write(b"ok\\n")
    await reader.read()
    writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Bounds(NamedTuple):
    """How much each part may do: whichever comes first."""

    most: int
    seconds: float


class Client(NamedTuple):
    """Who logs on, and where; `site` is the server's folder."""

    address: str
    key: ClientKey
    token: Token
    site: Path

    def log_in(self) -> None:
        """Connects, logs on, asks one thing, says goodbye. Raises RefusedError."""
        with connect(self.address, self.key, self.token, random=os.urandom, deadline_seconds=SECONDS) as link:
            link.ping()

    def try_in_vain(self) -> None:
        """Logs on with what is not right."""
        try:
            self.log_in()
        except RefusedError:
            return
        raise MailsyncError("a login that must fail did not")


class Rate(NamedTuple):
    """How often something was done, and in how many seconds."""

    times: int
    seconds: float

    @property
    def per_second(self) -> float:
        """How often in a second."""
        return self.times / self.seconds


@contextmanager
def running(folder: Path, url: str = "") -> Iterator[Client]:
    """A server process of a new site in the folder, and a client of it; the store is in the folder, or at the URL."""
    site = folder / "site"
    subprocess.run([*_PROGRAM, "init", str(site), "--outbox"], check=True, capture_output=True)  # noqa: S603 - our own
    if url:
        _move_store(site, url)
    words = [*_PROGRAM, "server", "run", "--listen", "127.0.0.1:0", "--config", str(site / "mailsync.yaml")]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,  # noqa: S603 - our own
        _ended(process),
    ):
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("listening on ").strip()
        if not address:
            raise MailsyncError("the server did not start", hint=f"mailsync server run --config {site}/mailsync.yaml")
        keys = site / "keys"
        yield Client(address, read_client_key(keys / "site.key"), read_token(keys / "filter.token"), site)


def _move_store(site: Path, url: str) -> None:
    """Puts the site's store where the URL says; not by a command, whose words others may read."""
    config = site / "mailsync.yaml"
    with open_url(f"sqlite:{site}/state/server.db") as old, open_url(url) as new:
        old.copy_to(new, os.urandom(16), told=lambda _, __: None)
    config.write_text(config.read_text().replace("sqlite:state/server.db", json.dumps(url)))


@contextmanager
def running_tls(folder: Path) -> Iterator[Callable[[], None]]:
    """A TLS 1.3 server of asyncio's, and what logs on to it."""
    certificate = folder / "tls.pem"
    _certify(certificate)
    words = [sys.executable, "-c", _TLS_SERVER, str(certificate)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certificate)
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,  # noqa: S603 - our own
        _ended(process),
    ):
        assert process.stdout is not None
        port = int(process.stdout.readline())

        def log_in() -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with context.wrap_socket(plain) as inside:
                    inside.sendall(b"hello\n")
                    assert inside.recv(3) == b"ok\n"

        yield log_in


def rate(act: Callable[[], None], bounds: Bounds) -> Rate:
    """How often `act` can be done, by several threads at once."""
    act()  # what is done once only is not counted
    left, until = [bounds.most], time.monotonic() + bounds.seconds
    lock, done, faults = threading.Lock(), [0], list[BaseException]()

    def work() -> None:
        while time.monotonic() < until and not faults:
            with lock:
                if left[0] <= 0:
                    return
                left[0] -= 1
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                faults.append(error)
                return
            with lock:
                done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Rate(done[0], time.perf_counter() - begun)


def rates_in_turn(acts: Sequence[Callable[[], None]], bounds: Bounds) -> list[float]:
    """How often in a second each can be done: in four rounds, so that a busy moment of the machine meets them all."""
    part = Bounds(-(-bounds.most // _ROUNDS), bounds.seconds / _ROUNDS)
    found = [[rate(act, part) for act in acts] for _ in range(_ROUNDS)]
    return [
        sum(one.times for one in rounds) / sum(one.seconds for one in rounds) for rounds in zip(*found, strict=True)
    ]


def medians_in_turn(acts: Sequence[Callable[[], None]], times: int) -> list[float]:
    """The medians of the seconds that each takes, one of each after the other."""
    found: list[list[float]] = [[] for _ in acts]
    for _ in range(times):
        for seconds, act in zip(found, acts, strict=True):
            begun = time.perf_counter()
            act()
            seconds.append(time.perf_counter() - begun)
    return [statistics.median(seconds) for seconds in found]


def beside_flood(client: Client, bounds: Bounds) -> tuple[Rate, float, int]:
    """Wrong logins as often as they can be made, the median of a right one beside them, and how many of those."""
    wrong = client._replace(token=client.token._replace(secret=os.urandom(32)))
    flood: list[Rate] = []
    thread = threading.Thread(target=lambda: flood.append(rate(wrong.try_in_vain, bounds)))
    thread.start()
    seconds: list[float] = []
    while thread.is_alive():
        seconds += medians_in_turn([client.log_in], 1)
    thread.join()
    if not flood:
        raise MailsyncError("the flood of wrong logins broke off")
    return flood[0], statistics.median(seconds), len(seconds)


def round_trips(client: Client, scope: Scope) -> tuple[int, int]:
    """How often a client waits for the server until it has the first page, and until it has the next answer."""
    line = _Counted(client.address, SECONDS, time.monotonic)
    with Link(line, ClientSession(key=client.key, token=client.token, random=os.urandom(RANDOM_BYTES))) as link:
        link.greet()
        page: Page = next(link.sync(scope, Cursor(), 0))
        first = line.waits + 1  # TCP's own
        list(link.sync(scope, page.cursor, page.repositories_version))
        return first, line.waits + 1 - first


class _Counted(Line):
    """A line that counts how often what was sent is waited for."""

    waits = 0
    _sent = False

    def send(self, data: bytes) -> None:
        super().send(data)
        self._sent = True

    def receive(self) -> bytes:
        self.waits += self._sent
        self._sent = False
        return super().receive()


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()


def _certify(path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret + certificate.public_bytes(pem))
