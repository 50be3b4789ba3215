"""What `mailsync check` says of TLS and of a proxy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from certificates import certify

from mailsync.cli.main import main


@pytest.fixture
def check(made, capsys, monkeypatch, tmp_path):
    """The findings of a check, without those about the machine's own Postfix, after keys were added to the site."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    config = Path(made["config"])

    def checked(server="", listen=""):
        added = {"server:": server, "listen:": listen}
        lines = config.read_text().splitlines(keepends=True)
        config.write_text("".join(line + added.get(line.split()[0] if line.strip() else "", "") for line in lines))
        main(["check", "--config", str(config), "--json", "--offline"])
        said = json.loads(capsys.readouterr().out)
        return [
            "{level} {area} {place}: {text}".format(**finding).replace(f"{config.parent}/", "")
            for finding in said["findings"]
        ]

    return checked


def test_a_certificate_and_its_key_are_in_order(check, tmp_path):
    signed = certify(tmp_path, "server")
    assert check(listen=f"  tls: {{mode: allowed, certificate: {signed.chain}, key: {signed.key}}}\n") == []


def test_a_certificate_without_its_key_and_an_open_key_are_problems(check, tmp_path):
    signed, other = certify(tmp_path, "server"), certify(tmp_path, "other")
    signed.key.chmod(0o644)
    found = check(listen=f"  tls: {{mode: required, certificate: {other.chain}, key: {signed.key}}}\n")
    assert found[0] == f"problem keys {signed.key}: mode 0644 lets others at a secret"
    assert found[1].startswith(f"problem keys {other.chain}: not a certificate that {signed.key} belongs to: ")
    assert len(found) == 2


def test_an_authority_that_is_none_is_a_problem(check, made):
    (found,) = check(server="  tls: {mode: required, ca: mailsync.yaml}\n")
    assert found.startswith("problem keys mailsync.yaml: not certificates in PEM: ")


def test_a_password_for_a_proxy_in_a_file_that_others_may_read_is_a_problem(check, made):
    Path(made["config"]).chmod(0o644)
    (found,) = check(server="  proxy: http://me:w0rd@proxy.example.com:3128\n")
    assert found == "problem permissions mailsync.yaml: mode 0644 lets others at the proxy's password"
