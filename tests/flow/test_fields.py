"""Every field that a report may set, by mail: planned, applied, exported, and told in the reply.

Containers, data clusters, grants and attributes are the server's to judge: what it refuses comes back with mail, file
and line, and the rest of the mail goes on.
"""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json

import pytest
from sites import Site, load, make_site, report_mail, served

from mailsync.core.fields import ATTRIBUTE_NAMES, SYNC_FIELDS

DEFINITION = """\
name: fields
claim: {attachment: "*.csv"}
fields:
  customer: {column: customer}
  media: {column: media}
  volume: {column: volume}
"""
# Of each field: what the report says, and what the server keeps.
SAID = {
    "description": ("Payroll 2026", "Payroll 2026"),
    "repository": ("OFFS", "OFFS"),
    "home_repository": ("RACK", "RACK"),
    "container": ("US01.BOX.BOX001", "US01.BOX.BOX001"),
    "slot": ("A-17", "A-17"),
    "data_cluster": ("north", "north"),
    "system": ("db7", "db7"),
    "move_date": ("2026-12-24", "2026-12-24"),
    "write_time": ("2026-11-20T04:05:06+02:00", "2026-11-20T02:05:06Z"),
    "expiry_date": ("2033-01-31", "2033-01-31"),
    "scratch": ("TRUE", "yes"),
    "encrypted": ("YES", "yes"),
    "attribute_7": ("tier 2", "tier 2"),
}
VOLUMES = {field: f"F{number:05d}" for number, field in enumerate(SAID)}


def definition(fields) -> str:
    return DEFINITION + "".join(f"  {name}: {{column: {name}, optional: true}}\n" for name in fields)


def report(*rows: dict[str, str]) -> bytes:
    """A report of rows, `barcode` being the volume and everything else a field."""
    captions = [
        "customer",
        "media",
        "volume",
        *dict.fromkeys(name for row in rows for name in row if name != "barcode"),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, captions, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(dict(zip(captions[:3], row["barcode"].split("."), strict=True)) | row)
    return text.getvalue().encode()


def reply(site: Site, number: int):
    """The one reply to a mail."""
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in site.replies()]
    (mine,) = (one for one in parsed if one["In-Reply-To"] == f"<report-{number}@backup.example.com>")
    return mine


def text_of(message) -> str:
    """Its text, blanks made one."""
    return " ".join(message.get_body(("plain",)).get_content().split())


def exported(site: Site, scope: str) -> dict[str, dict[str, str]]:
    done = site.run("server", "export", "--scope", scope, "--attributes")
    assert done.returncode == 0, done.stderr
    return {row["volume"]: row for row in csv.DictReader(io.StringIO(done.stdout.decode()))}


def server(site: Site, *words: str) -> None:
    done = site.run("server", *words)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A served site with three scopes: volumes, boxes that hold some, and another customer's volumes."""
    made = make_site(tmp_path_factory.mktemp("fields") / "site")
    made.edit("definitions: [nightly-csv]", "definitions: [fields]")
    made.edit("max_share_moved: 0.3", "max_share_moved: 1")
    (made.folder / "definitions" / "fields.yaml").write_text(definition(SAID))
    (made.folder / "definitions" / "nightly-csv.yaml").unlink()
    for scope in ("US01.BOX", "US02.LTO", "US03.LTO"):
        server(made, "scope", "add", scope, "--default", "LIBR")
        for place in ("OFFS", "RACK"):
            server(made, "repository", "add", scope, place)
    server(made, "repository", "set", "US01.BOX", "OFFS", "--offsite")
    server(made, "cluster", "add", "north")
    plain = "customer,media,volume,repository\n"
    rows = [f"US01,LTO,{name},LIBR" for name in (*VOLUMES.values(), *(f"P{number:05d}" for number in range(60)))]
    rows += [f"US01,BOX,BOX{number:03d},LIBR" for number in range(1, 9)]
    rows += [f"{customer},LTO,A{number:05d},LIBR" for customer in ("US02", "US03") for number in range(9)]
    load(made, (plain + "\n".join(rows) + "\n").encode())
    with served(made):
        yield made


@pytest.fixture(scope="module")
def told(site):
    """A mail that sets every field, each of a volume of its own: what was planned, kept and answered."""
    rows = [{"barcode": f"US01.LTO.{VOLUMES[field]}", field: said} for field, (said, _) in SAID.items()]
    mail = report_mail(site, report(*rows), number=1)
    seen = site.run("explain", "--json", "--recipient", site.recipient, stdin=mail)
    assert seen.returncode == 0, seen.stderr
    done = site.filter(mail)
    assert done.returncode == 0, done.stderr
    return json.loads(seen.stdout), exported(site, "US01.LTO"), text_of(reply(site, 1))


