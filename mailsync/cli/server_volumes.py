"""`mailsync server load`: a CSV file into a store, with progress on a terminal and every fault of the file at once.

`mailsync server delete` is here, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TextIO

from mailsync.core.errors import ConfigurationError, UsageError
from mailsync.core.model import Scope
from mailsync.mail.shown import plural
from mailsync.server.store import Loaded, LoadFault, LoadPolicy, LoadRow, Store
from mailsync.server.volumes import read_volumes

_PROGRESS_LINES = 10_000
_MOST_LISTED = 1000


class LoadError(ConfigurationError):
    """The file cannot be loaded as it is: `faults` holds every fault found, each `file:line: text`."""

    exit_status = 1


def load(store: Store, file: str, *, strict: bool) -> int:
    """Loads the file (`-`: stdin), says what was done, and returns 0. Raises LoadError when nothing was.

    UsageError when the file cannot be read.
    """
    name = "stdin" if file == "-" else file
    with ExitStack() as stack:
        reading = read_volumes(_with_progress(_open(file, stack)))
        if reading.faults:
            raise _error(name, reading.faults, *_faults_of(reading.rows))
        policy = LoadPolicy.STRICT if strict else LoadPolicy.CREATE
        loaded = store.load(reading.fields, reading.rows, policy=policy)
    if loaded.faults:
        raise _error(name, (), loaded.faults, loaded.faulty)
    for line in _told(loaded):
        print(line)
    return 0


def delete(store: Store, scope: Scope, volumes: Sequence[str]) -> int:
    """Deletes volumes and says how many; 1 when some of them are not there, which are named on stderr."""
    gone = store.delete(scope, volumes)
    print(f"{plural(len(gone), 'volume')} deleted")
    missing = [name for name in dict.fromkeys(volumes) if name not in gone]
    for name in missing:
        print(f"{scope}.{name}: no such volume", file=sys.stderr)
    return 1 if missing else 0


def _open(file: str, stack: ExitStack) -> TextIO:
    # newline="" because a quoted cell may hold line ends; what is not UTF-8 becomes a fault of its row.
    try:
        source: str | int = 0 if file == "-" else file
        opened = open(source, encoding="utf-8", errors="surrogateescape", newline="", closefd=file != "-")  # noqa: SIM115 - stdin, too
        return stack.enter_context(opened)
    except OSError as error:
        raise UsageError(f"read {file}: {error.strerror}", hint="name a CSV file, or - for stdin") from error


def _with_progress(lines: TextIO) -> Iterator[str]:
    shows = sys.stderr.isatty()
    for number, line in enumerate(lines, 1):
        if shows and not number % _PROGRESS_LINES:
            print(f"\r{number:,} lines", end="", file=sys.stderr, flush=True)
        yield line
    if shows:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _faults_of(rows: Iterable[LoadRow | LoadFault]) -> tuple[tuple[LoadFault, ...], int]:
    """The first faults among rows, and how many there are."""
    kept: list[LoadFault] = []
    count = 0
    for row in rows:
        if isinstance(row, LoadFault):
            count += 1
            if count <= _MOST_LISTED:
                kept.append(row)
    return tuple(kept), count


def _error(name: str, captions: tuple[LoadFault, ...], rows: tuple[LoadFault, ...], count: int) -> LoadError:
    """The faults of the first line and of the rows; `count` is how many the latter are beyond those given, too."""
    lines = tuple(f"{name}:{fault.line}: {fault.text}" for fault in (*captions, *rows))
    faulty = len({fault.line for fault in rows})
    said = ["the first line has faults"] if captions else []
    if count > len(rows):
        said.append(f"the rows have {count} faults, the first {len(rows)} are listed")
    elif faulty:
        said.append("1 row has faults" if faulty == 1 else f"{faulty} rows have faults")
    return LoadError(lines, hint=f"nothing was loaded: {', '.join(said)}")


def _told(loaded: Loaded) -> Iterator[str]:
    unchanged = loaded.rows - loaded.added - loaded.changed
    yield f"{plural(loaded.rows, 'volume')}: {loaded.added} added, {loaded.changed} changed, {unchanged} unchanged"
    if loaded.scopes_added:
        yield "new scopes: " + ", ".join(str(scope) for scope in loaded.scopes_added)
    if loaded.repositories_added:
        yield "new repositories: " + ", ".join(f"{scope}.{place}" for scope, place in loaded.repositories_added)
    if loaded.clusters_added:
        yield "new data clusters: " + ", ".join(loaded.clusters_added)
