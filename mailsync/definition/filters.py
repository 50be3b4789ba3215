"""Filters: the wildcard language of claims, routes, skips and translations, matched in linear time.

    *            any string                   [abc] [a-z] [a|b]   one of these characters
    ?            any one character            [!x]                any character but these
    *(A|B|C)     one or more of these         !(A|B)              what none of these matches
    anything else is itself

A filter matches the whole value, case-sensitively unless it is folded (names and addresses). There is no escape:
`[*]` is a star. Text and stars alone are matched by searching for the pieces from left to right, which is what
nearly every filter is; the rest is compiled by google-re2 with a memory cap. What `*(...)` repeats is not public:
one or more is ours, so that an empty value never matches. Where only characters of a fixed number stand around
`!(...)`, it is two matches: of the filter with anything in its place, and not of the filter with A or B. Left open
as in TapeTrack's own example, `!([0-9]*` goes to the filter's end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

LIST = "*LIST:"
LONGEST_FILTER = 256
LONGEST_PATTERN = 1000
MATCHER_MEMORY = 1 << 20
_SPECIAL = re.compile(r"[?\[]|[*!]\(")
_ONE_OF_CLASS = r"(?s)(.)-(.)|(.)"
Test = Callable[[str], bool]


class Filter:
    """A compiled filter. Two filters with the same text and folding are equal."""

    __slots__ = ("_prefix", "_test", "fold", "text")

    def __init__(self, text: str, test: Test, *, fold: bool) -> None:
        self.text = text
        self.fold = fold
        self._test = test
        only_prefix = text.find("*") == len(text) - 1 and not _SPECIAL.search(text) and not fold
        self._prefix = text[:-1] if only_prefix else ""

    def matches(self, text: str) -> bool:
        """True when the whole text is what the filter says."""
        return self._test(text.casefold() if self.fold else text)

    def matching(self, column: Iterable[str]) -> list[int]:
        """The indexes of the texts that match."""
        if self._prefix:
            # By far the most frequent filter on rows, and three times as fast as calling `matches`.
            prefix = self._prefix
            return [index for index, text in enumerate(column) if text.startswith(prefix)]
        matches = self.matches
        return [index for index, text in enumerate(column) if matches(text)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and (self.text, self.fold) == (other.text, other.fold)

    def __hash__(self) -> int:
        return hash((self.text, self.fold))

    def __repr__(self) -> str:
        return f"Filter({self.text!r}, fold={self.fold})"


class FilterFault(NamedTuple):
    """Why a text is not a filter or pattern, and what to write instead (may be empty)."""

    text: str
    hint: str = ""


class Found(Protocol):
    """Where a pattern was found."""

    def group(self, number: int, /) -> str | None:
        """The text of a group, None when the group took no part."""
        ...

    def groups(self, missing: str, /) -> tuple[str, ...]:
        """The texts of all groups, `missing` for those that took no part."""
        ...

    def start(self) -> int:
        """Where it begins."""
        ...

    def end(self) -> int:
        """The first place behind it."""
        ...


class Pattern(Protocol):
    """A regular expression as google-re2 compiles it: no backtracking, linear in the text."""

    @property
    def groups(self) -> int:
        """How many groups it captures."""
        ...

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The numbers of the groups that have names."""
        ...

    def match(self, text: str, /) -> Found | None:
        """The match at the beginning of the text."""
        ...

    def finditer(self, text: str, /) -> Iterator[Found]:
        """Every match in the text, none within another."""
        ...

    def fullmatch(self, text: str, /) -> Found | None:
        """The match of the whole text."""
        ...

    def search(self, text: str, /) -> Found | None:
        """The first match in the text."""
        ...


def compile_filter(text: str, *, fold: bool = False) -> Filter | FilterFault:
    """The filter written as `text`, or why it is none. `fold` ignores case (addresses, names, subjects)."""
    fault = _refusal(text)
    if fault is not None:
        return fault
    wanted = text.casefold() if fold else text
    if not _SPECIAL.search(wanted):
        return Filter(text, _plain_test(wanted), fold=fold)
    place = _find(wanted, "!(")
    test = _test(_expression(wanted)) if place < 0 else _negated_test(wanted, place)
    return test if isinstance(test, FilterFault) else Filter(text, test, fold=fold)


