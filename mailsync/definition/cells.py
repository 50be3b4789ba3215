"""A field's column: from the texts of its cells to values, each distinct text once.

`prepare` is steps 3 to 5 of the evaluation order (docs/definitions.md) and gives texts; `finish` is steps 7 to 11 and
gives values. A cell whose row must not be recorded gives an `Odd` instead of a value. Both take and give whole
columns: a date that occurs in ten thousand rows is parsed once, and nothing is called for a row that a
comprehension can do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from mailsync.core.fields import FIELD_BY_NAME, NO, YES, Kind
from mailsync.core.model import CUSTOMER, VOLUME, Value
from mailsync.definition.dates import Moment, parse_date
from mailsync.definition.model import KEY_RULES, WORK_FIELDS, FieldRule, Skip, Take
from mailsync.definition.moments import column_reader, date_forms, date_texts, stored_in
from mailsync.definition.shown import printable
from mailsync.definition.strings import Text, part_function, pattern_function, string_function, translate

if TYPE_CHECKING:
    from datetime import date

FLAGS = {"yes": YES, "true": YES, "1": YES, "y": YES, "no": NO, "false": NO, "0": NO, "n": NO}
_LINE_BREAKS = re.compile(r"[\t\r\n]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_KNOWN = 1 << 16
_TRIED = 1000
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Odd(NamedTuple):
    """Why the row of a cell is not recorded: skipped for a reason, or a problem (`skip` false) and what to do."""

    skip: bool
    text: str
    hint: str = "correct it in the report"


Checked = Value | Odd


class Route(NamedTuple):
    """What finishing a column takes from the route: repository names, the time zone, the longest cell, today there.

    `given` are the sources that are the same for every row: the attachment's name, the mail's subject. `day_first` is
    whether dates have their day first, None where the route does not say.
    """

    repositories: Mapping[str, str]
    timezone: str
    longest: int
    today: date | None = None
    given: Mapping[str, str] = {}
    day_first: bool | None = None


class Distinct(Generic[K, V]):
    """Applies a function of columns to the distinct entries only, and remembers what it gave, up to a bound.

    A column whose entries hardly repeat, such as one of volumes, is found out and no longer remembered.
    """

    def __init__(self, work: Callable[[list[K]], list[V]]) -> None:
        self._work = work
        self._known: dict[K, V] = {}
        self._asked = self._worked = 0

    def __call__(self, column: list[K]) -> list[V]:
        """The function's column for this column."""
        if not self.repeats:
            return self._work(column)
        self._asked += len(column)
        try:
            return list(map(self._known.__getitem__, column))
        except KeyError:
            self._learn(column)
            return list(map(self._known.__getitem__, column))

    @property
    def repeats(self) -> bool:
        """False once the entries were found hardly to repeat."""
        return self._asked <= _TRIED or 2 * self._worked <= self._asked

    def _learn(self, column: list[K]) -> None:
        if len(self._known) > _KNOWN:
            self._known.clear()
        fresh = list(set(column).difference(self._known))
        self._worked += len(fresh)
        self._known.update(zip(fresh, self._work(fresh), strict=True))


class Step(NamedTuple):
    """One thing a text goes through: what it is called in a definition, and the function."""

    name: str
    work: Text


def steps(rule: FieldRule) -> list[Step]:
    """Steps 3 to 5, one by one: extraction within the cell, string functions, translations."""
    strip = [Step("strip", str.strip)] if rule.strip else []
    found = list(strip)
    # (3) extraction within the cell
    if rule.regex:
        found.append(Step("extract", pattern_function(rule.regex)))
    if rule.part != (0, 0):
        found += [Step("extract", part_function(*rule.part)), *strip]
    # (4) string functions in file order
    found += [Step(one.name, string_function(one)) for one in rule.functions]
    # (5) translations on the field itself
    if rule.translations:
        found.append(Step("translate", lambda text: translate(text, rule.translations)))
    return found


