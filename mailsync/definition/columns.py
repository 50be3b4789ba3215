"""A definition's fields bound to the columns of one table: resolved once, then applied to each chunk of rows.

Getters are resolved against the captions here, so that nothing is looked up per row. A caption that is missing makes
an optional field silent; any other is the fault of the whole table, because every row lacks it. A row that is too
short for a column is a problem of that row, unless the field is optional.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import or_
from typing import NamedTuple

from mailsync.core.fields import SYNC_FIELDS
from mailsync.core.model import Scope, parse_scope
from mailsync.definition.captions import Sought, caption_fault
from mailsync.definition.cells import (
    Checked,
    Distinct,
    Odd,
    Route,
    empty_field,
    field_label,
    finish_column,
    prepare_column,
    shown,
)
from mailsync.definition.dated import ByDate, adjustment
from mailsync.definition.getters import Get, getter
from mailsync.definition.model import CrossTranslation, Definition, FieldRule
from mailsync.definition.sieve import Sieve
from mailsync.definition.strings import translated
from mailsync.definition.table import Chunk, Table

_Prepare = Callable[[list[str]], list[str]]
_Finish = Callable[[list[str]], list[Checked]]
_SHORT_HINT = "optional: true for the field, if the column may be missing"


class Block(NamedTuple):
    """A chunk's columns: volumes, scopes (one for all, or one per row), a column per field of `Columns.fields`.

    `odd` says which rows must not be recorded and why; their entries in the columns mean nothing.
    """

    volumes: list[Checked]
    scopes: Scope | list[Scope | Odd]
    columns: list[list[Checked]]
    odd: dict[int, Odd]


class Bound(NamedTuple):
    """A field whose column is known. `whole` is `prepare` and `finish` in one, each distinct text once."""

    rule: FieldRule
    get: Get
    prepare: _Prepare
    finish: _Finish
    whole: _Finish


class Fault(NamedTuple):
    """Why no row of a table can be read: the line that says so (0: none does), the cause, and what to do."""

    line: int
    text: str
    hint: str


class Columns:
    """A definition bound to a table. With any `faults`, no row of it can be read.

    `fields` names the columns of every block, in the order of SYNC_FIELDS: what the report speaks of. `bound` are the
    fields that the table has, in the definition's order.
    """

    def __init__(
        self, definition: Definition, table: Table, scope: Scope | None, route: Route, *, sieve: Sieve
    ) -> None:
        self.faults: list[Fault] = []
        self._longest = route.longest
        self._crosses = [(one, _crossing(one)) for one in definition.cross]
        self._looked_at = {name for one in definition.cross for name in (one.field, one.source)}
        self._looked_at |= {one.field for rule in definition.fields for one in rule.adjust}
        self._looked_at |= {one.field for one in definition.by_date}
        rules = {rule.name: rule for rule in definition.fields}
        self._unlike = [(rule, rules[rule.unlike]) for rule in definition.fields if rule.unlike]
        self._looked_at |= {rule.name for pair in self._unlike for rule in pair}
        place = rules.get("repository")
        self._place = place if place and place.required and "repository_desc" in rules else None
        self._adjustments = {rule.name: adjustment(rule) for rule in definition.fields if rule.adjust}
        self._by_date = ByDate(definition, route) if definition.by_date else None
        self.bound: dict[str, Bound] = {}
        lost: list[Sought] = []
        for rule in definition.fields:
            get = getter(rule, table.captions, lost, sieve, route.given)
            if get is not None:
                self.bound[rule.name] = _bind(rule, get, definition, route)
        if lost:
            self.faults.append(Fault(table.header_line, *caption_fault(lost, table.captions, definition.layout)))
        given = {"repository" if name == "repository_desc" else name for name in self.bound}
        if definition.by_date:
            given |= {"repository", *("move_date" for one in definition.by_date if one.move_after >= 0)}
        self.fields = tuple(name for name in SYNC_FIELDS if name in given)
        self._customer = definition.customer or (scope.customer if scope else "")
        self._media = definition.media or (scope.media if scope else "")
        self._scope = None if given & {"customer", "media", "barcode"} else self._only_scope()
        self._scopes: Distinct[str, Scope | Odd] = Distinct(_parse_scopes)

    def apply(self, chunk: Chunk) -> Block:
        """The chunk's values, column by column."""
        odd = {index: Odd(skip=False, text=reason) for index, reason in chunk.broken}
        long = self._long(chunk)
        texts: dict[str, list[str]] = {}
        checked: dict[str, list[Checked]] = {}
        for name, bound in self.bound.items():
            if name in self._looked_at:
                texts[name] = bound.prepare(self._cells(bound, chunk, long, odd))
            elif bound.rule.take is None and bound.rule.join is None:
                checked[name] = bound.whole([bound.rule.literal or ""]) * len(chunk.raw)
            else:
                checked[name] = bound.whole(self._cells(bound, chunk, long, odd))
        self._translate(texts)
        for name, prepared in texts.items():
            checked[name] = self.bound[name].finish(prepared)
        # (8) dates are adjusted once all of them are read
        for name, adjust in self._adjustments.items():
            if name in checked:
                checked[name] = adjust(checked[name], texts)
        for values in checked.values():
            _gather(values, odd)
        self._judge(checked, texts, odd, len(chunk.raw))
        volumes, scopes = self._keys(checked, len(chunk.raw))
        if isinstance(scopes, list):
            _gather(scopes, odd)
        self._decide_by_date(checked, texts, len(chunk.raw))
        columns = [_field_column(name, checked, len(chunk.raw)) for name in self.fields]
        return Block(volumes, scopes, columns, odd)

    def texts(self, chunk: Chunk, names: Collection[str]) -> dict[str, list[str]]:
        """The texts of these fields after step 6, of every row; what they are translated from must be among them."""
        long = self._long(chunk)
        bound = [(name, self.bound[name]) for name in self.bound if name in names]
        texts = {name: one.prepare(self._cells(one, chunk, long, {})) for name, one in bound}
        self._translate(texts)
        return texts

    def _judge(
        self, checked: dict[str, list[Checked]], texts: Mapping[str, list[str]], odd: dict[int, Odd], rows: int
    ) -> None:
        """(11) what several fields of a row cannot say together."""
        for pair in self._unlike:
            _gather(_alike(*pair, texts), odd)
        if self._place:
            _gather(_lost(self._place, checked, rows), odd)

    def _long(self, chunk: Chunk) -> list[int]:
        """The rows that may hold a cell that is too long: only a row that is long itself can."""
        if max(map(len, chunk.raw), default=0) <= self._longest:
            return []
        return [index for index, text in enumerate(chunk.raw) if len(text) > self._longest]

    def _translate(self, texts: dict[str, list[str]]) -> None:
        """(6) in file order: what one has changed may be what the next looks at; each field is translated once."""
        done: dict[str, list[bool]] = {}
        for cross, work in self._crosses:
            if cross.field not in texts or cross.source not in texts:
                continue
            own, before = texts[cross.field], done.get(cross.field)
            found = work(list(zip(texts[cross.source], own, strict=True)))
            if before is not None:
                found = [None if known else one for known, one in zip(before, found, strict=True)]
            texts[cross.field] = [text if one is None else one for text, one in zip(own, found, strict=True)]
            fresh = [one is not None for one in found]
            done[cross.field] = fresh if before is None else list(map(or_, before, fresh))

    def _decide_by_date(self, checked: dict[str, list[Checked]], texts: Mapping[str, list[str]], rows: int) -> None:
        """(10) the repositories and move dates that rules by date give."""
        if self._by_date is None:
            return
        decided = self._by_date.decide(checked, texts, rows)
        for name in ("repository", "move_date"):
            if name in self.fields:
                own = _field_column(name, checked, rows)
                found = [None if one is None else getattr(one, name) for one in decided]
                checked[name] = [text if one is None else one for text, one in zip(own, found, strict=True)]

    def _only_scope(self) -> Scope | None:
        """The scope of every row, when no field says it per row."""
        scope = parse_scope(f"{self._customer}.{self._media}")
        if scope is None:
            self.faults.append(
                Fault(0, "no customer and media are given", "set scope in the definition or in the route")
            )
        return scope

    def _cells(self, bound: Bound, chunk: Chunk, long: Sequence[int], odd: dict[int, Odd]) -> list[str]:
        """The field's cells; notes the rows that are too short for it, and those `long` ones that hold too much."""
        column, short = bound.get(chunk)
        label = field_label(bound.rule)
        for index in short:
            text = f"{label}: the row ends at column {len(chunk.cells[index])}"
            odd.setdefault(index, Odd(skip=False, text=text, hint=_SHORT_HINT))
        for index in long:
            size = len(column[index])
            if size > self._longest:
                text = f"{label}: a cell of {size} characters is longer than {self._longest}"
                odd.setdefault(index, Odd(skip=False, text=text, hint="shorten it, or raise limits.cell"))
                column[index] = column[index][: self._longest]
        return column

    def _keys(self, checked: dict[str, list[Checked]], rows: int) -> tuple[list[Checked], Scope | list[Scope | Odd]]:
        """The volumes, and the scope of all rows or the scope of each."""
        if self._scope is not None:
            return checked["volume"], self._scope
        customers = checked.get("customer") or [None] * rows
        medias = checked.get("media") or [None] * rows
        heads = [
            f"{customer or self._customer}.{media or self._media}"
            for customer, media in zip(customers, medias, strict=True)
        ]
        if "barcode" not in checked:
            return checked["volume"], self._scopes(heads)
        # (11) a fully qualified barcode says its scope itself
        parts = [
            barcode.rpartition(".") if isinstance(barcode, str) else ("", "", "") for barcode in checked["barcode"]
        ]
        heads = [head or default for (head, _, _), default in zip(parts, heads, strict=True)]
        return [volume for _, _, volume in parts], self._scopes(heads)


