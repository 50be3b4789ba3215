"""How well `definitions learn` does on the catalogue's own samples, their definitions hidden.

What is true of a sample its own definition says. The volume column is found when what is learned records every volume
that is expected, and none that is not in the definition's volume column or in a line the definition has a problem
with: rows that it skips or refuses for what else they say may be recorded or not. The location column, where the
definition reads one, is found when nine in ten of the texts it gives, before any translation, are in the text that is
learned for the same volume.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mailsync.config.catalogue import FOLDER, Catalogue
from mailsync.core.layout import Layout
from mailsync.core.model import Attachment, Mapped, Scope
from mailsync.definition.learn import Learned, learn
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition, FieldRule
from mailsync.definition.samples import pair_samples
from mailsync.tables.reader import first_lines, read_table

SCOPE = Scope("US01", "LTO")
LEAST_VOLUMES, LEAST_LOCATIONS = 0.9, 0.75
_ENOUGH = 0.9
_RECORD = 2
_SHORT = 3  # a text as short as that is in many others by chance


class Scored(NamedTuple):
    """What was found of a sample; `location` is None where its definition reads none."""

    sample: str
    volume: bool
    location: bool | None


def scores() -> list[Scored]:
    """The samples of the catalogue that have volumes, each with what was found."""
    catalogue = Catalogue()
    files = sorted(file.name for file in FOLDER.iterdir())
    pairs = ((name, *pair) for name in catalogue.names for pair in pair_samples(name, files).samples)
    return [scored for name, *pair in pairs if (scored := _scored(catalogue.definition(name), *pair))]


def shares(found: list[Scored]) -> tuple[float, float]:
    """The share of volume columns found, and that of location columns."""
    located = [one.location for one in found if one.location is not None]
    return sum(one.volume for one in found) / len(found), sum(located) / max(len(located), 1)


def bench_learn() -> None:
    """Prints the two shares, and the samples where something was not found."""
    found = scores()
    volumes, locations = shares(found)
    print(f"\ndefinitions learn: {len(found)} samples; volume column {volumes:.0%}, location column {locations:.0%}")
    for one in found:
        missed = [word for word, good in (("volume", one.volume), ("location", one.location)) if good is False]
        if missed:
            print(f"  {one.sample}: {' and '.join(missed)} not found")


def _scored(definition: Definition, sample: str, expected: str) -> Scored | None:
    wanted = json.loads((FOLDER / expected).read_text())
    volumes = {row["volume"] for rows in wanted["records"].values() for row in rows}
    if not volumes:
        return None
    charset = wanted["given"].get("charset", "")
    attachment = Attachment(f"report{Path(sample).suffix}", (FOLDER / sample).read_bytes(), "", charset, 0, body=False)
    context = Context(read_table, scope=SCOPE)
    learned = learn(attachment, "learned", context, first_lines=first_lines)
    texts = _locations(definition, attachment, context)
    places = {volume: text for volume, text in texts.items() if volume in volumes and text}
    if not isinstance(learned, Learned):
        return Scored(sample, volume=False, location=False if places else None)
    found = set(_volumes(learned.mapped))
    held = _held(definition, attachment, context)
    return Scored(sample, volume=volumes <= found <= held, location=_located(places, learned) if places else None)


def _volumes(mapped: Mapped) -> Iterator[str]:
    for records in mapped.records:
        yield from records.volumes


def _held(definition: Definition, attachment: Attachment, context: Context) -> set[str]:
    """All volumes in the column that the definition reads them from, whatever else their rows say; refused rows too."""
    volume = [rule for rule in definition.fields if rule.name in ("volume", "barcode")]
    held = set(_volumes(map_attachment(attachment, _alone(definition, volume), context)))
    problems = {one.origin.line for one in map_attachment(attachment, definition, context).problems}
    for chunk in read_table(attachment, Layout("fixed"), 5000).chunks:
        for number, text in zip(chunk.lines, chunk.raw, strict=True):
            # A record of several lines is cited by its first.
            if problems & set(range(number - _RECORD, number + 1)):
                held.update(re.findall(r"[A-Z0-9]+", text.upper()))
    return held


def _locations(definition: Definition, attachment: Attachment, context: Context) -> Mapping[str, str]:
    """What the definition reads of where each volume is, before translations; nothing where it reads no column."""
    kept = [rule for rule in definition.fields if rule.name in ("volume", "barcode")]
    for rule in definition.fields:
        takes = rule.join.takes if rule.join else (rule.take,) if rule.take else ()
        if rule.name == "repository" and takes and not any(take.source or take.heading for take in takes):
            plain = FieldRule("description", take=rule.take, join=rule.join, regex=rule.regex, part=rule.part)
            return _texts(map_attachment(attachment, _alone(definition, [*kept, plain]), context), "description")
    return {}


def _alone(definition: Definition, rules: list[FieldRule]) -> Definition:
    """The definition with these fields alone and without what depends on others."""
    return definition._replace(
        fields=tuple(rules), skips=(), cross=(), by_date=(), duplicates="last", min_rows=0, inventory_of=""
    )


def _texts(mapped: Mapped, field: str) -> dict[str, str]:
    """The texts of a field by volume."""
    found = {}
    for records in mapped.records:
        if field in records.fields:
            at = records.fields.index(field)
            found |= {volume: values[at] or "" for volume, values in zip(records.volumes, records.values, strict=True)}
    return found


def _located(places: Mapping[str, str], learned: Learned) -> bool:
    told = _texts(learned.mapped, "repository")
    same = [_same(text, told[volume]) for volume, text in places.items() if volume in told]
    return bool(same) and sum(same) >= _ENOUGH * len(same)


def _same(text: str, told: str) -> bool:
    """True for the same text, one around it, or one of several that the definition joins."""
    return text == told or (len(text) > _SHORT and text in told) or told in re.split(r"[^A-Za-z0-9]+", text)
