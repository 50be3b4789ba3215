import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailsync.cli.main import COMMANDS, LATER, main

ROOT = Path(__file__).parents[2]
WORDS = [sys.executable, "-m", "mailsync.cli.main"]


def start(*words, **options):
    """The finished process of the program."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*WORDS, *words], env=environ, timeout=60, check=False, **options)


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert all(f"\n  {name:11} {text}\n" in shown for name, text in COMMANDS.items())
    assert not any(f"\n  {name} " in shown for name in LATER)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"filter"}))
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: mailsync {name}" in shown
    assert f"\n  mailsync {name}" in shown.partition("example")[2]


def test_a_misspelt_command_is_refused_with_a_suggestion(capsys):
    assert main(["chekc"]) == 2
    assert capsys.readouterr().err == ('mailsync: unknown command "chekc"\nmailsync: hint: did you mean "check"?\n')


@pytest.mark.parametrize("name", LATER)
def test_a_command_of_a_later_version_says_so(name, capsys):
    assert main([name, "--anything"]) == 2
    assert capsys.readouterr().err.startswith(f"mailsync: {name}: not in this version\n")


def test_an_unknown_option_is_refused_in_the_house_style(capsys):
    assert main(["check", "--offlin"]) == 2
    assert capsys.readouterr().err == (
        "mailsync: unrecognized arguments: --offlin\nmailsync: hint: mailsync check --help\n"
    )


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("mailsync ")


@pytest.mark.parametrize("form", [["--config", "gone.yaml"], ["--config=gone.yaml"]])
@pytest.mark.parametrize("first", [True, False])
def test_the_configuration_may_be_named_before_or_after_the_command(form, first, tmp_path, capsys):
    assert main([*form, "ping"] if first else ["ping", *form]) == 2
    assert capsys.readouterr().err.startswith(f"mailsync: {tmp_path}/gone.yaml: cannot be read: No such file")


def test_every_fault_of_a_configuration_has_a_line_of_its_own(tmp_path, capsys):
    (tmp_path / "mailsync.yaml").write_text("server: {adress: x}\n")

    assert main(["ping"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(f"mailsync: {tmp_path}/mailsync.yaml:1:") for line in lines[:4])
    assert lines[4] == "mailsync: hint: run: mailsync check"


def test_what_the_system_refuses_is_told_and_may_be_tried_again():
    with Path("/dev/full").open("wb") as full:
        done = start("check", "--offline", "--json", stdout=full, stderr=subprocess.PIPE)

    assert (done.returncode, done.stderr) == (75, b"mailsync: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("words", [["--recipient"], ["--no-such-option"], ["--config", "gone.yaml"], ["surplus"]])
def test_the_filter_ends_in_75_whatever_its_words_are(words):
    done = start("filter", *words, input=b"Subject: x\n\nhello\n", capture_output=True)

    assert done.returncode == 75
    assert done.stderr.startswith(b"mailsync: ")


def test_the_filter_ends_in_75_when_its_code_cannot_be_imported(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['mailsync.cli.filter'] = None\n")
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([*WORDS, "filter"], input=b"x\n", env=environ, capture_output=True, check=False, timeout=60)

    assert done.returncode == 75
    assert done.stderr.startswith(b"mailsync: the filter could not run: ModuleNotFoundError")
    assert b"hint: the mail stays queued" in done.stderr


def test_the_filter_pays_for_no_parser():
    program = (
        "import sys; from mailsync.cli.main import main; import mailsync.cli.filter; print('argparse' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True, timeout=60)

    assert done.stdout == b"False\n"


def test_a_closed_pipe_ends_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = start("check", "--offline", "--json", stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")