def _bind(rule: FieldRule, get: Get, definition: Definition, route: Route) -> Bound:
    if rule.name == "repository" and any(one.name == "repository_desc" for one in definition.fields):
        # Its description may say it instead: see _lost.
        rule = rule._replace(required=False)
    prepare = prepare_column(rule)
    finish = finish_column(rule, [skip for skip in definition.skips if skip.field == rule.name], route)

    def work(column: list[str]) -> list[Checked]:
        return finish(prepare(column))

    return Bound(rule, get, Distinct(prepare), Distinct(finish), Distinct(work))


def _crossing(cross: CrossTranslation) -> Distinct[tuple[str, str], str | None]:
    """From columns of (source, own) to new texts: by the first translation whose filter the source matches, or None."""

    def one(source: str, own: str) -> str | None:
        result = next((one.result for one in cross.table if one.filter.matches(source)), None)
        return None if result is None else translated(own, result)

    return Distinct(lambda pairs: [one(source, own) for source, own in pairs])


def _alike(rule: FieldRule, other_rule: FieldRule, texts: Mapping[str, list[str]]) -> list[Odd | None]:
    """A problem for each row in which both fields say the same."""
    if rule.name not in texts or other_rule.name not in texts:
        return []
    pairs = zip(texts[rule.name], texts[other_rule.name], strict=True)
    labels = f"{field_label(rule)} and {field_label(other_rule)}"
    hint = "one of them is not this row's: is a title above it missing, or not understood?"
    return [
        Odd(skip=False, text=f"{labels} both say {shown(one)}", hint=hint)
        if one and one.casefold() == other.casefold()
        else None
        for one, other in pairs
    ]


def _lost(rule: FieldRule, checked: Mapping[str, list[Checked]], rows: int) -> list[Odd | None]:
    """A problem for each row that says no repository, neither by name nor by description."""
    empty = empty_field(rule)
    return [None if one else empty for one in _field_column(rule.name, checked, rows)]


def _field_column(name: str, checked: Mapping[str, list[Checked]], rows: int) -> list[Checked]:
    """The field's values. (9) a repository's description counts where the row says no repository."""
    said = checked.get(name) or [None] * rows
    described = checked.get("repository_desc") if name == "repository" else None
    if described is None:
        return said
    return [one if one is not None else other for one, other in zip(said, described, strict=True)]


def _gather(column: Sequence[object], odd: dict[int, Odd]) -> None:
    """Adds a column's odd rows: an exclusion wins over a problem, an earlier field over a later one."""
    if Odd not in set(map(type, column)):
        return
    for index, one in enumerate(column):
        if isinstance(one, Odd) and (index not in odd or (one.skip and not odd[index].skip)):
            odd[index] = one


def _parse_scopes(heads: list[str]) -> list[Scope | Odd]:
    return [parse_scope(head) or Odd(skip=False, text=f"{shown(head)} is not a customer and media") for head in heads]