def prepare_column(rule: FieldRule) -> Callable[[list[str]], list[str]]:
    """Steps 3 to 5: the cells' texts extracted, put through the string functions, translated."""
    functions = [step.work for step in steps(rule)]

    def prepare(column: list[str]) -> list[str]:
        for function in functions:
            column = list(map(function, column))
        return column

    return prepare


def finish_column(rule: FieldRule, skips: Sequence[Skip], route: Route) -> Callable[[list[str]], list[Checked]]:
    """Steps 7 to 11: exclusions on the value, dates, repositories by name, validation."""
    check = _check(rule, route)
    fine = VOLUME.match if rule.name == "volume" else None
    swift = column_reader(rule, route.timezone)

    def finish(column: list[str]) -> list[Checked]:
        # (8) to (11)
        checked: list[Checked]
        if swift is not None:
            checked = [value or check(text) for value, text in zip(swift(column), column, strict=True)]
        else:
            checked = list(column) if fine and all(map(fine, column)) else list(map(check, column))
        # (7) comes before them: a row that is excluded is excluded whatever else it says, by the first that matches
        for skip in reversed(skips):
            excluded = Odd(skip=True, text=skip.reason)
            for index in skipped(skip, column):
                checked[index] = excluded
        return checked

    return finish


def skipped(skip: Skip, column: Sequence[str]) -> Iterable[int]:
    """The indexes of the texts that the skip leaves out."""
    matching = {index for one in skip.filters for index in one.matching(column)}
    return set(range(len(column))) - matching if skip.unless else matching


def field_label(rule: FieldRule) -> str:
    """The field and where it is read from, for people: `move_date (column 7)`."""
    return f"{rule.name} ({' and '.join(map(_place, rule.takes))})" if rule.takes else rule.name


def _place(take: Take) -> str:
    if take.source:
        return f"source {take.source}"
    if take.end:
        header = f" of header record {take.heading}" if take.heading else ""
        return f"characters {take.start + 1}-{take.end}{header}"
    return f'column "{take.caption}"' if take.caption else f"column {take.column}" if take.column else "record"


def shown(text: str) -> str:
    """The text in quotes for a problem: short, on one line, printable."""
    plain = printable(text[:61])
    return f'"{plain[:57]}..."' if len(plain) > 60 else f'"{plain}"'


def empty_field(rule: FieldRule) -> Odd:
    """The problem of a row that does not say what is required."""
    text = f"{field_label(rule)} is empty"
    if any(take.source for take in rule.takes):
        return Odd(skip=False, text=text, hint="no title above it says it, or none that is understood")
    return Odd(skip=False, text=text)


def _check(rule: FieldRule, route: Route) -> Callable[[str], Checked]:
    """The check of one text: its value, None when it says nothing, or why its row is a problem."""
    name = rule.name
    if name in WORK_FIELDS:
        return lambda _: None
    says = _says(rule, route)
    if name == "volume":
        return says
    required = rule.required or name == "barcode"
    blank: Checked = empty_field(rule) if required else None
    if not required and rule.empty == "unset":
        blank = ""
    return lambda text: says(text) if text else blank


def _says(rule: FieldRule, route: Route) -> Callable[[str], Checked]:
    """What a text that is not empty says; for volumes, also an empty one."""
    if rule.name == "volume":
        return _volume_check(rule)
    if rule.name in KEY_RULES:
        return _key_check(rule)
    if rule.name == "repository_desc":
        return _repository_check(rule, route)
    field = FIELD_BY_NAME[rule.name]
    if field.kind is Kind.REPOSITORY:
        return _repository_check(rule, route)
    if field.kind is Kind.FLAG:
        return _flag_check(rule)
    if field.kind in (Kind.DATE, Kind.TIME):
        check = _date_check(rule, stored_in(rule, route.timezone), route)
        return _undecided_check(rule, check) if rule.undecided else check
    return _text_check(rule, field.longest)


