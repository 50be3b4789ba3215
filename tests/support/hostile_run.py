"""Reads hostile mails as `filter` does, in a process of its own whose memory and time are bounded.

    python hostile_run.py MAILSYNC.YAML generated FIRST COUNT
    python hostile_run.py MAILSYNC.YAML folder PATH COUNT        every file there, and so many damaged copies of each

Prints what became of them as JSON. A mail that breaks an invariant, or takes a minute, ends it with a traceback, and
the mail is in ./broken.eml.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harnesses import check_mapped
from hostile import damaged, hostile_mail

from mailsync.config.site import Site, load_site
from mailsync.flow import reading
from mailsync.mail.headers import HeaderLimits, scan_headers
from mailsync.mail.loop import OwnMarks
from mailsync.mail.unpack import unpack
from mailsync.mail.verdict import Action, Envelope, Verdict, judge
from mailsync.tables.sheet import MOST_ROWS

ADDRESS_SPACE = 2_000_000_000
SECONDS = 60


def _generated(first: str, count: str) -> Iterator[bytes]:
    return (hostile_mail(seed) for seed in range(int(first), int(first) + int(count)))


def _folder(path: str, count: str) -> Iterator[bytes]:
    for file in sorted(Path(path).glob("*.txt")):
        mail = file.read_bytes()
        yield mail
        dice = random.Random(file.name)
        for _ in range(int(count)):
            yield damaged(mail, dice, dice.choice((1, 2, 5)))


def _read(mail: bytes, site: Site) -> Iterator[str]:
    """What became of the mail, in words that are counted."""
    assert judge(scan_headers(mail, HeaderLimits()), Envelope("x@example.com"), (), OwnMarks(b"s", "x")).reason
    report = reading.mail_report(mail, Verdict(Action.PROCESS, ""), site.routes[0], site, now=1_900_000_000)()
    found = unpack(mail, site.limits.unpack)
    assert sum(len(one.content) for one in found.attachments) <= site.limits.unpack.mail_unpacked
    sizes = {one.path: len(one.content) for one in found.attachments}
    assert set(sizes).issuperset(one.attachment for one in report.mapped)
    for one in report.mapped:
        check_mapped(one, MOST_ROWS if one.kind == "workbook" else sizes[one.attachment] + 1)
        yield f"{one.kind} {'recorded' if one.records else 'refused' if one.refused or one.problems else 'empty'}"
    for problem in report.problems:
        assert problem.hint, problem
    assert report.mapped or report.problems or report.notes, "nothing is said of it"
    yield "mails"
    if report.problems:
        yield "problems"
    if report.notes:
        yield "notes"


def main() -> None:
    """Reads them all."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    config, source, *words = sys.argv[1:]
    site = load_site(Path(config))
    definitions = reading.load_definitions(site)
    # `filter` is a process for each mail and loads them each time, which is not what is looked at here.
    reading.load_definitions = lambda _: definitions
    told: Counter[str] = Counter()
    for mail in {"generated": _generated, "folder": _folder}[source](*words):
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            told.update(_read(mail, site))
        except BaseException:
            Path("broken.eml").write_bytes(mail)
            raise
    faulthandler.cancel_dump_traceback_later()
    told["peak megabytes"] = _peak_megabytes()
    print(json.dumps(told))


def _peak_megabytes() -> int:
    """Of this program: what getrusage counts begins with the memory of the process it was forked from."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


main()
