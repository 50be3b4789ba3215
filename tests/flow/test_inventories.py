"""Lists that say where volumes are, by mail: what one run leaves on the server, and whom it tells of what."""

from __future__ import annotations

import email
import email.policy
import json
from email.message import EmailMessage

import pytest
from sites import Site, library_csv, load, make_site, served, volume_names

NAMES = volume_names(40)
VAULT = """\
name: vault
claim: {attachment: "vault*.csv"}
table: {kind: delimited, header: first, totals: {line: "^TOTAL ([0-9]+)", wrong: note}}
inventory_of: OFFS
confirms: true
fields:
  volume: {column: volume}
  slot: {column: slot, optional: true, max: 10}
"""
RACKS = """\
name: racks
claim: {attachment: "racks.csv"}
inventory_of: RACK
fields:
  customer: {column: customer}
  media: {column: media}
  volume: {column: volume}
  repository: {value: RACK}
"""
OFFS, RACK, LIBR = NAMES[:8], NAMES[8:12], NAMES[12:]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = make_site(tmp_path_factory.mktemp("inventories") / "site")
    made.edit("audiences:", "audiences:\n      courier: {to: [courier@example.com], when: always}\n     ")
    made.edit("definitions: [nightly-csv]", "definitions: [vault, racks]")
    (made.folder / "definitions" / "vault.yaml").write_text(VAULT)
    (made.folder / "definitions" / "racks.yaml").write_text(RACKS)
    (made.folder / "definitions" / "nightly-csv.yaml").unlink()
    load(made, library_csv(40))
    place = [(name, "OFFS") for name in OFFS] + [(name, "RACK") for name in RACK] + [(name, "LIBR") for name in LIBR]
    rows = "".join(f"US01,LTO,{name},{where},{where},{where}\n" for name, where in place)
    load(made, f"customer,media,volume,repository,current_repository,confirmed_repository\n{rows}".encode())
    with served(made):
        yield made


def mail(site: Site, number: int, **attachments: str) -> bytes:
    """A mail with these attachments, by name (`_` for the dot)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = site.sender, "tapes@example.com", f"list {number}"
    message["Date"] = "Mon, 23 Nov 2026 06:00:00 +0000"
    message["Message-ID"] = f"<report-{number}@backup.example.com>"
    message.set_content("See the lists.\n")
    for name, content in attachments.items():
        filename = name.replace("_", ".")
        message.add_attachment(content.encode("latin-1"), maintype="text", subtype="csv", filename=filename)
    return message.as_bytes()


def listed(names, total: int | None = None) -> str:
    """A vault's list; its total is right unless another one is given."""
    return "volume\n" + "".join(f"{name}\n" for name in names) + f"TOTAL {len(names) if total is None else total}\n"


def explained(site: Site, content: bytes) -> dict:
    return json.loads(site.run("explain", "--json", "--recipient", site.recipient, stdin=content).stdout)


def told(document: dict, kind: str) -> list[str]:
    return [f"{one['origin']}: {one['text']}" for one in document[kind]]


def texts(site: Site, number: int) -> dict[str, str]:
    """What each address is answered, blanks made one."""
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in site.replies()]
    mine = [one for one in parsed if one["In-Reply-To"] == f"<report-{number}@backup.example.com>"]
    return {one["To"]: " ".join(one.get_body(("plain",)).get_content().split()) for one in mine}


def test_explain_says_what_is_missing_and_what_is_unexpected_and_where_it_should_be(site):
    seen = explained(site, mail(site, 1, vault_csv=listed([*OFFS[1:], RACK[0]])))
    assert told(seen, "alerts") == [
        f"vault.csv: volume US01.LTO.{OFFS[0]} is missing: it should be in OFFS and is not listed",
        f"vault.csv:9: volume US01.LTO.{RACK[0]} is unexpected in OFFS: it should be in RACK",
    ]
    assert [(step["action"], step["volume"], step["to"]) for step in seen["plan"]["steps"]] == [
        ("confirm", f"US01.LTO.{RACK[0]}", "OFFS"),
        ("seen", f"US01.LTO.{RACK[0]}", "OFFS"),
    ]


