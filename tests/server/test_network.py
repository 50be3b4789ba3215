"""A short conversation over a bad network, harmed at every byte of it: whatever happens, the client says what is true.

The gate cuts at every byte, and does the rest where messages begin and end; `python -m tests.bench --network` does
everything everywhere.
"""

from __future__ import annotations

import pytest
from bad_network import DOWN, UP
from conversations import at_edges, every_cut, hold_all


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_cut_at_any_byte_is_told_as_one_and_the_same_batch_again_is_applied_once(tmp_path, direction):
    told = hold_all(tmp_path, every_cut(direction))
    # All that a cut may do to a client that waits for an answer; behind the last answer it does not matter.
    assert set(told) <= {"HungUpError", "UnreachableError", "done", "unacknowledged"}
    assert told["HungUpError"] + told["UnreachableError"] > 500
    # Lost acknowledgements are what batch ids are for: cuts within the last answer, and right behind the request.
    assert (told["unacknowledged"] >= 200) is (direction == DOWN)


def test_bytes_lost_doubled_swapped_or_late_never_lie_to_the_client(tmp_path):
    told = hold_all(tmp_path, at_edges)
    assert {"done", "UnreachableError", "TemporaryError", "HungUpError", "unacknowledged"} <= set(told)
