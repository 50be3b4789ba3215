"""Where chains of the ledger ended when this host last saw them, in a table of the cache's file.

A scope's head comes with each page and goes with the scope; the site's with the beginning of a run. One that is seen
again keeps its time: what was there before a restore of the server and is there after it was not lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from mailsync.core.ledger import Head

TABLE = """CREATE TABLE IF NOT EXISTS heads (
    chain TEXT PRIMARY KEY, entry INTEGER NOT NULL, hash BLOB NOT NULL,
    seen INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))) WITHOUT ROWID;"""
_FIND = "SELECT chain, entry, hash, seen FROM heads WHERE chain = ?"


class SeenHead(NamedTuple):
    """Where a chain of the ledger ended, and when that was first seen: Unix seconds by this host's clock."""

    head: Head
    seen: int


def find_heads(connection: sqlite3.Connection, chains: Iterable[str]) -> tuple[SeenHead, ...]:
    """The heads of these chains, in their order, as far as they were seen."""
    rows = (row for chain in chains for row in connection.execute(_FIND, (chain,)))
    return tuple(SeenHead(Head(*head), seen) for *head, seen in rows)


def put_head(connection: sqlite3.Connection, head: Head) -> None:
    """Keeps where a chain ends now; nothing is written when that is known."""
    if [one.head for one in find_heads(connection, (head.chain,))] != [head]:
        connection.execute("INSERT OR REPLACE INTO heads (chain, entry, hash) VALUES (?, ?, ?)", head)


def forget_head(connection: sqlite3.Connection, chain: str) -> None:
    """Forgets the head of a chain."""
    connection.execute("DELETE FROM heads WHERE chain = ?", (chain,))
