"""What reports and files say, made fit for problems and faults: these reach terminals, logs and mails."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with a dot for each character that cannot be shown, such as what moves a terminal's cursor."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "." for one in text)
