"""Is the ledger whole: every chain walked from its first entry, and compared with what it speaks of.

found                                                   means
an entry whose hash is not that of its parts            it was altered, or one before it was removed or inserted
a number that is missing, or there twice                an entry was removed or inserted
a chain that ends elsewhere than its scope says         its end was removed, or written by hand
a batch whose rows have another digest                  what was recorded of it was altered
a batch without an entry, an entry without its batch    one of them was inserted or removed
contents with another digest                            what a container's move changed here was altered
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mailsync.server.chain import GENESIS, Entry, Head, entry_hash
from mailsync.server.database import Connection, Database
from mailsync.server.sql_chain import (
    BATCH,
    CONTENTS,
    SITE_NUMBER,
    batch_payload,
    contents_payload,
    each_link,
    find_heads,
)
from mailsync.server.store import Flaw


def verify(database: Database) -> Iterator[Flaw]:
    """Every flaw, chain after chain, each chain as of one moment."""
    for number, head in database.read(find_heads):
        yield from _walk(database, number, head)
    known = {number for number, _ in database.read(find_heads)}
    query = "SELECT DISTINCT media FROM ledger ORDER BY media"
    for (number,) in database.read(lambda connection: connection.execute(query).fetchall()):
        if number not in known:
            yield Flaw(f"number {number}", 0, "the ledger has a chain of a scope that the store does not have")


def _walk(database: Database, number: int, head: Head) -> Iterator[Flaw]:
    previous, seq = GENESIS, 0
    told: set[int] = set()
    for entry, stored in each_link(database, number, head.chain):
        if entry.seq != seq + 1:
            yield Flaw(head.chain, entry.seq, f"entry {entry.seq} follows entry {seq}")
        if stored != entry_hash(previous, entry):
            yield Flaw(head.chain, entry.seq, "its hash is not that of its parts and the entry before it")
        # Go on from the stored hash, so that one alteration is told once and not for every entry after it.
        previous, seq = stored, entry.seq
        if entry.kind == BATCH:
            yield from _batch_flaw(database, entry, told)
        elif entry.kind == CONTENTS:
            yield from _contents_flaw(database, entry, number)
    if (seq, previous) != (head.seq, head.hash):
        yield Flaw(head.chain, seq, f"the chain ends here, and its scope says after entry {head.seq}")
    if number != SITE_NUMBER:
        yield from _untold(database, number, head.chain, told)


def _batch_flaw(database: Database, entry: Entry, told: set[int]) -> Iterator[Flaw]:
    try:
        said = json.loads(entry.payload)
        number = said["batch"]
    except (ValueError, KeyError, TypeError):
        yield Flaw(entry.chain, entry.seq, "what it says of its batch cannot be read")
        return
    told.add(number)

    def read(connection: Connection) -> dict[str, object] | None:
        query = "SELECT 1 FROM batches WHERE number = ? AND id = ?"
        if connection.execute(query, (number, entry.batch)).fetchone() is None:
            return None
        return batch_payload(connection, number)

    found = database.read(read)
    if found is None:
        yield Flaw(entry.chain, entry.seq, f"batch {entry.batch.hex()} is not recorded any more")
    elif found != said:
        yield Flaw(entry.chain, entry.seq, f"batch {entry.batch.hex()}: what was recorded of it was altered")


def _contents_flaw(database: Database, entry: Entry, number: int) -> Iterator[Flaw]:
    try:
        said = json.loads(entry.payload)
        batch = int(said["batch"])
    except (ValueError, KeyError, TypeError):
        yield Flaw(entry.chain, entry.seq, "what it says of its volumes cannot be read")
        return
    if database.read(lambda connection: contents_payload(connection, batch, number)) != said:
        yield Flaw(entry.chain, entry.seq, "what was recorded of the volumes that moved in a container was altered")


def _untold(database: Database, number: int, chain: str, told: set[int]) -> Iterator[Flaw]:
    query = "SELECT number, id FROM batches WHERE media = ? ORDER BY number"
    for batch, name in database.read(lambda connection: connection.execute(query, (number,)).fetchall()):
        if batch not in told:
            yield Flaw(chain, 0, f"batch {name.hex()} is recorded, and the ledger knows nothing of it")
