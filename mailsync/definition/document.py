"""A YAML file as values that know their place, so that every fault can cite file, line and column.

Nothing is raised at the first fault: a `Section` hands out values by key, notes every fault in the shared list, and
`finish` turns the keys nobody asked for into faults with a suggestion. Callers read everything, then look at the
list once. How a text becomes a tree is tree.py's; a caller may hand in a way that remembers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from mailsync.definition.shown import printable
from mailsync.definition.tree import Flaw, Kind, Tree, compose

_SIZE = re.compile(r"(\d{1,9})\s*(B|KB|MB|GB|)\Z", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d|w|y)\Z", re.ASCII)
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}
Compose = Callable[[str], Tree | Flaw]
T = TypeVar("T")


class Fault(NamedTuple):
    """Something wrong in a file, where it is, and what to do. `str()` is `file:line:column: text (hint)`."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return printable(f"{place}: {self.text} ({self.hint})" if self.hint else f"{place}: {self.text}")


def read_document(file: str, text: str, faults: list[Fault], *, compose: Compose = compose) -> Section | None:
    """The top-level section of a YAML file, or None when it is not one (which is then among the faults)."""
    tree = compose(text)
    if isinstance(tree, Flaw):
        faults.append(Fault(file, *tree))
        return None
    if tree.kind is not Kind.MAPPING:
        faults.append(Fault(file, 1, 1, "expected keys and values", "see docs/configuration.md"))
        return None
    return Section(file, tree, faults)


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: `did you mean "..."?`, or the known words when none is close."""
    import difflib

    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return "known here: " + ", ".join(known)


class Section:
    """A mapping of a YAML file. Each reader takes the key, notes a fault when the value is off, and goes on."""

    def __init__(self, file: str, node: Tree, faults: list[Fault]) -> None:
        self.file = file
        self.faults = faults
        self._node = node
        self._asked: set[str] = set()
        self._values: dict[str, Tree] = {}
        self._keys: dict[str, Tree] = {}
        for key, value in node.value:
            name = str(key.value) if key.kind is Kind.TEXT else ""
            if not name:
                self._note(key, "a key must be plain text")
            elif name in self._values:
                self._note(key, f'"{name}" is given twice')
            else:
                self._keys[name], self._values[name] = key, value

    def keys(self) -> Iterator[str]:
        """The keys, in file order."""
        return iter(self._values)

    def has(self, key: str) -> bool:
        """True when the key is given (also when its value is empty)."""
        self._asked.add(key)
        return key in self._values

    def fault(self, key: str, text: str, hint: str = "") -> None:
        """Notes a fault at the key's value, or at the section when the key is not given."""
        self._note(self._values.get(key, self._node), text, hint)

    def place(self, key: str) -> tuple[int, int]:
        """Line and column of the key's value, from 1."""
        node = self._values.get(key, self._node)
        return node.line, node.column

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """The scalar's text as written."""
        node = self._get(key, required)
        if node is None:
            return default
        if node.kind is not Kind.TEXT:
            self._note(node, f'"{key}" must be one value, not a {_kind(node)}')
            return default
        return str(node.value)

    def choice(self, key: str, choices: Iterable[str], default: str = "", *, required: bool = False) -> str:
        """One of the given words."""
        word = self.text(key, default, required=required)
        known = tuple(choices)
        if self.has(key) and key in self._values and word not in known:
            self.fault(key, f'"{word}" is not a value of "{key}"', suggestion(word, known))
            return default
        return word

    def number(self, key: str, default: int = 0, *, least: int = 0, most: int = 2**53) -> int:
        """A whole number between the bounds."""
        return self._parse(key, default, lambda text: _whole(text, least, most), f"a whole number from {least}")

    def share(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        return self._parse(key, default, _share, "a share from 0 to 1")

    def boolean(self, key: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002 - it is the value read
        """Reads true or false."""
        return self._parse(key, default, _boolean, "true or false")

    def size(self, key: str, default: int) -> int:
        """Bytes, from `50MB` and the like."""
        return self._parse(key, default, _size, "a size such as 50MB")

    def duration(self, key: str, default: int) -> int:
        """Seconds, from `26h`, `7d` and the like."""
        return self._parse(key, default, _duration, "a duration such as 26h or 7d")

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts; one text alone counts as a list of one."""
        node = self._get(key, required=False)
        if node is None:
            return default
        items = node.value if node.kind is Kind.LIST else [node]
        found = []
        for item in items:
            if item.kind is Kind.TEXT:
                found.append(str(item.value))
            else:
                self._note(item, f'"{key}" must list plain values, not a {_kind(item)}')
        return tuple(found)

    def section(self, key: str, *, required: bool = False) -> Section:
        """The mapping under the key; an empty one when it is not given."""
        node = self._get(key, required)
        if node is not None and node.kind is Kind.MAPPING:
            return Section(self.file, node, self.faults)
        if node is not None and not _empty(node):
            self._note(node, f'"{key}" must have keys of its own')
        place = node or self._node
        return Section(self.file, Tree(Kind.MAPPING, (), place.line, place.column), self.faults)

    def sections(self, key: str) -> tuple[Section, ...]:
        """The mappings of the list under the key; one mapping alone counts as a list of one."""
        node = self._get(key, required=False)
        if node is None:
            return ()
        items = node.value if node.kind is Kind.LIST else [node]
        found = []
        for item in items:
            if item.kind is Kind.MAPPING:
                found.append(Section(self.file, item, self.faults))
            else:
                self._note(item, f'"{key}" must list mappings such as {{key: value}}')
        return tuple(found)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs such as `[[from, to], [from, to]]`."""
        node = self._get(key, required=False)
        if node is None:
            return ()
        found = []
        for item in node.value if node.kind is Kind.LIST else [node]:
            texts = item.value if item.kind is Kind.LIST else []
            if len(texts) == 2 and all(text.kind is Kind.TEXT for text in texts):
                found.append((str(texts[0].value), str(texts[1].value)))
            else:
                self._note(item, f'"{key}" must list pairs such as [from, to]')
        return tuple(found)

    def is_list(self, key: str) -> bool:
        """True when the key holds a list (some keys may hold a value or a list)."""
        return key in self._values and self._values[key].kind is Kind.LIST

    def is_section(self, key: str) -> bool:
        """True when the key holds a mapping (some keys may hold a value or a mapping)."""
        return key in self._values and self._values[key].kind is Kind.MAPPING

    def finish(self, where: str = "") -> None:
        """Notes every key that nobody asked for."""
        for name, key in self._keys.items():
            if name not in self._asked:
                within = f" in {where}" if where else ""
                self._note(key, f'unknown key "{name}"{within}', suggestion(name, self._asked))

    def _get(self, key: str, required: bool) -> Tree | None:  # noqa: FBT001 - private, named at every call
        self._asked.add(key)
        node = self._values.get(key)
        if required and (node is None or _empty(node)):
            self._note(node or self._node, f'"{key}" is missing')
        return node

    def _parse(self, key: str, default: T, parse: Callable[[str], T | None], wanted: str) -> T:
        if not self.has(key):
            return default
        text = self.text(key)
        value = parse(text)
        if value is None:
            self.fault(key, f'"{key}": "{text}" is not {wanted}')
            return default
        return value

    def _note(self, node: Tree, text: str, hint: str = "") -> None:
        self.faults.append(Fault(self.file, node.line, node.column, text, hint))


def _empty(node: Tree) -> bool:
    return node.kind is Kind.TEXT and node.value == ""


def _kind(node: Tree) -> str:
    return node.kind.value


def _whole(text: str, least: int, most: int) -> int | None:
    if not re.fullmatch(r"-?[0-9]{1,17}", text):
        return None
    return int(text) if least <= int(text) <= most else None


def _share(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{0,3}\.?[0-9]{0,9}", text) or text in ("", "."):
        return None
    return float(text) if 0 <= float(text) <= 1 else None


def _boolean(text: str) -> bool | None:
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _size(text: str) -> int | None:
    found = _SIZE.match(text)
    return int(found[1]) * _BYTES[found[2].upper()] if found else None


def _duration(text: str) -> int | None:
    found = _DURATION.match(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None
