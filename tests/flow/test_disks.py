"""Disks that are full or cannot be written, under each of a site's databases and its mails, with real file systems."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash import check, crash_site, two_moves
from disks import in_namespace
from sites import served

SCRIPT = Path(__file__).resolve().parents[1] / "support" / "disk_faults.py"


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_cannot_be_written_keeps_the_mail_queued_and_nothing_is_lost_or_done_twice(tmp_path, fault):
    done = in_namespace(SCRIPT, fault, str(tmp_path), seconds=280)
    assert done.returncode == 0, done.stderr


def test_a_server_whose_log_cannot_be_written_serves_on(tmp_path):
    site = crash_site(tmp_path, mails=2)
    with served(site, log=Path("/dev/full")):
        for number in range(2):
            mail, volumes = two_moves(site, number)
            done = site.filter(mail)
            assert done.returncode == 0, done.stderr
            check(site, number, volumes)
