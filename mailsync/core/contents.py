"""What containers take along when they move, as far as a snapshot of one scope tells: for guards, and for showing it.

A volume names its container by the full barcode, `US01.BOX.B00001`; containers stand in each other. What is of another
scope is not in the snapshot: the server knows all of it, and says with the outcome which volumes went along.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.model import Scope, Snapshot


def contents_of(scope: Scope, containers: Iterable[str], snapshot: Snapshot) -> set[str]:
    """The scope's volumes that are in these volumes of it, or in what is in them."""
    found: set[str] = set()
    waiting = list(containers)
    while waiting:
        inside = [one for one in snapshot.inside(f"{scope}.{waiting.pop()}") if one not in found]
        found.update(inside)
        waiting += inside
    return found