def _volume_check(rule: FieldRule) -> Callable[[str], Checked]:
    match, label = VOLUME.match, field_label(rule)

    def refuse(text: str) -> Odd:
        if not text:
            return Odd(skip=False, text=f"{label} is empty")
        hint = "add upper: true" if VOLUME.match(text.upper()) else "a Volume-ID is 2 to 10 of A-Z, 0-9 and -"
        return Odd(skip=False, text=f"{label}: {shown(text)} is not a Volume-ID", hint=hint)

    return lambda text: text if match(text) else refuse(text)


def _key_check(rule: FieldRule) -> Callable[[str], Checked]:
    label, name = field_label(rule), rule.name

    def check(text: str) -> Checked:
        if name == "barcode":
            *scope, volume = text.split(".")
            if len(scope) in (0, 2) and all(map(CUSTOMER.match, scope)) and VOLUME.match(volume):
                return text
            return Odd(skip=False, text=f"{label}: {shown(text)} is not a barcode", hint="CUST.MEDIA.VOLUME or VOLUME")
        if CUSTOMER.match(text):
            return text
        hint = "1 to 4 letters or digits"
        return Odd(skip=False, text=f"{label}: {shown(text)} is not a {name.capitalize()}-ID", hint=hint)

    return check


def _repository_check(rule: FieldRule, route: Route) -> Callable[[str], Checked]:
    """(9) the route's name for it, exactly, then in any case; else the text as it stands, which the plan judges."""
    folded = {name.casefold(): known for name, known in route.repositories.items()}
    plain = _text_check(rule, route.longest)

    def check(text: str) -> Checked:
        known = route.repositories.get(text) or folded.get(text.casefold())
        return known or plain(text)

    return check


def _flag_check(rule: FieldRule) -> Callable[[str], Checked]:
    label = field_label(rule)

    def check(text: str) -> Checked:
        flag = FLAGS.get(text.lower())
        return flag or Odd(skip=False, text=f"{label}: {shown(text)} is not yes or no", hint="translate it")

    return check


def _text_check(rule: FieldRule, longest: int) -> Callable[[str], Checked]:
    label = field_label(rule)

    def check(text: str) -> Checked:
        # A line end or tab within a text is a blank to everybody but the program that wrote it.
        text = _LINE_BREAKS.sub(" ", text)
        if _CONTROLS.search(text):
            return Odd(skip=False, text=f"{label}: {shown(text)} has a control character")
        if len(text) > longest:
            hint = f"cut it with max: {longest}"
            return Odd(skip=False, text=f"{label}: {shown(text)} is longer than {longest} characters", hint=hint)
        return text

    return check


def _date_check(rule: FieldRule, stored: Callable[[Moment], str], route: Route) -> Callable[[str], Checked]:
    """(8) the first format that fits; a word for never says that the date is unset."""
    label = field_label(rule)
    forms = date_forms(rule)
    wanted = " or ".join(date_texts(rule))
    hint = "correct it in the report, or add its form to the field's `date`, or its word to `never`"
    if rule.dates and route.day_first is not None:
        hint += f"; the route says day_first: {str(route.day_first).lower()}"

    def check(text: str) -> Checked:
        for one in rule.never:
            if one.matches(text):
                return ""
        for form in forms:
            moment = parse_date(text, form)
            value = stored(moment) if moment else ""
            if value:
                return value
        return Odd(skip=False, text=f"{label}: {shown(text)} is not a date of the form {wanted}", hint=hint)

    return check


def _undecided_check(rule: FieldRule, check: Callable[[str], Checked]) -> Callable[[str], Checked]:
    """(8) where nobody can tell day and month: a date says nothing, or is a problem where something must be said."""
    unread: Checked = None
    if rule.required:
        text = f"{field_label(rule)}: day and month cannot be told apart, and it is required"
        unread = Odd(skip=False, text=text, hint="set day_first in the route")
    return lambda text: found if isinstance(found := check(text), Odd) else unread
