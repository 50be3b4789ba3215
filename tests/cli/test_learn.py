"""`mailsync definitions learn`: everything it prints is a definition that can be kept as it is."""

import json
import subprocess
import sys

import pytest

from mailsync.cli.main import main
from mailsync.definition.load import load_definition

REPORT = """\
Tapes on 31 January

Barcode,Vault,Expires,Pool
A00001L8,Harbour,2031-12-31,daily
A00002L8,Harbour,2031-12-31,daily
A00003L8,Library,never,daily
A00004L8,Library
pages: 1
"""
LOADED = (
    "import sys; from mailsync.cli.main import main; main({words}); print([n for n in sys.modules if 'learn' in n])"
)


@pytest.fixture
def ask(tmp_path, capsys):
    """Runs `definitions learn` with the words; (status, stdout, stderr)."""
    (tmp_path / "tape list.csv").write_text(REPORT)

    def run(*words):
        status = main(["definitions", "learn", *words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_what_is_printed_is_a_definition_that_reads_the_report(ask, tmp_path, capsys):
    status, told, noted = ask("tape list.csv")
    assert (status, noted) == (0, "")
    definition = load_definition("x.yaml", told, [])
    assert definition.name == "tape-list"
    (tmp_path / "kept.yaml").write_text(told)
    main(["definitions", "test", "kept.yaml", "tape list.csv", "--scope", "US01.LTO"])
    listed = json.loads(capsys.readouterr().out)["records"]["US01.LTO"]
    assert [(one["volume"], one["repository"]) for one in listed] == [
        ("A00001L8", "Harbour"),
        ("A00002L8", "Harbour"),
        ("A00003L8", "Library"),
    ]


def test_the_records_it_would_give_and_what_it_did_not_read_are_comments(ask):
    lines = ask("tape list.csv")[1].splitlines()
    told = lines[lines.index("#") :]
    assert told[1].startswith("# It reads ")
    assert "3 recorded" in told[1]
    first = {
        "volume": "A00001L8",
        "line": 4,
        "description": "daily",
        "repository": "Harbour",
        "expiry_date": "2031-12-31",
    }
    assert first in [json.loads(line[1:]) for line in told if line.startswith("#   {")]
    assert any(line.startswith("#   problem: line 7: ") for line in told)
    assert all(line.startswith("#") for line in told)


def test_the_same_as_one_json_document(ask):
    found = json.loads(ask("tape list.csv", "--json", "--name", "vault")[1])
    keys = {"name", "definition", "read", "recorded", "refused", "skipped", "records", "problems"}
    assert set(found) == keys
    assert (found["name"], found["recorded"], len(found["records"])) == ("vault", 3, 3)
    assert load_definition("x.yaml", found["definition"], []).name == "vault"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("words.txt",), "words.txt: no column of it looks like volumes, however it is read"),
        (("gone.txt",), "gone.txt"),
        (("tape list.csv", "--name", "no name"), '"no name" is not a name'),
    ],
)
def test_what_cannot_be_learned_is_told(ask, tmp_path, words, said):
    (tmp_path / "words.txt").write_text("Dear all,\nthe tapes have left.\n")
    status, out, told = ask(*words)
    assert (status, out) == (2, "")
    assert said in told


def test_other_commands_do_not_load_what_learning_needs():
    program = LOADED.format(words=["definitions", "show", "mtx-status"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
