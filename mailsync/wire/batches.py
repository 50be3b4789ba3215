"""The bodies of APPLY and APPLY_OK: what a batch asks for and what became of it, as columns.

    APPLY      u8 1 | batch 16 | run 32 | plan 32 | epoch 16 | u64 base | u64 asof | scope | source
               | table of sources (0 mail, 1 attachment) | u16 groups | group* | order
    group      u8 change | u8 fields | field number each | table: 0 volume, 1 source, 2 row, 3 line, 16.. the values
    order      table of as many rows as operations: 0 the group of each; it is empty when there is one group or none
    APPLY_OK   u8 1 | batch 16 | u64 first | u64 last | u8 replayed | u64 entry | ledger 32 | table: 0 result, 1 text
               | table of what went along: 0 operation, 1 barcode

Operations with the same change and fields are one group, so that a hundred moves are a column of volumes, a column of
repositories and the rows that ask for them. The same batch is always the same bytes: the request hash covers them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from mailsync.core.fields import ATTRIBUTE_NAMES, FIELD_NAMES
from mailsync.core.outcome import Batch, Carried, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import limits
from mailsync.wire.columns import Table, check_texts, encode_relative, encode_table, read_table
from mailsync.wire.encodings import Column, check_numbers, encode_numbers, encode_texts
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.forms import Form
from mailsync.wire.pages import FORMS
from mailsync.wire.reader import Reader, encode_number, encode_text, read_scope

_FIRST_VALUE = 16
_LEDGER_BYTES = 32
_FORM_OF = {FIELD_NAMES[column - 1]: form for column, form in FORMS.items()}
# Field n of a volume is number n; attribute 1 to 200 is number 56 to 255, so that volumes may get more fields.
_FIRST_ATTRIBUTE = 56
_NAME_OF = {
    **dict(enumerate(FIELD_NAMES)),
    **dict(enumerate(ATTRIBUTE_NAMES, _FIRST_ATTRIBUTE)),
}
_NUMBER_OF = {name: number for number, name in _NAME_OF.items()}
_SIZES = (16, 32, 32, 16)
Group = tuple[Change, tuple[str, ...]]


def request_hash(body: bytes) -> bytes:
    """SHA-256 of an APPLY's inflated body: two requests with one batch id are the same iff this is."""
    return hashlib.sha256(body).digest()


def encode_apply(batch: Batch) -> bytes:
    """The body of an APPLY, the same bytes for the same batch. LocalProtocolError when it exceeds a limit."""
    _check(batch)
    groups: dict[Group, list[Operation]] = {}
    for operation in batch.operations:
        groups.setdefault((operation.change, operation.fields), []).append(operation)
    numbers = {group: number for number, group in enumerate(groups)}
    order = [numbers[operation.change, operation.fields] for operation in batch.operations]
    parts = [
        b"\1",
        *(batch.id, batch.run, batch.plan, batch.epoch),
        encode_number(batch.base),
        encode_number(batch.asof),
        encode_text(str(batch.scope)),
        encode_text(batch.source),
        _encode_sources(batch.sources),
        len(groups).to_bytes(2, "big"),
        *(_encode_group(group, operations) for group, operations in groups.items()),
    ]
    if len(groups) > 1:
        parts.append(encode_table(len(order), {0: encode_numbers(order)}))
    return b"".join(parts)


def decode_apply(body: bytes) -> Batch:
    """The batch in the body of an APPLY. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    if reader.take(1) != b"\1":
        raise RemoteProtocolError("not an apply of this version")
    id_, run, plan, epoch = (reader.take(size) for size in _SIZES)
    base, asof = reader.number(), reader.number()
    scope = read_scope(reader.text())
    source = reader.text()
    sources = _decode_sources(reader)
    count = int.from_bytes(reader.take(2), "big")
    groups: list[Sequence[Operation]] = []
    left, characters = limits.BATCH_OPERATIONS, limits.TABLE_TEXT
    for _ in range(count):
        operations, characters = _decode_group(reader, left, len(sources), characters)
        groups.append(operations)
        left -= len(operations)
    ordered = _in_order(reader, groups)
    reader.finish()
    return Batch(id_, run, plan, scope, epoch, base, source, asof, sources, ordered)


def encode_outcome(outcome: Outcome) -> bytes:
    """The body of an APPLY_OK, also what 604 carries and what a store may keep."""
    if len(outcome.batch) != 16 or len(outcome.ledger) != _LEDGER_BYTES:
        raise LocalProtocolError(f"a batch id has 16 bytes and the ledger's hash {_LEDGER_BYTES}")
    results = encode_numbers([one.result for one in outcome.results])
    texts = encode_texts([one.text for one in outcome.results])
    return b"".join(
        (
            b"\1",
            outcome.batch,
            encode_number(outcome.first),
            encode_number(outcome.last),
            bytes((outcome.replayed,)),
            encode_number(outcome.entry),
            outcome.ledger,
            encode_table(len(outcome.results), {0: results, 1: texts}),
            _encode_carried(outcome.carried),
        )
    )


def decode_outcome(body: bytes) -> Outcome:
    """The outcome in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    if reader.take(1) != b"\1":
        raise RemoteProtocolError("not an outcome of this version")
    batch, first, last = reader.take(16), reader.number(), reader.number()
    replayed, entry, ledger = reader.byte(), reader.number(), reader.take(_LEDGER_BYTES)
    table = read_table(reader, limits.BATCH_OPERATIONS)
    carried = _decode_carried(reader, table.rows)
    reader.finish()
    try:
        results = [Result(number) for number in table.integers(0)]
    except ValueError as error:
        raise RemoteProtocolError("a result is not one of this version") from error
    if replayed > 1:
        raise RemoteProtocolError("an outcome is replayed, or it is not")
    said = tuple(map(RowResult, results, _texts(table, 1)))
    return Outcome(batch, first, last, said, bool(replayed), entry=entry, ledger=ledger, carried=carried)


