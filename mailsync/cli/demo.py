"""`mailsync demo`: the main job, whole, on this machine: a site, a server, a library, mails, and their answers.

Everything is done by the program's own commands, each in a process of its own, as users and procmail run them. The
library and the mails are made here, by a seeded generator, so that everybody sees the same.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import MailsyncError

if TYPE_CHECKING:
    import argparse
    from email.message import EmailMessage

VOLUMES = 10_000
_EXAMPLE = """\
example:
  mailsync demo
  mailsync demo --dir demo --keep      look around afterwards: demo/site/audit, demo/site/outbox
"""
_WIDTH = 78


class Site(NamedTuple):
    """What `init --json` said about the demo's site."""

    config: str
    recipient: str
    sender: str
    outbox: Path


class Scene(NamedTuple):
    """One mail of the demo: its headline, what to watch for, the mail, and how many lines of a reply are shown."""

    title: str
    words: str
    mail: bytes
    lines: int = 60


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument("--dir", metavar="DIR", help="where to work (else a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave everything there for looking around")


def run(arguments: argparse.Namespace) -> int:
    """Shows the job; 0 when every step did what it should."""
    folder = Path(arguments.dir or tempfile.mkdtemp(prefix="mailsync-demo-")).resolve()
    if arguments.dir:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        _show(folder)
    finally:
        if arguments.keep:
            print(f"\nkept in {folder}: site/mailsync.yaml, site/audit (every mail and reply), site/outbox")
        elif not arguments.dir:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            shutil.rmtree(folder / "site", ignore_errors=True)
    return 0


def _show(folder: Path) -> None:
    print("mailsync demo: a mailed tape report becomes moves on a server, and an answer\n")
    begun = time.monotonic()
    site = _init(folder)
    print(f"  init           a site in {folder / 'site'}: configuration, keys, a token, a definition")
    with _server(site) as address:
        print(f"  server run     {address}, SQLite, encrypted (Noise, AES-256)")
        places = _library()
        seconds = _load(site, places)
        print(f"  server load    {VOLUMES:,} volumes in US01.LTO, {seconds:.1f} s")
        for number, scene in enumerate(_scenes(site, places), 1):
            _play(site, number, scene)
        moving = sum(1 for target, current in _exported(site) if target != current)
    print(_rule("afterwards"))
    print(f"{moving} volumes of {VOLUMES:,} are on their way; each arrives when it is scanned there.")
    print(f"All of this took {time.monotonic() - begun:.1f} s. Next: mailsync init DIR, and procmailrc.example.")


def _play(site: Site, number: int, scene: Scene) -> None:
    """Hands one mail to `filter` as procmail does, and shows what came of it."""
    print(_rule(f"mail {number}: {scene.title}"))
    print(f"{scene.words}\n")
    before = set(_outbox(site))
    begun = time.monotonic()
    words = ["filter", "--config", site.config, "--recipient", site.recipient]
    done = _mailsync(words, stdin=scene.mail, statuses=(0,))
    seconds = time.monotonic() - begun
    said = done.stderr.decode().strip().removeprefix("mailsync: ")
    print(f"  filter: status {done.returncode}, {seconds:.2f} s, {len(scene.mail):,} bytes of mail")
    print(f"  {said}\n")
    replies = [path for path in _outbox(site) if path not in before]
    for path in replies:
        _print_reply(path.read_bytes(), scene.lines)
    if not replies:
        print("  no reply: nobody is written to\n")


def _print_reply(message: bytes, most: int) -> None:
    import email
    import email.policy

    parsed: EmailMessage = email.message_from_bytes(message, policy=email.policy.default)
    body = parsed.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    for name in ("To", "Subject"):
        print(f"  | {name}: {parsed[name]}")
    print("  |")
    lines = text.rstrip().splitlines()
    for line in lines[:most]:
        print(f"  | {line}".rstrip())
    if len(lines) > most:
        print(f"  | ... and {len(lines) - most} more lines")
    print()


