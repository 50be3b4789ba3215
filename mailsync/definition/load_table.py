"""The `table` of a definition from its YAML: what kind it is, and what that kind needs to know.

A key that a kind does not read is a fault, like any other unknown key. What needs the fields as well (which captions
there must be, which sources and groups exist) is `complete_layout`, which looks at both.
"""

from __future__ import annotations

from mailsync.core.layout import Layout, PrintedTwice, Split, Total
from mailsync.definition.document import Section, suggestion
from mailsync.definition.expression import Expression, compile_expression
from mailsync.definition.filters import FilterFault
from mailsync.definition.load_fields import Fields
from mailsync.definition.load_rules import read_filters
from mailsync.definition.model import Take

KINDS = ("delimited", "fixed", "ruled", "boxed", "records", "lines", "html", "workbook", "json")
_CELLED = ("delimited", "fixed")
_LINED = ("delimited", "fixed", "ruled", "boxed", "records", "lines")
_HEADED = ("delimited", "fixed", "ruled", "html", "workbook")
_TITLED = ("html", "workbook")
_NUMBERED = ("ruled", "boxed", "html", "workbook")
_EVERYWHERE = ("attachment", "subject")
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "blank": " "}
_MOST_HEADER_ROWS = 50
_MOST_LINES = 100
_MOST_TABLES = 1000


def load_layout(top: Section) -> Layout:
    """The layout under `table`. A `header` of -1 was not given: `complete_layout` knows what it is then."""
    section = top.section("table")
    kind = section.choice("kind", KINDS, "delimited")
    layout = Layout(kind=kind)
    if kind != "workbook":
        layout = layout._replace(encoding=_encoding(section))
    if kind in _HEADED:
        layout = layout._replace(header=_header(section))
    if kind in _LINED:
        layout = _lines(section, layout)
    if kind in _TITLED:
        layout = layout._replace(title=read_filters(section, "title", fold=True))
    if kind in _NUMBERED:
        layout = layout._replace(number=section.number("number", most=_MOST_TABLES))
    if kind != "fixed":
        layout = layout._replace(split=_split(section))
    layout = _of_kind(section, layout)
    section.finish("table")
    return layout


def complete_layout(top: Section, layout: Layout, fields: Fields) -> Layout:
    """The layout with what the fields ask of it. What they ask and it does not have are faults."""
    takes = [(rule.name, take) for rule in fields.rules for take in rule.takes]
    _check_sources(top, layout, takes)
    if layout.patterns:
        _check_groups(top, layout, takes)
    if layout.kind in _CELLED:
        return _with_header(top, layout, fields)
    asked = [take for _, take in takes if take.caption]
    wanted = dict.fromkeys(take.caption for take in asked if not take.optional)
    if layout.wrapped:
        wanted[layout.wrapped] = None
    welcome = dict.fromkeys(take.caption for take in asked if take.caption not in wanted)
    keys = [take.caption for rule in fields.rules if rule.name in ("volume", "barcode") for take in rule.takes]
    known = tuple(filter(None, keys)) if layout.kind == "ruled" and layout.until else ()
    return layout._replace(header=max(layout.header, 0), wanted=tuple(wanted), welcome=tuple(welcome), keys=known)


def _of_kind(section: Section, layout: Layout) -> Layout:
    """The layout with what only its kind has."""
    if layout.kind == "delimited":
        layout = layout._replace(delimiter=_delimiter(section), quote=_quote(section))
        if layout.delimiter and layout.delimiter == layout.quote:
            section.fault("quote", "delimiter and quote are the same character")
    elif layout.kind == "ruled":
        layout = layout._replace(until=read_filters(section, "until"), wrapped=section.text("wrapped"))
    elif layout.kind == "records":
        layout = _records(section, layout)
    elif layout.kind == "lines":
        layout = layout._replace(patterns=_patterns(section), others=_others(section))
        if not section.has("pattern"):
            section.fault("pattern", '"pattern" is missing', "a regular expression with named groups: (?P<volume>...)")
    elif layout.kind == "html":
        layout = layout._replace(empty=read_filters(section, "empty", fold=True))
    elif layout.kind == "json":
        path = section.text("path")
        layout = layout._replace(path=tuple(path.split(".")) if path else ())
    return layout


