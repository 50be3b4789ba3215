"""The bad network of the benchmark: every fault at every byte of a short conversation, and mails over a long link."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench_parts import line, title
from conversations import everything, hold_all
from far_mails import NAMES, chosen_faults, far_site, moved, try_each
from sites import Site, extract, report_mail

FAR = 0.2  # seconds each way
MAILS = 60
TIMES = 5
MOVING = ("cold copy, one move", "100 moves")  # once only: the second time nothing is left to move


def bad_network() -> None:
    """Every kind of fault at every byte of both directions; fails when anything does not hold afterwards."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as folder:
        told = hold_all(Path(folder), everything)
    unacknowledged = told.pop("unacknowledged", 0)
    title(f"a short conversation, {told.total():,} times over a bad network")
    line("what the client said", ", ".join(f"{name} {count:,}" for name, count in told.most_common()), "")
    line("applied, and the client never told", f"{unacknowledged:,}", "each applied once, all the same")
    line("in all", f"{time.perf_counter() - begun:.0f} s", "")
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as folder, far_site(Path(folder)) as (site, network):
        statuses = try_each(site, network, chosen_faults(MAILS, seed=31))
    title(f"{MAILS} mails whose first attempt met a fault")
    said = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    line("first attempts ended with", said, "one effect and one reply of each, after the second")


def long_link() -> None:
    """What a mail waits for behind a long link, beside what it must: its round trips."""
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as folder, far_site(Path(folder)) as (site, network):
        rows = moved(site, NAMES[:100])
        kinds = {"cold copy, one move": rows[:1], "100 moves": rows, "nothing changes": rows}
        title(f"a mail over a link of {FAR * 1000:.0f} ms each way")
        for number, (name, report) in enumerate(kinds.items()):
            near, far = [], []
            for more in range(1 if name in MOVING else TIMES):
                mails = [report_mail(site, extract(report), number=number * 100 + 10 * more + way) for way in range(2)]
                network.delay = FAR
                far.append(_seconds(site, mails[0]))
                trips = network.passed[-1].round_trips
                network.delay = 0.0
                near.append(_seconds(site, mails[1]))
            floor, here = trips * 2 * FAR, statistics.median(near)
            told = f"floor {floor:.2f} s, {trips} round trips; {here:.2f} s without the distance"
            line(name, f"{statistics.median(far):.2f} s", told)


def _seconds(site: Site, mail: bytes) -> float:
    begun = time.perf_counter()
    assert site.filter(mail).returncode == 0
    return time.perf_counter() - begun
