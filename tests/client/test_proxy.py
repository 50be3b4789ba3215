"""The way through an HTTP proxy: a real one, and ones that say whatever a test wants."""

from __future__ import annotations

import base64
import os
import socket
import threading

import pytest
from proxies import tinyproxy
from sites import free_port

from mailsync.client.link import connect
from mailsync.client.ping import ping
from mailsync.client.way import DIRECT, Proxy, Way, way_of
from mailsync.config.site import Server, ServerTls
from mailsync.core.cursor import Cursor
from mailsync.core.errors import ForeignProtocolError, MailsyncError, RefusedError, UnreachableError, UsageError

SECRET = "p%40ss:w0rd"
TARGET = "vault.example.com:5000"


class Answers:
    """A proxy that reads one request, and answers it with given bytes."""

    def __init__(self, said: bytes) -> None:
        self.asked = b""
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while b"\r\n\r\n" not in self.asked:
                self.asked += connection.recv(2**16)
            try:
                connection.sendall(self._said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(2**16):
                    pass
            except OSError:
                pass  # it was hung up on

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


@pytest.fixture
def refused(key):
    """What a client says of a proxy that answers so, and what it had asked."""

    def tried(said: bytes, credentials: str = "", kind: type[MailsyncError] = MailsyncError):
        proxy = Answers(said)
        way = Way(proxy=Proxy("127.0.0.1", proxy.port, credentials))
        with pytest.raises(kind) as caught:
            ping(TARGET, key, random=os.urandom, deadline_seconds=20, way=way)
        proxy.close()
        assert "w0rd" not in str(caught.value) + caught.value.hint + repr(way)
        return str(caught.value).replace(str(proxy.port), "PORT"), proxy.asked

    return tried


def test_the_request_names_the_server_and_carries_the_login_of_the_url(refused):
    _, asked = refused(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", f"me:{SECRET}")
    login = base64.b64encode(b"me:p@ss:w0rd").decode()
    assert asked.decode() == (
        f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\nProxy-Authorization: Basic {login}\r\n\r\n"
    )
    assert b"Authorization" not in refused(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")[1]


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (
            b"HTTP/1.0 407 Proxy Authentication Required\r\nX: y\r\n\r\n<html>",
            RefusedError,
            "proxy 127.0.0.1:PORT answered 407 Proxy Authentication Required: it wants a login, or another one",
        ),
        (
            b"HTTP/1.1 403 Filtered\r\n\r\n",
            RefusedError,
            "proxy 127.0.0.1:PORT answered 403 Filtered: it does not let anybody through to vault.example.com:5000",
        ),
        (
            b"HTTP/1.1 504 \x1b[31m\xff" + b"x" * 100 + b"\r\n\r\n",
            UnreachableError,
            "server vault.example.com:5000: proxy 127.0.0.1:PORT answered 504 ?[31m?" + "x" * 54,
        ),
        (b"", UnreachableError, "proxy 127.0.0.1:PORT hung up"),
        (b"HTTP/1.1 200 OK\r\nVia: x", UnreachableError, "proxy 127.0.0.1:PORT hung up"),
        (b"SSH-2.0-x\r\n\r\n", ForeignProtocolError, "what answers at 127.0.0.1:PORT is no HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n\r\nX", ForeignProtocolError, "what answers at 127.0.0.1:PORT is no HTTP proxy"),
        (b"HTTP/1.1 200 " + b"x" * 9000, ForeignProtocolError, "what answers at 127.0.0.1:PORT is no HTTP proxy"),
    ],
)
def test_every_other_answer_is_told_as_what_it_is(refused, said, kind, told):
    assert refused(said, f"me:{SECRET}", kind)[0] == told


def test_a_proxy_that_does_not_answer_is_not_waited_for_longer_than_the_server(key):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = Way(proxy=Proxy("127.0.0.1", listener.getsockname()[1]))
        with pytest.raises(UnreachableError, match=r"did not answer in 0\.2 s"):
            ping(TARGET, key, random=os.urandom, deadline_seconds=0.2, way=way)


def test_a_proxy_that_is_not_there_is_told_as_the_proxy(key):
    way = Way(proxy=Proxy("127.0.0.1", free_port()))
    with pytest.raises(UnreachableError, match=r"^proxy 127\.0\.0\.1:\d+: Connection refused"):
        ping(TARGET, key, random=os.urandom, way=way)


def site_server(proxy: str = "", address: str = TARGET, tls: ServerTls | None = None) -> Server:
    return Server(address, None, None, tls, proxy)


def test_without_a_word_in_the_file_no_proxy_is_used():
    assert way_of(site_server(), {"https_proxy": "http://proxy.example.com:3128"}) == DIRECT


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"https_proxy": "http://a.example.com:1", "all_proxy": "http://b.example.com:2"}, ("a.example.com", 1, "")),
        ({"ALL_PROXY": "http://me:x@[2001:db8::1]:2/"}, ("2001:db8::1", 2, "me:x")),
        ({"http_proxy": "http://a.example.com:1"}, None),
        ({"https_proxy": "http://a.example.com:1", "no_proxy": "localhost,.example.com"}, None),
        ({"https_proxy": "http://a.example.com:1", "no_proxy": "vault.example.com"}, None),
        ({"https_proxy": "http://a.example.com:1", "NO_PROXY": "*"}, None),
        ({"https_proxy": "http://a.example.com:1", "no_proxy": "ample.com"}, ("a.example.com", 1, "")),
    ],
)
def test_the_environment_is_used_where_the_file_says_so(environ, found):
    assert way_of(site_server("environment"), environ).proxy == found


