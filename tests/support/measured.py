"""Runs a program with stdin from a file, and writes what the kernel counted for it as JSON to a file.

    python -I -S measured.py COUNTS STDIN WORDS...

A process of its own, because a child's peak memory begins with that of the process it was forked from: this one is
small, the benchmark is not. Wall time is taken here, around the program alone.
"""

import json
import os
import sys
import time


def main() -> None:
    counts, stdin, *words = sys.argv[1:]
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(words[0], words)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begun
    found = [wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)]
    with open(counts, "w") as file:  # noqa: PTH123 - pathlib would cost it memory
        json.dump(found, file)


main()
