"""A definition's samples: each mapped and compared with its expected JSON; texts in, differences out.

    NAME.sample.txt          NAME.expected.json
    NAME.sample-WORD.txt     NAME.expected-WORD.json      WORD: letters, digits, dashes; any ending of the sample

The expected file is what `records_as_json` gives, and may say under `given` what a route would: `scope`,
`repositories`, `timezone`, `day_first`, the `charset` a mail would declare, and `today`. Only the keys it has are
compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from mailsync.core.errors import ConfigurationError
from mailsync.core.model import Attachment, Mapped, Problem, Records, Scope, parse_scope
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition
from mailsync.definition.table import ReadTable

_MOST_DIFFERENCES = 20
_SAMPLE = re.compile(r"\.sample((?:-[A-Za-z0-9-]+)?)\.[^/]+\Z", re.ASCII)
_EXPECTED = re.compile(r"\.expected((?:-[A-Za-z0-9-]+)?)\.json\Z", re.ASCII)
_KEYS = ("given", "read", "refused", "skipped", "records", "problems", "notes")


class Given(NamedTuple):
    """What a route and a mail would say beside a sample."""

    scope: Scope | None
    repositories: dict[str, str]
    timezone: str
    charset: str
    today: date | None
    day_first: bool | None = None

    def context(self, read: ReadTable) -> Context:
        """For mapping the sample; `read` is tables.reader.read_table."""
        return Context(
            read,
            scope=self.scope,
            repositories=self.repositories,
            timezone=self.timezone,
            today=self.today,
            day_first=self.day_first,
        )


class Paired(NamedTuple):
    """The samples of a definition with the names of their expected files, and expected files that have no sample."""

    samples: tuple[tuple[str, str], ...]
    alone: tuple[str, ...]


def expected_name(definition: str, sample: str) -> str:
    """The name of the expected file of a sample's, empty when it is no sample of the definition (a file's stem)."""
    found = _SAMPLE.match(sample, len(definition)) if sample.startswith(definition) else None
    return f"{definition}.expected{found[1]}.json" if found else ""


def pair_samples(definition: str, names: Iterable[str]) -> Paired:
    """The samples of a definition (a file's stem) among the names of the files beside it, in their order."""
    files = sorted(names)
    samples = tuple((name, expected) for name in files if (expected := expected_name(definition, name)))
    wanted = {expected for _, expected in samples}
    ours = (name for name in files if name.startswith(definition) and _EXPECTED.match(name, len(definition)))
    return Paired(samples, tuple(name for name in ours if name not in wanted))


def unpaired_names(definitions: Iterable[str], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The samples and expected files among the names that belong to none of the definitions (stems), with whose."""
    known = tuple(definitions)
    found = []
    for name in sorted(names):
        match = _SAMPLE.search(name) or _EXPECTED.search(name)
        if match and not any(name.startswith((f"{one}.sample", f"{one}.expected")) for one in known):
            found.append((name, name[: match.start()]))
    return tuple(found)


def records_as_json(mapped: Mapped) -> dict[str, object]:
    """What a mapping gave, as NAME.expected.json has it: counts, records by scope, problems and notes with lines.

    A record has its volume and line and the fields it speaks of; `""` says that the field is unset.
    """
    return {
        "read": mapped.read,
        "refused": mapped.refused,
        "skipped": {count.reason: count.rows for count in mapped.skipped},
        "records": {str(records.scope): _rows(records) for records in mapped.records},
        "problems": [_cited(problem) for problem in mapped.problems],
        "notes": [_cited(note) for note in mapped.notes],
    }


def sample_differences(
    definition: Definition, name: str, content: bytes, expected: str, *, read: ReadTable
) -> tuple[str, ...]:
    """How the mapping of a sample differs from the text of its expected JSON, none when it does not.

    `name` is the sample's file name, `read` tables.reader.read_table. At most 20 differences are told.
    """
    try:
        wanted = json.loads(expected)
    except (ValueError, RecursionError) as error:
        return (f"the expected records are not JSON: {error}",)
    if not isinstance(wanted, dict) or "records" not in wanted:
        return ('the expected records are not an object with "records"',)
    unknown = sorted(set(wanted) - set(_KEYS))
    if unknown:
        return (f'the expected records have an unknown key "{unknown[0]}"',)
    given = read_given(wanted.get("given", {}))
    if given is None:
        return ('"given" is not an object of scope, repositories, timezone, day_first, charset and today',)
    attachment = Attachment(name, content, "", given.charset, depth=0, body=False)
    try:
        found = records_as_json(map_attachment(attachment, definition, given.context(read)))
    except ConfigurationError as error:
        return (str(error),)
    differences = [text for key in found if key in wanted for text in _differences(key, wanted[key], found[key])]
    return tuple(differences[:_MOST_DIFFERENCES])


def _rows(records: Records) -> list[dict[str, object]]:
    found = []
    for volume, line, values in zip(records.volumes, records.lines, records.values, strict=True):
        said = {name: value for name, value in zip(records.fields, values, strict=True) if value is not None}
        found.append({"volume": volume, "line": line, **said})
    return found


def _cited(problem: Problem) -> str:
    return f"line {problem.origin.line}: {problem.text}" if problem.origin.line else problem.text


def read_given(value: object) -> Given | None:
    """What stands under `given` in an expected file; None when it is off."""
    if not isinstance(value, dict) or not set(value) <= set(Given._fields):
        return None
    repositories = value.get("repositories", {})
    scope, timezone, charset, today = (value.get(key, "") for key in ("scope", "timezone", "charset", "today"))
    day_first = value.get("day_first")
    if not isinstance(repositories, dict) or not (day_first is None or isinstance(day_first, bool)):
        return None
    if not all(
        isinstance(text, str) for text in (scope, timezone, charset, today, *repositories, *repositories.values())
    ):
        return None
    parsed = parse_scope(scope)
    try:
        day = date.fromisoformat(today) if today else None
    except ValueError:
        return None
    return Given(parsed, repositories, timezone, charset, day, day_first) if parsed or not scope else None


def _differences(place: str, wanted: object, found: object) -> list[str]:
    """Where two JSON values differ, each as `place: expected ..., got ...`."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = [*wanted, *(key for key in found if key not in wanted)]
        return [
            text
            for key in keys
            for text in _differences(f"{place}.{key}", wanted.get(key, _ABSENT), found.get(key, _ABSENT))
        ]
    if isinstance(wanted, list) and isinstance(found, list):
        size = max(len(wanted), len(found))
        pairs = zip(
            [*wanted, *[_ABSENT] * (size - len(wanted))], [*found, *[_ABSENT] * (size - len(found))], strict=True
        )
        return [text for index, pair in enumerate(pairs) for text in _differences(f"{place}[{index}]", *pair)]
    return [] if wanted == found else [f"{place}: expected {_shown(wanted)}, got {_shown(found)}"]


def _shown(value: object) -> str:
    text = "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."


_ABSENT = object()
