"""The bodies of LEDGER and LEDGER_OK: what a client asks of what a scope's ledger has recorded.

    LEDGER      u8 1 | u8 1 moved    | text scope | text source | run 32
                u8 1 | u8 2 recorded | text scope | u16 batches | (batch 16)*
    LEDGER_OK   u8 1 | u8 1 moved    | u64 volumes | u64 mails
                u8 1 | u8 2 recorded | u64 pruned  | u16 batches | (batch 16)*

*moved*: how many volumes of the scope the source's batches gave another target within a day, and in how many mails;
not counted are those of the run that asks, so that it never stands in its own way. *recorded*: which of the batches the
server does not have; those that may have been pruned are not told from those that were never there, so the answer says
up to which entry the ledger was pruned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mailsync.core.guard import Earlier
from mailsync.core.model import Scope
from mailsync.wire import limits
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.reader import Reader, encode_number, encode_text, read_scope
from mailsync.wire.runs import BATCH_BYTES, RUN_BYTES

_MOVED, _RECORDED = 1, 2


class MovedAsked(NamedTuple):
    """Asks how much a source (route and definition) moved within a day, but for the run (32 bytes) that asks."""

    scope: Scope
    source: str
    run: bytes


class RecordedAsked(NamedTuple):
    """Asks which of the batches (16 bytes each) of a scope are not recorded."""

    scope: Scope
    batches: tuple[bytes, ...]


class Missing(NamedTuple):
    """The batches that are not recorded; those whose entry is not above `pruned` may have been, once."""

    pruned: int
    batches: tuple[bytes, ...]


Question = MovedAsked | RecordedAsked
Answer = Earlier | Missing


def encode_question(asked: Question) -> bytes:
    """The body of a LEDGER. LocalProtocolError when it cannot travel."""
    scope = encode_text(str(asked.scope))
    if isinstance(asked, RecordedAsked):
        return bytes((1, _RECORDED)) + scope + _encode_batches(asked.batches)
    if len(asked.run) != RUN_BYTES:
        raise LocalProtocolError(f"a run has {RUN_BYTES} bytes")
    return bytes((1, _MOVED)) + scope + encode_text(asked.source) + asked.run


def decode_question(body: bytes) -> Question:
    """The LEDGER in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    kind = _kind(reader)
    scope = read_scope(reader.text())
    asked: Question
    if kind == _MOVED:
        asked = MovedAsked(scope, reader.text(), reader.take(RUN_BYTES))
    else:
        asked = RecordedAsked(scope, _read_batches(reader))
    reader.finish()
    return asked


def encode_answer(answer: Answer) -> bytes:
    """The body of a LEDGER_OK. LocalProtocolError when it cannot travel."""
    if isinstance(answer, Earlier):
        return bytes((1, _MOVED)) + encode_number(answer.volumes) + encode_number(answer.mails)
    return bytes((1, _RECORDED)) + encode_number(answer.pruned) + _encode_batches(answer.batches)


def decode_answer(body: bytes) -> Answer:
    """The LEDGER_OK in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    kind, first = _kind(reader), reader.number()
    answer: Answer
    answer = Earlier(first, reader.number()) if kind == _MOVED else Missing(first, _read_batches(reader))
    reader.finish()
    return answer


def _kind(reader: Reader) -> int:
    form, kind = reader.take(2)
    if form != 1 or kind not in (_MOVED, _RECORDED):
        raise RemoteProtocolError("nothing of this version is asked of the ledger")
    return kind


def _encode_batches(batches: Iterable[bytes]) -> bytes:
    named = tuple(batches)
    if len(named) > limits.ASKED_BATCHES or any(len(one) != BATCH_BYTES for one in named):
        raise LocalProtocolError(f"at most {limits.ASKED_BATCHES} batches, of {BATCH_BYTES} bytes each")
    return len(named).to_bytes(2, "big") + b"".join(named)


def _read_batches(reader: Reader) -> tuple[bytes, ...]:
    count = int.from_bytes(reader.take(2), "big")
    if count > limits.ASKED_BATCHES:
        raise RemoteProtocolError(f"{count} batches where {limits.ASKED_BATCHES} may be")
    return tuple(reader.take(BATCH_BYTES) for _ in range(count))
