"""Words that a command cannot take, files it cannot read: the exit status, and what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailsync.cli.main import main
from mailsync.config.site import load_site

ROOT = Path(__file__).parents[2]
COLUMNS = "customer,media,volume"


@pytest.fixture
def said(made, capsys):
    """The exit status of a command of the made site, what it printed, and its lines on stderr."""

    def run(*words):
        status = main([*words, "--config", made["config"]])
        printed = capsys.readouterr()
        return status, printed.out, [line.removeprefix("mailsync: ") for line in printed.err.splitlines()]

    return run


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["-S", "me:-secret@vault1:5000"], "server.address, server.key and server.login in mailsync.yaml"),
        (["-Sme:-secret@vault1:5000"], "server.address, server.key and server.login in mailsync.yaml"),
        (["-a", "--definition", "nightly-csv"], "add_unknown: true in the route"),
        (["--command", "secret"], "pipe it: COMMAND | mailsync push --definition NAME"),
        (["--odbc", "secret"], "export to a file: mailsync push --definition NAME FILE"),
        (["--query=secret"], "export to a file: mailsync push --definition NAME FILE"),
    ],
)
def test_an_option_of_another_program_is_refused_with_the_setting_to_use_instead(said, words, setting):
    status, _, told = said("push", *words)

    option = words[0].partition("=")[0]
    option = option if option.startswith("--") else option[:2]
    assert (status, told) == (2, [f"push {option}: not in this version", f"hint: instead: {setting}"])


@pytest.mark.parametrize("words", [["push", "--definition", "nightly-csv"], ["explain"]])
def test_a_file_that_cannot_be_read_is_wrong_usage(said, words, tmp_path):
    hint = "hint: name a file, or give it on stdin"

    assert said(*words, "gone.csv") == (2, "", ["read gone.csv: No such file or directory", hint])
    assert said(*words, str(tmp_path)) == (2, "", [f"read {tmp_path}: Is a directory", hint])


def test_a_mail_beyond_mail_size_is_explained_as_held(said, made, tmp_path):
    config = Path(made["config"])
    config.write_text(config.read_text().replace("mail_size: 50MB", "mail_size: 100B"))
    (tmp_path / "mail").write_bytes(b"x" * 101)
    status, printed, told = said("explain", "--json", "mail")

    assert (status, told) == (1, [])
    reason = "larger than mail_size: 100 bytes"
    assert json.loads(printed)["verdict"] == {"action": "hold", "reason": reason, "route": ""}
    assert said("explain", "mail") == (1, f"verdict      hold: {reason}\n", [])
    (tmp_path / "mail").write_bytes(b"x" * 100)
    assert reason not in said("explain", "mail")[1]


def test_a_push_beyond_mail_size_is_refused(said, made, tmp_path):
    config = Path(made["config"])
    config.write_text(config.read_text().replace("mail_size: 50MB", "mail_size: 100B"))
    (tmp_path / "extract").write_bytes(b"x" * 101)

    status, _, told = said("push", "--definition", "nightly-csv", "extract")
    assert (status, told[0]) == (2, "extract is larger than mail_size: 100 bytes")


@pytest.mark.parametrize("words", [["show", ""], ["show", "--raw", ""], ["show", "--json", ""]])
def test_an_empty_id_shows_no_held_mail(said, words):
    assert said("held", *words) == (2, "", ["held show: the ID is empty", "hint: mailsync held list"])


def server(made, *words):
    """Runs `mailsync server` with the site named first, in the middle, or not at all."""
    return main(["server", *(made["config"] if word == "CONFIG" else word for word in words)])


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "CONFIG", "token", "list", "--json"],
        ["token", "--config", "CONFIG", "list", "--json"],
        ["token", "list", "--json", "--config", "CONFIG"],
    ],
)
def test_the_site_may_be_named_before_or_after_each_word_of_a_server_command(made, words, capsys):
    assert server(made, *words) == 0
    assert [one["user"] for one in json.loads(capsys.readouterr().out)["tokens"]] == ["filter"]


def test_the_store_may_be_named_before_the_last_word(made, capsys, tmp_path):
    other = f"sqlite:{tmp_path}/other.db"
    assert server(made, "scope", "--store", other, "add", "DE01.LTO") == 0
    assert server(made, "--store", other, "scope", "list") == 0
    assert "DE01.LTO" in capsys.readouterr().out
    assert server(made, "scope", "--store", other, "list") == 0
    assert "DE01.LTO" in capsys.readouterr().out
    assert server(made, "scope", "list", "--config", "CONFIG") == 0
    assert "DE01.LTO" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["scope", "add", "US01.LTO"], 1, "what is there: mailsync server scope list"),
        (["scope", "add", "US02.LTO", "--description", "x" * 21], 1, "what is there: mailsync server scope list"),
        (["repository", "add", "US01.LTO", "LIBRARY"], 1, "how to add one: mailsync server repository add --help"),
        (["repository", "add", "US01.LTO", "VLT", "--type", "Cave"], 1, "one of: Destruction"),
        (["repository", "add", "US09.LTO", "VLT"], 1, "mailsync server scope add US09.LTO"),
        (["token", "add", "no such user"], 2, "for example: mailsync server token add filter2"),
    ],
)
def test_what_a_store_refuses_comes_with_what_to_do(said, words, status, hint):
    ended, _, told = said("server", *words)

    assert ended == status
    assert told[-1].startswith(f"hint: {hint}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f"{COLUMNS},slot,scratch\nUS01,LTO,a,12345678901,may\n", "1 row has faults"),
        (f"{COLUMNS},slot\nUS01,LTO,a,\nUS01,LTO,A2,\nUS01,LTO,b,\n", "2 rows have faults"),
        (f"{COLUMNS}\n" + "US01,LTO,a\n" * 1500, "the rows have 1500 faults, the first 1000 are listed"),
        (f"{COLUMNS},colour\nUS01,LTO,A1,red\n", "the first line has faults"),
        (f"{COLUMNS},Slot\nUS01,LTO,A1,12345678901\n", "the first line has faults, 1 row has faults"),
        (f"{COLUMNS},Slot\n" + "US01,LTO,a,\n" * 1500, "the first line has faults, the rows have 1500 faults, the "),
        (COLUMNS.replace(",", ";"), "the first line has faults"),
    ],
)
def test_a_load_counts_rows_and_not_messages(said, tmp_path, text, hint):
    (tmp_path / "volumes.csv").write_text(text)
    status, _, told = said("server", "load", "volumes.csv")

    assert status == 1
    assert told[-1].startswith(f"hint: nothing was loaded: {hint}")
    assert all(line.startswith("volumes.csv:") for line in told[:-1])
    assert len(told) <= 1010


def test_a_load_says_which_line_is_not_utf8(said, tmp_path):
    (tmp_path / "volumes.csv").write_bytes(f"{COLUMNS},description\nUS01,LTO,A1,gro\xdf\n".encode("latin-1"))

    assert said("server", "load", "volumes.csv") == (
        1,
        "",
        ["volumes.csv:2: the line is not UTF-8: save the file as UTF-8", "hint: nothing was loaded: 1 row has faults"],
    )


@pytest.mark.parametrize("volumes", [1, 2000])
def test_an_export_to_a_full_disk_ends_in_1(made, volumes, tmp_path, capsys):
    rows = "".join(f"US01,LTO,A{number:05}\n" for number in range(volumes))
    (tmp_path / "volumes.csv").write_text(f"{COLUMNS}\n{rows}")
    assert server(made, "load", "volumes.csv", "--config", "CONFIG") == 0
    command = [sys.executable, "-m", "mailsync.cli.main", "server", "export", "--scope", "US01.LTO"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        words = [*command, "--config", made["config"]]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=environ, check=False, timeout=60)

    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "mailsync: write to stdout: No space left on device",
        "mailsync: hint: what was written is not whole",
    ]


def test_the_site_that_init_makes_names_its_listen_keys(made):
    site = load_site(Path(made["config"]))
    assert set(site.places) == {"server.key", "server.login", "listen.keys"}
