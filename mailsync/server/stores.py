"""Which store a URL names: `sqlite:PATH`, or `postgresql://...` with the extra `postgres`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mailsync.core.errors import UsageError
from mailsync.server.sql_store import SqlStore

_SQLITE = "sqlite:"
_POSTGRES = "postgresql://"


def open_url(url: str, *, by: str = "admin", clock: Callable[[], float] = time.time) -> SqlStore:
    """The store, made where there is none yet; `by` is who administers it, and when by `clock`, for the ledger.

    Raises UsageError for another kind, TemporaryError when it is away.
    """
    path = sqlite_path(url)
    if path is not None:
        from mailsync.server.sqlite import SqliteStore

        return SqliteStore(path, by=by, clock=clock)
    if url.startswith(_POSTGRES):
        try:
            from mailsync.server.postgres import PostgresStore
        except ImportError as error:
            raise UsageError(f"{error}: PostgreSQL needs it", hint="pip install 'mailsync[postgres]'") from error
        return PostgresStore(url, by=by, clock=clock)
    text = f'store "{url}" is neither sqlite:PATH nor postgresql://...'
    raise UsageError(text, hint="for example: --store sqlite:state/server.db")


def sqlite_path(url: str) -> Path | None:
    """The file of a `sqlite:` URL, None for another."""
    path = url.removeprefix(_SQLITE)
    return Path(path) if url.startswith(_SQLITE) and path else None
