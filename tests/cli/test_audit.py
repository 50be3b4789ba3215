"""`mailsync audit verify`, on a real site's store and its kept replies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest
from served import MAILSYNC, Site

from mailsync.server.sqlite import SqliteStore


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "site")
    made.server("load", "-", stdin="customer,media,volume,repository\nUS01,LTO,A00001,LIBR\nUS01,LTO,A00002,LIBR\n")
    made.server("repository", "add", "US01.LTO", "DEST")
    return made


def verify(site, *words):
    command = [*MAILSYNC, "audit", "verify", *words, "--config", str(site.folder / "mailsync.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout


def reply(site, name, *fields):
    folder = site.folder / "audit/.Replies/cur"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"X-Mailsync-Ledger: {field}" for field in fields]
    (folder / name).write_text("\n".join(["Subject: done", *lines, "", "X-Mailsync-Ledger: US01.LTO 9 " + "0" * 64]))


def head(site, chain="US01.LTO"):
    with SqliteStore(site.folder / "state/server.db") as store:
        return next(one for one in store.heads() if one.chain == chain)


def behind(site, statement):
    with closing(sqlite3.connect(site.folder / "state/server.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_whole_ledger_says_its_heads_and_ends_in_0(site):
    now = head(site)
    reply(site, "one", f"US01.LTO {now.seq} {now.hash.hex()}")
    status, text = verify(site)
    assert status == 0
    assert f"US01.LTO: {now.seq} entries, head {now.hash.hex()}\n" in text
    assert text.endswith("0 flaws, 1 heads seen by replies\n")


def test_an_altered_entry_is_told_with_its_place(site):
    behind(site, "UPDATE ledger SET principal = 'somebody' WHERE seq = 2 AND media = 1")
    status, text = verify(site, "--json")
    assert status == 1
    (flaw,) = json.loads(text)["flaws"]
    assert (flaw["chain"], flaw["seq"]) == ("US01.LTO", 2)


def test_a_ledger_that_was_rewritten_as_a_whole_is_given_away_by_a_reply(site):
    now = head(site)
    reply(site, "one", f"US01.LTO {now.seq} {'ab' * 32}")
    status, text = verify(site)
    assert status == 1
    assert f"US01.LTO entry {now.seq}: rewritten: reply one saw another hash, {'ab' * 32}\n" in text


def test_what_a_restore_lost_is_told_with_the_reply_that_saw_it(site):
    now = head(site)
    reply(site, "one", f"US01.LTO {now.seq} {now.hash.hex()}", f"US01.LTO {now.seq + 1} {'ab' * 32}")
    reply(site, "two", f"DE09.LTO 1 {'ab' * 32}")
    status, text = verify(site)
    assert status == 1
    assert f"US01.LTO entry {now.seq + 1}: lost: reply one saw it, and the ledger ends before it\n" in text
    assert "DE09.LTO entry 1: lost: reply two saw it" in text


def test_what_is_no_witness_is_not_taken_for_one(site):
    reply(site, "one", "US01.LTO -1 " + "a" * 64, "US01.LTO 1 xyz", "US01.LTO 1 " + "a" * 63)
    assert verify(site)[0] == 0
