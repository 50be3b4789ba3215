"""`python -m tests.bench`: what a mail costs, beside floors measured in the same run, with the installed wheel.

    python -m tests.bench                 everything, with the kill loop: some minutes
    python -m tests.bench --rows 100000   sizes up to this one
    python -m tests.bench --kills 0       without the kill loop
    python -m tests.bench --kills-both 300   SIGKILLs of servers and of clients, on both stores, and nothing else
    python -m tests.bench --tables        rows per second of each kind of table, and nothing else
    python -m tests.bench --scale         a scope of up to --rows volumes, on SQLite and on PostgreSQL, and nothing else
    python -m tests.bench --network       every fault at every byte of a short conversation: some minutes, nothing else
    python -m tests.bench --long-link     a mail over 200 ms each way beside its round trips, and nothing else
    python -m tests.bench --model 10000   so many random histories (tests/support/histories.py), and nothing else
    python -m tests.bench --guesses 10000   so many wrong passwords beside right ones, four times, and nothing else
    python -m tests.bench --learn         what `definitions learn` finds in the catalogue's samples, and nothing else

Floors: bare = the interpreter and nothing; import = the interpreter with mailparser, cryptography (AESGCM, X25519),
jinja2 and yaml; decode = the standard library decoding the same mail and csv.reader going over its rows. Figures are
medians; CPU is user + system of the filter alone; bytes are application bytes as the filter itself reports them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from bench_guesses import bench_guesses
from bench_kills import kill_both, kill_loop
from bench_learn import bench_learn
from bench_model import bench_model
from bench_network import bad_network, long_link
from bench_parts import extracts, install, small_mails, start_up
from bench_scale import bench_scale
from bench_tables import bench_tables
from postgres import Cluster

SIZES = (10_000, 100_000, 1_000_000)
TABLE_ROWS = 100_000


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="the largest extract")
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs of the kill loop")
    parser.add_argument("--kills-both", type=int, metavar="N", help="SIGKILLs of servers, and of clients, only")
    parser.add_argument("--program", help="a mailsync program to measure, instead of a newly built wheel")
    parser.add_argument("--tables", action="store_true", help="the kinds of tables only, in this process")
    parser.add_argument("--scale", action="store_true", help="large scopes only")
    parser.add_argument("--learn", action="store_true", help="the score of definitions learn only")
    parser.add_argument("--network", action="store_true", help="the bad network only")
    parser.add_argument("--long-link", action="store_true", help="the long link only")
    parser.add_argument("--guesses", type=int, metavar="N", help="N wrong passwords of each kind only")
    parser.add_argument("--model", type=int, metavar="N", help="N random histories, and each broken rule, only")
    arguments = parser.parse_args()
    if needs_no_program(arguments):
        return
    if arguments.kills_both:
        with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as name:
            kill_both(Path(name), arguments.kills_both)
        return
    if arguments.tables:
        bench_tables(min(arguments.rows, TABLE_ROWS))
        return
    if arguments.scale:
        with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as name:
            scale(Path(name), arguments.program, arguments.rows)
        return
    bench_learn()
    with tempfile.TemporaryDirectory(prefix="mailsync-bench-") as name:
        folder = Path(name)
        program = arguments.program or install(folder)
        floor = start_up(folder, program)
        small_mails(folder, program, floor)
        for size in SIZES:
            if size <= arguments.rows:
                extracts(folder, program, size)
        if arguments.kills:
            kill_loop(folder, program, arguments.kills)


def needs_no_program(arguments: argparse.Namespace) -> bool:
    """True when a part was asked for that needs no program, and is done."""
    if arguments.network or arguments.long_link:
        (bad_network if arguments.network else long_link)()
    elif arguments.guesses:
        bench_guesses(arguments.guesses)
    elif arguments.model:
        bench_model(arguments.model)
    elif arguments.learn:
        bench_learn()
    else:
        return False
    return True


def scale(folder: Path, program: str | None, largest: int) -> None:
    """Large scopes on both stores."""
    found = program or install(folder)
    sizes = [rows for rows in SIZES if rows <= largest]
    for rows in sizes:
        bench_scale(folder, found, rows)
    cluster = Cluster()
    try:
        for rows in sizes:
            cluster.empty()
            bench_scale(folder, found, rows, cluster.url)
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
