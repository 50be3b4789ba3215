"""The ends of the ledger's chains, as a server tells them and replies carry them (exactly-once.md section 5).

Each scope has a chain, and the site has one for what belongs to no scope: scopes, users, keys, grants. Whoever keeps
where a chain ended is its witness: what was written until then can no longer be rewritten unnoticed.
"""

from __future__ import annotations

from typing import NamedTuple

SITE = "site"  # the chain of what belongs to no scope: users, grants, keys, new scopes, lives
HASH_BYTES = 32


class Head(NamedTuple):
    """Where a chain ends: how many entries it has, and the hash of the last one."""

    chain: str
    seq: int
    hash: bytes