def test_a_variable_that_is_no_proxys_url_is_named_and_not_shown():
    with pytest.raises(UsageError) as caught:
        way_of(site_server("environment"), {"https_proxy": "socks5://me:w0rd@a.example.com:1"})
    assert str(caught.value) == "https_proxy is not http://HOST:PORT"


def test_tls_of_the_file_is_on_the_way_too():
    way = way_of(site_server("http://a.example.com:1", tls=ServerTls(None, "ab" * 32)), {})
    assert (way.tls.pinned, way.proxy) == (b"\xab" * 32, Proxy("a.example.com", 1))


@pytest.mark.system
def test_a_session_goes_through_a_real_proxy(tmp_path, server, key, token, scope):
    server.table.put("A1", repository="LIBR")
    with tinyproxy(tmp_path) as (port, log):
        way = Way(proxy=Proxy("127.0.0.1", port))
        with connect(server.address, key, token, random=os.urandom, way=way) as link:
            (page,) = link.sync(scope, Cursor(), 0)
            link.ping()
    assert [row[0] for row in page.rows] == ["A1"]
    assert f"CONNECT {server.address}" in log.read_text()


@pytest.mark.system
def test_a_real_proxys_login_list_of_ports_and_dead_end_are_told(tmp_path, server, key, token):
    def through(port: int, credentials: str = "", address: str = server.address) -> None:
        way = Way(proxy=Proxy("127.0.0.1", port, credentials))
        connect(address, key, token, random=os.urandom, way=way).close()

    with tinyproxy(tmp_path, "BasicAuth me secret") as (port, _):
        for credentials in ("", "me:wrong"):
            with pytest.raises(RefusedError, match=r"answered 40[17] .*: it wants a login"):
                through(port, credentials)
        through(port, "me:secret")
    with tinyproxy(tmp_path, "ConnectPort 1") as (port, _), pytest.raises(RefusedError, match="let anybody through"):
        through(port)
    with tinyproxy(tmp_path) as (port, _), pytest.raises(UnreachableError, match=r"answered 50\d"):
        through(port, address=f"127.0.0.1:{free_port()}")
