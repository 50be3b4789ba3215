"""What dates decide beyond their own field: move dates adjusted (end of step 8), repositories by date (step 10).

    adjustments   all that match are added, in file order, to a date that is set
    repositories  the first rule by move date that matches, else the first by write time; it wins over what the row
                  says of its repository, because that is what it was written for

Both look at other fields as they are after step 6, and work on the distinct combinations of a chunk only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import ConfigurationError
from mailsync.core.model import Value
from mailsync.definition.cells import Checked, Distinct, Odd, Route, field_label
from mailsync.definition.model import Adjustment, DateRule, Definition, FieldRule

if TYPE_CHECKING:
    from datetime import date

Texts = Mapping[str, list[str]]
_Key = tuple[Checked, ...]


class Moved(NamedTuple):
    """What a rule says of a row: its repository, and its move date (None: the row's own)."""

    repository: str
    move_date: Value


def adjustment(rule: FieldRule) -> Callable[[list[Checked], Texts], list[Checked]]:
    """A function from the field's dates and the other fields' texts to the adjusted dates."""
    sources = [one.field for one in rule.adjust]

    def adjusted_rows(rows: list[tuple[Checked, ...]]) -> list[Checked]:
        return [_adjust(rule, *row) for row in rows]

    work = Distinct(adjusted_rows)

    def adjust(column: list[Checked], texts: Texts) -> list[Checked]:
        return work(list(zip(column, *_columns(sources, texts, len(column)), strict=True)))

    return adjust


class ByDate:
    """A definition's `by_date` rules, for one table. Raises ConfigurationError when today is not known."""

    def __init__(self, definition: Definition, route: Route) -> None:
        if route.today is None:
            raise ConfigurationError(
                (f'definition "{definition.name}": by_date needs to know what day it is',), hint="give today"
            )
        from mailsync.definition.days import local_day

        # Step 10 asks move dates first, whatever the order in the file.
        self._rules = sorted(definition.by_date, key=lambda one: one.source)
        self._today = route.today
        self._day = local_day(route.timezone)
        self._work: Distinct[_Key, Moved | None] = Distinct(lambda rows: [self._decide(*row) for row in rows])

    def decide(self, checked: Mapping[str, list[Checked]], texts: Texts, rows: int) -> list[Moved | None]:
        """What the rules say of each row; None: nothing."""
        dates = [checked.get(name, [None] * rows) for name in ("move_date", "write_time")]
        return self._work(list(zip(*dates, *_columns([one.field for one in self._rules], texts, rows), strict=True)))

    def _decide(self, move_date: Checked, write_time: Checked, *texts: Checked) -> Moved | None:
        from datetime import date

        from mailsync.definition.days import age

        to_move = (date.fromisoformat(_text(move_date)) - self._today).days if _text(move_date) else None
        written = self._day(_text(write_time)) if _text(write_time) else None
        distances = {"move_date": to_move, "write_time": age(written, self._today) if written else None}
        for rule, text in zip(self._rules, texts, strict=True):
            distance = distances[rule.source]
            if distance is not None and _holds(rule, distance) and _matches(rule, _text(text)):
                return Moved(rule.repository, _move_date(rule, written))
        return None


def _columns(sources: Sequence[str], texts: Texts, rows: int) -> list[list[str]]:
    """A column for each source; of no field, or of one the table does not have, an empty one."""
    return [texts[name] if name in texts else [""] * rows for name in sources]


def _adjust(rule: FieldRule, value: Checked, *texts: Checked) -> Checked:
    from mailsync.definition.days import adjusted

    day = _text(value)
    if not day:
        return value
    for one, text in zip(rule.adjust, texts, strict=True):
        if _matches(one, _text(text)):
            day = adjusted(day, one)
        if not day:
            return Odd(skip=False, text=f"{field_label(rule)}: {value} cannot be adjusted so far")
    return day


def _text(value: Checked) -> str:
    return value if isinstance(value, str) else ""


def _matches(rule: Adjustment | DateRule, text: str) -> bool:
    return not rule.field or any(one.matches(text) for one in rule.filters)


def _holds(rule: DateRule, distance: int) -> bool:
    return (rule.within < 0 or distance <= rule.within) and (rule.beyond < 0 or distance > rule.beyond)


def _move_date(rule: DateRule, written: date | None) -> Value:
    from mailsync.definition.days import later

    if rule.move_after < 0 or (rule.move_after and written is None):
        return None
    return later(written, rule.move_after) if written and rule.move_after else ""
