"""`mailsync definitions learn`: a definition proposed for a report that has none, with what it would give.

Everything printed is one YAML file: what is not the definition is comments, so that it can be kept as it is.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailsync.cli.definitions_samples import read_sample
from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.definition.learn import Learned

_RECORDS = _PROBLEMS = 5
_ODD = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


def learn(arguments: Namespace) -> int:
    """Prints the proposal. Raises UsageError when nothing in the report looks like volumes, or the name is none."""
    from mailsync.core.model import Attachment, CustomerId, MediaId, Scope
    from mailsync.definition.learn import Unlearned, learn
    from mailsync.definition.mapping import Context
    from mailsync.tables.reader import first_lines, read_table

    path = Path(arguments.sample)
    if arguments.name and _name(arguments.name) != arguments.name:
        raise UsageError(f'"{arguments.name}" is not a name', hint="letters, digits, dots, dashes; at most 64")
    report = Attachment(path.name, read_sample(arguments.sample), "", "", 0, body=False)
    # Whose volumes they are is the route's to say; any scope shows what is read.
    context = Context(read_table, scope=Scope(CustomerId("ANY"), MediaId("ANY")))
    learned = learn(report, arguments.name or _name(path.stem), context, first_lines=first_lines)
    if isinstance(learned, Unlearned):
        raise UsageError(
            f"{arguments.sample}: {learned.why}", hint="docs/definitions.md says how to write a definition"
        )
    if arguments.json:
        print(json.dumps(_as_json(learned), indent=2, ensure_ascii=False))
    else:
        print(learned.text, end="")
        print("\n".join(_comments(learned)))
    return 0


def _name(text: str) -> str:
    """The text as far as the name of a definition may be that."""
    return _ODD.sub("-", text).strip("-._")[:64] or "learned"


def _comments(learned: Learned) -> Iterator[str]:
    """What it gives, as comments."""
    told = _as_json(learned)
    yield f"#\n# It reads {told['read']} rows and lines: {told['recorded']} recorded, {told['refused']} refused."
    for reason, rows in told["skipped"].items():
        yield f"#   left out: {rows}, {reason}"
    for record in told["records"]:
        yield f"#   {json.dumps(record, ensure_ascii=False)}"
    for problem in told["problems"]:
        yield f"#   problem: {problem}"


def _as_json(learned: Learned) -> dict[str, Any]:
    from mailsync.definition.samples import records_as_json

    given: dict[str, Any] = records_as_json(learned.mapped)
    rows = [row for listed in given["records"].values() for row in listed]
    return {
        "name": learned.definition.name,
        "definition": learned.text,
        "read": given["read"],
        "recorded": len(rows),
        "refused": given["refused"],
        "skipped": given["skipped"],
        "records": rows[:_RECORDS],
        "problems": given["problems"][:_PROBLEMS],
    }
