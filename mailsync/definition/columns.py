"""A definition's fields bound to the columns of one table: resolved once, then applied to each chunk of rows.

Getters are resolved against the captions here, so that nothing is looked up per row. A caption that is missing makes
an optional field silent; any other is the fault of the whole table, because every row lacks it. A row that is too
short for a column is a problem of that row, unless the field is optional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

from mailsync.core.fields import SYNC_FIELDS
from mailsync.core.model import Scope, parse_scope
from mailsync.definition.cells import Checked, Distinct, Odd, Route, field_label, finish_column, prepare_column, shown
from mailsync.definition.model import Chunk, CrossTranslation, Definition, FieldRule, Take
from mailsync.definition.strings import translated

_Prepare = Callable[[list[str]], list[str]]
_Finish = Callable[[list[str]], list[Checked]]
_Get = Callable[[Chunk], tuple[list[str], Sequence[int]]]
_LISTED_CAPTIONS = 40


class Block(NamedTuple):
    """A chunk's columns: volumes, scopes (one for all, or one per row), a column per field of `Columns.fields`.

    `odd` says which rows must not be recorded and why; their entries in the columns mean nothing.
    """

    volumes: list[Checked]
    scopes: Scope | list[Scope | Odd]
    columns: list[list[Checked]]
    odd: dict[int, Odd]


class _Bound(NamedTuple):
    """A field whose column is known. `whole` is `prepare` and `finish` in one, each distinct text once."""

    rule: FieldRule
    get: _Get
    prepare: _Prepare
    finish: _Finish
    whole: _Finish


class Columns:
    """A definition bound to a table. `faults` are (text, hint) of the whole table; with any, no row can be read.

    `fields` names the columns of every block, in the order of SYNC_FIELDS: what the report speaks of.
    """

    def __init__(self, definition: Definition, captions: tuple[str, ...], scope: Scope | None, route: Route) -> None:
        self.faults: list[tuple[str, str]] = []
        self._longest = route.longest
        self._crosses = [(one, _crossing(one)) for one in definition.cross]
        self._crossed = {name for one in definition.cross for name in (one.field, one.source)}
        self._bound: dict[str, _Bound] = {}
        for rule in definition.fields:
            get = self._getter(rule, captions)
            if get is not None:
                self._bound[rule.name] = _bind(rule, get, definition, route)
        given = {"repository" if name == "repository_desc" else name for name in self._bound}
        self.fields = tuple(name for name in SYNC_FIELDS if name in given)
        self._customer = definition.customer or (scope.customer if scope else "")
        self._media = definition.media or (scope.media if scope else "")
        self._scope = None if given & {"customer", "media", "barcode"} else self._only_scope()
        self._scopes: Distinct[str, Scope | Odd] = Distinct(_parse_scopes)

    def apply(self, chunk: Chunk) -> Block:
        """The chunk's values, column by column."""
        odd = {index: Odd(skip=False, text=reason) for index, reason in chunk.broken}
        # A cell can be too long only in a row that is.
        long: list[int] = []
        if max(map(len, chunk.raw), default=0) > self._longest:
            long = [index for index, text in enumerate(chunk.raw) if len(text) > self._longest]
        texts: dict[str, list[str]] = {}
        checked: dict[str, list[Checked]] = {}
        for name, bound in self._bound.items():
            if name in self._crossed:
                texts[name] = bound.prepare(self._cells(bound, chunk, long, odd))
            elif bound.rule.take is None:
                checked[name] = bound.whole([bound.rule.literal or ""]) * len(chunk.raw)
            else:
                checked[name] = bound.whole(self._cells(bound, chunk, long, odd))
        # (6) in file order: what one of them has changed may be what the next one looks at
        for cross, work in self._crosses:
            if cross.field in texts and cross.source in texts:
                texts[cross.field] = work(list(zip(texts[cross.source], texts[cross.field], strict=True)))
        for name, prepared in texts.items():
            checked[name] = self._bound[name].finish(prepared)
        for values in checked.values():
            _gather(values, odd)
        volumes, scopes = self._keys(checked, len(chunk.raw))
        if isinstance(scopes, list):
            _gather(scopes, odd)
        return Block(volumes, scopes, [_field_column(name, checked) for name in self.fields], odd)

    def _only_scope(self) -> Scope | None:
        """The scope of every row, when no field says it per row."""
        scope = parse_scope(f"{self._customer}.{self._media}")
        if scope is None:
            self.faults.append(("no customer and media are given", "set scope in the definition or in the route"))
        return scope

    def _getter(self, rule: FieldRule, captions: tuple[str, ...]) -> _Get | None:
        """How the field's cells are taken from a chunk; None when the table does not have them."""
        take = rule.take
        if take is None:
            said = rule.literal or ""
            return lambda chunk: ([said] * len(chunk.raw), ())
        if take.end:
            return lambda chunk: ([line[take.start : take.end] for line in chunk.raw], ())
        if not take.caption:
            return _cells_at(take.column - 1, take) if take.column else lambda chunk: (list(chunk.raw), ())
        places = _find_caption(take.caption, captions)
        if len(places) == 1:
            return _cells_at(places[0], take)
        if places:
            numbers = " and ".join(str(place + 1) for place in places)
            text = f'caption "{take.caption}" is there more than once: columns {numbers}'
            self.faults.append((text, "use the column's number"))
        elif not take.optional:
            self.faults.append(_missing_caption(take.caption, captions))
        return None

    def _cells(self, bound: _Bound, chunk: Chunk, long: Sequence[int], odd: dict[int, Odd]) -> list[str]:
        """The field's cells; notes the rows that are too short for it, and those `long` ones that hold too much."""
        column, short = bound.get(chunk)
        label = field_label(bound.rule)
        for index in short:
            text = f"{label}: the row ends at column {len(chunk.cells[index])}"
            odd.setdefault(index, Odd(skip=False, text=text))
        for index in long:
            size = len(column[index])
            if size > self._longest:
                text = f"{label}: a cell of {size} characters is longer than {self._longest}"
                odd.setdefault(index, Odd(skip=False, text=text))
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


