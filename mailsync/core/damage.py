"""Tells a damaged SQLite file from one that is busy, on a full disk, or wrongly asked.

Strategy: by SQLite's own result codes (sqlite.org/rescode.html). A text that is no UTF-8 is found by Python alone, as
an OperationalError without a code. A disk that cannot be read or written says nothing about the file on it, but for a
read that ends before the page does: then the file was cut.
"""

from __future__ import annotations

import sqlite3

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_PRIMARY = 0xFF  # an extended code has its primary one in the lowest byte


def is_damage(error: sqlite3.Error) -> bool:
    """True when the file itself is what is wrong: asking again cannot help."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.OperationalError)
    return code & _PRIMARY in _DAMAGED or code == sqlite3.SQLITE_IOERR_SHORT_READ
