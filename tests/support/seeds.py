"""The inputs fuzzing left: tests/corpus/seeds/NAME.txt for each harness, one input a line, escaped as in Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "corpus/seeds"


def read_seeds(name: str) -> list[bytes]:
    """The inputs kept for a harness, in their order; none when it has none."""
    file = _FOLDER / f"{name}.txt"
    lines = file.read_text("ascii").splitlines() if file.is_file() else []
    return [line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines]


def write_seeds(name: str, inputs: Iterable[bytes]) -> Path:
    """Keeps these instead of what was kept before."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = _FOLDER / f"{name}.txt"
    file.write_bytes(b"".join(map(escaped, inputs)))
    return file


def escaped(data: bytes) -> bytes:
    """The line of an input."""
    return data.decode("latin-1").encode("unicode_escape") + b"\n"
