"""The built-in definitions, mailsync/definition/catalogue/*.yaml: found beside the code, read when they are asked for.

Strategy: a name is looked up by the file's, so that a route's own is the only one read. When an attachment gets past
the site's definitions, all are asked by their claims, which take a fraction of the time to load that whole definitions
take; the one that claims it is read then. Trees are remembered like those of the site's files (trees.py), those of all
claims as one: by the SHA-256 of the texts, so that an upgrade needs no clearing; where nothing can be kept they are
parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mailsync.config.trees import remembering
from mailsync.core.errors import ConfigurationError
from mailsync.core.layout import Layout
from mailsync.definition.document import Compose, Fault, Section
from mailsync.definition.load import load_claim, load_definition
from mailsync.definition.model import Definition
from mailsync.definition.tree import Flaw, Kind, Tree
from mailsync.definition.tree import compose as compose_yaml

FOLDER = Path(__file__).parents[1] / "definition" / "catalogue"
_SUFFIX = ".yaml"
_KEPT = ("kind", "encoding")  # of a table, for claims
_TABLE = Tree(Kind.TEXT, "table", 1, 1)


class Catalogue:
    """The built-in definitions; `state` is the site's state folder, where what was parsed is remembered."""

    def __init__(self, state: Path | None = None, folder: Path = FOLDER) -> None:
        self._state = state
        self._folder = folder
        self._read: dict[str, Definition] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names, in their order."""
        return tuple(sorted(file.stem for file in self._folder.glob(f"*{_SUFFIX}")))

    def has(self, name: str) -> bool:
        """True for the name of a built-in definition."""
        return name in self.names

    def file(self, name: str) -> Path:
        """The file of a definition."""
        return self._folder / f"{name}{_SUFFIX}"

    def definition(self, name: str) -> Definition:
        """One of them. Raises ConfigurationError when its file is damaged."""
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    @cached_property
    def claims(self) -> tuple[Definition, ...]:
        """All of them, of which each is its name, its claim, and its table's kind and encoding: what claims ask.

        Raises ConfigurationError when a file is damaged.
        """
        texts = {name: self._text(name) for name in self.names}
        made_of = "\0".join(map(str, (_KEPT, *texts.items())))
        composed = self._composing("claims", lambda _: _claims_tree(texts))(made_of)
        if isinstance(composed, Flaw):
            raise _damaged(str(Fault(str(self._folder), 0, 0, composed.text)))
        faults: list[Fault] = []
        found = []
        for key, tree in composed.value:
            section = Section(str(self.file(key.value)), tree, faults)
            table = section.section("table")
            layout = Layout(table.text("kind", Layout().kind), encoding=table.text("encoding"))
            found.append(Definition(str(key.value), load_claim(section), layout, ()))
        if faults:
            raise _damaged(*map(str, faults))
        return tuple(found)

    def _load(self, name: str) -> Definition:
        file = self.file(name)
        faults: list[Fault] = []
        compose = self._composing(file.name, compose_yaml)
        definition = load_definition(str(file), self._text(name), faults, compose=compose)
        if definition is None or definition.name != name:
            raise _damaged(*map(str, faults or [Fault(str(file), 0, 0, f'its name is not "{name}"')]))
        return definition

    def _text(self, name: str) -> str:
        file = self.file(name)
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(f"{file}: cannot be read: {error}") from error

    def _composing(self, name: str, compose: Compose) -> Compose:
        return remembering(self._state, f"catalogue.{name}", compose=compose) if self._state else compose


def _claims_tree(texts: Mapping[str, str]) -> Tree | Flaw:
    """By the name of each definition, what its file says under `claim`, and under `table` of kind and encoding."""
    found = []
    for name, text in texts.items():
        tree = compose_yaml(text)
        if isinstance(tree, Flaw):
            return tree._replace(text=f"{name}: {tree.text}")
        table = _only(_value(tree, "table"), *_KEPT)
        kept = _only(tree, "claim")._replace(value=(*_only(tree, "claim").value, (_TABLE, table)))
        found.append((Tree(Kind.TEXT, name, 1, 1), kept))
    return Tree(Kind.MAPPING, tuple(found), 1, 1)


def _only(tree: Tree, *keys: str) -> Tree:
    """The mapping with these of its keys, as far as it is one."""
    pairs = tree.value if tree.kind is Kind.MAPPING else ()
    return Tree(Kind.MAPPING, tuple(pair for pair in pairs if pair[0].value in keys), tree.line, tree.column)


def _value(tree: Tree, key: str) -> Tree:
    """What the mapping says under the key; an empty text for nothing."""
    return next((value for _, value in _only(tree, key).value), Tree(Kind.TEXT, "", tree.line, tree.column))


def _damaged(*faults: str) -> ConfigurationError:
    return ConfigurationError(faults, hint="a built-in definition is damaged: install mailsync again")
