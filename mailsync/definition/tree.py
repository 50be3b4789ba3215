"""The text of a YAML file as a tree of plain values that know their place.

Only this module knows the YAML library, and imports it when a text is composed: a tree that was kept needs neither
(config/trees.py). Aliases and merge keys are refused: a site's file says what it means where it means it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import yaml

MAX_DOCUMENT = 1_000_000


class Kind(Enum):
    """What a node is; the value is what faults call it."""

    TEXT = "value"
    LIST = "list"
    MAPPING = "mapping"


class Tree(NamedTuple):
    """A node: a text, a tuple of nodes, or a tuple of (key, value) pairs of nodes. Line and column count from 1."""

    kind: Kind
    value: Any
    line: int
    column: int


class Flaw(NamedTuple):
    """Why a text is no tree, where, and what to do (may be empty)."""

    line: int
    column: int
    text: str
    hint: str = ""


def compose(text: str) -> Tree | Flaw:
    """The tree of a YAML text."""
    if len(text) > MAX_DOCUMENT:
        return Flaw(1, 1, f"larger than {MAX_DOCUMENT} characters")
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            return Flaw(1, 1, "aliases (*name) are not supported", "write the value out")
        node = yaml.compose(text, Loader=loader)
        if node is None:
            return Flaw(1, 1, "expected keys and values", "see docs/configuration.md")
        return _tree(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Flaw(line, column, f"not YAML: {error.problem or error.context or 'unreadable'}")
    except (yaml.YAMLError, RecursionError) as error:
        return Flaw(1, 1, f"not YAML: {str(error).splitlines()[0]}")


def _tree(node: yaml.Node) -> Tree:
    place = node.start_mark.line + 1, node.start_mark.column + 1
    kind = getattr(node, "id", "")
    if kind == "mapping":
        return Tree(Kind.MAPPING, tuple((_tree(key), _tree(value)) for key, value in node.value), *place)
    if kind == "sequence":
        return Tree(Kind.LIST, tuple(_tree(item) for item in node.value), *place)
    return Tree(Kind.TEXT, str(node.value), *place)
