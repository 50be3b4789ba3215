"""The fields of a definition from their YAML: one rule each, in file order, and the translations across fields."""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.definition.dates import compile_date
from mailsync.definition.document import Section, suggestion
from mailsync.definition.filters import Filter, FilterFault, compile_pattern
from mailsync.definition.load_rules import check_sources, load_adjustments, read_filter, read_filters
from mailsync.definition.model import (
    RULE_FIELDS,
    WORK_FIELDS,
    Adjustment,
    CrossTranslation,
    FieldRule,
    Function,
    Join,
    Take,
    Translation,
)
from mailsync.definition.months import LANGUAGES

SWITCHES = ("upper", "lower", "remove_spaces")
_TEXTS = ("remove", "remove_prefix", "remove_suffix", "prepend", "append")
_NUMBERS = ("pad", "pad_right", "max", "substring")
_LONGEST = 4096
_MOST_JOINED = 16
_MOST_MONTHS = 120


class Fields(NamedTuple):
    """A definition's rules; `captioned` are the names of those that are read by caption."""

    rules: tuple[FieldRule, ...]
    cross: tuple[CrossTranslation, ...]
    captioned: tuple[str, ...]


def load_fields(top: Section, kind: str) -> Fields:
    """The fields under `fields` and `required`. What is off is among the section's faults."""
    section = top.section("fields", required=True)
    required = top.texts("required")
    rules: list[FieldRule] = []
    cross: list[CrossTranslation] = []
    crossing = tuple(top.sections("translate_from"))
    crossed = [one.text("field") for one in crossing]
    for name in list(section.keys()):
        if name not in RULE_FIELDS:
            section.has(name)
            section.fault(name, f'"{name}" is not a field', suggestion(name, RULE_FIELDS))
            continue
        field = section.section(name)
        rule = _rule(name, field, kind)
        if not _has_origin(rule, field) and name not in crossed:
            field.fault("column", "where does it come from?", "give column or value")
        rules.append(rule._replace(required=rule.required or name in required))
        cross += _cross(name, field)
        field.finish(f'field "{name}"')
    names = {rule.name for rule in rules}
    _check_keys(top, [rule for rule in rules if rule.name in ("volume", "barcode")])
    for name in required:
        if name not in names:
            top.fault("required", f'"{name}" is not among the fields', suggestion(name, names))
    for one in cross:
        check_sources(section, one.field, (one.source,), names)
    cross += [_crossing(one, names) for one in crossing]
    for rule in rules:
        check_sources(section, rule.name, [one.field for one in rule.adjust], names)
        check_sources(section, rule.name, [rule.unlike] if rule.unlike else [], names)
    captioned = tuple(rule.name for rule in rules if any(take.caption for take in rule.takes))
    return Fields(tuple(rules), tuple(cross), captioned)


def _check_keys(top: Section, keys: list[FieldRule]) -> None:
    if len(keys) != 1:
        wrong = "both volume and barcode are given" if keys else "neither volume nor barcode is given"
        top.fault("fields", wrong, "one of them says which volume a row is about")
    for rule in keys:
        if all(take.optional for take in rule.takes):
            top.fault("fields", f'"{rule.name}" must come from a column that is always there')


def _rule(name: str, field: Section, kind: str) -> FieldRule:
    take, join = _take(field, kind), _join(field, kind)
    literal = field.text("value") if field.has("value") else None
    if take and literal is not None:
        field.fault("value", "column and value are both given", "a field has one of them")
    if join and (take or literal is not None):
        field.fault("join", "join is given beside column or value", "a field has one of them")
    regex, part = _extract(field)
    months = _months(field)
    return FieldRule(
        name=name,
        literal=literal,
        take=take,
        regex=regex,
        part=part,
        strip=field.boolean("strip", default=True),
        functions=_functions(field),
        translations=_translations(field, "translate"),
        dates=_dates(name, field, months),
        never=_never(name, field),
        required=field.boolean("required"),
        empty=field.choice("empty", ("silent", "unset"), "silent"),
        join=join,
        months=months,
        adjust=_adjust(name, field),
        unlike=field.text("unlike"),
    )


def _has_origin(rule: FieldRule, field: Section) -> bool:
    return bool(rule.take or rule.join or rule.literal is not None or field.has("translate_from"))


def _join(field: Section, kind: str) -> Join | None:
    """The columns that are joined."""
    separator = field.text("join_with", " ")
    if not field.has("join"):
        return None
    takes = []
    for part in field.sections("join"):
        take = _take(part, kind)
        if take is None:
            part.fault("column", '"column" is missing')
        else:
            takes.append(take)
        part.finish("join")
    if not 1 <= len(takes) <= _MOST_JOINED:
        field.fault("join", f"join takes 1 to {_MOST_JOINED} columns", "[{column: 1}, {column: 2}]")
    return Join(tuple(takes), separator)


def _take(field: Section, kind: str) -> Take | None:
    optional = field.boolean("optional")
    if field.has("source"):
        if field.has("column"):
            field.fault("source", "source and column are both given", "a field has one of them")
        return Take(source=field.text("source", required=True), optional=optional)
    if not field.has("column"):
        return None
    if field.is_section("column") or field.is_list("column"):
        start, end = _span(field, "column")
        heading = field.section("column").number("heading") if field.is_section("column") else 0
        if kind != "fixed" and not heading:
            field.fault("column", "from and to are for fixed tables", "give the column's number or caption")
        return Take(start=start, end=end, optional=optional, heading=heading)
    text = field.text("column")
    if text.isdecimal() and text.isascii():
        number = int(text[:6])
        if kind == "fixed" and number:
            field.fault("column", f'"{text}" does not say which characters', "give [from, to], counted from 1")
        return Take(column=number, optional=optional)
    if kind == "fixed" or not text:
        field.fault("column", f'"{text}" is no column', "give [from, to], counted from 1" if kind == "fixed" else "")
    return Take(caption=text, optional=optional)


