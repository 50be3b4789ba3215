"""docs/mail-quirks.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/mail-quirks.md"


def test_every_quirk_has_a_test_that_exists():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ") and "| quirk |" not in line]
    named = [re.findall(r"`(test_[a-z0-9_]+)`", row.split(" | ")[-1]) for row in rows]
    rooms = [ROOT / "tests" / room for room in ("mail", "flow", "tables", "definition")]
    sources = "".join(path.read_text() for room in rooms for path in room.glob("test_*.py"))
    there = set(re.findall(r"^def (test_[a-z0-9_]+)\(", sources, re.MULTILINE))
    assert len(rows) > 50
    assert [row for row, tests in zip(rows, named, strict=True) if not tests] == []
    assert {test for tests in named for test in tests} - there == set()