def compile_pattern(text: str) -> Pattern | FilterFault:
    """The google-re2 expression, or why it is none: not one, too long, or too large for the memory cap."""
    import re2

    if len(text) > LONGEST_PATTERN:
        return FilterFault(f"a regular expression is at most {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.max_mem = MATCHER_MEMORY
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        cause = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return FilterFault(f"not a regular expression: {cause}", "google-re2 has no look-around and no back-references")
    return compiled


def _refusal(text: str) -> FilterFault | None:
    if len(text) > LONGEST_FILTER:
        return FilterFault(f"a filter is at most {LONGEST_FILTER} characters")
    if text.startswith(LIST):
        return FilterFault("*LIST:file is for .ttidef definitions", "write its lines as a list of filters")
    return None


def _test(expression: str | FilterFault) -> Test | FilterFault:
    """Whether the whole value is what the regular expression says."""
    if isinstance(expression, FilterFault):
        return expression
    pattern = compile_pattern(f"(?s){expression}")
    if isinstance(pattern, FilterFault):
        return pattern
    return lambda value: pattern.fullmatch(value) is not None


def _negated_test(text: str, place: int) -> Test | FilterFault:
    """The test of a filter whose `!(` is at `place`."""
    end = _closing(text, place + 2)
    before, inside, after = text[:place], text[place + 2 : end], text[end + 1 :]
    if _find(inside, "!(") >= 0 or _find(after, "!(") >= 0:
        return FilterFault("more than one !(...)", "one filter can have one")
    if _find(before, "*") >= 0 or _find(after, "*") >= 0:
        hint = "only characters of a fixed number may stand around it; anything else would not be linear"
        return FilterFault("a * beside !(...)", hint)
    start, finish = _expression(before), _expression(after)
    choices = [_expression(choice) for choice in _choices(inside)]
    for part in (start, finish, *choices):
        if isinstance(part, FilterFault):
            return part
    any_of = "|".join(map(str, choices))
    around, excluded = _test(f"{start}.*{finish}"), _test(f"{start}(?:{any_of}){finish}")
    if isinstance(around, FilterFault) or isinstance(excluded, FilterFault):
        return around if isinstance(around, FilterFault) else excluded
    return lambda value: around(value) and not excluded(value)


def _find(text: str, sought: str) -> int:
    """Where the text has it outside square brackets, or -1."""
    within = False
    for place, character in enumerate(text):
        if not within and text.startswith(sought, place):
            return place
        within = character == "[" or (within and character != "]")
    return -1


def _closing(text: str, place: int) -> int:
    """Where the bracket that is open before `place` is closed; the end of the text when it never is."""
    depth, within = 1, False
    for at in range(place, len(text)):
        character = text[at]
        if not within:
            depth += (character == "(") - (character == ")")
        within = character == "[" or (within and character != "]")
        if not depth:
            return at
    return len(text)


def _plain_test(text: str) -> Test:
    """The test of a filter that has no special character but stars."""
    if "*" not in text:
        return text.__eq__
    first, *middle, last = text.split("*")
    sought = [piece for piece in middle if piece]
    if not sought and not last:
        return lambda value: value.startswith(first)

    def test(value: str) -> bool:
        start, end = len(first), len(value) - len(last)
        if start > end or not (value.startswith(first) and value.endswith(last)):
            return False
        for piece in sought:
            found = value.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True

    return test


def _expression(text: str, *, grouped: bool = False) -> str | FilterFault:
    """The filter as a regular expression. Inside a group there are no more groups."""
    found: list[str] = []
    place = 0
    while place < len(text):
        if text.startswith("*(", place):
            end = text.find(")", place)
            group = FilterFault("a group within a group") if grouped else _group(text[place + 2 : end], closed=end > 0)
            if isinstance(group, FilterFault):
                return group
            found.append(group)
            place = end + 1
        elif text[place] == "[":
            end = text.find("]", place)
            one = _class(text[place + 1 : end], closed=end > 0)
            if isinstance(one, FilterFault):
                return one
            found.append(one)
            place = end + 1
        else:
            found.append({"*": ".*", "?": "."}.get(text[place]) or _literal(text[place]))
            place += 1
    return "".join(found)


def _group(inside: str, *, closed: bool) -> str | FilterFault:
    if not closed:
        return FilterFault('"*(" is never closed', "end the group with )")
    found = []
    for choice in _choices(inside):
        expression = _expression(choice, grouped=True) if choice else FilterFault("an empty choice in *(...)")
        if isinstance(expression, FilterFault):
            return expression
        found.append(expression)
    return f"(?:{'|'.join(found)})+"


def _choices(inside: str) -> list[str]:
    """The choices of a group: split at each | that is not within brackets of either kind."""
    found, within, depth = [""], False, 0
    for character in inside:
        within = character == "[" or (within and character != "]")
        if not within:
            depth += (character == "(") - (character == ")")
        if character == "|" and not within and depth <= 0:
            found.append("")
        else:
            found[-1] += character
    return found


def _class(inside: str, *, closed: bool) -> str | FilterFault:
    if not closed:
        return FilterFault('"[" is never closed', "end the characters with ]; [[] is a bracket itself")
    negated = inside.startswith("!") and len(inside) > 1
    listed = inside[1:] if negated else inside
    # A bar separates: [a|b] is a or b. Alone it is itself.
    listed = listed.replace("|", "") or listed[:1]
    if not listed:
        return FilterFault("[] has no characters")
    found = []
    for first, last, single in re.findall(_ONE_OF_CLASS, listed):
        if first > last:
            return FilterFault(f"the range {first}-{last} is backwards")
        found.append(_literal(single) if single else f"{_literal(first)}-{_literal(last)}")
    return f"[{'^' if negated else ''}{''.join(found)}]"


def _literal(character: str) -> str:
    return character if character.isalnum() else f"\\x{{{ord(character):x}}}"
