"""Regular expressions over the lines of a report, compiled by google-re2: linear whatever they and the lines are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from mailsync.definition.filters import FilterFault, Pattern, compile_pattern

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z", re.ASCII)
# What means the ends of a text means something else when many lines are looked at as one text.
_ALONE = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")


class Expression:
    """A compiled expression. Two with the same text are equal."""

    __slots__ = ("_joined", "_pattern", "names", "text")

    def __init__(self, text: str, pattern: Pattern, joined: Pattern | None) -> None:
        self.text = text
        named = {number: name for name, number in pattern.groupindex.items()}
        self.names: tuple[str, ...] = tuple(named.get(number, "") for number in range(1, pattern.groups + 1))
        self._pattern = pattern
        self._joined = joined

    def find(self, text: str) -> tuple[str, ...] | None:
        """The texts of its groups where it is found first (empty for one that takes no part), None without."""
        found = self._pattern.search(text)
        return None if found is None else found.groups("")

    def found_among(self, texts: Sequence[str]) -> dict[int, tuple[str, ...]]:
        """What `find` gives, by index, for the texts it is found in."""
        places = range(len(texts)) if self._joined is None else self._touched(texts)
        return {place: groups for place in places if (groups := self.find(texts[place])) is not None}

    def beginning(self, text: str) -> int:
        """How many characters it takes at the beginning of the text."""
        found = self._pattern.match(text)
        return 0 if found is None else found.end()

    def _touched(self, texts: Sequence[str]) -> list[int]:
        """The texts a match in all of them as one touches: one that matches alone is always among these."""
        ends = list(accumulate(len(text) + 1 for text in texts))
        touched: set[int] = set()
        for match in self._joined.finditer("\n".join(texts)) if self._joined else ():
            touched.update(range(bisect_right(ends, match.start()), bisect_right(ends, match.end()) + 1))
        return sorted(place for place in touched if place < len(texts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def compile_expression(text: str) -> Expression | FilterFault:
    """The google-re2 expression, or why it is none. A group's name is of lower case letters, digits and _."""
    pattern = compile_pattern(text)
    if isinstance(pattern, FilterFault):
        return pattern
    joined = None if _ALONE.search(text) else compile_pattern(f"(?m){text}")
    for name in pattern.groupindex:
        if not _NAME.match(name):
            return FilterFault(f'"{name}" is not a name for a group', "lower case letters, digits and _")
    return Expression(text, pattern, None if isinstance(joined, FilterFault) else joined)