def _lines(section: Section, layout: Layout) -> Layout:
    """The layout with what is done to the lines of a text before rows are looked for."""
    sections = tuple(_expression(section, "sections", text, named=True) for text in section.texts("sections"))
    return layout._replace(
        prefix=_expression(section, "prefix", section.text("prefix")) if section.has("prefix") else None,
        control=section.boolean("carriage_control"),
        page_lines=section.number("page_header", most=_MOST_LINES),
        sections=tuple(one for one in sections if one),
        totals=_totals(section),
        printed_twice=_printed_twice(section),
    )


def _printed_twice(section: Section) -> PrintedTwice | None:
    if not section.has("printed_twice"):
        return None
    if not section.has("sections"):
        section.fault("printed_twice", "the table has no sections", "sections says which lines are titles")
    one = section.section("printed_twice")
    title, where = (_expression(one, key, one.text(key, required=True)) for key in ("title", "where"))
    one.finish("printed_twice")
    return PrintedTwice(title, where) if title and where else None


def _records(section: Section, layout: Layout) -> Layout:
    begins, lines = read_filters(section, "begins"), section.number("lines", most=_MOST_LINES)
    if begins and lines:
        section.fault("lines", "begins and lines are both given", "one of them says where a record begins")
    layout = layout._replace(begins=begins, lines=lines, patterns=_patterns(section))
    if section.has("pattern"):
        return layout._replace(others=_others(section))
    separator = section.text("separator", ":")
    if not separator.strip():
        section.fault("separator", "a separator is not blank", "what stands behind a label, such as :")
    return layout._replace(separator=separator)


def _others(section: Section) -> str:
    return section.choice("others", ("skip", "problem"), "skip")


def _patterns(section: Section) -> tuple[Expression, ...]:
    found = (_expression(section, "pattern", text, named=True) for text in section.texts("pattern"))
    return tuple(one for one in found if one)


def _totals(section: Section) -> tuple[Total, ...]:
    found = []
    for one in section.sections("totals"):
        line = _expression(one, "line", one.text("line", required=True))
        if line and len(line.names) != 1:
            one.fault("line", f"it has {len(line.names)} groups", "put the number in one ( ), others in (?: )")
        counts = one.choice("counts", ("section", "report"), "section")
        wrong = one.choice("wrong", ("problem", "note"), "problem")
        if line:
            found.append(Total(line, counts, wrong))
        one.finish("totals")
    return tuple(found)


def _expression(section: Section, key: str, text: str, *, named: bool = False) -> Expression | None:
    """The regular expression under the key; with `named`, one whose groups all have names."""
    compiled = compile_expression(text)
    if isinstance(compiled, FilterFault):
        section.fault(key, f'"{text}": {compiled.text}', compiled.hint)
        return None
    if named and not (compiled.names and all(compiled.names)):
        section.fault(key, f'"{text}" does not name what it finds', "(?P<name>...); what needs no name: (?:...)")
        return None
    return compiled


def _split(section: Section) -> Split | None:
    if not section.has("split"):
        return None
    one = section.section("split")
    column, at = one.text("column", required=True), one.text("at", ",")
    if not at:
        one.fault("at", '"at" is empty', "what stands between the values, such as a comma")
    one.finish("split")
    by_number = column.isdecimal() and column.isascii() and len(column) <= 4 and int(column) > 0
    return Split(int(column), "", at) if by_number else Split(0, column, at)


def _check_sources(top: Section, layout: Layout, takes: list[tuple[str, Take]]) -> None:
    """Faults of sections that take a name that is taken, and of fields whose source nobody is."""
    named = [name for one in layout.sections for name in one.names]
    own = (*_EVERYWHERE, "title") if layout.kind in _TITLED else _EVERYWHERE
    for name in named:
        if name in own:
            top.section("table").fault("sections", f'"{name}" is a source already', "another name for the group")
    for field, take in takes:
        if take.source and take.source not in (*own, *named):
            top.section("fields").fault(field, f'"{take.source}" is no source', suggestion(take.source, (*own, *named)))


def _check_groups(top: Section, layout: Layout, takes: list[tuple[str, Take]]) -> None:
    names = {name for one in layout.patterns for name in one.names}
    for field, take in takes:
        if take.caption and take.caption not in names:
            hint = suggestion(take.caption, names)
            top.section("fields").fault(field, f'no pattern has a group "{take.caption}"', hint)


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
