"""The real procmail with the recipe of procmailrc.example, through every way the filter can end (docs/mail.md)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from sites import Site, extract, library_csv, load, make_site, report_mail, served

ROOT = Path(__file__).resolve().parents[2]
PROCMAIL = shutil.which("procmail")
QUEUED = 75  # EX_TEMPFAIL: Postfix keeps the mail

pytestmark = [pytest.mark.system, pytest.mark.skipif(PROCMAIL is None, reason="procmail is not installed")]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    made = make_site(tmp_path_factory.mktemp("procmail") / "site")
    load(made, library_csv(50))
    return made


def recipe(folder: Path, site: Site, program: str, *, timeout: int = 300) -> Path:
    """The example's recipe, for this site and for the program the test wants."""
    text = (ROOT / "procmailrc.example").read_text()
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "mailsync").write_text(program)
    (bin_folder / "mailsync").chmod(0o755)
    for old, new in (
        ("PATH=/usr/local/bin", f"PATH={bin_folder}:/usr/local/bin"),
        ("/srv/mailsync/mailsync.yaml", str(site.config)),
        ("TIMEOUT=300", f"TIMEOUT={timeout}"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "procmailrc"
    # LOGFILE and DEFAULT must be known before the recipes are met.
    path.write_text(f"LOGFILE={folder}/log\nDEFAULT={folder}/delivered\nVERBOSE=on\n" + text)
    return path


def procmail(rc: Path, site: Site, mail: bytes) -> int:
    extension = site.recipient.partition("+")[2].partition("@")[0]
    done = subprocess.run([PROCMAIL, "-a", extension, str(rc)], input=mail, timeout=120, check=False)
    return done.returncode


def real(site: Site) -> str:
    return f'#!/bin/sh\nexec {site.program} "$@"\n'


def moved_mail(site: Site, number: int) -> bytes:
    name = sorted(site.export())[number]
    return report_mail(site, extract([(name, "OFFS")]), number=number)


def test_a_mail_is_delivered_to_the_filter_and_procmail_ends_with_0(tmp_path, site):
    rc = recipe(tmp_path, site, real(site))
    with served(site):
        assert procmail(rc, site, moved_mail(site, 1)) == 0
    assert len(site.replies()) == 1
    assert not (tmp_path / "delivered").exists()


def test_the_token_is_not_in_procmails_log(tmp_path, site):
    rc = recipe(tmp_path, site, real(site))
    rc.write_text(rc.read_text().replace("VERBOSE=on\n", ""))
    procmail(rc, site, moved_mail(site, 5))
    log = (tmp_path / "log").read_text()
    token = site.recipient.partition("nightly.")[2].partition("@")[0]
    assert "mailsync: " in log
    # procmail cuts the line it shows: the beginning of the token would be too much.
    assert token[:8] not in log


def test_a_server_that_is_down_leaves_the_mail_with_the_mta(tmp_path, site):
    rc = recipe(tmp_path, site, real(site))
    assert procmail(rc, site, moved_mail(site, 2)) == QUEUED
    assert not (tmp_path / "delivered").exists()


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("#!/bin/sh\ncat > /dev/null\nexit 75\n", id="status 75"),
        pytest.param("#!/bin/sh\ncat > /dev/null\nexit 1\n", id="status 1"),
        pytest.param("#!/bin/sh\ncat > /dev/null\nkill -KILL $$\n", id="SIGKILL"),
        pytest.param("#!/bin/sh\nkill -KILL $$\n", id="SIGKILL before stdin is read"),
        pytest.param("#!/no/such/interpreter\n", id="a program that cannot start"),
    ],
)
def test_every_other_ending_leaves_the_mail_with_the_mta(tmp_path, site, program):
    rc = recipe(tmp_path, site, program)
    assert procmail(rc, site, moved_mail(site, 3)) == QUEUED
    assert not (tmp_path / "delivered").exists()


def test_a_program_that_is_missing_leaves_the_mail_with_the_mta(tmp_path, site):
    rc = recipe(tmp_path, site, real(site))
    (tmp_path / "bin" / "mailsync").unlink()
    assert procmail(rc, site, moved_mail(site, 3)) == QUEUED


def test_a_time_out_ends_the_program_itself_and_leaves_the_mail_with_the_mta(tmp_path, site):
    rc = recipe(tmp_path, site, f"#!/bin/sh\ncat > /dev/null\necho $$ > {tmp_path}/pid\nexec sleep 600\n", timeout=2)
    assert procmail(rc, site, moved_mail(site, 3)) == QUEUED
    pid = (tmp_path / "pid").read_text().strip()
    # procmail has ended the program, not a shell around it.
    assert not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text()


def test_a_large_mail_that_is_refused_is_read_to_its_end(tmp_path, site):
    """A filter that leaves stdin unread would break procmail's pipe, and the mail would come again and again."""
    rc = recipe(tmp_path, site, real(site))
    mail = report_mail(site, b"volume,repository\n" + b"#" * 3_000_000)
    forged = mail.replace(b"From: " + site.sender.encode(), b"From: somebody@example.net")
    assert procmail(rc, site, forged) == 0
    listed = site.run("held", "list").stdout.decode()
    assert "somebody@example.net" in listed


def test_a_broken_configuration_leaves_the_mail_with_the_mta(tmp_path, site):
    rc = recipe(tmp_path, site, real(site))
    mail, good = moved_mail(site, 4), site.config.read_text()
    site.config.write_text(good + "nonsense: [\n")
    try:
        assert procmail(rc, site, mail) == QUEUED
    finally:
        site.config.write_text(good)
