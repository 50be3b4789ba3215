"""What a peer's bytes cost grows with them and not with their square, counted in lines of mailsync that run.

Four times as much may cost five times as many lines. What runs within C is slices, struct and
codecs.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from first_inputs import BATCHES, EMPTY_BATCH, EMPTY_PAGE, ROWS, SOURCES
from harnesses_sessions import ASKED, UP, server_end
from spoken import Speech
from steps import steps

from mailsync.core.fields import SYNC_FIELDS
from mailsync.core.outcome import Change, Operation
from mailsync.wire import messages
from mailsync.wire.batches import decode_apply, encode_apply
from mailsync.wire.noise import Cipher
from mailsync.wire.pages import decode_page, encode_page
from mailsync.wire.states import State


def page(size: int) -> Callable[[], object]:
    rows = tuple((f"A{number:05}", f"text {number * 7919}", *ROWS[number % 30][2:]) for number in range(size))
    body = encode_page(EMPTY_PAGE._replace(rows=rows, tombstones=tuple(f"B{number}" for number in range(size))))
    return lambda: decode_page(body)


def groups(size: int) -> Callable[[], object]:
    """Each operation is of another group than the last."""
    fields = [("description", one) for one in SYNC_FIELDS[1:]]
    moves = tuple(Operation(Change.UPDATE, "A1", fields[at % 11], ("x", "y"), 0, at, at) for at in range(size))
    body = encode_apply(EMPTY_BATCH._replace(sources=SOURCES, operations=moves))
    return lambda: decode_apply(body)


def members(size: int) -> Callable[[], object]:
    body = ("{" + ",".join(f'"{number}":[{number}]' for number in range(size)) + "}").encode()
    return lambda: messages.decode_bye(body)


def single_bytes(size: int) -> Callable[[], object]:
    speech = Speech(Cipher(UP), ASKED)
    said = b"".join(speech.say(ASKED[7]) for _ in range(size // 100))

    def read() -> None:
        end = server_end(State.READY)
        for at in range(len(said)):
            for event in end.receive_data(said[at : at + 1]):
                end._requests.pop(event.request)

    return read


def a_long_message(size: int) -> Callable[[], object]:
    speech = Speech(Cipher(UP), ASKED)
    said = speech.say(ASKED[2]._replace(body=encode_apply(BATCHES[0]) + bytes(size * 1000)))
    pieces = [said[at : at + 1000] for at in range(0, len(said) - 1000, 1000)]

    def read() -> None:
        end = server_end(State.READY)
        for piece in pieces:
            assert end.receive_data(piece) == []

    return read


@pytest.mark.parametrize("kind", [page, groups, members, single_bytes, a_long_message])
def test_the_work_grows_with_the_bytes(kind):
    kind(200)()
    small, large = (steps(kind(size)) for size in (400, 1600))
    assert small < large < 5 * small
