"""A site made by `init`, the commands run on it, and its server as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from mailsync.client.link import connect
from mailsync.config.keys import read_client_key, read_token

MAILSYNC = (sys.executable, "-m", "mailsync.cli.main")


class Site:
    """A site made by `init`, and its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([*MAILSYNC, "init", str(folder), "--outbox"], check=True, capture_output=True)

    def server(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """What a command printed; on stderr when it failed as it should."""
        command = [*MAILSYNC, "server", *words, "--config", str(self.folder / "mailsync.yaml")]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status, done.stderr
        return done.stderr if status else done.stdout

    @contextmanager
    def running(self, *words: str):
        """A running server's process, with further options; its `address` is where it listens."""
        config = str(self.folder / "mailsync.yaml")
        command = [*MAILSYNC, "server", "run", "--listen", "127.0.0.1:0", "--config", config, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                process.address = process.stdout.readline().removeprefix("listening on ").strip()
                assert process.address, process.stderr.read()
                yield process
            finally:
                process.kill()

    def wait_until_closed(self, process) -> None:
        """Returns when nobody new is taken in."""
        host, _, port = process.address.rpartition(":")
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=5).close()
            except OSError:
                break
            assert time.monotonic() < deadline
            # Every try is a line of the log, whose pipe nobody reads meanwhile: a full one would stop the server.
            time.sleep(0.05)

    def link(self, process, key: str = "site.key", token: str = "filter.token"):
        keys = self.folder / "keys"
        client_key, login = read_client_key(keys / key), read_token(keys / token)
        return connect(process.address, client_key, login, random=os.urandom, deadline_seconds=30)
