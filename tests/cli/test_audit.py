"""`mailsync audit verify`, on a real site's store and its kept replies."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from served import MAILSYNC, Site

from mailsync.core.ledger import SITE
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.server.chain import GENESIS, entry_hash
from mailsync.server.sqlite import SqliteStore

DAY = 86_400


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


def reply(site, name, *fields, date="Mon, 23 Nov 2099 06:00:00 +0000"):
    folder = site.folder / "audit/.Replies/cur"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"X-Mailsync-Ledger: {field}" for field in fields]
    (folder / name).write_text(
        "\n".join(["Subject: done", f"Date: {date}", *lines, "", "X-Mailsync-Ledger: US01.LTO 9 " + "0" * 64])
    )


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
    assert text.endswith("0 flaws, 1 head seen by replies\n")


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


def forget(site, kind):
    """Removes the last entry of a kind from the site's chain and rewrites all behind it, as the server would have."""
    with SqliteStore(site.folder / "state/server.db") as store:
        entries = [entry for entry, _ in store.chain(SITE)]
    gone = max(entry.seq for entry in entries if entry.kind == kind)
    with closing(sqlite3.connect(site.folder / "state/server.db")) as connection:
        connection.execute("DELETE FROM ledger WHERE media = 0")
        hashed = GENESIS
        left = [entry for entry in entries if entry.seq != gone]
        for seq, entry in enumerate(left, 1):
            hashed = entry_hash(hashed, entry._replace(seq=seq))
            row = (0, seq, *entry[2:], hashed)
            connection.execute(f"INSERT INTO ledger VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("UPDATE store SET ledger_seq = ?, ledger_head = ?", (len(left), hashed))
        connection.commit()
    return gone


def test_a_grant_that_was_taken_out_of_the_sites_chain_is_given_away_by_a_reply_and_by_nothing_else(site):
    before = head(site, SITE)
    site.server("grant", "add", "filter", "DE*:alter")
    site.server("grant", "remove", "filter", "DE*")
    site.server("scope", "add", "US02.LTO")
    seen = head(site, SITE)
    assert (verify(site)[0], seen.seq) == (0, before.seq + 3)
    reply(site, "one", f"site {before.seq} {before.hash.hex()}")
    assert forget(site, "grant removed") == seen.seq - 1
    assert forget(site, "grant") == seen.seq - 2
    status, text = verify(site)
    assert (status, head(site, SITE).seq) == (0, seen.seq - 2), "the chain is whole, and only began otherwise"
    reply(site, "two", f"site {seen.seq} {seen.hash.hex()}")
    assert f"site entry {seen.seq}: lost: reply two saw it, and the ledger ends before it\n" in verify(site)[1]
    site.server("scope", "add", "US03.LTO")
    site.server("scope", "add", "US04.LTO")
    status, text = verify(site)
    assert status == 1
    assert f"site entry {seen.seq}: rewritten: reply two saw another hash, {seen.hash.hex()}\n" in text
    assert text.endswith("1 flaw, 2 heads seen by replies\n")


def test_a_head_that_was_told_after_a_restore_and_seen_before_it_is_lost_and_nobody_rewrote_it(site):
    """A host that could not reach the server told what its cache had kept."""
    now = head(site)
    site.server("restored")
    site.server("repository", "add", "US01.LTO", "TRAN")  # takes the number of the lost entry
    reply(site, "one", f"US01.LTO {now.seq + 1} {'ab' * 32} 2020-11-23T06:00:00Z")
    status, text = verify(site)
    assert status == 1
    assert re.search(r"lost: reply one saw it, and the backup that was restored at \S+Z ends before it\n", text)
    assert "rewritten" not in text


def test_a_head_of_the_sites_chain_that_a_restore_lost_is_told_as_such(site):
    now = head(site, SITE)
    site.server("restored")
    reply(site, "one", f"site {now.seq + 1} {'ab' * 32} 2020-11-23T06:00:00Z")
    assert re.search(rf"site entry {now.seq + 1}: lost: reply one saw it, and the backup", verify(site)[1])


def test_what_a_restore_lost_is_told_with_the_reply_that_saw_it(site):
    now = head(site)
    reply(site, "one", f"US01.LTO {now.seq} {now.hash.hex()}", f"US01.LTO {now.seq + 1} {'ab' * 32}")
    reply(site, "two", f"DE09.LTO 1 {'ab' * 32}")
    status, text = verify(site)
    assert status == 1
    assert f"US01.LTO entry {now.seq + 1}: lost: reply one saw it, and the ledger ends before it\n" in text
    assert "DE09.LTO entry 1: lost: reply two saw it" in text


def test_what_a_reply_saw_before_a_restore_is_lost_with_it_and_later_another_hash_is_rewriting(site):
    now = head(site)
    reply(site, "one", f"US01.LTO {now.seq + 1} {'ab' * 32}", date="Mon, 23 Nov 2020 06:00:00 +0000")
    reply(site, "two", f"US01.LTO {now.seq + 1} {'cd' * 32}", date="Mon, 23 Nov 2099 06:00:00 +0000")
    site.server("restored")
    site.server("repository", "add", "US01.LTO", "TRAN")  # takes the number of the lost entry
    status, text = verify(site)
    assert status == 1
    assert re.search(r"lost: reply one saw it, and the backup that was restored at \S+Z ends before it\n", text)
    assert f"rewritten: reply two saw another hash, {'cd' * 32}\n" in text


def test_what_a_reply_saw_and_was_pruned_is_no_flaw(tmp_path, site):
    """A store whose first entries are years old, pruned by the command; the reply saw one of those."""
    path, scope = tmp_path / "old.db", Scope(CustomerId("US01"), MediaId("LTO"))
    with SqliteStore(path, clock=lambda: time.time() - 400 * DAY) as store:
        store.add_scope(scope)
        for name in ("AAAA", "BBBB", "CCCC"):
            store.add_repository(scope, Repository(RepositoryId(name), ""))
        links = [(entry.seq, stored) for entry, stored in store.chain(str(scope))]
    with SqliteStore(path) as store:
        store.add_repository(scope, Repository(RepositoryId("DDDD"), ""))
    (seen, found), (last, cut) = links[0], links[-1]
    reply(site, "one", f"US01.LTO {seen} {found.hex()}", f"US01.LTO {last} {cut.hex()}")
    store = ("--store", f"sqlite:{path}")
    words = (*store, "--replies", str(site.folder / "audit/.Replies"))
    assert verify(site, *words)[1].endswith("0 flaws, 2 heads seen by replies\n")
    assert f"US01.LTO: {last} entries" in site.server("prune", "--keep", "365d", *store)
    status, text = verify(site, *words)
    assert status == 0
    assert text.endswith("0 flaws, 2 heads seen by replies, 1 of them pruned\n")  # the other is the one it was cut at
    reply(site, "two", f"US01.LTO {last} {'ab' * 32}")
    status, text = verify(site, *words)
    assert (status, text.count("rewritten: reply two")) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keep", "29d"], "less than 30d"),
        (["--keep", "forever"], "not an age"),
        (["--before", "lately"], "not a day"),
        (["--before", "2099-01-01"], "nothing younger than 30 days is forgotten"),
    ],
)
def test_what_may_not_be_pruned_is_refused_in_words(site, words, said):
    done = subprocess.run(
        [*MAILSYNC, "server", "prune", "--config", str(site.folder / "mailsync.yaml"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert said in done.stderr


def test_what_is_no_witness_is_not_taken_for_one(site):
    some = "a" * 64
    reply(site, "one", f"US01.LTO -1 {some}", "US01.LTO 1 xyz", f"US01.LTO 1 {some[1:]}", f"SITE 1 {some}")
    reply(site, "two", f"sites 1 {some}", f"site 1 {some} today", f"store 1 {some}", f"site {some}")
    assert verify(site)[0] == 0
