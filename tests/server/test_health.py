"""/metrics and /healthz of a running server, read by an HTTP client and by Prometheus's own parser."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailsync.client.link import connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.core.cursor import Cursor
from mailsync.core.errors import MailsyncError
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Outcome, Result, RowResult
from mailsync.server import listener as listening
from mailsync.server.account import Account, Peer
from mailsync.server.listener import Listener
from mailsync.server.log import Log
from mailsync.server.metrics import BUCKETS, Metrics
from mailsync.server.ring import RingFile
from mailsync.wire.events import ServerEvent
from mailsync.wire.keys import Token

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PATIENCE = 60


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


@pytest.fixture
def measured(site):
    """A running server whose metrics are at `metrics`."""
    with site.running("--metrics", "0") as process:
        process.metrics = process.stdout.readline().removeprefix("metrics on ").strip()
        yield process


def get(process, path: str, method: str = "GET"):
    host, _, port = process.metrics.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def series(text: str) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_was_done(site, measured):
    assert measured.metrics.startswith("127.0.0.1:")
    with site.link(measured) as link:
        list(link.sync(SCOPE, Cursor(), 0))
        link.ping()
        with pytest.raises(MailsyncError):
            list(link.sync(SCOPE._replace(media="NONE"), Cursor(), 0))
        answer, text = get(measured, "/metrics")
    assert answer.status == 200
    assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    found = series(text)
    assert found["mailsync_connections_total",] == found["mailsync_open_connections",] == 1
    assert found["mailsync_store_up",] == 1
    assert found["mailsync_logins_total", "ok"] == 1
    assert found["mailsync_requests_total", "sync", "0"] == found["mailsync_requests_total", "sync", "301"] == 1
    assert found["mailsync_requests_total", "ping", "0"] == 1
    assert found["mailsync_request_seconds_count", "sync"] == found["mailsync_request_seconds_bucket", "sync", "+Inf"]


def test_what_is_refused_is_counted_by_kind(site, measured):
    keys = site.folder / "keys"
    key, token = read_client_key(keys / "site.key"), read_token(keys / "filter.token")
    for wrong in ((key._replace(secret=b"x" * 32), token), (key, Token("filter", b"x" * 32))):
        with pytest.raises(MailsyncError), connect(measured.address, *wrong, random=os.urandom) as link:
            link.ping()
    host, _, port = measured.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(100) == b""
    deadline = time.monotonic() + PATIENCE
    while (found := series(get(measured, "/metrics")[1]))["mailsync_open_connections",]:
        assert time.monotonic() < deadline
    assert {name[1]: value for name, value in found.items() if name[0] == "mailsync_refusals_total"} == {
        "key": 1,
        "login": 1,
        "foreign": 1,
    }
    assert found["mailsync_logins_total", "failed"] == 1
    assert found["mailsync_connection_ends_total", "refused"] == 3
    assert found["mailsync_received_bytes_total",] > 500


def test_health_is_that_of_the_store(site, measured):
    answer, text = get(measured, "/healthz")
    assert (answer.status, text) == (200, "ok\n")
    database = sqlite3.connect(site.folder / "state" / "server.db", isolation_level=None)
    database.execute("ALTER TABLE users RENAME TO hidden")
    answer, text = get(measured, "/healthz")
    assert (answer.status, text) == (503, "the store does not answer\n")
    assert series(get(measured, "/metrics")[1])["mailsync_store_up",] == 0
    with pytest.raises(MailsyncError, match="no room for another connection, or no access to its store"):
        site.link(measured)
    database.execute("ALTER TABLE hidden RENAME TO users")
    database.close()
    assert get(measured, "/healthz")[0].status == 200
    measured.send_signal(signal.SIGTERM)
    assert measured.wait(PATIENCE) == 0


def test_other_requests_are_answered_in_order_and_what_is_not_http_is_let_go(measured):
    for method, path, status in (
        ("GET", "/", 404),
        ("POST", "/metrics", 405),
        ("GET", "/metrics?x=1", 200),
        ("HEAD", "/healthz", 200),
    ):
        answer, body = get(measured, path, method)
        assert answer.status == status
        assert bool(body) is (method != "HEAD")
        assert answer.getheader("Connection") == "close"
    for said, answered in (
        (b"GET /metrics\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b""),
        (b"\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /metrics HTTP/1.1\r\n", b""),
    ):
        received = told(measured, said)
        assert received.startswith(answered)
        assert bool(received) is bool(answered)


def told(process, said: bytes) -> bytes:
    """What the page of metrics answers to raw bytes."""
    host, _, port = process.metrics.rpartition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as stranger:
        stranger.sendall(said)
        stranger.shutdown(socket.SHUT_WR)
        try:
            while data := stranger.recv(2**16):
                received += data
        except ConnectionResetError:
            pass  # it did not read all of it
    return received


def test_a_port_that_is_taken_ends_the_server_before_it_says_that_it_listens(site, measured):
    told = site.server("run", "--listen", "127.0.0.1:0", "--metrics", measured.metrics, status=1)
    assert told.startswith(f"mailsync: metrics: listen on {measured.metrics}: ")


def test_the_log_may_be_json(site):
    with site.running("--log", "json") as process:
        site.link(process).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        (line,) = process.stderr.read().splitlines()
    said = json.loads(line)
    assert (said["event"], said["key"], said["end"]) == ("connection", "site", "bye")


def test_a_store_that_hangs_is_down_and_asked_once_however_many_ask(library, ring_path, monkeypatch):
    hanging, asked = threading.Event(), []

    def slow(user):
        asked.append(user)
        hanging.wait(PATIENCE)

    async def ask() -> None:
        listener = Listener(library, RingFile(ring_path), log=Log(lambda _: None))
        assert await asyncio.gather(*(listener.store_answers() for _ in range(5))) == [False] * 5
        assert not await listener.store_answers()
        hanging.set()
        monkeypatch.setattr(listening, "PROBE_SECONDS", PATIENCE)
        assert await listener.store_answers()
        await listener.stop()
        assert not await listener.store_answers()

    monkeypatch.setattr(library, "verifier", slow)
    monkeypatch.setattr(listening, "PROBE_SECONDS", 0.1)
    asyncio.run(ask())
    assert len(asked) <= 2


def test_every_request_is_counted_and_nothing_else_is():
    metrics = Metrics()
    account = Account(Log(lambda _: None), metrics, lambda: 0.0, Peer("192.0.2.7", 40112))
    for event in get_args(ServerEvent):
        account.served(event(*event._fields), 0.1)
    counted = {name[1] for name in series(metrics.text(store_up=True)) if name[0] == "mailsync_requests_total"}
    assert counted == {"sync", "apply", "run", "scopes", "stats", "ledger", "setverifier", "ping", "unknown"}


def test_rows_are_counted_by_result_and_only_when_they_were_applied_now():
    metrics = Metrics()
    outcome = Outcome(b"b" * 16, 1, 2, (RowResult(Result.OK), RowResult(Result.OK), RowResult(Result.CONFLICT)))
    metrics.applied(outcome)
    metrics.applied(outcome._replace(replayed=True))
    found = series(metrics.text(store_up=False))
    assert found["mailsync_apply_rows_total", "ok"] == 2
    assert found["mailsync_apply_rows_total", "conflict"] == 1


def test_seconds_are_counted_in_cumulative_buckets():
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.3, 100.0):
        metrics.request("sync", 0, seconds)
    found = series(metrics.text(store_up=True))
    counts = [found["mailsync_request_seconds_bucket", "sync", str(bound)] for bound in (*BUCKETS, "+Inf")]
    assert counts == [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4]
    assert found["mailsync_request_seconds_sum", "sync"] == pytest.approx(100.3015)
