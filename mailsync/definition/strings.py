"""What is done to texts: extraction, string functions (step 4 of the evaluation order) and translations (5 and 6).

Each function takes one text and gives one. An empty text stays empty, so that appending a suffix to a blank cell
does not make a volume of it; only translations may say what an empty text means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

from mailsync.definition.filters import FilterFault, compile_pattern
from mailsync.definition.model import Function, Translation

Text = Callable[[str], str]
_LONGEST = 4096


def part_function(start: int, end: int) -> Text:
    """Cuts the characters start..end (from 0, the end excluded)."""
    return itemgetter(slice(start, end))


def pattern_function(regex: str) -> Text:
    """Gives what the expression's one group finds, empty when it finds nothing. The expression compiles."""
    pattern = compile_pattern(regex)
    if isinstance(pattern, FilterFault):
        raise TypeError(pattern.text)

    def found(text: str) -> str:
        match = pattern.search(text)
        return (match.group(1) or "") if match else ""

    return found


def string_function(function: Function) -> Text:
    """The function by its name."""
    name, said, number, end = function
    made: dict[str, Text] = {
        "upper": str.upper,
        "lower": str.lower,
        "remove_spaces": lambda text: text.replace(" ", "").replace("\t", ""),
        "remove": lambda text: text.replace(said, ""),
        "remove_prefix": lambda text: text.removeprefix(said),
        "remove_suffix": lambda text: text.removesuffix(said),
        "prepend": lambda text: said + text if text else text,
        "append": lambda text: text + said if text else text,
        "pad": lambda text: text.rjust(number, said) if text else text,
        "pad_right": lambda text: text.ljust(number, said) if text else text,
        "substring": itemgetter(slice(number, end)),
        "max": itemgetter(slice(number)),
    }
    return made[name]


def translate(value: str, table: Sequence[Translation]) -> str:
    """The value after the first translation that matches it, or as it is when none does."""
    for one in table:
        if one.filter.matches(value):
            return translated(value, one.result)
    return value


def translated(value: str, result: str) -> str:
    """The result with `*` = the value, `~` = its character at that position, `^` = that character dropped.

    At most 4,096 characters, which is more than any field holds: translations of translations would multiply.
    """
    found = []
    for place, character in enumerate(result):
        if character == "*":
            found.append(value)
        elif character == "~":
            found.append(value[place : place + 1])
        elif character != "^":
            found.append(character)
    return "".join(found)[:_LONGEST]