def test_every_field_a_report_may_set_is_among_those_shown_here():
    assert set(SYNC_FIELDS) - set(ATTRIBUTE_NAMES) == set(SAID) - {"attribute_7"}


@pytest.mark.parametrize("field", SAID)
def test_a_field_is_planned_applied_exported_and_told(told, field):
    planned, kept, text = told
    volume, value = f"US01.LTO.{VOLUMES[field]}", SAID[field][1]
    steps = [(one["field"], one["to"], one["origin"]) for one in planned["plan"]["steps"] if one["volume"] == volume]
    assert steps == [(field, value, f"extract.csv:{list(SAID).index(field) + 2}")]
    assert kept[VOLUMES[field]][field] == value
    if field == "repository":
        assert f"(US01.LTO) [ ] {VOLUMES[field]}" in text
    else:
        before = "(not known here)" if field == "attribute_7" else "(unset)"
        assert f"{volume} {field}: {before} -> {value}" in text


def test_an_attribute_that_is_so_already_changes_nothing(told, site):
    row = {"barcode": f"US01.LTO.{VOLUMES['attribute_7']}", "attribute_7": "tier 2"}
    assert site.filter(report_mail(site, report(row), number=2)).returncode == 0
    assert reply(site, 2)["Subject"] == "[mailsync] no change: US01.LTO 1 unchanged (nightly)"
    assert told[1][VOLUMES["attribute_7"]]["attribute_7"] == "tier 2"


def test_descriptions_are_pushed_to_an_attribute(site):
    extract = report({"barcode": "US01.LTO.P00050", "description": "Tier 3"})
    done = site.run("push", "--definition", "fields", "-A", "9", stdin=extract)
    assert done.returncode == 0, done.stderr
    kept = exported(site, "US01.LTO")["P00050"]
    assert (kept["description"], kept["attribute_9"]) == ("", "Tier 3")
    assert site.run("push", "--definition", "fields", "-A", "0", stdin=extract).returncode == 0
    assert exported(site, "US01.LTO")["P00050"]["description"] == "Tier 3"


@pytest.mark.parametrize(("number", "why"), [("201", "no such attribute"), ("7", "attribute_7 already")])
def test_an_attribute_that_cannot_take_descriptions_is_told(site, number, why):
    done = site.run("push", "--definition", "fields", "-A", number, stdin=b"")
    assert done.returncode == 2
    assert why in done.stderr.decode()


def test_a_container_that_moves_is_one_piece_and_the_reply_names_what_went_along(site):
    inside = ["US01.LTO.P00001", "US01.LTO.P00002", "US02.LTO.A00001"]
    rows = [{"barcode": one, "container": "US01.BOX.BOX002"} for one in inside]
    assert site.filter(report_mail(site, report(*rows), number=3)).returncode == 0
    moving = report_mail(site, report({"barcode": "US01.BOX.BOX002", "repository": "OFFS"}), number=4)
    seen = site.run("explain", "--json", "--recipient", site.recipient, stdin=moving)
    (step,) = json.loads(seen.stdout)["plan"]["steps"]
    assert step["reason"] == "differs; what is in it goes along"
    assert site.filter(moving).returncode == 0
    assert [exported(site, one[:8])[one[9:]]["repository"] for one in inside] == ["OFFS"] * 3
    text = text_of(reply(site, 4))
    assert reply(site, 4)["Subject"] == "[mailsync] done: US01.BOX 1 moved (nightly)"
    assert "1 volume, with 3 more in containers: LIBR" in text
    assert f"[ ] BOX002 with 3 volumes in it: {', '.join(inside)}" in text


