"""The last tier: a table that nobody defined, read by its captions, where they leave nothing to guess.

Strategy: conservative, because a wrong guess moves a tape. The first row with a caption for volumes is the captions'.

    exactly one such table, one caption for the volume, at most one for each other field      read
    several tables, other captions further down, several captions for one field, another
      caption about places beside the repository's, one that says whose the volumes are or
      which way they go, such words in a title, the file's name or the subject, rows that may
      be titles, rows wider than the captions, values that are no Volume-IDs, no other
      caption to use                                                                          not read, and why
    several captions for the volume, whose columns are equal in every row                     the first of them
    a date column of no one format, a flag that is not yes or no                              read without it, noted

What it makes is a `Definition` like any other, named `captions`; its digest is that of what was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.core.layout import Layout
from mailsync.core.model import VOLUME as VOLUME_ID
from mailsync.core.model import Attachment
from mailsync.definition.captioned_rows import CaptionedRows, title_among
from mailsync.definition.cells import FLAGS, shown
from mailsync.definition.date_forms import date_form
from mailsync.definition.dictionary import VOLUME, field_of, speaks_of_owners, speaks_of_places
from mailsync.definition.filters import Filter, compile_filter
from mailsync.definition.model import Claim, Definition, FieldRule, Skip, Take
from mailsync.definition.movements import caption_moves, title_moves
from mailsync.definition.table import WORKBOOKS, LookAt, ReadTable

NAME = "captions"
_DELIMITERS = (",", ";", "\t", "|")
_SEARCHED_ROWS = 20
_MOST_TABLES = 10
_MOST_MARKUP = 1_000_000
_LISTED = 10
_Tables = Iterable[tuple[Layout, Iterable[Sequence[str]]]]
_LEAST_SHARE = 0.9
_SAME = "same"  # a further column for the volume, which is no field
_NEVER = ("never", "none", "infinity", "permanent", "unlimited", "unbegrenzt", "nie", "jamais")


class Undecided(NamedTuple):
    """The captions do not say how the table is read; `why` is empty where it has none that mean volumes."""

    why: str


class Decided(NamedTuple):
    """The definition that the captions make, and what each column was taken for, for people."""

    definition: Definition
    told: str


class _Found(NamedTuple):
    """A table with a caption for volumes: how it is written with these captions, these, and the rows above them."""

    layout: Layout
    captions: tuple[str, ...]
    above: tuple[str, ...]


def by_captions(
    attachment: Attachment, *, read: ReadTable, look: LookAt, cells: int, subject: str = ""
) -> Decided | Undecided:
    """The definition the captions of the attachment's table make. `read` and `look` are tables.reader's."""
    kind = _kind(attachment)
    seen = _marked(attachment, kind, look, cells)
    found = list(islice(_tables(seen or _delimited(attachment, kind, read, cells)), 2))
    if not found:
        return Undecided("")
    if len(found) > 1:
        return Undecided("it has several tables with a caption for volumes")
    if len(seen) > _MOST_TABLES:
        return Undecided(f"it has more than {_MOST_TABLES} tables")
    layout, captions, above = found[0]
    fields = [field_of(caption) for caption in captions]
    volumes = [place for place, field in enumerate(fields) if field == VOLUME]
    for twin in volumes[1:]:
        fields[twin] = _SAME
    why = _conflict(captions, fields)
    if not why:
        columns = _columns(read, attachment, found[0], volumes, cells)
        said = [("title", text) for text in (*above, *sorted(columns.beside))]
        why = _unlikely(columns, captions, volumes)
        why = why or _going([("subject", subject), ("name", attachment.path), *said])
    if why:
        return Undecided(f"by its captions alone it is not clear: {why}")
    return _decide(layout, captions, fields, columns)


def cost(attachment: Attachment) -> int:
    """What asking about the attachment costs, in bytes of a page or a workbook: text is read much faster."""
    size = len(attachment.content) // (10 if _kind(attachment) == "delimited" else 1)
    return size + (cost(attachment.html) if attachment.html else 0)


def _tables(tables: _Tables) -> Iterator[_Found]:
    """Those of the first tables that have a caption for volumes."""
    for layout, rows in islice(tables, _MOST_TABLES):
        above: list[str] = []
        for number, row in enumerate(rows, 1):
            captions = tuple(cell.strip() for cell in row)
            if sum(map(bool, captions)) > 1 and any(field_of(caption) == VOLUME for caption in captions):
                wanted = () if layout.kind == "delimited" else tuple(filter(None, captions))
                yield _Found(layout._replace(header=number, wanted=wanted), captions, tuple(above))
                break
            above.append(" ".join(filter(None, captions)))


def _kind(attachment: Attachment) -> str:
    """How the attachment may be written: as a workbook, a page, or with one of the delimiters."""
    content = attachment.content
    if content.startswith(WORKBOOKS):
        return "workbook"
    if attachment.content_type == "text/html" or content[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")[:1] == b"<":
        return "html"
    return "delimited"


def _marked(
    attachment: Attachment, kind: str, look: LookAt, cells: int
) -> list[tuple[Layout, Iterable[Sequence[str]]]]:
    """The first tables of a page or a workbook, and one that says that there are more; none of text."""
    if kind == "delimited" or (kind == "html" and len(attachment.content) > _MOST_MARKUP):
        return []
    seen = look(attachment, Layout(kind), cells, tables=_MOST_TABLES + 1, rows=_SEARCHED_ROWS)
    return [(Layout(kind, number=one.number), one.rows) for one in seen]


def _delimited(attachment: Attachment, kind: str, read: ReadTable, cells: int) -> _Tables:
    """Text as each of the delimiters cuts it: its first rows that are not blank."""
    for delimiter in _DELIMITERS if kind == "delimited" else ():
        layout = Layout(kind, delimiter)
        table = read(attachment, layout, cells)
        if table.fault:
            return
        rows = (row for chunk in table.chunks for row in chunk.cells if any(cell.strip() for cell in row))
        yield layout, islice(rows, _SEARCHED_ROWS)


def _conflict(captions: Sequence[str], fields: Sequence[str]) -> str:
    """Why the captions alone do not say which column is which; empty when they do."""
    for field in dict.fromkeys(one for one in fields if one not in ("", _SAME)):
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
    going = next(filter(caption_moves, unused), "")
    if going:
        return f"{shown(going)} may say which way each volume goes, or what became of it"
    return "" if len(set(fields) - {"", VOLUME, _SAME}) else "no caption but the volume's is known"


def _going(said: Iterable[tuple[str, str]]) -> str:
    """Why what is said beside the table does not leave its places to be where the volumes are; empty when it does."""
    lines = ((what, line.strip()) for what, text in said for line in text.splitlines())
    what, line = next(((what, line) for what, line in lines if title_moves(line)), ("", ""))
    return f"the {what} {shown(line)} speaks of moves, to the places in it or from them" if what else ""


def _columns(
    read: ReadTable, attachment: Attachment, found: _Found, volumes: Sequence[int], cells: int
) -> CaptionedRows:
    """What the rows hold, from one reading of all of them; `volumes` are the columns for volumes."""
    columns = CaptionedRows(volumes, len(found.captions))
    for chunk in read(attachment, found.layout, cells).chunks:
        columns.beside.update(said[0] for said in chunk.sources.values() if said)
        for row in chunk.cells:
            filled = [cell.strip() for cell in row]
            if any(filled):
                columns.add(filled)
    return columns


def _unlikely(columns: CaptionedRows, captions: Sequence[str], volumes: Sequence[int]) -> str:
    """Why the rows are not what the captions say; empty when they may be."""
    if not columns.rows:
        return "there are no rows under them, or all are hidden"
    if columns.unlike:
        return f"{_listed([captions[place] for place in volumes])} may each be the volume"
    if columns.again:
        return "other captions follow further down"
    if columns.widest > len(captions):
        return f"a row has {columns.widest} columns, the captions are {len(captions)}"
    volume = volumes[0]
    title = title_among(columns, volume)
    if title:
        return f"the row {shown(title)} may be a title, which says something of the rows below it"
    digits = any(character.isdigit() for text in columns.texts[volume] for character in text)
    if columns.volumes < _LEAST_SHARE * columns.rows or not digits:
        odd = min((text for text in columns.texts[volume] if not VOLUME_ID.match(text)), default="")
        return f"column {shown(captions[volume])} holds what is no Volume-ID: {shown(odd)}"
    return ""


def _decide(
    layout: Layout, captions: Sequence[str], fields: Sequence[str], columns: CaptionedRows
) -> Decided | Undecided:
    rules, told, left = [], [], []
    for place, (caption, field) in enumerate(zip(captions, fields, strict=True)):
        if field == _SAME:
            left.append(f"{shown(caption)} (the same as {shown(captions[fields.index(VOLUME)])})")
            continue
        rule, why = _rule(field, caption, columns.texts[place]) if field else (None, "")
        if rule is not None:
            rules.append(rule)
            form = f" ({rule.dates[0]})" if rule.dates else ""
            told.append(f"{shown(caption)} as the {_word(field)}{form}")
        elif caption:
            left.append(f"{shown(caption)} ({why})" if why else shown(caption))
    if len(rules) < 2:
        return Undecided(
            f"by its captions alone it is not clear: nothing but the volume can be read of {_first(left, ', ')}"
        )
    rules.sort(key=lambda rule: rule.name != VOLUME)
    cleaning = Skip(VOLUME, (_filter("CLN*"),), "cleaning tape")
    definition = Definition(NAME, Claim(), layout, tuple(rules), (cleaning,))
    text = f"read by its captions: {_first(told, ', ')}"
    return Decided(definition, f"{text}; not read: {_first(left, ', ')}" if left else text)


def _rule(field: str, caption: str, texts: set[str]) -> tuple[FieldRule | None, str]:
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
    return _first([shown(caption) for caption in captions], " and ")


def _first(texts: Sequence[str], between: str) -> str:
    """The first of the texts, and how many more there are: a line may have thousands of captions."""
    listed, more = between.join(texts[:_LISTED]), len(texts) - _LISTED
    return f"{listed} and {more} more" if more > 0 else listed
