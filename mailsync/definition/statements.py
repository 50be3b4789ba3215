"""The text of a .ttidef file as statements that know their place: `Name(argument, argument, ...);`.

Strategy: one pass over the characters; after a fault reading goes on behind the next semicolon, or at the next line
that begins as a statement does, so that every statement that is off is told at once. Accepted as found in the wild: any
case, blanks and line ends anywhere, `#` comments, a semicolon for a comma between arguments (TapeTrack's own example of
AddMoveDateAdjustment has one), and typographic quotes (its older manuals). There is no escape in a string.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailsync.definition.document import Fault
from mailsync.definition.tree import MAX_DOCUMENT

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\ufeff)|(?P<include>\#include\s*["<][^\n]*)|(?P<comment>\#[^\n]*)|(?P<word>[A-Za-z_]\w*)"""
    r"""|(?P<number>-?[0-9]+)|["\u201c\u201d](?P<string>[^"\u201c\u201d\n]*)["\u201c\u201d]|(?P<sign>[(),;])""",
    re.ASCII,
)
_NOT_PUBLIC = {
    "$": ("variables", "write the value where it is used"),
    "%": ("variables", "write the value where it is used"),
    "[": ("sections", "make a definition of each section"),
    "{": ("sections", "make a definition of each section"),
}
INCLUDES = ("includes", "write the statements of the other file into this one")


class Argument(NamedTuple):
    """One argument: its text, what it is written as (word, number or string), and its place from 1."""

    text: str
    kind: str
    line: int
    column: int


class Statement(NamedTuple):
    """One statement; `str()` is how it would be written."""

    name: str
    arguments: tuple[Argument, ...]
    line: int
    column: int

    def __str__(self) -> str:
        listed = (f'"{one.text}"' if one.kind == "string" else one.text for one in self.arguments)
        return f"{self.name}({', '.join(listed)})"


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    column: int


def read_statements(file: str, text: str, faults: list[Fault]) -> tuple[Statement, ...]:
    """The statements of the text in file order; every fault is added to `faults`."""
    if len(text) > MAX_DOCUMENT:
        faults.append(Fault(file, 1, 1, f"larger than {MAX_DOCUMENT} characters"))
        return ()
    tokens = _tokens(file, text, faults)
    found, place = [], 0
    while place < len(tokens):
        statement, place = _statement(file, tokens, place, faults)
        if statement is not None:
            found.append(statement)
    return tuple(found)


def not_public(what: str, way: str) -> tuple[str, str]:
    """The text and the hint of a fault: TMSS10Sync has it, and its syntax is not known."""
    return f"{what} are not supported: TapeTrack does not publish their syntax", way


def _tokens(file: str, text: str, faults: list[Fault]) -> list[_Token]:
    found, place, line, start = [], 0, 1, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        column = place - start + 1
        if match is None:
            faults.append(_unexpected(file, text[place], line, column))
            # One fault says it: what belongs to a construct that is not known would give many.
            ends = [at for at in (text.find(";", place), text.find("\n", place)) if at >= 0]
            place = min(ends, default=len(text))
            continue
        kind = match.lastgroup or "blank"
        if kind == "include":
            faults.append(Fault(file, line, column, *not_public(*INCLUDES)))
        elif kind not in ("blank", "comment"):
            found.append(_Token(kind, match[kind], line, column))
        for at in re.finditer("\n", match[0]):
            line, start = line + 1, place + at.end()
        place = match.end()
    return found


def _unexpected(file: str, character: str, line: int, column: int) -> Fault:
    if character in _NOT_PUBLIC:
        return Fault(file, line, column, *not_public(*_NOT_PUBLIC[character]))
    if character in '"\u201c\u201d':
        return Fault(file, line, column, "a string is not closed on its line", 'end it with "')
    return Fault(file, line, column, f'"{character}" does not begin a statement', "Name(argument, ...); or # comment")


def _statement(file: str, tokens: list[_Token], place: int, faults: list[Fault]) -> tuple[Statement | None, int]:
    """The statement at the place, None after a fault, and where the next one begins."""
    first = tokens[place]
    arguments, at = [], place + 2
    if first.kind != "word" or _sign(tokens, place + 1) != "(":
        text, hint = f'"{first.text}" is no statement', "Name(argument, ...);"
        if first.text.lower() == "include":
            text, hint = not_public(*INCLUDES)
        faults.append(Fault(file, first.line, first.column, text, hint))
        return None, _next(tokens, place, place)
    while _sign(tokens, at) == "" and at < len(tokens):
        one = tokens[at]
        arguments.append(Argument(one.text, one.kind, one.line, one.column))
        at += 2 if _sign(tokens, at + 1) in (",", ";") else 1
    if _sign(tokens, at) != ")" or _sign(tokens, at + 1) != ";":
        faults.append(Fault(file, first.line, first.column, f"{first.text} does not end with );"))
        return None, _next(tokens, place, max(at - 1, place))
    return Statement(first.text, tuple(arguments), first.line, first.column), at + 2


def _sign(tokens: list[_Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) and tokens[place].kind == "sign" else ""


def _next(tokens: list[_Token], place: int, at: int) -> int:
    """Where reading goes on after a fault in the statement at `place`, which was read up to `at`.

    Behind the next semicolon, or at a line further down that begins as a statement does: the semicolon may be missing.
    """
    for here in range(place + 1, len(tokens)):
        begins = tokens[here].kind == "word" and tokens[here].line > tokens[here - 1].line
        if begins and _sign(tokens, here + 1) == "(":
            return here
        if here >= at and _sign(tokens, here) == ";":
            return here + 1
    return len(tokens)
