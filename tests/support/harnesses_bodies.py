"""What must hold for the bodies of messages, for compressed ones, and for key files, whatever their bytes are.

only RemoteProtocolError (ConfigurationError of files) is raised     what is read is within limits.py
what is read and written is read again as the same                   JSON is as strict as docs/protocol.md says
an inflated body is exactly as long as announced                     a fault of a file cites no secret
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from mailsync.core.cursor import Page
from mailsync.core.errors import ConfigurationError
from mailsync.core.outcome import Batch
from mailsync.wire import ledger, limits, messages, verifiers
from mailsync.wire.batches import decode_apply, decode_outcome, encode_apply, encode_outcome, request_hash
from mailsync.wire.columns import Table, encode_table, read_table
from mailsync.wire.compression import Method, compress, inflate
from mailsync.wire.encodings import Column, encode_numbers, encode_texts, encode_values
from mailsync.wire.errors import RemoteProtocolError
from mailsync.wire.figures import decode_scopes, decode_stats, encode_scopes, encode_stats
from mailsync.wire.forms import Form
from mailsync.wire.keys import format_client_key, format_ring, format_token, parse_client_key, parse_ring, parse_token
from mailsync.wire.pages import FORMS, decode_page, encode_page
from mailsync.wire.reader import Reader
from mailsync.wire.runs import decode_lease, decode_run, encode_lease, encode_run

Coder = tuple[Callable[[bytes], Any], Callable[[Any], bytes]]
CONTROL: tuple[Coder, ...] = (
    (messages.decode_hello, messages.encode_hello),
    (messages.decode_hello_ok, messages.encode_hello_ok),
    (messages.decode_auth, messages.encode_auth),
    (messages.decode_auth_ok, messages.encode_auth_ok),
    (messages.decode_sync, messages.encode_sync),
    (messages.decode_scopes_asked, messages.encode_scopes_asked),
    (messages.decode_stats_asked, messages.encode_stats_asked),
    (messages.decode_cancel, messages.encode_cancel),
    (messages.decode_failure, messages.encode_failure),
    (messages.decode_bye, messages.encode_bye),
    (verifiers.decode_set_verifier, verifiers.encode_set_verifier),
)
FIGURES: tuple[Coder, ...] = (
    (decode_run, encode_run),
    (decode_lease, encode_lease),
    (decode_scopes, encode_scopes),
    (decode_stats, encode_stats),
    (ledger.decode_question, ledger.encode_question),
    (ledger.decode_answer, ledger.encode_answer),
)
_ROWS = (1, 40, 600, limits.PAGE_ROWS)
_INFLATED = (0, 7, 4096, 2**20)


def reread(coder: Coder, body: bytes) -> Any:
    """What the body says, None when it says nothing: read, written, and read again as the same."""
    decode, encode = coder
    try:
        found = decode(body)
    except RemoteProtocolError:
        return None
    assert decode(encode(found)) == found
    return found


def columns(data: bytes) -> None:
    """A table: the first byte says how many rows it may have; each column is read as texts and as numbers."""
    most = _ROWS[data[0] % len(_ROWS)] if data else 0
    try:
        reader = Reader(data[1:])
        table = read_table(reader, most, FORMS)
        reader.finish()
    except RemoteProtocolError:
        return
    assert table.rows <= most
    total = 0
    for number in range(20):
        total += _check_texts(table, number)
        _check_numbers(table, number)
    assert total <= limits.TABLE_TEXT


def _check_texts(table: Table, number: int) -> int:
    """How many characters the column has, none when it cannot be read."""
    try:
        values = list(table.values(number))
    except RemoteProtocolError:
        return 0
    assert len(values) == table.rows
    distinct = {value for value in values if value}
    assert max(map(len, distinct), default=0) <= limits.TEXT
    assert not any("\0" in value for value in distinct)
    form = FORMS.get(number, Form.TEXT)
    if table.rows:
        assert list(_again(table.rows, {number: encode_values(values)}).values(number)) == values
        texts = [value or "" for value in values]
        assert _again(table.rows, {number: encode_texts(texts, form)}).texts(number) == texts
    return sum(len(value) for value in values if value)


def _check_numbers(table: Table, number: int) -> None:
    try:
        numbers = list(table.integers(number))
    except RemoteProtocolError:
        return
    assert len(numbers) == table.rows
    assert all(0 <= one <= limits.VERSION for one in numbers)
    assert list(_again(table.rows, {number: encode_numbers(numbers)}).integers(number)) == numbers


def _again(rows: int, encoded: dict[int, Column]) -> Table:
    return read_table(Reader(encode_table(rows, encoded)), rows, FORMS)


def pages(data: bytes) -> None:
    """The body of a PAGE."""
    page: Page | None = reread((decode_page, encode_page), data)
    if page is None:
        return
    assert len(page.rows) + len(page.tombstones) <= limits.PAGE_ROWS
    assert len(page.repositories or ()) <= limits.REPOSITORIES
    assert page.repositories is not None or not page.reset
    names = {row[0] for row in page.rows}
    assert len(names) == len(page.rows)
    assert names.issuperset(page.texts_kept)
    assert not names.intersection(page.tombstones)
    assert _characters(page.rows) <= limits.TABLE_TEXT


def batches(data: bytes) -> None:
    """The body of an APPLY or, where the first byte is odd, of an APPLY_OK."""
    if data[:1] and data[0] % 2:
        outcome = reread((decode_outcome, encode_outcome), data[1:])
        assert outcome is None or len(outcome.results) <= limits.BATCH_OPERATIONS
        return
    batch: Batch | None = reread((decode_apply, encode_apply), data[1:])
    if batch is None:
        return
    assert len(batch.operations) <= limits.BATCH_OPERATIONS
    assert len(batch.sources) <= limits.BATCH_SOURCES
    assert all(one.source < len(batch.sources) for one in batch.operations)
    assert all(len(one.fields) == len(one.values) == len(set(one.fields)) for one in batch.operations)
    assert _characters((one.volume, *one.values) for one in batch.operations) <= limits.TABLE_TEXT
    # A batch is always the same bytes: the hash that tells one request from another covers them.
    assert request_hash(encode_apply(batch)) == request_hash(encode_apply(decode_apply(encode_apply(batch))))


def _characters(rows: Iterable[tuple[str, ...]]) -> int:
    return sum(len(text) for row in rows for text in row)


def figures(data: bytes) -> None:
    """The body of a RUN, RUN_OK, SCOPES_OK, STATS_OK, LEDGER or LEDGER_OK, by the first byte."""
    if data:
        reread(FIGURES[data[0] % len(FIGURES)], data[1:])


def control(data: bytes) -> None:
    """A JSON body; the first byte says of which message."""
    body = data[1:]
    found = reread(CONTROL[data[0] % len(CONTROL)], body) if data else None
    if found is not None:
        said = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
        assert isinstance(said, dict)
        assert _depth(said) <= limits.CONTROL_DEPTH


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs), "a member was taken twice"
    return dict(pairs)


def _refuse(name: str) -> NoReturn:
    raise AssertionError(f"{name} was taken for JSON")


def _depth(value: object) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, below), default=0) if isinstance(value, dict | list) else 0


def compressed(data: bytes) -> None:
    """A body by deflate or zstd: the method, how long it says to be, then what is packed, or what is to be."""
    if len(data) < 4:
        return
    method, size, packed = Method(data[0] % 3), int.from_bytes(data[1:4], "big"), data[4:]
    if data[0] & 0x40:
        method, packed = compress(method, packed * (1 + size % 300))
        size = _INFLATED[data[0] % 4] if data[0] & 0x80 else (1 + size % 300) * len(data[4:])
    try:
        body = inflate(method, packed, size)
    except RemoteProtocolError:
        honest = data[0] & 0xC0 == 0x40
        assert not honest, "what was packed here cannot be inflated"
        return
    assert len(body) == size
    if method is Method.DEFLATE:
        assert zlib.decompress(packed) == body
    assert inflate(*compress(method, body), size) == body


def secrets(data: bytes) -> None:
    """A client key, ring or token file, by the first byte."""
    files = ((parse_client_key, format_client_key), (parse_ring, format_ring), (parse_token, format_token))
    read, write = files[data[0] % len(files)] if data else files[0]
    text = data[1:].decode("utf-8", "replace")
    try:
        found = read(text, "secret.file")
    except ConfigurationError as error:
        _check_faults(error, text)
        return
    assert read(write(found), "secret.file") == found
    assert not any(repr(part) in repr(found) for part in found if isinstance(part, bytes) and part)


def _check_faults(error: ConfigurationError, text: str) -> None:
    """Every fault has its line, and none of them a word of a secret."""
    lines = text.split("\n")
    assert error.faults
    assert error.hint
    for fault in error.faults:
        file, line, said = fault.split(":", 2)
        assert file == "secret.file"
        assert 1 <= int(line) <= len(lines)
        assert said.isprintable()
        for given in lines:
            name, _, value = given.partition(":")
            secret = value.strip().rpartition(" ")[2] if name.strip() == "key" else value.strip()
            if name.strip() in ("secret", "static", "token", "server", "key") and len(secret) > 40:
                assert secret not in said


HARNESSES: dict[str, Callable[[bytes], None]] = {
    "columns": columns,
    "pages": pages,
    "batches": batches,
    "figures": figures,
    "control": control,
    "compressed": compressed,
    "secrets": secrets,
}
