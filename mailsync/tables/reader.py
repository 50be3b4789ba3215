"""From bytes to a table, and to the first lines of a text: what definitions are given to work on.

    kind         rows are                                     captions are
    delimited    lines, or records within quotes              a row
    fixed        lines                                        none (fields are at characters)
    ruled        lines under a ruler                          above the ruler
    boxed        lines between bars                           between the first two rules
    records      several lines                                labels, or names of groups
    lines        lines that a pattern is found in             names of groups
    html         rows of a table                              a row
    workbook     rows of a sheet                              a row
    json         objects of an array                          keys

What each kind needs is imported when a table of it is read: start-up is paid by every mail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.tables.delimited import Form, read_delimited, sniff_delimiter
from mailsync.tables.header import Header, split_rows, take_header, without_repeats
from mailsync.tables.pages import lines_of
from mailsync.tables.table import BLANKS, Chunk, Lines, Table, rows_of
from mailsync.tables.text import LINE_ENDS, Decoded, Undecodable, blocks, decode, decode_start

if TYPE_CHECKING:
    from mailsync.tables.glimpse import Glimpse

CLAIMED_LINES = 50
_Read = tuple[Header, Iterator[Chunk]]


def read_table(attachment: Attachment, layout: Layout, cells: int) -> Table:
    """The table in the attachment, read as its chunks are asked for; a row has at most `cells` cells."""
    if layout.kind == "workbook":
        return _workbook(attachment, layout, cells)
    decoded = decode(attachment.content, charset=attachment.charset, encoding=layout.encoding)
    if isinstance(decoded, Undecodable):
        return Table((), iter(()), "", "", fault=f"not readable as text: {decoded.reason}")
    padding = BLANKS
    if layout.kind == "delimited":
        delimiter = layout.delimiter or sniff_delimiter(_first(decoded.text, layout), layout.quote, cells)
        form, line_end = Form(delimiter, layout.quote, cells), decoded.text.endswith(LINE_ENDS)
        chunks = read_delimited(lines_of(decoded.text, layout), form, line_end=line_end)
        found = take_header(chunks, layout.header)
        padding += delimiter + layout.quote
    else:
        found = _read(decoded, layout, cells)
    header, chunks = found
    chunks = _finished(header, chunks, layout)
    return Table(header.captions, chunks, padding, decoded.encoding, decoded.guess, header.fault, header.line)


def look_at(attachment: Attachment, layout: Layout, cells: int, *, tables: int, rows: int) -> list[Glimpse]:
    """The first rows of the first tables of a page or a workbook, which is gone through once; none of what is none."""
    from mailsync.tables.glimpse import of_page, of_workbook

    if layout.kind == "workbook":
        return of_workbook(attachment.content, cells, tables=tables, rows=rows)
    decoded = decode(attachment.content, charset=attachment.charset, encoding=layout.encoding)
    return [] if isinstance(decoded, Undecodable) else of_page(decoded.text, cells, tables=tables, rows=rows)


def first_lines(attachment: Attachment, encoding: str) -> tuple[str, ...]:
    """The first 50 lines of the attachment's text, as `content` filters see them."""
    text = decode_start(attachment.content, charset=attachment.charset, encoding=encoding)
    return tuple(next((lines for _, lines in blocks(text)), [])[:CLAIMED_LINES])


def _first(text: str, layout: Layout) -> list[str]:
    """The lines of the first block that has any."""
    return next((block.texts for block in lines_of(text, layout) if block.texts), [])


def _read(decoded: Decoded, layout: Layout, cells: int) -> _Read:
    """The captions and rows of a kind that is written as text."""
    from mailsync.tables.choose import choose

    text = decoded.text
    if layout.kind == "html":
        from mailsync.tables.hypertext import Hypertext

        return choose(Hypertext(layout, cells).read(text), layout)
    if layout.kind == "json":
        from mailsync.tables.objects import read_objects

        return read_objects(text, layout, cells)
    lines = lines_of(text, layout)
    if layout.kind == "ruled":
        from mailsync.tables.ruled import Ruled

        return choose(Ruled(layout, cells).read(lines), layout)
    if layout.kind == "boxed":
        from mailsync.tables.boxed import Boxed

        return choose(Boxed(cells).read(lines), layout)
    if layout.kind in ("records", "lines"):
        from mailsync.tables.records import read_lines, read_records

        return read_lines(lines, layout) if layout.kind == "lines" else read_records(lines, layout, cells)
    return take_header(_fixed(lines), layout.header)


def _fixed(blocks: Iterator[Lines]) -> Iterator[Chunk]:
    """Every line as a row whose cells are its characters."""
    for block in blocks:
        yield rows_of(block, block.texts, raw=block.texts, starts=range(len(block.texts)))


def _finished(header: Header, chunks: Iterator[Chunk], layout: Layout) -> Iterator[Chunk]:
    """The rows without captions that come again, and with cells of several values split."""
    if header.raw:
        chunks = without_repeats(chunks, header.raw)
    return split_rows(chunks, header.captions, layout.split) if layout.split else chunks


def _workbook(attachment: Attachment, layout: Layout, cells: int) -> Table:
    from mailsync.tables.workbook import read_workbook

    name, header, chunks, hint = read_workbook(attachment.content, layout, cells)
    chunks = _finished(header, chunks, layout)
    return Table(header.captions, chunks, BLANKS, "", "", header.fault, header.line, hint, name)
