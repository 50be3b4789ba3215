"""Backup and restore with the real programs, by the commands docs/server.md prints, and what clients make of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from sites import MAILSYNC, Site, extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.config.site import load_site
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import parse_scope
from mailsync.flow.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.split("## Backup and restore")[1].split("\n## ")[0], re.DOTALL)
SHOWN = "postgresql://mailsync@db.example.com/tapes"
NAMES = volume_names(60)
LIBRARY = library_csv(60).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR")
SECONDS = 300
LOST = r"lost: reply \S+ saw it, and the backup that was restored at \S+ ends before it"
ON_POSTGRES = pytest.param("postgres", marks=[pytest.mark.system, pytest.mark.xdist_group("postgres")])


@pytest.fixture(params=["sqlite", ON_POSTGRES])
def commands(request):
    """The shell commands of a backup and of a restore, with a store of this kind; and its URL, "" the site's own."""
    if request.param == "sqlite":
        return BLOCKS[0], BLOCKS[1], ""
    cluster = request.getfixturevalue("cluster")
    cluster.empty()
    return BLOCKS[2].replace(SHOWN, cluster.url), BLOCKS[3].replace(SHOWN, cluster.url), cluster.url


@pytest.fixture
def site(tmp_path, commands):
    made = make_site(tmp_path / "site")
    if commands[2]:
        made.edit("sqlite:state/server.db", commands[2])
        token = ["server", "token", "add", "filter", "--grant", "*:write", "--out", str(tmp_path / "filter.token")]
        done = made.run(*token)
        assert done.returncode == 0, done.stderr
        (tmp_path / "filter.token").replace(made.folder / "keys/filter.token")
    load(made, LIBRARY)
    if commands[2]:  # `init` made it in the store it made
        assert made.run("server", "repository", "add", "US01.LTO", "OFFS").returncode == 0
    return made


def shell(site: Site, script: str) -> None:
    path = f"{Path(MAILSYNC).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "MAILSYNC_CONFIG": str(site.config)}
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=site.folder, env=env, capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def mail(site: Site, number: int) -> bytes:
    return report_mail(site, extract([(NAMES[number], "OFFS")]), number=number)


def places(site: Site) -> dict[str, str]:
    return {name: volume["repository"] for name, volume in site.export().items() if volume["repository"] != "LIBR"}


def audit(site: Site, *words: str) -> tuple[int, str]:
    done = site.run("audit", *words)
    return done.returncode, done.stdout.decode()


def listed(site: Site) -> list[dict]:
    return json.loads(audit(site, "lost", "--json")[1])["lost"]


def test_a_backup_is_restored_and_nothing_is_applied_twice_and_what_is_lost_is_told(site, commands):
    backup, restore, _ = commands
    with served(site):
        mails = {number: mail(site, number) for number in range(1, 5)}
        assert site.filter(mails[1]).returncode == 0
        stop = threading.Event()
        writer = threading.Thread(target=write_until, args=(site, stop))
        writer.start()
        try:
            shell(site, backup)  # while the server runs and takes writes
        finally:
            stop.set()
            writer.join(SECONDS)
        assert site.filter(mails[2]).returncode == 0
        assert site.filter(mails[3]).returncode == 0
        assert places(site) == {NAMES[1]: "OFFS", NAMES[2]: "OFFS", NAMES[3]: "OFFS"}
        assert audit(site, "lost") == (0, "0 mails lost\n")

    shell(site, restore)

    with served(site):
        assert places(site) == {NAMES[1]: "OFFS"}
        for number in (1, 2):  # delivered again: the first stands, the second is lost, and neither is applied again
            assert b"was already" in site.filter(mails[number]).stderr
        assert places(site) == {NAMES[1]: "OFFS"}
        answered = len(site.replies())
        assert site.filter(mails[4]).returncode == 0
        assert places(site) == {NAMES[1]: "OFFS", NAMES[4]: "OFFS"}
        (notice,) = [one for one in site.replies() if b"applied and lost" in one]
        assert b"tape report 2" in notice
        assert b"tape report 3" in notice
        assert b"tape report 1" not in notice
        assert re.findall(rb"^X-Mailsync-Ledger: (\S+)", notice, re.MULTILINE) == [b"site", b"US01.LTO"]
        assert len(site.replies()) == answered + 2
        assert_the_copy_is_the_servers(site)

    assert sorted(one["subject"] for one in listed(site)) == ["tape report 2", "tape report 3"]
    checked = site.run("check", "--offline")
    assert b"2 mails applied, and lost when the server was restored" in checked.stdout
    status, verified = audit(site, "verify")
    assert status == 1
    assert (
        len(re.findall(r"lost: reply \S+ saw it, and the backup that was restored at \S+ ends before it", verified))
        == 2
    )
    assert "2 flaws" in verified
    assert audit(site, "lost", "--clear")[0] == 1
    assert audit(site, "lost") == (0, "0 mails lost\n")


def test_a_restore_that_lost_nothing_tells_nobody(site, commands):
    backup, restore, _ = commands
    with served(site):
        assert site.filter(mail(site, 1)).returncode == 0
        shell(site, backup)
    shell(site, restore)
    with served(site):
        assert site.filter(mail(site, 2)).returncode == 0
        assert not [one for one in site.replies() if b"applied and lost" in one]
    assert audit(site, "lost") == (0, "0 mails lost\n")
    assert audit(site, "verify")[0] == 0


def write_until(site: Site, stop: threading.Event) -> None:
    """Loads slots of other volumes, over and over, beside whatever else happens."""
    number = 0
    while not stop.is_set():
        number += 1
        load(site, f"customer,media,volume,slot\nUS01,LTO,{NAMES[50]},{number}\n".encode())


def assert_the_copy_is_the_servers(site: Site) -> None:
    with World(load_site(site.config)) as world:
        copy = {row[0]: row[1:] for row in world.server.refresh(parse_scope(site.scope)).rows(FIELD_NAMES)}
    assert {name: values[FIELD_NAMES.index("repository")] for name, values in copy.items()} == {
        name: volume["repository"] for name, volume in site.export().items()
    }
    assert {name: values[FIELD_NAMES.index("slot")] for name, values in copy.items()} == {
        name: volume["slot"] for name, volume in site.export().items()
    }
