"""The last tier: a table that nobody defined, read by its captions, where they leave nothing to guess.

Strategy: conservative, because a wrong guess moves a tape. The first row with a caption for volumes is the captions'.

    exactly one such table, one caption for the volume, at most one for each other field      read
    several tables, other captions further down, several captions for one field, another
      caption about places beside the repository's, one that says whose the volumes are, rows
      wider than the captions, values that are no Volume-IDs, no other caption to use         not read, and why
    a date column of no one format, a flag that is not yes or no                              read without it, noted

What it makes is a `Definition` like any other, named `captions`; its digest is that of what was decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.core.layout import Layout
from mailsync.core.model import VOLUME as VOLUME_ID
from mailsync.core.model import Attachment
from mailsync.definition.cells import FLAGS, shown
from mailsync.definition.date_forms import MOST_TEXTS, date_form
from mailsync.definition.dictionary import VOLUME, field_of, speaks_of_owners, speaks_of_places
from mailsync.definition.filters import Filter, compile_filter
from mailsync.definition.model import Claim, Definition, FieldRule, Skip, Take
from mailsync.definition.table import ReadTable

NAME = "captions"
_ZIP = b"PK\x03\x04"
_DELIMITERS = (",", ";", "\t", "|")
_SEARCHED_ROWS = 20
_MOST_TABLES = 10
_MOST_MARKUP = 1_000_000  # a page is gone through once for each of its tables
_LEAST_SHARE = 0.9
_NEVER = ("never", "none", "infinity", "permanent", "unlimited", "unbegrenzt", "nie", "jamais")


class Undecided(NamedTuple):
    """The captions do not say how the table is read; `why` is empty where it has none that mean volumes."""

    why: str


class Decided(NamedTuple):
    """The definition that the captions make, and what each column was taken for, for people."""

    definition: Definition
    told: str


class _Found(NamedTuple):
    """A table with a caption for volumes: how it is written with these captions, and the captions."""

    layout: Layout
    captions: tuple[str, ...]


class _Columns(NamedTuple):
    """What the rows hold: distinct texts of each column, how many rows, how many with a Volume-ID, how wide the widest
    is, and how many have a caption for volumes once more.
    """

    texts: tuple[frozenset[str], ...]
    rows: int
    volumes: int
    widest: int
    again: int


def by_captions(attachment: Attachment, *, read: ReadTable, cells: int) -> Decided | Undecided:
    """The definition the captions of the attachment's table make. `read` is tables.reader.read_table."""
    found = list(islice(_tables(attachment, read, cells), 2))
    if not found:
        return Undecided("")
    if len(found) > 1:
        return Undecided("it has several tables with a caption for volumes")
    if _beyond(attachment, found[0].layout, read, cells):
        return Undecided(f"it has more than {_MOST_TABLES} tables")
    layout, captions = found[0]
    fields = [field_of(caption) for caption in captions]
    why = _conflict(captions, fields)
    if why:
        return Undecided(f"by its captions alone it is not clear: {why}")
    columns = _columns(read, attachment, layout, (fields.index(VOLUME), len(captions), cells))
    why = _unlikely(columns, captions, fields.index(VOLUME))
    if why:
        return Undecided(f"by its captions alone it is not clear: {why}")
    return _decide(layout, captions, fields, columns)


def _tables(attachment: Attachment, read: ReadTable, cells: int) -> Iterator[_Found]:
    """The tables of the attachment that have a caption for volumes."""
    for layout in _layouts(attachment):
        table = read(attachment, layout, cells)
        if table.fault:
            return
        # Of a page, a first row of header cells is known for the captions already.
        rows = chain((table.captions,), (row for chunk in table.chunks for row in chunk.cells))
        filled = (row for row in rows if any(cell.strip() for cell in row))
        for number, row in enumerate(islice(filled, _SEARCHED_ROWS), 1):
            captions = tuple(cell.strip() for cell in row)
            if sum(map(bool, captions)) > 1 and any(field_of(caption) == VOLUME for caption in captions):
                wanted = () if layout.kind == "delimited" else tuple(filter(None, captions))
                yield _Found(layout._replace(header=number, wanted=wanted), captions)
                break


def _beyond(attachment: Attachment, layout: Layout, read: ReadTable, cells: int) -> bool:
    """True when there are more tables than were looked at."""
    return layout.number > 0 and not read(attachment, Layout(layout.kind, number=_MOST_TABLES + 1), cells).fault


