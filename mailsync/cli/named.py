"""The definition that a command names: one of the site's by its name, or a file by its path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from mailsync.config.site import Site
    from mailsync.definition.document import Fault
    from mailsync.definition.model import Definition


class Named(NamedTuple):
    """A definition and the file it is in."""

    definition: Definition
    file: Path


def find_definition(name: str, site: Site | None) -> Named:
    """The definition: without a site, or with a path, of that file; else the site's. Its notices go to stderr.

    Raises UsageError when there is none, ConfigurationError with every fault when it cannot be read.
    """
    from mailsync.config.definitions import load_definitions, read_definition
    from mailsync.definition.document import suggestion

    if site is None or Path(name).suffix in (".yaml", ".ttidef"):
        faults: list[Fault] = []
        notices: list[Fault] = []
        definition = read_definition(Path(name), faults, notices=notices)
        for notice in notices:
            print(f"mailsync: note: {notice}", file=sys.stderr)
        if definition is None:
            raise ConfigurationError(tuple(map(str, faults)), hint="see docs/definitions.md")
        return Named(definition, Path(name))
    definitions = load_definitions(site)
    if name not in definitions.by_name:
        hint = suggestion(name, definitions.by_name)
        raise UsageError(f'no definition is named "{name}" in {site.definitions}', hint=hint)
    return Named(definitions.by_name[name], definitions.files[name])
