"""The fields of a definition from their YAML: one rule each, in file order, and the translations across fields."""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.definition.dates import compile_date
from mailsync.definition.document import Section, suggestion
from mailsync.definition.filters import Filter, FilterFault, compile_filter, compile_pattern
from mailsync.definition.model import (
    RULE_FIELDS,
    CrossTranslation,
    FieldRule,
    Function,
    Take,
    Translation,
)

_SWITCHES = ("upper", "lower", "remove_spaces")
_TEXTS = ("remove", "remove_prefix", "remove_suffix", "prepend", "append")
_NUMBERS = ("pad", "max")
_LONGEST = 4096


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
    for name in list(section.keys()):
        if name not in RULE_FIELDS:
            section.has(name)
            section.fault(name, f'"{name}" is not a field', suggestion(name, RULE_FIELDS))
            continue
        field = section.section(name)
        rule = _rule(name, field, kind)
        rules.append(rule._replace(required=rule.required or name in required))
        cross += _cross(name, field)
        field.finish(f'field "{name}"')
    names = {rule.name for rule in rules}
    _check_keys(top, [rule for rule in rules if rule.name in ("volume", "barcode")])
    for name in required:
        if name not in names:
            top.fault("required", f'"{name}" is not among the fields', suggestion(name, names))
    for one in cross:
        if one.source not in names:
            section.fault(one.field, f'"{one.source}" is not among the fields', suggestion(one.source, names))
    captioned = tuple(rule.name for rule in rules if rule.take and rule.take.caption)
    return Fields(tuple(rules), tuple(cross), captioned)


def read_filters(section: Section, key: str, *, fold: bool = False) -> tuple[Filter, ...]:
    """The filters under the key: one, or a list of which any may match."""
    found = (_filter(section, key, text, fold=fold) for text in section.texts(key))
    return tuple(one for one in found if one)


def _filter(section: Section, key: str, text: str, *, fold: bool) -> Filter | None:
    compiled = compile_filter(text, fold=fold)
    if isinstance(compiled, FilterFault):
        section.fault(key, f'"{text}": {compiled.text}', compiled.hint)
        return None
    return compiled


def _check_keys(top: Section, keys: list[FieldRule]) -> None:
    if len(keys) != 1:
        wrong = "both volume and barcode are given" if keys else "neither volume nor barcode is given"
        top.fault("fields", wrong, "one of them says which volume a row is about")
    for rule in keys:
        if rule.take is None or rule.take.optional:
            top.fault("fields", f'"{rule.name}" must come from a column that is always there')


def _rule(name: str, field: Section, kind: str) -> FieldRule:
    take = _take(field, kind)
    literal = field.text("value") if field.has("value") else None
    if take and literal is not None:
        field.fault("value", "column and value are both given", "a field has one of them")
    if not take and literal is None and not field.has("translate_from"):
        field.fault("column", "where does it come from?", "give column or value")
    regex, part = _extract(field)
    return FieldRule(
        name=name,
        literal=literal,
        take=take,
        regex=regex,
        part=part,
        strip=field.boolean("strip", default=True),
        functions=_functions(field),
        translations=_translations(field, "translate"),
        dates=_dates(name, field),
        never=_never(name, field),
        required=field.boolean("required"),
        empty=field.choice("empty", ("silent", "unset"), "silent"),
    )


def _take(field: Section, kind: str) -> Take | None:
    optional = field.boolean("optional")
    if not field.has("column"):
        return None
    if field.is_section("column") or field.is_list("column"):
        start, end = _span(field, "column")
        if kind != "fixed":
            field.fault("column", "from and to are for fixed tables", "give the column's number or caption")
        return Take(start=start, end=end, optional=optional)
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
        start = section.number("start", 1, least=1, most=_LONGEST)
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
    given = {key for key in (*_SWITCHES, *_TEXTS, *_NUMBERS) if field.has(key)}
    order = list(field.keys())
    return tuple(_function(field, key) for key in sorted(given, key=order.index))


def _function(field: Section, key: str) -> Function:
    if key in _SWITCHES:
        if not field.boolean(key):
            field.fault(key, f'"{key}" can only be true', "leave it out")
        return Function(key)
    if key in _TEXTS:
        return Function(key, text=field.text(key))
    if key == "max":
        return Function(key, number=field.number(key, 1, least=1, most=_LONGEST))
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
        one = _filter(section, key, text, fold=False)
        if one:
            found.append(Translation(one, result))
    return tuple(found)


def _cross(name: str, field: Section) -> list[CrossTranslation]:
    found = []
    for section in field.sections("translate_from"):
        source = section.text("field", required=True)
        found.append(CrossTranslation(name, source, _translations(section, "table")))
        section.finish("translate_from")
    return found


def _dates(name: str, field: Section) -> tuple[str, ...]:
    texts = field.texts("date")
    if texts and not _is_date(name):
        field.fault("date", f'"{name}" is not a date', "move_date, write_time and expiry_date are")
    for text in texts:
        compiled = compile_date(text)
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
