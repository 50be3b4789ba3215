"""What a scope of a million volumes costs beside one of ten thousand: time, memory, bytes, and work.

A scope of so many volumes is loaded, exported, fetched by a client that has nothing, and then reported on: 100 volumes,
each of which moves. What may grow with the scope is loading, exporting and the first fetch; memory may not, and neither
may what comes later.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench_parts import Cost, filter_words, line, measure, run_quietly, title
from made_volumes import each_volume
from sites import Site, extract, make_site, report_mail

from mailsync.core.fields import FIELD_NAMES, KEY_FIELDS

COUNTED = (sys.executable, str(Path(__file__).resolve().parent / "counted.py"))
SIZES = (10_000, 100_000, 1_000_000)
CHANGES = 100


class Usage(NamedTuple):
    """What a running process has used so far: CPU seconds, and the most memory at once, in bytes."""

    cpu: float
    memory: int


class Run(NamedTuple):
    """A run of the filter: its own cost, the server's CPU seconds and peak memory, and SQLite's steps of both."""

    client: Cost
    server: Usage
    client_steps: int
    server_steps: int


class Scope(NamedTuple):
    """A site whose one scope has so many volumes, and its reports' numbers."""

    site: Site
    rows: int
    numbers: Iterator[int]

    @property
    def cache(self) -> Path:
        """Where the filter has its copy."""
        return self.site.folder / "state" / "cache"


def volume_name(number: int) -> str:
    """A Volume-ID by its number, up to 2.6 millions."""
    return f"{chr(65 + number // 100_000)}{number % 100_000:05d}L8"


def write_library(path: Path, rows: int) -> None:
    """So many described volumes, as a file for `server load`, written row by row.

    Each of the first hundredth is a container: one of those that `change` moves, with a volume in it that it does not.
    """
    box, step = FIELD_NAMES.index("container"), rows // CHANGES
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*KEY_FIELDS, *FIELD_NAMES))
        for number, (_, *values) in enumerate(each_volume(rows, "structured")):
            inside = number // step == 2
            values[box] = f"US01.LTO.{volume_name((number + step // 2) % step)}" if inside else ""
            writer.writerow(("US01", "LTO", volume_name(number), *values))


def make_scope(folder: Path, rows: int, program: str, url: str = "") -> tuple[Scope, Cost]:
    """A site with so many volumes in its store (or in the one of this URL, empty until then), and what loading cost."""
    site = make_site(folder / f"scope{rows}", program=program)
    if url:
        run_quietly([program, "server", "copy", "--to", url, "--config", str(site.config)])
        site.edit("sqlite:state/server.db", url)
    library = folder / "library.csv"
    write_library(library, rows)
    cost = measure([program, "server", "load", str(library), "--config", str(site.config)])
    library.unlink()
    assert cost.status == 0, cost.said
    return Scope(site, rows, count(1)), cost


def export(scope: Scope) -> Cost:
    """What an export costs."""
    words = [scope.site.program, "server", "export", "--scope", scope.site.scope, "--config", str(scope.site.config)]
    cost = measure(words)
    assert cost.status == 0, cost.said
    return cost


@contextmanager
def serving(scope: Scope, *, counting: bool = False) -> Iterator[subprocess.Popen]:
    """Runs the scope's server, and counts its steps if told so."""
    words = ["server", "run", "--config", str(scope.site.config)]
    words = [*COUNTED, str(scope.site.folder / "server-steps"), *words] if counting else [scope.site.program, *words]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout.readline().startswith(b"listening on ")
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def fetch(scope: Scope, server: subprocess.Popen, *, counting: bool = False) -> Run:
    """A run of a filter that has no copy yet, with a report that changes nothing."""
    shutil.rmtree(scope.cache, ignore_errors=True)
    ((_, _, place, *_),) = each_volume(1, "structured")
    return _run(scope, server, [(volume_name(0), place)], counting=counting)


def change(scope: Scope, server: subprocess.Popen, *, counting: bool = False) -> Run:
    """A run of a filter that has a copy, with a report that moves 100 volumes from anywhere in the scope."""
    number = next(scope.numbers)
    # Nothing is to go there yet, and the next report is of other volumes.
    step = scope.rows // CHANGES
    names = [volume_name(first + number % step) for first in range(0, scope.rows, step)]
    return _run(scope, server, [(name, "TRAN") for name in names], counting=counting)


def _run(scope: Scope, server: subprocess.Popen, rows: list[tuple[str, str]], *, counting: bool) -> Run:
    site, places = scope.site, (scope.site.folder / "client-steps", scope.site.folder / "server-steps")
    words = [*COUNTED, str(places[0]), *filter_words(site)[1:]] if counting else filter_words(site)
    before, steps = usage(server.pid), [_steps(place) for place in places]
    client = _delivered(words, report_mail(site, extract(rows), number=next(scope.numbers)))
    after, now = usage(server.pid), [_steps(place) for place in places]
    return Run(client, Usage(after.cpu - before.cpu, after.memory), now[0] - steps[0], now[1] - steps[1])


def _delivered(words: list[str], mail: bytes) -> Cost:
    """What a mail costs until it is done: on a slow machine a first fetch takes several attempts, as an MTA makes."""
    tries = [measure(words, mail)]
    while tries[-1].status == 75 and len(tries) < 20:
        tries.append(measure(words, mail))
    last = tries[-1]
    assert last.status == 0, last.said
    wall, cpu = sum(one.wall for one in tries), sum(one.cpu for one in tries)
    return last._replace(wall=wall, cpu=cpu, memory=max(one.memory for one in tries))


def usage(process: int) -> Usage:
    """What a running process has used so far."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    figures = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = int(figures[11]) + int(figures[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) * 1024)


def _steps(place: Path) -> int:
    return int.from_bytes(place.read_bytes(), "little") if place.exists() else 0


def bench_scale(folder: Path, program: str, rows: int, url: str = "") -> None:
    """Prints what a scope of so many volumes costs, on SQLite or in the empty database of the URL."""
    title(f"{rows:,} volumes in one scope, {'PostgreSQL' if url else 'SQLite'}")
    scope, loaded = make_scope(folder, rows, program, url)
    _line("server load", loaded)
    _line("server export", export(scope))
    with serving(scope) as server:
        cold = fetch(scope, server)
        _line("filter without a copy", cold.client)
        line("  bytes", cold.client.exchanged, "")
        line("  server", _mega(cold.server.memory), f"{cold.server.cpu:.2f} s CPU")
        warm = [change(scope, server) for _ in range(7)][1:]
        _line(f"{CHANGES} changes, median", sorted(one.client for one in warm)[len(warm) // 2])
        line("  bytes", warm[-1].client.exchanged, "")
        line("  server", _mega(warm[-1].server.memory), f"{sum(one.server.cpu for one in warm) / len(warm):.3f} s CPU")
    with serving(scope, counting=True) as server:
        counted = [change(scope, server, counting=True) for _ in range(4)][1:]
        client, steps = ([one[at] for one in counted] for at in (2, 3))
        said = "" if url else f"server {statistics.median(steps):,.0f}"
        line("  SQLite's steps", f"client {statistics.median(client):,.0f}", said)
    shutil.rmtree(scope.site.folder)


def _line(name: str, cost: Cost) -> None:
    line(name, f"{cost.wall:.2f} s", f"{cost.cpu:.2f} s CPU, peak {_mega(cost.memory)}")


def _mega(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
