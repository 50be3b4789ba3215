"""Records of several lines, and lines that a pattern understands.

    how a record is cut        `begins`: at lines one of these filters matches; `lines`: so many lines that are not
                               blank; else at blank lines and rulers (===, ---, ***)
    how its cells are found    `patterns`: the named groups of the first regular expression that is found in it;
                               else `label: value` lines, whose dot leaders (`Volume . . . :`) are no part of the label

A line of the kind `lines` is a record of one line. What a group called `odd` is found in looks like a row and is none
that is understood: it is broken, and so are the lines without a pattern where `others` are problems. Records that hold
nothing that is asked for (a banner, a summary) are left out and counted. A record of more than 500 lines, or with a
label twice that says different things, is broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailsync.core.layout import Layout
from mailsync.tables.header import Header
from mailsync.tables.labelled import Labelled, columns_of
from mailsync.tables.table import Chunk, Lines, rows_of

LONGEST_RECORD = 500
_LONGEST_LABEL = 64
_QUOTED = 120
_LEADERS = " \t."
_NO_PATTERN = "matches no pattern"
ODD = "odd"


class _Span(NamedTuple):
    """A record's lines; `kept` is false for what comes before the first record."""

    start: int
    end: int
    kept: bool = True


def read_records(blocks: Iterable[Lines], layout: Layout, most: int) -> tuple[Header, Iterator[Chunk]]:
    """The records' labels as captions, or the names of the patterns' groups; and the rows."""
    cut = _blocks_of_records(blocks, layout)
    if layout.patterns:
        return _by_patterns(cut, layout)
    return columns_of((_labelled(lines, spans, layout) for lines, spans in cut), layout, most)


def read_lines(blocks: Iterable[Lines], layout: Layout) -> tuple[Header, Iterator[Chunk]]:
    """The names of the patterns' groups as captions, and the lines they are found in as rows."""
    return _by_patterns(((lines, _single(lines)) for lines in blocks), layout)


def _single(lines: Lines) -> list[_Span]:
    return [_Span(place, place + 1) for place in range(len(lines.texts))]


def _blocks_of_records(blocks: Iterable[Lines], layout: Layout) -> Iterator[tuple[Lines, list[_Span]]]:
    """The lines with the records in them. One that may go on in the next block waits for it."""
    carried = Lines([], ())
    for block in blocks:
        lines = block.behind(carried)
        spans, open_from = _spans(lines.texts, layout, closed=bool(lines.totals))
        read, carried = lines.cut(open_from)
        yield _kept(read, spans)
    yield _kept(carried, _spans(carried.texts, layout, closed=True)[0])


def _kept(lines: Lines, spans: list[_Span]) -> tuple[Lines, list[_Span]]:
    kept = [span for span in spans if span.kept]
    before = Counter({"before the first record": len(spans) - len(kept)} if len(spans) > len(kept) else {})
    return lines._replace(left_out=Counter(lines.left_out) + before), kept


def _spans(texts: Sequence[str], layout: Layout, *, closed: bool) -> tuple[list[_Span], int]:
    """The records among the lines, and where the one begins that may go on behind them."""
    found: list[_Span] = []
    start, size, kept = -1, 0, not layout.begins
    for place, text in enumerate(texts):
        blank = _is_blank(text) if not (layout.begins or layout.lines) else not text.strip()
        begins = bool(layout.begins) and any(one.matches(text) for one in layout.begins)
        full = size >= (layout.lines or LONGEST_RECORD)
        if start >= 0 and (begins or full or (blank and not layout.begins and not layout.lines)):
            found.append(_Span(start, place, kept))
            start, size = -1, 0
        if begins:
            kept = True
        if start < 0 and not blank:
            start = place
        size += not blank
    if start >= 0 and (closed or size >= (layout.lines or LONGEST_RECORD)):
        found.append(_Span(start, len(texts), kept))
        start = -1
    return found, start if start >= 0 else len(texts)


def _is_blank(text: str) -> bool:
    bare = text.strip()
    return not bare or (len(bare) > 2 and bare[0] in "=-*_+" and not bare.strip(bare[0]))


def _labelled(lines: Lines, spans: Sequence[_Span], layout: Layout) -> Labelled:
    """The records by their labels."""
    asked = {one.casefold() for one in (*layout.wanted, *layout.welcome)}
    rows: list[dict[str, str]] = []
    taken: list[_Span] = []
    broken: list[tuple[int, str]] = []
    left_out = Counter(lines.left_out)
    for span in spans:
        row, fault = _labels(lines.texts[span.start : span.end], layout.separator, asked)
        if not fault and not (asked & {label.casefold() for label in row} if asked else row):
            left_out["has no label that is asked for"] += 1
            continue
        if fault:
            broken.append((len(rows), fault))
        rows.append(row)
        taken.append(span)
    return Labelled(_chunk(lines._replace(left_out=left_out), taken, [[]] * len(taken), broken), rows)


def _labels(texts: Sequence[str], separator: str, asked: set[str]) -> tuple[dict[str, str], str]:
    """The record's values by their labels, and what is wrong with it."""
    found: dict[str, str] = {}
    for text in texts:
        before, there, after = text.partition(separator)
        label, value = before.strip(_LEADERS), after.strip()
        if not there or not label or len(label) > _LONGEST_LABEL:
            continue
        if found.setdefault(label, value) != value and label.casefold() in asked:
            return found, f'"{label}" is there twice and says different things'
    return found, f"more than {LONGEST_RECORD} lines" if len(texts) >= LONGEST_RECORD else ""


def _by_patterns(cut: Iterable[tuple[Lines, list[_Span]]], layout: Layout) -> tuple[Header, Iterator[Chunk]]:
    captions = tuple(dict.fromkeys(name for pattern in layout.patterns for name in pattern.names))
    return Header(captions), (_matched(lines, spans, layout, captions) for lines, spans in cut)


def _matched(lines: Lines, spans: Sequence[_Span], layout: Layout, captions: tuple[str, ...]) -> Chunk:
    """The records that a pattern is found in, with its groups as cells."""
    texts = ["\n".join(lines.texts[span.start : span.end]) for span in spans]
    found: dict[int, dict[str, str]] = {}
    for pattern in layout.patterns:
        others = ["" if place in found else text for place, text in enumerate(texts)]
        for place, groups in pattern.found_among(others).items():
            found.setdefault(place, dict(zip(pattern.names, groups, strict=True)))
    cells: list[list[str]] = []
    taken: list[_Span] = []
    broken: list[tuple[int, str]] = []
    left_out = Counter(lines.left_out)
    for place, span in enumerate(spans):
        row = found.get(place)
        if row is None and (layout.others == "skip" or not texts[place].strip()):
            left_out[_NO_PATTERN if texts[place].strip() else "blank"] += 1
            continue
        if row is None or row.get(ODD):
            broken.append((len(cells), f'the line is not understood: "{_quoted(texts[place])}"'))
            row = None
        cells.append([] if row is None else [row.get(caption, "") for caption in captions])
        taken.append(span)
    return _chunk(lines._replace(left_out=left_out), taken, cells, broken)


def _quoted(text: str) -> str:
    """The beginning of a record's text, on one line."""
    plain = " ".join(text[:_QUOTED].split())
    return plain if len(text) <= _QUOTED else f"{plain}..."


def _chunk(
    lines: Lines, spans: Sequence[_Span], cells: Sequence[Sequence[str]], broken: Sequence[tuple[int, str]]
) -> Chunk:
    raw = ["\n".join(lines.texts[span.start : span.end]) for span in spans]
    return rows_of(lines, cells, raw=raw, starts=[span.start for span in spans], broken=broken)
