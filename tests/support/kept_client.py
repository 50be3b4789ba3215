"""A client that keeps each request before it sends it, and may be killed at any moment and started again.

    python kept_client.py FOLDER ADDRESS...

Its folder holds key, token and cache, and per batch `N.body` as it is sent and `N.outcome` as it was answered. Batch N
moves two of its eight volumes, each to the place after the one where the cache has it: a cache that is wrong, a batch
that is lost and one that is applied twice all break the order of the places. It ends when there is a file `stop` and
as many batches as that says.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path

from mailsync.client.cache import Cache
from mailsync.client.link import Link, connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.core.errors import TemporaryError
from mailsync.core.identity import batch_id, run_id
from mailsync.core.kept import to_json
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.wire.batches import encode_apply

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
PLACES = ("LIBR", "OFFS", "RACK")
VOLUMES = 8
_PAUSE = 0.02  # seconds until the next address is tried


def volume(name: str, number: int) -> str:
    """The Volume-ID of one of a client's volumes."""
    return f"{name.upper()}{number:02d}"


def chosen(name: str, number: int) -> tuple[str, str]:
    """The volumes that a client's batch moves."""
    return volume(name, number % VOLUMES), volume(name, (number + 3) % VOLUMES)


def batch_name(name: str, number: int) -> bytes:
    """The id of a client's batch."""
    return batch_id(run_id("loop", (name.encode(), str(number).encode())), 0, SCOPE, 0)


def keep(path: Path, content: bytes) -> None:
    """Keeps a file, durably and whole."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def made(name: str, number: int, link: Link, cache: Cache) -> bytes:
    """The request of a batch against the scope as it is now."""
    snapshot = cache.refresh(link, SCOPE)
    operations = tuple(
        Operation(Change.UPDATE, one, ("repository",), (PLACES[(PLACES.index(place) + 1) % len(PLACES)],), 0, number, 1)
        for one, place in snapshot.lookup(chosen(name, number), ("repository",))
    )
    return encode_apply(
        Batch(
            id=batch_name(name, number),
            run=run_id("loop", (name.encode(), str(number).encode())),
            plan=b"p" * 32,
            scope=SCOPE,
            epoch=snapshot.epoch,
            base=snapshot.version,
            source=f"loop/{name}",
            asof=1000 + number,
            sources=((f"<{name}-{number}@example.com>", "a.csv"),),
            operations=operations,
        )
    )


def work(folder: Path, link: Link, cache: Cache) -> bool:
    """Does batch after batch; True when there are enough."""
    for number in count(sum(1 for _ in folder.glob("*.outcome"))):
        body = folder / f"{number}.body"
        if not body.exists():
            if (folder / "stop").exists() and number >= int((folder / "stop").read_text()):
                return True
            keep(body, made(folder.name, number, link, cache))
        keep(folder / f"{number}.outcome", to_json(link.apply(body.read_bytes())).encode())
    raise AssertionError


def main() -> None:
    folder = Path(sys.argv[1])
    key, token = read_client_key(folder / "client.key"), read_token(folder / "client.token")
    print("ready", flush=True)
    for address in cycle(sys.argv[2:]):
        with suppress(TemporaryError), Cache.open(folder, "cache") as cache:
            link = connect(address, key, token, random=os.urandom)
            try:
                if work(folder, link, cache):
                    return
            finally:
                link.close()
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
