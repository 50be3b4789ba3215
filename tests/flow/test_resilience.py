"""What an attacker, a full disk or bad luck can do to a mail between its arrival and its answer."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from sites import Site, extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.client.archive import Archive
from mailsync.client.journal import Journal
from mailsync.config.site import load_site
from mailsync.core.errors import DeadlineError, TemporaryError
from mailsync.core.model import RunId
from mailsync.flow import decide as deciding
from mailsync.flow.intake import deliver
from mailsync.flow.world import SiteServer, World
from mailsync.mail.verdict import Action, Envelope

NAMES = volume_names(20)


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path / "site")
    load(made, library_csv(20).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    return made


def held(site: Site) -> list[dict]:
    return json.loads(site.run("held", "list", "--json").stdout)["held"]


def place(site: Site, name: str) -> str:
    return site.export()[name]["repository"]


def hold_then_allow(site: Site, mail: bytes) -> None:
    site.edit(f'senders: ["{site.sender}"]', "senders: [somebody@example.com]")
    assert site.filter(mail).returncode == 0
    site.edit("senders: [somebody@example.com]", f'senders: ["{site.sender}"]')


def test_a_held_mail_that_is_taken_up_is_not_lost_while_the_server_is_down(site):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))
    hold_then_allow(site, mail)
    for _ in range(3):
        assert site.filter(mail).returncode == 75
    with served(site):
        assert b"duplicate" not in site.filter(mail).stderr
    assert place(site, NAMES[0]) == "OFFS"


def test_a_held_mail_that_is_taken_up_is_not_lost_when_keeping_it_fails(site, monkeypatch):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))
    hold_then_allow(site, mail)

    def full(*_):
        raise TemporaryError("no space left on device")

    with World(load_site(site.config)) as world, monkeypatch.context() as patched:
        patched.setattr(Archive, "keep", full)
        with pytest.raises(TemporaryError):
            deliver(mail, Envelope(site.recipient), world)
    with served(site):
        site.filter(mail)
    assert place(site, NAMES[0]) == "OFFS"


def header_token_site(site: Site) -> bytes:
    """A route whose token comes in the header; returns that header."""
    token = site.recipient.partition("+nightly.")[2].partition("@")[0]
    local, domain = site.recipient.partition("+")[0], site.recipient.partition("@")[2]
    line = next(line for line in site.config.read_text().splitlines() if "recipient:" in line)
    site.edit(line, f'    match: {{recipient: "{local}@{domain}"}}')
    return f"X-Mailsync-Token: nightly.{token}\n".encode()


def test_a_mail_without_a_token_gains_nothing_from_one_that_waits(site):
    """The same Message-ID and body, but another boundary: other attachments."""
    token = header_token_site(site)
    recipient = site.recipient.partition("+")[0] + "@" + site.recipient.partition("@")[2]
    body = (
        b"--A\nContent-Type: text/csv; name=a.csv\n\nvolume,repository\n" + NAMES[0].encode() + b",OFFS\n--A--\n"
        b"--B\nContent-Type: text/csv; name=b.csv\n\nvolume,repository\n" + NAMES[1].encode() + b",RACK\n--B--\n"
    )
    head = b"From: %s\nTo: x@example.com\nMessage-ID: <one@example.com>\nMIME-Version: 1.0\n"
    genuine = head % site.sender.encode() + token + b"Content-Type: multipart/mixed; boundary=A\n\n" + body
    forged = head % b"evil@example.net" + b"Content-Type: multipart/mixed; boundary=B\n\n" + body
    with_sender = head % site.sender.encode() + b"Content-Type: multipart/mixed; boundary=B\n\n" + body
    assert site.filter(genuine, recipient=recipient).returncode == 75
    with served(site):
        for mail in (forged, with_sender):
            assert site.filter(mail, recipient=recipient).returncode == 0
        assert (place(site, NAMES[0]), place(site, NAMES[1])) == ("LIBR", "LIBR")
        assert site.filter(genuine, recipient=recipient).returncode == 0
    assert (place(site, NAMES[0]), place(site, NAMES[1])) == ("OFFS", "LIBR")
    assert len(held(site)) == 2


def test_a_token_that_is_rotated_while_a_mail_waits_does_not_hold_that_mail(site):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))
    assert site.filter(mail).returncode == 75
    (site.folder / "keys" / "nightly.tokens").write_text("0" * 64 + "\n")
    with served(site):
        assert site.filter(mail).returncode == 0
        other = report_mail(site, extract([(NAMES[1], "OFFS")]), number=2)
        assert site.filter(other).returncode == 0
    assert (place(site, NAMES[0]), place(site, NAMES[1])) == ("OFFS", "LIBR")


def test_a_run_is_about_the_mail_that_was_kept_first(site):
    """Two mails of one identity, both allowed: what is applied is what the audit trail holds."""
    first = report_mail(site, extract([(NAMES[0], "OFFS")]))
    second = first.replace(b"Subject: tape report 1", b"Subject: another")
    assert site.filter(first).returncode == 75
    with served(site):
        assert site.filter(second).returncode == 0
    kept = [path.read_bytes() for path in (site.folder / "audit" / "cur").iterdir()]
    assert kept == [first]
    (reply,) = site.replies()
    assert b"tape report 1" in reply


@pytest.mark.parametrize("config", [True, False])
def test_a_log_that_cannot_be_written_changes_no_status(site, config):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))
    words = [site.program, "filter", "--recipient", site.recipient]
    words += ["--config", str(site.config) if config else "/no/such/file"]
    with served(site), Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, input=mail, stderr=full, stdout=full, check=False)
    assert done.returncode == (0 if config else 75)
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run([site.program, "filter", "--help"], stdout=full, stderr=full, check=False).returncode == 0


def test_a_closed_log_changes_no_status(site):
    read, write = os.pipe()
    os.close(read)
    words = [site.program, "filter", "--config", "/no/such/file"]
    assert subprocess.run(words, input=b"", stderr=write, stdout=write, check=False).returncode == 75
    os.close(write)


def test_a_token_in_the_wrong_place_is_not_printed(site):
    done = subprocess.run([site.program, "filter", site.recipient], input=b"", capture_output=True, check=False)
    assert done.returncode == 75
    assert site.recipient.partition("nightly.")[2].partition("@")[0].encode() not in done.stderr


def test_a_signal_within_a_transaction_leaves_the_journal_usable(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    run = RunId(bytes(32))
    with pytest.raises(DeadlineError), journal._transaction():
        raise DeadlineError("not done in time")
    journal.begin(run, mail=b"m", route="", verdict="{}", now=1)
    journal.postpone(run)
    assert journal.find(run).crashes == 0
    journal.close()


def test_a_mail_that_takes_too_long_three_times_is_held(site, monkeypatch):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))

    def slow(*_):
        raise DeadlineError("not done within 100 s")

    monkeypatch.setattr(deciding, "make_plan", slow)
    with served(site):
        for _ in range(2):
            with World(load_site(site.config)) as world, pytest.raises(DeadlineError):
                deliver(mail, Envelope(site.recipient), world)
        with World(load_site(site.config)) as world:
            assert deliver(mail, Envelope(site.recipient), world).action is Action.HOLD
    assert "took too long" in held(site)[0]["reason"]


def test_a_deadline_that_strikes_while_waiting_for_the_server_holds_nothing(site, monkeypatch):
    mail = report_mail(site, extract([(NAMES[0], "OFFS")]))

    def late(*_, **__):
        raise DeadlineError("not done within 100 s")

    monkeypatch.setattr("mailsync.client.link.connect", late)
    for _ in range(5):
        with World(load_site(site.config)) as world, pytest.raises(TemporaryError):
            deliver(mail, Envelope(site.recipient), world)
    assert held(site) == []


def test_a_reply_that_could_not_be_sent_in_time_is_sent_once_sendmail_works_again(site, tmp_path):
    script = tmp_path / "sendmail"
    script.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    script.chmod(0o755)
    line = next(line for line in site.config.read_text().splitlines() if line.startswith("sendmail:"))
    site.edit(line, f"sendmail: [{script}]")
    with served(site):
        first = report_mail(site, extract([(NAMES[0], "OFFS")]), number=1)
        assert site.filter(first).returncode == 75
        site.edit("give_up: 24h", "give_up: 1s")
        time.sleep(2.1)
        assert site.filter(first).returncode == 0
        assert len(held(site)) == 1
        script.write_text(f'#!/bin/sh\nfile=$(mktemp {tmp_path}/sentXXXXXXXX)\ncat > "$file"\n')
        site.filter(report_mail(site, extract([(NAMES[1], "OFFS")]), number=2))
    sent = [path.read_bytes() for path in tmp_path.glob("sent*")]
    assert sum(b"<report-1@" in message for message in sent) >= 1
    assert sum(b"<report-2@" in message for message in sent) == 1


def test_an_attempt_that_fails_leaves_no_draft_behind(tmp_path):
    archive = Archive(tmp_path / "audit")
    archive.keep(RunId(bytes(32)), b"mail")

    class Cut:
        def read(self, _size):
            raise DeadlineError("not done in time")

    with pytest.raises(DeadlineError):
        archive.spool(b"head", Cut())
    assert list((tmp_path / "audit" / "tmp").iterdir()) == []


def test_drafts_of_killed_attempts_go_after_36_hours(tmp_path):
    archive = Archive(tmp_path / "audit")
    archive.keep(RunId(bytes(32)), b"mail")
    old, new = (tmp_path / "audit" / "tmp" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half a mail")
    os.utime(old, (time.time() - 37 * 3600,) * 2)
    archive.keep(RunId(bytes([1] * 32)), b"another")
    assert [path.name for path in (tmp_path / "audit" / "tmp").iterdir()] == ["new"]


def lose_journal(site):
    for path in [*(site.folder / "state").glob("journal.db*"), *(site.folder / "audit").rglob("*:2,S")]:
        path.unlink()


def test_a_batch_id_used_by_a_lost_journal_makes_no_false_reply(site):
    """The journal is restored from before the run: the server knows the batch, and somebody changed a volume since."""
    mail = report_mail(site, extract([(NAMES[0], "OFFS"), (NAMES[1], "OFFS")]))
    with served(site):
        site.filter(mail)
        load(site, f"customer,media,volume,repository\nUS01,LTO,{NAMES[1]},LIBR\n".encode())
        lose_journal(site)
        # As if the host had died before it answered anybody.
        with closing(sqlite3.connect(site.folder / "state/server.db")) as store:
            store.execute("DELETE FROM replied")
            store.execute("UPDATE runs SET done = 0, until = 0")
            store.commit()
        before = len(site.replies())
        assert site.filter(mail).returncode == 0
        assert place(site, NAMES[1]) == "OFFS"
    assert before == 1
    reply = max((site.folder / "audit" / ".Replies" / "cur").iterdir()).read_bytes()
    assert f"[ ] {NAMES[1]}".encode() in reply
    assert f"[ ] {NAMES[0]}".encode() not in reply


def test_a_mail_that_was_done_before_the_journal_was_lost_is_not_done_again(site):
    mail = report_mail(site, extract([(NAMES[0], "OFFS"), (NAMES[1], "OFFS")]))
    with served(site):
        site.filter(mail)
        load(site, f"customer,media,volume,repository\nUS01,LTO,{NAMES[1]},LIBR\n".encode())
        lose_journal(site)
        assert site.filter(mail).returncode == 0
        assert place(site, NAMES[1]) == "LIBR"
    assert len(site.replies()) == 1


def test_a_mail_overtaken_by_a_newer_report_is_held_and_people_are_told(site):
    old = report_mail(site, extract([(NAMES[0], "OFFS")]), number=1)
    new = report_mail(site, extract([(NAMES[0], "LIBR"), (NAMES[1], "OFFS")]), number=2)
    assert site.filter(old).returncode == 75
    time.sleep(1.1)  # the order of reports is kept in whole seconds
    with served(site):
        assert site.filter(new).returncode == 0
        assert site.filter(old).returncode == 0
    assert (place(site, NAMES[0]), place(site, NAMES[1])) == ("LIBR", "OFFS")
    (one,) = held(site)
    assert one["reason"].startswith("overtaken: a newer report of nightly/nightly-csv")
    reply = next(message for message in site.replies() if b"<report-1@" in message)
    assert b"newer report" in reply


def test_a_mail_that_is_done_and_answered_is_not_held_because_the_server_could_not_be_told(site, monkeypatch):
    def cut(*_):
        raise TemporaryError("the line was cut")

    with served(site):
        mail = report_mail(site, extract([(NAMES[0], "OFFS")]), number=1)
        with monkeypatch.context() as patch:
            patch.setattr(SiteServer, "end_run", cut)
            with World(load_site(site.config)) as world, pytest.raises(TemporaryError):
                deliver(mail, Envelope(site.recipient), world)
        assert len(site.replies()) == 1
    site.edit("give_up: 24h", "give_up: 1s")
    time.sleep(2.1)
    done = site.filter(mail)
    assert done.returncode == 0
    assert b"done and answered" in done.stderr
    assert held(site) == []
    assert len(site.replies()) == 1
