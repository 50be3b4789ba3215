"""From bytes to a table, and to the first lines of a text: what definitions are given to work on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from mailsync.core.model import Attachment
from mailsync.tables.delimited import read_delimited, sniff_delimiter
from mailsync.tables.table import Chunk, Layout, Table
from mailsync.tables.text import Undecodable, blocks, decode, decode_start

CLAIMED_LINES = 50
_BLANKS = " \t\r\n\f\v\x1a\x00\xa0"


def read_table(attachment: Attachment, layout: Layout) -> Table:
    """The table in the attachment, read as its chunks are asked for."""
    decoded = decode(attachment.content, charset=attachment.charset, encoding=layout.encoding)
    if isinstance(decoded, Undecodable):
        return Table((), iter(()), "", "", fault=decoded.reason)
    if layout.kind == "fixed":
        chunks, padding = _lines(decoded.text), _BLANKS
    else:
        delimiter = layout.delimiter or sniff_delimiter(_first(decoded.text), layout.quote)
        chunks = read_delimited(blocks(decoded.text), delimiter, layout.quote)
        padding = _BLANKS + delimiter + layout.quote
    captions, chunks = _header(chunks, layout.header)
    return Table(captions, chunks, padding, decoded.encoding, decoded.guess)


def first_lines(attachment: Attachment, encoding: str) -> tuple[str, ...]:
    """The first 50 lines of the attachment's text, as `content` filters see them."""
    text = decode_start(attachment.content, charset=attachment.charset, encoding=encoding)
    return tuple(_first(text)[:CLAIMED_LINES])


def _first(text: str) -> list[str]:
    """The lines of the first block, none of an empty text."""
    return next((lines for _, lines in blocks(text)), [])


def _lines(text: str) -> Iterator[Chunk]:
    """Every line as a row whose cells are its characters."""
    for first, lines in blocks(text):
        yield Chunk(lines, lines, range(first, first + len(lines)))


def _header(chunks: Iterator[Chunk], rows: int) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    """The captions, which are the last of the first `rows` rows that are not blank, and what follows them."""
    first = next(chunks, None) if rows else None
    if first is None:
        return (), chunks
    left = rows
    for index, cells in enumerate(first.cells):
        left -= any(cell.strip() for cell in cells)
        if not left:
            captions = tuple(cell.strip() for cell in cells)
            return captions, chain((_after(first, index + 1),), chunks)
    return (), chunks


def _after(chunk: Chunk, start: int) -> Chunk:
    broken = tuple((index - start, reason) for index, reason in chunk.broken if index >= start)
    return Chunk(chunk.cells[start:], chunk.raw[start:], chunk.lines[start:], broken)
