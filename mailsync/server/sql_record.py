"""What is recorded of a batch beside its effect: who asked for what, with which outcome, and each field it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import Volume
from mailsync.core.outcome import Batch, Carried, Outcome, Result, RowResult
from mailsync.server.access import Principal
from mailsync.server.database import Connection
from mailsync.server.sql_draft import ScopeDraft
from mailsync.server.sql_scope import Standpoint

_DIGITS = "".join(str(result.value) for result in Result)
_NOTHING = Volume()
_PLAIN = {result: RowResult(result) for result in Result}


class Request(NamedTuple):
    """An APPLY as it came in: the batch, the hash of its bytes, who sent it and when."""

    batch: Batch
    hash: bytes
    principal: Principal
    now: int


class Recorded(NamedTuple):
    """A batch that was recorded: its number in the tables, the request's hash, who sent it, and its outcome."""

    number: int
    hash: bytes
    user: str
    outcome: Outcome


def find_recorded(connection: Connection, at: Standpoint, batch: bytes) -> Recorded | None:
    """The recorded batch of this id in the scope."""
    query = (
        'SELECT number, request_hash, "user", first, last, results, texts, overtaken FROM batches '
        "WHERE media = ? AND id = ?"
    )
    row = connection.execute(query, (at.number, batch)).fetchone()
    if row is None:
        return None
    number, request_hash, user, first, last, digits, texts, overtaken = row
    outcome = read_outcome(batch, first, last, digits, texts)._replace(overtaken=bool(overtaken))
    return Recorded(number, request_hash, user, outcome)


def read_outcome(batch: bytes, first: int, last: int, digits: str, texts: str) -> Outcome:
    """The outcome as it was recorded."""
    why = json.loads(texts)
    results = tuple(
        RowResult(Result(int(digit)), why[str(position)]) if str(position) in why else _PLAIN[Result(int(digit))]
        for position, digit in enumerate(digits)
    )
    return Outcome(batch, first, last, results)


def find_carried(connection: Connection, number: int, batch: Batch) -> tuple[Carried, ...]:
    """What a recorded batch moved or confirmed along with the volumes it names, by position and barcode."""
    query = (
        "SELECT DISTINCT c.position, m.customer, m.id, c.volume "
        "FROM changes AS c JOIN media AS m ON m.number = c.media "
        "WHERE c.batch = ? AND c.field IN ('repository', 'current_repository', 'confirmed_repository')"
    )
    scope, operations = str(batch.scope), batch.operations
    return tuple(
        Carried(position, f"{customer}.{media}.{volume}")
        for position, customer, media, volume in sorted(connection.execute(query, (number,)).fetchall())
        if volume != operations[position].volume or f"{customer}.{media}" != scope
    )


def record_batch(connection: Connection, at: Standpoint, request: Request, outcome: Outcome, *, moved: int = 0) -> int:
    """Records the request, its outcome and how many volumes it moved; the number of the batch in the tables."""
    batch = request.batch
    digits = "".join(_DIGITS[result.result] for result in outcome.results)
    texts = {position: result.text for position, result in enumerate(outcome.results) if result.text}
    written = connection.execute(
        'INSERT INTO batches (media, id, request_hash, run, plan, source, asof, base, "user", key_id, time, '
        "first, last, results, texts, overtaken, moved) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
        (
            *(at.number, batch.id, request.hash, batch.run, batch.plan, batch.source, batch.asof, batch.base),
            *(request.principal.user, request.principal.key_id, request.now, outcome.first, outcome.last),
            *(digits, json.dumps(texts), int(outcome.overtaken)),
            moved,
        ),
    )
    number = int(written.fetchall()[0][0])
    places = [(number, position, mail, attachment) for position, (mail, attachment) in enumerate(batch.sources)]
    connection.executemany("INSERT INTO sources (batch, position, mail, attachment) VALUES (?, ?, ?, ?)", places)
    return number


def record_changes(connection: Connection, number: int, written: Sequence[tuple[ScopeDraft, dict[str, int]]]) -> None:
    """Records what the batch changed, scope by scope with the new versions, and which row of a report asked for it."""
    rows: list[tuple[object, ...]] = []
    for draft, versions in written:
        media = draft.at.number
        for position, operation, name, before, after, attributes in draft.touched:
            version, source, row, line = versions[name], operation.source, operation.row, operation.line
            if before is None:
                rows.append((number, len(rows), position, media, name, "volume", version, "", name, source, row, line))
            for field, was, now in chain(zip(FIELD_NAMES, before or _NOTHING, after, strict=True), attributes):
                if was != now:
                    rows.append((number, len(rows), position, media, name, field, version, was, now, source, row, line))
    columns = "batch, number, position, media, volume, field, version, before, after, source, row, line"
    slots = ", ".join("?" * 12)
    connection.executemany(f"INSERT INTO changes ({columns}) VALUES ({slots})", rows)  # noqa: S608 - our own columns