def _span(field: Section, key: str) -> tuple[int, int]:
    """First character from 0 and the one behind the last, from [from, to] or {start, length}, both from 1."""
    if field.is_section(key):
        section = field.section(key)
        section.has("heading")
        start = section.number("start", 1, least=1, most=_LONGEST + 1)
        length = section.number("length", 1, least=1, most=_LONGEST)
        section.finish(key)
        return start - 1, start - 1 + length
    texts = field.texts(key)
    if len(texts) == 2 and all(text.isdecimal() and text.isascii() and len(text) <= 4 for text in texts):
        start, end = int(texts[0]), int(texts[1])
        if 1 <= start <= end:
            return start - 1, end
    field.fault(key, f"[{', '.join(texts)}] is not [from, to]", "the first and the last character, counted from 1")
    return 0, 1


def _extract(field: Section) -> tuple[str, tuple[int, int]]:
    """The regular expression and the characters to extract from the cell, at most one of which is given."""
    if not field.has("extract"):
        return "", (0, 0)
    if not field.is_section("extract"):
        return "", _span(field, "extract")
    section = field.section("extract")
    if not section.has("regex"):
        return "", _span(field, "extract")
    regex = section.text("regex")
    compiled = compile_pattern(regex)
    if isinstance(compiled, FilterFault):
        section.fault("regex", compiled.text, compiled.hint)
    elif compiled.groups != 1:
        section.fault(
            "regex", f"it has {compiled.groups} groups", "put the part to extract in one ( ), others in (?: )"
        )
    section.finish("extract")
    return regex, (0, 0)


def _functions(field: Section) -> tuple[Function, ...]:
    """The string functions in the order of the file."""
    given = {key for key in (*SWITCHES, *_TEXTS, *_NUMBERS) if field.has(key)}
    order = list(field.keys())
    return tuple(_function(field, key) for key in sorted(given, key=order.index))


def _function(field: Section, key: str) -> Function:
    if key in SWITCHES:
        if not field.boolean(key, default=True):
            field.fault(key, f'"{key}" can only be true', "leave it out")
        return Function(key)
    if key in _TEXTS:
        return Function(key, text=field.text(key))
    if key == "max":
        return Function(key, number=field.number(key, 1, least=1, most=_LONGEST))
    if key == "substring":
        start, end = _span(field, key)
        return Function(key, number=start, end=end)
    if not field.is_section(key):
        return Function(key, text="0", number=field.number(key, 1, least=1, most=_LONGEST))
    section = field.section(key)
    character = section.text("with", "0")
    if len(character) != 1:
        section.fault("with", f'"{character}" is not one character')
        character = "0"
    length = section.number("length", 1, least=1, most=_LONGEST)
    section.finish(key)
    return Function(key, text=character, number=length)


def _translations(section: Section, key: str) -> tuple[Translation, ...]:
    found = []
    for text, result in section.pairs(key):
        one = read_filter(section, key, text)
        if one:
            found.append(Translation(one, result))
    return tuple(found)


def _cross(name: str, field: Section) -> list[CrossTranslation]:
    found = []
    for section in field.sections("translate_from"):
        by = section.text("field", required=True)
        found.append(CrossTranslation(name, by, _translations(section, "table")))
        section.finish("translate_from")
    return found


def _crossing(section: Section, names: set[str]) -> CrossTranslation:
    """One entry of the file's own `translate_from`, whose order goes across fields."""
    field, by = section.text("field", required=True), section.text("by", required=True)
    check_sources(section, "field", (field,), names)
    check_sources(section, "by", (by,), names)
    cross = CrossTranslation(field, by, _translations(section, "table"))
    section.finish("translate_from")
    return cross


def _months(field: Section) -> tuple[str, ...]:
    """The names of months besides the English ones: of a language, or listed."""
    if not field.has("months"):
        return ()
    if not field.is_list("months"):
        return LANGUAGES.get(field.choice("months", LANGUAGES), ())
    names = field.texts("months")
    if len(names) % 12 or not all(0 < len(name) <= 40 for name in names) or not 0 < len(names) <= _MOST_MONTHS:
        field.fault(
            "months", f"{len(names)} names of months", "twelve, from January; short ones may follow, twelve too"
        )
        return ()
    return names


def _adjust(name: str, field: Section) -> tuple[Adjustment, ...]:
    adjust = load_adjustments(field)
    if adjust and not (_is_date(name) and FIELD_BY_NAME[name].kind is Kind.DATE):
        field.fault("adjust", f'"{name}" is not a day', "move_date and expiry_date are")
    return adjust


def _dates(name: str, field: Section, months: tuple[str, ...]) -> tuple[str, ...]:
    texts = field.texts("date")
    # One that is only looked at may tell which order the report's dates have (day_order.py).
    if texts and not _is_date(name) and name not in WORK_FIELDS:
        field.fault("date", f'"{name}" is not a date', "move_date, write_time and expiry_date are")
    for text in texts:
        compiled = compile_date(text, months)
        if isinstance(compiled, str):
            field.fault("date", f'"{text}": {compiled}')
    return texts


def _never(name: str, field: Section) -> tuple[Filter, ...]:
    filters = read_filters(field, "never", fold=True)
    if filters and not _is_date(name):
        field.fault("never", f'"{name}" is not a date', "move_date, write_time and expiry_date are")
    return filters


def _is_date(name: str) -> bool:
    return name in FIELD_BY_NAME and FIELD_BY_NAME[name].kind in (Kind.DATE, Kind.TIME)