@pytest.mark.parametrize(
    ("attachments", "why"),
    [
        pytest.param({"vault_csv": listed(OFFS[2:], total=9)}, "vault.csv: line 8: the report says 9 rows", id="total"),
        pytest.param(
            {"vault_csv": listed(OFFS[2:]).partition("TOTAL")[0]}, "vault.csv: it says no total", id="cut before it"
        ),
        pytest.param(
            {"vault_csv": listed([*OFFS[2:], "!"])}, "1 of its rows are problems and name no volume", id="a row"
        ),
        pytest.param(
            {"vault_csv": listed(OFFS[2:]), "vault2_csv": "tape\nA\n"},
            "vault2.csv: nothing of it could be used",
            id="part",
        ),
        pytest.param(
            {"vault_csv": listed(OFFS[2:]), "vault2_csv.gz": "\x1f\x8b\x08\0cut"}, "vault2.csv.gz: ", id="damaged part"
        ),
    ],
)
def test_what_is_not_listed_is_a_note_where_the_list_may_not_be_whole(site, attachments, why):
    seen = explained(site, mail(site, 4, **attachments))
    assert told(seen, "alerts") == []
    (note,) = (one for one in told(seen, "notes") if "no alert" in one)
    assert "vault.csv: 2 of US01.LTO should be in OFFS and are not listed, which is no alert: " in note
    assert why in note


def test_a_volume_whose_row_is_a_problem_is_not_missing(site):
    rows = "".join(f"{name},1\n" for name in OFFS[2:])
    content = f"volume,slot\n{rows}{OFFS[1]},a\x07b\nTOTAL 7\n"
    seen = explained(site, mail(site, 5, vault_csv=content))
    assert len(seen["problems"]) == 1
    assert [OFFS[0] in one for one in told(seen, "alerts")] == [True]


def test_volumes_that_two_lists_contradict_each_other_about_cite_both_and_are_not_missing(site):
    one = "volume,slot\n" + "".join(f"{name},1\n" for name in OFFS) + "TOTAL 8\n"
    seen = explained(site, mail(site, 6, vault_csv=one, vault2_csv=f"volume,slot\n{OFFS[3]},2\nTOTAL 1\n"))
    assert told(seen, "problems") == [
        f'vault2.csv:2: volume US01.LTO.{OFFS[3]}: slot is "1" at vault.csv:5 and "2" here'
    ]
    assert seen["alerts"] == []


def test_two_inventories_in_one_mail_each_speak_for_their_place(site):
    racks = "customer,media,volume\n" + "".join(f"US01,LTO,{name}\n" for name in (RACK[0], *RACK[2:]))
    seen = explained(site, mail(site, 7, vault_csv=listed(OFFS), racks_csv=racks))
    assert told(seen, "alerts") == [
        f"racks.csv: volume US01.LTO.{RACK[1]} is missing: it should be in RACK and is not listed"
    ]


def test_an_inventory_says_nothing_of_a_scope_it_does_not_speak_of(site):
    assert site.run("server", "scope", "add", "US02.LTO").returncode == 0
    load(site, b"customer,media,volume,repository\nUS02,LTO,B00001,RACK\nUS02,LTO,B00002,RACK\n")
    rows = "".join(f"US01,LTO,{name}\n" for name in RACK)
    seen = explained(site, mail(site, 8, racks_csv=f"customer,media,volume\n{rows}"))
    assert seen["alerts"] == []
    seen = explained(site, mail(site, 9, racks_csv=f"customer,media,volume\n{rows}US02,LTO,B00001\n"))
    assert told(seen, "alerts") == [
        "racks.csv: volume US02.LTO.B00002 is missing: it should be in RACK and is not listed"
    ]


def test_one_run_leaves_the_truth_and_the_courier_is_not_troubled(site):
    assert site.filter(mail(site, 2, vault_csv=listed([*OFFS[1:], RACK[0]]))).returncode == 0
    row = site.export()[RACK[0]]
    places = row["repository"], row["current_repository"], row["confirmed_repository"], row["flags"]
    assert places == ("OFFS", "OFFS", "OFFS", "")
    found = texts(site, 2)
    courier = found.pop("courier@example.com")
    assert courier.startswith("Nothing to move.")
    assert "missing" not in courier
    assert RACK[0] not in courier
    (operator,) = found.values()
    assert f"volume US01.LTO.{OFFS[0]} is missing" in operator
    assert f"vault.csv:9: volume US01.LTO.{RACK[0]} is unexpected in OFFS: it should be in RACK" in operator
    again = explained(site, mail(site, 3, vault_csv=listed([*OFFS, RACK[0]])))
    assert (again["plan"]["steps"], again["alerts"], again["problems"]) == ([], [], [])
