"""A definition for a report that nobody defined yet: proposed, tried on the report itself, the best one told as YAML.

Strategy: generate and test. Every way the report may be written (learn_tables.py) gives columns, columns give fields
(learn_columns.py), fields give the text of a definition (learn_text.py), which is loaded and applied to the report as
any other. The proposal that records most different volumes, most surely and with fewest rows refused, wins; of equals
the first. A person reads it before it is used: it says where it was unsure, and what it did not use.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailsync.core.model import Attachment, Mapped
from mailsync.definition.claim import FirstLines
from mailsync.definition.dictionary import VOLUME, field_of
from mailsync.definition.document import Fault
from mailsync.definition.learn_candidate import Candidate
from mailsync.definition.learn_columns import Roles, assign
from mailsync.definition.learn_shapes import is_likely
from mailsync.definition.learn_tables import candidates
from mailsync.definition.learn_text import Told, written
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition
from mailsync.definition.table import WORKBOOKS

_MOST_TEXT = 1_000_000
_REFUSED = 0.1
_FIELD = 0.02
_UNLIKELY = 0.5
_NAMED = 1.3  # a caption that means volumes is worth more than any shape
_EQUAL = 1e-9
_TWICE = " is listed in line "


class Learned(NamedTuple):
    """The proposal: its YAML, the definition it loads to, what that makes of the report, and how good it is."""

    text: str
    definition: Definition
    mapped: Mapped
    score: float


class Unlearned(NamedTuple):
    """Why there is no proposal."""

    why: str


def learn(attachment: Attachment, name: str, context: Context, *, first_lines: FirstLines) -> Learned | Unlearned:
    """The best definition for the attachment, named `name`. Of lines the first million bytes are looked at.

    `first_lines` is tables.reader.first_lines, as for claims.
    """
    looked_at = attachment._replace(content=_beginning(attachment.content))
    best: Learned | None = None
    for candidate in candidates(looked_at, context.read):
        found = assign(candidate)
        if not found.roles:
            continue
        lines = first_lines(looked_at, str(candidate.table.get("encoding", "")))
        told = Told(name, attachment.path, lines, candidate, found)
        for learned in _tried(looked_at, told, context):
            if best is None or learned.score > best.score + _EQUAL:
                best = learned
    return best or Unlearned("no column of it looks like volumes, however it is read")


def _score(mapped: Mapped, candidate: Candidate, found: Roles) -> float:
    """How good the proposal is: how many likely volumes it records, how surely, with how many fields."""
    likely = sum(is_likely(volume) for records in mapped.records for volume in records.volumes)
    unlikely = sum(len(records.volumes) for records in mapped.records) - likely
    named = _NAMED if field_of(candidate.captions[found.roles[0].place]) == VOLUME else 1.0
    sure = found.surety * candidate.weight * named * (1 + _FIELD * len(found.roles))
    return likely * sure - _UNLIKELY * unlikely - _REFUSED * mapped.refused


def _beginning(content: bytes) -> bytes:
    """The content as far as it is looked at: whole lines, and all of what is not read unless it is whole."""
    if len(content) <= _MOST_TEXT or content.startswith(WORKBOOKS) or content[:1000].strip()[:1] in (b"<", b"{", b"["):
        return content
    return content[: content.rfind(b"\n", 0, _MOST_TEXT) + 1] or content[:_MOST_TEXT]


def _tried(attachment: Attachment, told: Told, context: Context) -> Iterator[Learned]:
    """What is told as a definition; where volumes contradict themselves, also with the last one counting."""
    for duplicates in ("", "last"):
        text = written(told._replace(duplicates=duplicates))
        faults: list[Fault] = []
        definition = load_definition(f"{told.name}.yaml", text, faults)
        if definition is None:
            return
        mapped = map_attachment(attachment, definition, context)
        if not mapped.records:
            return
        yield Learned(text, definition, mapped, _score(mapped, told.candidate, told.found))
        if not any(_TWICE in problem.text for problem in mapped.problems):
            return
