"""A PostgreSQL server of the tests' own, from Debian's packages: a private cluster in a folder, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sites import free_port

USER = "postgres"


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL installed, None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


class Cluster:
    """A cluster that is running; `url` names its one database."""

    def __init__(self, primary: Cluster | None = None) -> None:
        programs = binaries()
        if programs is None:
            pytest.skip("needs PostgreSQL: apt-get install postgresql")
        # Not in pytest's folder: that is root's alone, and PostgreSQL does not run as root.
        folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._programs, self.folder, self.port = programs, folder, free_port()
        self._connection = None
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        if primary is None:
            self._run("initdb", "-D", folder / "data", "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync")
        else:
            self._run("pg_basebackup", "-D", folder / "data", "-d", primary.url, "-c", "fast", "--no-sync")
            self._run("touch", folder / "data/standby.signal")
        # Nothing here survives a power cut, nor has to: the tests kill processes, not machines.
        with (folder / "data/postgresql.conf").open("a") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n"
                "fsync = off\nsynchronous_commit = off\nwal_level = replica\nmax_wal_senders = 4\n"
            )
        self.start()
        if primary is not None:
            self._run("pg_ctl", "-D", folder / "data", "-w", "promote")
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def query(self, statement: str) -> list[tuple]:
        """What a statement gives, run past the store."""
        import psycopg

        if self._connection is None:
            self._connection = psycopg.connect(self.url, autocommit=True)
            self._connection.execute("SET client_min_messages = warning")
        done = self._connection.execute(statement)
        return done.fetchall() if done.description else []

    def empty(self) -> None:
        """Makes the next store a new one."""
        self.query("DROP SCHEMA IF EXISTS mailsync CASCADE")

    def start(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "start")

    def stop(self, mode: str = "fast") -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: object) -> None:
        prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.geteuid() == 0 else []
        command = [*prefix, str(self._programs / program) if program != "touch" else program, *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def remove(self) -> None:
        if (self.folder / "data/postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)