def test_what_the_server_refuses_is_a_problem_of_its_row_and_the_rest_goes_on(site):
    load(site, b"customer,media,volume,container,flags\nUS01,LTO,P00010,US01.BOX.BOX003,L\n")
    rows = [
        {"barcode": "US01.BOX.BOX003", "repository": "OFFS"},
        {"barcode": "US01.LTO.P00011", "data_cluster": "nowhere"},
        {"barcode": "US01.LTO.P00012", "container": "US01.BOX.BOX999"},
        {"barcode": "US01.LTO.P00013", "slot": "B-1"},
        {"barcode": "US01.LTO.P00014", "attribute_7": "x" * 257},
        {"barcode": "US02.LTO.A00002", "slot": "B-2"},
    ]
    assert site.filter(report_mail(site, report(*rows), number=5)).returncode == 0
    text = text_of(reply(site, 5))
    expected = [
        "extract.csv:2: volume US01.BOX.BOX003 not moved LIBR -> OFFS: the server forbids it",
        "(it holds US01.LTO.P00010: the volume is locked)",
        "extract.csv:3: volume US01.LTO.P00011 data_cluster not set: the server does not take the value",
        '(data_cluster: data cluster "nowhere" is unknown)',
        "extract.csv:4: volume US01.LTO.P00012 container not set: the server does not take the value",
        '(container: volume "US01.BOX.BOX999" is unknown)',
        "extract.csv:6: ",
    ]
    assert [one for one in expected if one not in text] == []
    assert exported(site, "US01.LTO")["P00013"]["slot"] == "B-1"
    assert exported(site, "US02.LTO")["A00002"]["slot"] == "B-2"
    assert exported(site, "US01.BOX")["BOX003"]["repository"] == "LIBR"


def test_volumes_beyond_the_cap_or_against_the_filter_are_refused_by_row(site):
    site.edit("add_unknown: false", "add_unknown: true")
    server(site, "scope", "set", "US03.LTO", "--filter", "A*", "--cap", "10")
    try:
        rows = [{"barcode": f"US03.LTO.{name}", "slot": "1"} for name in ("A00090", "A00091", "B00001")]
        assert site.filter(report_mail(site, report(*rows), number=6)).returncode == 0
    finally:
        site.edit("add_unknown: true", "add_unknown: false")
    text = text_of(reply(site, 6))
    assert "extract.csv:3: volume US03.LTO.A00091 not added" in text
    assert "the media type is full: it has at most 10 volumes" in text
    assert "extract.csv:4: volume US03.LTO.B00001 not added" in text
    assert "the media type takes only volumes like A*" in text
    assert exported(site, "US03.LTO")["A00090"]["repository"] == "LIBR"


def test_a_scope_that_may_not_be_written_is_refused_and_the_rest_of_the_mail_goes_on(site):
    server(site, "grant", "remove", "filter", "*")
    server(site, "grant", "add", "filter", "US01:write")
    server(site, "grant", "add", "filter", "US02:read")
    try:
        rows = [
            {"barcode": "US01.LTO.P00020", "slot": "C-1"},
            {"barcode": "US02.LTO.A00005", "slot": "C-2"},
            {"barcode": "US03.LTO.A00005", "slot": "C-3"},
        ]
        done = site.filter(report_mail(site, report(*rows), number=7))
    finally:
        server(site, "grant", "remove", "filter", "US01")
        server(site, "grant", "remove", "filter", "US02")
        server(site, "grant", "add", "filter", "*:write")
    assert done.returncode == 0, done.stderr
    message = reply(site, 7)
    text = text_of(message)
    assert "refused in part" in message["Subject"]
    assert "US02.LTO is not this site's to write" in text
    assert "mailsync server grant add USER 'US02:write'" in text
    assert "the server has no scope US03.LTO" in text
    assert exported(site, "US01.LTO")["P00020"]["slot"] == "C-1"
    assert exported(site, "US02.LTO")["A00005"]["slot"] == ""


def test_a_repository_told_by_its_description_is_looked_up_as_soon_as_it_is_there(site):
    (site.folder / "definitions" / "fields.yaml").write_text(
        definition([name for name in SAID if name != "repository"])
        + "  repository_desc: {column: place, optional: true}\n"
    )
    try:
        server(site, "repository", "add", "US01.LTO", "VLT1", "--description", "North vault", "--type", "Vault")
        row = {"barcode": "US01.LTO.P00030", "place": "North vault"}
        assert site.filter(report_mail(site, report(row), number=8)).returncode == 0
    finally:
        (site.folder / "definitions" / "fields.yaml").write_text(definition(SAID))
    assert exported(site, "US01.LTO")["P00030"]["repository"] == "VLT1"


def test_a_move_date_that_has_passed_is_listed_as_overdue(site):
    load(site, b"customer,media,volume,move_date\nUS01,LTO,P00040,2020-01-31\n")
    listed = site.run("server", "overdue", "--json", "--scope", "US01.LTO")
    assert listed.returncode == 0, listed.stderr
    (due,) = (one for one in json.loads(listed.stdout)["volumes"] if one["volume"] == "P00040")
    assert (due["reason"], due["move_date"]) == ("move date", "2020-01-31")
