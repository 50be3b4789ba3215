"""A report whose rows change their scope in the middle, by mail: a plan for each, and one reply that names them all."""

from __future__ import annotations

import email
import email.policy
import json

import pytest
from sites import PER_ROW, Site, library_csv, load, make_site, report_mail, served, volume_names

NAMES = volume_names(20)
OTHERS = ("US02.LTO", "US02.3592")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = make_site(tmp_path_factory.mktemp("scopes") / "site")
    made.edit("definitions: [nightly-csv]", "definitions: [per-row]")
    (made.folder / "definitions" / "per-row.yaml").write_text(PER_ROW)
    (made.folder / "definitions" / "nightly-csv.yaml").unlink()
    for scope in ("US01.LTO", *OTHERS):
        if scope in OTHERS:
            assert made.run("server", "scope", "add", scope, "--default", "LIBR").returncode == 0
            for place in ("OFFS", "RACK"):
                assert made.run("server", "repository", "add", scope, place).returncode == 0
        load(made, library_csv(20, scope=scope).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    with served(made):
        yield made


def rows_of(scope: str, places: list[tuple[str, str]]) -> str:
    return "".join(f"{scope.replace('.', ',')},{name},{place}\n" for name, place in places)


def mail(site: Site, number: int, *parts: str) -> bytes:
    return report_mail(site, f"customer,media,volume,repository\n{''.join(parts)}".encode(), number=number)


def reply(site: Site, number: int) -> tuple[str, str]:
    """The subject and the text of the one reply, blanks made one."""
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in site.replies()]
    (mine,) = (one for one in parsed if one["In-Reply-To"] == f"<report-{number}@backup.example.com>")
    return mine["Subject"], " ".join(mine.get_body(("plain",)).get_content().split())


def places(site: Site, scope: str, names: list[str]) -> list[str]:
    held = site._replace(scope=scope).export()
    return [held[name]["repository"] for name in names]


def test_every_scope_gets_its_plan_and_problems_cite_their_lines(site):
    content = mail(
        site,
        1,
        rows_of("US01.LTO", [(NAMES[0], "OFFS")]),
        rows_of("US02.LTO", [(NAMES[1], "RACK"), ("B00009", "RACK")]),
        rows_of("US01.LTO", [(NAMES[2], "OFFS"), (NAMES[3], "NOWHERE")]),
        rows_of("US02.3592", [(NAMES[4], "OFFS"), ("!", "OFFS")]),
    )
    seen = json.loads(site.run("explain", "--json", "--recipient", site.recipient, stdin=content).stdout)
    assert {(step["volume"].rpartition(".")[0], step["origin"]) for step in seen["plan"]["steps"]} == {
        ("US01.LTO", "extract.csv:2"),
        ("US02.LTO", "extract.csv:3"),
        ("US01.LTO", "extract.csv:5"),
        ("US02.3592", "extract.csv:7"),
    }
    assert [one["origin"] for one in seen["problems"]] == [f"extract.csv:{line}" for line in (4, 6, 8)]
    assert site.filter(content).returncode == 0
    subject, text = reply(site, 1)
    assert subject == "[mailsync] done: US01.LTO, US02.3592, US02.LTO 4 moved, 3 problems (nightly)"
    for scope, count in (("US01.LTO", 2), ("US02.LTO", 1), ("US02.3592", 1)):
        assert f"Scope: {scope}: done, version" in text
        assert f"{count} volume" in text
        assert f"({scope})" in text
    assert "volume US02.LTO.B00009 is unknown to the server" in text
    assert places(site, "US01.LTO", [NAMES[0], NAMES[2], NAMES[3]]) == ["OFFS", "OFFS", "LIBR"]
    assert places(site, "US02.LTO", [NAMES[0], NAMES[1]]) == ["LIBR", "RACK"]


def test_a_scope_whose_guard_objects_does_not_stop_the_others(site):
    content = mail(
        site,
        2,
        rows_of("US02.LTO", [(name, "OFFS") for name in NAMES[5:15]]),
        rows_of("US01.LTO", [(NAMES[5], "OFFS")]),
    )
    seen = json.loads(site.run("explain", "--json", "--recipient", site.recipient, stdin=content).stdout)
    assert [(one["guard"], one["scope"]) for one in seen["objections"]] == [("max_share_moved", "US02.LTO")]
    assert site.filter(content).returncode == 0
    subject, text = reply(site, 2)
    assert subject == ("[mailsync] refused in part: US02.LTO refused, US01.LTO done, 1 moved, 10 would move (nightly)")
    assert "Refused in part: 1 of 2 scopes done." in text
    assert "Scope: US01.LTO: done, version" in text
    assert "Scope: US02.LTO: refused: nothing was applied" in text
    # What an earlier mail of the source moved is told in between, where there was one.
    assert "10 of the 20 volumes of US02.LTO would get another target" in text
    assert "more than max_share_moved: 0.3" in text
    assert "If it is right: raise max_share_moved" in text
    assert places(site, "US01.LTO", [NAMES[5]]) == ["OFFS"]
    assert places(site, "US02.LTO", list(NAMES[5:15])) == ["LIBR"] * 10


def test_a_report_whose_every_scope_is_refused_is_refused(site):
    parts = [rows_of(scope, [(name, "OFFS") for name in NAMES[5:15]]) for scope in OTHERS]
    assert site.filter(mail(site, 3, *parts)).returncode == 0
    subject, text = reply(site, 3)
    assert subject == "[mailsync] refused: US02.3592, US02.LTO 20 would move (nightly)"
    assert "Refused: nothing was applied." in text


def test_what_stops_a_whole_report_stops_each_of_its_scopes(site):
    content = mail(
        site,
        4,
        rows_of("US02.LTO", [(NAMES[16], "OFFS"), *[("!", "OFFS")] * 5]),
        rows_of("US01.LTO", [(NAMES[16], "OFFS")]),
    )
    assert site.filter(content).returncode == 0
    assert reply(site, 4)[0].startswith("[mailsync] refused: US01.LTO, US02.LTO 2 would move, ")
    assert places(site, "US01.LTO", [NAMES[16]]) == ["LIBR"]
