"""Keeps, of what fuzzing found, the small inputs that between them take every way through the code.

    python tests/fuzz/keep.py NAME FOLDER

Reads the inputs that a harness begins with, those that are kept and those in FOLDER, the shortest first, and keeps the
ones that go from a line of mailsync to another as none before did, or twice, four, eight... times as often. Writes
tests/corpus/seeds/NAME.txt, at most so many bytes of it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from first_inputs import first_inputs
from harnesses import HARNESSES
from seeds import escaped, read_seeds, write_seeds

import mailsync

_HOME = str(Path(mailsync.__file__).parent)
_MOST_BYTES = 20_000
_Step = tuple[CodeType, int, int]
_Way = tuple[_Step, int]


def _ways(name: str, data: bytes) -> set[_Way]:
    """The steps from line to line that the harness takes with the input, and how often, as a power of two."""
    found: Counter[_Step] = Counter()

    def trace(frame: FrameType, _event: str, _argument: object):
        if not frame.f_code.co_filename.startswith(_HOME):
            return None
        last = -1

        def within(frame: FrameType, _event: str, _argument: object):
            nonlocal last
            found[frame.f_code, last, frame.f_lineno] += 1
            last = frame.f_lineno
            return within

        return within

    sys.settrace(trace)
    try:
        HARNESSES[name](data)
    finally:
        sys.settrace(None)
    return {(step, times.bit_length()) for step, times in found.items()}


def main() -> None:
    """Writes what is kept, and says how much that is."""
    name, folder = sys.argv[1:]
    found = (file.read_bytes() for file in Path(folder).iterdir())
    inputs = {*first_inputs(name), *read_seeds(name), *found}
    seen: set[_Way] = set()
    kept: list[bytes] = []
    written = 0
    for data in sorted(inputs, key=lambda one: (len(one), one)):
        if written + len(escaped(data)) <= _MOST_BYTES and not (ways := _ways(name, data)) <= seen:
            seen |= ways
            kept.append(data)
            written += len(escaped(data))
    file = write_seeds(name, kept)
    print(f"{name}: {len(kept)} of {len(inputs)} inputs, {len(seen)} ways, {file.stat().st_size} bytes")


main()
