"""Where a command's input comes from: a file named on the command line, or stdin; bounded before it is read."""

from __future__ import annotations

import sys
from pathlib import Path

from mailsync.core.errors import UsageError


def read_input(file: str | None, most: int) -> bytes:
    """The file's bytes, or stdin's. Raises UsageError beyond `most` bytes."""
    if file is None:
        content = sys.stdin.buffer.read(most + 1)
    else:
        with Path(file).open("rb") as opened:
            content = opened.read(most + 1)
    if len(content) > most:
        hint = "raise limits.mail_size in mailsync.yaml"
        raise UsageError(f"{file or 'stdin'} is larger than mail_size: {most} bytes", hint=hint)
    return content
