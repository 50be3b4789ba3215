"""A .ttidef in the making: what its statements have said so far, and the Definition that comes to.

a field          is made by
Extract          the last one; it wins over every SetLiteral (step 3: literals, then extractions)
SetLiteral       the last one
neither          nothing: it starts empty, and something must translate it

An offset of AddString becomes that many `?` before its filter; a `*LIST:` file becomes its lines. Nothing that
TapeTrack leaves open is guessed in silence: docs/definitions.md says what is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from mailsync.core.layout import Layout
from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY
from mailsync.definition.dates import compile_date, epoch_text
from mailsync.definition.document import Fault
from mailsync.definition.filters import LIST, LONGEST_FILTER, Filter, FilterFault, compile_filter
from mailsync.definition.load_rules import MOST_ADDED, MOST_HEADING_ROWS, change_reason, skip_reason
from mailsync.definition.model import (
    Adjustment,
    ChangeSkip,
    Claim,
    CrossTranslation,
    DateRule,
    Definition,
    FieldRule,
    Function,
    Heading,
    Skip,
    Stretches,
    Take,
    Translation,
)
from mailsync.definition.statements import Statement

_LONGEST = 4096
_MOST_LISTED = 10_000
_SPAN = re.compile(r"(?:0+:)?([0-9]{1,5})\Z", re.ASCII)
_SPAN_HINT = (
    'write days, "7" or "0:7": TapeTrack\'s manual calls "0:1" a day, "0:0:1" a year and "7" seven days, '
    "which do not agree beyond that"
)
_ALWAYS_THERE = ("volume", "customer", "media", "repository", "repository_desc")


class RefusedError(ValueError):
    """A statement that cannot be followed: why, and what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class Draft:
    """What has been said. Each method is one statement; it raises RefusedError when that makes no sense."""

    def __init__(self, file: str, read_list: Callable[[str], str | None], faults: list[Fault]) -> None:
        self.notices: list[Fault] = []
        self._file, self._read_list, self._faults = file, read_list, faults
        self._mentioned: dict[str, Statement] = {}
        self._delimiter = ""
        self._literals: dict[str, str] = {}
        self._extracts: dict[str, tuple[Statement, int, int, int]] = {}
        self._rules: dict[str, FieldRule] = {}
        self._formats: dict[str, tuple[str, tuple[Filter, ...]]] = {}
        self._adjust: list[Adjustment] = []
        self._looked_at: list[tuple[Statement, str]] = []
        self._cross: list[CrossTranslation] = []
        self._skips: list[Skip] = []
        self._strings: dict[str, list[Filter]] = {name: [] for name in ("HEADER", "START", "END", "TERMINATE")}
        self._header_count: tuple[Statement, int] | None = None
        self._by_date: list[DateRule] = []
        self._change_skips: list[ChangeSkip] = []

    def set_file(self, statement: Statement, name: str) -> None:
        """The input file, which the mail, or the command line, names."""
        text = f'SetFile("{name}") is ignored: the report is what is mailed or handed over'
        self.notices.append(Fault(self._file, statement.line, statement.column, text))

    def set_delimiter(self, _: Statement, delimiter: str) -> None:
        """Delimited text."""
        self._delimiter = "\t" if delimiter in ("\\t", "TAB") else delimiter
        if len(self._delimiter) != 1 or self._delimiter in '"\r\n':
            raise RefusedError(f'"{delimiter}" is not one character', 'for a tab: "\\t"')

    def set_header_count(self, statement: Statement, count: int) -> None:
        """How many records a header has."""
        if not 1 <= count <= MOST_HEADING_ROWS:
            raise RefusedError(f"a header has 1 to {MOST_HEADING_ROWS} records")
        self._header_count = (statement, count)

    def add_string(self, _: Statement, kind: str, offset: int, text: str) -> None:
        """A special record."""
        filters = self._filters(text, offset)
        upper = kind.upper()
        if upper == "EXCLUSION":
            self._skips.append(Skip("", filters, skip_reason("", filters)))
        elif upper in self._strings:
            self._strings[upper] += filters
        else:
            raise RefusedError(f'"{kind}" is no kind of string', "HEADER, EXCLUSION, START, END or TERMINATE")

    def extract(self, statement: Statement, field: str, offset: int, length: int, record: int) -> None:
        """A field from the record, or from a header's."""
        if not (0 <= offset <= _LONGEST and 1 <= length <= _LONGEST and 0 <= record <= MOST_HEADING_ROWS):
            raise RefusedError(f"offset 0 to {_LONGEST}, length 1 to {_LONGEST}, record 0 to {MOST_HEADING_ROWS}")
        self._mention(statement, field)
        self._extracts[field] = (statement, offset, length, record)

    def set_literal(self, statement: Statement, field: str, value: str) -> None:
        """A constant."""
        self._mention(statement, field)
        self._literals[field] = value

    def remove_spaces(self, statement: Statement, field: str) -> None:
        """All blanks are taken out."""
        self._rules[field] = self._mention(statement, field)._replace(functions=(Function("remove_spaces"),))

    def add_translation(self, statement: Statement, field: str, text: str, result: str) -> None:
        """A field by its own value."""
        rule = self._mention(statement, field)
        added = tuple(Translation(one, result) for one in self._filters(text))
        self._rules[field] = rule._replace(translations=rule.translations + added)

    def add_translation2(self, statement: Statement, field: str, source: str, text: str, result: str) -> None:
        """A field by another field's value."""
        self._mention(statement, field)
        self._look_at(statement, source)
        table = tuple(Translation(one, result) for one in self._filters(text))
        last = self._cross[-1] if self._cross else None
        if last and (last.field, last.source) == (field, source):
            self._cross[-1] = last._replace(table=last.table + table)
        else:
            self._cross.append(CrossTranslation(field, source, table))

    def add_exclusion(self, statement: Statement, field: str, text: str) -> None:
        """Records to leave out by a field's value."""
        self._look_at(statement, field)
        filters = self._filters(text)
        self._skips.append(Skip(field, filters, skip_reason(field, filters)))

    def set_move_date_format(self, _: Statement, text: str) -> None:
        """How move dates are written."""
        self._set_format("move_date", text)

    def set_write_time_format(self, _: Statement, text: str) -> None:
        """How write times are written."""
        self._set_format("write_time", text)

    def add_adjustment(  # noqa: PLR0913, PLR0917 - the statement has five arguments
        self, statement: Statement, field: str, text: str, years: int, months: int, days: int
    ) -> None:
        """What is added to the move date."""
        for name, number in (("years", years), ("months", months), ("days", days)):
            if abs(number) > MOST_ADDED[name]:
                raise RefusedError(f"{number} {name} are more than {MOST_ADDED[name]}")
        if not (years or months or days):
            raise RefusedError("it adds nothing")
        self._look_at(statement, field)
        self._look_at(statement, "move_date")
        self._adjust.append(Adjustment(field, self._filters(text), years, months, days))

    def add_repository_on_write_time(  # noqa: PLR0913, PLR0917 - the statement has five arguments
        self, statement: Statement, field: str, text: str, time: str, target: str, move_date: str
    ) -> None:
        """A repository by the age of what was written."""
        within, move_after = _SPAN.match(time), _SPAN.match(move_date)
        if within is None or move_after is None:
            raise RefusedError(f'"{time if within is None else move_date}" is not a number of days', _SPAN_HINT)
        if not REPOSITORY.match(target):
            raise RefusedError(f'"{target}" is not a Repository-ID', "1 to 4 letters and digits")
        self._look_at(statement, field)
        self._look_at(statement, "write_time")
        filters = self._filters(text)
        rule = DateRule("write_time", target, field, filters, within=int(within[1]), move_after=int(move_after[1]))
        self._by_date.append(rule)

    def add_change_skip(self, _: Statement, proposed: str, target: str, current: str) -> None:
        """A change of repository to leave alone."""
        one, other, last = (self._filters(text) for text in (proposed, target, current))
        self._change_skips.append(ChangeSkip(one, other, last, change_reason(one, other, last)))

    def definition(self) -> Definition:
        """The definition that was said. What is missing is among the faults."""
        self._check()
        scope = {name: self._literals[name] for name in ("customer", "media") if self._is_constant(name)}
        return Definition(
            name=re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(self._file).stem).strip("-._")[:64] or "unnamed",
            claim=Claim(),
            layout=Layout(kind="delimited", delimiter=self._delimiter) if self._delimiter else Layout(kind="fixed"),
            fields=tuple(self._finished(name) for name in self._rules if name not in scope),
            skips=tuple(self._skips),
            cross=tuple(self._cross),
            customer=scope.get("customer", ""),
            media=scope.get("media", ""),
            heading=Heading(tuple(self._strings["HEADER"]), self._header_rows()),
            stretches=Stretches(*(tuple(self._strings[name]) for name in ("START", "END", "TERMINATE"))),
            by_date=tuple(self._by_date),
            change_skips=tuple(self._change_skips),
        )

    def _finished(self, name: str) -> FieldRule:
        """The field's rule with where it comes from."""
        rule = self._rules[name]
        if name in self._formats:
            text, never = self._formats[name]
            rule = rule._replace(dates=(text,), never=never)
        if name == "move_date":
            rule = rule._replace(adjust=tuple(self._adjust))
        if name not in self._extracts:
            return rule._replace(literal=self._literals.get(name, ""))
        _, offset, length, record = self._extracts[name]
        if not self._delimiter:
            return rule._replace(take=Take(start=offset, end=offset + length, heading=record))
        take = Take(column=offset, optional=name not in _ALWAYS_THERE)
        return rule._replace(take=take, part=(0, length))

    def _check(self) -> None:
        volume = self._extracts.get("volume")
        if volume is None or (volume[3] and not self._delimiter):
            self._fault(None, "no Extract says which volume a record is about", "Extract(VOLUME, ...);")
        for name, pattern in (("customer", CUSTOMER), ("media", MEDIA)):
            if self._is_constant(name) and not pattern.match(self._literals[name]):
                text = f'"{self._literals[name]}" is not a {name.capitalize()}-ID'
                self._fault(self._mentioned[name], text, "1 to 4 letters and digits")
        self._check_header()
        for statement, name in self._looked_at:
            if name not in self._mentioned:
                self._fault(statement, f"nothing sets {name}, which {statement.name} looks at", "Extract or SetLiteral")
        for name, setter in (("move_date", "SetMoveDateFormat"), ("write_time", "SetWriteTimeFormat")):
            if name in self._mentioned and name not in self._formats:
                self._fault(self._mentioned[name], f"a {name} needs {setter}", f'{setter}("%Y-%m-%d");')

    def _check_header(self) -> None:
        if self._header_count and not self._strings["HEADER"]:
            text = "SetHeaderCount has no effect: no AddString(HEADER, ...) says where a header begins"
            statement = self._header_count[0]
            self.notices.append(Fault(self._file, statement.line, statement.column, text))
        for statement, _, _, record in self._extracts.values():
            if record > self._header_rows() * bool(self._strings["HEADER"]) and not self._delimiter:
                hint = "AddString(HEADER, ...) and SetHeaderCount say what a header is"
                self._fault(statement, f"there is no record {record} in a header", hint)

    def _header_rows(self) -> int:
        return self._header_count[1] if self._header_count and self._strings["HEADER"] else 1

    def _is_constant(self, name: str) -> bool:
        """True for a field of which nothing is said but a literal: the definition's scope."""
        worked_on = {one for cross in self._cross for one in (cross.field, cross.source)}
        worked_on |= {looked_at for _, looked_at in self._looked_at}
        plain = name in self._literals and name not in self._extracts
        return plain and name not in worked_on and self._rules[name] == FieldRule(name)

    def _set_format(self, name: str, text: str) -> None:
        compiled = compile_date(text)
        if isinstance(compiled, str):
            raise RefusedError(f'"{text}": {compiled}')
        # A date that was never set is the first second of 1970, and means none.
        never = compile_filter(epoch_text(compiled), fold=True)
        self._formats[name] = (text, (never,) if isinstance(never, Filter) and never.text else ())

    def _mention(self, statement: Statement, name: str) -> FieldRule:
        """The field's rule so far; from now on something sets it."""
        self._mentioned.setdefault(name, statement)
        return self._rules.setdefault(name, FieldRule(name))

    def _look_at(self, statement: Statement, name: str) -> None:
        self._looked_at.append((statement, name))

    def _fault(self, statement: Statement | None, text: str, hint: str) -> None:
        line, column = (statement.line, statement.column) if statement else (1, 1)
        self._faults.append(Fault(self._file, line, column, text, hint))

    def _filters(self, text: str, offset: int = 0) -> tuple[Filter, ...]:
        """The filter, or those of the lines of the file that it names, to be matched from the offset on."""
        if not 0 <= offset < LONGEST_FILTER:
            raise RefusedError(f"offset {offset} is not from 0 to {LONGEST_FILTER - 1}")
        found = [compile_filter("?" * offset + one) for one in self._texts(text)]
        for one in found:
            if isinstance(one, FilterFault):
                raise RefusedError(f'"{text}": {one.text}', one.hint)
        return tuple(one for one in found if isinstance(one, Filter))

    def _texts(self, text: str) -> tuple[str, ...]:
        if not text.startswith(LIST):
            return (text,)
        content = self._read_list(text[len(LIST) :])
        if content is None:
            raise RefusedError(f'"{text}": there is no such file beside the definition', "one filter a line")
        lines = tuple(line.strip() for line in content.splitlines() if line.strip())
        if not 0 < len(lines) <= _MOST_LISTED:
            raise RefusedError(f'"{text}": it has {len(lines)} filters', f"1 to {_MOST_LISTED}")
        return lines
