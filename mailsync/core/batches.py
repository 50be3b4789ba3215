"""From a plan to the batches that carry it out: what is asked of the server, part by part.

Every scope a report speaks for gets at least one batch, also with nothing to do: the server remembers that the report
came (exactly-once.md section 3). Operations are in the order of `tally.operations_of`, so that results can be laid
beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailsync.core.identity import batch_id
from mailsync.core.model import RunId
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.core.plan import Plan, Step
from mailsync.core.tally import change_of

MOST_OPERATIONS = 10_000  # protocol.md, Limits
MOST_CHARACTERS = 2**20  # of all values of a batch: at most 4 MiB, which is what one message may have


class Cause(NamedTuple):
    """Why a batch is sent: the run, its plan's id (32 bytes), and `source` and `asof` of outcome.Batch."""

    run: RunId
    plan: bytes
    source: str
    asof: int


def make_batches(plan: Plan, cause: Cause, *, round_: int, first_part: int) -> tuple[Batch, ...]:
    """The batches of a plan, numbered from `first_part` within the scope's round."""
    sources: dict[tuple[str, str], int] = {}
    operations = tuple(_operation(steps, sources) for steps in _grouped(plan))
    places = tuple(sources)
    return tuple(
        Batch(
            id=batch_id(cause.run, round_, plan.scope, first_part + number),
            run=cause.run,
            plan=cause.plan,
            scope=plan.scope,
            epoch=plan.epoch,
            base=plan.base,
            source=cause.source,
            asof=cause.asof,
            sources=places,
            operations=part,
        )
        for number, part in enumerate(_parts(operations))
    )


def _parts(operations: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    """The operations in parts that fit a message; one without any where there is nothing to do."""
    start = characters = 0
    for at, operation in enumerate(operations):
        size = sum(map(len, operation.values))
        if at - start == MOST_OPERATIONS or (at > start and characters + size > MOST_CHARACTERS):
            yield tuple(operations[start:at])
            start, characters = at, 0
        characters += size
    yield tuple(operations[start:])


def _grouped(plan: Plan) -> list[list[Step]]:
    """The steps of each operation together, in the order of `tally.operations_of`."""
    groups: dict[tuple[str, Change], list[Step]] = {}
    for step in plan.steps:
        change = change_of(step)
        if change is not None:
            groups.setdefault((step.volume, change), []).append(step)
    return [groups[key] for key in sorted(groups)]


def _operation(steps: list[Step], sources: dict[tuple[str, str], int]) -> Operation:
    first = steps[0]
    change = change_of(first)
    if change is None:
        raise AssertionError(first)
    origin = first.origin
    source = sources.setdefault((origin.mail, origin.attachment), len(sources))
    fields = tuple(step.field for step in steps)
    values = tuple(step.after for step in steps)
    return Operation(change, first.volume, fields, values, source, origin.row, origin.line)
