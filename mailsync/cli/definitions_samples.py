"""`mailsync definitions test` and `explain`: what a definition makes of a sample, and of one of its rows."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mailsync.cli.definitions import named_definition, site_if_any
from mailsync.cli.named import Named, is_file
from mailsync.cli.source import TooLargeError, read_input
from mailsync.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from mailsync.config.route import Route
    from mailsync.core.model import Attachment
    from mailsync.definition.mapping import Context
    from mailsync.definition.samples import Given

_MOST_SAMPLE = 50_000_000


def test(arguments: Namespace) -> int:
    """Prints the records; 1 when they are not those of the expected file, or rows have problems and there is none."""
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


def explain(arguments: Namespace) -> int:
    """Prints what each step makes of the row, with the statements about each field."""
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


def read_sample(file: str) -> bytes:
    """The sample's bytes. Raises UsageError for what cannot be read, or is too large."""
    try:
        return read_input(file, _MOST_SAMPLE)
    except TooLargeError as error:
        # No setting of the site bounds a sample.
        raise UsageError(f"{file} is larger than {_MOST_SAMPLE} bytes", hint="a part of the report will do") from error


def _sample(arguments: Namespace) -> tuple[Named, Given | None]:
    """The definition, and what the sample's expected file says under `given` (None: there is no such file)."""
    from mailsync.definition.samples import read_given

    named, _ = named_definition(arguments)
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
    """The expected file beside the definition, for what is called as one of its samples."""
    from mailsync.definition.samples import expected_name

    name = expected_name(named.file.stem, Path(sample).name)
    expected = named.file.with_name(name) if name else None
    return expected if expected and expected.exists() else None


def _attachment(arguments: Namespace, given: Given | None) -> Attachment:
    from mailsync.core.model import Attachment

    content = read_sample(arguments.sample)
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
        context = context._replace(
            scope=route.scope, repositories=route.repositories, timezone=route.timezone, day_first=route.day_first
        )
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
    if is_file(arguments.name) and not arguments.route:
        return None
    site = site_if_any(arguments.config)
    routes = {route.name: route for route in site.routes} if site else {}
    if arguments.route and arguments.route not in routes:
        raise UsageError(f'no route is named "{arguments.route}"', hint=f"routes: {', '.join(routes) or 'none'}")
    naming = (route for route in routes.values() if named.definition.name in route.definitions)
    return routes[arguments.route] if arguments.route else next(naming, None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
