import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mailsync.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def address(made):
    """Where the made site's server listens, run as a process of its own."""
    command = [sys.executable, "-m", "mailsync.cli.main", "server", "run", "--listen", "127.0.0.1:0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*command, "--config", made["config"]]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        said = server.stdout.readline()
        assert said.startswith("listening on ")
        yield said.removeprefix("listening on ").strip()
        server.terminate()
        assert server.wait(30) == 0


@pytest.fixture
def foreign():
    """The address of something that answers every connection with a line of another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"220 mail.example.com ESMTP Postfix\r\n" * 100)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(30)


@pytest.fixture
def nobody():
    """An address that nobody listens on while the test runs."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


def test_a_server_that_answers_is_told_with_its_times(made, address, capsys):
    assert main(["ping", "--config", made["config"], "-S", address]) == 0
    assert capsys.readouterr().out.startswith(f"{address} answered: protocol version 1, compression ")

    assert main(["ping", "--config", made["config"], "-S", address, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["address"], said["answered"], len(said["round_trips_ms"])) == (address, True, 2)
    assert min(said["connect_ms"], said["handshake_ms"], *said["round_trips_ms"]) >= 0


def test_a_server_that_is_not_there_is_told_by_69(made, nobody, capsys):
    assert main(["ping", "--config", made["config"], "-S", nobody, "--json"]) == 69
    said = capsys.readouterr()
    assert json.loads(said.out)["answered"] is False
    assert said.err.splitlines()[1] == "mailsync: hint: is it running there? mailsync server run"


def test_another_protocol_is_told_by_76(made, foreign, capsys):
    assert main(["ping", "--config", made["config"], "-S", foreign]) == 76
    hint = capsys.readouterr().err.splitlines()[1]
    assert hint.startswith("mailsync: hint: is the port right, and does it require TLS (server.tls)? ")
    assert hint.endswith("tmss10sync (not in this version)")


def test_a_refused_key_is_told_by_77(made, address, tmp_path, capsys):
    other = tmp_path / "other"
    assert main(["init", str(other), "--outbox"]) == 0

    assert main(["ping", "--config", str(other / "mailsync.yaml"), "-S", address]) == 77
    told = capsys.readouterr().err.splitlines()[-2:]
    assert told[0] == f"mailsync: server {address} refused the key"
    for cause in ("in its ring", "for this network", "its own key in yours", "mailsync server key list"):
        assert cause in told[1]


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        ("vault1", '-S: "vault1" is not HOST:PORT'),
        ("me:-secret@vault1:5000", "-S user:-password@server:port is not in"),
    ],
)
def test_a_server_that_is_no_address_is_refused(made, server, fault, capsys):
    assert main(["ping", "--config", made["config"], "-S", server]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"mailsync: {fault}")
    assert "secret" not in told
