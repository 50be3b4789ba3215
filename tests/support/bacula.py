"""A private Bacula director: its own configuration, ports, folder and catalogue, started and ended by the test.

Bacula is not installed: tests/run unpacks Debian's packages beside the tests' Python, one folder for what both
catalogues share and one for each, because they print lists differently and their packages exclude each other. There is
no storage daemon: `add` makes volumes in the catalogue alone.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from sites import free_port

UNPACKED = Path(sys.prefix) / "debian"
SECONDS = 60
_SCHEMA = "usr/share/dbconfig-common/data/bacula-director-{0}/install/{0}"
_DIRECTOR = """\
Director {{ Name = vault-dir; WorkingDirectory = "{folder}"; PidDirectory = "{folder}"; QueryFile = "{folder}/query.sql"
  DirAddress = 127.0.0.1; DIRport = {port}; Password = "secret"; Messages = Daemon }}
Catalog {{ Name = Main; dbname = bacula; {catalog} }}
Messages {{ Name = Daemon; append = "{folder}/log" = all, !skipped }}
Messages {{ Name = Mailed
  mailcommand = "{bsmtp} -h 127.0.0.1:{smtp} -f \\"{sender}\\" -s \\"Bacula: %t %e of %c %l\\" %r"
  mail = tapes@example.com = all, !skipped }}
Pool {{ Name = Daily; Pool Type = Backup; Volume Retention = 365 days }}
Pool {{ Name = Disk; Pool Type = Backup }}
Pool {{ Name = Empty; Pool Type = Backup }}
Pool {{ Name = Scratch; Pool Type = Backup }}
FileSet {{ Name = None; Include {{ Options {{ signature = MD5 }}; File = /etc/hostname }} }}
Client {{ Name = none-fd; Address = 127.0.0.1; FDPort = {unused}; Catalog = Main; Password = "secret" }}
Storage {{ Name = Changer; Address = 127.0.0.1; SDPort = {unused}; Password = "secret"; Device = Changer
  Media Type = LTO-8 }}
Storage {{ Name = Files; Address = 127.0.0.1; SDPort = {unused}; Password = "secret"; Device = Files
  Media Type = File1 }}
Job {{ Name = TapeList; Type = Admin; Client = none-fd; FileSet = None; Storage = Changer; Pool = Daily
  Messages = Mailed
  RunScript {{ RunsWhen = Before; RunsOnClient = no
    Command = "/bin/sh -c 'echo list volumes | {bconsole} -n -c {folder}/console.conf'" }} }}
"""
_CONSOLE = 'Director {{ Name = vault-dir; DIRport = {port}; address = 127.0.0.1; Password = "secret" }}\n'


class Bacula(NamedTuple):
    """A running director with its folder and environment; `catalogue` is sqlite3 or pgsql."""

    folder: Path
    catalogue: str
    environment: dict[str, str]

    def console(self, *commands: str) -> str:
        """What bconsole prints for the commands."""
        words = [_program("bconsole"), "-n", "-c", str(self.folder / "console.conf")]
        typed = "".join(f"{command}\n" for command in commands)
        done = subprocess.run(
            words, input=typed, capture_output=True, text=True, timeout=SECONDS, check=True, env=self.environment
        )
        return done.stdout

    def mail(self, text: str, *, port: int, sender: str, subject: str) -> None:
        """Mails the text as scripts do, with Bacula's own bsmtp."""
        words = [_program("bsmtp"), "-h", f"127.0.0.1:{port}", "-f", sender, "-s", subject, "tapes@example.com"]
        subprocess.run(
            words, input=text, text=True, timeout=SECONDS, check=True, capture_output=True, env=self.environment
        )

    def sql(self, statement: str) -> None:
        """Changes the catalogue, for what only a storage daemon could: when a tape was written, and what it is."""
        if self.catalogue == "sqlite3":
            with sqlite3.connect(self.folder / "bacula.db") as catalogue:
                catalogue.execute(statement)
            catalogue.close()
        else:
            _psql(self.folder, "bacula", "-c", statement)


