"""Which store a URL names: `sqlite:PATH`, or `postgresql://...` with the extra `postgres`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mailsync.core.errors import UsageError
from mailsync.server.database import Database
from mailsync.server.sql_store import SqlStore

_SQLITE = "sqlite:"
_POSTGRES = "postgresql://"


def open_url(url: str, *, by: str = "admin", clock: Callable[[], float] = time.time, make: bool = True) -> SqlStore:
    """The store, made where there is none yet if told so; `by` is who administers it, by `clock`, for the ledger.

    Raises UsageError for another kind, NoStoreError where none is to be made, TemporaryError when it is away.
    """
    path = sqlite_path(url)
    if path is not None:
        from mailsync.server.sqlite import SqliteStore

        return SqliteStore(path, by=by, clock=clock, make=make)
    found: SqlStore = _postgres(url).PostgresStore(url, by=by, clock=clock, make=make)
    return found


def open_database(url: str) -> Database:
    """The database of the store that `open_url` opens, for SQL of one's own. Raises as that does."""
    path = sqlite_path(url)
    if path is not None:
        from mailsync.server.sqlite import SqliteDatabase

        return SqliteDatabase(path)
    found: Database = _postgres(url).PostgresDatabase(url)
    return found


@contextmanager
def borrowed(url: str) -> Iterator[None]:
    """A place for a store that is gone afterwards, with all that was put there. UsageError where there is one."""
    path = sqlite_path(url)
    if path is None:
        with _postgres(url).borrowed(url):
            yield
        return
    if path.exists():
        raise UsageError(f"{url} is there already", hint="name a file that does not exist: it is deleted afterwards")
    try:
        yield
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _postgres(url: str) -> ModuleType:
    """The module for a PostgreSQL URL. UsageError for a URL of another kind, and without the driver."""
    if not url.startswith(_POSTGRES):
        text = f'store "{url}" is neither sqlite:PATH nor postgresql://...'
        raise UsageError(text, hint="for example: --store sqlite:state/server.db")
    try:
        return import_module("mailsync.server.postgres")
    except ImportError as error:
        raise UsageError(f"{error}: PostgreSQL needs it", hint="pip install 'mailsync[postgres]'") from error


def sqlite_path(url: str) -> Path | None:
    """The file of a `sqlite:` URL, None for another."""
    path = url.removeprefix(_SQLITE)
    return Path(path) if url.startswith(_SQLITE) and path else None
