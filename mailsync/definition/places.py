"""Where a definition's text speaks of each field: the statements of a .ttidef, the keys of a YAML file."""

from __future__ import annotations

from typing import NamedTuple

from mailsync.definition.tree import Kind, Tree, compose
from mailsync.definition.ttidef import field_statements

_LONGEST = 60


class Placed(NamedTuple):
    """A statement about a field, as it is written, and its line."""

    line: int
    text: str


def placed_by_field(file: str, text: str) -> dict[str, list[Placed]]:
    """What the text of a definition that loads says of each field, in file order."""
    if file.endswith(".ttidef"):
        found = field_statements(file, text)
        return {name: [Placed(one.line, str(one)) for one in listed] for name, listed in found.items()}
    tree = compose(text)
    fields = _entry(tree, "fields") if isinstance(tree, Tree) else None
    if fields is None or fields.kind is not Kind.MAPPING:
        return {}
    return {str(name.value): _keys(field) for name, field in fields.value}


def _entry(tree: Tree, key: str) -> Tree | None:
    pairs = tree.value if tree.kind is Kind.MAPPING else ()
    return next((value for name, value in pairs if name.value == key), None)


def _keys(field: Tree) -> list[Placed]:
    pairs = field.value if field.kind is Kind.MAPPING else ()
    return [Placed(key.line, _shortened(f"{key.value}: {_written(value)}")) for key, value in pairs]


def _written(tree: Tree) -> str:
    if tree.kind is Kind.TEXT:
        return str(tree.value)
    if tree.kind is Kind.LIST:
        return f"[{', '.join(map(_written, tree.value))}]"
    return "{" + ", ".join(f"{key.value}: {_written(value)}" for key, value in tree.value) + "}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
