"""The ledger's chain: who wrote what and when, each entry bound to all before it (exactly-once.md section 5).

hash_n = SHA-256(hash_{n-1} | parts of entry n, each behind its length), and hash_0 is 32 zero bytes. What was written
is bound through SHA-256(salt | payload), so that a payload may be forgotten one day and the chain still be verified.
Who can write the database can rewrite the whole chain: only a head kept elsewhere, as every reply keeps one, shows it.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

GENESIS = bytes(32)
PRUNE = "prune"  # the kind of entry that says that those before are gone
EPOCH = "epoch"  # the kind that says that the store began a new life, and where its chains ended then
SALT_BYTES = 16
_PURPOSE = b"mailsync ledger 1"


class Entry(NamedTuple):
    """What somebody wrote, `seq` from 1 on in its chain. `version` is the scope's after it; `time` in Unix seconds.

    `principal` is `USER/KEY` for a client, `admin NAME` for a command; `run` and `batch` are empty for commands.
    `payload` is JSON.
    """

    chain: str
    seq: int
    version: int
    epoch: bytes
    time: int
    principal: str
    run: bytes
    batch: bytes
    kind: str
    salt: bytes
    payload: str


class Cut(NamedTuple):
    """What a prune entry says: the entries up to `through`, whose hash this is, are gone; `entries` of them by it."""

    through: int
    hash: bytes
    entries: int


class Restore(NamedTuple):
    """When a store began a new life, in Unix seconds, and how many entries each of its chains had then."""

    time: int
    lengths: dict[str, int]


def read_cut(entry: Entry) -> Cut | None:
    """What a prune entry says, None when it cannot be read."""
    try:
        said = json.loads(entry.payload)
        cut = Cut(int(said["through"]), bytes.fromhex(said["hash"]), int(said["count"]))
    except (ValueError, KeyError, TypeError):
        return None
    return cut if 0 < cut.entries <= cut.through < entry.seq else None


def read_restore(entry: Entry) -> Restore | None:
    """What an epoch entry says, None when it cannot be read."""
    try:
        heads = json.loads(entry.payload)["heads"]
        return Restore(entry.time, {str(chain): int(seq) for chain, (seq, _) in heads.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def entry_hash(previous: bytes, entry: Entry) -> bytes:
    """The hash of an entry that follows one with the hash `previous`; 32 bytes."""
    payload = hashlib.sha256(entry.salt + entry.payload.encode()).digest()
    numbers = (number.to_bytes(8, "big") for number in (entry.seq, entry.version, entry.time))
    seq, version, time = numbers
    parts = (
        _PURPOSE,
        entry.chain.encode(),
        seq,
        version,
        entry.epoch,
        time,
        entry.principal.encode(),
        entry.run,
        entry.batch,
        entry.kind.encode(),
        payload,
    )
    hashed = hashlib.sha256(previous)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.digest()
