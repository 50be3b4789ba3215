"""Which number of a date is its day: decided once for a whole report, because one program printed all of it.

A field that lists formats which differ in the order of day and month, or of a year of two digits (`%m/%d/%Y` and
`%d/%m/%Y`), does not know its order. All such fields of a report are decided together: what one of them says settles
the others.

    the report's dates                             they are read
    the route says day_first, which leaves one     in that order; dates that do not fit it are problems
    all fit one order only                         in that order
    all fit several orders, and read the same      as they read
    all fit several orders, and read differently   not at all: the field is left out of every row, with one note
    fit no order all                               in the order that most of them fit; if there is none: as above

That needs a first reading of the report, which keeps nothing but counts; definitions without such fields have none.
Formats of other separators, with names of months or with a year of four digits in front keep out of it: they fit in
any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from mailsync.definition.cells import Distinct, Odd, Route, field_label, finish_column, shown
from mailsync.definition.columns import Columns
from mailsync.definition.dates import DateFormat, compile_date, parse_date
from mailsync.definition.model import WORK_FIELDS, Definition, FieldRule, Settled
from mailsync.definition.moments import column_reader
from mailsync.definition.sieve import Sieve, left_out
from mailsync.definition.table import Chunk, Table

_PARTS = {"%d": "d", "%e": "d", "%m": "m", "%y": "y", "%Y": "Y"}
# Of one text, for each order: -1 where it is no date, else the first order in which it reads the same.
_Pattern = tuple[int, ...]


class _Seen(NamedTuple):
    """What a report's dates of one field are: how often there is a pattern, and the first text that has it."""

    counts: Counter[_Pattern]
    examples: dict[_Pattern, str]


def settle_order(definition: Definition, route: Route, read: Callable[[], Table], *, most: int) -> Settled:
    """The definition for one table, with the order of its dates decided; `read` gives the table anew.

    At most the first `most` rows are looked at: a table with more is refused anyway.
    """
    rules = {rule.name: rule for rule in definition.fields if orders_of(rule)}
    if not rules:
        return Settled(definition)
    orders = tuple(dict.fromkeys(order for rule in rules.values() for order in orders_of(rule).values()))
    said = {None: "", True: "d", False: "m"}[route.day_first]
    orders = tuple(one for one in orders if said and one.startswith(said)) or orders
    if len(orders) == 1:
        return Settled(_with(definition, {name: _in_order(rule, orders[0]) for name, rule in rules.items()}))
    columns = {name: _patterns(rule, orders, route) for name, rule in rules.items()}
    seen = _look(columns, _texts(definition, frozenset(rules), read(), route, most))
    left, all_fit = _left(len(orders), seen.values())
    made = {name: _in_order(rule, orders[left[0]]) for name, rule in rules.items()}
    unsure = {name: text for name, one in seen.items() if name not in WORK_FIELDS and (text := _doubt(one, left))}
    if not unsure:
        return Settled(_with(definition, made))
    made |= {name: rules[name]._replace(undecided=True) for name in unsure}
    text = next(iter(unsure.values()))
    note = _note([rules[name] for name in unsure], text, [orders[at] for at in left], all_fit=all_fit)
    return Settled(_with(definition, made), note)


def orders_of(rule: FieldRule) -> dict[str, str]:
    """Those of the field's formats whose order is open, each with its order: `dmy`, `mdy`, `ymd`."""
    orders = {text: found for text in rule.dates if (found := _order(text, rule))}
    alike = Counter(between for between, _ in set(orders.values()))
    return {text: order for text, (between, order) in orders.items() if alike[between] > 1}


def _order(text: str, rule: FieldRule) -> tuple[str, str] | None:
    """What is between the numbers of day and month, and their order with the year's; None where that is certain."""
    form = compile_date(text, rule.months)
    pieces = form.pieces if isinstance(form, DateFormat) else ()
    places = {_PARTS[piece]: place for place, piece in enumerate(pieces) if piece in _PARTS}
    order = "".join(sorted(places, key=places.__getitem__))
    if not {"d", "m"} <= set(order) or order.startswith("Y"):
        return None
    first, last = sorted((places["d"], places["m"]))
    return "".join(piece for piece in pieces[first + 1 : last] if piece not in _PARTS), order.lower()


def _in_order(rule: FieldRule, order: str) -> FieldRule:
    """The field without the formats of any other order."""
    orders = orders_of(rule)
    return rule._replace(dates=tuple(text for text in rule.dates if orders.get(text, order) == order))


def _with(definition: Definition, rules: Mapping[str, FieldRule]) -> Definition:
    return definition._replace(fields=tuple(rules.get(rule.name, rule) for rule in definition.fields))


