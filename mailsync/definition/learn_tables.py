"""How an unknown report may be written: every kind of table that gives rows of it, as the YAML would say it.

Strategy: generate and test. Nothing here decides: each kind is tried with the few settings that matter, and what comes
out is a `Candidate`; the best is the one whose columns make most sense (learn.py). Kinds that have captions of their
own come first, so that of equals the one that says more wins.

    workbook, html     each sheet or table           json       each array of objects
    boxed, ruled       each table, each header       records    at blank lines, or at each label that comes back
    delimited          each delimiter                lines      learn_lines.py
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.definition.expression import Expression, compile_expression
from mailsync.definition.filters import Filter, compile_filter
from mailsync.definition.learn_candidate import Candidate, Reading, Settings, escaped
from mailsync.definition.learn_lines import fixed_columns, patterns
from mailsync.definition.learn_shapes import first_volume
from mailsync.definition.table import WORKBOOKS, ReadTable

_MOST_TABLES = 12
_SEARCHED = 30
_DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|", "~": "~"}
_PREFIX = re.compile(r"[^|+]*?(?=\+-|\| )")


def candidates(attachment: Attachment, read: ReadTable) -> Iterator[Candidate]:
    """Every way to read the attachment that gives rows."""
    if attachment.content.startswith(WORKBOOKS):
        yield from _headed(Reading(attachment, read, ""), "workbook")
        return
    reading = Reading(attachment, read, "cp037" if _is_ebcdic(attachment.content) else "")
    for candidate in _of_text(reading):
        said = {"encoding": reading.encoding} if reading.encoding else {}
        yield candidate._replace(table=candidate.table | said)


def _is_ebcdic(content: bytes) -> bool:
    """True for text of a mainframe or IBM i: blanks are 40 there, and 20 is nothing."""
    start = content[:65_536]
    return start.count(0x40) > len(start) // 20 and start.count(0x20) < len(start) // 100


def _of_text(reading: Reading) -> Iterator[Candidate]:
    lines = reading.lines()
    if lines and lines[0].lstrip()[:1] in ("{", "["):
        yield from _json(reading)
    if any("<table" in line.lower() for line in lines):
        yield from _headed(reading, "html")
    yield from _boxed(reading, lines)
    yield from _ruled(reading)
    yield from _records(reading, lines)
    yield from _delimited(reading)
    yield from fixed_columns(lines)
    yield from patterns(lines)


def _headed(reading: Reading, kind: str) -> Iterator[Candidate]:
    """The tables of a page, the sheets of a workbook."""
    for number in range(1, _MOST_TABLES + 1):
        captions, rows, _ = reading.table(Layout(kind, number=number))
        table = [captions, *rows] if captions else rows
        yield from _with_captions({"kind": kind}, table, [])


def _delimited(reading: Reading) -> Iterator[Candidate]:
    for delimiter, name in _DELIMITERS.items():
        _, rows, raw = reading.table(Layout("delimited", delimiter))
        if sum(len(row) > 1 for row in rows) * 2 > len(rows):
            yield from _with_captions({"kind": "delimited", "delimiter": name}, rows, raw)


def _with_captions(settings: Settings, table: Sequence[tuple[str, ...]], raw: Sequence[str]) -> Iterator[Candidate]:
    """A table whose captions are among its first rows: the last one before the first row with a likely volume."""
    column = _volume_column(table)
    first = next((at for at, row in enumerate(table) if len(row) > column and first_volume(row[column])), 0)
    captions = table[first - 1] if 0 < first <= _SEARCHED else ()
    if len(captions) <= column or not captions[column].strip():
        captions = ()
    header: Any = (first if first > 1 else "first") if captions else "none"
    rows = table[first:] if captions else table
    width = max(map(len, rows), default=0)
    named = tuple(caption.strip() for caption in captions)
    # Of a page or a workbook the captions are looked for by themselves.
    settings = settings | ({"header": header} if settings["kind"] == "delimited" or not captions else {})
    columns = tuple(_column_name(named, place) for place in range(width))
    line = raw[first - 1] if captions and raw else ""
    # Captions that are far fewer than the cells were cut by a character that only the rows have.
    weight = 1.0 if not captions or 2 * sum(map(bool, named)) >= width else 0.5
    yield Candidate(settings, columns, _padded(named, width), tuple(rows), line, weight)


def _volume_column(table: Sequence[tuple[str, ...]]) -> int:
    """The column with most different likely volumes."""
    seen: dict[int, set[str]] = {}
    for row in table:
        for place, cell in enumerate(row):
            volume = first_volume(cell)
            if volume:
                seen.setdefault(place, set()).add(volume)
    return max(seen, key=lambda place: (len(seen[place]), -place), default=0)


def _column_name(captions: Sequence[str], place: int) -> Any:  # noqa: ANN401 - a caption or a number, as YAML has it
    caption = captions[place] if place < len(captions) else ""
    folded = [one.casefold() for one in captions]
    return caption if caption and folded.count(caption.casefold()) == 1 else place + 1


def _padded(captions: Sequence[str], width: int) -> tuple[str, ...]:
    return (*captions[:width], *[""] * (width - len(captions)))


def _json(reading: Reading) -> Iterator[Candidate]:
    try:
        document = json.loads(reading.attachment.content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return
    for path in _arrays(document, ()):
        captions, rows, _ = reading.table(Layout("json", path=path))
        settings = {"kind": "json"} | ({"path": ".".join(path)} if path else {})
        yield Candidate(settings, captions, captions, tuple(rows))


def _arrays(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths to arrays of objects."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        yield path
    if isinstance(value, dict) and len(path) < 8:
        for key, one in value.items():
            if "." not in key:
                yield from _arrays(one, (*path, key))


def _boxed(reading: Reading, lines: Sequence[str]) -> Iterator[Candidate]:
    prefix = _common_prefix(lines)
    expression = compile_expression(prefix) if prefix else None
    layout = Layout("boxed", prefix=expression if isinstance(expression, Expression) else None)
    settings = {"kind": "boxed"} | ({"prefix": prefix} if layout.prefix else {})
    for number in range(1, _MOST_TABLES + 1):
        captions, rows, _ = reading.table(layout._replace(number=number))
        if captions and rows:
            line = " ".join(f"| {caption}" for caption in captions)
            yield Candidate(settings, captions, captions, tuple(rows), line)


def _common_prefix(lines: Sequence[str]) -> str:
    """A regular expression for what most lines of a box begin with, empty where that is nothing."""
    found: Counter[str] = Counter()
    for line in lines:
        match = _PREFIX.match(line)
        if match and match[0].strip():
            found[_generalised(match[0])] += 1
    return found.most_common(1)[0][0] if found else ""


def _generalised(text: str) -> str:
    """The text as a regular expression for others like it: digits and letters stand for any, in any number."""
    parts = re.findall(r"[0-9]+|[^\W\d_]+| +|.", text)
    return "^" + "".join(map(_part, parts))


def _part(part: str) -> str:
    if part[0].isdigit():
        return "[0-9]+"
    if part[0].isalpha():
        return "[^ ]+?" if len(part) > 3 else "[^\\W\\d_]+"
    return " +" if part[0] == " " else re.escape(part)


def _ruled(reading: Reading) -> Iterator[Candidate]:
    for number in range(1, _MOST_TABLES + 1):
        for header in (1, 2, 3):
            captions, rows, _ = reading.table(Layout("ruled", number=number, header=header))
            if not rows:
                break
            settings: Settings = {"kind": "ruled", "header": header}
            width = max(map(len, rows))
            columns = tuple(_column_name(captions, place) for place in range(width))
            line = " ".join(caption.split(" ")[0] for caption in captions if caption)
            weight = 1.0 if any(captions) else 0.7
            yield Candidate(settings, columns, _padded(captions, width), tuple(rows), line, weight)
            for caption in dict.fromkeys(captions[place] for place in (0, _volume_column(rows)) if captions):
                if not caption or all(row[captions.index(caption)].strip() for row in rows if row):
                    continue
                wrapped = Layout("ruled", number=number, header=header, wrapped=caption, wanted=(caption,))
                _, joined, _ = reading.table(wrapped)
                yield Candidate(settings | {"wrapped": caption}, columns, _padded(captions, width), tuple(joined), line)


def _records(reading: Reading, lines: Sequence[str]) -> Iterator[Candidate]:
    for separator in (":", "="):
        labels = Counter(line.partition(separator)[0] for line in lines if separator in line)
        again = [label for label, count in labels.items() if count > 1 and label.strip(" .\t")][:4]
        for begins in ("", *again):
            settings: Settings = {"kind": "records"} | ({"separator": separator} if separator != ":" else {})
            layout = Layout("records", separator=separator)
            if begins:
                start = escaped(begins) + "*"
                compiled = compile_filter(start)
                if not isinstance(compiled, Filter):
                    continue
                settings, layout = settings | {"begins": start}, layout._replace(begins=(compiled,))
            captions, rows, _ = reading.table(layout)
            if rows and len(captions) > 1:
                line = max(again, key=len, default="")
                # Labels that nothing shares are no labels of records.
                yield Candidate(settings, captions, captions, tuple(rows), line, 1.0 if len(rows) > 1 else 0.6)
