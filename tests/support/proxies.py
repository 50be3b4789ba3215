"""Debian's tinyproxy, run by a test on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sites import free_port


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[tuple[int, Path]]:
    """Its port and its log, while the block runs; `lines` are added to its configuration."""
    program = shutil.which("tinyproxy")
    if program is None:
        pytest.skip("needs tinyproxy: apt-get install tinyproxy")
    port = free_port()
    log, config = folder / f"proxy-{port}.log", folder / f"proxy-{port}.conf"
    user = pwd.getpwuid(os.geteuid()).pw_name
    first = (f"User {user}", f"Port {port}", "Listen 127.0.0.1", "Timeout 60", f'LogFile "{log}"', "LogLevel Connect")
    config.write_text("\n".join((*first, *lines)) + "\n")
    with subprocess.Popen([program, "-d", "-c", str(config)], stdout=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield port, log
        finally:
            process.terminate()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
