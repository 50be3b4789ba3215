"""What fuzzing began with and left is replayed: every input, and damaged copies, through the harness it is of.

Its invariants must hold. The dice are seeded: the same inputs each time, about half a minute of them. Of what takes a
whole conversation fewer copies are made.
"""

from __future__ import annotations

import random

import pytest
from first_inputs import first_inputs
from harnesses import HARNESSES
from hostile import damaged
from seeds import read_seeds, write_seeds

COPIES = {"server": 1, "client": 1, "client_frames": 2, "server_frames": 2, "volumes": 2}
MOST_COPIES = 24


@pytest.mark.parametrize("name", sorted(HARNESSES))
def test_the_corpus_breaks_no_invariant(name):
    for data in first_inputs(name):
        HARNESSES[name](data)
    inputs = read_seeds(name)
    assert len(inputs) > 5
    for number, data in enumerate(inputs):
        HARNESSES[name](data)
        for copy in range(COPIES.get(name, MOST_COPIES)):
            dice = random.Random(f"{name} {number} {copy}")
            HARNESSES[name](damaged(data, dice, 1 + copy % 3))


def test_inputs_are_kept_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr("seeds._FOLDER", tmp_path)
    inputs = [bytes(range(256)), b"", b"\\n\n\r\x85\\\\", "é\u2028".encode()]
    write_seeds("x", inputs)
    assert read_seeds("x") == inputs
    assert read_seeds("y") == []
