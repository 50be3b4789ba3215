"""`mailsync server` as a user has it: real processes, a real site, signals and kills."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import threading

import pytest
from served import MAILSYNC

from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError, TemporaryError
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Result
from mailsync.server.sqlite import SqliteStore
from mailsync.wire.batches import encode_apply

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def batch_of(number: int, page, names: list[str]) -> Batch:
    creates = tuple(Operation(Change.CREATE, name, (), (), 0, 1, 1) for name in names)
    return Batch(
        id=number.to_bytes(16, "big"),
        run=number.to_bytes(32, "big"),
        plan=b"p" * 32,
        scope=SCOPE,
        epoch=page.cursor.epoch,
        base=page.cursor.since,
        source="nightly/nightly-csv",
        asof=1,
        sources=(("m@example.com", "a.csv"),),
        operations=creates,
    )


def test_the_server_says_where_it_listens_and_sigterm_ends_it_in_order(site):
    with site.running() as process:
        with site.link(process) as link:
            assert list(link.sync(SCOPE, Cursor(), 0))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert process.stderr.read().rstrip().endswith("end=stopped")


def test_a_second_server_on_the_same_port_says_why_it_does_not_start(site):
    with site.running() as process:
        told = site.server("run", "--listen", process.address, status=1)
    assert told.splitlines() == [
        f"mailsync: listen on {process.address}: Address already in use",
        "mailsync: hint: is a server running there already? --listen HOST:PORT",
    ]


def test_an_address_that_is_not_this_hosts_is_told_so(site):
    told = site.server("run", "--listen", "192.0.2.1:5000", status=1)
    assert told.startswith("mailsync: listen on 192.0.2.1:5000: Cannot assign requested address\n")
    assert "is that an address of this host?" in told


def test_volumes_are_loaded_beside_a_running_server_and_exported_again(site, tmp_path):
    library = tmp_path / "volumes.csv"
    library.write_text("customer,media,volume,repository\nUS01,LTO,A00001,LIBR\nUS02,LTO,B00001,HOME\n")
    with site.running() as process, site.link(process) as link:
        (page,) = link.sync(SCOPE, Cursor(), 0)
        told = site.server("load", str(library))
        (page,) = link.sync(SCOPE, page.cursor, page.repositories_version)
        assert [row[0] for row in page.rows] == ["A00001"]
    assert told.splitlines() == [
        "2 volumes: 2 added, 0 changed, 0 unchanged",
        "new scopes: US02.LTO",
        "new repositories: US02.LTO.HOME",
    ]
    (row,) = rows_of(site.server("export", "--scope", "US01.LTO"))
    assert (row["volume"], row["current_repository"], row["confirmed_repository"]) == ("A00001", "LIBR", "LIBR")


def test_a_load_from_stdin_names_every_fault_by_line_and_loads_nothing(site):
    text = "customer,media,volume,repository\nUS01,LTO,A00001,LIBR\nUS01,LTO,a,LIBR\nUS01,LTO,A00002,NONE\n"
    told = site.server("load", "--strict", "-", stdin=text, status=1)
    assert told.splitlines() == [
        "mailsync: stdin:3: 'a' is not a volume: 2 to 10 of A-Z, 0-9 and dash, no dash first",
        'mailsync: stdin:4: repository "NONE" is unknown in US01.LTO',
        "mailsync: hint: nothing was loaded: 2 rows have faults",
    ]
    assert rows_of(site.server("export", "--scope", "US01.LTO")) == []


def test_a_missing_file_a_faulty_caption_and_an_unknown_scope_are_told(site):
    assert "read missing.csv: No such file" in site.server("load", "missing.csv", status=2)
    assert 'stdin:1: no column "volume"' in site.server("load", "-", stdin="customer,media\n", status=1)
    assert "no scope US09.LTO" in site.server("export", "--scope", "US09.LTO", status=1)
    assert "is not CUSTOMER.MEDIA" in site.server("export", "--scope", "US09", status=2)


def test_a_token_made_while_the_server_runs_logs_on_until_it_is_revoked(site):
    path = site.folder / "keys" / "second.token"
    with site.running() as process:
        site.server("token", "add", "second", "--grant", "US*:write", "--out", str(path))
        assert path.stat().st_mode & 0o777 == 0o600
        with site.link(process, token="second.token") as link:
            assert list(link.sync(SCOPE, Cursor(), 0))
        site.server("token", "revoke", "second")
        with site.link(process, token="second.token") as link, pytest.raises(RefusedError):
            list(link.sync(SCOPE, Cursor(), 0))
    listed = json.loads(site.server("token", "list", "--json"))["tokens"]
    assert [(one["user"], bool(one["revoked"])) for one in listed] == [("filter", False), ("second", True)]


def test_a_token_that_cannot_be_made_leaves_no_file(site, tmp_path):
    path = tmp_path / "filter.token"
    told = site.server("token", "add", "filter", "--out", str(path), status=1)
    assert "filter logs on with a token already" in told
    assert "mailsync server token rotate filter" in told
    assert not path.exists()
    path.write_text("mine")
    assert "does not exist yet" in site.server("token", "add", "other", "--out", str(path), status=2)
    assert path.read_text() == "mine"
    assert "no live one" in site.server("token", "revoke", "other", status=2)
    assert site.server("token", "add", "other").startswith("mailsync-token 1\nuser: other\n")


def test_a_key_made_while_the_server_runs_opens_connections_until_it_is_revoked(site):
    path = site.folder / "keys" / "second.key"
    with site.running() as process:
        site.server("key", "new", "second", "--out", str(path))
        with site.link(process, key="second.key") as link:
            assert list(link.sync(SCOPE, Cursor(), 0))
        assert [line.split() for line in site.server("key", "list").splitlines()] == [
            ["second", "anybody", "from", "anywhere"],
            ["site", "anybody", "from", "anywhere"],
        ]
        site.server("key", "revoke", "second")
        with pytest.raises(RefusedError):
            site.link(process, key="second.key")
    alone = {"id": "site", "users": [], "addresses": [], "earlier_static": False}
    assert json.loads(site.server("key", "list", "--json")) == {"keys": [alone]}
    assert (site.folder / "keys" / "ring").stat().st_mode & 0o777 == 0o600
    assert "in the ring already" in site.server("key", "new", "site", status=2)


def test_scopes_and_repositories_are_added_and_listed(site):
    site.server("scope", "add", "US02.LTO", "--default", "HOME", "--description", "second site")
    site.server("repository", "add", "US02.LTO", "VLT", "--type", "Vault", "--offsite", "--description", "Far away")
    listed = json.loads(site.server("scope", "list", "--json"))["scopes"]
    assert [(one["scope"], one["default_repository"]) for one in listed] == [("US01.LTO", "LIBR"), ("US02.LTO", "HOME")]
    listed = json.loads(site.server("repository", "list", "US02.LTO", "--json"))["repositories"]
    assert listed[1] == {
        "id": "VLT",
        "description": "Far away",
        "type": "Vault",
        "offsite": True,
        "next": "",
        "volumes": 0,
    }
    assert "it is there already" in site.server("scope", "add", "US02.LTO", status=1)
    assert "US02.LTO" in site.server("scope", "list")
    assert "Far away" in site.server("repository", "list", "US02.LTO")


def test_a_store_from_a_backup_begins_a_new_life(site):
    before = json.loads(site.server("scope", "list", "--json"))["scopes"][0]["epoch"]
    site.server("restored")
    assert json.loads(site.server("scope", "list", "--json"))["scopes"][0]["epoch"] != before


def test_the_store_may_be_named_by_an_option_before_or_after_nothing_else(site, tmp_path):
    other = tmp_path / "other.db"
    site.server("scope", "add", "DE01.LTO", "--store", f"sqlite:{other}")
    assert other.stat().st_mode & 0o777 == 0o600
    assert "is neither sqlite:PATH nor postgresql" in site.server("scope", "list", "--store", "mysql:x", status=2)
    (tmp_path / "not.db").write_text("a text, and no database at all" * 100)
    assert "restore it from a backup" in site.server("scope", "list", "--store", f"sqlite:{tmp_path}/not.db", status=1)


@pytest.mark.parametrize(
    "words", [["run"], ["load"], ["export"], ["token", "add"], ["key", "new"], ["scope", "add"], ["repository", "add"]]
)
def test_every_help_has_an_example(words):
    done = subprocess.run([*MAILSYNC, "server", *words, "--help"], capture_output=True, text=True, check=True)
    assert "example:\n  " in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_whoever_does_not_own_the_state_is_refused_before_anything_is_written(site):
    os.chown(site.folder / "state" / "server.db", 12345, 12345)
    told = site.server("scope", "list", status=2)
    assert "belongs to 12345" in told
    # The tree of the configuration is kept by whoever owns the folder, as root does here; the database is not touched.
    assert {path.name for path in (site.folder / "state").iterdir()} <= {"server.db", "cache"}


def test_a_server_killed_while_it_applies_has_applied_each_batch_once(site):
    chance = random.Random(7)
    number, pending, done = 0, None, 0
    while done < 8:
        with site.running() as process:
            killer = threading.Timer(chance.uniform(0.005, 0.08), process.kill)
            try:
                with site.link(process) as link:
                    (*_, page) = link.sync(SCOPE, Cursor(), 0)
                    killer.start()
                    while True:
                        if pending is None:
                            number += 1
                            pending = batch_of(number, page, [f"K{number:05}{letter}" for letter in "ABCDEFGH"])
                        outcome = link.apply(encode_apply(pending))
                        assert {result.result for result in outcome.results} == {Result.OK}
                        pending = None
            except TemporaryError:
                done += 1
            finally:
                killer.cancel()
    recorded = number - (pending is not None)
    with SqliteStore(site.folder / "state" / "server.db") as store:
        ids = [record.id for record in store.batches(SCOPE)]
        assert len(ids) == len(set(ids))
        assert recorded <= len(ids) <= number, "what was acknowledged is there"
        created = [entry.volume for entry in store.ledger(SCOPE) if entry.field == "volume"]
        assert len(created) == len(set(created)) == 8 * len(ids)
        assert sorted(created) == [name for name, _ in store.export(SCOPE)]
