"""Runs `mailsync` and adds up in a file how many steps SQLite's machine takes for it, in tens.

    python counted.py COUNTS WORDS...

Steps are work without time: what goes over a table takes some for each of its rows, on every machine alike. COUNTS has
eight bytes, least significant first, and may be read at any time; the program goes on counting from what is there.
"""

from __future__ import annotations

import mmap
import sqlite3
import sys
from pathlib import Path

STEPS = 10


def main() -> int:
    from mailsync.cli.main import main as run

    path = Path(sys.argv[1])
    if not path.exists():
        path.write_bytes(bytes(8))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 8) as counts:
        taken = int.from_bytes(counts[:], "little")

        def tick() -> None:
            nonlocal taken
            taken += STEPS
            counts[:] = taken.to_bytes(8, "little")

        def counted(*arguments: object, **options: object) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_progress_handler(tick, STEPS)
            return connection

        connect, sqlite3.connect = sqlite3.connect, counted
        return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
