"""A site for killing filters in: mails of two moves each, and what must hold of every one of them afterwards."""

from __future__ import annotations

import email
import email.policy
import random
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from sites import MAILSYNC, Site, extract, library_csv, load, make_site, report_mail, volume_names
from victims import Victim

_SERVER = 2.0  # seconds a server lives at most: some filters get through, and some do not
_TRIES = 200  # of a mail while its server is killed again and again
KILLED = str(Path(__file__).with_name("killed.py"))


def crash_site(folder: Path, *, mails: int, program: str = MAILSYNC) -> Site:
    """A site, not yet served, whose sendmail keeps every copy it is handed; for mails numbered below `mails`."""
    site = make_site(folder / "site", program=program)
    sent = folder / "sent"
    sent.mkdir()
    script = folder / "sendmail"
    script.write_text(f'#!/bin/sh\nfile=$(mktemp {sent}/XXXXXXXX)\ncat > "$file"\n')
    script.chmod(0o755)
    line = next(line for line in site.config.read_text().splitlines() if line.startswith("sendmail:"))
    site.edit(line, f"sendmail: [{script}, -t, -i]")
    # The mails together move every volume: the guard's share of a day is not what is tested.
    site.edit("max_share_moved: 0.3", "max_share_moved: 1")
    # All in one place, so that every mail of two moves has two moves to make.
    load(site, library_csv(2 * mails).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    return site


def two_moves(site: Site, number: int) -> tuple[bytes, tuple[str, str]]:
    """A mail that moves two volumes no other mail moves, and has one row with a problem."""
    names = volume_names(2 * number + 2)[2 * number :]
    rows = [(names[0], "OFFS"), (names[1], "RACK"), ("NOSUCH1", "OFFS")]
    return report_mail(site, extract(rows), number=number), (names[0], names[1])


def killed_before(site: Site, mail: bytes, effect: int) -> subprocess.CompletedProcess:
    """The finished filter of a mail, killed just before its effect of this number; 0: not killed, they are counted."""
    words = ["filter", "--config", str(site.config), "--recipient", site.recipient]
    command = [sys.executable, KILLED, str(effect), *words]
    return subprocess.run(command, input=mail, capture_output=True, timeout=120, check=False)


def check(site: Site, number: int, volumes: tuple[str, str]) -> None:
    """The mail was applied exactly once, and every copy of its one reply tells all of it."""
    found = recorded(site, volumes)
    assert found == {volumes[0]: ["OFFS"], volumes[1]: ["RACK"]}, found
    sent = sent_copies(site, number)
    assert sent
    assert len(set(sent)) == 1
    message = email.message_from_bytes(sent[0], policy=email.policy.default)
    assert re.search(r"2 moved", message["Subject"])
    text = message.get_body(("plain",)).get_content()
    assert all(volume in text for volume in (*volumes, "NOSUCH1"))


def kill_at_random(site: Site, numbers: range, kills: int, *, seed: int) -> tuple[int, int]:
    """Kills filters at random moments until so many died; each mail is then run to its end and checked.

    Returns how many mails were used and how many copies of replies beyond the first were sent.
    """
    dice = random.Random(seed)
    words = [site.program, "filter", "--config", str(site.config), "--recipient", site.recipient]
    usual = min(_seconds(site, two_moves(site, number)[0]) for number in numbers[:3])
    died = mails = extra = 0
    for number in numbers[3:]:
        if died >= kills:
            break
        mail, volumes = two_moves(site, number)
        # The third attempt that dies makes a poison mail, which is held: each mail is killed twice at most.
        died += sum(_killed_after(words, mail, dice.uniform(0, usual)) for _ in range(2))
        again = site.filter(mail)
        assert again.returncode == 0, again.stderr.decode()
        check(site, number, volumes)
        mails += 1
        extra += len(sent_copies(site, number)) - 1
    assert died >= kills, f"only {died} filters died in {mails} mails"
    return mails, extra


def kill_filters_and_server(site: Site, numbers: range, kills: int, *, seed: int) -> tuple[int, int, int]:
    """Kills the site's server so many times, and meanwhile filters; every mail is run to its end and checked.

    Returns how many servers and how many filters were killed, and how many mails there were.
    """
    dice = random.Random(seed)
    serve = [site.program, "server", "run", "--config", str(site.config)]
    words = [site.program, "filter", "--config", str(site.config), "--recipient", site.recipient]
    server = Victim(serve, kills, f"{seed} server", window=_SERVER)
    died = mails = 0
    usual = 0.2  # seconds a filter takes: at first a guess
    try:
        for number in numbers:
            mail, volumes = two_moves(site, number)
            died += _killed_after(words, mail, dice.uniform(0, usual))
            for _ in range(_TRIES):
                begun = time.monotonic()
                again = site.filter(mail)
                usual = time.monotonic() - begun
                assert again.returncode in (0, 75), again.stderr.decode()
                if again.returncode == 0:
                    break
            assert again.returncode == 0, again.stderr.decode()
            check(site, number, volumes)
            mails += 1
            if server.killed >= kills:
                break
        server.wait()
    finally:
        server.end()
    return server.killed, died, mails


def _seconds(site: Site, mail: bytes) -> float:
    """How long a mail takes when nobody kills its filter."""
    begun = time.monotonic()
    assert site.filter(mail).returncode == 0
    return time.monotonic() - begun


def _killed_after(words: list[str], mail: bytes, seconds: float) -> bool:
    """True when the filter was killed before it ended."""
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            run.stdin.write(mail)
            run.stdin.close()
        except BrokenPipeError:
            pass
        time.sleep(seconds)
        run.kill()
        return run.wait() == -9


def recorded(site: Site, volumes: tuple[str, str]) -> dict[str, list[str]]:
    """What the server recorded as the new targets of the volumes, in order."""
    with closing(sqlite3.connect(f"file:{site.folder}/state/server.db?mode=ro", uri=True)) as store:
        sql = "SELECT after FROM changes WHERE volume = ? AND field = 'repository'"
        return {volume: [value for (value,) in store.execute(sql, (volume,))] for volume in volumes}


def sent_copies(site: Site, number: int) -> list[bytes]:
    """Every copy of the reply to a mail that sendmail was handed whole."""
    mark = f"<report-{number}@backup.example.com>".encode()
    found = [path.read_bytes() for path in (site.folder.parent / "sent").iterdir()]
    return [content for content in found if b"\nIn-Reply-To: " + mark in content]
