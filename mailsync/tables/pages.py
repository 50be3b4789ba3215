"""The lines of a text before anybody looks for rows in them: what belongs to the paper they were printed for is off.

    a prefix on every line        taken off (a job log's time and name)
    ANSI carriage control         taken off; 1 begins a page, what + prints over the line before is left out
    form feed                     taken off; begins a page
    the first lines of a page     left out, as many as the layout says
    a section's title             left out; its named groups are sources of every line that follows, until the next one
    a total                       left out; goes along with the lines before it, to be checked
    a list that is printed twice  left out, from its title up to the next one

Every line left out is counted with its reason. A text to which none of this applies passes through as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mailsync.core.layout import Expression, Layout, Total
from mailsync.tables.table import Lines, SaidTotal
from mailsync.tables.text import blocks

_NO_DIGIT = re.compile(r"[^0-9]+")
_LONGEST_NUMBER = 15


def lines_of(text: str, layout: Layout) -> Iterator[Lines]:
    """The text's lines that may hold rows, a block at a time."""
    plain = (Lines(lines, range(first, first + len(lines))) for first, lines in blocks(text))
    printed = layout.prefix or layout.control or layout.page_lines or layout.sections or layout.totals
    return _Pages(layout, _superfluous(text, layout)).read(plain) if printed or "\f" in text else plain


def _superfluous(text: str, layout: Layout) -> Expression | None:
    """What is found in the titles of lists that are printed twice, when the report has the others that say the same."""
    twice = layout.printed_twice
    if twice is None or not any(twice.where.found_among(lines) for _, lines in blocks(text)):
        return None
    return twice.title


class _Pages:
    """Where on its page, and in which section, the reading is."""

    def __init__(self, layout: Layout, twice: Expression | None) -> None:
        self._layout = layout
        self._twice = twice
        self._passing = False
        self._top = layout.page_lines
        self._turned = False
        self._said = {name: "" for title in layout.sections for name in title.names}

    def read(self, plain: Iterator[Lines]) -> Iterator[Lines]:
        """The lines that are left, cut at totals."""
        for block in plain:
            texts, numbers, left_out = self._printed(block)
            yield from self._sections(texts, numbers, left_out)

    def _printed(self, block: Lines) -> tuple[list[str], list[int], Counter[str]]:
        """The block's lines without prefix, carriage control and page headers."""
        texts, numbers, left_out = [], [], Counter[str]()
        prefix, control = self._layout.prefix, self._layout.control
        for line, number in zip(block.texts, block.numbers, strict=True):
            text, page = self._without_feeds(line) if self._turned or "\f" in line else (line, False)
            text = text[prefix.beginning(text) :] if prefix else text
            mark, text = (text[:1], text[1:]) if control else ("", text)
            if page or mark == "1":
                self._top = self._layout.page_lines
            if mark == "+":
                left_out["printed over another line"] += 1
            elif self._top:
                self._top -= 1
                left_out["page header"] += 1
            else:
                texts.append(text)
                numbers.append(number)
        return texts, numbers, left_out

    def _without_feeds(self, line: str) -> tuple[str, bool]:
        """The line without form feeds, and whether it begins a page. One behind its text begins the next line's."""
        text = line.replace("\f", "")
        page, self._turned = self._turned, text != "" and line.endswith("\f")
        return text, page or (text != line and not self._turned)

    def _sections(self, texts: list[str], numbers: list[int], left_out: Counter[str]) -> Iterator[Lines]:
        """The lines that are neither titles nor totals, with what the titles before them say."""
        titles, totals = self._titles(texts), self._totals(texts)
        block = _Growing(tuple(self._said), left_out)
        for place, text in enumerate(texts):
            if place in titles:
                self._said |= titles[place]
                self._passing = self._twice is not None and self._twice.find(text) is not None
            if self._passing and place not in titles:
                block.left_out["printed twice"] += 1
            elif place in totals:
                block.left_out["total"] += 1
                yield block.lines((SaidTotal(*totals[place], numbers[place]),))
                block = _Growing(tuple(self._said), Counter())
            elif place in titles:
                block.left_out["section title"] += 1
            else:
                block.add(text, numbers[place], self._said)
        yield block.lines(())

    def _titles(self, texts: list[str]) -> dict[int, dict[str, str]]:
        """What the titles among the texts say, by their places."""
        found: dict[int, dict[str, str]] = {}
        for title in self._layout.sections:
            for place, groups in title.found_among(texts).items():
                found.setdefault(place, {}).update(zip(title.names, map(str.strip, groups), strict=True))
        return found

    def _totals(self, texts: list[str]) -> dict[int, tuple[Total, int]]:
        found = {}
        for total in self._layout.totals:
            for place, groups in total.line.found_among(texts).items():
                digits = _NO_DIGIT.sub("", groups[0])
                if digits and len(digits) <= _LONGEST_NUMBER:
                    found[place] = (total, int(digits))
        return found


class _Growing:
    """Lines in the making."""

    def __init__(self, names: tuple[str, ...], left_out: Counter[str]) -> None:
        self.left_out = left_out
        self._texts: list[str] = []
        self._numbers: list[int] = []
        self._sources: dict[str, list[str]] = {name: [] for name in names}

    def add(self, text: str, number: int, said: dict[str, str]) -> None:
        """Adds a line, with what its section's titles say."""
        self._texts.append(text)
        self._numbers.append(number)
        for name, texts in self._sources.items():
            texts.append(said[name])

    def lines(self, totals: tuple[SaidTotal, ...]) -> Lines:
        """The lines so far."""
        return Lines(self._texts, self._numbers, self._sources, self.left_out, totals)
