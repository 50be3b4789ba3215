"""A definition's descriptions sent to an extended attribute instead: what `push -A` does to it, for one run.

The field is renamed wherever the definition names it, so that all its rules go on saying what they said.
"""

from __future__ import annotations

from mailsync.core.fields import ATTRIBUTE
from mailsync.definition.model import Definition, FieldRule

_DESCRIPTION = "description"


def with_attribute(definition: Definition, number: int) -> Definition | None:
    """The definition whose description is attribute 1 to 200; 0 is the description itself, which changes nothing.

    None when it has no description, or says this attribute already.
    """
    if number == 0:
        return definition
    name = f"{ATTRIBUTE}{number}"
    names = {rule.name for rule in definition.fields}
    if _DESCRIPTION not in names or name in names:
        return None

    def renamed(field: str) -> str:
        return name if field == _DESCRIPTION else field

    def rule_of(rule: FieldRule) -> FieldRule:
        adjust = tuple(one._replace(field=renamed(one.field)) for one in rule.adjust)
        return rule._replace(name=renamed(rule.name), unlike=renamed(rule.unlike), adjust=adjust)

    return definition._replace(
        fields=tuple(map(rule_of, definition.fields)),
        skips=tuple(one._replace(field=renamed(one.field)) for one in definition.skips),
        cross=tuple(one._replace(field=renamed(one.field), source=renamed(one.source)) for one in definition.cross),
        by_date=tuple(one._replace(field=renamed(one.field)) for one in definition.by_date),
    )
