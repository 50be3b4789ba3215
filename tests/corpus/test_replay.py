"""What fuzzing left is replayed: every input through the harness it was found with, whose invariants must hold."""

from __future__ import annotations

import pytest
from harnesses import HARNESSES
from seeds import read_seeds, write_seeds


@pytest.mark.parametrize("name", sorted(HARNESSES))
def test_the_corpus_breaks_no_invariant(name):
    inputs = read_seeds(name)
    assert len(inputs) > 5
    for data in inputs:
        HARNESSES[name](data)


def test_inputs_are_kept_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr("seeds._FOLDER", tmp_path)
    inputs = [bytes(range(256)), b"", b"\\n\n\r\x85\\\\", "é\u2028".encode()]
    write_seeds("x", inputs)
    assert read_seeds("x") == inputs
    assert read_seeds("y") == []
