"""Two mail hosts with one server: a mail that reaches both is applied once, and each audience is answered once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from sites import Site, extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.client.journal import Journal
from mailsync.client.link import connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.config.site import load_site
from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId
from mailsync.flow.answer import _send_once
from mailsync.flow.lease import take_lease
from mailsync.flow.world import World


@pytest.fixture
def hosts(tmp_path):
    """A served site, and another host with the same files but for what it has done itself."""
    one = make_site(tmp_path / "one")
    load(one, library_csv(20))
    with served(one):
        folder = tmp_path / "two"
        shutil.copytree(one.folder, folder, ignore=shutil.ignore_patterns("state", "audit", "outbox"))
        (folder / "outbox").mkdir(0o700)
        yield one, one._replace(folder=folder, config=folder / "mailsync.yaml", outbox=folder / "outbox")


def link_of(site: Site):
    keys = site.folder / "keys"
    key, token = read_client_key(keys / "site.key"), read_token(keys / "filter.token")
    return connect(f"127.0.0.1:{site.port}", key, token, random=lambda size: bytes(range(size)))


def moving(site: Site, number: int) -> bytes:
    volume = volume_names(20)[number]
    target = "OFFS" if site.export()[volume]["repository"] != "OFFS" else "RACK"
    return report_mail(site, extract([(volume, target)]), number=number)


def run_of(site: Site) -> bytes:
    journal = Journal(site.folder / "state/journal.db")
    (run,) = journal._db.execute("SELECT run FROM runs").fetchone()
    journal.close()
    return run


def holder_of(site: Site) -> bytes:
    journal = Journal(site.folder / "state/journal.db")
    found = journal.holder
    journal.close()
    return found


def test_the_second_host_finds_the_mail_done_and_answers_nobody(hosts):
    one, two = hosts
    mail = moving(one, 1)
    assert one.filter(mail).returncode == 0
    done = two.filter(mail)
    assert done.returncode == 0
    assert b"was done already, by another mail host" in done.stderr
    assert (len(one.replies()), len(two.replies())) == (1, 0)
    assert two.filter(mail).returncode == 0, "and knows it by itself from then on"


def test_both_at_once_answer_once(hosts):
    one, two = hosts
    mails = [moving(one, number) for number in range(2, 8)]
    for mail in mails:
        started = [
            subprocess.Popen(
                [site.program, "filter", "--config", str(site.config), "--recipient", site.recipient],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for site in (one, two)
        ]
        for process in started:
            process.stdin.write(mail)
            process.stdin.close()
        ended = [process.wait(60) for process in started]
        for process in started:
            process.stderr.close()
        assert set(ended) <= {0, 75}
        assert 0 in ended
        # The MTA tries again what was busy.
        assert [site.filter(mail).returncode for site in (one, two)] == [0, 0]
    assert len(one.replies()) + len(two.replies()) == len(mails)


def test_while_another_host_is_at_it_the_mail_stays_queued(hosts):
    one, two = hosts
    mail = moving(one, 9)
    assert one.filter(mail).returncode == 0
    other = moving(one, 10)
    with link_of(one) as link:
        # What the other host says when it begins with a mail: this one's run is known after a first, futile attempt.
        two.edit(f"127.0.0.1:{one.port}", "127.0.0.1:1")
        assert two.filter(other).returncode == 75
        two.edit("127.0.0.1:1", f"127.0.0.1:{one.port}")
        run = run_of(two)
        assert link.begin_run(run, b"another host 123").state == "yours"
        done = two.filter(other)
        assert done.returncode == 75
        assert b"another mail host is at this mail" in done.stderr
        link.end_run(run, b"another host 123")
    assert two.filter(other).returncode == 0
    assert two.replies() == []


def test_who_was_answered_by_a_host_that_died_is_not_answered_again(hosts):
    one, two = hosts
    mail = moving(one, 11)
    two.edit(f"127.0.0.1:{one.port}", "127.0.0.1:1")
    assert two.filter(mail).returncode == 75
    two.edit("127.0.0.1:1", f"127.0.0.1:{one.port}")
    with link_of(one) as link:
        run, holder = run_of(two), holder_of(two)
        assert link.begin_run(run, holder).state == "yours"
        link.replied(run, holder, "operator")
        assert link.begin_run(run, holder).audiences == ("operator",)
    assert two.filter(mail).returncode == 0
    assert two.replies() == []
    assert one.export()[volume_names(20)[11]]["flags"] == "M", "the move itself was made"


def test_a_host_that_lost_its_lease_before_it_answers_sends_nothing(hosts):
    one, _ = hosts
    run = RunId(b"r" * 32)
    with link_of(one) as link, World(load_site(one.config)) as world:
        lease = take_lease(link, run, b"this host 123456")
        with closing(sqlite3.connect(one.folder / "state/server.db")) as store:
            store.execute("UPDATE runs SET until = 0")
            store.commit()
        assert link.begin_run(run, b"another host 123").state == "yours"
        with pytest.raises(TemporaryError, match="another mail host is at this mail"):
            _send_once(world, run, "operator", lambda: b"Subject: done\n\n", lease)
    assert one.replies() == []


def test_who_takes_a_run_over_learns_who_was_answered(hosts):
    one, _ = hosts
    run = RunId(b"s" * 32)
    with link_of(one) as link, World(load_site(one.config)) as world:
        world.journal.begin(run, mail=b"s" * 32, route="nightly", verdict="[]", now=world.now())
        lease = take_lease(link, run, b"this host 123456")
        _send_once(world, run, "operator", lambda: b"Subject: done\n\n", lease)
        assert take_lease(link, run, b"this host 123456").answered == {"operator"}
    assert len(one.replies()) == 1


def test_every_reply_says_what_the_ledger_was_and_the_ledger_agrees(hosts):
    one, _ = hosts
    assert one.filter(moving(one, 12)).returncode == 0
    (reply,) = one.replies()
    _, line = [line for line in reply.split(b"\n") if line.startswith(b"X-Mailsync-Ledger: ")]
    scope, entry, head = line.split()[1:]
    assert (scope, len(head)) == (b"US01.LTO", 64)
    done = one.run("audit", "verify")
    assert done.returncode == 0, done.stdout
    assert b"0 flaws, 2 heads seen by replies" in done.stdout
    kept = next(Path(one.folder, "audit/.Replies/cur").glob("*"))
    kept.write_bytes(kept.read_bytes().replace(head, b"ab" * 32))
    done = one.run("audit", "verify")
    assert done.returncode == 1
    assert b"US01.LTO entry " + entry + b": rewritten" in done.stdout


def test_a_host_that_gives_a_mail_up_leaves_it_to_the_other_at_once(hosts, tmp_path):
    one, two = hosts
    script = tmp_path / "sendmail"
    script.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    script.chmod(0o755)
    line = next(line for line in one.config.read_text().splitlines() if line.startswith("sendmail:"))
    one.edit(line, f"sendmail: [{script}]")
    one.edit("give_up: 24h", "give_up: 1s")
    mail = moving(one, 1)
    attempts = 0
    while b"hold: not done within" not in (done := one.filter(mail)).stderr:
        attempts += 1
        assert (done.returncode, attempts < 20) == (75, True)
        time.sleep(0.5)
    done = two.filter(mail)
    assert done.returncode == 0, done.stderr
    assert b"process:" in done.stderr
    assert len(two.replies()) == 1
