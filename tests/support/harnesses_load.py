"""What must hold for the CSV that `server load` reads, whatever its bytes are.

each line is a row or a fault of its own, in order          a load is all rows or none
what is loaded is there, and the ledger verifies            what is exported is read as what is there
"""

from __future__ import annotations

import io
from collections.abc import Callable

from harnesses_server import contents
from in_memory import open_store

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import Scope
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.sql_store import SqlStore
from mailsync.server.store import LoadFault, LoadPolicy, LoadRow
from mailsync.server.volumes import read_volumes, write_volumes

Contents = dict[Scope, dict[str, tuple[str, ...]]]


def volumes(data: bytes) -> None:
    """The CSV that `server load` reads, after a byte that says what happens to unknown places."""
    text = data[1:].decode("utf-8", "surrogateescape")
    policy = LoadPolicy.STRICT if data[:1] and data[0] % 2 else LoadPolicy.CREATE
    store = open_store()
    reading = read_volumes(io.StringIO(text, newline=""))
    rows = list(reading.rows)
    last = text.count("\n") + text.count("\r") + 1
    places = [row.line for row in (*reading.faults, *rows)]
    assert all(1 <= line <= last for line in places)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    assert all(one.text for one in (*reading.faults, *rows) if isinstance(one, LoadFault))
    if reading.faults:
        return
    assert all(len(row.values) == len(reading.fields) for row in rows if isinstance(row, LoadRow))
    before = _everything(store)
    loaded = store.load(reading.fields, rows, policy=policy)
    assert list(store.verify()) == []
    if loaded.faults:
        assert _everything(store) == before
        assert loaded.faulty >= sum(isinstance(row, LoadFault) for row in rows)
        return
    assert loaded.rows == len(rows)
    assert loaded.added + loaded.changed <= loaded.rows
    after = _everything(store)
    for row in rows:
        assert isinstance(row, LoadRow)
        assert row.volume in after[row.scope]
    _check_exports(store, after)
    store.close()


def _everything(store: SqlStore) -> Contents:
    return {one.scope: contents(store, one.scope) for one in store.scopes(ADMINISTRATOR)}


def _check_exports(store: SqlStore, after: Contents) -> None:
    """What is exported is read as what is there, and changes nothing when it is loaded."""
    for scope, there in after.items():
        text = "".join(write_volumes(scope, store.export(scope)))
        reading = read_volumes(io.StringIO(text, newline=""))
        rows = list(reading.rows)
        assert not reading.faults
        assert reading.fields == FIELD_NAMES
        assert rows == [
            LoadRow(scope, name, values, row.line) for row, (name, values) in zip(rows, there.items(), strict=True)
        ]
        again = store.load(reading.fields, rows)
        assert (again.faults, again.added, again.changed) == ((), 0, 0)
    assert _everything(store) == after


HARNESSES: dict[str, Callable[[bytes], None]] = {"volumes": volumes}
