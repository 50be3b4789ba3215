"""One attempt at a run at a time on this host: a byte-range lock that dies with its process.

Strategy: one file for all runs, and within it one byte per run, at an offset made from the run id. Nothing has to be
cleaned up after a kill, and mails that differ do not wait for each other (procmail's local lockfile polls every 8 s).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId


@contextmanager
def only_attempt(path: Path, run: RunId) -> Iterator[None]:
    """Holds the run's lock; TemporaryError when another process has it."""
    offset = int.from_bytes(run[:7], "big")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TemporaryError(f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as error:
            text = f"run {run.hex()[:16]} is already being worked on"
            raise TemporaryError(text, hint="nothing to do: the mail is tried again later") from error
        yield
    finally:
        os.close(handle)
