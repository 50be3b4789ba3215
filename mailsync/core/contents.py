"""What containers take along when they move, as far as a snapshot of one scope tells: for guards, and for showing it.

A volume names its container by the full barcode, `US01.BOX.B00001`; containers stand in each other. What is of another
scope is not in the snapshot: the server knows all of it, and says with the outcome which volumes went along.
"""

from __future__ import annotations

from collections.abc import Collection

from mailsync.core.model import Scope, Snapshot


def contents_of(scope: Scope, containers: Collection[str], snapshot: Snapshot) -> set[str]:
    """The scope's volumes that are in these volumes of it, or in what is in them.

    The snapshot is read only where there are containers, which is rare.
    """
    if not containers:
        return set()
    held: dict[str, list[str]] = {}
    for volume, container in snapshot.rows(("container",)):
        if container:
            held.setdefault(container, []).append(volume)
    found: set[str] = set()
    waiting = list(containers)
    while waiting:
        inside = [one for one in held.get(f"{scope}.{waiting.pop()}", ()) if one not in found]
        found.update(inside)
        waiting += inside
    return found
