"""The body of a PAGE: a step of a sync as columns.

    u8 1 | u8 flags (1 reset, 2 more, 4 repositories) | epoch 16 | u64 since | u64 snap | u64 done | u64 at | u64 entry
    | ledger 32 | u64 repositories version | table of rows | table of tombstones | table of repositories, if flagged

The cursor's mark is the first 8 bytes of the ledger's hash. Column 0 of rows and tombstones is the volume; field n of
core.fields.VOLUME_FIELDS is column n + 1. A column that is empty throughout does not travel; a description that is null
is the one the copy has. Where a volume has been, and where it is at home, is mostly where it shall be, and it expires a
fixed time after it was written: those columns lean on the others. A page that resets always has the repositories: what
a copy held of them belonged to another life of the store. A field this version does not know is skipped, so that a
server may add some.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.core.cursor import MARK_BYTES, Cursor, Page
from mailsync.core.fields import FIELD_NAMES, NO, VOLUME_FIELDS, YES, Kind
from mailsync.core.ledger import HASH_BYTES
from mailsync.core.model import Repository, RepositoryId
from mailsync.wire import limits
from mailsync.wire.columns import (
    Table,
    check_texts,
    encode_derived,
    encode_relative,
    encode_table,
    read_table,
)
from mailsync.wire.compression import Method, Packed, pack
from mailsync.wire.encodings import Column, encode_texts, encode_values
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.forms import Form, converted, to_number
from mailsync.wire.reader import Reader, encode_number

_RESET, _MORE, _REPOSITORIES = 1, 2, 4
_WIDTH = 1 + len(FIELD_NAMES)
_COLUMN = {name: number for number, name in enumerate(FIELD_NAMES, 1)}
_DESCRIPTION = _COLUMN["description"]
FORMS = {
    number: Form.DATE if field.kind is Kind.DATE else Form.TIME
    for number, field in enumerate(VOLUME_FIELDS, 1)
    if field.kind in (Kind.DATE, Kind.TIME)
}
_DERIVED = {
    _COLUMN[name]: _COLUMN["repository"] for name in ("current_repository", "confirmed_repository", "home_repository")
}
_RELATIVE = {_COLUMN["expiry_date"]: _COLUMN["write_time"]}


def encode_page(page: Page) -> bytes:
    """The body of a PAGE. LocalProtocolError when the page exceeds a limit of the protocol."""
    if len(page.rows) + len(page.tombstones) > limits.PAGE_ROWS or len(page.cursor.epoch) != 16:
        raise LocalProtocolError(f"a page has an epoch of 16 bytes and at most {limits.PAGE_ROWS} rows")
    repositories = page.repositories
    if page.reset and repositories is None:
        raise LocalProtocolError("a page that resets has the repositories")
    if _has_twins(page.rows, page.tombstones):
        raise LocalProtocolError("a volume is in a page twice")
    cursor = page.cursor
    flags = _RESET * page.reset | _MORE * page.more | _REPOSITORIES * (repositories is not None)
    parts = [
        bytes((1, flags)),
        cursor.epoch,
        *(encode_number(number) for number in (cursor.since, cursor.snap, cursor.done, cursor.at, page.entry)),
        _checked_ledger(page),
        encode_number(page.repositories_version),
        _encode_volumes(page),
        _encode_rows([(volume,) for volume in page.tombstones], 1),
    ]
    if repositories is not None:
        if len(repositories) > limits.REPOSITORIES:
            raise LocalProtocolError(f"a page has at most {limits.REPOSITORIES} repositories")
        said = [(one.id, one.description, one.kind, YES if one.offsite else NO) for one in repositories]
        parts.append(_encode_rows(said, 4))
    return b"".join(parts)


def pack_page(page: Page, method: Method) -> Packed:
    """The body of a PAGE as it travels. LocalProtocolError when it is larger than a message may be: take fewer rows."""
    body = encode_page(page)
    packed = pack(method, body)
    if len(body) > limits.MESSAGE_INFLATED or len(packed.body) > limits.MESSAGE_WIRE:
        raise LocalProtocolError(f"a message has at most {limits.MESSAGE_WIRE} bytes")
    return packed


def decode_page(body: bytes) -> Page:
    """The page in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    form, flags = reader.take(2)
    if form != 1 or flags > _RESET | _MORE | _REPOSITORIES:
        raise RemoteProtocolError("not a page of this version")
    if flags & (_RESET | _REPOSITORIES) == _RESET:
        raise RemoteProtocolError("a page that resets has no repositories")
    epoch = reader.take(16)
    since, snap, done, at, entry = (reader.number() for _ in range(5))
    ledger = reader.take(HASH_BYTES)
    cursor = Cursor(epoch, since, snap, done, ledger[:MARK_BYTES], at)
    version = reader.number()
    rows, kept = _decode_volumes(read_table(reader, limits.PAGE_ROWS, FORMS))
    tombstones = _decode_rows(reader, 1, limits.PAGE_ROWS)
    if len(rows) + len(tombstones) > limits.PAGE_ROWS:
        raise RemoteProtocolError(f"a page of more than {limits.PAGE_ROWS} rows", Code.TOO_LARGE)
    gone = tuple(row[0] for row in tombstones)
    if _has_twins(rows, gone):
        raise RemoteProtocolError("a volume is in a page twice")
    repositories = _decode_repositories(reader) if flags & _REPOSITORIES else None
    reader.finish()
    return Page(
        reset=bool(flags & _RESET),
        more=bool(flags & _MORE),
        cursor=cursor,
        tombstones=gone,
        rows=rows,
        repositories_version=version,
        repositories=repositories,
        texts_kept=kept,
        entry=entry,
        ledger=ledger,
    )


