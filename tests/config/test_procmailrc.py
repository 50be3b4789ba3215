import shutil
import subprocess
from pathlib import Path

import pytest

from mailsync.config.procmailrc import lint_procmailrc
from mailsync.config.starter import procmailrc_text

ROOT = Path(__file__).parents[2]
NO_RECIPE = "rc:1:1: no recipe runs mailsync filter (see the procmailrc that mailsync init wrote into the site)"

GOOD = """\
# Everything the backup servers send
SHELL=/bin/sh
MAILDIR=$HOME

:0 w
| /usr/bin/mailsync filter --recipient "$1"

:0 e
{
  EXITCODE=75
  HOST
}
"""


def lint(text):
    return [str(fault) for fault in lint_procmailrc("rc", text)]


def test_the_documented_recipe_has_no_trap():
    assert lint(GOOD) == []


def test_the_example_is_what_init_writes_and_has_no_trap():
    text = procmailrc_text("/srv/mailsync/mailsync.yaml", "/usr/bin")

    assert text == (ROOT / "procmailrc.example").read_text()
    assert lint(text) == []


def test_a_program_elsewhere_is_looked_for_there_first():
    text = procmailrc_text("/srv/mailsync/mailsync.yaml", "/opt/mailsync/bin")

    assert "\nPATH=/opt/mailsync/bin:/usr/local/bin:/usr/bin:/bin\n" in text
    assert lint(text) == []


@pytest.mark.system
@pytest.mark.skipif(shutil.which("procmail") is None, reason="procmail is not installed")
def test_procmail_itself_takes_the_names_of_program_and_site_whatever_they_are(tmp_path):
    folder = tmp_path / "a $HOME `id` 'b' \"c\""
    folder.mkdir()
    program = folder / "mailsync"
    program.write_text('#!/bin/sh\ncat > /dev/null\nprintf "%s %s" "$MAILSYNC_CONFIG" "$*" > "${0%/*}/said"\n')
    program.chmod(0o755)
    path = tmp_path / "rc"
    path.write_text(procmailrc_text(f"{folder}/mailsync.yaml", str(folder)))
    path.chmod(0o600)
    mail = b"From a@example.com Mon Nov 23 06:00:00 2026\nSubject: tapes\n\nhello\n"
    done = subprocess.run(["procmail", "-m", str(path), "ext"], input=mail, check=False, cwd=tmp_path, timeout=60)

    assert done.returncode == 0
    assert (folder / "said").read_text() == f"{folder}/mailsync.yaml filter --recipient ext"


@pytest.mark.parametrize(
    "change",
    [
        (":0 w\n", ":0 W # quietly\n"),
        (":0 w\n", ":0w\n"),
        ('"$1"', '\\\n  "$1"'),
        ("\n:0 e", "\nFOO=bar\n:0 e"),
        (":0 e\n{\n  EXITCODE=75\n  HOST\n}", ":0e\n{ EXITCODE=75 HOST }"),
        ("EXITCODE=75\n  HOST", 'EXITCODE="75"\n  HOST='),
        (":0 w", ":0 c\n* ^Subject: tapes\narchive/\n\n:0 w"),
    ],
)
def test_other_ways_to_write_it_have_no_trap_either(change):
    assert change[0] in GOOD
    assert lint(GOOD.replace(*change)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ((":0 w\n", ":0\n"), "rc:5:1: without the flag w procmail ignores the filter's status (write :0 w)"),
        ((":0 w\n", ":0 fw\n"), "rc:5:1: the flag f replaces the mail by what the filter prints (write :0 w)"),
        ((":0 w\n", ":0 w:\n"), "rc:5:1: a local lockfile polls every 8 s; mailsync locks by itself (write :0 w)"),
        ((":0 w\n", ":0 w: tapes.lock\n"), "rc:5:1: a local lockfile polls"),
        (('"$1"', '"$1" 2>>log'), "rc:6:1: > on the action line makes procmail run a shell"),
        (('"$1"', '"$1" || true'), "rc:6:1: | on the action line makes procmail run a shell"),
        (('"$1"', "sync+nightly.*@example.com"), "rc:6:1: * on the action line makes procmail run a shell"),
        (("MAILDIR=$HOME", 'SHELLMETAS="$"'), "rc:6:1: $ on the action line makes procmail run a shell"),
        ((":0 e\n", ":0\n"), "rc:5:1: no :0 e block with EXITCODE=75 and HOST follows"),
        ((":0 e\n", ":0 e\n* ^Subject\n"), "rc:5:1: no :0 e block with EXITCODE=75 and HOST follows"),
        (("EXITCODE=75", "EXITCODE=$?"), "rc:5:1: no :0 e block with EXITCODE=75 and HOST follows"),
        (("  HOST\n", ""), "rc:5:1: no :0 e block with EXITCODE=75 and HOST follows"),
        ((":0 e", ":0\nmail/\n\n:0 e"), "rc:5:1: no :0 e block with EXITCODE=75 and HOST follows"),
        ((":0 w\n", ":0 w\n* ! ^FROM_DAEMON\n"), "rc:6:1: FROM_DAEMON passes over mail from root@, ops@"),
        ((":0 w\n", ":0\n* ^FROM_MAILER\n/dev/null\n\n:0 w\n"), "rc:6:1: FROM_MAILER passes over mail"),
        ((":0 w\n", ":0 Wh\n| formail -D 8192 cache\n\n:0 w\n"), "rc:6:1: formail -D discards the second attempt"),
        (("SHELL=/bin/sh\n", ""), "rc:4:1: SHELL is not set: a service account's login shell may run nothing"),
    ],
)
def test_each_trap_is_told_with_its_line(change, fault):
    assert change[0] in GOOD
    told = lint(GOOD.replace(*change))

    assert len(told) == 1, told
    assert told[0].startswith(fault)


