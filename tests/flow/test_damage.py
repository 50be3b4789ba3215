"""Damaged databases under real programs: told or thrown away, and then each mail is applied and answered once."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crash import check, crash_site, killed_before, recorded, sent_copies, two_moves
from sites import Site, served

PAGE = 4096


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A served site that has dealt with a mail: it has a cache, a journal and a ledger."""
    made = crash_site(tmp_path_factory.mktemp("damage"), mails=60)
    with served(made):
        done(made, two_moves(made, 0)[0])
        yield made


def done(site: Site, mail: bytes) -> None:
    finished = site.filter(mail)
    assert finished.returncode == 0, finished.stderr.decode()


def queued(site: Site, mail: bytes) -> str:
    """What is said of a mail that stays queued."""
    finished = site.filter(mail)
    said = finished.stderr.decode()
    assert finished.returncode == 75, said
    assert "this should not happen" not in said
    assert "mailsync: hint: " in said
    return said


def cache_of(site: Site) -> Path:
    (found,) = (site.folder / "state/cache").glob("*.db")
    return found


def overwrite(path: Path, content: bytes, start: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def of_another_server(path: Path, folder: Path) -> None:
    other = crash_site(folder, mails=10)
    with served(other):
        done(other, two_moves(other, 0)[0])
    shutil.copy(cache_of(other), path)


CACHES = {
    "cut": lambda path, _: path.write_bytes(path.read_bytes()[: -PAGE - 7]),
    "zeros": lambda path, _: overwrite(path, bytes(path.stat().st_size - PAGE), PAGE),
    "garbage": lambda path, _: path.write_bytes(bytes(range(256)) * 99),
    "of another server": of_another_server,
}


@pytest.mark.parametrize(("number", "damage"), [*enumerate(CACHES, 1)])
def test_a_damaged_cache_costs_a_download_and_nothing_else(site, tmp_path, number, damage):
    mail, volumes = two_moves(site, number)
    CACHES[damage](cache_of(site), tmp_path / "other")
    if site.filter(mail).returncode:  # found while reading: the next attempt starts anew
        done(site, mail)
    check(site, number, volumes)
    assert len(sent_copies(site, number)) == 1


def test_a_folder_in_the_place_of_the_cache_is_told(site):
    mail, volumes = two_moves(site, 10)
    path = cache_of(site)
    path.unlink()
    path.mkdir()
    said = queued(site, mail)
    assert f"cache {path}: Is a directory" in said
    path.rmdir()
    done(site, mail)
    check(site, 10, volumes)


JOURNALS = {
    "cut": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "zeros": lambda path, whole: overwrite(path, bytes(len(whole) - PAGE), PAGE),
    "garbage": lambda path, _: path.write_bytes(bytes(range(256)) * 99),
}


@pytest.mark.parametrize(("number", "damage"), [*enumerate(JOURNALS, 20)])
def test_a_damaged_journal_is_told_and_without_it_nothing_is_done_twice(site, number, damage):
    journal = site.folder / "state/journal.db"
    (mail, volumes), (other, others) = two_moves(site, number), two_moves(site, number + 5)
    done(site, mail)
    JOURNALS[damage](journal, journal.read_bytes())
    said = queued(site, mail)
    assert f"journal {journal}: " in said
    assert "move it away" in said
    journal.rename(journal.with_name(f"journal.{damage}"))
    assert b"was done already" in site.filter(mail).stderr
    done(site, other)
    check(site, number, volumes)
    check(site, number + 5, others)
    assert [len(sent_copies(site, one)) for one in (number, number + 5)] == [1, 1]


# Where an attempt dies: a first guess at the effect it dies before, the moves recorded then, and the replies sent.
DEATHS = {
    "before the server recorded the batch": (58, [], 0),
    "before sendmail": (72, ["OFFS"], 0),
    "after sendmail": (98, ["OFFS"], 1),
}


def killed_where(
    site: Site, numbers: range, effect: int, moves: list[str], sent: int
) -> tuple[int, bytes, tuple[str, str]]:
    """A mail whose attempt died there, its number and volumes; how many effects come before varies by a few."""
    for number in numbers:
        mail, volumes = two_moves(site, number)
        died = killed_before(site, mail, effect + number - numbers[0]).returncode == -9
        if died and (recorded(site, volumes)[volumes[0]], len(sent_copies(site, number))) == (moves, sent):
            return number, mail, volumes
        done(site, mail)
    raise AssertionError(numbers)


@pytest.mark.parametrize(("first", "death"), [*zip((30, 40, 50), DEATHS, strict=True)])
def test_a_journal_lost_half_way_through_a_mail_loses_and_doubles_nothing(site, first, death):
    number, mail, volumes = killed_where(site, range(first, first + 10), *DEATHS[death])
    sent = DEATHS[death][2]
    for path in (site.folder / "state").glob("journal.db*"):
        path.unlink()
    assert "another mail host is at this mail" in queued(site, mail)  # for the two minutes of its lease
    with closing(sqlite3.connect(site.folder / "state/server.db")) as store, store:
        ((run,),) = store.execute("SELECT run FROM runs WHERE done = 0").fetchall()
        told = store.execute("SELECT 1 FROM replied WHERE run = ?", (run,)).fetchone() is not None
        store.execute("UPDATE runs SET until = 0")
    done(site, mail)
    assert recorded(site, volumes) == {volumes[0]: ["OFFS"], volumes[1]: ["RACK"]}
    # Whoever died between sendmail and telling the server has it sent again.
    assert len(sent_copies(site, number)) == (sent if told else sent + 1) <= 2


def test_a_damaged_store_keeps_mails_queued_until_its_backup_is_back(tmp_path):
    site = crash_site(tmp_path, mails=10)
    mail, volumes = two_moves(site, 5)
    path, log, backup = site.folder / "state/server.db", tmp_path / "log", tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as store, closing(sqlite3.connect(backup)) as copy:
        store.backup(copy)
        ((root,),) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'volumes'")
    overwrite(path, bytes(PAGE), (root - 1) * PAGE)
    with served(site, log=log):
        for _ in range(4):
            assert "502: the store cannot answer now" in queued(site, mail)
    assert "is damaged: database disk image is malformed (restore it from a backup" in log.read_text()
    exported = site.run("server", "export", "--scope", site.scope)
    assert exported.returncode == 75
    assert b"hint: restore it from a backup" in exported.stderr
    shutil.copy(backup, path)
    assert site.run("server", "restored").returncode == 0
    with served(site):
        done(site, mail)
    check(site, 5, volumes)
    assert b"no mail is held" in site.run("held", "list").stderr
