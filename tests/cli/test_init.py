import json
import os
import stat
from pathlib import Path

import pytest

from mailsync.cli.main import main
from mailsync.config.site import load_site
from mailsync.core.model import Scope
from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.loop import OwnMarks
from mailsync.mail.verdict import Action, Envelope, judge
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sqlite import SqliteStore

KEYS = ("config", "recipient", "sender", "route", "definition", "scope", "outbox")


def verdict_of(made, recipient, sender):
    mail = f"From: {sender}\nMessage-ID: <1@example.com>\nSubject: tapes\n\n".encode()
    rules = [route.rule for route in load_site(Path(made["config"])).routes]
    return judge(scan_headers(mail, HeaderLimits()), Envelope(recipient), rules, OwnMarks(b"x", "x"))


def test_json_has_the_documented_keys(made, tmp_path):
    assert tuple(made) == KEYS
    assert (made["route"], made["definition"], made["scope"]) == ("nightly", "nightly-csv", "US01.LTO")
    assert made["config"] == str(tmp_path / "site/mailsync.yaml")
    assert made["outbox"] == str(tmp_path / "site/outbox")


def test_mail_from_the_printed_sender_to_the_printed_recipient_is_taken(made):
    verdict = verdict_of(made, made["recipient"], made["sender"])

    assert (verdict.action, verdict.route, verdict.method) == (Action.PROCESS, "nightly", "token nightly")


def test_the_extension_alone_is_enough(made):
    extension = made["recipient"].partition("+")[2].partition("@")[0]

    assert verdict_of(made, extension, made["sender"]).action is Action.PROCESS


def test_another_token_or_sender_is_held(made):
    other = made["recipient"].replace("@", "a@")

    assert verdict_of(made, other, made["sender"]).action is Action.HOLD
    assert verdict_of(made, made["recipient"], "somebody@example.com").action is Action.HOLD


def test_all_it_makes_is_its_users_alone(made):
    site = Path(made["config"]).parent
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (site, *site.rglob("*"))}

    assert len(modes) > 15
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_the_token_is_in_no_file(made):
    token = made["recipient"].partition(".")[2].partition("@")[0]
    site = Path(made["config"]).parent

    assert len(token) == 32
    assert not [path for path in site.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


def test_the_store_has_scope_repositories_and_login(made):
    with SqliteStore(Path(made["config"]).parent / "state/server.db") as store:
        scope = Scope("US01", "LTO")
        assert [(state.scope, state.default_repository) for state in store.scopes(ADMINISTRATOR)] == [(scope, "LIBR")]
        kinds = [(repository.id, repository.kind) for repository in store.repositories(scope)]
        assert kinds == [("LIBR", "Library"), ("OFFS", "Vault"), ("RACK", "Rack")]
        assert [user.name for user in store.tokens()] == ["filter"]
        assert store.verifier("filter") is not None


def test_its_options_are_what_the_site_says(tmp_path, capsys):
    words = ["--server", "[::1]:5999", "--scope", "NO.1E5", "--operator", "ops@example.com", "--outbox", "--json"]
    addresses = ["--address", "tapes@example.com", "--sender", "backup@example.net"]
    assert main(["init", "site", *words, *addresses]) == 0
    made = json.loads(capsys.readouterr().out)
    site = load_site(tmp_path / "site/mailsync.yaml")

    assert made["recipient"].startswith("tapes+nightly.")
    assert made["recipient"].endswith("@example.com")
    assert (made["sender"], made["scope"]) == ("backup@example.net", "NO.1E5")
    assert site.listen is not None
    assert (site.server.address, site.listen.address) == ("[::1]:5999", "[::1]:5999")
    assert site.routes[0].scope == Scope("NO", "1E5")
    assert site.routes[0].audiences[0].to == ("ops@example.com",)
    assert site.routes[0].reply_from == "tapes@example.com"


def test_replies_leave_through_sendmail_where_there_is_one(capsys, tmp_path):
    assert main(["init", "site", "--json"]) == 0
    outbox = json.loads(capsys.readouterr().out)["outbox"]
    there = os.access("/usr/sbin/sendmail", os.X_OK)
    wanted = ("/usr/sbin/sendmail", "-t", "-i") if there else tmp_path / "site/outbox"

    assert load_site(tmp_path / "site/mailsync.yaml").sendmail == wanted
    assert outbox == (None if there else str(wanted))


def test_a_folder_that_cannot_be_made_is_refused(capsys, tmp_path):
    (tmp_path / "file").touch()

    for name in ("file", "file/site"):
        assert main(["init", name]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"mailsync: make {tmp_path}/{name}: ")
        assert told.endswith("\nmailsync: hint: name a new folder, where this user may make one\n")


def test_what_has_no_effect_yet_says_so_in_the_site(made):
    lines = Path(made["config"]).read_text().splitlines()

    for key in ("expect_every", "retention"):
        (line,) = (line for line in lines if f"{key}:" in line.partition("#")[0])
        assert "no effect in this version" in line.partition("#")[2]
    assert any("Nobody is told of held mails: look at `mailsync held list`" in line for line in lines)


def test_the_recipe_for_procmail_names_the_site_and_has_no_trap(made, capsys):
    recipe = Path(made["config"]).parent / "procmailrc"

    assert f"\nMAILSYNC_CONFIG={made['config']}\n" in recipe.read_text()
    assert main(["check", "--offline", "--config", made["config"], "--procmailrc", str(recipe)]) == 0


def test_people_are_told_what_to_do_next(capsys, tmp_path):
    assert main(["init", "site", "--outbox"]) == 0
    told = capsys.readouterr().out
    option = f"--config {tmp_path}/site/mailsync.yaml"

    assert f"  mailsync server run {option} &\n  mailsync server load {option} volumes.csv\n" in told
    assert f"  cp {tmp_path}/site/procmailrc ~/.procmailrc " in told
    assert f"replies            are filed in {tmp_path}/site/outbox\n" in told


@pytest.mark.parametrize("name", ["mailsync.yaml", "procmailrc", "keys", "definitions", "state", "audit", "outbox"])
def test_nothing_is_overwritten(name, capsys, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_text("mine")
    (tmp_path / "site" / "notes").write_text("other things may be there")

    assert main(["init", "site"]) == 2
    assert capsys.readouterr().err.startswith(f"mailsync: {tmp_path}/site: has {name} already\nmailsync: hint: ")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted([name, "notes"])
    assert (tmp_path / "site" / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--scope", "US01"], '--scope: "US01" is not CUST.MEDIA'),
        (["--scope", "us01.lto"], '--scope: "us01.lto" has small letters\nmailsync: hint: did you mean US01.LTO?\n'),
        (["--server", "vault1"], '--server: "vault1" is not HOST:PORT'),
        (["--sender", "Backup <backup@example.com>"], '--sender: "Backup <backup@example.com>" is not a plain address'),
        (["--address", "sync+x@example.com"], '--address: "sync+x@example.com" is not a plain address'),
        (["--operator", "ops\nBcc: x@example.com"], "--operator: "),
    ],
)
def test_values_that_are_none_are_refused_and_nothing_is_made(words, fault, capsys, tmp_path):
    assert main(["init", "site", *words]) == 2
    assert capsys.readouterr().err.startswith(f"mailsync: {fault}")
    assert not (tmp_path / "site").exists()
