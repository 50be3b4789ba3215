"""The whole real chain: SMTP -> Postfix -> procmail -> mailsync -> a running server -> sendmail -> a mailbox."""

from __future__ import annotations

import email
import email.policy
import json
import os
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postfix import missing, private_postfix, wait_for
from sites import Site, extract, free_port, library_csv, report_mail

ROOT = Path(__file__).resolve().parents[2]
DEBIAN_PYTHON = "/usr/bin/python3"


def why_not() -> str:
    if reason := missing():
        return reason
    probe = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    tried = subprocess.run([DEBIAN_PYTHON, "-c", probe], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"{DEBIAN_PYTHON} is older than 3.11 or has no venv"


pytestmark = [pytest.mark.system, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user may traverse, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="mailsync-chain-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def user(folder) -> Iterator[pwd.struct_passwd]:
    """A system user for this test alone."""
    name = f"mailsync{os.getpid()}"
    home = folder / "home"
    home.mkdir()
    subprocess.run(["useradd", "--system", "--home-dir", str(home), "--shell", "/usr/sbin/nologin", name], check=True)
    try:
        made = pwd.getpwnam(name)
        os.chown(home, made.pw_uid, made.pw_gid)
        yield made
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def program(folder) -> str:
    """`mailsync` from the built wheel, under Debian's own interpreter: the tests' may be unreadable to others."""
    wheels = folder / "wheels"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(ROOT)], check=True, capture_output=True
    )
    subprocess.run([DEBIAN_PYTHON, "-m", "venv", str(folder / "venv")], check=True)
    (wheel,) = wheels.glob("*.whl")
    pip = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(pip, check=True)
    return str(folder / "venv" / "bin" / "mailsync")


def as_user(user: pwd.struct_passwd) -> dict[str, object]:
    """Arguments of subprocess that run a program as the user, as an MTA would: hardly any environment."""
    return {
        "user": user.pw_uid,
        "group": user.pw_gid,
        "extra_groups": [],
        "cwd": user.pw_dir,
        "env": {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": user.pw_dir},
    }


@pytest.fixture(scope="module")
def site(folder, user, program) -> Site:
    """The user's site: replies go out through /usr/sbin/sendmail, to a mailbox behind Postfix."""
    port = free_port()
    place = Path(user.pw_dir) / "site"
    words = [program, "init", str(place), "--server", f"127.0.0.1:{port}", "--json"]
    said = json.loads(subprocess.run(words, capture_output=True, check=True, **as_user(user)).stdout)
    made = Site(place, Path(said["config"]), said["recipient"], said["sender"], said["scope"], place, port, program)
    said_to = next(line for line in made.config.read_text().splitlines() if "operator:" in line)
    made.edit(said_to, "      operator: {to: [ops@replies.example.com], when: always}")
    loading = [program, "server", "load", "--config", str(made.config), "-"]
    subprocess.run(loading, input=library_csv(100), check=True, capture_output=True, **as_user(user))
    recipe = (ROOT / "procmailrc.example").read_text()
    recipe = recipe.replace("PATH=/usr/local/bin", f"PATH={Path(program).parent}")
    recipe = recipe.replace("/srv/mailsync/mailsync.yaml", str(made.config))
    rc = Path(user.pw_dir) / ".procmailrc"
    rc.write_text(recipe)
    os.chown(rc, user.pw_uid, user.pw_gid)
    return made


@contextmanager
def served_by(user: pwd.struct_passwd, site: Site) -> Iterator[None]:
    words = [site.program, "server", "run", "--config", str(site.config)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **as_user(user))
    try:
        assert server.stdout.readline().startswith(b"listening on ")
        yield
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


def exported(site: Site, user: pwd.struct_passwd) -> dict[str, str]:
    words = [site.program, "server", "export", "--config", str(site.config), "--scope", site.scope]
    lines = subprocess.run(words, capture_output=True, check=True, text=True, **as_user(user)).stdout.splitlines()
    rows = [line.split(",") for line in lines[1:]]
    return {row[2]: row[4] for row in rows}


def test_a_mail_waits_in_the_queue_while_the_server_is_down_then_moves_volumes_and_is_answered_once(folder, user, site):
    names = list(exported(site, user))
    before = exported(site, user)
    moving = [name for name in names if before[name] != "OFFS"][:3]
    local, _, extension = site.recipient.partition("@")[0].partition("+")
    assert local
    recipient = f"{user.pw_name}+{extension}@example.com"
    mail = report_mail(site, extract((name, "OFFS") for name in moving))
    with private_postfix(folder, port=free_port(), user=user) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
            smtp.sendmail(site.sender, [recipient], mail.partition(b"\n")[2])
        log = postfix.log
        wait_for(lambda: "status=deferred" in log.read_text(errors="replace"), "the mail to be deferred", log)
        assert postfix.queued() == 1
        assert exported(site, user) == before
        replies = folder / "mail" / "ops" / "new"
        assert not replies.exists() or not list(replies.iterdir())

        with served_by(user, site):
            postfix.command("postqueue", "-f")
            wait_for(lambda: replies.exists() and list(replies.iterdir()), "the reply", log)
            wait_for(lambda: postfix.queued() == 0, "an empty queue", log)
        after = exported(site, user)
        assert {name for name in names if after[name] != before[name]} == set(moving)
        assert {after[name] for name in moving} == {"OFFS"}
        (reply,) = replies.iterdir()
        message = email.message_from_bytes(reply.read_bytes(), policy=email.policy.default)
        assert message["In-Reply-To"] == "<report-1@backup.example.com>"
        assert message["Auto-Submitted"] == "auto-replied"
        assert message["Return-Path"] == "<>"
        assert "3 moved" in message["Subject"]
        assert extension.partition(".")[2] not in reply.read_text()
