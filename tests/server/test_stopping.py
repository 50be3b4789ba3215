"""How a server ends: real processes, real signals, a store that is made to wait by a lock on its file."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from mailsync.client.failures import ServerError
from mailsync.client.ping import ping
from mailsync.config.keys import read_client_key
from mailsync.core.cursor import Cursor
from mailsync.core.errors import MailsyncError
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Result
from mailsync.server.admission import Limits
from mailsync.wire.batches import encode_apply

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PATIENCE = 60


class Applying:
    """A batch that the server has read, and cannot record while the lock is held."""

    def __init__(self, site, process) -> None:
        self.link = site.link(process)
        (page,) = self.link.sync(SCOPE, Cursor(), 0)
        self._lock = sqlite3.connect(site.folder / "state" / "server.db", isolation_level=None, check_same_thread=False)
        self._lock.execute("BEGIN IMMEDIATE")
        self.answer: object = None
        sent = self.link.sent
        self._thread = threading.Thread(target=self._apply, args=(page,))
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while self.link.sent == sent:
            assert time.monotonic() < deadline
        # What came before a ping that is answered has been read.
        ping(process.address, read_client_key(site.folder / "keys" / "site.key"), random=os.urandom)

    def _apply(self, page) -> None:
        operation = Operation(Change.CREATE, "N00001", (), (), 0, 1, 1)
        places = (("m@example.com", "a.csv"),)
        cursor = page.cursor
        batch = Batch(
            id=b"b" * 16,
            run=b"r" * 32,
            plan=b"p" * 32,
            scope=SCOPE,
            epoch=cursor.epoch,
            base=cursor.since,
            source="nightly",
            asof=1,
            sources=places,
            operations=(operation,),
        )
        try:
            self.answer = self.link.apply(encode_apply(batch))
        except MailsyncError as error:
            self.answer = error

    def release(self) -> None:
        self._lock.close()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_the_request_in_hand_is_finished_before_the_server_ends(site):
    with site.running() as process:
        applying = Applying(site, process)
        process.send_signal(signal.SIGTERM)
        site.wait_until_closed(process)
        assert process.poll() is None, "it waits for the store"
        applying.release()
        applying.join()
        assert [row.result for row in applying.answer.results] == [Result.OK]
        with pytest.raises(ServerError, match="503"):
            list(applying.link.sync(SCOPE, Cursor(), 0))
        assert process.wait(PATIENCE) == 0
        applying.link.close()
        assert process.stderr.read().rstrip().endswith("end=stopped")


def test_a_second_signal_ends_it_at_once(site):
    with site.running() as process:
        applying = Applying(site, process)
        process.send_signal(signal.SIGTERM)
        site.wait_until_closed(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM
        applying.join()
        assert isinstance(applying.answer, MailsyncError)
        applying.release()
        applying.link.close()


def test_the_limits_are_those_of_the_documents():
    told = {"login": 10, "frame": 30, "idle": 120, "request": 60, "stall": 60, "finish": 20, "connections": 500}
    told |= {"newcomers": 64, "per_address": 8, "ephemerals": 65_536, "drain": 2**20, "hold": 1, "hold_most": 60}
    assert {name: value for name, value in Limits()._asdict().items() if name in told} == told
    documented = (Path(__file__).parents[2] / "docs/server.md").read_text()
    for line in (
        "| connections | 500; not yet logged on 64, and 8 per address |",
        "| handshake and login | 10 s together |",
        "| silence | 30 s within a message, 120 s between messages |",
        "| a message that trickles in | 120 s for each 64 KiB of it |",
        "| a request's answer | 60 s;",
        "| a client that does not read | 60 s, then dropped |",
        "| handshakes remembered against replay | 65,536 |",
    ):
        assert line in documented


def test_a_server_without_a_descriptor_to_spare_waits_and_goes_on(site):
    with site.running() as process:
        host, _, port = process.address.rpartition(":")
        in_use = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (in_use + 4, in_use + 4))
        crowd = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(8)]
        assert " event=full " in process.stderr.readline()
        for one in crowd:
            one.close()
        with site.link(process) as link:
            assert list(link.sync(SCOPE, Cursor(), 0))
