"""From an attachment to volume records: one definition applied to one table, a chunk of columns at a time.

The evaluation order of docs/definitions.md, and where each step is:

    1 text, records        tables.reader                    7 exclusions on values     cells.finish_column
    2 header, start, end   sieve; exclusions: here          8 dates, adjusted          cells.finish_column, dated
    3 literal, extraction  getters, cells.steps             9 repository by name       cells.finish_column, columns
    4 string functions     cells.steps                     10 repository by date       dated
    5 translations         cells.steps                     11 validation               cells.finish_column
    6 by another field     columns                         12 duplicates               duplicates
                                                           13 changes left alone       core.plan

Every row read ends in exactly one way: recorded, skipped (with a reason) or refused (with a problem), in this order
of precedence: outside what is listed, a raw exclusion, a blank row, an exclusion on a value, a problem. Problems and
notes are listed up to a bound and counted without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from typing import TYPE_CHECKING, NamedTuple, cast

from mailsync.core.layout import HIDDEN_ROW
from mailsync.core.model import Attachment, Count, Mapped, Place, Records, Scope, Value
from mailsync.definition.cells import Distinct, Odd, Route
from mailsync.definition.columns import Block, Columns
from mailsync.definition.duplicates import (
    AGREES,
    FIRST,
    LAST,
    Rows,
    Verdict,
    difference,
    empty_rows,
    has_duplicates,
    judge,
    without,
)
from mailsync.definition.model import Definition, Settled
from mailsync.definition.shown import printable
from mailsync.definition.sieve import Sieve, left_out
from mailsync.definition.table import Chunk, ReadTable, Table
from mailsync.definition.told import Told
from mailsync.definition.totals import Totals
from mailsync.definition.wholeness import Wholeness

if TYPE_CHECKING:
    from datetime import date


class RowLimits(NamedTuple):
    """Bounds of one attachment: rows read, cells of a delimited line, characters of a cell that is used, problems and
    notes that are listed. `scopes` bounds those the whole mail speaks of row by row: each costs a sync and a plan.
    """

    rows: int = 2_000_000
    cells: int = 5_000
    cell: int = 4096
    scopes: int = 100
    problems: int = 1000


class Context(NamedTuple):
    """What mapping needs beside the definition: the mail's name, and what the route says.

    `scope` is the route's default, `repositories` what its reports call them -> Repository-ID, `timezone` an IANA
    name (empty: UTC). `read` is tables.reader.read_table: definitions and tables do not know each other. `spoken` are
    the scopes that the mail's other attachments speak of. `today` is the day in that zone, for rules by date;
    `subject` is the mail's. `day_first` is whether dates whose order is open have their day first, None: not said.
    """

    read: ReadTable
    mail: str = ""
    scope: Scope | None = None
    repositories: Mapping[str, str] = {}
    timezone: str = ""
    limits: RowLimits = RowLimits()
    spoken: frozenset[Scope] = frozenset()
    today: date | None = None
    subject: str = ""
    day_first: bool | None = None


def map_attachment(attachment: Attachment, definition: Definition, context: Context) -> Mapped:
    """The records of the attachment, and what became of every row that gave none.

    Raises ConfigurationError when the context's time zone is needed and unknown, or today is needed and not given.
    """
    table = context.read(attachment, definition.layout, context.limits.cells)
    route = route_of(attachment, context)
    settled = in_one_order(attachment, definition, context)
    sieve = Sieve(definition)
    columns = Columns(settled.definition, table, context.scope, route, sieve=sieve)
    draft = _Draft(Place(context.mail, attachment.path, printable(table.name)), definition, context, sieve)
    if table.guess:
        draft.told.note(0, 0, table.guess, "set encoding in the definition's table")
    if settled.note:
        draft.told.note(0, 0, *settled.note)
    if table.fault:
        draft.told.problem(0, 0, table.fault, table.hint or "send it again")
    elif columns.faults:
        draft.refuse_all(table, columns)
    else:
        draft.record_all(table, columns)
    draft.look_for_quoting(attachment)
    return draft.mapped(columns.fields)


def route_of(attachment: Attachment, context: Context) -> Route:
    """What the fields of the attachment take from the mail and its route."""
    given = {"attachment": attachment.path, "subject": context.subject}
    return Route(context.repositories, context.timezone, context.limits.cell, context.today, given, context.day_first)


def in_one_order(attachment: Attachment, definition: Definition, context: Context) -> Settled:
    """(8) the definition with the order of its dates decided, where it leaves that open, by all of the attachment."""
    if all(len(rule.dates) < 2 for rule in definition.fields):
        return Settled(definition)
    from mailsync.definition.day_order import settle_order

    def read() -> Table:
        return context.read(attachment, definition.layout, context.limits.cells)

    return settle_order(definition, route_of(attachment, context), read, most=context.limits.rows)


class _Draft:
    """A mapping in the making: what has become of the rows so far."""

    def __init__(self, place: Place, definition: Definition, context: Context, sieve: Sieve) -> None:
        self.told = Told(place, context.limits.problems)
        self._place = place
        self._definition = definition
        self._context = context
        self._sieve = sieve
        self._totals = Totals()
        self._list = Wholeness(definition, place)
        self._read = self._rows = self._refused = 0
        self._applicable = True
        self._skipped: Counter[str] = Counter()
        self._spoken = set(context.spoken)
        self._recorded: dict[Scope, Rows] = {}
        self._share: Distinct[tuple[Value, ...], tuple[Value, ...]] = Distinct(list)

    def look_for_quoting(self, attachment: Attachment) -> None:
        """Notes that the mail quotes the report, where that may be why nothing of it could be read."""
        content = attachment.content
        if not self._recorded and 2 * content.count(b"\n>") > content.count(b"\n") > 0:
            hint = "send the report itself, or forward its mail as an attachment"
            self.told.note(0, 0, "most of its lines begin with >: the mail quotes the report", hint)

    def refuse_all(self, table: Table, columns: Columns) -> None:
        """Counts the rows of a table that none can be read of, and says why once."""
        for fault in columns.faults:
            self.told.problem(0, *fault)
        for _, chunk in self._chunks(table):
            no_rows = left_out(self._definition.skips, chunk, table.padding) | self._sieve.sift(chunk)
            self._skipped.update(one.text for one in no_rows.values())
            self._refused += len(chunk.raw) - len(no_rows)

    def record_all(self, table: Table, columns: Columns) -> None:
        """Reads every row: recorded, skipped or refused."""
        for first, chunk in self._chunks(table):
            sifted = self._sieve.sift(chunk)
            block = columns.apply(chunk)
            no_rows = left_out(self._definition.skips, chunk, table.padding) | sifted
            self._check_totals(chunk, len(no_rows))
            odd = block.odd | no_rows
            if not isinstance(block.scopes, Scope):
                odd |= self._beyond_scopes(block.scopes, odd)
            for index in sorted(odd):
                self._drop(odd[index], first + index, chunk.lines[index])
                if not odd[index].skip:
                    scope = block.scopes if isinstance(block.scopes, Scope) else block.scopes[index]
                    self._list.refused(block.volumes[index], scope)
            self._record(block, odd, range(first, first + len(chunk.raw)), chunk.lines)
        if not self._rows and self._applicable and not self._definition.min_rows:
            self.told.note(0, 0, "there are no rows in it")
        if self._applicable:
            self._settle_duplicates(columns.fields)

    def mapped(self, fields: tuple[str, ...]) -> Mapped:
        """What has become of the attachment. One that breaks off, or has too many rows or too few, is refused whole."""
        refused, records = self._refused, self._records(fields)
        if not self._applicable or self._too_few(records):
            refused, records = self._read - self._skipped.total(), ()
        return Mapped(
            attachment=self._place.attachment,
            kind=self._definition.layout.kind,
            definition=self._definition.name,
            digest=self._definition.digest,
            read=self._read,
            refused=refused,
            skipped=tuple(Count(reason, rows) for reason, rows in sorted(self._skipped.items())),
            records=records,
            problems=self.told.problems,
            notes=self.told.notes,
            unlisted=self.told.unlisted,
            gaps=self._list.gaps(records),
        )

    def _too_few(self, records: Iterable[Records]) -> bool:
        """True, and a problem, when the definition expects more records than there are."""
        recorded, least = sum(len(one.volumes) for one in records), self._definition.min_rows
        if recorded < least:
            text = f"it has {recorded} usable rows, fewer than the definition's min_rows: {least}"
            self.told.problem(0, 0, text, "nothing of it is applied: send the whole report, or correct min_rows")
        return recorded < least

    def _chunks(self, table: Table) -> Iterator[tuple[int, Chunk]]:
        """The chunks with the number of their first row, while the rows are within the limit."""
        most = self._context.limits.rows
        for chunk in table.chunks:
            self._read += sum(chunk.left_out.values())
            self._skipped.update(chunk.left_out)
            if HIDDEN_ROW in chunk.left_out:
                self._list.doubt(f"{chunk.left_out[HIDDEN_ROW]} of its rows are hidden")
            if self._rows + len(chunk.raw) > most:
                self._refuse_whole(0, f"more than {most} rows", "raise the limit on rows, or send the report in parts")
                return
            first = self._rows + 1
            self._rows += len(chunk.raw)
            self._read += len(chunk.raw)
            yield first, chunk
            if chunk.flaw:
                self._refuse_whole(chunk.flaw.line, chunk.flaw.text, chunk.flaw.hint)

    def _refuse_whole(self, line: int, text: str, hint: str) -> None:
        """Says why nothing of the table counts, instead of what is wrong with its rows."""
        self._applicable = False
        self.told.only(line, text, hint)

    def _check_totals(self, chunk: Chunk, left_out: int) -> None:
        """The totals that the report says itself."""
        if chunk.totals:
            self._list.total_said()
        for one in self._totals.check(len(chunk.raw) - left_out, chunk.totals):
            self._list.doubt(f"line {one.line}: {one.text}")
            tell = self.told.problem if one.refuses else self.told.note
            tell(0, one.line, one.text, "the report is not whole, or lists what its total does not count")

    def _beyond_scopes(self, scopes: Sequence[Scope | Odd], odd: Mapping[int, Odd]) -> dict[int, Odd]:
        """The rows of scopes that appear when the mail has spoken of as many as it may."""
        if self._spoken.issuperset(scopes):
            return {}
        most = self._context.limits.scopes
        text = f"the report speaks of more than {most} scopes"
        beyond = Odd(skip=False, text=text, hint="raise limits.scopes if that is right")
        found = {}
        for index, scope in enumerate(scopes):
            if index in odd or isinstance(scope, Odd) or scope in self._spoken:
                continue
            if len(self._spoken) < most:
                self._spoken.add(scope)
            else:
                found[index] = beyond
        return found

    def _drop(self, one: Odd, row: int, line: int) -> None:
        if one.skip:
            self._skipped[one.text] += 1
        else:
            self._refused += 1
            self.told.problem(row, line, one.text, one.hint)

    def _record(self, block: Block, odd: dict[int, Odd], rows: Sequence[int], lines: Sequence[int]) -> None:
        kept = bytearray(b"\1") * len(rows)
        for index in odd:
            kept[index] = 0
        volumes = cast("Iterable[str]", compress(block.volumes, kept))
        columns = cast("list[list[Value]]", [list(compress(column, kept)) for column in block.columns])
        if isinstance(block.scopes, Scope):
            recorded = self._recorded.setdefault(block.scopes, empty_rows())
            recorded.volumes.extend(volumes)
            recorded.values.extend(columns, len(rows) - len(odd))
            recorded.rows.extend(compress(rows, kept))
            recorded.lines.extend(compress(lines, kept))
            return
        # Equal tuples become one object: most rows of a report say what others say.
        values = self._share(list(zip(*columns, strict=True) if columns else repeat((), len(rows) - len(odd))))
        places = zip(compress(rows, kept), compress(lines, kept), strict=True)
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
            text += f": {difference(fields, rows.values[place], rows.values[other])}"
        if verdict.refused:
            self._refused += 1
            self._list.refused(rows.volumes[place], scope)
            self.told.problem(row, line, text, "correct the report, or set duplicates in the definition")
            return
        reason = {"first": FIRST, "last": LAST}[policy] if verdict.contradicts else AGREES
        self._skipped[reason] += 1
        if verdict.contradicts or policy == "agree":
            self.told.note(row, line, text)

    def _records(self, fields: tuple[str, ...]) -> tuple[Records, ...]:
        return tuple(
            Records(
                scope,
                fields,
                rows.volumes,
                rows.values.plain(),
                rows.rows,
                rows.lines,
                places=(self._place,),
                which=bytes(len(rows.volumes)),
            )
            for scope, rows in sorted(self._recorded.items())
            if rows.volumes
        )
