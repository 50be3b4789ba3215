"""The body of a PAGE: a step of a sync as columns.

    u8 1 | u8 flags (1 reset, 2 more, 4 repositories) | epoch 16 | u64 since | u64 snap | u64 repositories version
    | table of rows | table of tombstones | table of repositories, if flagged

Column 0 of rows and tombstones is the volume; field n of core.fields.VOLUME_FIELDS is column n + 1. A column that is
empty throughout does not travel. A page that resets always has the repositories: what a copy held of them belonged to
another life of the store. A field this version does not know is skipped, so that a server may add some.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailsync.core.cursor import Cursor, Page
from mailsync.core.fields import FIELD_NAMES, NO, YES
from mailsync.core.model import Repository, RepositoryId
from mailsync.wire import limits
from mailsync.wire.columns import Column, Reader, encode_number, encode_table, encode_texts
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError

_RESET, _MORE, _REPOSITORIES = 1, 2, 4
_WIDTH = 1 + len(FIELD_NAMES)


def encode_page(page: Page) -> bytes:
    """The body of a PAGE. LocalProtocolError when the page exceeds a limit of the protocol."""
    if len(page.rows) + len(page.tombstones) > limits.PAGE_ROWS or len(page.cursor.epoch) != 16:
        raise LocalProtocolError(f"a page has an epoch of 16 bytes and at most {limits.PAGE_ROWS} rows")
    repositories = page.repositories
    if page.reset and repositories is None:
        raise LocalProtocolError("a page that resets has the repositories")
    flags = _RESET * page.reset | _MORE * page.more | _REPOSITORIES * (repositories is not None)
    parts = [
        bytes((1, flags)),
        page.cursor.epoch,
        encode_number(page.cursor.since),
        encode_number(page.cursor.snap),
        encode_number(page.repositories_version),
        _encode_rows(page.rows, _WIDTH),
        _encode_rows([(volume,) for volume in page.tombstones], 1),
    ]
    if repositories is not None:
        if len(repositories) > limits.REPOSITORIES:
            raise LocalProtocolError(f"a page has at most {limits.REPOSITORIES} repositories")
        said = [(one.id, one.description, one.kind, YES if one.offsite else NO) for one in repositories]
        parts.append(_encode_rows(said, 4))
    return b"".join(parts)


def decode_page(body: bytes) -> Page:
    """The page in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    form, flags = reader.take(2)
    if form != 1 or flags > _RESET | _MORE | _REPOSITORIES:
        raise RemoteProtocolError("not a page of this version")
    if flags & (_RESET | _REPOSITORIES) == _RESET:
        raise RemoteProtocolError("a page that resets has no repositories")
    epoch = reader.take(16)
    cursor = Cursor(epoch, reader.number(), reader.number())
    version = reader.number()
    rows = _decode_rows(reader, _WIDTH, limits.PAGE_ROWS)
    tombstones = _decode_rows(reader, 1, limits.PAGE_ROWS)
    if len(rows) + len(tombstones) > limits.PAGE_ROWS:
        raise RemoteProtocolError(f"a page of more than {limits.PAGE_ROWS} rows", Code.TOO_LARGE)
    repositories = _decode_repositories(reader) if flags & _REPOSITORIES else None
    reader.finish()
    return Page(
        reset=bool(flags & _RESET),
        more=bool(flags & _MORE),
        cursor=cursor,
        tombstones=tuple(row[0] for row in tombstones),
        rows=tuple(rows),
        repositories_version=version,
        repositories=repositories,
    )


def _encode_rows(rows: Sequence[tuple[str, ...]], width: int) -> bytes:
    if any(len(row) != width for row in rows):
        raise LocalProtocolError(f"a row does not have {width} values")
    columns: dict[int, Column] = {}
    for column, texts in enumerate(zip(*rows, strict=True)):
        encoded = encode_texts(texts)
        if column == 0 or encoded.data:
            columns[column] = encoded
    return encode_table(len(rows), columns)


def _decode_rows(reader: Reader, width: int, most: int) -> list[tuple[str, ...]]:
    table = reader.table(most)
    if not table.rows:
        return []
    columns: Iterable[Sequence[str]] = (table.texts(column, "" if column else None) for column in range(width))
    return list(zip(*columns, strict=True))


def _decode_repositories(reader: Reader) -> tuple[Repository, ...]:
    rows = _decode_rows(reader, 4, limits.REPOSITORIES)
    return tuple(Repository(RepositoryId(id_), text, kind, offsite == YES) for id_, text, kind, offsite in rows)
