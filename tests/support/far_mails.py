"""Whole mails, in by `filter` and answered, behind a network that harms the first attempt of each."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bad_network import DOWN, UP, Fault, Kind, Network
from sites import MAILSYNC, Site, extract, library_csv, load, make_site, report_mail, served, volume_names

NAMES = volume_names(1000)
SOON = 3  # seconds an attempt may take where nobody tells it that nothing more comes
TOLD = (Kind.FIN, Kind.RST, Kind.HOLD)


@contextmanager
def far_site(folder: Path, *, delay: float = 0.0, program: str = MAILSYNC) -> Iterator[tuple[Site, Network]]:
    """A served site with a thousand volumes, whose filter reaches its server through the network."""
    site = make_site(folder / "site", program=program)
    site.edit("max_share_moved: 0.3", "max_share_moved: 1")
    load(site, library_csv(len(NAMES)))
    with served(site), Network(f"127.0.0.1:{site.port}", delay=delay) as network:
        site.edit(f"127.0.0.1:{site.port}", network.address)
        yield site, network


def moved(site: Site, names: Sequence[str]) -> list[tuple[str, str]]:
    """Rows that send volumes to where they are not."""
    places = site.export()
    return [(name, "OFFS" if places[name]["repository"] != "OFFS" else "LIBR") for name in names]


def chosen_faults(count: int, seed: int) -> list[Fault]:
    """Faults of all kinds by turns, anywhere in a run's bytes."""
    dice, kinds = random.Random(seed), (*TOLD, *Kind)
    return [Fault(kinds[at % len(kinds)], dice.choice((UP, DOWN)), dice.randrange(1300)) for at in range(count)]


def try_each(site: Site, network: Network, faults: Sequence[Fault]) -> Counter[int]:
    """A mail for each fault, tried with it and again without: the statuses of the first attempts.

    AssertionError when a mail had another effect than its own, or none, or not exactly one reply.
    """
    rows = moved(site, NAMES[-len(faults) :])
    statuses: Counter[int] = Counter()
    version, answered = _version(site), len(site.replies())
    for number, (row, fault) in enumerate(zip(rows, faults, strict=True), 1):
        mail = report_mail(site, extract([row]), number=number + 10_000)
        network.fault = fault
        with _attempt_in(site, None if fault.kind in TOLD else SOON):
            first = site.filter(mail)
        assert b"mailsync.yaml" not in first.stderr, first.stderr
        statuses[first.returncode] += 1
        network.fault = None
        assert site.filter(mail).returncode == 0, fault
        assert (_version(site), len(site.replies())) == (version + number, answered + number), fault
    places = site.export()
    assert all(places[name]["repository"] == place for name, place in rows)
    return statuses


@contextmanager
def _attempt_in(site: Site, seconds: int | None) -> Iterator[None]:
    usual = site.config.read_text()
    if seconds is not None:
        site.edit("give_up: 24h", f"give_up: 24h, deadline: {seconds}s")
    try:
        yield
    finally:
        site.config.write_text(usual)


def _version(site: Site) -> int:
    """The scope's version: how many volumes were changed, ever."""
    with closing(sqlite3.connect(site.folder / "state/server.db")) as store:
        ((version,),) = store.execute("SELECT version FROM media").fetchall()
    return version
