"""`mailsync definitions`: what the site's definitions are, what they make of a sample, and .ttidef as YAML.

A definition is named as the site calls it, or by its file: a path that ends in .yaml or .ttidef needs no site. What a
route would say of a sample comes from the sample's NAME.expected.json, else from the route that names the definition;
options say it otherwise.
"""

from __future__ import annotations

import json
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailsync.cli.named import Named, find_definition
from mailsync.cli.source import read_input
from mailsync.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from mailsync.config.route import Route
    from mailsync.config.site import Site
    from mailsync.core.model import Attachment
    from mailsync.definition.mapping import Context
    from mailsync.definition.samples import Given

_MOST_SAMPLE = 50_000_000
_EXAMPLE = """\
example:
  mailsync definitions list
  mailsync definitions test nightly-csv extract.csv
  mailsync definitions explain nightly-csv extract.csv --row 3
  mailsync definitions convert inventory.ttidef > definitions/inventory.yaml

test prints what NAME.expected.json would hold, and ends in 1 when the sample gives other records than the file
beside the definition says, or when rows have problems and there is no such file
"""


def configure(parser: ArgumentParser) -> None:
    """Adds the sub-commands."""
    parser.epilog = _EXAMPLE
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = commands.add_parser("list", help="the site's definitions")
    show = commands.add_parser("show", help="one definition, as YAML")
    test = commands.add_parser("test", help="the records a sample gives")
    explain = commands.add_parser("explain", help="what each step makes of one row of a sample")
    convert = commands.add_parser("convert", help="a .ttidef as YAML")
    for one in (show, test, explain):
        one.add_argument("name", metavar="NAME", help="the definition's name, or its file")
    for one in (listing, show):
        one.add_argument("--json", action="store_true", help="one JSON document")
    for one in (test, explain):
        one.add_argument("sample", metavar="SAMPLE", help="the report")
        one.add_argument("--scope", metavar="CUST.MEDIA", help="the scope, as a route would say it")
        one.add_argument("--route", metavar="NAME", help="whose scope, repositories and time zone apply")
    explain.add_argument("--row", type=int, required=True, metavar="N", help="the row, counted from 1 behind captions")
    convert.add_argument("name", metavar="FILE.ttidef")
    for one in (parser, listing, show, test, explain):
        default = None if one is parser else SUPPRESS
        one.add_argument("--config", metavar="FILE", default=default, help="the site's mailsync.yaml")


def run(arguments: Namespace) -> int:
    """Does what is asked; 1 when a sample is not read as it should be."""
    actions = {"list": _list, "show": _show, "test": _test, "explain": _explain, "convert": _convert}
    return actions[arguments.action](arguments)


def _list(arguments: Namespace) -> int:
    from mailsync.config.definitions import load_definitions

    site = _site(arguments)
    definitions = load_definitions(site)
    listed = [_described(Named(one, definitions.files[name]), site) for name, one in definitions.by_name.items()]
    if arguments.json:
        print(json.dumps(listed, indent=2))
        return 0
    for one in listed:
        routes = f"  (routes: {', '.join(one['routes'])})" if one["routes"] else ""
        print(f"{one['name']:20} {one['kind']:10} {one['file']}{routes}")
        if one["description"]:
            print(f"{'':20} {one['description']}")
    return 0


def _show(arguments: Namespace) -> int:
    from mailsync.definition.convert import to_yaml

    site = None if _is_file(arguments.name) else _site(arguments)
    named = find_definition(arguments.name, site)
    if arguments.json:
        fields = [{"name": one.name, "from": _origin(one)} for one in named.definition.fields]
        print(json.dumps({**_described(named, site), "fields": fields}, indent=2))
    elif named.file.suffix == ".yaml":
        print(named.file.read_text(encoding="utf-8"), end="")
    else:
        print(to_yaml(named.definition), end="")
    return 0


def _test(arguments: Namespace) -> int:
    from mailsync.definition.mapping import map_attachment
    from mailsync.definition.samples import records_as_json, sample_differences
    from mailsync.tables.reader import read_table

    named, given = _sample(arguments)
    sample = _attachment(arguments, given)
    mapped = map_attachment(sample, named.definition, _context(arguments, named, given))
    print(json.dumps(records_as_json(mapped), indent=2, ensure_ascii=False))
    expected = _expected(named, arguments.sample)
    if expected is None:
        return 1 if mapped.refused or mapped.problems else 0
    wanted = expected.read_text(encoding="utf-8")
    differences = sample_differences(named.definition, sample.path, sample.content, wanted, read=read_table)
    for difference in differences:
        print(f"mailsync: {expected}: {difference}", file=sys.stderr)
    return 1 if differences else 0


