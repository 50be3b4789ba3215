"""The parts of a definition's YAML that are about more than one field: which records are rows, rules by date, changes.

Each function reads one key of the file; what is off is among the section's faults. `names` are the fields that the
definition has.
"""

from __future__ import annotations

from collections.abc import Collection

from mailsync.core.model import REPOSITORY
from mailsync.definition.document import Section, suggestion
from mailsync.definition.filters import Filter, FilterFault, compile_filter
from mailsync.definition.model import Adjustment, ChangeSkip, DateRule, Heading, Skip, Stretches

_DAY = 86400
MOST_HEADING_ROWS = 100
MOST_ADDED = {"years": 1000, "months": 12_000, "days": 366_000}
_MOST_DAYS = MOST_ADDED["days"]


def read_filters(section: Section, key: str, *, fold: bool = False) -> tuple[Filter, ...]:
    """The filters under the key: one, or a list of which any may match."""
    found = (read_filter(section, key, text, fold=fold) for text in section.texts(key))
    return tuple(one for one in found if one)


def read_filter(section: Section, key: str, text: str, *, fold: bool = False) -> Filter | None:
    """The filter written as `text` under the key, or None after noting why it is none."""
    compiled = compile_filter(text, fold=fold)
    if isinstance(compiled, FilterFault):
        section.fault(key, f'"{text}": {compiled.text}', compiled.hint)
        return None
    return compiled


def load_heading(top: Section) -> Heading:
    """The header that comes back in the list, under `heading`."""
    if not top.has("heading"):
        return Heading()
    section = top.section("heading")
    filters = read_filters(section, "record")
    if not section.has("record"):
        section.fault("record", '"record" is missing', "a filter for the first record of the header")
    heading = Heading(filters, section.number("rows", 1, least=1, most=MOST_HEADING_ROWS))
    section.finish("heading")
    return heading


def load_stretches(top: Section) -> Stretches:
    """Where the rows are, under `rows`."""
    section = top.section("rows")
    found = Stretches(*(read_filters(section, key) for key in Stretches._fields))
    section.finish("rows")
    return found


def load_skips(top: Section, names: Collection[str]) -> tuple[Skip, ...]:
    """The rows to leave out, under `skip`."""
    return tuple(_skip(section, names) for section in top.sections("skip"))


def load_adjustments(field: Section) -> tuple[Adjustment, ...]:
    """What is added to a date, under the field's `adjust`. Whether their fields exist is `check_sources`' to say."""
    found = []
    for section in field.sections("adjust"):
        by, filters = _condition(section)
        years, months, days = (section.number(key, least=-most, most=most) for key, most in MOST_ADDED.items())
        if not (years or months or days):
            section.fault("days", "an adjustment adds nothing", "give years, months or days")
        found.append(Adjustment(by, filters, years, months, days))
        section.finish("adjust")
    return tuple(found)


def load_date_rules(top: Section, names: Collection[str]) -> tuple[DateRule, ...]:
    """The repositories that dates decide, under `by_date`."""
    return tuple(_date_rule(section, names) for section in top.sections("by_date"))


def load_change_skips(top: Section) -> tuple[ChangeSkip, ...]:
    """The changes of repository to leave alone, under `skip_change`."""
    found = []
    for section in top.sections("skip_change"):
        three = [read_filters(section, key) for key in ("proposed", "target", "current")]
        if not any(three):
            section.fault("proposed", "a skip_change says nothing", "{proposed: FILTER, target: ..., current: ...}")
        any_of = read_filter(section, "proposed", "*")
        proposed, target, current = (filters or ((any_of,) if any_of else ()) for filters in three)
        reason = section.text("reason", change_reason(proposed, target, current))
        found.append(ChangeSkip(proposed, target, current, reason))
        section.finish("skip_change")
    return tuple(found)


def skip_reason(field: str, filters: Collection[Filter], verb: str = "matches") -> str:
    """What a skip without words of its own is called."""
    return f"{field or 'record'} {verb} {_listed(filters)}"


def change_reason(proposed: Collection[Filter], target: Collection[Filter], current: Collection[Filter]) -> str:
    """What a change left alone is called when the definition has no words for it."""
    return f"change to {_listed(proposed)}, target {_listed(target)}, current {_listed(current)}"


def check_sources(section: Section, key: str, sources: Collection[str], names: Collection[str]) -> None:
    """Notes a fault for every field that is looked at and not there."""
    for source in sources:
        if source and source not in names:
            section.fault(key, f'"{source}" is not among the fields', suggestion(source, names))


def _skip(section: Section, names: Collection[str]) -> Skip:
    field = section.text("field")
    unless = section.has("unless")
    key = "unless" if unless else "matches" if field else "record"
    filters = read_filters(section, key)
    given = [one for one in ("record", "matches", "unless") if section.has(one)]
    if given != [key]:
        section.fault("record", "a skip is by record, or by field and matches", '{field: volume, matches: "CLN*"}')
    check_sources(section, "field", (field,), names)
    default = skip_reason(field, filters, "does not match" if unless else "matches")
    skip = Skip(field, filters, section.text("reason", default), unless)
    section.finish("skip")
    return skip


def _condition(section: Section) -> tuple[str, tuple[Filter, ...]]:
    """The field that is looked at and its filters; nothing when neither is given."""
    field, filters = section.text("field"), read_filters(section, "matches")
    if bool(field) != section.has("matches"):
        section.fault("field", "field and matches go together", '{field: description, matches: "*YEARLY*"}')
    return field, filters


def _date_rule(section: Section, names: Collection[str]) -> DateRule:
    source = "move_date" if section.has("move_date") else "write_time"
    if section.has("move_date") == section.has("write_time"):
        section.fault("write_time", "a rule is by move_date or by write_time", "{write_time: {within: 7d}, ...}")
    distance = section.section(source)
    within, beyond = _days(distance, "within"), _days(distance, "beyond")
    if within < 0 and beyond < 0:
        distance.fault("within", "how far away?", "{within: 7d}, {beyond: 30d} or both")
    distance.finish(source)
    field, filters = _condition(section)
    check_sources(section, "field", (field,), names)
    check_sources(section, source, (source,), names)
    repository = section.text("repository", required=True)
    if repository and not REPOSITORY.match(repository):
        section.fault("repository", f'"{repository}" is not a Repository-ID', "1 to 4 letters and digits")
    unset = section.text("move_after") == "none"
    move_after = 0 if unset else _days(section, "move_after")
    if move_after > 0 and "write_time" not in names:
        section.fault("move_after", '"write_time" is not among the fields', "move_after counts from it")
    section.finish("by_date")
    return DateRule(source, repository, field, filters, within, beyond, move_after)


def _days(section: Section, key: str) -> int:
    """Whole days, -1 when the key is not given."""
    if not section.has(key):
        return -1
    seconds = section.duration(key, -_DAY)
    if seconds % _DAY or not -_DAY <= seconds <= _MOST_DAYS * _DAY:
        section.fault(key, f'"{key}" must be whole days, at most {_MOST_DAYS}', "such as 7d")
    return seconds // _DAY


def _listed(filters: Collection[Filter]) -> str:
    return " or ".join(f'"{one.text}"' for one in filters)
