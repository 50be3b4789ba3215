"""`mailsync definitions`: what definitions there are, what they make of a sample, and .ttidef as YAML.

A definition is named as the site or the catalogue calls it, or by its file: a path that ends in .yaml or .ttidef needs
no site, and neither does a built-in one. What a route would say of a sample comes from the sample's expected file, else
from the route that names the definition; options say it otherwise (definitions_samples.py, definitions_learn.py).
"""

from __future__ import annotations

import json
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailsync.cli.named import CATALOGUE, SITE, Named, find_built_in, find_definition, find_to_show, is_file
from mailsync.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from mailsync.config.site import Site

_EXAMPLE = """\
example:
  mailsync definitions list
  mailsync definitions show netbackup-vmquery-w > definitions/netbackup-vmquery-w.yaml
  mailsync definitions test nightly-csv extract.csv
  mailsync definitions explain nightly-csv extract.csv --row 3
  mailsync definitions learn report.txt > report.yaml
  mailsync definitions convert inventory.ttidef > definitions/inventory.yaml

test prints what the expected file would hold, and ends in 1 when the sample gives other records than the file beside
the definition says, or when rows have problems and there is no such file
"""


def configure(parser: ArgumentParser) -> None:
    """Adds the sub-commands."""
    parser.epilog = _EXAMPLE
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="the site's definitions, and the built-in ones")
    show = commands.add_parser("show", help="one definition, as YAML")
    test = commands.add_parser("test", help="the records a sample gives")
    explain = commands.add_parser("explain", help="what each step makes of one row of a sample")
    learn = commands.add_parser("learn", help="a definition for a report that has none")
    convert = commands.add_parser("convert", help="a .ttidef as YAML")
    for one in (show, test, explain):
        one.add_argument("name", metavar="NAME", help="the definition's name, or its file")
    for one in (listing, show, learn):
        one.add_argument("--json", action="store_true", help="one JSON document")
    for one in (test, explain, learn):
        one.add_argument("sample", metavar="SAMPLE", help="the report")
    for one in (test, explain):
        one.add_argument("--scope", metavar="CUST.MEDIA", help="the scope, as a route would say it")
        one.add_argument("--route", metavar="NAME", help="whose scope, repositories and time zone apply")
    explain.add_argument("--row", type=int, required=True, metavar="N", help="the row, counted from 1 behind captions")
    learn.add_argument("--name", metavar="NAME", help="the definition's name (default: the sample's)")
    convert.add_argument("name", metavar="FILE.ttidef")
    for one in (parser, listing, show, test, explain):
        default = None if one is parser else SUPPRESS
        one.add_argument("--config", metavar="FILE", default=default, help="the site's mailsync.yaml")


def run(arguments: Namespace) -> int:
    """Does what is asked; 1 when a sample is not read as it should be."""
    if arguments.action == "learn":
        from mailsync.cli.definitions_learn import learn

        return learn(arguments)
    from mailsync.cli.definitions_samples import explain, test

    actions = {"list": _list, "show": _show, "test": test, "explain": explain, "convert": _convert}
    return actions[arguments.action](arguments)


def _list(arguments: Namespace) -> int:
    site = site_if_any(arguments.config)
    listed = [_described(one, site) for one in _all(site)]
    if arguments.json:
        print(json.dumps(listed, indent=2))
        return 0
    for one in listed:
        routes = f"  (routes: {', '.join(one['routes'])})" if one["routes"] else ""
        print(f"{one['name']:28} {one['kind']:10} {'built in' if one['from'] == CATALOGUE else one['file']}{routes}")
        if one["description"]:
            print(f"{'':28} {one['description']}")
    return 0


def _all(site: Site | None) -> list[Named]:
    """The site's definitions, then the built-in ones but for those that one of the site's stands for."""
    from mailsync.config.catalogue import Catalogue
    from mailsync.config.definitions import load_definitions

    found: list[Named] = []
    catalogue, known = Catalogue(), frozenset[str]()
    if site is None:
        print("mailsync: note: no configuration found: these are the built-in definitions", file=sys.stderr)
    else:
        definitions = load_definitions(site)
        catalogue, known = definitions.catalogue, frozenset(definitions.by_name)
        found = [Named(one, definitions.files[name], SITE) for name, one in definitions.by_name.items()]
    built_in = [name for name in catalogue.names if name not in known]
    return found + [Named(catalogue.definition(name), catalogue.file(name), CATALOGUE) for name in built_in]


def _show(arguments: Namespace) -> int:
    from mailsync.definition.convert import to_yaml

    named, site = named_definition(arguments)
    if arguments.json:
        fields = [{"name": one.name, "from": _origin(one)} for one in named.definition.fields]
        print(json.dumps({**_described(named, site), "fields": fields}, indent=2))
    elif named.file.suffix == ".yaml":
        print(named.file.read_text(encoding="utf-8"), end="")
    else:
        print(to_yaml(named.definition), end="")
    return 0


def _convert(arguments: Namespace) -> int:
    from mailsync.definition.convert import to_yaml

    if Path(arguments.name).suffix != ".ttidef":
        raise UsageError(f"{arguments.name} does not end in .ttidef", hint="convert makes YAML of .ttidef files")
    named = find_definition(arguments.name, None)
    print(f"# The same as {named.file.name}. A claim of its own (attachment, subject, sender, ...) may replace named.")
    print(to_yaml(named.definition), end="")
    return 0


def named_definition(arguments: Namespace) -> tuple[Named, Site | None]:
    """The definition that `name` names, and the site it was looked for in: none for a file, or where there is none.

    Raises ConfigurationError when it takes a site and there is none.
    """
    if is_file(arguments.name):
        return find_definition(arguments.name, None), None
    site = site_if_any(arguments.config)
    find = find_to_show if arguments.action == "show" else find_definition
    named = find(arguments.name, site) if site else find_built_in(arguments.name)
    return (named, site) if named else (find_definition(arguments.name, _site(arguments.config)), None)


def site_if_any(config: str | None) -> Site | None:
    """The site, or None where no configuration is named and none is found. Raises ConfigurationError when it is off."""
    from mailsync.config.site import find_config

    try:
        find_config(config)
    except ConfigurationError:
        return None
    return _site(config)


def _site(config: str | None) -> Site:
    from mailsync.config.site import find_config, load_site

    return load_site(find_config(config))


def _described(named: Named, site: Site | None) -> dict[str, Any]:
    definition = named.definition
    routes = [route.name for route in site.routes if definition.name in route.definitions] if site else []
    return {
        "name": definition.name,
        "description": definition.description,
        "from": named.whose,
        "file": str(named.file),
        "kind": definition.layout.kind,
        "digest": definition.digest,
        "routes": routes,
    }


def _origin(rule: Any) -> str:  # noqa: ANN401 - a FieldRule, whose module is imported when it is needed
    from mailsync.definition.cells import field_label

    if rule.take or rule.join:
        return field_label(rule).removeprefix(rule.name).strip(" ()")
    return f'value "{rule.literal}"' if rule.literal else "translated"
