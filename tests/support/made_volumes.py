"""A site's volumes for measuring, from a seed: rows as a page has them, and the same rows of fixed width.

Three kinds of description, as sites write them: templated (a pattern and a number), structured (host, path, date,
size), noisy (free words and checksums). Everything else is alike: barcodes in ranges, most volumes where they should
be, boxes of twenty in the vault, jobs that start in the evening, a handful of retentions.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

KINDS = ("templated", "structured", "noisy")
# What the published rows of 300 bytes and a description of 256 hold: our widths, filled up with what is reserved.
WIDTHS = (4, 4, 4, 4, 20, 10, 16, 64, 10, 10, 20, 10, 3, 3)
Row = tuple[str, ...]
_FIRST = datetime(2031, 1, 1, 20)  # noqa: DTZ001 - invented, UTC
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def volumes(count: int, kind: str, seed: int = 4711) -> list[Row]:
    """`count` rows of (volume, *values of VOLUME_FIELDS), ascending."""
    return list(each_volume(count, kind, seed))


def each_volume(count: int, kind: str, seed: int = 4711) -> Iterator[Row]:
    """The same, one after the other. Of more than 100,000 the volumes' names come again."""
    made = random.Random(seed)
    describe = _describer(kind, made)
    return (_row(number, describe, made) for number in range(count))


def fixed(rows: Sequence[Row]) -> bytes:
    """The rows in 300 + 256 bytes each, filled up with blanks, compressed as one stream by gzip's level 9."""
    lines = []
    for volume, description, *values in rows:
        fields = "".join(value.ljust(width) for value, width in zip(values, WIDTHS, strict=True))
        lines.append(f"US01LTO {volume:20}{fields}".ljust(300) + description.ljust(256))
    assert {len(line) for line in lines} == {556}
    return zlib.compress("".join(lines).encode(), 9)


def _row(number: int, describe: Callable[[int, datetime], str], made: random.Random) -> Row:
    repository = made.choices(("LIBR", "OFFS", "RACK", "SCRT"), (40, 45, 10, 5))[0]
    current = repository if made.random() < 0.97 else made.choice(("LIBR", "OFFS", "TRAN"))
    confirmed = current if made.random() < 0.98 else made.choice(("LIBR", "OFFS"))
    written = _FIRST + timedelta(days=made.randrange(400), seconds=int(made.expovariate(1 / 9000)))
    expiry = written + timedelta(days=made.choices((35, 90, 366, 2557), (50, 30, 15, 5))[0])
    box = f"BOX{number // 20:06}" if repository == "OFFS" and number % 5 else ""
    slot = f"{made.randrange(2000):04}" if repository == "LIBR" else ""
    moving = current != repository
    return (
        f"{'ABC'[number * 3 // 10_000 % 3]}{number * 3 % 100_000:05}L8",
        describe(number, written),
        repository,
        current,
        confirmed,
        "LIBR",
        box,
        slot,
        "M" if moving else made.choices(("", "W", "WE"), (8, 1, 1))[0],
        f"cluster{number // 700}",
        made.choice(("bkp1", "bkp2", "bkp3")),
        f"{written + timedelta(days=1 + number % 7):%Y-%m-%d}" if moving else "",
        f"{written:%Y-%m-%dT%H:%M:%SZ}",
        f"{expiry:%Y-%m-%d}",
        "yes" if made.random() < 0.1 else "no",
        "yes" if made.random() < 0.95 else "no",
    )


def _describer(kind: str, made: random.Random) -> Callable[[int, datetime], str]:
    hosts = [f"{''.join(made.choices(_LETTERS, k=6))}{number:02}" for number in range(60)]
    jobs = ("Weekly full", "Daily incremental", "Month end full", "Archive")
    words = ["".join(made.choices(_LETTERS, k=made.randrange(3, 10))) for _ in range(1500)]

    def templated(number: int, written: datetime) -> str:
        return f"{made.choice(jobs)} {written:%Y-%m-%d} media {number % 12 + 1} of 12"

    def structured(_: int, written: datetime) -> str:
        path = f"{made.choice(hosts)}:/{made.choice(('srv', 'home', 'var', 'db'))}/{made.choice(words)}"
        return f"{path} {written:%d.%m.%Y} {made.randrange(100, 12_000)} GB job {made.randrange(10**6)}"

    def noisy(_: int, __: datetime) -> str:
        return " ".join([*made.choices(words, k=made.randrange(5, 14)), f"{made.getrandbits(64):016x}"])

    return {"templated": templated, "structured": structured, "noisy": noisy}[kind]
