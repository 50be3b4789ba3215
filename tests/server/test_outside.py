"""TLS on the same port: who gets in under which mode, whose certificate is believed, and one deadline over it all."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from certificates import certify
from listening import KEY, PATIENCE, TOKEN, Talker, ended
from proxies import tinyproxy
from served import MAILSYNC

from mailsync.client.ping import ping
from mailsync.client.way import Proxy, Tls, Way
from mailsync.core.cursor import Cursor
from mailsync.core.errors import ConfigurationError, ForeignProtocolError, RefusedError, UnreachableError
from mailsync.server.outside import Certificate, Mode, Outside
from mailsync.server.store import LoadRow
from mailsync.wire import limits as wire_limits
from mailsync.wire.messages import Sync


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


@pytest.fixture
def authority(tmp_path):
    return certify(tmp_path, "authority")


@pytest.fixture
def shown(tmp_path, authority):
    """The server's certificate."""
    return certify(tmp_path, "server", by=authority)


@pytest.fixture
def start(serve, shown):
    def started(mode: Mode, signed=shown, **limits):
        return serve(outside=Outside(mode, Certificate(signed.chain, signed.key)), **limits)

    return started


def rows(link, scope) -> int:
    with link:
        return sum(len(page.rows) for page in link.sync(scope, Cursor(), 0))


@pytest.mark.parametrize("mode", [Mode.ALLOWED, Mode.REQUIRED])
def test_a_client_with_the_right_authority_or_pin_gets_in(start, scope, authority, shown, mode):
    served = start(mode)
    assert rows(served.link(way=Way(tls=Tls(authority=authority.chain))), scope) == 9
    assert rows(served.link(way=Way(tls=Tls(pinned=shown.pin))), scope) == 9
    served.stop()
    assert served.ends() == ["bye", "bye"]


def test_a_client_without_tls_gets_in_only_where_tls_is_not_required(start, serve, scope):
    assert rows(start(Mode.ALLOWED).link(), scope) == 9
    assert rows(serve().link(), scope) == 9
    served = start(Mode.REQUIRED)
    with pytest.raises(UnreachableError, match="hung up"):
        served.link()
    served.stop()
    assert served.ends() == ["refused"]


def test_a_client_that_wants_tls_takes_nothing_else(serve, shown):
    with pytest.raises(UnreachableError, match="hung up on TLS") as caught:
        serve().link(way=Way(tls=Tls(pinned=shown.pin)))
    assert "listen.tls" in caught.value.hint


