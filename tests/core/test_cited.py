"""What the code cites is there: pages of docs/, and the sections and headings named of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted([*ROOT.glob("mailsync/**/*.py"), *ROOT.glob("tests/**/*.py")])
# `exactly-once.md section 4`, `protocol.md, Error codes`, `docs/decisions/0006`.
_PAGE = re.compile(r"(?<![\w.-])(?:docs/)?((?:catalogue/)?[a-z][a-z-]*)\.md\b")
_SECTIONS = re.compile(r"(?<![\w.-])([a-z-]+)\.md sections? ([0-9](?:(?:, | and | to )[0-9])*)")
_HEADING = re.compile(r"(?<![\w.-])([a-z-]+)\.md, ([A-Z][A-Za-z_ ]*[a-zA-Z])")
_DECISION = re.compile(r"docs/decisions/([0-9]{4})((?:, [0-9]{4})*)")


def cited(pattern):
    """Each citation once, with a file that has it."""
    found = {}
    for path in CODE:
        for match in pattern.findall(path.read_text(encoding="utf-8")):
            found.setdefault(match, path.relative_to(ROOT).as_posix())
    assert found
    return [
        pytest.param(match, id=f"{match} in {where}") for match, where in found.items() if "test_cited" not in where
    ]


def headings(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^##+ (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", cited(_PAGE))
def test_every_page_that_is_cited_is_there(page):
    assert (ROOT / f"{page}.md").exists() or (ROOT / "docs" / f"{page}.md").exists()


@pytest.mark.parametrize("cited", cited(_SECTIONS))
def test_every_section_that_is_cited_is_there(cited):
    page, numbers = cited
    there = {heading.split(" ")[0] for heading in headings(page)}
    assert set(re.findall("[0-9]", numbers)) <= there


@pytest.mark.parametrize("cited", cited(_HEADING))
def test_every_heading_that_is_cited_is_there(cited):
    page, heading = cited
    assert heading in headings(page)


@pytest.mark.parametrize("cited", cited(_DECISION))
def test_every_decision_that_is_cited_is_there(cited):
    first, more = cited
    for number in (first, *re.findall("[0-9]{4}", more)):
        assert list((ROOT / "docs" / "decisions").glob(f"{number}-*.md"))
