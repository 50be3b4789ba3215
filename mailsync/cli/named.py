"""The definition that a command names: one of the site's or a built-in one by its name, or a file by its path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from mailsync.config.site import Site
    from mailsync.definition.document import Fault
    from mailsync.definition.model import Definition


SITE, CATALOGUE, FILE = "site", "catalogue", "file"


class Named(NamedTuple):
    """A definition, the file it is in, and whose it is: `site`, `catalogue` (built in) or `file`."""

    definition: Definition
    file: Path
    whose: str


def is_file(name: str) -> bool:
    """True when a definition is named by its file."""
    from mailsync.config.definitions import ENDINGS

    return Path(name).suffix in ENDINGS


def find_definition(name: str, site: Site | None) -> Named:
    """The definition: without a site, or with a path, of that file; else the site's, else the built-in one.

    Its notices go to stderr. Raises UsageError when there is none, ConfigurationError with every fault when it
    cannot be read.
    """
    from mailsync.config.definitions import load_definitions, misnamed, read_definition

    if site is None or is_file(name):
        faults: list[Fault] = []
        notices: list[Fault] = []
        definition = read_definition(Path(name), faults, notices=notices)
        for notice in notices:
            print(f"mailsync: note: {notice}", file=sys.stderr)
        if definition is None:
            raise ConfigurationError(tuple(map(str, faults)), hint="see docs/definitions.md")
        return Named(definition, Path(name), FILE)
    definitions = load_definitions(site)
    if not definitions.has(name):
        hint = misnamed(name, definitions)
        raise UsageError(f'no definition is named "{name}" in {site.definitions}', hint=hint)
    whose = SITE if name in definitions.by_name else CATALOGUE
    return Named(definitions.find(name), definitions.file(name), whose)


def find_to_show(name: str, site: Site) -> Named:
    """As find_definition, but that a built-in one needs no other of the site's definitions to be in order.

    `show NAME > definitions/NAME.yaml` has made an empty file of that name by the time this looks: it counts as none.
    """
    from mailsync.config.definitions import read_definitions

    built_in = None if _has_own_file(name, site.definitions) else find_built_in(name)
    if built_in is None or name in read_definitions(site.definitions)[0].by_name:
        return find_definition(name, site)
    return built_in


def _has_own_file(name: str, folder: Path) -> bool:
    """True for a file in the folder that is named after the definition, and says something."""
    from mailsync.config.definitions import ENDINGS

    names = [f"{name}{ending}" for ending in ENDINGS]
    try:
        return any(file.stat().st_size for file in folder.iterdir() if file.name in names)
    except OSError:
        return False


def find_built_in(name: str) -> Named | None:
    """The built-in definition of that name, which needs no site; None when there is none."""
    from mailsync.config.catalogue import Catalogue

    catalogue = Catalogue()
    return Named(catalogue.definition(name), catalogue.file(name), CATALOGUE) if catalogue.has(name) else None
