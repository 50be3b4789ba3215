from __future__ import annotations

import pytest

from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, Unclaimed, claim
from mailsync.tables.reader import first_lines

FACTS = MailFacts("Nightly tape report", "backup@example.com")


@pytest.fixture
def named(define):
    def make(name, claims):
        return define(f"name: {name}\nclaim: {{{claims}}}\nfields: {{volume: {{column: 1}}}}")

    return make


def asked(attachment, *tiers, facts=FACTS):
    return claim(attachment, facts, tiers, first_lines=first_lines)


@pytest.mark.parametrize(
    ("claims", "claimed"),
    [
        ('attachment: "*.CSV"', True),
        ('attachment: "b.csv"', True),
        ('attachment: ["*.txt", "a.zip!/*"]', True),
        ('attachment: "*.txt"', False),
        ('type: "text/*"', True),
        ('type: "application/*"', False),
        ('subject: "nightly*"', True),
        ('subject: "nightly"', False),
        ('sender: "*@EXAMPLE.com"', True),
        ('sender: "*@example.net"', False),
        ('content: "volume,*"', True),
        ('content: "Volume,*"', False),
        ('content: "line 50"', True),
        ('content: "line 51"', False),
        ('attachment: "*.csv", subject: "nightly*", content: "volume*"', True),
        ('attachment: "*.csv", subject: "weekly*", content: "volume*"', False),
    ],
)
def test_all_given_criteria_must_match(attach, named, claims, claimed):
    content = "\n".join(["volume,repository", *(f"line {number}" for number in range(2, 60))])
    found = asked(attach(content, "a.zip!/b.csv"), [named("one", claims)])
    assert isinstance(found, Claimed if claimed else Unclaimed)


def test_a_higher_tier_silences_the_lower_ones(attach, named):
    tiers = [
        [named("route", 'attachment: "*.csv"')],
        [named("site", 'attachment: "*"'), named("more", 'attachment: "*"')],
    ]
    found = asked(attach("x"), *tiers)
    assert isinstance(found, Claimed)
    assert found.definition.name == "route"
    found = asked(attach("x", "tapes.txt"), *tiers)
    assert found == Ambiguous(("more", "site"))


def test_who_came_nearest_is_told_with_what_did_not_match(attach, named):
    far = named("far", 'attachment: "*.txt"')
    near = named("near", 'attachment: "*.csv", subject: "weekly*"')
    assert asked(attach("x"), [far, near]) == Unclaimed(
        "near", 'subject "Nightly tape report" does not match "weekly*"'
    )
    assert asked(attach("x"), [far]) == Unclaimed("far", 'attachment "tapes.csv" does not match "*.txt"')
    only = named("only", 'content: ["a*", "b*"]')
    assert asked(attach("x"), [only]) == Unclaimed("only", 'none of its first lines matches "a*" or "b*"')
    assert asked(attach("x")) == Unclaimed("", "there is no definition")


def test_what_a_hostile_mail_says_is_shown_short_and_printable(attach, named):
    found = asked(attach("x"), [named("one", 'subject: "a"')], facts=MailFacts("\x1b[2J\n" + "x" * 500))
    assert isinstance(found, Unclaimed)
    assert found.why.isprintable()
    assert len(found.why) < 120


def test_content_is_read_as_the_definition_says(attach, define):
    ebcdic = define(
        "claim: {content: 'VOLUME*'}\ntable: {kind: fixed, encoding: cp037}\nfields: {volume: {column: [1, 6]}}"
    )
    assert isinstance(asked(attach("VOLUME LIST\nA00001\n".encode("cp037")), [ebcdic]), Claimed)
    assert isinstance(asked(attach(b"VOLUME LIST\nA00001\n"), [ebcdic]), Claimed)
    plain = define("claim: {content: 'VOLUME*'}\ntable: {kind: fixed}\nfields: {volume: {column: [1, 6]}}")
    assert isinstance(asked(attach("VOLUME LIST\nA00001\n".encode("cp037")), [plain]), Unclaimed)


def test_a_definition_without_criteria_reads_what_the_others_of_its_tier_leave(attach, define, named):
    plain, left = (
        named("plain", 'attachment: "*.csv"'),
        define("name: left\nclaim: named\nfields: {volume: {column: 1}}"),
    )
    assert asked(attach(path="a.csv"), [left, plain]) == Claimed(plain)
    assert asked(attach(path="a.txt"), [left, plain]) == Claimed(left)
    assert asked(attach(path="a.txt"), [plain], [left]) == Claimed(left)
    other = left._replace(name="other")
    assert asked(attach(path="a.txt"), [left, other]) == Ambiguous(("left", "other"))


def test_a_definition_without_criteria_reads_the_mails_text_only_when_nothing_is_attached(attach, define):
    left = define("claim: named\nfields: {volume: {column: 1}}")
    body = attach(path="(body)", body=True)
    assert asked(body, [left]) == Claimed(left)
    assert isinstance(asked(body, [left], facts=FACTS._replace(attached=True)), Unclaimed)


def test_the_html_of_a_mail_goes_by_the_name_of_its_body_too(attach, named):
    html = attach("<p>", "(html)", content_type="text/html", body=True)
    assert isinstance(asked(html, [named("one", 'attachment: "(body)"')]), Claimed)
    assert isinstance(asked(html._replace(body=False), [named("one", 'attachment: "(body)"')]), Unclaimed)
