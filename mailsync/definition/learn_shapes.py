"""What a text in a report looks like: a Volume-ID, how surely, or a place.

    A00001L5  six characters and a suffix of the medium       1.0      MED123   letters, then digits, in six      0.9
    00A12B    other six of letters and digits                 0.6      000123   six digits                        0.5
    BACKUP01  three to ten, letters first, two digits         0.55     301, X1  any other Volume-ID with a digit  0.1
Everything else is none. How sure a column is, is the mean of its texts, less where they repeat.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mailsync.core.model import VOLUME

_SHAPES = (
    (re.compile(r"(?=[A-Z]{0,5}[0-9])[A-Z0-9]{6}(?:L[0-9A-Z]|J[A-Z0-9]|T[0-9A-Z]|E[0-9])\Z", re.ASCII), 1.0),
    (re.compile(r"[A-Z]{1,4}[0-9]{2,5}(?<=.{6})\Z", re.ASCII), 0.9),
    (re.compile(r"[0-9]{6}\Z", re.ASCII), 0.5),
    (re.compile(r"(?=[A-Z]{0,5}[0-9])(?=[0-9]{0,5}[A-Z])[A-Z0-9]{6}\Z", re.ASCII), 0.6),
    (re.compile(r"[A-Z]{1,8}[0-9]{2,9}\Z", re.ASCII), 0.55),
)
_WORD = re.compile(r"[A-Za-z0-9-]+(?![\w./\\])", re.ASCII)
_LONGEST = 80
_LEAST = 0.5
_SILENT = 0.6  # a row that says nothing speaks less against a column than one that says something else
_SMALL = re.compile(r"[a-z]{1,3}[0-9]{3,5}(?<=.{6})(?:l[0-9])?\Z", re.ASCII)
# Words by which reports say where a volume is.
_WORDS = (
    *("vault", "offsite", "off-site", "onsite", "on-site", "library", "robot", "shelf", "safe", "courier", "mountable"),
    *("rack", "store", "archive", "iron", "tresor", "lager", "locat", "jukebox", "changer"),
    *("none", "tld", "acs", "retrieve"),
)


def surety(text: str) -> float:
    """How surely the text is a Volume-ID, from 0 to 1. In small letters, `a00012` and `a00001l5` are."""
    if _SMALL.match(text):
        return 0.8
    if not VOLUME.match(text):
        return 0.0
    sure = next((sure for shape, sure in _SHAPES if shape.match(text)), 0.0)
    return sure or (0.1 if any(character.isdigit() for character in text) else 0.0)


def is_likely(text: str) -> bool:
    """True for a text that is a Volume-ID more likely than not."""
    return surety(text) >= _LEAST


def first_volume(text: str) -> str:
    """The first word of a cell when it is likely a Volume-ID, empty otherwise."""
    start = text[:_LONGEST].lstrip("[]()<>{}*#\"'-. \t")
    found = _WORD.match(start)
    return found[0] if found and is_likely(found[0]) else ""


def several_volumes(text: str, at: str) -> bool:
    """True for two or more likely Volume-IDs with `at` between them."""
    parts = [part.strip() for part in text.split(at)]
    return len(parts) > 1 and all(is_likely(part) for part in parts if part)


def column_surety(cells: Sequence[str]) -> float:
    """How surely the cells are the volumes of their rows: each likely one, few of them twice, few empty."""
    texts = [cell.strip() for cell in cells]
    filled = [text for text in texts if text]
    if not filled:
        return 0.0
    found = [first_volume(text) or text for text in filled]
    silent = sum(not text.strip("-*? ") or text.upper() == "NONE" for text in texts)
    sure = sum(map(surety, found)) / (len(texts) - _SILENT * silent)
    whole = sum(one == text for one, text in zip(found, filled, strict=True)) / len(filled)
    return sure * math.sqrt(len(set(found)) / len(filled)) * (0.7 + 0.3 * whole)


def place_share(cells: Sequence[str]) -> float:
    """The share of the filled cells that have a word for a place."""
    filled = [cell.lower() for cell in cells if cell.strip()]
    return sum(any(word in cell for word in _WORDS) for cell in filled) / len(filled) if filled else 0.0
