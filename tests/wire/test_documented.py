"""docs/protocol.md names what the code does: message types, error codes and limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailsync.wire import limits, passwords
from mailsync.wire.errors import Code
from mailsync.wire.messages import Kind

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def test_every_message_type_is_documented_and_no_other():
    rows = re.findall(r"^\| 0x([0-9A-F]{2}) \| (\w+) \|", PAGE, re.MULTILINE)
    assert {(int(number, 16), name) for number, name in rows} == {(kind.value, kind.name) for kind in Kind}


def test_every_error_code_is_documented_and_no_other():
    section = PAGE.split("## Error codes")[1].split("##")[0]
    rows = re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE)
    documented = {int(number) for row in rows for number in row.split(",")}
    assert documented == {code.value for code in Code if code is not Code.SILENT}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (limits.HANDSHAKE_BYTES, "| handshake message | 4,096 bytes |"),
        (limits.LOGIN_BYTES, "| message before AUTH_OK | 4,096 bytes, not compressed |"),
        (limits.PAGE_ROWS, "| page | 8,192 rows and tombstones, 8,192 repositories |"),
        (limits.REPOSITORIES, "8,192 repositories |"),
        (limits.BATCH_OPERATIONS, "| batch | 10,000 operations, 10,000 sources |"),
        (limits.BATCH_SOURCES, "10,000 sources |"),
        (limits.CARRIED, "| volumes that one batch takes along | 10,000 |"),
        (limits.TEXT, "| any text | 4,096 characters |"),
        (limits.PAGES, "| pages of one SYNC | 4 |"),
        (limits.LOGIN_PINGS, "| PINGs before AUTH | 2 |"),
        (limits.SCOPES, "| scopes of one SCOPES_OK | 8,192 |"),
        (limits.RUN_BATCHES, "| batches and audiences of one RUN_OK | 10,000 and 1,000 |"),
        (limits.AUDIENCES, "| batches and audiences of one RUN_OK | 10,000 and 1,000 |"),
        (limits.ASKED_BATCHES, "| batches of one LEDGER | 1,000 |"),
        (passwords.LEAST_MEMORY, "at least 19,456 KiB"),
        (passwords.LEAST_ITERATIONS, "at least 600,000 iterations"),
        (limits.OUTSTANDING, "| requests under way | 16 |"),
        (limits.BYE_BYTES, "| BYE | 4,096 bytes |"),
        (limits.REKEY_FRAMES, "floor(*i* / 16,384)"),
    ],
)
def test_every_limit_is_documented(value, text):
    assert text in PAGE
    assert f"{value:,}" in text
