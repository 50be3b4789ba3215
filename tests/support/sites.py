"""A site of one's own for a test: made by `init`, loaded by `server load`, served on a high loopback port.

Everything goes through the installed `mailsync` program, as it would for a user. Libraries and mails are made by
seeded generators, so nothing bulky is kept in the repository.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

MAILSYNC = str(Path(sys.executable).parent / "mailsync")
REPOSITORIES = ("LIBR", "OFFS", "RACK")
LOWEST_PORT, PORTS = 20_000, 12_000
# A definition for reports that name customer and media in each row.
PER_ROW = """\
name: per-row
claim: {attachment: "*.csv"}
fields:
  customer: {column: customer}
  media: {column: media}
  volume: {column: volume}
  repository: {column: repository}
"""
# A program in which planning fails; its words are those of mailsync.
FAULTY = """
import sys
from mailsync.flow import decide

def broken(*_):
    raise RuntimeError("a fault of the program")

decide.make_plan = broken
from mailsync.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


class Site(NamedTuple):
    """What `init --json` says, and the program that runs it."""

    folder: Path
    config: Path
    recipient: str
    sender: str
    scope: str
    outbox: Path
    port: int
    program: str

    def run(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, seconds: int = 120):
        """The finished process of a command of this site."""
        command = [self.program, *words[:1]]
        command += [words[1]] if words[0] == "server" else []
        rest = words[2:] if words[0] == "server" else words[1:]
        return subprocess.run(
            [*command, "--config", str(self.config), *rest],
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **(env or {})},
        )

    def filter(self, mail: bytes, *, env: Mapping[str, str] | None = None, recipient: str | None = None):
        """The finished `filter` of a mail."""
        return self.run("filter", "--recipient", recipient or self.recipient, stdin=mail, env=env)

    def export(self) -> dict[str, dict[str, str]]:
        """The server's volumes, by Volume-ID, as `server export` prints them."""
        import csv
        import io

        done = self.run("server", "export", "--scope", self.scope)
        assert done.returncode == 0, done.stderr
        return {row["volume"]: row for row in csv.DictReader(io.StringIO(done.stdout.decode()))}

    def replies(self) -> list[bytes]:
        """The messages filed in the outbox, oldest name first."""
        return [path.read_bytes() for path in sorted((self.outbox / "new").glob("*"))]

    def edit(self, old: str, new: str) -> None:
        """Changes the configuration's text; the old text must be there."""
        text = self.config.read_text()
        assert old in text, old
        self.config.write_text(text.replace(old, new))


def free_port() -> int:
    """A loopback port nobody listens on now, below those that are given to whoever names none: it stays free."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", LOWEST_PORT + secrets.randbelow(PORTS)))
            return probe.getsockname()[1]


def make_site(folder: Path, *, scope: str = "US01.LTO", program: str = MAILSYNC) -> Site:
    """A new site with an outbox, not yet served."""
    port = free_port()
    words = ["init", str(folder), "--server", f"127.0.0.1:{port}", "--scope", scope, "--outbox", "--json"]
    done = subprocess.run([program, *words], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return Site(
        folder, Path(said["config"]), said["recipient"], said["sender"], scope, Path(said["outbox"]), port, program
    )


@contextmanager
def served(site: Site, *, log: Path = Path(os.devnull)) -> Iterator[subprocess.Popen]:
    """Runs the site's server until the block ends; its log is appended to a file."""
    words = [site.program, "server", "run", "--config", str(site.config)]
    with log.open("ab") as stderr:
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stderr)
    try:
        line = server.stdout.readline()
        assert line.startswith(b"listening on "), line
        yield server
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        server.wait(30)
        server.stdout.close()


def volume_names(count: int) -> list[str]:
    """The first Volume-IDs of a library: A00000L8, A00001L8, ..."""
    return [f"{chr(65 + number // 100000)}{number % 100000:05d}L8" for number in range(count)]


def library_csv(count: int, *, seed: int = 1, scope: str = "US01.LTO") -> bytes:
    """A library in the form of `server load`: three repositories, a description on each volume."""
    dice = random.Random(seed)
    customer, media = scope.split(".")
    lines = ["customer,media,volume,description,repository,current_repository,confirmed_repository"]
    for name in volume_names(count):
        place = dice.choice(REPOSITORIES)
        lines.append(f"{customer},{media},{name},weekly full {dice.randrange(10**6):06d},{place},{place},{place}")
    return ("\n".join(lines) + "\n").encode()


def load(site: Site, content: bytes) -> None:
    """Loads volumes from CSV."""
    done = site.run("server", "load", "-", stdin=content)
    assert done.returncode == 0, done.stderr


def extract(rows: Iterable[tuple[str, ...]], *, captions: str = "volume,repository") -> bytes:
    """An extract in the form `init`'s definition reads."""
    return (captions + "\n" + "".join(",".join(row) + "\n" for row in rows)).encode()


def report_mail(site: Site, content: bytes, *, number: int = 1, name: str = "extract.csv") -> bytes:
    """The mail backup software sends: an attached extract, with a `From ` line as procmail gets it."""
    message = EmailMessage()
    message["From"] = site.sender
    message["To"] = "tapes@example.com"
    message["Subject"] = f"tape report {number}"
    message["Date"] = "Mon, 23 Nov 2026 06:00:00 +0000"
    message["Message-ID"] = f"<report-{number}@backup.example.com>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("The nightly extract is attached.\n")
    message.add_attachment(content, maintype="text", subtype="csv", filename=name)
    return b"From backup@example.com Mon Nov 23 06:00:00 2026\n" + message.as_bytes()
