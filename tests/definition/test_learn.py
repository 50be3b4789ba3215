"""`definitions learn`: proposals for reports of every kind, that load, and give their volumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_tables import _xlsx
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import Attachment, Scope
from mailsync.definition.claim import Claimed, MailFacts, claim
from mailsync.definition.learn import Learned, Unlearned, learn
from mailsync.definition.learn_shapes import first_volume, is_likely
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import first_lines, read_table

SAMPLES = Path(__file__).parent / "samples"
CONTEXT = Context(read_table, scope=Scope("US01", "LTO"))


def attached(content: str | bytes, name: str = "report-7.txt") -> Attachment:
    data = content.encode() if isinstance(content, str) else content
    return Attachment(name, data, "", "", 0, body=False)


def learned(content: str | bytes, name: str = "report-7.txt") -> Learned:
    found = learn(attached(content, name), "learned", CONTEXT, first_lines=first_lines)
    assert isinstance(found, Learned), found
    return found


def volumes(found: Learned) -> list[str]:
    return [volume for records in found.mapped.records for volume in records.volumes]


ANY = "[A-Z0-9]"
RULED = """\
Volume Name   State    Last Update
                       Date
-----------   -----    -----------
A00001L8      VAULT    01/31/2031
a00002l8      COURIER  02/01/2031
/disk/vol.1   VAULT    02/01/2031
CLN001L1      LIBRARY  02/01/2031
"""
LINES = """\
Tape report of 31 January 2031

