"""The site's definitions: every definitions/*.yaml and *.ttidef, and in which order a route asks them.

Strategy: all of them are read, and everything wrong with any of them is told at once; a site with one broken
definition reads no report, because which definition claims an attachment could depend on the broken one. Of the
built-in ones (catalogue.py) those are read that are needed; one of the site's with the same name stands for it.

tier   asked
1      the definitions the route names, the site's or built-in ones
2      the site's others, but for those without a claim, as every .ttidef is
3      the built-in ones, but for those whose name the site has
Two claims within a tier are an error that names both; a higher tier silences the lower ones.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from mailsync.config.catalogue import Catalogue
from mailsync.config.route import Route
from mailsync.config.site import Site
from mailsync.config.trees import remembering
from mailsync.core.errors import ConfigurationError
from mailsync.definition.claim import has_criteria
from mailsync.definition.document import Compose, Fault, suggestion
from mailsync.definition.load import load_definition
from mailsync.definition.model import Definition
from mailsync.definition.tree import MAX_DOCUMENT, compose

if TYPE_CHECKING:
    from mailsync.definition.ttidef import ReadList

TTIDEF = ".ttidef"
ENDINGS = (".yaml", TTIDEF)
_EMPTY = "remove it, or write the definition: docs/definitions.md"
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Definitions(NamedTuple):
    """The site's definitions by name, in the order of their files, and the file of each; and the built-in ones."""

    by_name: Mapping[str, Definition]
    files: Mapping[str, Path]
    catalogue: Catalogue

    def has(self, name: str) -> bool:
        """True for one of the site's or a built-in one."""
        return name in self.by_name or self.catalogue.has(name)

    def find(self, name: str) -> Definition:
        """The site's definition, else the built-in one. Raises ConfigurationError when that is damaged."""
        return self.by_name[name] if name in self.by_name else self.catalogue.definition(name)

    def file(self, name: str) -> Path:
        """The file of a definition."""
        return self.files[name] if name in self.files else self.catalogue.file(name)

    def tiers(self, route: Route) -> tuple[tuple[Definition, ...], ...]:
        """The definitions to ask first for a route's attachments: those it names, then the site's others."""
        named = tuple(map(self.find, route.definitions))
        others = tuple(one for name, one in self.by_name.items() if name not in route.definitions and has_criteria(one))
        return named, others

    def built_in(self, route: Route) -> tuple[Definition, ...]:
        """The built-in ones to ask when nobody of `tiers` claims an attachment: their claims, `find` has the rest."""
        asked = {*self.by_name, *route.definitions}
        return tuple(one for one in self.catalogue.claims if one.name not in asked)


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
    state = folder.parent / "state"
    for file in _files(folder, faults):
        compose = remembering(state, f"definitions.{file.name}")
        definition = read_definition(file, faults, compose=compose)
        if definition is None:
            continue
        if definition.name in found:
            faults.append(Fault(str(file), 0, 0, f'definition "{definition.name}" is in {files[definition.name]} too'))
            continue
        found[definition.name], files[definition.name] = definition, file
    return Definitions(found, files, Catalogue(state)), tuple(faults)


def read_definition(
    file: Path, faults: list[Fault], *, compose: Compose = compose, notices: list[Fault] | None = None
) -> Definition | None:
    """The definition in the file, by its ending; None after adding every fault to `faults`, notices to `notices`."""
    text = read_text(file, faults)
    if text is None:
        return None
    if not text.strip():
        faults.append(Fault(str(file), 0, 0, "the file is empty", _EMPTY))
        return None
    if file.suffix != TTIDEF:
        return load_definition(str(file), text, faults, compose=compose)
    from mailsync.definition.ttidef import load_ttidef

    return load_ttidef(str(file), text, faults, read_list=_list_reader(file.parent), notices=notices)


def read_text(file: Path, faults: list[Fault]) -> str | None:
    """The file's text, None after adding why not to `faults`.

    A .ttidef may be UTF-16, if it begins as such; where it is not UTF-8 either, it is Windows-1252.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(4 * MAX_DOCUMENT + 1)
    except OSError as error:
        faults.append(Fault(str(file), 0, 0, f"cannot be read: {error.strerror}"))
        return None
    for encoding in _encodings(content) if file.suffix == TTIDEF else ("utf-8",):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if file.suffix == TTIDEF and "\0" in text:
            break
        return text.removeprefix("\ufeff") if file.suffix == TTIDEF else text
    faults.append(Fault(str(file), 0, 0, "cannot be read: not UTF-8 text", "save it as UTF-8"))
    return None


def _encodings(content: bytes) -> tuple[str, ...]:
    """The encodings a .ttidef may be in, by what it begins with."""
    marked = tuple(encoding for mark, encoding in _MARKS if content.startswith(mark))
    return marked or ("utf-8", "windows-1252")


def _list_reader(folder: Path) -> ReadList:
    """Reads the files that *LIST: filters name, which lie beside the definition."""

    def read(name: str) -> str | None:
        if PurePath(name).name != name:
            return None
        faults: list[Fault] = []
        return read_text(folder / name, faults)

    return read


def unknown_names(site: Site, definitions: Definitions) -> tuple[Fault, ...]:
    """A fault for every definition a route names that neither the site nor the catalogue has."""
    faults = []
    for route in site.routes:
        line, column = route.places["definitions"]
        for name in route.definitions:
            if not definitions.has(name):
                text = f'route "{route.name}": no definition "{name}" in {site.definitions}'
                faults.append(Fault(str(site.path), line, column, text, misnamed(name, definitions)))
    return tuple(faults)


def misnamed(name: str, definitions: Definitions) -> str:
    """What to do about a name that nobody has: one that is close, the site's first, else those the site has."""
    import difflib

    for known in (list(definitions.by_name), definitions.catalogue.names):
        close = difflib.get_close_matches(name, known, n=1)
        if close:
            return f'did you mean "{close[0]}"?'
    if not definitions.by_name:
        return f"put {name}.yaml there; the built-in ones: mailsync definitions list"
    return suggestion(name, definitions.by_name)


def _files(folder: Path, faults: list[Fault]) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix in ENDINGS)
    except FileNotFoundError:
        return []
    except OSError as error:
        faults.append(Fault(str(folder), 0, 0, f"cannot be read: {error.strerror}"))
        return []