def _layouts(attachment: Attachment) -> Iterator[Layout]:
    """How the attachment may be written: as a workbook or a page, table by table, else with one of the delimiters."""
    content = attachment.content
    numbers = range(1, _MOST_TABLES + 1)
    if content.startswith(_ZIP):
        yield from (Layout("workbook", number=number) for number in numbers)
    elif attachment.content_type == "text/html" or content[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")[:1] == b"<":
        yield from (Layout("html", number=number) for number in numbers if len(content) <= _MOST_MARKUP)
    else:
        yield from (Layout("delimited", delimiter) for delimiter in _DELIMITERS)


def _conflict(captions: Sequence[str], fields: Sequence[str]) -> str:
    """Why the captions alone do not say which column is which; empty when they do."""
    for field in dict.fromkeys(filter(None, fields)):
        same = [caption for caption, one in zip(captions, fields, strict=True) if one == field]
        if len(same) > 1:
            return f"{_listed(same)} may each be the {_word(field)}"
    unused = [caption for caption, field in zip(captions, fields, strict=True) if caption and not field]
    owner = next(filter(speaks_of_owners, unused), "")
    if owner:
        return f"{shown(owner)} may say whose each volume is"
    places = [caption for caption in unused if speaks_of_places(caption)]
    if places and "repository" in fields:
        return f"{_listed([captions[fields.index('repository')], *places])} may each say where a volume is"
    return "" if len(set(fields) - {"", VOLUME}) else "no caption but the volume's is known"


def _columns(read: ReadTable, attachment: Attachment, layout: Layout, shape: tuple[int, int, int]) -> _Columns:
    """What the rows hold, from one reading of all of them. `shape`: the volume's column, the captions, most cells."""
    volume, width, cells = shape
    texts: list[set[str]] = [set() for _ in range(width)]
    rows = volumes = widest = again = 0
    for chunk in read(attachment, layout, cells).chunks:
        for row in chunk.cells:
            filled = [cell.strip() for cell in row]
            if not any(filled):
                continue
            rows += 1
            widest = max(widest, *(place for place, cell in enumerate(filled, 1) if cell))
            named = filled[volume] if len(filled) > volume else ""
            volumes += VOLUME_ID.match(named) is not None
            again += not any(map(str.isdigit, named)) and field_of(named) == VOLUME
            for known, cell in zip(texts, filled, strict=False):
                if cell and len(known) <= MOST_TEXTS:
                    known.add(cell)
    return _Columns(tuple(map(frozenset, texts)), rows, volumes, widest, again)


def _unlikely(columns: _Columns, captions: Sequence[str], volume: int) -> str:
    """Why the rows are not what the captions say; empty when they may be."""
    if not columns.rows:
        return "there are no rows under them"
    if columns.again:
        return "other captions follow further down"
    if columns.widest > len(captions):
        return f"a row has {columns.widest} columns, the captions are {len(captions)}"
    digits = any(character.isdigit() for text in columns.texts[volume] for character in text)
    if columns.volumes < _LEAST_SHARE * columns.rows or not digits:
        odd = min((text for text in columns.texts[volume] if not VOLUME_ID.match(text)), default="")
        return f"column {shown(captions[volume])} holds what is no Volume-ID: {shown(odd)}"
    return ""


def _decide(layout: Layout, captions: Sequence[str], fields: Sequence[str], columns: _Columns) -> Decided | Undecided:
    rules, told, left = [], [], []
    for place, (caption, field) in enumerate(zip(captions, fields, strict=True)):
        rule, why = _rule(field, caption, columns.texts[place]) if field else (None, "")
        if rule is not None:
            rules.append(rule)
            form = f" ({rule.dates[0]})" if rule.dates else ""
            told.append(f"{shown(caption)} as the {_word(field)}{form}")
        elif caption:
            left.append(f"{shown(caption)} ({why})" if why else shown(caption))
    if len(rules) < 2:
        return Undecided(
            f"by its captions alone it is not clear: nothing but the volume can be read of {', '.join(left)}"
        )
    rules.sort(key=lambda rule: rule.name != VOLUME)
    cleaning = Skip(VOLUME, (_filter("CLN*"),), "cleaning tape")
    definition = Definition(NAME, Claim(), layout, tuple(rules), (cleaning,))
    text = f"read by its captions: {', '.join(told)}"
    return Decided(definition, f"{text}; not read: {', '.join(left)}" if left else text)


def _rule(field: str, caption: str, texts: frozenset[str]) -> tuple[FieldRule | None, str]:
    """How the field is made of its column; None, and why not."""
    rule = FieldRule(field, take=Take(caption=caption))
    kind = FIELD_BY_NAME[field].kind if field in FIELD_BY_NAME else None
    if kind is Kind.FLAG:
        odd = min((text for text in texts if text.lower() not in FLAGS), default="")
        return (None, f"{shown(odd)} is not yes or no") if odd else (rule, "")
    if kind not in (Kind.DATE, Kind.TIME):
        return rule, ""
    # A date that never comes is one only where that is what the caption speaks of.
    never = tuple(_filter(word, fold=True) for word in _NEVER) if field == "expiry_date" else ()
    dates = [text for text in texts if text.lower() not in _NEVER or not never]
    if not dates:
        return None, "there is no date in it"
    form = date_form(dates)
    return (rule._replace(dates=(form.text,), never=never), "") if form.text else (None, form.why)


def _filter(text: str, *, fold: bool = False) -> Filter:
    found = compile_filter(text, fold=fold)
    assert isinstance(found, Filter)
    return found


def _word(field: str) -> str:
    return field.replace("_", " ")


def _listed(captions: Sequence[str]) -> str:
    return " and ".join(map(shown, captions))
