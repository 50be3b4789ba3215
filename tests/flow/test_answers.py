"""What a mail is answered, with a real server: from where volumes are moved, what is no move, and what was not read."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from sites import Site, extract, library_csv, load, make_site, report_mail, served, volume_names

NAMES = volume_names(40)
INVENTORY = """\
name: inventory
claim: {attachment: "inventory.csv"}
table: {kind: delimited, header: first}
inventory_of: OFFS
confirms: true
fields:
  volume: {column: volume}
  repository: {value: OFFS}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = make_site(tmp_path_factory.mktemp("answers") / "site")
    made.edit("audiences:", "audiences:\n      courier: {to: [courier@example.com], when: change}\n     ")
    made.edit("definitions: [nightly-csv]", "definitions: [inventory, nightly-csv]")
    (made.folder / "definitions" / "inventory.yaml").write_text(INVENTORY)
    definition = made.folder / "definitions" / "nightly-csv.yaml"
    definition.write_text(definition.read_text().replace('"*.csv"', '"extract.csv"'))
    load(made, library_csv(40).replace(b",OFFS", b",LIBR").replace(b",RACK", b",LIBR"))
    with served(made):
        yield made


def answers(site: Site, number: int, mail: bytes) -> dict[str, tuple[str, str]]:
    """The subject and the text of the reply to each address, blanks made one."""
    done = site.filter(mail)
    assert done.returncode == 0, done.stderr.decode()
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in site.replies()]
    mine = [one for one in parsed if one["In-Reply-To"] == f"<report-{number}@backup.example.com>"]
    return {one["To"]: (one["Subject"], " ".join(one.get_body(("plain",)).get_content().split())) for one in mine}


def courier(site: Site, number: int, rows: list[tuple[str, ...]]) -> tuple[str, str]:
    return answers(site, number, report_mail(site, extract(rows), number=number))["courier@example.com"]


def operator(site: Site, number: int, mail: bytes) -> tuple[str, str]:
    (found,) = (reply for to, reply in answers(site, number, mail).items() if to != "courier@example.com")
    return found


def test_a_move_that_is_called_off_before_it_was_made_is_no_pick(site):
    name = NAMES[0]
    assert f"LIBR Library -> OFFS Offsite vault (US01.LTO) [ ] {name}" in courier(site, 1, [(name, "OFFS")])[1]
    subject, text = courier(site, 2, [(name, "LIBR")])
    assert subject == "[mailsync] pick list: US01.LTO nothing to move, 1 cancelled (nightly)"
    assert f"Stays in LIBR Library: 1 volume (US01.LTO), not moved to OFFS Offsite vault {name}" in text
    row = site.export()[name]
    assert (row["repository"], row["current_repository"], row["flags"]) == ("LIBR", "LIBR", "W")


def test_a_volume_that_is_sent_elsewhere_on_its_way_is_picked_where_it_is(site):
    courier(site, 3, [(NAMES[1], "OFFS")])
    subject, text = courier(site, 4, [(NAMES[1], "RACK")])
    assert subject == "[mailsync] pick list: US01.LTO 1 to move (nightly)"
    assert f"Move 1 volume: LIBR Library -> RACK Racking (US01.LTO) [ ] {NAMES[1]}" in text


def test_an_inventory_says_where_volumes_are_and_sends_nobody(site):
    there, underway, seen = NAMES[10], NAMES[11], NAMES[12]
    load(site, f"customer,media,volume,repository,current_repository\nUS01,LTO,{there},OFFS,OFFS\n".encode())
    courier(site, 5, [(underway, "OFFS")])
    mail = report_mail(site, f"volume\n{seen}\n".encode(), number=6, name="inventory.csv")
    found = answers(site, 6, mail)
    (operators,) = (reply for to, reply in found.items() if to != "courier@example.com")
    assert operators[0] == "[mailsync] done: US01.LTO 1 seen elsewhere, 2 alerts (nightly)"
    assert f"Seen in OFFS Offsite vault: 1 volume (US01.LTO), expected in LIBR Library {seen}" in operators[1]
    assert f"inventory.csv: volume US01.LTO.{there} is missing: it should be in OFFS and is not listed" in operators[1]
    assert f"inventory.csv:2: volume US01.LTO.{seen} is unexpected in OFFS: it should be in LIBR" in operators[1]
    assert underway not in operators[1]
    assert seen not in found["courier@example.com"][1]
    again = report_mail(site, f"volume\n{seen}\n{underway}\n{there}\n".encode(), number=7, name="inventory.csv")
    assert operator(site, 7, again)[0] == "[mailsync] done: US01.LTO 2 confirmed (nightly)"
    places = [site.export()[name]["confirmed_repository"] for name in (seen, underway, there)]
    assert places == ["OFFS"] * 3


def test_a_mail_without_an_attachment_is_told_that_it_has_none(site):
    message = email.message_from_bytes(
        report_mail(site, b"", number=8).partition(b"\n")[2], policy=email.policy.default
    )
    bare = EmailMessage()
    for name, value in message.items():
        if not name.lower().startswith(("content-", "mime-")):
            bare[name] = value
    bare.set_content(f"Please move {NAMES[20]} to OFFS.\n")
    subject, text = operator(site, 8, bare.as_bytes())
    assert subject == "[mailsync] refused: nothing could be read (nightly)"
    assert "the mail has no attachment that may be a report, and no definition claims its body" in text
    assert 'claim: {attachment: "(body)"}' in text
    assert "mailsync definitions learn" in " ".join(text.split())
    assert "Nothing could be read: see Notes." in text


def test_a_report_cut_by_another_delimiter_is_one_problem_with_its_remedy(site):
    rows = "".join(f"{name};OFFS\n" for name in NAMES[:7])
    subject, text = operator(site, 9, report_mail(site, f"volume;repository\n{rows}".encode(), number=9))
    assert subject == "[mailsync] refused: nothing could be read, 1 problem (nightly)"
    assert 'Problems: 1 ----------- - extract.csv:1: the line looks cut by ";", the definition says ","' in text
    assert "and 6 more" not in text
    assert "7 cannot be used" in text


def test_an_empty_attachment_is_said_to_be_empty(site):
    _, text = operator(site, 10, report_mail(site, b"", number=10))
    assert "extract.csv: the attachment is empty" in text
    assert "Nothing could be read: see Problems. Have the report sent again, as a new mail." in text