def missing(catalogue: str) -> str:
    """Why there can be no director with this catalogue here, or "" when there can."""
    if not (UNPACKED / "complete").exists():
        return f"Bacula is not in {UNPACKED}: tests/run unpacks Debian's packages there"
    if catalogue == "pgsql" and not _postgresql():
        return "not installed: postgresql"
    return ""


@contextmanager
def bacula(catalogue: str, *, smtp: int, sender: str) -> Iterator[Bacula]:
    """A director that mails its jobs' logs to tapes@example.com at the SMTP port."""
    with ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="mailsync-bacula-"))
        ending.callback(shutil.rmtree, folder)
        folder.chmod(0o755)  # PostgreSQL does not run as root, and must get in
        schema = (UNPACKED / catalogue / _SCHEMA.format(catalogue)).read_text()
        if catalogue == "sqlite3":
            made = sqlite3.connect(folder / "bacula.db")
            made.executescript(schema)
            made.close()
            settings = 'user = ""; password = ""'
        else:
            ending.enter_context(_database(folder, schema))
            settings = f'user = {_owner().pw_name}; DB Address = "{folder}"'
        port = free_port()
        texts = {
            "query.sql": "",
            "console.conf": _CONSOLE.format(port=port),
            "director.conf": _DIRECTOR.format(
                folder=folder,
                port=port,
                catalog=settings,
                smtp=smtp,
                sender=sender,
                unused=free_port(),
                bsmtp=_program("bsmtp"),
                bconsole=_program("bconsole"),
            ),
        }
        for name, text in texts.items():
            (folder / name).write_text(text)
        running = Bacula(folder, catalogue, _environment(catalogue))
        ending.enter_context(_director(running, port))
        yield running


@contextmanager
def _director(bacula: Bacula, port: int) -> Iterator[None]:
    words = [_program("bacula-dir"), "-f", "-c", str(bacula.folder / "director.conf")]
    with (bacula.folder / "output").open("wb") as output:
        process = subprocess.Popen(words, env=bacula.environment, stdout=output, stderr=output)
    try:
        _wait(lambda: _listens(port), process, bacula.folder / "output")
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


@contextmanager
def _database(folder: Path, schema: str) -> Iterator[None]:
    """A PostgreSQL with Bacula's tables, behind a socket in the folder."""
    owner, programs = _owner(), _postgresql()
    data = folder / "data"
    data.mkdir()
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    os.chown(data, owner.pw_uid, owner.pw_gid)
    form = ["-A", "trust", "-N", "-E", "SQL_ASCII", "--locale=C", "-U", owner.pw_name, "-D", str(data)]
    subprocess.run([programs / "initdb", *form], check=True, capture_output=True, **_as(owner))
    words = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, **_as(owner))
    try:
        _wait(lambda: b"ready to accept" in (folder / "postgres.log").read_bytes(), process, folder / "postgres.log")
        _psql(folder, "postgres", "-c", "CREATE DATABASE bacula")
        _psql(folder, "bacula", "-f", "-", typed=schema)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def _psql(folder: Path, database: str, *words: str, typed: str = "") -> None:
    command = [_postgresql() / "psql", "-q", "-h", folder, "-U", _owner().pw_name, "-d", database, *words]
    subprocess.run(command, input=typed, text=True, capture_output=True, check=True, timeout=SECONDS)


def _postgresql() -> Path | None:
    """Where PostgreSQL's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _owner() -> pwd.struct_passwd:
    """Who runs PostgreSQL: it refuses root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _as(owner: pwd.struct_passwd) -> dict[str, object]:
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}


def _program(name: str) -> str:
    return str(UNPACKED / "common" / "usr" / "sbin" / name)


def _environment(catalogue: str) -> dict[str, str]:
    """The libraries of one catalogue, then those of both."""
    folders = [UNPACKED / catalogue / "usr/lib/bacula", UNPACKED / "common" / "usr/lib/bacula"]
    folders += sorted(path.parent for path in (UNPACKED / "common").glob("**/lib*/*-linux-*/lib*.so.?"))
    return {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(map(str, dict.fromkeys(folders)))}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(condition, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(log.read_text(errors="replace")[-4000:])
        time.sleep(0.05)