Volume    Place        Slot
A00001    Iron vault      1
A00002    Library         2
A00003    Iron vault     12
3 volumes
"""
REPORTS = {
    "csv": ("#TYPE X\nName,Pool,Location\nA00001L8,daily,Offsite\nA00002L8,daily,Library\n", "delimited"),
    "headless": ("A00001;1;Vault;daily\nA00002;2;Vault;daily\nA00003;3;Library;weekly\n", "delimited"),
    "ruled": (RULED, "ruled"),
    "records": ("Volume: A00001\nLocation: Vault\n\nVolume: A00002\nLocation: Library\n", "records"),
    "boxed": (
        "+--------+-------+\n| Volume | Slot  |\n+--------+-------+\n| A00001 | 1     |\n+--------+-------+\n",
        "boxed",
    ),
    "lines": (LINES, "fixed"),
    "pattern": ("Element 1:Full :VolumeTag=A00001L5\nElement 12:Full :VolumeTag=A00002L5 :x\n", "lines"),
    "json": ('{"a": {"tapes": [{"id": "A00001", "location": "Vault"}, {"id": "A00002"}]}}', "json"),
    "html": ("<table><tr><td>Barcode</td><td>Vault</td></tr><tr><td>A00001</td><td>OFFS</td></tr></table>", "html"),
    "ebcdic": (LINES.encode("cp037"), "fixed"),
    "workbook": (_xlsx([("Tapes", ""), ("Barcode", "Location"), ("A00001", "Vault"), ("A00002", "Vault")]), "workbook"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_each_kind_is_learned(name):
    content, kind = REPORTS[name]
    found = learned(content)
    assert found.definition.layout.kind == kind
    assert volumes(found)[0].startswith("A00001")
    assert all(volume.startswith("A0000") for volume in volumes(found))


@pytest.mark.parametrize("name", REPORTS)
def test_a_proposal_loads_from_its_text_and_claims_its_report(name):
    found = learned(REPORTS[name][0])
    again = load_definition("learned.yaml", found.text, [])
    assert again == found.definition
    report = attached(REPORTS[name][0])
    assert claim(report, MailFacts(), [[again]], first_lines=first_lines) == Claimed(again)


def test_a_proposal_says_what_it_is_made_of_and_where_it_is_unsure():
    assert learned(RULED).text.splitlines()[2:] == [
        "name: learned",
        'claim: {content: "*Volume*State*Last*"}  # which reports it reads: say it as precisely as you can',
        "table: {kind: ruled, header: 2}",
        "skip:",
        '  - {field: volume, matches: "CLN*", reason: cleaning tape}',
        '  - {field: volume, matches: "/*", reason: disk volume}',
        (
            f'  - {{field: volume, unless: ["{ANY * 5}[0-9]{ANY * 2}", "{ANY * 5}[0-9]"], reason: no volume}}'
            "  # their lengths, and a digit"
        ),
        "fields:",
        "  volume: {column: Volume Name, upper: true}  # A00001L8, a00002l8, CLN001L1",
        "  repository: {column: State}  # VAULT, COURIER, LIBRARY: what the route's repositories map",
        '  write_time: {column: Last Update Date, date: "%m/%d/%Y"}',
    ]


LOG = """\
06:00:01 INFO tape A00001L8 moved to VAULT
06:00:04 INFO tape A00002L8 moved to LIBRARY
06:00:09 WARN drive 3 needs cleaning, again
"""


def test_a_prefix_that_was_not_seen_yet_is_not_left_out():
    definition = learned(LOG, "movements.txt").definition
    later = LOG.replace("A00001L8", "QX0007L8").replace("A00002L8", "QX0008")
    (records,) = map_attachment(attached(later), definition, CONTEXT).records
    assert records.volumes == ["QX0007L8", "QX0008"]


def test_a_proposal_by_words_says_that_it_leaves_out_lines_of_more_or_fewer():
    lines = learned(LOG).text.splitlines()
    assert next(line for line in lines if line.startswith("table:")).endswith(
        "  # a line of more or fewer words is left out"
    )
    assert "left out" not in learned(LINES).text


def test_words_of_the_lengths_of_volumes_are_left_out():
    found = learned(LINES.replace("3 volumes", "VOLSER    Anywhere     14\nCARTRIDG  Anywhere     14"))
    assert volumes(found) == ["A00001", "A00002", "A00003"]


def test_other_columns_that_look_like_volumes_are_told():
    found = learned("Monday,Tuesday,Rack\nA00001L8,A00002L8,A12\nA00003L8,A00004L8,A13\nA00005L8,,A14\n")
    assert volumes(found) == ["A00001L8", "A00003L8", "A00005L8"]
    assert [line for line in found.text.splitlines() if line.startswith("  # not used")] == [
        '  # not used: Tuesday, such as "A00002L8": VOLUMES TOO? Only one column of them is read',
        '  # not used: Rack, such as "A12"',
    ]


def test_a_column_of_dates_is_no_place_whatever_its_caption():
    found = learned("Volume,Owner,Retain To\nA00001,ops,31/12/2031\nA00002,ops,30/12/2031\n")
    assert [rule.name for rule in found.definition.fields] == ["volume", "expiry_date"]


@pytest.mark.parametrize("caption", ["Residence", "Ort", "Stored at", "Depot name"])
def test_a_caption_may_mean_a_place_in_words_of_its_own(caption):
    found = learned(f"Volume,Owner,{caption}\nA00001,ops,Cellar\nA00002,dev,Cellar\n")
    assert f"repository: {{column: {caption}}}  # Cellar" in found.text


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("9.txt", "9.txt"), ("2031-01-31.txt", "2031-01-31.txt"), ("movements-7.txt", "movements-*.txt"), ("77", "77")],
)
def test_a_claim_by_name_is_never_by_the_ending_alone(name, claimed):
    assert [one.text for one in learned(LOG, name).definition.claim.attachment] == [claimed]


def test_a_date_that_may_be_two_is_proposed_and_not_read():
    found = learned("Volume,Expires,Slot\nA00001,01/02/2031,3\nA00002,03/04/2031,4\n")
    line = '  # expiry_date: {column: Expires, date: "%d/%m/%Y"}  # its dates may be %d/%m/%Y or %m/%d/%Y'
    assert line in found.text.splitlines()
    assert [rule.name for rule in found.definition.fields] == ["volume", "slot"]


def test_volumes_that_contradict_themselves_count_as_the_last_one_says():
    found = learned("Volume,Location\nA00001,Vault\nA00002,Vault\nA00001,Library\n")
    assert found.definition.duplicates == "last"
    assert "duplicates: last  # some volumes are listed twice" in found.text


def test_a_barcode_that_is_not_said_is_filled_from_the_other_column():
    found = learned("media,barcode,location\nA00001,A00001L8,Vault\nA00002,-,Vault\nA00003,A00003L8,Library\n")
    assert volumes(found) == ["A00001L8", "A00002", "A00003L8"]


def test_several_volumes_in_a_cell_are_split():
    found = learned("Set;Tapes;Vault\nMonday;A00001L8, A00002L8;Harbour\nTuesday;A00003L8;Harbour\n")
    assert sorted(volumes(found)) == ["A00001L8", "A00002L8", "A00003L8"]


@pytest.mark.parametrize("text", ["", "Dear all,\nplease find the tapes enclosed.\n", "a,b\n1,2\n", b"\x89PNG\0\0"])
def test_where_nothing_looks_like_volumes_there_is_no_proposal(text):
    found = learn(attached(text), "learned", CONTEXT, first_lines=first_lines)
    assert found == Unlearned("no column of it looks like volumes, however it is read")


def test_the_same_report_gives_the_same_proposal():
    for name in ("boxed-joblog.sample.txt", "html-nested.sample.html", "ruled-libvolumes.sample.txt"):
        content = (SAMPLES / name).read_bytes()
        assert learned(content).text == learned(content).text


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("A00001L8", True),
        ("000001", True),
        ("BACKUP01", True),
        ("a00001l8", True),
        ("slot14", False),
        ("TAPEPOOL", False),
        ("12", False),
        ("2031-01-31", False),
        ("/disk/1", False),
    ],
)
def test_what_a_volume_looks_like(text, likely):
    assert is_likely(text) is likely


@pytest.mark.parametrize(
    ("text", "volume"),
    [("[A00001L8] label", "A00001L8"), ("A00001L8(R)", "A00001L8"), ("A00001.dat", ""), ("the A00001", "")],
)
def test_the_volume_is_the_first_word_of_a_cell(text, volume):
    assert first_volume(text) == volume


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=120) | st.text(alphabet="A0123 ,:;=|+-\n[{<table>tr", max_size=200).map(str.encode))
def test_whatever_comes_is_learned_or_not(content):
    report = attached(b"A00001L8,x\nA00002L8,y\n" + content)
    assert isinstance(learn(report, "learned", CONTEXT, first_lines=first_lines), Learned | Unlearned)
