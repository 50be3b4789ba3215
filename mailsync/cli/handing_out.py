"""How a new secret reaches a person: in a file that is made for it (mode 0600), or on stdout, once.

The file is there before the secret is worth anything, and goes again when that fails.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailsync.core.errors import UsageError

_NUMBERED = re.compile(r"(.+)\.[0-9]+\Z", re.ASCII)


@contextmanager
def handed_out(out: str | None, secret: str) -> Iterator[None]:
    """Around what makes a secret valid: its file is there first, and goes if that fails; without one it is printed."""
    if out is None:
        yield
        sys.stdout.write(secret)
        return
    path = Path(out)
    write_new(path, secret)
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    print(f"{out} made: keep it secret")


def write_new(path: Path, text: str) -> None:
    """Writes a file for its owner alone. Raises UsageError when there is one, or it cannot be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"write {path}: {error.strerror}", hint=_hint(path, error)) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _hint(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {path.parent}: name a file in one that is there"
    if isinstance(error, FileExistsError):
        return "name a file that does not exist yet"
    return "name a file where you may write"


def successor(name: str, taken: Collection[str]) -> str:
    """What follows a name: `site`, `site.2`, `site.3`; the first that is not taken."""
    numbered = _NUMBERED.match(name)
    stem, number = numbered[1] if numbered else name, 2
    while f"{stem}.{number}" in taken:
        number += 1
    return f"{stem}.{number}"


def tell_next(*steps: str) -> None:
    """Says on stderr what is left to do: stdout may be the secret."""
    for number, step in enumerate(steps, 1):
        print(f"mailsync: next, {number}: {step}", file=sys.stderr)
