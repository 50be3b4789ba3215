"""Runs `mailsync` and says on stderr how long its stages took, as `stage: NAME MILLISECONDS` lines.

The stages are calls of the flow, looked at from outside; what is left over is imports and the interpreter.
"""

from __future__ import annotations

import functools
import sys
import time

BEGUN = time.perf_counter()
SPENT: dict[str, float] = {}


def timed(owner: object, name: str, stage: str) -> None:
    """Adds up the time within a function."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*arguments: object, **options: object) -> object:
        begun = time.perf_counter()
        try:
            return inner(*arguments, **options)
        finally:
            SPENT[stage] = SPENT.get(stage, 0.0) + time.perf_counter() - begun

    setattr(owner, name, outer)


def main() -> int:
    from mailsync.cli import filter as command
    from mailsync.config import site

    timed(site, "load_site", "read the configuration")
    begun = time.perf_counter()
    from mailsync.client import archive, cache, journal, link, sendmail
    from mailsync.flow import answer, decide, reading, world

    SPENT["imports"] = time.perf_counter() - begun
    timed(archive, "deliver", "keep mail and replies (fsync)")
    for name in ("__init__", "begin", "decide", "answered", "mark_sent", "spent", "end"):
        timed(journal.Journal, name, "journal (fsync)")
    timed(reading, "_report", "map the rows")
    timed(reading, "unpack", "unpack the mail")
    timed(reading, "load_definitions", "load the definitions")
    timed(decide, "make_plan", "plan")
    timed(link, "connect", "connect and log on")
    timed(cache.Cache, "refresh", "sync")
    timed(world.SiteServer, "apply", "apply")
    timed(answer, "render", "render")
    timed(sendmail, "send", "send")
    status = command.main(sys.argv[2:])
    for stage, seconds in SPENT.items():
        print(f"stage: {stage} {seconds * 1000:.1f}", file=sys.stderr)
    print(
        f"stage: in all, without starting the interpreter {(time.perf_counter() - BEGUN) * 1000:.1f}", file=sys.stderr
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
