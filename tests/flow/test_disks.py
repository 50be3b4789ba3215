"""Disks that are full or cannot be written, under each of a site's databases and its mails, with real file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash import check, crash_site, two_moves
from disks import in_namespace
from sites import served

from mailsync.client.failures import NoScopeError
from mailsync.client.link import connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.core.cursor import Cursor
from mailsync.core.model import CustomerId, MediaId, Scope

SCRIPT = Path(__file__).resolve().parents[1] / "support" / "disk_faults.py"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_cannot_be_written_keeps_the_mail_queued_and_nothing_is_lost_or_done_twice(tmp_path, fault):
    done = in_namespace(SCRIPT, fault, str(tmp_path), seconds=1700)
    assert done.returncode == 0, done.stderr


def test_a_server_whose_log_cannot_be_written_answers_all_the_same(tmp_path):
    site = crash_site(tmp_path, mails=1)
    keys = site.folder / "keys"
    key, token = read_client_key(keys / "site.key"), read_token(keys / "filter.token")
    with served(site, log=Path("/dev/full")):
        link = connect(f"127.0.0.1:{site.port}", key, token, random=os.urandom)
        with pytest.raises(NoScopeError):  # a line of the log, between question and answer
            list(link.sync(Scope(CustomerId("DE02"), MediaId("LTO")), Cursor(), 0))
        link.close()
        mail, volumes = two_moves(site, 0)
        done = site.filter(mail)
        assert done.returncode == 0, done.stderr
        check(site, 0, volumes)