def test_what_answers_without_tls_is_told_apart(shown):
    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(b"HTTP/1.0 400 no\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ForeignProtocolError, match=r"does not speak TLS 1\.3"):
            ping(address, KEY, random=os.urandom, way=Way(tls=Tls(pinned=shown.pin)))
        thread.join()


def test_a_certificate_that_is_not_the_pinned_one_is_refused_before_anything_is_said(start, authority):
    served = start(Mode.REQUIRED)
    with pytest.raises(RefusedError, match="is not the pinned one"):
        served.link(way=Way(tls=Tls(pinned=authority.pin)))
    served.stop()
    assert " received=0 " in served.log[-1]


def test_a_certificate_of_somebody_else_expired_or_for_another_host_is_refused(start, tmp_path, authority):
    strange = certify(tmp_path, "strange")
    expired = certify(tmp_path, "expired", by=authority, days=-1)
    elsewhere = certify(tmp_path, "elsewhere", by=authority, host="192.0.2.1")
    way = Way(tls=Tls(authority=authority.chain))
    for signed, said in ((strange, "self-signed"), (expired, "expired"), (elsewhere, "IP address mismatch")):
        with pytest.raises(RefusedError, match=said):
            start(Mode.REQUIRED, signed).link(way=way)
    with pytest.raises(RefusedError, match="its certificate"):
        start(Mode.REQUIRED).link(way=Way(tls=Tls()))


def test_a_pinned_certificate_needs_neither_name_nor_date(start, tmp_path, scope):
    signed = certify(tmp_path, "old", days=-1, host="192.0.2.1")
    assert rows(start(Mode.REQUIRED, signed).link(way=Way(tls=Tls(pinned=signed.pin))), scope) == 9


@pytest.mark.system
def test_tls_goes_through_a_real_proxy_unseen(start, tmp_path, authority, scope):
    served = start(Mode.REQUIRED)
    with tinyproxy(tmp_path) as (port, log):
        way = Way(Tls(authority=authority.chain), Proxy("127.0.0.1", port))
        assert rows(served.link(way=way), scope) == 9
    assert f"CONNECT {served.address}" in log.read_text()


def test_older_tls_is_refused(start):
    served = start(Mode.ALLOWED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with served.socket() as connection, pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(connection).do_handshake()


@pytest.mark.parametrize("mode", [Mode.ALLOWED, Mode.REQUIRED])
def test_another_first_byte_is_hung_up_on(start, mode):
    served = start(mode)
    with served.socket() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert ended(connection) == b""


def test_one_deadline_covers_the_first_byte_tls_and_the_login(start, shown):
    served = start(Mode.ALLOWED, login=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with served.socket() as silent, served.socket() as half, served.socket() as inside:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        wrapped = context.wrap_socket(inside)
        assert wrapped.recv(1) == b""
        wrapped.close()
        assert ended(silent) == ended(half) == b""
    served.stop()
    assert served.ends() == ["timeout"] * 3


def test_stopping_does_not_wait_for_who_has_not_said_a_word(start):
    served = start(Mode.ALLOWED, login=600)
    with served.socket() as silent, served.socket() as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        served.link().close()
        served.stop()
        assert ended(silent) == ended(half) == b""
    assert sorted(served.ends()) == ["bye", "stopped", "stopped"]


def test_those_not_yet_logged_in_make_room_for_each_other_before_tls_too(start, shown):
    served = start(Mode.REQUIRED, newcomers=1, login=600)
    with served.socket() as silent:
        served.link(way=Way(tls=Tls(pinned=shown.pin))).close()
        assert ended(silent) == b""


def test_a_full_server_says_nothing_that_tls_does_not_understand(start, shown):
    served = start(Mode.ALLOWED, connections=1, login=600)
    with served.link(), served.socket() as other:
        assert ended(other) == b""


def test_a_renewed_certificate_is_shown_from_the_next_connection_on(start, tmp_path, shown, scope):
    renewed = certify(tmp_path, "renewed")
    served = start(Mode.REQUIRED)
    served.link(way=Way(tls=Tls(pinned=shown.pin))).close()
    shutil.copy(renewed.chain, shown.chain)  # the key does not belong to it yet
    served.link(way=Way(tls=Tls(pinned=shown.pin))).close()
    shutil.copy(renewed.key, shown.key)
    assert rows(served.link(way=Way(tls=Tls(pinned=renewed.pin))), scope) == 9


def test_a_certificate_that_cannot_be_used_is_told_before_anybody_comes(tmp_path, authority, shown):
    with pytest.raises(ConfigurationError, match="not a certificate that"):
        Outside(Mode.REQUIRED, Certificate(authority.chain, shown.key))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Outside(Mode.REQUIRED, Certificate(tmp_path / "none.pem", tmp_path / "none.key"))
    shown.key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="mode 0640 lets others at a secret"):
        Outside(Mode.REQUIRED, Certificate(shown.chain, shown.key))


def test_a_large_snapshot_goes_through_tls_as_it_is(start, library, scope, shown):
    library.load(("description",), [LoadRow(scope, f"C{at:05}", (os.urandom(100).hex(),), 0) for at in range(5000)])
    assert rows(start(Mode.REQUIRED).link(way=Way(tls=Tls(pinned=shown.pin))), scope) == 5009


class _Inside:
    """What a client by hand connects through."""

    def __init__(self, served, signed) -> None:
        self._served, self._context = served, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(signed.chain)

    def socket(self) -> socket.socket:
        return self._context.wrap_socket(self._served.socket(), server_hostname="127.0.0.1")


def test_a_client_that_does_not_read_is_dropped_inside_tls_too(start, library, scope, shown, authority):
    texts = [os.urandom(120).hex() for _ in range(8000)]
    library.load(("description",), [LoadRow(scope, f"D{at:05}", (text,), 0) for at, text in enumerate(texts)])
    served = start(Mode.REQUIRED, stall=0.3, drain=1024)
    talker = Talker(_Inside(served, authority), TOKEN).log_in()
    for _ in range(wire_limits.OUTSTANDING):
        talker.socket.sendall(talker.session.send_sync(Sync(scope, Cursor()))[1])
    deadline = time.monotonic() + PATIENCE
    while served.ends() != ["stalled"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    talker.socket.close()


def test_a_site_says_where_tls_is_and_its_commands_use_it(site, tmp_path):
    signed = certify(tmp_path, "server")
    config = site.folder / "mailsync.yaml"
    config.write_text(with_tls(config.read_text(), signed))
    places = "".join(f"US01,LTO,A{at},{'OFFS' if at > 8 else 'LIBR'}\n" for at in range(1, 10))
    site.server("load", "-", stdin=f"customer,media,volume,repository\n{places}")
    (definition,) = (path.stem for path in (site.folder / "definitions").glob("*.yaml"))
    words = [*MAILSYNC, "ping", "--config", str(config), "-S"]
    with site.running() as process:
        subprocess.run([*words, process.address], capture_output=True, check=True)
        config.write_text(config.read_text().replace("127.0.0.1:5000", process.address))
        subprocess.run([*MAILSYNC, "check", "--config", str(config)], capture_output=True, check=True)
        push = [*MAILSYNC, "push", "--definition", definition, "--config", str(config)]
        subprocess.run(push, input="volume,repository\nA1,OFFS\n", capture_output=True, text=True, check=True)
        config.write_text(config.read_text().replace(signed.pin.hex(), "0" * 64))
        done = subprocess.run([*words, process.address], capture_output=True, text=True, check=False)
    assert done.returncode == 77
    assert "is not the pinned one" in done.stderr
    assert "LTO,A1,,OFFS," in site.server("export", "--scope", "US01.LTO")


def with_tls(text: str, signed) -> str:
    server = f"  tls: {{mode: required, pinned: {signed.pin.hex()}}}\n"
    listen = f"  tls: {{mode: required, certificate: {signed.chain}, key: {signed.key}}}\n"
    lines = []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if line.startswith("server:"):
            lines.append(server)
        if line.startswith("listen:"):
            lines.append(listen)
    return "".join(lines)