def _scenes(site: Site, places: dict[str, str]) -> Iterator[Scene]:
    """The mails, in the order they arrive."""
    dice = random.Random(2)  # noqa: S311 - a sample, the same for everybody
    at_home = [name for name, place in places.items() if place == "LIBR"]
    away = [name for name, place in places.items() if place == "OFFS"]
    leaving, returning = sorted(dice.sample(at_home, 12)), sorted(dice.sample(away, 4))
    report = dict(places) | dict.fromkeys(leaving, "OFFS") | dict.fromkeys(returning, "LIBR")
    rows = [(name, {"LIBR": "Library", "OFFS": "Offsite", "RACK": "Racking"}[place]) for name, place in report.items()]
    rows += [("B99999L8", "Offsite"), ("A0000/L8", "Library")]
    nightly = _mail(site, "Nightly tape report", "1", _csv(rows))
    yield Scene(
        "the nightly report",
        "The backup software lists its whole library: 12 tapes should leave, 4 come back,\n"
        "one row is a tape nobody knows, one is misprinted. The operator is told everything, the\n"
        "courier gets the pick list.",
        nightly,
    )
    yield Scene("the same mail once more", "An MTA may deliver twice. Nothing happens twice.", nightly)
    lost = _csv([(name, "Offsite") for name in places])
    yield Scene(
        "a report gone wrong",
        "A broken job says that every tape is offsite. The guards refuse; people are told.",
        _mail(site, "Nightly tape report", "2", lost),
        lines=27,
    )
    forged = _mail(site, "Urgent: move these", "3", _csv(rows[:3])).replace(site.sender.encode(), b"eve@example.net")
    yield Scene("a stranger", "Anybody can write to the address. Nobody unknown moves tapes.", forged)


def _library() -> dict[str, str]:
    """Where every volume is: two thirds in the library, the others offsite or in racks."""
    dice = random.Random(1)  # noqa: S311 - a sample, the same for everybody
    return {f"A{number:05d}L8": dice.choices(("LIBR", "OFFS", "RACK"), (66, 24, 10))[0] for number in range(VOLUMES)}


def _csv(rows: Sequence[tuple[str, str]]) -> bytes:
    return ("volume,repository\n" + "".join(f"{volume},{place}\n" for volume, place in rows)).encode()


def _mail(site: Site, subject: str, number: str, extract: bytes) -> bytes:
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"] = f"Backup server <{site.sender}>"
    message["To"] = "tapes@example.com"
    message["Subject"] = subject
    message["Date"] = "Mon, 23 Nov 2026 06:00:00 +0000"
    message["Message-ID"] = f"<nightly-{number}@backup.example.com>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("The extract is attached.\n")
    message.add_attachment(extract, maintype="text", subtype="csv", filename="extract.csv")
    return message.as_bytes()


def _init(folder: Path) -> Site:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["init", str(folder / "site"), "--server", f"127.0.0.1:{port}", "--outbox", "--json"]
    said = json.loads(_mailsync(words).stdout)
    _add_courier(Path(said["config"]))
    return Site(said["config"], said["recipient"], said["sender"], Path(said["outbox"]))


def _add_courier(config: Path) -> None:
    """Adds a second audience to the site, as its owner would with an editor."""
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("audiences:"))
    lines.insert(at + 1, "      courier: {to: [courier@example.com], when: change}\n")
    config.write_text("".join(lines), encoding="utf-8")


@contextmanager
def _server(site: Site) -> Iterator[str]:
    """Runs the server until the block ends; gives the address it listens on."""
    words = [*_program(), "server", "run", "--config", site.config]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:  # noqa: S603 - our own
        line = server.stdout.readline().strip() if server.stdout else ""
        try:
            if not line.startswith("listening on "):
                raise MailsyncError("the demo's server did not start", hint="try again; another program took its port")
            yield line.removeprefix("listening on ")
        finally:
            server.terminate()


def _load(site: Site, places: dict[str, str]) -> float:
    lines = ["customer,media,volume,description,repository"]
    lines += [f"US01,LTO,{name},weekly full,{place}" for name, place in places.items()]
    begun = time.monotonic()
    _mailsync(["server", "load", "--config", site.config, "-"], stdin=("\n".join(lines) + "\n").encode())
    return time.monotonic() - begun


def _exported(site: Site) -> list[tuple[str, str]]:
    """Target and current repository of every volume."""
    import csv
    import io

    done = _mailsync(["server", "export", "--config", site.config, "--scope", "US01.LTO"])
    rows = csv.DictReader(io.StringIO(done.stdout.decode()))
    return [(row["repository"], row["current_repository"]) for row in rows]


def _outbox(site: Site) -> list[Path]:
    return sorted((site.outbox / "new").glob("*"))


def _program() -> list[str]:
    return [sys.executable, "-m", "mailsync.cli.main"]


def _mailsync(
    words: Sequence[str], *, stdin: bytes = b"", statuses: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[bytes]:
    command = [*_program(), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)  # noqa: S603 - our own program
    if done.returncode not in statuses:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise MailsyncError(f"mailsync {words[0]} ended with status {done.returncode}: {said}")
    return done


def _rule(title: str) -> str:
    return f"\n{'-' * 3} {title} {'-' * (_WIDTH - len(title) - 5)}"
