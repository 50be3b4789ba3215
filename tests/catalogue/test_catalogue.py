"""The built-in definitions: each reads its own samples, and nobody else's, and is documented."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from mailsync.config.catalogue import FOLDER, Catalogue
from mailsync.core.model import Attachment
from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, Unclaimed, claim
from mailsync.definition.samples import pair_samples, sample_differences
from mailsync.tables.reader import first_lines, read_table

DOCS = Path(__file__).parents[2] / "docs"
NAMES = Catalogue().names
FILES = sorted(file.name for file in FOLDER.iterdir())
SAMPLES = [(name, *pair) for name in NAMES for pair in pair_samples(name, FILES).samples]
KEYS = {"given", "read", "refused", "skipped", "records", "problems", "notes"}


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


@cache
def expected_of(file: str) -> dict:
    return json.loads((FOLDER / file).read_text())


def claimed_by(catalogue, attachment: Attachment) -> list[str]:
    """Who claims the attachment, of all of them."""
    found = claim(attachment, MailFacts(), [catalogue.claims], first_lines=first_lines)
    match found:
        case Claimed(definition):
            return [definition.name]
        case Ambiguous(names):
            return list(names)
        case Unclaimed():
            return []


def test_there_is_a_catalogue():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_loads_and_says_what_it_is(catalogue, name):
    definition = catalogue.definition(name)
    assert definition.name == name
    assert definition.description
    assert definition.claim.content or definition.layout.kind == "workbook"


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_leaves_to_the_route_what_is_the_routes(catalogue, name):
    definition = catalogue.definition(name)
    assert (definition.customer, definition.media) == ("", "")
    assert not {rule.name for rule in definition.fields} & {"customer", "media"}
    assert "timezone" not in catalogue.file(name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_two_samples_and_every_sample_its_expected_records(name):
    paired = pair_samples(name, FILES)
    assert len(paired.samples) >= 2
    assert not paired.alone
    assert [expected for _, expected in paired.samples if expected not in FILES] == []


def test_every_file_belongs_to_an_entry():
    known = {f"{name}.yaml" for name in NAMES} | {file for _, *pair in SAMPLES for file in pair}
    assert [file for file in FILES if file not in known] == []


@pytest.mark.parametrize(("name", "sample", "expected"), SAMPLES)
def test_a_sample_gives_exactly_the_expected_records(catalogue, name, sample, expected):
    wanted = (FOLDER / expected).read_text()
    content = (FOLDER / sample).read_bytes()
    assert sample_differences(catalogue.definition(name), sample, content, wanted, read=read_table) == ()


@pytest.mark.parametrize(("name", "sample", "expected"), SAMPLES)
def test_the_expected_counts_add_up(name, sample, expected):
    wanted = expected_of(expected)
    assert set(wanted) == KEYS
    recorded = sum(map(len, wanted["records"].values()))
    assert wanted["read"] == recorded + wanted["refused"] + sum(wanted["skipped"].values())


@pytest.mark.parametrize(("name", "sample", "expected"), SAMPLES)
def test_a_sample_is_claimed_by_its_own_entry_alone(catalogue, name, sample, expected):
    content, charset = (FOLDER / sample).read_bytes(), expected_of(expected)["given"].get("charset", "")
    attached = Attachment("report.dat", content, "application/octet-stream", charset, 0, body=False)
    assert claimed_by(catalogue, attached) == [name]
    inline = Attachment("(body)", content, "text/plain", charset, 0, body=True)
    assert claimed_by(catalogue, inline) == [name]


def section_of(name: str) -> str:
    """The text under the heading that has the entry's name, on whichever page it is; empty without."""
    for page in sorted((DOCS / "catalogue").glob("*.md")):
        parts = re.split(r"^(#+ .*)$", page.read_text(), flags=re.MULTILINE)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in re.split(r"[^a-z0-9._-]+", heading):
                return text
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_documented_with_what_it_was_checked_against(name):
    assert re.search(r"^Checked against:", section_of(name), re.MULTILINE), f"no section for {name}"


def test_the_index_lists_every_entry_and_nothing_else():
    index = (DOCS / "catalogue.md").read_text()
    listed = re.findall(r"^\| \[([a-z0-9._-]+)\]\(catalogue/[a-z0-9-]+\.md", index, re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)


def test_the_links_of_the_index_lead_somewhere():
    for page in set(re.findall(r"\]\(([^)#]+)", (DOCS / "catalogue.md").read_text())):
        assert (DOCS / page).exists(), page
