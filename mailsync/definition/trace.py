"""One row followed through a definition: what each step made of each field, and what became of the row.

The steps are those that mapping takes, called one by one; the outcome is the mapping's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailsync.core.model import Attachment, Mapped
from mailsync.definition.cells import Checked, Odd, field_label, shown, skipped, steps
from mailsync.definition.columns import Block, Columns
from mailsync.definition.mapping import Context, in_one_order, map_attachment, route_of
from mailsync.definition.model import Definition
from mailsync.definition.sieve import Sieve, left_out
from mailsync.definition.strings import translated
from mailsync.definition.table import Chunk


class FieldTrace(NamedTuple):
    """What became of one field: (step, text after it), and the value, or why there is none."""

    field: str
    steps: tuple[tuple[str, str], ...]
    value: str


class RowTrace(NamedTuple):
    """What became of one row: its line, its text, how it ended, and its fields."""

    line: int
    raw: str
    outcome: str
    fields: tuple[FieldTrace, ...]


def trace_row(attachment: Attachment, definition: Definition, context: Context, row: int) -> RowTrace | None:
    """What a definition makes of the row (from 1, headers not counted); None when there is no such row."""
    table = context.read(attachment, definition.layout, context.limits.cells)
    sieve = Sieve(definition)
    settled = in_one_order(attachment, definition, context)
    columns = Columns(settled.definition, table, context.scope, route_of(attachment, context), sieve=sieve)
    first = 1
    for chunk in table.chunks:
        sifted = sieve.sift(chunk)
        index = row - first
        first += len(chunk.raw)
        if not 0 <= index < len(chunk.raw):
            continue
        mapped = map_attachment(attachment, definition, context)
        out = (left_out(definition.skips, chunk, table.padding) | sifted).get(index)
        fields: tuple[FieldTrace, ...] = ()
        outcome = _outcome(mapped, row, out)
        if not columns.faults:
            block = columns.apply(chunk)
            fields = tuple(_fields(definition, columns, chunk, block, index))
            outcome = _outcome(mapped, row, out or block.odd.get(index))
        return RowTrace(chunk.lines[index], chunk.raw[index], outcome, fields)
    return None


def _outcome(mapped: Mapped, row: int, odd: Odd | None) -> str:
    if odd is not None:
        return f"left out: {odd.text}" if odd.skip else f"a problem: {odd.text}"
    for records in mapped.records:
        if row in records.rows:
            return f"recorded as {records.scope}.{records.volumes[list(records.rows).index(row)]}"
    told = [one.text for one in (*mapped.problems, *mapped.notes) if one.origin.row in (0, row)]
    return f"not recorded: {told[0]}" if told else "not recorded: it repeats another row"


def _fields(definition: Definition, columns: Columns, chunk: Chunk, block: Block, index: int) -> Sequence[FieldTrace]:
    taken = {name: _prepared(columns, name, chunk, index) for name in columns.bound}
    texts = {name: found[-1][1] for name, found in taken.items()}
    done: set[str] = set()
    for cross in definition.cross:
        if cross.field not in texts or cross.source not in texts or cross.field in done:
            continue
        result = next((one.result for one in cross.table if one.filter.matches(texts[cross.source])), None)
        if result is not None:
            done.add(cross.field)
            texts[cross.field] = translated(texts[cross.field], result)
            taken[cross.field].append((f"translate from {cross.source}", texts[cross.field]))
    for skip in definition.skips:
        if skip.field in texts and list(skipped(skip, [texts[skip.field]])):
            taken[skip.field].append(("skip", skip.reason))
    final = dict(zip(columns.fields, (column[index] for column in block.columns), strict=True))
    for name, found in taken.items():
        found.extend(_finished(columns, name, texts[name], final.get(name)))
    taken |= {name: [("by_date", _said(value))] for name, value in final.items() if name not in taken and value}
    return [FieldTrace(name, tuple(found[:-1]), found[-1][1]) for name, found in taken.items()]


def _prepared(columns: Columns, name: str, chunk: Chunk, index: int) -> list[tuple[str, str]]:
    bound = columns.bound[name]
    text = bound.get(chunk)[0][index]
    found = [(field_label(bound.rule) if bound.rule.take or bound.rule.join else "value", text)]
    for step in steps(bound.rule):
        before, text = text, step.work(text)
        if text != before or step.name != "strip":
            found.append((step.name, text))
    return found


def _finished(columns: Columns, name: str, text: str, final: Checked) -> list[tuple[str, str]]:
    """Steps 8 to 11, where they change the text, and last the value for people."""
    checked = columns.bound[name].finish([text])[0]
    if isinstance(checked, Odd):
        return [("", f"left out: {checked.text}" if checked.skip else f"a problem: {checked.text}")]
    found = [("value", checked)] if checked is not None and checked != text else []
    if name not in columns.fields or isinstance(final, Odd):
        return [*found, ("", _said(checked))]
    if final != checked and final is not None:
        found.append(("adjust" if columns.bound[name].rule.adjust else "by_date", final))
    return [*found, ("", _said(final))]


def _said(value: Checked) -> str:
    return "says nothing" if value is None else shown(str(value)) if value else "unset"
