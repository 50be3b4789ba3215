"""The bad network of the benchmark: every fault at every byte of a short conversation, and mails over a long link."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench_parts import line, title
from conversations import everything, hold_all


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