def _explain(arguments: Namespace) -> int:
    from mailsync.definition.places import placed_by_field
    from mailsync.definition.trace import trace_row

    named, given = _sample(arguments)
    sample = _attachment(arguments, given)
    traced = trace_row(sample, named.definition, _context(arguments, named, given), arguments.row)
    if traced is None:
        raise UsageError(f"{arguments.sample} has no row {arguments.row}", hint="rows count from 1, behind captions")
    placed = placed_by_field(str(named.file), named.file.read_text(encoding="utf-8", errors="replace"))
    print(f"{sample.path}:{traced.line}: {_quoted(traced.raw)}\n{traced.outcome}")
    for field in traced.fields:
        print(f"\n{field.field}: {field.value}")
        for one in placed.get(field.field, []):
            print(f"  {named.file.name}:{one.line}: {one.text}")
        for step, text in field.steps:
            print(f"    {step:28} {_quoted(text)}")
    return 0


def _convert(arguments: Namespace) -> int:
    from mailsync.definition.convert import to_yaml

    if Path(arguments.name).suffix != ".ttidef":
        raise UsageError(f"{arguments.name} does not end in .ttidef", hint="convert makes YAML of .ttidef files")
    named = find_definition(arguments.name, None)
    print(f"# The same as {named.file.name}. A claim of its own (attachment, subject, sender, ...) may replace named.")
    print(to_yaml(named.definition), end="")
    return 0


def _site(arguments: Namespace) -> Site:
    from mailsync.config.site import find_config, load_site

    return load_site(find_config(arguments.config))


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".ttidef")


def _described(named: Named, site: Site | None) -> dict[str, Any]:
    definition = named.definition
    routes = [route.name for route in site.routes if definition.name in route.definitions] if site else []
    return {
        "name": definition.name,
        "description": definition.description,
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


def _sample(arguments: Namespace) -> tuple[Named, Given | None]:
    """The definition, and what the expected file beside it says under `given` (None: there is none)."""
    from mailsync.definition.samples import read_given

    site = None if _is_file(arguments.name) else _site(arguments)
    named = find_definition(arguments.name, site)
    expected = _expected(named, arguments.sample)
    if expected is None:
        return named, None
    try:
        document = json.loads(expected.read_text(encoding="utf-8"))
        given = read_given(document.get("given", {})) if isinstance(document, dict) else None
    except ValueError as error:
        raise ConfigurationError((f"{expected}: {error}",)) from error
    if given is None:
        raise ConfigurationError((f'{expected}: "given" is off',), hint="docs/definitions.md says what it may hold")
    return named, given


def _expected(named: Named, sample: str) -> Path | None:
    """NAME.expected.json, for a sample that is called NAME.sample.*."""
    stem = named.file.stem
    expected = named.file.with_name(f"{stem}.expected.json")
    return expected if Path(sample).name.startswith(f"{stem}.sample.") and expected.exists() else None


def _attachment(arguments: Namespace, given: Given | None) -> Attachment:
    from mailsync.core.model import Attachment

    content = read_input(arguments.sample, _MOST_SAMPLE)
    return Attachment(Path(arguments.sample).name, content, "", given.charset if given else "", 0, body=False)


def _context(arguments: Namespace, named: Named, given: Given | None) -> Context:
    """What a route would say: the expected file's word, or a route's; `--scope` wins over both."""
    import time

    from mailsync.core.model import parse_scope
    from mailsync.definition.days import day_of
    from mailsync.definition.mapping import Context
    from mailsync.tables.reader import read_table

    context = given.context(read_table) if given else Context(read_table)
    route = _route(arguments, named)
    if route is not None and (given is None or arguments.route):
        context = context._replace(scope=route.scope, repositories=route.repositories, timezone=route.timezone)
    if arguments.scope:
        scope = parse_scope(arguments.scope)
        if scope is None:
            raise UsageError(f'"{arguments.scope}" is not a scope', hint="CUST.MEDIA, such as US01.LTO")
        context = context._replace(scope=scope)
    if context.today is None:
        context = context._replace(today=day_of(int(time.time()), context.timezone))
    return context


def _route(arguments: Namespace, named: Named) -> Route | None:
    """The route that is named, else the first that names the definition; none without a site."""
    if _is_file(arguments.name) and not arguments.route:
        return None
    routes = {route.name: route for route in _site(arguments).routes}
    if arguments.route and arguments.route not in routes:
        raise UsageError(f'no route is named "{arguments.route}"', hint=f"routes: {', '.join(routes)}")
    naming = (route for route in routes.values() if named.definition.name in route.definitions)
    return routes[arguments.route] if arguments.route else next(naming, None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