def _texts(
    definition: Definition, names: frozenset[str], table: Table, route: Route, most: int
) -> Iterator[dict[str, list[str]]]:
    """The fields' texts after step 6, chunk by chunk, of the records that are rows."""
    wanted, known = set(names), 0
    while len(wanted) > known:
        known = len(wanted)
        wanted |= {one.source for one in definition.cross if one.field in wanted}
    sieve = Sieve(definition)
    columns = Columns(definition._replace(by_date=()), table, None, route, sieve=sieve)
    rows = 0
    for chunk in table.chunks if names & set(columns.bound) else ():
        rows += len(chunk.raw)
        if rows > most:
            return
        sifted = sieve.sift(chunk)
        texts = columns.texts(chunk, wanted)
        kept = _kept(chunk, left_out(definition.skips, chunk, table.padding) | sifted)
        yield {name: list(compress(texts[name], kept)) for name in names if name in texts}


def _kept(chunk: Chunk, no_rows: Mapping[int, Odd]) -> bytearray:
    kept = bytearray(b"\1") * len(chunk.raw)
    for index in no_rows:
        kept[index] = 0
    return kept


def _look(
    patterns: Mapping[str, Distinct[str, _Pattern]], chunks: Iterable[Mapping[str, list[str]]]
) -> dict[str, _Seen]:
    """What the fields' texts are in each of the orders."""
    seen = {name: _Seen(Counter(), {}) for name in patterns}
    for texts in chunks:
        for name, said in texts.items():
            column = list(filter(None, said))
            found = patterns[name](column)
            seen[name].counts.update(found)
            for one in set(found) - seen[name].examples.keys():
                seen[name].examples[one] = column[found.index(one)]
    return seen


def _patterns(rule: FieldRule, orders: Sequence[str], route: Route) -> Distinct[str, _Pattern]:
    ways = [_way(_in_order(rule, order), route) for order in orders]
    return Distinct(lambda column: [_pattern(values) for values in zip(*(way(column) for way in ways), strict=True)])


def _way(rule: FieldRule, route: Route) -> Callable[[list[str]], list[str | None]]:
    """How the field's dates are read in one order, None where they are none of it; without any format of it, all."""
    if not rule.dates:
        return lambda column: [None] * len(column)
    # A field that is only looked at is read as if it were kept.
    kept = rule._replace(name="expiry_date") if rule.name in WORK_FIELDS else rule
    swift, finish = column_reader(kept, route.timezone), finish_column(kept, (), route)

    def slow(text: str) -> str | None:
        (value,) = finish([text])
        return value if isinstance(value, str) else None

    def read(column: list[str]) -> list[str | None]:
        # What is certainly none of them needs no problem that says so.
        found = swift(column) if swift else [""] * len(column)
        return [slow(text) if value == "" else value for value, text in zip(found, column, strict=True)]

    return read


def _pattern(values: tuple[str | None, ...]) -> _Pattern:
    return tuple(-1 if one is None else values.index(one) for one in values)


def _left(orders: int, seen: Iterable[_Seen]) -> tuple[list[int], bool]:
    """The orders that most dates fit (their places), and whether all dates do."""
    counts = sum((one.counts for one in seen), Counter[_Pattern]())
    dates = {pattern: rows for pattern, rows in counts.items() if max(pattern) >= 0}
    fits = [sum(rows for pattern, rows in dates.items() if pattern[at] >= 0) for at in range(orders)]
    return [at for at, rows in enumerate(fits) if rows == max(fits)], max(fits) == sum(dates.values())


def _doubt(one: _Seen, left: Sequence[int]) -> str:
    """The first text that these orders do not read alike, empty when there is none."""
    return next((text for found, text in one.examples.items() if len({found[at] for at in left}) > 1), "")


def _note(rules: Sequence[FieldRule], text: str, orders: Sequence[str], *, all_fit: bool) -> tuple[str, str]:
    """What to say of fields that are left out: `text` is one of the first one's dates, `orders` those it may have."""
    forms = (_form(rules[0], order, text) for order in orders)
    may = f"{shown(text)} may be {' or '.join(filter(None, dict.fromkeys(forms)))}"
    why = f"{may}, and no date of the report tells" if all_fit else "its dates have day and month in no one order"
    hint = "set day_first: true or day_first: false in the route, or leave one order in a copy of the definition"
    return f"{' and '.join(map(field_label, rules))}: left out of every row: {why}", hint


def _form(rule: FieldRule, order: str, text: str) -> str:
    """The format of this order that the text has, empty when there is none."""
    for one in (one for one, found in orders_of(rule).items() if found == order):
        form = compile_date(one, rule.months)
        if isinstance(form, DateFormat) and parse_date(text, form):
            return one
    return ""
