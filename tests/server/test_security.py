"""docs/security.md: its claims have tests that exist, and what it says of MD5 and of the defaults is so."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
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


def test_what_a_user_changed_is_listed_by_the_statement_of_the_page(library, make_batch, move, who, request):
    store_url = request.getfixturevalue("store_url")
    statement = PAGE.split("```sql")[1].split("```")[0].rstrip("; \n")
    before = make_batch(move("A3", slot="8"), id=b"2" * 16)
    library.apply(before, b"h" * 32, who, 1795478399)
    library.apply(make_batch(move("A1", "OFFS"), move("A2", slot="7")), b"h" * 32, who, 1795478400)
    if store_url.startswith("sqlite:"):
        with closing(sqlite3.connect(store_url.removeprefix("sqlite:"))) as connection:
            found = connection.execute(statement).fetchall()
    else:
        cluster = request.getfixturevalue("cluster")
        cluster.query("SET search_path = mailsync")
        found = cluster.query(statement)
        cluster.query("RESET search_path")
    assert found == [
        (1795478400, "site", "US01", "LTO", "A1", "repository", "LIBR", "OFFS"),
        (1795478400, "site", "US01", "LTO", "A1", "flags", "", "M"),
        (1795478400, "site", "US01", "LTO", "A2", "slot", "", "7"),
    ]


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
