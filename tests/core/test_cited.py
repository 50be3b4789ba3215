"""What is cited is there: pages of docs/, their sections and headings; and the files that a page or a module names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
CODE = sorted([*ROOT.glob("mailsync/**/*.py"), *ROOT.glob("tests/**/*.py")])
# `exactly-once.md section 4`, `protocol.md, Error codes`, `docs/decisions/0006`.
_PAGE = re.compile(r"(?<![\w.-])(?:docs/)?((?:catalogue/)?[a-z][a-z-]*)\.md\b")
_SECTIONS = re.compile(r"(?<![\w.-])([a-z-]+)\.md sections? ([0-9](?:(?:, | and | to )[0-9])*)")
_HEADING = re.compile(r"(?<![\w.-])([a-z-]+)\.md, ([A-Z][A-Za-z_ ]*[a-zA-Z])")
_DECISION = re.compile(r"docs/decisions/([0-9]{4})((?:, [0-9]{4})*)")
# `core/plan.py`, or `plan.py` where it is near.
_FILE = re.compile(r"(?<![\w./-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)\b")


def cited(pattern, places=CODE):
    """Each citation once, with a file that has it."""
    found = {}
    for path in places:
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


@pytest.mark.parametrize("file", cited(_FILE, [*PAGES, *sorted(ROOT.glob("mailsync/**/*.py"))]))
def test_every_file_that_is_cited_is_there(file):
    assert any(f"/{path.as_posix()}".endswith(f"/{file}") for path in CODE)
