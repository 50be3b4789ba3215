"""A site that `init` made, in a folder of the test's own."""

import json
import os

import pytest

from mailsync.cli.main import main


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MAILSYNC_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o022)
    yield
    os.umask(umask)


@pytest.fixture
def made(tmp_path, capsys):
    """What `init --json` said about a new site with an outbox."""
    assert main(["init", str(tmp_path / "site"), "--outbox", "--json"]) == 0
    return json.loads(capsys.readouterr().out)
