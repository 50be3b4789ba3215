"""What only PostgreSQL does: several servers at once, conflicts, lost connections, fail-over, and moving to it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.errors import TemporaryError, UsageError
from mailsync.core.ledger import SITE
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR, Access, Principal
from mailsync.server.database import NoStoreError
from mailsync.server.postgres import ATTEMPTS
from mailsync.server.sqlite import SqliteStore
from mailsync.server.store import LoadRow, RequestError
from mailsync.server.stores import open_url
from mailsync.wire.errors import Code
from mailsync.wire.scram import make_verifier

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("postgres")]

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
WHO = Principal("filter", "site", 1)
PLACES = tuple(Repository(RepositoryId(name), name) for name in ("LIBR", "OFFS"))


def fill(store, volumes=9):
    store.add_scope(SCOPE, repositories=PLACES, default_repository="LIBR")
    store.add_token(WHO.user, make_verifier(b"t" * 32, b"s" * 16), 1, grants=(("*", Access.WRITE),))
    store.load(("repository",), [LoadRow(SCOPE, f"A{number}", ("LIBR",), 0) for number in range(1, volumes + 1)])


def batch_of(store, number, *names, place="OFFS"):
    at = store.scopes(ADMINISTRATOR)[0]
    moves = tuple(Operation(Change.UPDATE, name, ("repository",), (place,), 0, 1, 1) for name in names)
    name = number.to_bytes(16, "big")
    return Batch(name, name * 2, b"p" * 32, SCOPE, at.epoch, at.version, "", 1, (("mail", "a.csv"),), moves)


@pytest.fixture
def url(cluster):
    cluster.empty()
    return cluster.url


@pytest.fixture
def conflicts(cluster, url):
    """Makes the next so many changes of a volume fail as serialization failures; a sequence is not rolled back."""

    def make(count):
        cluster.query(
            f"""
            CREATE SEQUENCE mailsync.tried;
            CREATE FUNCTION mailsync.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF nextval('mailsync.tried') <= {count} THEN
                RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
              END IF;
              RETURN NEW;
            END $$;
            CREATE TRIGGER fail BEFORE UPDATE ON mailsync.volumes FOR EACH ROW EXECUTE FUNCTION mailsync.fail();
            """
        )

    return make


def test_what_could_not_be_serialized_is_done_again_with_one_effect(url, conflicts):
    with open_url(url) as store:
        fill(store)
        conflicts(2)
        batch = batch_of(store, 1, "A1")
        outcome = store.apply(batch, b"h" * 32, WHO, 5)
        assert [one.result for one in outcome.results] == [Result.OK]
        assert (outcome.first, outcome.last) == (10, 10)
        assert len(store.batches(SCOPE)) == 1
        assert [entry.after for entry in store.ledger(SCOPE, "A1") if entry.field == "repository"] == ["OFFS"]


def test_conflicts_without_end_are_told_and_change_nothing(url, conflicts):
    with open_url(url) as store:
        fill(store)
        conflicts(ATTEMPTS)
        with pytest.raises(TemporaryError, match="could not serialize access"):
            store.apply(batch_of(store, 1, "A1"), b"h" * 32, WHO, 5)
        assert store.batches(SCOPE) == ()
        assert store.apply(batch_of(store, 1, "A1"), b"h" * 32, WHO, 5).last == 10


def test_a_reader_beside_four_writing_servers_misses_no_version(url):
    with open_url(url) as store:
        fill(store, 40)
    finished = threading.Event()
    troubles = []

    def write(writer):
        try:
            with open_url(url) as mine:
                for turn in range(25):
                    names = [f"A{1 + (writer + 4 * turn + step) % 40}" for step in range(3)]
                    batch = batch_of(mine, 1000 * writer + turn + 1, *names, place=("OFFS", "LIBR")[turn % 2])
                    mine.apply(batch, batch.id * 2, WHO, 5)
        except Exception as error:  # noqa: BLE001 - a thread's trouble is the test's
            troubles.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    rows = {}
    with open_url(url) as store:

        def follow(cursor):
            page = store.sync(SCOPE, cursor, 0, 7, ADMINISTRATOR)
            rows.update({row[0]: row[1:] for row in page.rows})
            return page.cursor

        cursor = Cursor()
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            cursor = follow(cursor)
        finished.set()
        for writer in writers:
            writer.join()
        assert troubles == []
        while cursor.since != store.scopes(ADMINISTRATOR)[0].version or cursor.snap:
            cursor = follow(cursor)
        assert rows == {name: tuple(volume) for name, volume in store.export(SCOPE)}
        assert len(store.batches(SCOPE)) == 100
        # Something was written, and each change has a version of its own.
        assert store.scopes(ADMINISTRATOR)[0].version > 40


def test_two_servers_that_make_the_tables_at_once_make_one_store(cluster, url):
    stores = []
    makers = [threading.Thread(target=lambda: stores.append(open_url(url))) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(stores) == 4
    assert cluster.query("SELECT count(*) FROM mailsync.store") == [(1,)]
    for store in stores:
        store.close()


def test_of_two_servers_commands_that_let_the_same_user_in_at_once_one_is_refused(cluster, url):
    """Else each would have made a token, of which one is worth nothing."""
    again = ("filter", make_verifier(b"u" * 32, b"v" * 16), 3)
    refused = []

    def add():
        with open_url(url) as mine, pytest.raises(RequestError, match="filter logs on with a token already") as caught:
            mine.add_token(*again)
        refused.append(caught.value.code)

    with open_url(url) as store:
        fill(store)
        store.revoke_token("filter", 2)
        cluster.query("BEGIN")
        cluster.query("UPDATE mailsync.users SET revoked = 0, created = 3 WHERE id = 'filter'")
        second = threading.Thread(target=add)
        second.start()
        while second.is_alive() and not cluster.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass
        cluster.query("COMMIT")
        second.join()
        assert refused == [Code.INVALID]
        assert store.login("filter")[0].created == 3


def test_a_lost_connection_is_told_once_and_made_again(cluster, url):
    with open_url(url) as store:
        fill(store)
        cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(TemporaryError, match="terminating connection"):
            store.scopes(ADMINISTRATOR)
        assert store.scopes(ADMINISTRATOR)[0].volumes == 9


def test_a_server_that_is_away_is_told_without_the_password(free_port):
    with pytest.raises(TemporaryError) as caught:
        open_url(f"postgresql://mailsync:s3cret-word@127.0.0.1:{free_port}/tapes")
    assert f"store postgresql://127.0.0.1:{free_port}/tapes" in str(caught.value)
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_without_its_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "mailsync.server.postgres", raising=False)
    with pytest.raises(UsageError) as caught:
        open_url("postgresql://127.0.0.1/tapes")
    assert "mailsync[postgres]" in caught.value.hint


def test_a_promoted_replica_that_lost_commits_begins_a_new_epoch(make_cluster):
    first = make_cluster()
    with open_url(first.url) as store:
        fill(store)
        before = store.sync(SCOPE, Cursor(), 0, 100, ADMINISTRATOR).cursor
    second = make_cluster(first)  # a replica of this moment
    with open_url(first.url) as store:
        store.apply(batch_of(store, 1, "A1"), b"h" * 32, WHO, 5)
        ahead = store.sync(SCOPE, before, 0, 100, ADMINISTRATOR).cursor
    first.stop()

    with open_url(second.url) as store:
        page = store.sync(SCOPE, ahead, 0, 100, ADMINISTRATOR)
        assert page.reset
        assert page.cursor.epoch != ahead.epoch
        assert {row[0]: row[2] for row in page.rows}["A1"] == "LIBR"
        again = page.cursor
        entry, lost = list(store.chain(SITE))[-1][0], (1).to_bytes(16, "big")
        said = json.loads(entry.payload)
        assert (entry.kind, said["old"], said["epoch"]) == ("epoch", ahead.epoch.hex(), page.cursor.epoch.hex())
        assert said["heads"][str(SCOPE)][0] == next(one.seq for one in store.heads() if one.chain == str(SCOPE))
        assert store.missing(SCOPE, (lost,), ADMINISTRATOR).batches == (lost,)
        assert list(store.verify()) == []
    with open_url(second.url) as store:
        assert not store.sync(SCOPE, again, 0, 100, ADMINISTRATOR).reset, (
            "the epoch changes once, not with every connection"
        )


def test_a_store_moved_from_sqlite_has_everything_but_the_epoch(url, tmp_path):
    with SqliteStore(tmp_path / "server.db") as old, open_url(url) as new:
        fill(old)
        batch = batch_of(old, 1, "A1", "A2", "ZZ")
        first = old.apply(batch, b"h" * 32, WHO, 5)
        old.delete(SCOPE, ["A9"])
        told = []
        old.copy_to(new, b"e" * 16, told=lambda name, rows: told.append((name, rows)))

        assert dict(new.export(SCOPE)) == dict(old.export(SCOPE))
        assert list(new.ledger(SCOPE)) == list(old.ledger(SCOPE))
        assert new.tokens() == old.tokens()
        assert new.repositories(SCOPE) == old.repositories(SCOPE)
        assert new.scopes(ADMINISTRATOR)[0] == old.scopes(ADMINISTRATOR)[0]._replace(epoch=b"e" * 16)
        assert ("volumes", 8) in told
        assert new.apply(batch, b"h" * 32, WHO, 6) == first._replace(replayed=True)
        assert new.apply(batch_of(new, 2, "A3"), b"i" * 32, WHO, 6).last == first.last + 2


def test_a_store_is_not_moved_over_another(url, tmp_path):
    with SqliteStore(tmp_path / "server.db") as old, open_url(url) as new:
        fill(old)
        fill(new)
        with pytest.raises(UsageError, match="the target has scopes or users already"):
            old.copy_to(new, b"e" * 16, told=print)
        assert new.scopes(ADMINISTRATOR)[0].volumes == 9


def test_the_server_serves_from_postgresql_and_the_command_moves_a_store_there(site, url):
    site.server("load", str(csv(site.folder)))
    assert "volumes: 2" in site.server("copy", "--to", url)
    assert site.server("export", "--scope", "US01.LTO", "--store", url) == site.server("export", "--scope", "US01.LTO")


def csv(folder: Path) -> Path:
    path = folder / "volumes.csv"
    path.write_text("customer,media,volume,repository\nUS01,LTO,A00001,LIBR\nUS01,LTO,A00002,LIBR\n")
    return path


def test_a_database_without_a_store_is_left_as_it_is_by_who_does_not_make_one(cluster, url):
    with pytest.raises(NoStoreError, match=r"there is no store at postgresql://.* it has no schema mailsync"):
        open_url(url, make=False)
    assert cluster.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'mailsync'") == [(0,)]
