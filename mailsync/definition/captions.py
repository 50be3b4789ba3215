"""Looking for a report's captions, and saying once, for the whole line, why some are not found.

the table has no captions                      the attachment is empty, or ends before them
another delimiter would cut more of them out   the definition's delimiter is not the report's
otherwise                                      those missing and those there more than once, and what is there
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.definition.cells import shown

_DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|"}
_LISTED = 10
# What is compared with hostile captions: splitting takes memory, and similarity time that grows with the square.
_LOOKED_AT, _COMPARED, _LONGEST = 20_000, 200, 60
_OTHER_REPORT = "the report's layout has changed, or it is another report"


class Sought(NamedTuple):
    """A caption that is not there exactly once, and where it is (columns from 0; none: it is missing)."""

    caption: str
    places: tuple[int, ...]


def find_caption(wanted: str, captions: Sequence[str]) -> list[int]:
    """The places of the caption: as it is written, else without case."""
    exact = [place for place, caption in enumerate(captions) if caption == wanted]
    folded = wanted.casefold()
    return exact or [place for place, caption in enumerate(captions) if caption.casefold() == folded]


def caption_fault(lost: Sequence[Sought], captions: Sequence[str], layout: Layout) -> tuple[str, str]:
    """What is wrong with the captions (`lost` is not empty), and what to do."""
    if not captions and layout.kind != "delimited":
        return "there is no table with captions in it", _OTHER_REPORT
    if not captions:
        text = "the attachment is empty" if layout.header == 1 else f"it ends before its captions, row {layout.header}"
        return text, "have the report sent again"
    missing = [one.caption for one in lost if not one.places]
    delimiter = _other_delimiter(missing, captions, layout)
    if delimiter:
        name, ours = _DELIMITERS[delimiter], _DELIMITERS.get(layout.delimiter, layout.delimiter)
        text = f'the line looks cut by "{name}", the definition says "{ours}"'
        return text, f'set delimiter: "{name}" in the definition, or leave it out'
    texts = [_repeated(one) for one in lost if one.places]
    hints = ["use the column's number"] if texts else []
    if missing:
        texts.append(_missing(missing, captions))
        hints.append(_suggestion(missing, captions))
    return "; ".join(texts), "; ".join(hints)


def _other_delimiter(missing: Sequence[str], captions: Sequence[str], layout: Layout) -> str:
    """The delimiter by which the line has captions that are missing, when the definition insists on another."""
    if not layout.delimiter:
        return ""
    line = layout.delimiter.join(captions)[:_LOOKED_AT]
    for delimiter in _DELIMITERS:
        cells = [cell.strip(f" {layout.quote}") for cell in line.split(delimiter)]
        if delimiter != layout.delimiter and any(find_caption(one, cells) for one in missing):
            return delimiter
    return ""


def _repeated(one: Sought) -> str:
    numbers = " and ".join(str(place + 1) for place in one.places[:_LISTED])
    return f'caption "{one.caption}" is there more than once: columns {numbers}{_more(one.places)}'


def _more(listed: Sequence[object]) -> str:
    return f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""


def _missing(missing: Sequence[str], captions: Sequence[str]) -> str:
    names = " and ".join(f'"{one}"' for one in missing)
    listed = ", ".join(shown(caption) for caption in captions[:_LISTED])
    noun, verb = ("caption", "was") if len(missing) == 1 else ("captions", "were")
    return f"{noun} {names} {verb} not found; captions are {listed}{_more(captions)}"


def _suggestion(missing: Sequence[str], captions: Sequence[str]) -> str:
    import difflib

    near = [caption for caption in captions[:_COMPARED] if len(caption) <= _LONGEST]
    close = {one: found[0] for one in missing if (found := difflib.get_close_matches(one[:_LONGEST], near, n=1))}
    if len(missing) == 1 and close:
        return f"did you mean {shown(close[missing[0]])}?"
    meant = ", ".join(f'{shown(there)} for "{one}"' for one, there in close.items())
    return f"did you mean {meant}?" if meant else _OTHER_REPORT
