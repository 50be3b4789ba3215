"""HTML: from characters to tags and texts, in one pass that never looks back.

The standard library's parser takes time that grows with the square of its input where a comment or a quote is never
closed (docs/decisions/0006): a mail could stop the filter with 200 KB. Tables need few of HTML's rules, and these
are kept to: comments, declarations and the text of script and style are no text; a `>` within a quoted value is no
tag's end; what is never closed goes to the end of the text, and a last token says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_NAME = re.compile(r"/?[A-Za-z][A-Za-z0-9]{0,15}(?![A-Za-z0-9:_-])", re.ASCII)
_PLAIN = re.compile(r"<(/?(?:t[dhr]|table|thead|tbody|tfoot|br|p|div|span|b|i|font|a))>", re.ASCII)
_TAG_END = re.compile(r">|=[ \t\r\n]*([\"'])")
# As many digits as no character has, the zeros before them not counted. Python refuses to make a number of thousands.
_LONG_NUMBER = re.compile(r"&#(?:([0-9]{10,})|[xX]([0-9A-Fa-f]{10,}));?", re.ASCII)
_SPAN = re.compile(r"(colspan|rowspan)[ \t\r\n]*=[ \t\r\n]*[\"']?[ ]?([0-9]{1,5})", re.ASCII | re.IGNORECASE)
_SILENT = ("script", "style", "title", "textarea", "template")
_LONGEST_ATTRIBUTES = 4096
CUT = "!"


class Token(NamedTuple):
    """A text (`tag` is empty), or a tag in lower case, `/td` for an end; `line` is the one it begins on.

    `spans` are the columns and rows a cell takes. The tag CUT is the last: the text ends within what `text` says.
    """

    tag: str
    text: str
    line: int
    spans: tuple[int, int] = (1, 1)


def tokens(text: str) -> Iterator[Token]:
    """The tags and texts of the HTML, in its order."""
    place, size, line = 0, len(text), 1
    while place < size:
        start = text.find("<", place)
        start = size if start < 0 else start
        if start > place:
            said = text[place:start]
            yield Token("", _unescaped(said) if "&" in said else said, line)
            line += said.count("\n")
        if start == size:
            return
        plain = _PLAIN.match(text, start)
        if plain is not None:
            # A tag without attributes, which is what tables are made of.
            yield Token(plain[1], "", line)
            place = plain.end()
            continue
        tag, end = _tag(text, start, line)
        if tag is not None:
            yield tag
            if tag.tag in _SILENT:
                end = _close(text, end, tag.tag)
        elif end == start + 1:
            yield Token("", "<", line)
        if end > size:
            yield Token(CUT, "a tag or a comment", line)
        line += text.count("\n", start, end)
        place = end


def _unescaped(text: str) -> str:
    """The text with the characters that entities stand for; U+FFFD for a number that no character has."""
    return unescape(_LONG_NUMBER.sub(_short_number, text) if "&#" in text else text)


def _short_number(found: re.Match[str]) -> str:
    digits = (found[1] or found[2]).lstrip("0") or "0"
    return "\ufffd" if len(digits) > 9 else f"&#{'' if found[1] else 'x'}{digits};"


def _tag(text: str, start: int, line: int) -> tuple[Token | None, int]:
    """The tag at `start` and where it ends; None for a comment, a declaration, or a `<` that is only itself.

    What does not end ends beyond the text.
    """
    if text.startswith("<!--", start):
        return None, _behind(text, "-->", start + 4)
    if text[start + 1 : start + 2] in ("!", "?"):
        return None, _behind(text, ">", start + 2)
    name = _NAME.match(text, start + 1)
    if name is None:
        # A tag of another kind, such as <o:p>, is one nevertheless.
        other = text[start + 1 : start + 3].strip("/")[:1].isalpha()
        return (Token("?", "", line), _end_of_tag(text, start + 1)) if other else (None, start + 1)
    end = _end_of_tag(text, name.end())
    word = name[0].lower()
    return Token(word, "", line, _spans(text[name.end() : min(end, name.end() + _LONGEST_ATTRIBUTES)], word)), end


def _end_of_tag(text: str, place: int) -> int:
    """Behind the `>` that is in no quoted value."""
    while True:
        found = _TAG_END.search(text, place)
        if found is None:
            return len(text) + 1
        if found[0] == ">":
            return found.end()
        place = _behind(text, found[1], found.end())


def _behind(text: str, sought: str, place: int) -> int:
    found = text.find(sought, place)
    return len(text) + 1 if found < 0 else found + len(sought)


def _close(text: str, place: int, tag: str) -> int:
    """Where the end tag of an element begins whose content is no HTML."""
    found = re.compile(f"</{tag}", re.IGNORECASE).search(text, place)
    return len(text) + 1 if found is None else found.start()


def _spans(attributes: str, tag: str) -> tuple[int, int]:
    if tag not in ("td", "th"):
        return 1, 1
    said = {name.lower(): int(number) for name, number in _SPAN.findall(attributes)}
    return max(1, said.get("colspan", 1)), max(1, said.get("rowspan", 1))