def test_recipes_within_blocks_are_looked_at_too():
    block = GOOD.partition(":0 w")[2].replace("\n", "\n  ")
    text = f"SHELL=/bin/sh\n:0\n* ^Subject: tapes\n{{\n  :0 w{block}\n}}\n"

    assert lint(text) == []
    assert lint(text.replace(":0 w", ":0")) == [
        "rc:5:1: without the flag w procmail ignores the filter's status (write :0 w)"
    ]


def test_a_file_without_the_filter_is_told():
    assert lint("SHELL=/bin/sh\n:0\nmail/\n") == [NO_RECIPE]


@pytest.mark.parametrize("text", ["", "}", "{", ":0", ":0 w\n", "\\", ":0 w\n*\n{ } }", "a}b}c", "\x00:0\n|\n"])
def test_any_text_is_looked_through(text):
    assert lint(text) == [NO_RECIPE]


@pytest.mark.system
@pytest.mark.skipif(shutil.which("procmail") is None, reason="procmail is not installed")
def test_procmail_itself_keeps_a_failed_mail_exactly_where_no_trap_is_found(tmp_path):
    (tmp_path / "mailsync").write_text("#!/bin/sh\ncat > /dev/null\nexit 75\n")
    (tmp_path / "mailsync").chmod(0o755)
    recipes = GOOD.replace("/usr/bin/mailsync", str(tmp_path / "mailsync"))
    variants = [
        recipes,
        recipes.replace(":0 e\n{\n  EXITCODE=75\n  HOST\n}", ":0e\n{ EXITCODE=75 HOST }"),
        recipes.replace("\n:0 e", "\nFOO=bar\n:0 e"),
        recipes.replace(":0 w\n", ":0\n"),
        recipes.replace("  HOST\n", ""),
        recipes.replace(":0 e\n", ":0 e\n* ^Subject: other\n"),
    ]
    kept = [(not lint(text), _stays_queued(tmp_path, text)) for text in variants]

    assert kept == [(True, True)] * 3 + [(False, False)] * 3


def _stays_queued(folder, recipes):
    """True when procmail ends with 75 and files nothing."""
    inbox = folder / "inbox"
    inbox.unlink(missing_ok=True)
    path = folder / "rc"
    path.write_text(f"MAILDIR={folder}\nDEFAULT={inbox}\n{recipes.replace('MAILDIR=$HOME', '')}")
    path.chmod(0o600)
    mail = b"From a@example.com Mon Nov 23 06:00:00 2026\nSubject: tapes\n\nhello\n"
    done = subprocess.run(["procmail", "-m", str(path), "ext"], input=mail, check=False, cwd=folder, timeout=60)
    return done.returncode == 75 and not inbox.exists()
