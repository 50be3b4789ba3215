"""Is the ledger whole: every chain walked from where pruning left it, and compared with what it speaks of.

found                                                   means
an entry whose hash is not that of its parts            it was altered, or one before it was removed or inserted
a number that is missing, or there twice                an entry was removed or inserted
a chain that begins after what pruning took             more was removed than the prune entry says
a prune entry whose figures do not add up               it was written by hand
a chain that ends elsewhere than its scope says         its end was removed, or something was inserted behind it
a batch whose rows have another digest                  what was recorded of it was altered
a batch without an entry, an entry without its batch    one of them was inserted or removed
contents with another digest                            what a container's move changed here was altered

A chain that was pruned begins with the last prune entry's word for what was before. Entries that were to go and are
still there (pruning was killed) are walked too, from the first that is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from mailsync.core.ledger import Head
from mailsync.server.chain import GENESIS, PRUNE, Cut, Entry, entry_hash, read_cut
from mailsync.server.database import Connection, Database
from mailsync.server.sql_chain import (
    BATCH,
    CONTENTS,
    SITE_NUMBER,
    batch_payload,
    contents_payload,
    each_link,
    find_cut,
    find_heads,
)
from mailsync.server.store import Flaw

_WHOLE = Cut(0, GENESIS, 0)


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
    links = each_link(database, number, head.chain, through=head.seq)
    # Read after the links are of one moment: what is missing of them then, this cut tells of.
    cut = database.read(lambda connection: find_cut(connection, number, head.chain)) or _WHOLE
    previous: bytes | None = None
    seq, last_cut = 0, _WHOLE
    for entry, stored in links:
        if previous is None:
            seq, previous = _beginning(cut, entry)
        if entry.seq != seq + 1:
            yield Flaw(head.chain, entry.seq, _gap(entry.seq, seq, cut))
        if previous is not None and stored != entry_hash(previous, entry):
            yield Flaw(head.chain, entry.seq, "its hash is not that of its parts and the entry before it")
        if entry.seq == cut.through and stored != cut.hash:
            yield Flaw(head.chain, entry.seq, "its hash is not the one that the prune entry says")
        # Go on from the stored hash, so that one alteration is told once and not for every entry after it.
        previous, seq = stored, entry.seq
        yield from _contradictions(database, entry, number, last_cut)
        last_cut = read_cut(entry) or last_cut if entry.kind == PRUNE else last_cut
    if (seq, previous or GENESIS) != (head.seq, head.hash) and (seq or cut.through < head.seq):
        yield Flaw(head.chain, seq, f"the chain ends here, and its scope says after entry {head.seq}")
    yield from _beyond(database, number, head.chain)
    if number != SITE_NUMBER:
        yield from _untold(database, number, head.chain)


def _beyond(database: Database, number: int, chain: str) -> Iterator[Flaw]:
    """Entries behind the one that the scope, or the store, says is the last: both as of one moment."""
    said = "SELECT ledger_seq FROM store" if number == SITE_NUMBER else "SELECT ledger_seq FROM media WHERE number = ?"
    query = f"SELECT seq FROM ledger WHERE media = ? AND seq > ({said}) ORDER BY seq LIMIT 1"  # noqa: S608 - the above
    values = (number,) if number == SITE_NUMBER else (number, number)
    found = database.read(lambda connection: connection.execute(query, values).fetchone())
    if found is not None:
        yield Flaw(chain, found[0], "it was inserted behind the chain's end")


def _contradictions(database: Database, entry: Entry, number: int, last_cut: Cut) -> Iterator[Flaw]:
    """What contradicts an entry. `last_cut` is what the prune entry before it says; of through 0 when there is none."""
    if entry.kind == BATCH:
        yield from _batch_flaw(database, entry, number)
    elif entry.kind == CONTENTS:
        yield from _contents_flaw(database, entry, number)
    elif entry.kind == PRUNE:
        cut = read_cut(entry)
        if cut is None or (last_cut.through and cut.entries != cut.through - last_cut.through):
            yield Flaw(entry.chain, entry.seq, "what it says of the pruning does not add up")


def _beginning(cut: Cut, first: Entry) -> tuple[int, bytes | None]:
    """The entry before the first one that is there, and its hash; None where nobody knows that any more."""
    if 0 < first.seq <= cut.through:
        return first.seq - 1, GENESIS if first.seq == 1 else None
    return cut.through, cut.hash


def _gap(seq: int, before: int, cut: Cut) -> str:
    if before and before == cut.through:
        return f"entry {seq} is the first, and pruning took those up to {before}"
    return f"entry {seq} follows entry {before}"


def _batch_flaw(database: Database, entry: Entry, media: int) -> Iterator[Flaw]:
    try:
        said = json.loads(entry.payload)
        number = said["batch"]
    except (ValueError, KeyError, TypeError):
        yield Flaw(entry.chain, entry.seq, "what it says of its batch cannot be read")
        return

    def read(connection: Connection) -> dict[str, object] | None:
        query = "SELECT 1 FROM batches WHERE number = ? AND id = ? AND media = ?"
        if connection.execute(query, (number, entry.batch, media)).fetchone() is None:
            query = "SELECT 1 FROM ledger WHERE media = ? AND seq = ?"
            pruned = connection.execute(query, (media, entry.seq)).fetchone() is None  # while this walks the chain
            return said if pruned else None
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

    def read(connection: Connection) -> dict[str, object] | None:
        # A batch that is gone was pruned, or the chain of its own scope tells.
        if connection.execute("SELECT 1 FROM batches WHERE number = ?", (batch,)).fetchone() is None:
            return None
        return contents_payload(connection, batch, number)

    if database.read(read) not in (None, said):
        yield Flaw(entry.chain, entry.seq, "what was recorded of the volumes that moved in a container was altered")


def _untold(database: Database, number: int, chain: str) -> Iterator[Flaw]:
    query = (
        "SELECT b.id FROM batches AS b WHERE b.media = ? AND NOT EXISTS "
        "(SELECT 1 FROM ledger AS l WHERE l.media = b.media AND l.batch = b.id) ORDER BY b.number"
    )
    for (name,) in database.read(lambda connection: connection.execute(query, (number,)).fetchall()):
        yield Flaw(chain, 0, f"batch {name.hex()} is recorded, and the ledger knows nothing of it")
