"""Thousands of random histories (histories.py), and how many of them it takes to find each broken rule."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

from broken_rules import BROKEN
from histories import STEPS, History, fill
from postgres import Cluster
from store_places import InCluster, InFile, empty_file

LENGTH = 25
MOST = 2_000  # histories after which a broken rule counts as not found


def bench_model(histories: int) -> None:
    """Plays so many on SQLite, a twentieth of them on PostgreSQL, and then each broken rule until it is found."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        empty = empty_file(Path(name), fill)
        half = histories // 2
        with get_context("fork").Pool(2) as pool:
            parts = pool.starmap(_played, [(empty, 0, half), (empty, half, histories)])
    _told("SQLite", histories, sum(parts, Counter()), began)
    _on_postgres(histories // 20)
    for rule in BROKEN:
        seed = first_found(rule)
        print(f"{rule}: {f'found by history {seed + 1}' if seed >= 0 else f'not found in {MOST}'}", flush=True)


def play(place, folder: Path, seed: int, steps: int = LENGTH) -> Counter[str]:
    """Plays one history; what happened in it."""
    dice = random.Random(seed)
    history = History(place, folder, dice)
    history.play(dice.choices(list(STEPS), list(STEPS.values()), k=steps))
    return history.counts


def first_found(rule: str, most: int = MOST) -> int:
    """The seed of the first history that goes wrong with the rule broken, -1 when none does."""
    with tempfile.TemporaryDirectory(dir=_memory()) as name, BROKEN[rule]():
        empty = empty_file(Path(name), fill)
        for seed in range(most):
            with tempfile.TemporaryDirectory(dir=name) as folder:
                try:
                    play(InFile(Path(folder), empty), Path(folder), seed)
                except AssertionError:
                    return seed
    return -1


def _played(empty: bytes, first: int, behind: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(first, behind):
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            try:
                counts += play(InFile(Path(folder), empty), Path(folder), seed)
            except Exception as error:
                raise RuntimeError(f"history {seed} went wrong: {error!r}") from error
    return counts


def _on_postgres(histories: int) -> None:
    began = time.monotonic()
    counts: Counter[str] = Counter()
    cluster = Cluster()
    try:
        for seed in range(histories):
            with tempfile.TemporaryDirectory(dir=_memory()) as folder:
                counts += play(InCluster(cluster, fill), Path(folder), seed)
    finally:
        cluster.remove()
    _told("PostgreSQL", histories, counts, began)


def _told(where: str, histories: int, counts: Counter[str], began: float) -> None:
    said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{histories} histories on {where} in {time.monotonic() - began:.0f} s: {said}", flush=True)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
