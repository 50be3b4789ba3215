"""The site's definitions: every definitions/*.yaml, and in which order a route asks them.

Strategy: all of them are read, and everything wrong with any of them is told at once; a site with one broken
definition reads no report, because which definition claims an attachment could depend on the broken one.

tier   asked
1      the definitions the route names
2      the site's others
Two claims within a tier are an error that names both; a higher tier silences the lower ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mailsync.config.route import Route
from mailsync.config.site import Site
from mailsync.config.trees import remembering
from mailsync.core.errors import ConfigurationError
from mailsync.definition.document import Fault, suggestion
from mailsync.definition.load import load_definition
from mailsync.definition.model import Definition
from mailsync.definition.tree import MAX_DOCUMENT


class Definitions(NamedTuple):
    """The site's definitions by name, in the order of their files, and the file of each."""

    by_name: Mapping[str, Definition]
    files: Mapping[str, Path]

    def tiers(self, route: Route) -> tuple[tuple[Definition, ...], ...]:
        """The definitions to ask for a route's attachments: those it names, then the site's others."""
        named = tuple(self.by_name[name] for name in route.definitions)
        others = tuple(one for name, one in self.by_name.items() if name not in route.definitions)
        return named, others


def load_definitions(site: Site) -> Definitions:
    """Every definition of the site. Raises ConfigurationError with every fault, also names that routes ask for."""
    definitions, faults = read_definitions(site.definitions)
    faults += unknown_names(site, definitions)
    if faults:
        raise ConfigurationError(tuple(str(fault) for fault in faults))
    return definitions


def read_definitions(folder: Path) -> tuple[Definitions, tuple[Fault, ...]]:
    """The definitions of a folder that can be read, and every fault of the others; none when there is no folder."""
    faults: list[Fault] = []
    found: dict[str, Definition] = {}
    files: dict[str, Path] = {}
    for file in sorted(folder.glob("*.yaml")):
        text = _text(file, faults)
        if text is None:
            continue
        compose = remembering(folder.parent / "state", f"definitions.{file.name}")
        definition = load_definition(str(file), text, faults, compose=compose)
        if definition is None:
            continue
        if definition.name in found:
            faults.append(Fault(str(file), 0, 0, f'definition "{definition.name}" is in {files[definition.name]} too'))
            continue
        found[definition.name], files[definition.name] = definition, file
    return Definitions(found, files), tuple(faults)


def unknown_names(site: Site, definitions: Definitions) -> tuple[Fault, ...]:
    """A fault for every definition a route names that the site does not have."""
    faults = []
    for route in site.routes:
        line, column = route.places["definitions"]
        for name in route.definitions:
            if name not in definitions.by_name:
                hint = suggestion(name, definitions.by_name) if definitions.by_name else f"put {name}.yaml there"
                text = f'route "{route.name}": no definition "{name}" in {site.definitions}'
                faults.append(Fault(str(site.path), line, column, text, hint))
    return tuple(faults)


def _text(file: Path, faults: list[Fault]) -> str | None:
    try:
        with file.open(encoding="utf-8") as stream:
            return stream.read(MAX_DOCUMENT + 1)
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        faults.append(Fault(str(file), 0, 0, f"cannot be read: {cause}"))
        return None
