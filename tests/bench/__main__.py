"""`python -m tests.bench`: what a mail costs, beside floors measured in the same run, with the installed wheel.

    python -m tests.bench                 everything, with the kill loop: some minutes
    python -m tests.bench --rows 100000   sizes up to this one
    python -m tests.bench --kills 0       without the kill loop
    python -m tests.bench --tables        rows per second of each kind of table, and nothing else
    python -m tests.bench --model 10000   so many random histories (tests/support/histories.py), and nothing else
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

from bench_kills import kill_loop
from bench_learn import bench_learn
from bench_model import bench_model
from bench_parts import extracts, install, small_mails, start_up
from bench_tables import bench_tables

SIZES = (10_000, 100_000, 1_000_000)
TABLE_ROWS = 100_000


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="the largest extract")
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs of the kill loop")
    parser.add_argument("--program", help="a mailsync program to measure, instead of a newly built wheel")
    parser.add_argument("--tables", action="store_true", help="the kinds of tables only, in this process")
    parser.add_argument("--learn", action="store_true", help="the score of definitions learn only")
    parser.add_argument("--model", type=int, metavar="N", help="N random histories, and each broken rule, only")
    arguments = parser.parse_args()
    if arguments.model:
        bench_model(arguments.model)
        return
    if arguments.learn:
        bench_learn()
        return
    if arguments.tables:
        bench_tables(min(arguments.rows, TABLE_ROWS))
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


if __name__ == "__main__":
    main()
