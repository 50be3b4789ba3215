"""The bodies of RUN and RUN_OK: a run lent to one process at a time, so that no audience is answered twice.

    RUN      u8 1 | u8 1 begin, 2 renew, 3 replied, 4 end, 5 release | run 32 | holder 16 | audience, of replied only
    RUN_OK   u8 1 | u8 1 yours, 2 busy, 3 done, + 128: with a head | u64 entry | ledger 32, of a head only
             | u16 batches | (batch 16 | scope)* | u16 audiences | audience*

Scope and audience are texts behind a u16 length. A run is named by what its mail's authentication covers, a holder by
16 random bytes of a process. Neither says anything of rows, so these two messages travel without padding. A head is
where the site's chain ends: whoever begins a run is told, and lets the replies witness it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mailsync.core.ledger import HASH_BYTES
from mailsync.core.model import Scope
from mailsync.wire import limits
from mailsync.wire.errors import LocalProtocolError, RemoteProtocolError
from mailsync.wire.reader import Reader, encode_number, encode_text, read_scope

RUN_BYTES, HOLDER_BYTES, BATCH_BYTES = 32, 16, 16
STATES = ("yours", "busy", "done")
_HEAD = 128


class RunStep(IntEnum):
    """What a holder tells of a run."""

    BEGIN = 1
    RENEW = 2
    REPLIED = 3
    END = 4
    RELEASE = 5


class RunWord(NamedTuple):
    """A RUN: `audience` is who was answered, empty but for REPLIED."""

    step: RunStep
    run: bytes
    holder: bytes
    audience: str = ""


class RunLease(NamedTuple):
    """A RUN_OK: `state` is yours, busy (somebody else has it) or done.

    `batches` are those recorded of the run so far, by scope, and `audiences` those already answered: a run that begins
    anew, here or on another host, goes on from there. `ledger` is the hash (32 bytes) that the site's chain ends in,
    and `entry` how many entries it has; empty and 0 where the answer says nothing of it.
    """

    state: str
    batches: tuple[tuple[Scope, bytes], ...] = ()
    audiences: tuple[str, ...] = ()
    entry: int = 0
    ledger: bytes = b""


def encode_run(word: RunWord) -> bytes:
    """The body of a RUN. LocalProtocolError when it cannot travel."""
    if len(word.run) != RUN_BYTES or len(word.holder) != HOLDER_BYTES:
        raise LocalProtocolError(f"a run has {RUN_BYTES} bytes and its holder {HOLDER_BYTES}")
    if bool(word.audience) != (word.step is RunStep.REPLIED):
        raise LocalProtocolError("an audience belongs to REPLIED")
    audience = encode_text(word.audience) if word.audience else b""
    return bytes((1, word.step)) + word.run + word.holder + audience


def decode_run(body: bytes) -> RunWord:
    """The RUN in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    form, step = reader.take(2)
    if form != 1 or step not in list(RunStep):
        raise RemoteProtocolError("not a run of this version")
    run, holder = reader.take(RUN_BYTES), reader.take(HOLDER_BYTES)
    audience = reader.text() if step == RunStep.REPLIED else ""
    reader.finish()
    if step == RunStep.REPLIED and not audience:
        raise RemoteProtocolError("an audience without a name")
    return RunWord(RunStep(step), run, holder, audience)


def encode_lease(lease: RunLease) -> bytes:
    """The body of a RUN_OK. LocalProtocolError when it cannot travel."""
    if lease.state not in STATES or len(lease.batches) > limits.RUN_BATCHES or len(lease.audiences) > limits.AUDIENCES:
        raise LocalProtocolError("a run is yours, busy or done, with as many batches and audiences as there may be")
    if any(len(batch) != BATCH_BYTES for _, batch in lease.batches):
        raise LocalProtocolError("a batch id has 16 bytes")
    if len(lease.ledger) not in (0, HASH_BYTES) or (lease.entry and not lease.ledger):
        raise LocalProtocolError(f"a hash of the site's chain has {HASH_BYTES} bytes")
    head = encode_number(lease.entry) + lease.ledger if lease.ledger else b""
    parts = [bytes((1, 1 + STATES.index(lease.state) | _HEAD * bool(head))), head]
    parts += [len(lease.batches).to_bytes(2, "big")]
    parts += [batch + encode_text(str(scope)) for scope, batch in lease.batches]
    parts += [len(lease.audiences).to_bytes(2, "big"), *map(encode_text, lease.audiences)]
    return b"".join(parts)


def decode_lease(body: bytes) -> RunLease:
    """The RUN_OK in a body. RemoteProtocolError when it is not one."""
    reader = Reader(body)
    form, state = reader.take(2)
    if form != 1 or not 1 <= state & ~_HEAD <= len(STATES):
        raise RemoteProtocolError("not a lease of this version")
    entry, ledger = (reader.number(), reader.take(HASH_BYTES)) if state & _HEAD else (0, b"")
    batches = [_read_batch(reader) for _ in range(_count(reader, limits.RUN_BATCHES))]
    audiences = [reader.text() for _ in range(_count(reader, limits.AUDIENCES))]
    reader.finish()
    return RunLease(STATES[(state & ~_HEAD) - 1], tuple(batches), tuple(audiences), entry, ledger)


def _read_batch(reader: Reader) -> tuple[Scope, bytes]:
    batch = reader.take(BATCH_BYTES)
    return read_scope(reader.text()), batch


def _count(reader: Reader, most: int) -> int:
    count = int.from_bytes(reader.take(2), "big")
    if count > most:
        raise RemoteProtocolError(f"{count} where {most} may be")
    return count
