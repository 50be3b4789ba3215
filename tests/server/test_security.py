"""docs/security.md: its claims have tests that exist, and what it says of MD5 and of the defaults is so."""

from __future__ import annotations

import re
from pathlib import Path

from mailsync.wire import passwords

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_claim_has_a_test_that_exists():
    section = PAGE.split("## Shown by")[1]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| claim ")]
    named = [re.findall(r"`(test_[a-z0-9_]+)`", row) for row in rows]
    sources = "".join(path.read_text() for path in (ROOT / "tests").glob("*/test_*.py"))
    there = set(re.findall(r"^ *def (test_[a-z0-9_]+)\(", sources, re.MULTILINE))
    assert len(rows) > 25
    assert [row for row, tests in zip(rows, named, strict=True) if not tests] == []
    assert {test for tests in named for test in tests} - there == set()


def test_md5_is_called_in_one_place_and_not_for_security():
    calls = {
        (path.name, line.strip())
        for path in (ROOT / "mailsync").rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"(?i)\bmd5\(|new\([\"']md5", line)
    }
    assert calls == {
        ("passwords.py", "return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest().upper()"),
    }


def test_the_parameters_are_the_documented_ones():
    kdf = passwords.DEFAULT
    assert f"Argon2id: RFC 9106, {kdf.memory // 1024} MiB and {kdf.iterations} passes" in PAGE
    assert f"{passwords.FIPS.iterations:,} iterations |" in PAGE
    assert f"({passwords.LEAST_MEMORY:,} KiB and {passwords.LEAST_PASSES} passes, or" in PAGE
