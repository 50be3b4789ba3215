"""From an attachment to volume records: one definition applied to one table, a chunk of columns at a time.

The evaluation order of docs/definitions.md, and where each step is:

    1 text, records        tables.reader                    7 exclusions on values     cells.finish_column
    2 raw exclusions       here                             8 dates                    cells.finish_column
    3 literal, extraction  columns, cells.prepare_column    9 repository by name       cells.finish_column, columns
    4 string functions     cells.prepare_column            11 validation               cells.finish_column
    5 translations         cells.prepare_column            12 duplicates               duplicates
    6 by another field     columns

Every row read ends in exactly one way: recorded, skipped (with a reason) or refused (with a problem), in this order
of precedence: a raw exclusion, a blank row, an exclusion on a value, a problem. Problems and notes are listed up to a
bound and counted without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from typing import NamedTuple, cast

from mailsync.core.model import Attachment, Count, Mapped, Origin, Place, Problem, Records, Scope, Value
from mailsync.definition.cells import Distinct, Odd, Route, shown
from mailsync.definition.columns import Block, Columns
from mailsync.definition.duplicates import (
    AGREES,
    FIRST,
    LAST,
    Rows,
    Verdict,
    empty_rows,
    has_duplicates,
    judge,
    without,
)
from mailsync.definition.model import Chunk, Definition, ReadTable, Table

_BLANK = Odd(skip=True, text="blank")


class RowLimits(NamedTuple):
    """Bounds of one attachment: rows read, characters of a cell that is used, problems and notes that are listed."""

    rows: int = 2_000_000
    cell: int = 4096
    problems: int = 1000


class Context(NamedTuple):
    """What mapping needs beside the definition: the mail's name, and what the route says.

    `scope` is the route's default, `repositories` what its reports call them -> Repository-ID, `timezone` an IANA
    name (empty: UTC). `read` is tables.reader.read_table: definitions and tables do not know each other.
    """

    read: ReadTable
    mail: str = ""
    scope: Scope | None = None
    repositories: Mapping[str, str] = {}
    timezone: str = ""
    limits: RowLimits = RowLimits()


def map_attachment(attachment: Attachment, definition: Definition, context: Context) -> Mapped:
    """The records of the attachment, and what became of every row that gave none.

    Raises ConfigurationError when the context's time zone is needed and unknown.
    """
    table = context.read(attachment, definition.layout)
    route = Route(context.repositories, context.timezone, context.limits.cell)
    columns = Columns(definition, table.captions, context.scope, route)
    draft = _Draft(attachment.path, definition, context)
    if table.guess:
        draft.note(0, 0, table.guess, "set encoding in the definition's table")
    if table.fault:
        draft.problem(0, 0, f"not readable as text: {table.fault}", "send it again")
    elif columns.faults:
        draft.refuse_all(table, columns)
    else:
        draft.record_all(table, columns)
    return draft.mapped(columns.fields)


class _Draft:
    """A mapping in the making: what has become of the rows so far."""

    def __init__(self, attachment: str, definition: Definition, context: Context) -> None:
        self._attachment = attachment
        self._definition = definition
        self._context = context
        self._raw_skips = [skip for skip in definition.skips if not skip.field]
        self._read = self._refused = 0
        self._too_many = False
        self._skipped: Counter[str] = Counter()
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []
        self._recorded: dict[Scope, Rows] = {}
        self._share: Distinct[tuple[Value, ...], tuple[Value, ...]] = Distinct(list)

    def note(self, row: int, line: int, text: str, hint: str = "") -> None:
        """Notes something that refuses nothing, up to the bound."""
        if len(self._notes) < self._context.limits.problems:
            self._notes.append(Problem(self._origin(row, line), text, hint))

    def problem(self, row: int, line: int, text: str, hint: str = "") -> None:
        """Lists a problem, up to the bound."""
        if len(self._problems) < self._context.limits.problems:
            self._problems.append(Problem(self._origin(row, line), text, hint))

    def refuse_all(self, table: Table, columns: Columns) -> None:
        """Counts the rows of a table that none can be read of, and says why once."""
        for text, hint in columns.faults:
            self.problem(0, 0, text, hint)
        for _, chunk in self._chunks(table):
            left_out = self._left_out(chunk, table.padding)
            self._skipped.update(one.text for one in left_out.values())
            self._refused += len(chunk.raw) - len(left_out)

    def record_all(self, table: Table, columns: Columns) -> None:
        """Reads every row: recorded, skipped or refused."""
        for first, chunk in self._chunks(table):
            block = columns.apply(chunk)
            odd = block.odd | self._left_out(chunk, table.padding)
            for index in sorted(odd):
                self._drop(odd[index], first + index, chunk.lines[index])
            self._record(block, odd, range(first, first + len(chunk.raw)), chunk.lines)
        self._settle_duplicates(columns.fields)

    def mapped(self, fields: tuple[str, ...]) -> Mapped:
        """What has become of the attachment. A table with too many rows is refused whole, not read in part."""
        refused, records = self._refused, self._records(fields)
        if self._too_many:
            refused, records = self._read - self._skipped.total(), ()
        return Mapped(
            attachment=self._attachment,
            kind=self._definition.layout.kind,
            definition=self._definition.name,
            digest=self._definition.digest,
            read=self._read,
            refused=refused,
            skipped=tuple(Count(reason, rows) for reason, rows in sorted(self._skipped.items())),
            records=records,
            problems=tuple(sorted(self._problems, key=_by_row)),
            notes=tuple(sorted(self._notes, key=_by_row)),
        )

    def _chunks(self, table: Table) -> Iterator[tuple[int, Chunk]]:
        """The chunks with the number of their first row, while the rows are within the limit."""
        most = self._context.limits.rows
        for chunk in table.chunks:
            if self._read + len(chunk.raw) > most:
                self._too_many = True
                self._problems.clear()
                self.problem(0, 0, f"more than {most} rows", "raise the limit on rows, or send the report in parts")
                return
            first = self._read + 1
            self._read += len(chunk.raw)
            yield first, chunk

    def _left_out(self, chunk: Chunk, padding: str) -> dict[int, Odd]:
        """(2) the rows whose raw text is excluded, by the first exclusion that matches, or blank."""
        found = dict.fromkeys([index for index, raw in enumerate(chunk.raw) if not raw.strip(padding)], _BLANK)
        for skip in reversed(self._raw_skips):
            reason = Odd(skip=True, text=skip.reason)
            for one in skip.filters:
                found |= dict.fromkeys(one.matching(chunk.raw), reason)
        return found

    def _drop(self, one: Odd, row: int, line: int) -> None:
        if one.skip:
            self._skipped[one.text] += 1
        else:
            self._refused += 1
            self.problem(row, line, one.text, one.hint)

    def _record(self, block: Block, odd: dict[int, Odd], rows: Sequence[int], lines: Sequence[int]) -> None:
        kept = bytearray(b"\1") * len(rows)
        for index in odd:
            kept[index] = 0
        volumes = cast("Iterable[str]", compress(block.volumes, kept))
        columns = cast("list[Iterable[Value]]", [compress(column, kept) for column in block.columns])
        # Equal tuples become one object: most rows of a report say what others say.
        values = self._share(list(zip(*columns, strict=True) if columns else repeat((), len(rows) - len(odd))))
        places = zip(compress(rows, kept), compress(lines, kept), strict=True)
        if isinstance(block.scopes, Scope):
            recorded = self._recorded.setdefault(block.scopes, empty_rows())
            recorded.volumes.extend(volumes)
            recorded.values.extend(values)
            recorded.rows.extend(compress(rows, kept))
            recorded.lines.extend(compress(lines, kept))
            return
        scopes = cast("Iterable[Scope]", compress(block.scopes, kept))
        for scope, volume, value, place in zip(scopes, volumes, values, places, strict=True):
            self._recorded.setdefault(scope, empty_rows()).add(volume, value, *place)

    def _settle_duplicates(self, fields: tuple[str, ...]) -> None:
        """(12) no volume is recorded twice."""
        policy = self._definition.duplicates
        for scope, rows in self._recorded.items():
            if not has_duplicates(rows):
                continue
            dropped = []
            for verdict in judge(rows, policy):
                dropped.append(verdict.place)
                self._settle(verdict, scope, rows, fields)
            self._recorded[scope] = without(rows, dropped)

    def _settle(self, verdict: Verdict, scope: Scope, rows: Rows, fields: tuple[str, ...]) -> None:
        place, other, policy = verdict.place, verdict.other, self._definition.duplicates
        row, line = rows.rows[place], rows.lines[place]
        text = f"volume {scope}.{rows.volumes[place]} is listed in line {rows.lines[other]} too"
        if verdict.contradicts:
            text += f": {_difference(fields, rows.values[place], rows.values[other])}"
        if verdict.refused:
            self._refused += 1
            self.problem(row, line, text, "correct the report, or set duplicates in the definition")
            return
        reason = {"first": FIRST, "last": LAST}[policy] if verdict.contradicts else AGREES
        self._skipped[reason] += 1
        if verdict.contradicts or policy == "agree":
            self.note(row, line, text)

    def _records(self, fields: tuple[str, ...]) -> tuple[Records, ...]:
        place = Place(self._context.mail, self._attachment)
        return tuple(
            Records(scope, fields, *rows, places=(place,), which=bytes(len(rows.volumes)))
            for scope, rows in sorted(self._recorded.items())
            if rows.volumes
        )

    def _origin(self, row: int, line: int) -> Origin:
        return Origin(self._context.mail, self._attachment, "", row, line)


def _difference(fields: tuple[str, ...], here: tuple[Value, ...], there: tuple[Value, ...]) -> str:
    """What two rows say differently."""
    pairs = zip(fields, here, there, strict=True)
    return ", ".join(f"{name} {_said(one)} here, {_said(other)} there" for name, one, other in pairs if one != other)


def _said(value: Value) -> str:
    return "not said" if value is None else shown(value) if value else "unset"


def _by_row(problem: Problem) -> tuple[int, str]:
    return problem.origin.row, problem.text
