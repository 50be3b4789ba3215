"""A definition from its YAML file: every fault at once, each with its place and a suggestion.

docs/definitions.md is the language. The file's parts are read here, its fields in load_fields; what no part can see
alone (a field that is skipped on but not given, captions without a header) is checked at the end.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY
from mailsync.definition.document import Compose, Fault, Section, read_document, suggestion
from mailsync.definition.load_fields import Fields, load_fields, read_filters
from mailsync.definition.model import Claim, Definition, Layout, Skip
from mailsync.definition.tree import compose

__all__ = ["Definition", "load_definition"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "blank": " "}
_MOST_HEADER_ROWS = 50


def load_definition(file: str, text: str, faults: list[Fault], *, compose: Compose = compose) -> Definition | None:
    """The definition in the text of `file`, or None after adding every fault found to `faults`."""
    before = len(faults)
    top = read_document(file, text, faults, compose=compose)
    if top is None:
        return None
    name = _name(top, file)
    claim = _claim(top)
    layout = _layout(top)
    fields = load_fields(top, layout.kind)
    customer, media = _scope(top)
    definition = Definition(
        name=name,
        claim=claim,
        layout=_with_header(top, layout, fields),
        fields=fields.rules,
        skips=_skips(top, fields),
        cross=fields.cross,
        customer=customer,
        media=media,
        duplicates=top.choice("duplicates", ("agree", "first", "last", "error"), "agree"),
        inventory_of=_inventory(top),
        confirms=top.boolean("confirms"),
        overtaken=top.choice("overtaken", ("hold", "apply"), "hold"),
        description=top.text("description"),
    )
    top.finish("the definition")
    return definition if len(faults) == before else None


def _name(top: Section, file: str) -> str:
    """The definition's name; without one, its file's."""
    name = top.text("name", PurePath(file).stem)
    if not _NAME.match(name):
        top.fault("name", f'"{name}" is not a name', "letters, digits, dots, dashes; at most 64")
    return name


def _claim(top: Section) -> Claim:
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
        top.fault("claim", "claim says nothing", 'to claim every attachment: {attachment: "*"}')
    return claim


def _layout(top: Section) -> Layout:
    section = top.section("table")
    kind = section.choice("kind", ("delimited", "fixed"), "delimited")
    layout = Layout(kind=kind, encoding=_encoding(section))
    if kind == "delimited":
        layout = layout._replace(delimiter=_delimiter(section), quote=_quote(section))
        if layout.delimiter and layout.delimiter == layout.quote:
            section.fault("quote", "delimiter and quote are the same character")
    layout = layout._replace(header=_header(section))
    section.finish("table")
    return layout


def _delimiter(section: Section) -> str:
    text = section.text("delimiter")
    delimiter = _DELIMITERS.get(text, text)
    if len(delimiter) > 1 or delimiter in ("\n", "\r"):
        section.fault("delimiter", f'"{text}" is not one character', "for a tab: tab")
        return ""
    return delimiter


def _quote(section: Section) -> str:
    text = section.text("quote", '"')
    if text in ("none", ""):
        return ""
    if len(text) > 1 or text in "\n\r ":
        section.fault("quote", f'"{text}" is not one character', "for text without quotes: none")
        return '"'
    return text


def _encoding(section: Section) -> str:
    encoding = section.text("encoding")
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, ValueError):
        section.fault("encoding", f'"{encoding}" is not an encoding', "such as cp437, windows-1252 or cp037")
        return ""
    return encoding


def _header(section: Section) -> int:
    """Rows before the data; -1 when the file does not say."""
    text = section.text("header")
    if text in ("first", "none"):
        return 1 if text == "first" else 0
    if text == "" and not section.has("header"):
        return -1
    if text.isdecimal() and text.isascii() and len(text) <= 3 and int(text) <= _MOST_HEADER_ROWS:
        return int(text)
    section.fault(
        "header", f'"{text}" is not a header', f"none, first, or the number of rows up to {_MOST_HEADER_ROWS}"
    )
    return -1


def _with_header(top: Section, layout: Layout, fields: Fields) -> Layout:
    """The layout with the header that the fields need where the file does not say."""
    if layout.header < 0:
        return layout._replace(header=int(layout.kind == "delimited"))
    if not layout.header and fields.captioned:
        name = fields.captioned[0]
        top.fault(
            "fields", f'"{name}" is read by caption, but the table has no header', "set header: first, or give numbers"
        )
    return layout


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


def _skips(top: Section, fields: Fields) -> tuple[Skip, ...]:
    names = [rule.name for rule in fields.rules]
    found = []
    for section in top.sections("skip"):
        by_record, field = section.has("record"), section.text("field")
        key = "record" if by_record else "matches"
        filters = read_filters(section, key)
        if by_record == bool(field) or not section.has(key):
            section.fault("record", "a skip is by record, or by field and matches", '{field: volume, matches: "CLN*"}')
        elif field and field not in names:
            section.fault("field", f'"{field}" is not among the fields', suggestion(field, names))
        listed = " or ".join(f'"{one.text}"' for one in filters)
        found.append(Skip(field, filters, section.text("reason", f"{field or 'record'} matches {listed}")))
        section.finish("skip")
    return tuple(found)
