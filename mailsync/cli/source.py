"""Where a command's input comes from: a file named on the command line, or stdin; bounded before it is read."""

from __future__ import annotations

import sys
from pathlib import Path

from mailsync.core.errors import UsageError


class TooLargeError(UsageError):
    """The input is larger than the site's limits.mail_size."""


def read_input(file: str | None, most: int) -> bytes:
    """The file's bytes, or stdin's. Raises TooLargeError beyond `most` bytes, UsageError for what cannot be read."""
    try:
        if file is None:
            content = sys.stdin.buffer.read(most + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(most + 1)
    except OSError as error:
        hint = "name a file, or give it on stdin"
        raise UsageError(f"read {file or 'stdin'}: {error.strerror}", hint=hint) from error
    if len(content) > most:
        hint = "raise limits.mail_size in mailsync.yaml"
        raise TooLargeError(f"{file or 'stdin'} is larger than mail_size: {most} bytes", hint=hint)
    return content
