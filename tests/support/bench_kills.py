"""The long kill loop of the benchmark."""

from __future__ import annotations

from pathlib import Path

from crash import crash_site, kill_at_random
from sites import served


def kill_loop(folder: Path, program: str, kills: int) -> None:
    """So many SIGKILLs at random moments; fails when a mail is not applied exactly once and answered."""
    place = folder / "kills"
    place.mkdir()
    site = crash_site(place, mails=2 * kills + 10, program=program)
    with served(site):
        mails, extra = kill_at_random(site, range(2 * kills + 10), kills, seed=11)
    print(f"\n{kills} filters killed in {mails} mails: each applied exactly once; {extra} second copies of a reply")
