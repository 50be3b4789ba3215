"""The audit Maildir, the outbox and the lock of a run."""

from __future__ import annotations

import mailbox
import os
import stat
import subprocess
import sys
import time

import pytest

from mailsync.client.archive import Archive
from mailsync.client.lock import only_attempt
from mailsync.client.sendmail import send
from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId

RUN = RunId(bytes(range(32)))
MAIL = b"From: backup@example.com\nSubject: tapes\n\nA00001\xff\n"


def test_a_kept_mail_is_read_by_the_standard_maildir_reader(tmp_path):
    Archive(tmp_path / "audit").keep(RUN, MAIL)
    kept = list(mailbox.Maildir(tmp_path / "audit", create=False))
    assert [message["Subject"] for message in kept] == ["tapes"]


def test_keeping_a_mail_twice_keeps_it_once(tmp_path):
    archive = Archive(tmp_path)
    assert archive.keep(RUN, MAIL) == archive.keep(RUN, MAIL)
    assert [path.read_bytes() for path in (tmp_path / "cur").iterdir()] == [MAIL]


def test_a_held_mail_is_in_the_held_folder_and_nowhere_else(tmp_path):
    archive = Archive(tmp_path)
    archive.keep(RUN, MAIL)
    held = archive.hold(RUN, MAIL)
    assert held.read_bytes() == MAIL
    assert not list((tmp_path / "cur").iterdir())
    assert archive.hold(RUN, MAIL) == held
    assert [message["Subject"] for message in mailbox.Maildir(tmp_path, create=False).get_folder("Held")] == ["tapes"]


def test_a_mail_held_without_having_been_kept_is_whole_too(tmp_path):
    assert Archive(tmp_path).hold(RUN, MAIL).read_bytes() == MAIL


def test_a_released_mail_is_found_again(tmp_path):
    archive = Archive(tmp_path)
    archive.hold(RUN, MAIL)
    archive.release(RUN)
    assert archive.keep(RUN, MAIL).parent == tmp_path / "cur"
    assert not list((tmp_path / ".Held" / "new").iterdir())


def test_a_reply_is_the_same_bytes_when_read_back(tmp_path):
    archive = Archive(tmp_path)
    assert archive.reply(RUN, "operator") is None
    archive.keep_reply(RUN, "operator", MAIL)
    assert archive.reply(RUN, "operator").read_bytes() == MAIL
    assert archive.reply(RUN, "courier") is None


def test_everything_kept_is_its_owners_alone(tmp_path):
    archive = Archive(tmp_path / "audit")
    archive.keep(RUN, MAIL)
    archive.keep_reply(RUN, "operator", MAIL)
    for path in (tmp_path / "audit").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_folder_that_cannot_be_written_is_named_and_temporary(tmp_path):
    (tmp_path / "audit").write_text("a file where the folder should be")
    with pytest.raises(TemporaryError, match="audit"):
        Archive(tmp_path / "audit").keep(RUN, MAIL)


def test_a_message_filed_twice_in_an_outbox_is_there_once(tmp_path, message):
    for _ in range(2):
        send(tmp_path / "outbox", message, name="one")
    assert [path.read_bytes() for path in (tmp_path / "outbox" / "new").iterdir()] == [MAIL]


@pytest.fixture
def message(tmp_path):
    path = tmp_path / "kept"
    path.write_bytes(MAIL)
    return path


def program(tmp_path, text):
    path = tmp_path / "sendmail"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_a_program_gets_the_message_and_the_empty_envelope_sender(tmp_path, message):
    script = program(tmp_path, f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/got\n')
    send((script, "-t", "-i"), message, name="one")
    assert (tmp_path / "words").read_text() == "-t -i -f <>\n"
    assert (tmp_path / "got").read_bytes() == MAIL


def test_an_envelope_sender_of_the_sites_own_is_left_alone(tmp_path, message):
    script = program(tmp_path, f'echo "$@" > {tmp_path}/words; cat > /dev/null\n')
    send((script, "-t", "-fbounces@example.com"), message, name="one")
    assert (tmp_path / "words").read_text() == "-t -fbounces@example.com\n"


def test_a_program_that_refuses_says_its_status_and_first_words(tmp_path, message):
    script = program(tmp_path, "cat > /dev/null; echo mail system is down >&2; exit 75\n")
    with pytest.raises(TemporaryError, match="status 75: mail system is down"):
        send((script,), message, name="one")


def test_a_program_that_is_missing_is_temporary(tmp_path, message):
    with pytest.raises(TemporaryError, match="no-such-program"):
        send((str(tmp_path / "no-such-program"),), message, name="one")


HOLDER = """
import sys
from pathlib import Path
from mailsync.client.lock import only_attempt
with only_attempt(Path(sys.argv[1]), bytes.fromhex(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_worked_on_by_another_process_is_busy_and_others_are_not(tmp_path):
    lock = tmp_path / "lock"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), RUN.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TemporaryError, match="already"), only_attempt(lock, RUN):
            pass
        with only_attempt(lock, RunId(bytes(32))):
            pass
        other.kill()
    with only_attempt(lock, RUN):
        pass


def test_a_program_whose_caller_is_killed_reads_the_message_to_its_end(tmp_path):
    """Through a pipe it would take the death of its caller for the end of the message, and send half of it."""
    kept = tmp_path / "kept"
    kept.write_bytes(MAIL * 20_000)
    script = program(
        tmp_path, f"echo $PPID > {tmp_path}/caller; sleep 1; cat > {tmp_path}/got; touch {tmp_path}/done\n"
    )
    code = "import sys; from pathlib import Path; from mailsync.client.sendmail import send\n"
    code += "send((sys.argv[1],), Path(sys.argv[2]), name='one')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, script, str(kept)], env=environment) as caller:
        wait_until((tmp_path / "caller").exists)
        caller.kill()
    wait_until((tmp_path / "done").exists)
    assert (tmp_path / "got").read_bytes() == MAIL * 20_000


def wait_until(condition) -> None:
    """Returns when the condition holds; fails after a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
