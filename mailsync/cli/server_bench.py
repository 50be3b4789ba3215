"""`mailsync server bench`: what a server does on this machine, beside what is known, measured in the same run.

Strategy: a temporary site with a server process of its own; nothing of the site here is read or written. With --store
its store is elsewhere, on another disk or in PostgreSQL, where there is none yet and is none afterwards. A figure alone
says little about a machine one does not know, so each stands beside another that was taken a moment before or after,
and the ratio is what may be compared. Every part is bounded in count and in time.
"""

from __future__ import annotations

import json
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mailsync.cli.bench_logins import Bounds, Client
    from mailsync.cli.bench_refusals import Refusals, Told

HELP = """\
Measures logins, a right one beside a flood of wrong ones, round trips, refusals, a snapshot, and a batch, on a
temporary server with volumes of its own. Takes about a minute. With --store it is measured there, where there must not
be a store yet: a file that does not exist, or a PostgreSQL database of its own. All of it is deleted afterwards.

example:
  mailsync server bench
  mailsync server bench --store postgresql://mailsync@db.example.com/measured
  mailsync server bench --rows 1000 --logins 100 --wrong 100 --json
"""
_FAR_MS = 200  # a round trip over a long link
_FURTHER = 3  # requests a run waits for behind its first page: APPLY, RUN renew, RUN end


class Figure(NamedTuple):
    """One measurement, and what it stands beside: the ratio is the first by the second."""

    name: str
    value: float
    unit: str
    beside: str = ""
    other: float = 0.0

    @property
    def ratio(self) -> float | None:
        """The one by the other; None where it stands alone."""
        return self.value / self.other if self.other else None


def configure(parser: ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("--logins", type=_count, default=1000, help="at most so many logins of each kind (1000)")
    parser.add_argument("--wrong", type=_count, default=10_000, help="at most so many wrong logins (10000)")
    parser.add_argument("--rows", type=_count, default=10_000, help="volumes, and operations of the batch (10000)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="at most so long for each part, twice for the wrong ones (20)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: Namespace) -> int:
    """Measures and prints, each figure when it is known."""
    from mailsync.server.stores import borrowed, sqlite_path

    shown: list[Figure | Refusals] = []
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as name:
        url = arguments.store or f"sqlite:{name}/measured.db"
        path = sqlite_path(url)
        if path is not None:
            url = f"sqlite:{path.absolute()}"  # the temporary site is in another folder
        for measure in (_connections, _refusals, _rows):
            with borrowed(url):
                for figure in measure(Path(name), url, arguments):
                    shown.append(figure)
                    if not arguments.json:
                        print(_told(figure) if isinstance(figure, Figure) else _spread(figure), flush=True)
    if arguments.json:
        figures = [{**one._asdict(), "ratio": one.ratio} for one in shown if isinstance(one, Figure)]
        refusals = [_as_dict(one) for one in shown if not isinstance(one, Figure)]
        print(json.dumps({"figures": figures, "refusals": refusals}, indent=2))
    return 0


def _connections(folder: Path, url: str, arguments: Namespace) -> Iterator[Figure]:
    from mailsync.cli import bench_logins as logins
    from mailsync.cli.bench_rows import SCOPE

    bounds = logins.Bounds(arguments.logins, arguments.seconds)
    with logins.running(folder, url) as client:
        with logins.running_tls(folder) as log_in:
            found, floor = logins.rates_in_turn([client.log_in, log_in], bounds)
        yield Figure("logins", found, "/s", "TLS 1.3 with asyncio", floor)
        yield from _flood(client, logins.Bounds(arguments.wrong, arguments.seconds * 2))
        first, next_one = logins.round_trips(client, SCOPE)
        yield Figure("round trips to the first page", first, "")
        yield Figure("round trips of each request after it", next_one, "")
        run = first + _FURTHER * next_one
        yield Figure(f"a run over a link of {_FAR_MS} ms for a round trip", run * _FAR_MS, "ms")


def _flood(client: Client, bounds: Bounds) -> Iterator[Figure]:
    from mailsync.cli.bench_logins import beside_flood, medians_in_turn

    (alone,) = medians_in_turn([client.log_in], 20)
    flood, seconds, times = beside_flood(client, bounds)
    yield Figure(f"{flood.times} wrong logins", flood.per_second, "/s")
    yield Figure(f"a right one beside them, {times} times", seconds * 1000, "ms", "alone", alone * 1000)


def _refusals(_: Path, url: str, arguments: Namespace) -> Iterator[Refusals]:
    """Who listens to the time of a refusal must not learn which kind it is."""
    from mailsync.cli.bench_refusals import refusals
    from mailsync.server.stores import open_url, sqlite_path

    # What other programs do to the machine is not in a thread's own time, but neither is what another process looks up.
    clock = time.perf_counter_ns if sqlite_path(url) is None else time.thread_time_ns
    with open_url(url) as store:
        yield from refusals(store, max(arguments.logins, 2), arguments.seconds, clock)


def _rows(_: Path, url: str, arguments: Namespace) -> Iterator[Figure]:
    from mailsync.cli import bench_rows as rows
    from mailsync.server.stores import open_url
    from mailsync.wire.limits import BATCH_OPERATIONS

    with open_url(url) as store:
        rows.fill(store, arguments.rows)
        found = rows.snapshot(store)
        what = f"snapshot of {arguments.rows} volumes"
        yield Figure(f"{what}, time", found.seconds * 1000, "ms", "gzip -9 of fixed rows", found.fixed_seconds * 1000)
        yield Figure(f"{what}, size", found.size / 1000, "kB", "gzip -9 of fixed rows", found.fixed_size / 1000)
        names = rows.volume_names(store)[:BATCH_OPERATIONS]
        applied = rows.batch(store, url, names)
        yield Figure(f"batch of {len(names)}", applied.seconds * 1000, "ms", "bare SQL", applied.bare_seconds * 1000)


def _told(figure: Figure) -> str:
    said = f"{figure.name:44}{figure.value:12,.1f} {figure.unit:3}"
    if figure.ratio is None:
        return said.rstrip()
    return f"{said}  {figure.beside}: {figure.other:,.1f} {figure.unit}, ratio {figure.ratio:.2f}"


def _spread(one: Refusals) -> str:
    """A kind's line; the first of a group has its columns above it."""
    spread = "".join(f"{value:8.1f}" for value in one.microseconds)
    if one.challenge is None or one.refusal is None:
        head = f"{'refusing, in us of the server itself':44}{'min':>8}{'25 %':>8}{'median':>8}{'75 %':>8}{'95 %':>8}"
        return f"{head}  slower: its challenge, its refusal\n{one.name:44}{spread}"
    return f"{one.name:44}{spread}  {_share(one.challenge)}, {_share(one.refusal)}"


def _share(told: Told) -> str:
    return f"{told.slower:.3f} (0.5 +- {told.chance:.3f})"


def _as_dict(one: Refusals) -> dict[str, object]:
    told = {"challenge": one.challenge, "refusal": one.refusal}
    return {
        **one._asdict(),
        "microseconds": one.microseconds._asdict(),
        **{name: found and found._asdict() for name, found in told.items()},
    }


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10**6):
        raise ArgumentTypeError(f'"{text}" is not a number from 1 to 1000000')
    return int(text)
