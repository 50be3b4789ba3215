"""A definition as YAML: text that loads to the same digest, whatever notation the definition was loaded from.

Only what is not the default is written, in the order of docs/definitions.md. Translations by another field are
written in the file's own `translate_from`, where their order may cross fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailsync.core.layout import Layout
from mailsync.definition.filters import Filter
from mailsync.definition.load import NAMED
from mailsync.definition.load_fields import SWITCHES
from mailsync.definition.load_rules import change_reason, skip_reason
from mailsync.definition.model import (
    Adjustment,
    ChangeSkip,
    Claim,
    DateRule,
    Definition,
    FieldRule,
    Function,
    Skip,
    Take,
    Translation,
)

_WIDTH = 120
_Node = dict[str, Any]


def to_yaml(definition: Definition) -> str:
    """The definition's YAML. Raises ValueError for a kind of table that .ttidef does not have."""
    import yaml

    text: str = yaml.safe_dump(
        _document(definition), sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH
    )
    return text


def _document(definition: Definition) -> _Node:
    scope = {"customer": definition.customer, "media": definition.media}
    crosses = [{"field": one.field, "by": one.source, "table": _translations(one.table)} for one in definition.cross]
    heading = definition.heading
    return _given(
        name=definition.name,
        description=definition.description,
        claim=_claim(definition.claim),
        table=_table(definition.layout),
        scope=_given(**scope),
        heading=_given(record=_filters(heading.filters), rows=heading.rows) if heading.filters else None,
        rows=_given(**{name: _filters(filters) for name, filters in definition.stretches._asdict().items()}),
        skip=[_skip(one) for one in definition.skips],
        fields={rule.name: _field(rule) for rule in definition.fields},
        translate_from=crosses,
        by_date=[_date_rule(one) for one in definition.by_date],
        skip_change=[_change_skip(one) for one in definition.change_skips],
        duplicates=definition.duplicates if definition.duplicates != "agree" else "",
        min_rows=definition.min_rows,
        inventory_of=definition.inventory_of,
        confirms=definition.confirms,
        overtaken=definition.overtaken if definition.overtaken != "hold" else "",
    )


def _given(**values: Any) -> _Node:  # noqa: ANN401 - whatever YAML can say
    """The values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {}, 0, False)}


def _filters(filters: Sequence[Filter]) -> str | list[str] | None:
    texts = [one.text for one in filters]
    return texts[0] if len(texts) == 1 and texts[0] else texts or None


def _claim(claim: Claim) -> _Node | str:
    found = {name: _filters(filters) for name, filters in claim._asdict().items() if filters}
    return found or NAMED


def _table(layout: Layout) -> _Node:
    plain = Layout(layout.kind, layout.delimiter, layout.quote, layout.header, layout.encoding)
    if layout.kind not in ("delimited", "fixed") or layout != plain:
        raise ValueError(f"a {layout.kind} table cannot be written as YAML")
    found = _given(kind=layout.kind, delimiter=layout.delimiter, encoding=layout.encoding)
    if layout.quote != '"':
        found["quote"] = layout.quote or "none"
    return found | {"header": layout.header or "none"}


def _skip(skip: Skip) -> _Node:
    key = "unless" if skip.unless else "matches" if skip.field else "record"
    default = skip_reason(skip.field, skip.filters, "does not match" if skip.unless else "matches")
    reason = skip.reason if skip.reason != default else ""
    return _given(field=skip.field) | {key: [one.text for one in skip.filters]} | _given(reason=reason)


def _field(rule: FieldRule) -> _Node:
    found: _Node = {}
    if rule.take is not None:
        found = _column(rule.take)
    if rule.join is not None:
        found["join"] = [_column(take) for take in rule.join.takes]
        found["join_with"] = rule.join.separator
    if rule.literal is not None:
        found["value"] = rule.literal
    if rule.regex:
        found["extract"] = {"regex": rule.regex}
    if rule.part != (0, 0):
        found["extract"] = _span(*rule.part)
    if not rule.strip:
        found["strip"] = False
    found |= {one.name: _function(one) for one in rule.functions}
    return found | _given(
        translate=_translations(rule.translations),
        date=list(rule.dates),
        months=list(rule.months),
        never=_filters(rule.never),
        adjust=[_adjustment(one) for one in rule.adjust],
        required=rule.required,
        empty=rule.empty if rule.empty != "silent" else "",
        unlike=rule.unlike,
    )


def _column(take: Take) -> _Node:
    if take.source:
        return {"source": take.source} | _given(optional=take.optional)
    column: Any = take.caption or take.column
    if take.end:
        column = _span(take.start, take.end)
    if take.heading:
        column = {"heading": take.heading, "start": take.start + 1, "length": take.end - take.start}
    return {"column": column} | _given(optional=take.optional)


def _span(start: int, end: int) -> list[int]:
    return [start + 1, end]


def _function(function: Function) -> Any:  # noqa: ANN401 - a switch, a text, a number or more
    if function.name in ("pad", "pad_right"):
        return {"length": function.number, "with": function.text}
    if function.name == "substring":
        return _span(function.number, function.end)
    if function.name == "max":
        return function.number
    return True if function.name in SWITCHES else function.text


def _translations(table: Sequence[Translation]) -> list[list[str]]:
    return [[one.filter.text, one.result] for one in table]


def _adjustment(one: Adjustment) -> _Node:
    return _given(field=one.field, matches=_filters(one.filters), years=one.years, months=one.months, days=one.days)


def _date_rule(rule: DateRule) -> _Node:
    distance = {name: f"{days}d" for name, days in (("within", rule.within), ("beyond", rule.beyond)) if days >= 0}
    move_after = "" if rule.move_after < 0 else f"{rule.move_after}d" if rule.move_after else "none"
    found = {rule.source: distance, "repository": rule.repository}
    return found | _given(field=rule.field, matches=_filters(rule.filters), move_after=move_after)


def _change_skip(one: ChangeSkip) -> _Node:
    default = change_reason(one.proposed, one.target, one.current)
    found = {name: _filters(filters) for name, filters in zip(ChangeSkip._fields, one[:3], strict=False)}
    return found | _given(reason=one.reason if one.reason != default else "")
