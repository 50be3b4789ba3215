"""The long kill loops of the benchmark: filters alone, and servers and clients alike."""

from __future__ import annotations

from pathlib import Path

import postgres
from crash import crash_site, kill_at_random, kill_filters_and_server
from kill_both import Loop
from sites import served

BATCHES = 1000


def kill_loop(folder: Path, program: str, kills: int) -> None:
    """So many SIGKILLs at random moments; fails when a mail is not applied exactly once and answered."""
    place = folder / "kills"
    place.mkdir()
    site = crash_site(place, mails=2 * kills + 10, program=program)
    with served(site):
        mails, extra = kill_at_random(site, range(2 * kills + 10), kills, seed=11)
    print(f"\n{kills} filters killed in {mails} mails: each applied exactly once; {extra} second copies of a reply")


def kill_both(folder: Path, kills: int) -> None:
    """So many SIGKILLs of servers, and of clients, on each store; fails when a batch is not applied exactly once."""
    _kill_both(folder / "sqlite", f"sqlite:{folder / 'server.db'}", 1, kills)
    _kill_with_filters(folder / "filters", kills)
    if postgres.binaries() is None:
        print("without PostgreSQL: not installed")
        return
    cluster = postgres.Cluster()
    try:
        _kill_both(folder / "postgres", cluster.url, 2, kills)
    finally:
        cluster.remove()


def _kill_with_filters(folder: Path, kills: int) -> None:
    folder.mkdir()
    site = crash_site(folder, mails=10 * kills)
    servers, filters, mails = kill_filters_and_server(site, range(10 * kills), kills, seed=12)
    print(f"{servers} servers and {filters} filters killed in {mails} mails: each applied exactly once", flush=True)


def _kill_both(folder: Path, url: str, servers: int, kills: int) -> None:
    counted = Loop(folder, url, servers).run(kills, BATCHES, "bench")
    print(
        f"{folder.name}, {servers} server process{'es' if servers > 1 else ''}: {counted.servers} servers and "
        f"{counted.clients} clients killed in {counted.batches} batches: each applied exactly once; "
        f"{counted.replayed} of the kept answers were replayed",
        flush=True,
    )
