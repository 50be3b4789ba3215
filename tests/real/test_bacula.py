"""What a real Bacula director lists and mails, read by the built-in definition: every volume comes out.

The commands are those of docs/catalogue/bacula.md: `list volumes` mailed by bsmtp, and in the log of an Admin job.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from bacula import Bacula, bacula, missing
from receiver import Mailbox, mailbox
from sites import Site, load, make_site, served

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

TAPES = [f"A{number:07d}" for number in range(1, 31)]
SPARE = ["S0000001", "S0000002"]
WRITTEN = "A0000002"
DISKS = 3
_COMMANDS = (
    *("add pool=Daily storage=Changer", "30", "A000", "1"),
    *("add pool=Disk storage=Files", str(DISKS), "File-", "1"),
    *("add pool=Scratch storage=Changer", "2", "S000", "1"),
    *("add pool=Daily storage=Changer", "1", "CLN0", "1"),
    f"update volume={WRITTEN} slot=3 inchanger=yes volstatus=Full",
    f"update volume={SPARE[0]} slot=1201 inchanger=yes",
)
_WRITE = (
    "UPDATE Media SET LastWritten='2031-01-09 22:15:40', VolBytes=5120884736000, VolType=2 "
    f"WHERE VolumeName='{WRITTEN}'"
)


class Running(NamedTuple):
    """A director, where it mails to, and a site whose server knows its tapes."""

    bacula: Bacula
    mailbox: Mailbox
    site: Site

    def explained(self, mail: bytes) -> dict:
        done = self.site.run("explain", "--json", "--recipient", self.site.recipient, stdin=mail)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return json.loads(done.stdout)


# One director for each, also where the tests run side by side.
CATALOGUES = [pytest.param(name, marks=pytest.mark.xdist_group(f"bacula-{name}")) for name in ("sqlite3", "pgsql")]


@pytest.fixture(scope="module", params=CATALOGUES)
def running(request, tmp_path_factory):
    if reason := missing(request.param):
        pytest.skip(reason)
    site = make_site(tmp_path_factory.mktemp("bacula") / "site")
    site.edit("definitions: [nightly-csv]", "definitions: [bacula-list-volumes]")
    site.edit("max_share_moved: 0.3", "max_share_moved: 1.0")
    site.edit("timezone: UTC", "timezone: Europe/Berlin")
    lines = ["customer,media,volume,description,repository,current_repository,confirmed_repository"]
    load(site, "\n".join([*lines, *(f"US01,LTO,{name},,OFFS,OFFS,OFFS" for name in TAPES + SPARE), ""]).encode())
    with (
        mailbox() as received,
        bacula(request.param, smtp=received.port, sender=site.sender) as director,
        served(site),
    ):
        director.console(*_COMMANDS)
        director.sql(_WRITE)
        yield Running(director, received, site)


def mailed_directly(running: Running) -> bytes:
    listed = running.bacula.console("list volumes")
    running.bacula.mail(listed, port=running.mailbox.port, sender=running.site.sender, subject="tapes")
    return running.mailbox.mails.get(timeout=60)


def mailed_as_a_job_log(running: Running) -> bytes:
    running.bacula.console("run job=TapeList yes", "wait")
    return running.mailbox.mails.get(timeout=60)


@pytest.mark.parametrize("mailed", [mailed_directly, mailed_as_a_job_log])
def test_every_tape_comes_out_of_the_mail_and_nothing_else_does(running, mailed):
    mail = mailed(running)
    assert (b"BeforeJob: | " in mail) == (mailed is mailed_as_a_job_log)
    assert (b" 31,536,000 | " in mail) == (running.bacula.catalogue == "pgsql")
    seen = running.explained(mail)
    assert seen["verdict"]["route"] == "nightly"
    (attachment,) = seen["attachments"]
    assert attachment["definition"] == "bacula-list-volumes"
    assert seen["records"] == len(TAPES + SPARE)
    assert seen["problems"] == seen["objections"] == seen["alerts"] == []
    steps = {(step["volume"], step["field"]): step["to"] for step in seen["plan"]["steps"]}
    described = {volume: to for (volume, field), to in steps.items() if field == "description"}
    assert described == {f"US01.LTO.{name}": "Daily" for name in TAPES} | {
        f"US01.LTO.{name}": "Scratch" for name in SPARE
    }
    assert steps["US01.LTO.S0000001", "slot"] == "1201"
    assert steps[f"US01.LTO.{WRITTEN}", "write_time"] == "2031-01-09T21:15:40Z"


def test_the_filter_moves_the_tapes_that_are_in_the_changer_and_no_other(running):
    done = running.site.filter(mailed_directly(running))
    assert done.returncode == 0, done.stderr
    volumes = running.site.export()
    at_home = {name for name, volume in volumes.items() if volume["repository"] == "LIBR"}
    assert at_home == {WRITTEN, SPARE[0]}
    assert {name for name, volume in volumes.items() if volume["scratch"] == "yes"} == set(SPARE)
    (reply,) = running.site.replies()
    assert b"2 moved" in reply
    assert running.bacula.console("list volumes").count("| File1 ") == DISKS