def _bind(rule: FieldRule, get: _Get, definition: Definition, route: Route) -> _Bound:
    prepare = prepare_column(rule)
    finish = finish_column(rule, [skip for skip in definition.skips if skip.field == rule.name], route)

    def work(column: list[str]) -> list[Checked]:
        return finish(prepare(column))

    return _Bound(rule, get, Distinct(prepare), Distinct(finish), Distinct(work))


def _crossing(cross: CrossTranslation) -> Distinct[tuple[str, str], str]:
    """From columns of (source, own) to the field's new texts: the first translation whose filter the source matches."""

    def one(source: str, own: str) -> str:
        result = next((one.result for one in cross.table if one.filter.matches(source)), None)
        return own if result is None else translated(own, result)

    return Distinct(lambda pairs: [one(source, own) for source, own in pairs])


def _cells_at(index: int, take: Take) -> _Get:
    """Takes the cells of the column at `index` (from 0), and tells which rows do not reach it."""
    taken = itemgetter(index)

    def get(chunk: Chunk) -> tuple[list[str], Sequence[int]]:
        try:
            return list(map(taken, chunk.cells)), ()
        except IndexError:
            column = [cells[index] if len(cells) > index else "" for cells in chunk.cells]
            return column, () if take.optional else [at for at, cells in enumerate(chunk.cells) if len(cells) <= index]

    return get


def _find_caption(wanted: str, captions: tuple[str, ...]) -> list[int]:
    """The places of the caption: as it is written, else without case."""
    exact = [place for place, caption in enumerate(captions) if caption == wanted]
    folded = wanted.casefold()
    return exact or [place for place, caption in enumerate(captions) if caption.casefold() == folded]


def _missing_caption(wanted: str, captions: tuple[str, ...]) -> tuple[str, str]:
    import difflib

    close = difflib.get_close_matches(wanted, captions, n=1)
    hint = f"did you mean {shown(close[0])}?" if close else "the report's layout has changed, or it is another report"
    listed = ", ".join(shown(caption) for caption in captions[:_LISTED_CAPTIONS])
    return f'caption "{wanted}" was not found; captions are {listed or "none"}', hint


def _field_column(name: str, checked: dict[str, list[Checked]]) -> list[Checked]:
    """The field's values. (9) a repository's description counts where the row says no repository."""
    described = checked.get("repository_desc") if name == "repository" else None
    if described is None or "repository" not in checked:
        return described or checked[name]
    return [one if one is not None else other for one, other in zip(checked[name], described, strict=True)]


def _gather(column: Sequence[object], odd: dict[int, Odd]) -> None:
    """Adds a column's odd rows: an exclusion wins over a problem, an earlier field over a later one."""
    if Odd not in set(map(type, column)):
        return
    for index, one in enumerate(column):
        if isinstance(one, Odd) and (index not in odd or (one.skip and not odd[index].skip)):
            odd[index] = one


def _parse_scopes(heads: list[str]) -> list[Scope | Odd]:
    return [parse_scope(head) or Odd(skip=False, text=f"{shown(head)} is not a customer and media") for head in heads]
