"""A definition from its YAML file: every fault at once, each with its place and a suggestion.

docs/definitions.md is the language. The file's parts are read here, its fields in load_fields; what no part can see
alone (a field that is skipped on but not given, captions without a header) is checked at the end.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY
from mailsync.definition.document import Compose, Fault, Section, read_document
from mailsync.definition.load_fields import load_fields
from mailsync.definition.load_rules import (
    load_change_skips,
    load_date_rules,
    load_heading,
    load_skips,
    load_stretches,
    read_filters,
)
from mailsync.definition.load_table import complete_layout, load_layout
from mailsync.definition.model import Claim, Definition
from mailsync.definition.tree import compose

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
NAMED = "named"  # a claim to what nothing else reads, where a route names the definition


def load_definition(file: str, text: str, faults: list[Fault], *, compose: Compose = compose) -> Definition | None:
    """The definition in the text of `file`, or None after adding every fault found to `faults`."""
    before = len(faults)
    top = read_document(file, text, faults, compose=compose)
    if top is None:
        return None
    name = _name(top, file)
    claim = load_claim(top)
    layout = load_layout(top)
    fields = load_fields(top, layout.kind)
    customer, media = _scope(top)
    names = tuple(rule.name for rule in fields.rules)
    definition = Definition(
        name=name,
        claim=claim,
        layout=complete_layout(top, layout, fields),
        fields=fields.rules,
        skips=load_skips(top, names),
        cross=fields.cross,
        customer=customer,
        media=media,
        duplicates=top.choice("duplicates", ("agree", "first", "last", "error"), "agree"),
        inventory_of=_inventory(top),
        confirms=top.boolean("confirms"),
        overtaken=top.choice("overtaken", ("hold", "apply"), "hold"),
        description=top.text("description"),
        heading=load_heading(top),
        stretches=load_stretches(top),
        by_date=load_date_rules(top, names),
        change_skips=load_change_skips(top),
        min_rows=top.number("min_rows"),
    )
    top.finish("the definition")
    return definition if len(faults) == before else None


def _name(top: Section, file: str) -> str:
    """The definition's name; without one, its file's."""
    name = top.text("name", PurePath(file).stem)
    if not _NAME.match(name):
        top.fault("name", f'"{name}" is not a name', "letters, digits, dots, dashes; at most 64")
    return name


def load_claim(top: Section) -> Claim:
    """What stands under `claim`; nothing for one that is named only."""
    if top.has("claim") and not top.is_section("claim") and top.text("claim") == NAMED:
        return Claim()
    section = top.section("claim", required=True)
    claim = Claim(
        attachment=read_filters(section, "attachment", fold=True),
        type=read_filters(section, "type", fold=True),
        subject=read_filters(section, "subject", fold=True),
        sender=read_filters(section, "sender", fold=True),
        content=read_filters(section, "content"),
    )
    section.finish("claim")
    if top.has("claim") and not any(section.has(key) for key in Claim._fields):
        hint = f'to claim every attachment: {{attachment: "*"}}; what nobody else claims: {NAMED}'
        top.fault("claim", "claim says nothing", hint)
    return claim


def _scope(top: Section) -> tuple[str, str]:
    section = top.section("scope")
    customer, media = section.text("customer"), section.text("media")
    if customer and not CUSTOMER.match(customer):
        section.fault("customer", f'"{customer}" is not a Customer-ID', "1 to 4 letters and digits")
    if media and not MEDIA.match(media):
        section.fault("media", f'"{media}" is not a Media-ID', "1 to 4 letters and digits")
    section.finish("scope")
    return customer, media


def _inventory(top: Section) -> str:
    repository = top.text("inventory_of")
    if repository and not REPOSITORY.match(repository):
        top.fault("inventory_of", f'"{repository}" is not a Repository-ID', "1 to 4 letters and digits")
    return repository
