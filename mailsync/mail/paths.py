"""What attachments are called: the mail's own names, made fit to be shown, and each path once."""

from __future__ import annotations

import re

from mailsync.mail.address import shown
from mailsync.mail.sender import redact_extensions

_LONGEST_NAME = 120


def file_name(name: str) -> str:
    """The last component of a name, on one line, bounded and without a token; "" when nothing is left of it."""
    last = redact_extensions(shown(re.split(r"[/\\]", name)[-1]).strip(". ")) if name.strip("./\\ ") else ""
    return last if len(last) <= _LONGEST_NAME else f"{last[:80]}~{last[-39:]}"


class Paths:
    """The paths of one mail's attachments."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unique(self, path: str) -> str:
        """The path, with a number before its extension when the mail has used it already."""
        stem, dot, extension = path.rpartition(".")
        if not dot or "/" in extension:
            stem, extension = path, ""
        candidate, number = path, 1
        while candidate in self._used:
            number += 1
            candidate = f"{stem} ({number}){dot if extension else ''}{extension}"
        self._used.add(candidate)
        return candidate