def _has_twins(rows: Sequence[tuple[str, ...]], tombstones: Sequence[str]) -> bool:
    return len({row[0] for row in rows}.union(tombstones)) < len(rows) + len(tombstones)


def _checked_ledger(page: Page) -> bytes:
    if len(page.ledger) != HASH_BYTES or page.ledger[:MARK_BYTES] != page.cursor.mark:
        raise LocalProtocolError(f"a ledger's hash has {HASH_BYTES} bytes, and a mark is its first {MARK_BYTES}")
    return page.ledger


def _encode_volumes(page: Page) -> bytes:
    columns = _columns_of(page.rows, _WIDTH)
    encoded: dict[int, Column] = {}
    for number, texts in enumerate(columns):
        if number == 0 or any(texts):
            encoded[number] = _encode_column(number, columns, encoded)
    kept = frozenset(page.texts_kept)
    said = [None if name in kept else text for name, text in zip(columns[0], columns[_DESCRIPTION], strict=True)]
    if said.count(None) != len(page.texts_kept):
        raise LocalProtocolError("a text is kept of a volume that is not in the page, or twice")
    if kept or _DESCRIPTION in encoded:
        encoded[_DESCRIPTION] = encode_values(said)
    return encode_table(len(page.rows), encoded)


def _encode_column(number: int, columns: Sequence[Sequence[str]], encoded: dict[int, Column]) -> Column:
    """The column, leaning on one before it where that is smaller."""
    texts, column = columns[number], None
    derived, relative = _DERIVED.get(number), _RELATIVE.get(number)
    if derived in encoded:
        column = encode_derived(texts, derived, columns[derived])
    if relative in encoded:
        column = _encode_relative(number, texts, relative, columns[relative])
    return column or encode_texts(texts, FORMS.get(number, Form.TEXT))


def _encode_relative(number: int, texts: Sequence[str], other: int, others: Sequence[str]) -> Column | None:
    numbers = [to_number(FORMS[number], text) if text else None for text in texts]
    if any(text and one is None for text, one in zip(texts, numbers, strict=True)):
        return None
    bases = converted([to_number(FORMS[other], text) or 0 for text in others], FORMS[other], FORMS[number])
    apart = {one - base for one, base in zip(numbers, bases, strict=True) if one is not None}
    return encode_relative(numbers, other, bases) if len(apart) <= len(set(numbers)) // 2 else None


def _decode_volumes(table: Table) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The rows, and the volumes whose description did not travel."""
    if not table.rows:
        return (), ()
    names, said = table.texts(0), table.values(_DESCRIPTION, "")
    others = (table.texts(number, "") for number in range(_DESCRIPTION + 1, _WIDTH))
    rows = zip(names, [text or "" for text in said], *others, strict=True)
    kept = tuple(name for name, text in zip(names, said, strict=True) if text is None)
    return tuple(rows), kept


def _encode_rows(rows: Sequence[tuple[str, ...]], width: int) -> bytes:
    columns = enumerate(_columns_of(rows, width))
    return encode_table(
        len(rows), {number: encode_texts(texts) for number, texts in columns if not number or any(texts)}
    )


def _columns_of(rows: Sequence[tuple[str, ...]], width: int) -> list[Sequence[str]]:
    if any(len(row) != width for row in rows):
        raise LocalProtocolError(f"a row does not have {width} values")
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * width
    check_texts(columns)
    return columns


def _decode_rows(reader: Reader, width: int, most: int) -> list[tuple[str, ...]]:
    table = read_table(reader, most)
    if not table.rows:
        return []
    columns = (table.texts(column, "" if column else None) for column in range(width))
    return list(zip(*columns, strict=True))


def _decode_repositories(reader: Reader) -> tuple[Repository, ...]:
    rows = _decode_rows(reader, 4, limits.REPOSITORIES)
    return tuple(Repository(RepositoryId(id_), text, kind, offsite == YES) for id_, text, kind, offsite in rows)
