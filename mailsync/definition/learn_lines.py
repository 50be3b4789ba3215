"""Rows that are lines of an unknown report without a ruler: columns of characters, a text before each volume, words.

fixed      likely volumes stand one above the other: columns are where none of those lines has a character, put
           together under the captions of the line above them
pattern    likely volumes stand behind one text, such as VolumeTag=
words      lines of equally many words, one of them a likely volume
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from mailsync.definition.learn_candidate import Candidate, Settings
from mailsync.definition.learn_shapes import first_volume, is_likely

_WIDER = 40  # a column may have longer texts than those that were seen
_WORD = re.compile(r"\S+")
_CAPTION = re.compile(r"\S+(?: \S+)*")
_BEFORE = re.compile(r"([^\W\d_]\w*[ \t]*[:=\[(]+[ \t]*)([A-Z0-9]{6,8})\b")
_MOST_WORDS = 40
_MOST_TRIED = 3


def fixed_columns(lines: Sequence[str]) -> Iterator[Candidate]:
    """Lines with a likely volume at one place: the columns are where none of them has a character."""
    starts: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        for word in _WORD.finditer(line):
            if first_volume(word[0]):
                starts.setdefault(word.start(), []).append(at)
    for start in sorted(starts, key=lambda one: (-len(starts[one]), one))[:_MOST_TRIED]:
        listed = starts[start]
        if len(listed) < 2:
            continue
        rows = [lines[at] for at in listed]
        above = next((lines[at] for at in range(listed[0] - 1, -1, -1) if any(map(str.isalpha, lines[at]))), "")
        under = _under_captions(_spans(rows), above, start)
        captions, spans = zip(*under, strict=True)
        cells = tuple(tuple(row[first:end] for first, end in spans) for row in rows)
        columns = tuple([first + 1, end] for first, end in spans)
        # Values under each other behind labels are records, whose rows are not lines.
        weight = 0.8 if not sum(row[0].rstrip().endswith(":") for row in cells) * 2 > len(cells) else 0.4
        yield Candidate({"kind": "fixed"}, columns, captions, cells, above, weight, loose=True)


def _spans(rows: Sequence[str]) -> list[tuple[int, int]]:
    """The stretches of characters that are not blank in all rows."""
    width = max(map(len, rows))
    filled = [any(len(row) > at and not row[at].isspace() for row in rows) for at in range(width)]
    edges = [at for at in range(width + 1) if (at < width and filled[at]) != (at > 0 and filled[at - 1])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _under_captions(spans: list[tuple[int, int]], above: str, volume: int) -> list[tuple[str, tuple[int, int]]]:
    """The spans of one column put together, with its caption: all between the beginnings of two captions.

    The volume begins a column of its own, whatever stands above it.
    """
    phrases = [(found.start(), found[0]) for found in _CAPTION.finditer(above)]
    starts = [start for start, _ in phrases]
    found: dict[tuple[int, bool], tuple[int, int]] = {}
    for start, end in spans:
        column = bisect_right(starts, max(start, end - 1))
        key = (column, start >= volume)
        found[key] = (found[key][0], end) if key in found else (start, end)
    # A column goes on as far as its caption, where nothing else begins before.
    edges = [start for start, _ in found.values()][1:]
    widths = [*edges, max([len(above), *(end for _, end in spans)])]
    return [
        (phrases[column - 1][1] if column else "", (start, max(end, min(edge - 1, end + _WIDER))))
        for ((column, _), (start, end)), edge in zip(found.items(), widths, strict=True)
    ]


def patterns(lines: Sequence[str]) -> Iterator[Candidate]:
    """Lines with a likely volume behind one text (VolumeTag=), or as one of equally many words."""
    before: dict[str, list[str]] = {}
    widths: dict[int, list[list[str]]] = {}
    for line in lines:
        words = line.split()
        if 1 < len(words) <= _MOST_WORDS and any(map(is_likely, words)):
            widths.setdefault(len(words), []).append(words)
        for found in _BEFORE.finditer(line):
            if is_likely(found[2]):
                text = "".join(" *" if part.isspace() else re.escape(part) for part in re.split(r"(\s+)", found[1]))
                before.setdefault(re.sub(r"( \*)?(\\[(\[]|[=:])( \*)?", r" *\2 *", text), []).append(found[2])
    for text in sorted(before, key=lambda one: (-len(before[one]), one))[:_MOST_TRIED]:
        rows = tuple((volume,) for volume in before[text])
        settings: Settings = {"kind": "lines", "pattern": f"{text}(?P<volume>[A-Z0-9]+)"}
        yield Candidate(settings, ("volume",), ("",), rows, weight=0.7)
    for width in sorted(widths, key=lambda one: (-len(widths[one]), one))[:_MOST_TRIED]:
        names = tuple(f"word{number}" for number in range(1, width + 1))
        pattern = "^ *" + " +".join(f"(?P<{name}>[^ ]+)" for name in names) + " *$"
        table = tuple(tuple(words) for words in widths[width])
        yield Candidate({"kind": "lines", "pattern": pattern}, names, ("",) * width, table, weight=0.65, loose=True)