def _check(batch: Batch) -> None:
    if len(batch.operations) > limits.BATCH_OPERATIONS or len(batch.sources) > limits.BATCH_SOURCES:
        raise LocalProtocolError(f"a batch has at most {limits.BATCH_OPERATIONS} operations and as many sources")
    if tuple(map(len, (batch.id, batch.run, batch.plan, batch.epoch))) != _SIZES:
        raise LocalProtocolError("a batch has an id, run, plan and epoch of 16, 32, 32 and 16 bytes")
    check_texts((one.volume, *one.values) for one in batch.operations)
    for operation in batch.operations:
        fields = operation.fields
        if len(fields) != len(operation.values) or len(set(fields)) != len(fields):
            raise LocalProtocolError("an operation has one value for each of its fields")
        if not 0 <= operation.source < len(batch.sources):
            raise LocalProtocolError("an operation comes from one of the sources")
        for field in fields:
            if field not in _NUMBER_OF:
                raise LocalProtocolError(f'"{field}" is not a field of a volume')


def _encode_sources(sources: Sequence[tuple[str, str]]) -> bytes:
    mails, attachments = ([source[part] for source in sources] for part in (0, 1))
    return encode_table(len(sources), {0: encode_texts(mails), 1: encode_texts(attachments)})


def _decode_sources(reader: Reader) -> tuple[tuple[str, str], ...]:
    table = read_table(reader, limits.BATCH_SOURCES)
    return tuple(zip(_texts(table, 0), _texts(table, 1), strict=True))


def _encode_carried(carried: Sequence[Carried]) -> bytes:
    if len(carried) > limits.CARRIED:
        raise LocalProtocolError(f"one batch takes at most {limits.CARRIED} volumes along")
    if not carried:
        return encode_table(0, {})
    positions, barcodes = [one.position for one in carried], [one.barcode for one in carried]
    return encode_table(len(carried), {0: encode_numbers(positions), 1: encode_texts(barcodes)})


def _decode_carried(reader: Reader, operations: int) -> tuple[Carried, ...]:
    table = read_table(reader, limits.CARRIED)
    if not table.rows:
        return ()
    positions = table.integers(0)
    if max(positions) >= operations:
        raise RemoteProtocolError("what went along went with none of the operations")
    return tuple(map(Carried, positions, table.texts(1)))


def _encode_group(group: Group, operations: Sequence[Operation]) -> bytes:
    change, fields = group
    rows, lines = [one.row for one in operations], [one.line for one in operations]
    check_numbers(lines)
    columns: dict[int, Column] = {
        0: encode_texts([one.volume for one in operations]),
        1: encode_numbers([one.source for one in operations]),
        2: encode_numbers(rows),
        3: encode_relative(lines, 2, rows),
    }
    values = [[one.values[index] for one in operations] for index in range(len(fields))]
    for column, (field, texts) in enumerate(zip(fields, values, strict=True), _FIRST_VALUE):
        columns[column] = encode_texts(texts, _FORM_OF.get(field, Form.TEXT))
    head = bytes((change, len(fields), *(_NUMBER_OF[field] for field in fields)))
    return head + encode_table(len(operations), columns)


def _decode_group(reader: Reader, most: int, sources: int, characters: int) -> tuple[Sequence[Operation], int]:
    """The next group, and how many characters the texts of those after it may have."""
    change, fields = _decode_head(reader)
    forms = {_FIRST_VALUE + at: _FORM_OF.get(name, Form.TEXT) for at, name in enumerate(fields)}
    table = read_table(reader, most, forms, characters)
    if not table.rows:
        raise RemoteProtocolError("a group without operations")
    which = table.integers(1)
    if max(which) >= sources:
        raise RemoteProtocolError("an operation comes from none of the sources")
    texts = [table.texts(_FIRST_VALUE + index) for index in range(len(fields))]
    values: Iterator[tuple[str, ...]] = zip(*texts, strict=True) if fields else iter([()] * table.rows)
    columns = zip(table.texts(0), values, which, table.integers(2), table.integers(3), strict=True)
    return [Operation(change, volume, fields, said, *origin) for volume, said, *origin in columns], table.left


def _decode_head(reader: Reader) -> Group:
    number, count = reader.take(2)
    numbers = reader.take(count)
    if number not in list(Change):
        raise RemoteProtocolError(f"change {number} is not one of this version")
    if len(set(numbers)) != count or any(one not in _NAME_OF for one in numbers):
        raise RemoteProtocolError("fields of a group are unknown or repeated")
    return Change(number), tuple(_NAME_OF[one] for one in numbers)


def _in_order(reader: Reader, groups: Sequence[Sequence[Operation]]) -> tuple[Operation, ...]:
    if len(groups) <= 1:
        return tuple(groups[0]) if groups else ()
    order = read_table(reader, limits.BATCH_OPERATIONS).integers(0)
    # Each group's count is compared first, so that no iterator below runs dry or is left over.
    counts = [0] * len(groups)
    for group in order:
        if group >= len(groups):
            raise RemoteProtocolError("an operation is of none of the groups")
        counts[group] += 1
    if counts != [len(group) for group in groups]:
        raise RemoteProtocolError("the order does not name each operation once")
    iterators = [iter(group) for group in groups]
    return tuple(next(iterators[group]) for group in order)


def _texts(table: Table, column: int) -> Sequence[str]:
    return table.texts(column) if table.rows else ()
