"""Texts of strangers made fit to be shown: one line, of bounded length, with nothing unseen in it.

A line break could forge a line of a reply or a field of its header, an escape sequence could rewrite a terminal, and
a bidirectional control could make a name read backwards. Line breaks become blanks, the others a visible mark.
"""

from __future__ import annotations

import re

MAX_TEXT = 300
# What is never shown, as the inside of a pattern's brackets: C0 and C1, the soft hyphen, joiners and fillers without a
# glyph, zero-width and bidirectional controls, line and paragraph separators, lone surrogates, annotations, tags.
UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff"
)
_UNSEEN = re.compile(f"[{UNSEEN}]")
_SPACES = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """The text as one line of at most `limit` characters, without anything unseen in it."""
    return shortened(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", _SPACES.sub(" ", text[: 4 * limit])), limit)


def shortened(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with `...` at its end when it is longer."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plural(count: int, noun: str, several: str = "") -> str:
    """The count with its noun: `1 problem`, `2 problems`; `several` is what does not end in s, as in `2 entries`."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or f'{noun}s'}"
