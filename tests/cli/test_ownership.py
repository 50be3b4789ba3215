"""Root, or anybody, at a site that belongs to somebody else: nothing of theirs stays in it, and the way is told."""

import os
import shlex
from pathlib import Path

import pytest

from mailsync.cli.main import main
from mailsync.client.journal import Journal

OWNER = 12345
COMMANDS = (
    ("check",),
    ("check", "--offline"),
    ("explain", "mail"),
    ("explain", "--recipient", "RECIPIENT", "mail"),
    ("push", "--definition", "nightly-csv", "extract.csv"),
    ("ping",),
    ("held", "list"),
    ("held", "show", "ab"),
    ("server", "run"),
    ("server", "load", "volumes.csv"),
    ("server", "export", "--scope", "US01.LTO"),
    ("server", "restored"),
    ("server", "scope", "add", "US02.LTO"),
    ("server", "scope", "list"),
    ("server", "repository", "add", "US01.LTO", "VLT"),
    ("server", "repository", "list", "US01.LTO"),
    ("server", "token", "add", "other"),
    ("server", "token", "list"),
    ("server", "token", "revoke", "filter"),
    ("server", "key", "new", "other"),
    ("server", "key", "list"),
    ("server", "key", "revoke", "site"),
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def foreign(made, tmp_path):
    """A site that belongs to somebody else, in use: it has a journal. Its folder's files by their bytes."""
    site = Path(made["config"]).parent
    Journal(site / "state/journal.db").close()
    for path in (site, *site.rglob("*")):
        os.chown(path, OWNER, OWNER)
    (tmp_path / "mail").write_text(f"From: {made['sender']}\nMessage-ID: <1@example.com>\n\nhello\n")
    (tmp_path / "extract.csv").write_text("volume,repository\nA00001,OFFS\n")
    (tmp_path / "volumes.csv").write_text("customer,media,volume\nUS01,LTO,A00001\n")
    return site


def contents(site):
    """Every file and folder of the site: its owner, and a file's bytes."""
    return {path: (path.stat().st_uid, path.read_bytes() if path.is_file() else b"") for path in site.rglob("*")}


@pytest.mark.parametrize("words", COMMANDS, ids=shlex.join)
@pytest.mark.parametrize("used", [True, False])
def test_root_leaves_nothing_in_a_site_of_somebody_else(foreign, made, words, used, capsys):
    if not used:
        (foreign / "state/journal.db").unlink()
    before = contents(foreign)
    status = main([made["recipient"] if word == "RECIPIENT" else word for word in (*words, "--config", made["config"])])

    assert contents(foreign) == before
    assert status == {"check": 1, "ping": 69}.get(words[0], 2), capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [words for words in COMMANDS if words[0] in ("explain", "push", "held", "server") and "RECIPIENT" not in words],
    ids=shlex.join,
)
def test_the_refusal_gives_the_whole_command_that_works(foreign, made, words, capsys):
    assert main([*words, "--config", made["config"]]) == 2
    command = shlex.join(["mailsync", *words, "--config", made["config"]])
    text, hint = capsys.readouterr().err.splitlines()
    assert text.endswith(f" belongs to {OWNER}; root would leave files in it that {OWNER} cannot use")
    assert hint == f"mailsync: hint: sudo -u {OWNER} {command} (or: runuser -u {OWNER} -- {command})"


@pytest.mark.parametrize("form", [["--recipient", "ADDR"], ["--recipient=ADDR"]])
def test_the_command_that_works_is_told_without_the_token(foreign, made, form, capsys):
    words = [word.replace("ADDR", made["recipient"]) for word in form]

    assert main(["--config", made["config"], "explain", *words, "mail"]) == 2
    told = capsys.readouterr().err
    assert made["recipient"].partition("+")[2].partition("@")[0] not in told
    shown = shlex.join(
        ["mailsync", "--config", made["config"], "explain", *(one.replace("ADDR", "ADDRESS") for one in form)]
    )
    assert f"sudo -u {OWNER} {shown} mail (or: " in told


@pytest.fixture
def stranger(foreign, made, tmp_path):
    """The site, seen by somebody who may look at nothing in it."""
    main(["check", "--config", made["config"]])  # as root, so that all of the program is imported
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        if folder.stat().st_uid == 0 and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    yield foreign
    os.seteuid(0)


def test_checking_a_site_that_may_not_be_read_is_a_finding(stranger, made, capsys):
    capsys.readouterr()
    os.seteuid(OWNER + 1)

    assert main(["check", "--offline", "--config", made["config"]]) == 1
    told = capsys.readouterr().out
    place = f"problem: configuration: {made['config']}: "
    assert f"{place}cannot be read: Permission denied\n    hint: run this as {OWNER}\n" in told


@pytest.mark.parametrize("closed", ["keys", "definitions", "state", "audit", "templates"])
def test_checking_a_site_of_which_a_folder_may_not_be_read_is_a_finding(stranger, made, closed, capsys):
    (stranger / "templates").mkdir()
    for path in (stranger, *stranger.iterdir()):
        path.chmod(0o755)
    (stranger / "mailsync.yaml").chmod(0o644)
    (stranger / "keys/nightly.tokens").chmod(0o644)
    (stranger / closed).chmod(0o700)
    os.chown(stranger / "templates", OWNER, OWNER)
    capsys.readouterr()
    os.seteuid(OWNER + 1)

    assert main(["check", "--offline", "--config", made["config"]]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert str(stranger / closed) in out
    assert "Permission denied" in out
