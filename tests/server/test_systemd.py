"""The server under systemd: the units are in order, and its two small protocols are spoken. systemd is not needed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from served import MAILSYNC

from mailsync.core.cursor import Cursor
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.systemd import inherited_sockets, notify

UNITS = Path(__file__).parents[2] / "docs" / "systemd"
SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PATIENCE = 60
# What systemd does between fork and exec.
LAUNCH = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "1", str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def told(tmp_path):
    """What a service manager is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(PATIENCE)
        yield receiver


def test_the_server_takes_over_a_socket_and_says_when_it_is_ready_and_when_it_ends(site, told, tmp_path):
    config = str(site.folder / "mailsync.yaml")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        early = socket.create_connection((host, port), timeout=PATIENCE)  # before there is a server
        words = [sys.executable, "-c", LAUNCH, str(listening.fileno()), *MAILSYNC, "server", "run", "--config", config]
        process = subprocess.Popen(
            words,
            pass_fds=[listening.fileno()],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    with process:
        try:
            assert told.recv(100) == b"READY=1"
            process.address = process.stdout.readline().removeprefix("listening on ").strip()
            assert process.address == f"{host}:{port}"
            early.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert early.recv(1) == b""
            early.close()
            with site.link(process) as link:
                assert list(link.sync(SCOPE, Cursor(), 0))
            process.send_signal(signal.SIGTERM)
            assert told.recv(100) == b"STOPPING=1"
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_what_was_meant_for_another_process_is_left_alone(environ):
    given = dict(environ)
    assert inherited_sockets(given) == []
    assert given == {}


@pytest.mark.parametrize("path", ["", "relative", "/nonexistent/notify", "@nobody-listens-here"])
def test_nobody_to_tell_is_no_fault(path):
    notify("READY=1", {"NOTIFY_SOCKET": path})


def test_an_abstract_socket_is_told_too():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        name = f"mailsync-test-{os.getpid()}"
        receiver.bind(f"\0{name}")
        receiver.settimeout(PATIENCE)
        notify("READY=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert receiver.recv(100) == b"READY=1"


@pytest.fixture
def units(tmp_path):
    """The units as an operator has them: with a program that is there."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/mailsync", str(Path(sys.executable).parent / "mailsync"))
        (tmp_path / unit.name).write_text(text)
    return tmp_path


@pytest.mark.system
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_are_in_order_and_hardened(units):
    names = [str(units / name) for name in ("mailsync-server.service", "mailsync-server.socket")]
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if "mailsync" in line]) == (0, [])
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", names[0]]
    judged = subprocess.run(words, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


def test_the_units_command_is_one_that_the_program_has():
    (line,) = (line for line in (UNITS / "mailsync-server.service").read_text().splitlines() if "ExecStart=" in line)
    words = line.partition("mailsync ")[2].split()
    assert words[:2] == ["server", "run"]
    shown = subprocess.run([*MAILSYNC, "server", "run", "--help"], capture_output=True, text=True, check=True).stdout
    assert {word for word in words if word.startswith("--")} <= set(shown.replace(",", " ").split())
