"""Who reads what of a mail, tier by tier: the site's definitions, the built-in ones, the captions."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

import pytest
from sites import extract, make_site

from mailsync.config.catalogue import Catalogue
from mailsync.config.site import load_site
from mailsync.flow.reading import mail_report
from mailsync.mail.verdict import Action, Verdict

BUILT_IN = "mtx-status"
CATALOGUE = Catalogue()
SAMPLE = CATALOGUE.file(BUILT_IN).with_name(f"{BUILT_IN}.sample.txt").read_bytes()
CAPTIONED = b"Barcode;Vault\nA00001L8;OFFS\nA00002L8;OFFS\n"


@pytest.fixture
def made(tmp_path):
    return make_site(tmp_path / "site")


@pytest.fixture
def read(made):
    """What becomes of a mail with this text and these attachments: a report."""

    def report(
        *attachments: tuple[str, bytes],
        text: bytes = b"The report is attached.\n",
        html: bytes = b"",
        subject: str = "",
    ):
        message = EmailMessage()
        if text:
            message.set_content(text.decode())
        if html:
            (message.add_alternative if text else message.set_content)(html.decode(), subtype="html")
        for name, content in attachments:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        site = load_site(made.config)
        return mail_report(
            message.as_bytes(), Verdict(Action.PROCESS, "", subject=subject), site.routes[0], site, now=0
        )()

    return report


def definitions(report) -> list[tuple[str, str]]:
    return [(one.attachment, one.definition) for one in report.mapped]


def test_a_report_that_no_definition_of_the_site_claims_is_read_by_a_built_in_one(read):
    report = read(("report.dat", SAMPLE))
    assert definitions(report) == [("report.dat", BUILT_IN)]
    assert report.source == f"nightly/{BUILT_IN}"
    assert not report.problems


def test_a_definition_of_the_site_with_the_name_of_a_built_in_one_stands_for_it(made, read):
    text = f"name: {BUILT_IN}\nclaim: {{attachment: other.txt}}\nfields: {{volume: {{column: 1}}}}\n"
    (made.folder / f"definitions/{BUILT_IN}.yaml").write_text(text)
    report = read(("report.dat", SAMPLE))
    assert definitions(report) == []
    assert "ignored, no definition claims it" in report.notes[0].text


def test_the_mails_own_text_is_read_where_nothing_attached_is(read):
    assert definitions(read(text=SAMPLE)) == [("(body)", BUILT_IN)]
    assert definitions(read(("logo.bin", b"\0\1\2"), text=SAMPLE)) == [("(body)", BUILT_IN)]
    attached = ("extract.csv", extract([("A00001", "OFFS")]))
    assert definitions(read(attached, text=SAMPLE)) == [("extract.csv", "nightly-csv")]


def test_a_mail_whose_attachments_the_site_reads_costs_nothing_of_the_catalogue(made, read):
    read(("extract.csv", extract([("A00001", "OFFS")])))
    assert list((made.folder / "state/cache/trees").glob("catalogue.*")) == []


def test_a_table_that_nobody_defined_is_read_by_its_captions_and_the_reply_says_how(read):
    report = read(("tapes.txt", CAPTIONED))
    assert definitions(report) == [("tapes.txt", "captions")]
    assert report.source == "nightly/captions"
    told = 'read by its captions: "Barcode" as the volume, "Vault" as the repository'
    assert [(note.origin.attachment, note.text) for note in report.notes] == [("tapes.txt", told)]
    assert "mailsync definitions learn" in report.notes[0].hint


def test_two_tables_read_by_their_captions_are_each_read_by_its_own(read):
    other = b"Volume,Slot\nA00009,12\n"
    report = read(("a.txt", CAPTIONED), ("b.txt", other))
    assert definitions(report) == [("a.txt", "captions"), ("b.txt", "captions")]
    assert report.digest != read(("a.txt", CAPTIONED)).digest
    assert report.source == "nightly/captions"
    assert report.rules(report.mapped[0].records[0].scope).changes == ()


def test_the_mails_own_text_is_read_by_captions_only_where_nothing_is_attached(read):
    assert definitions(read(text=CAPTIONED)) == [("(body)", "captions")]
    assert definitions(read(("logo.bin", b"\0\1\2"), text=CAPTIONED)) == []


HTML = b"<p>Tapes</p><table><tr><th>Volume</th><th>Location</th></tr><tr><td>A00001</td><td>OFFS</td></tr></table>"


@pytest.mark.parametrize("text", ["See the HTML.\n", ""])
def test_the_mails_own_html_is_read_by_a_built_in_definition_and_by_its_captions(read, text):
    sample = CATALOGUE.file("commvault-vaulttracker-html").with_name("commvault-vaulttracker-html.sample.html")
    path = "(body)" if text else "(html)"
    ((_, name),) = definitions(read(text=text.encode(), html=sample.read_bytes()))
    assert name == "commvault-vaulttracker-html"
    report = read(text=text.encode(), html=HTML)
    assert [(one.kind, one.definition) for one in report.mapped] == [("html", "captions")]
    assert [note.origin.attachment for note in report.notes] == [path]


def test_what_nobody_reads_says_which_definition_of_the_site_came_nearest_and_what_its_captions_leave_open(made, read):
    text = b"Barcode;Volume;Vault\nA00001L8;A00001;OFFS\n"
    nearest = 'nearest: nightly-csv, but attachment "tapes.txt" does not match "*.csv"'
    open_ = 'by its captions alone it is not clear: "Barcode" and "Volume" may each be the volume'
    assert [note.text for note in read(("tapes.txt", text)).notes] == [
        f"ignored, no definition claims it; {nearest}; {open_}"
    ]
    (note,) = read(("tapes.txt", b"no table")).notes
    assert note.text == f"ignored, no definition claims it; {nearest}"
    assert note.hint.endswith("write a definition: mailsync definitions learn FILE")
    made.edit("definitions: [nightly-csv]", "definitions: []")
    (made.folder / "definitions/nightly-csv.yaml").unlink()
    assert [note.text for note in read(("tapes.txt", b"no table")).notes] == [
        "ignored, no definition claims it; the site has no definition of its own, and no built-in one knows it"
    ]


def test_a_body_that_a_built_in_definition_would_read_is_noted_beside_a_claimed_attachment(made, read):
    attached = ("extract.csv", extract([("A00001", "OFFS")]))
    report = read(attached, text=SAMPLE)
    (note,) = report.notes
    assert note.origin.attachment == "(body)"
    assert "not read, because another part of the mail is claimed" in note.text
    assert BUILT_IN in note.text
    made.edit("definitions: [nightly-csv]", f"definitions: [nightly-csv, {BUILT_IN}]")
    assert note.hint.endswith(f"route's definitions: {BUILT_IN}")
    assert sorted(definitions(read(attached, text=SAMPLE))) == [("(body)", BUILT_IN), ("extract.csv", "nightly-csv")]
    assert read(attached, text=b"Report 7 of 2031 is attached.\n").notes == ()


def test_a_definition_that_asks_for_the_subject_alone_leaves_the_text_beside_its_attachment_alone(made, read):
    table = "table: {header: 1}\nfields: {volume: {column: volume}, repository: {column: repository}}\n"
    (made.folder / "definitions/nightly-csv.yaml").write_text(f"name: nightly-csv\nclaim: {{subject: '*'}}\n{table}")
    listed = extract([("A00001", "OFFS")])
    assert definitions(read(("list.csv", listed), text=b"Good morning,\n\nhere it is.\n")) == [
        ("list.csv", "nightly-csv")
    ]
    assert definitions(read(text=listed)) == [("(body)", "nightly-csv")]
    other = "name: body\nclaim: {attachment: '(body)', subject: '*'}\n"
    (made.folder / "definitions/body.yaml").write_text(other + table)
    made.edit("definitions: [nightly-csv]", "definitions: [nightly-csv, body]")
    read_by = [("(body)", "body"), ("list.csv", "nightly-csv")]
    assert sorted(definitions(read(("list.csv", listed), text=listed))) == read_by


def test_two_built_in_definitions_that_claim_one_attachment_are_told_apart_by_the_route(made, read):
    first = SAMPLE.replace(b"\r\n", b"\n")
    second = CATALOGUE.file("bacula-list-volumes").with_name("bacula-list-volumes.sample.txt").read_bytes()
    both = read(("both.dat", second[:1500] + b"\n" + first + second))
    (problem,) = both.problems
    assert "nobody reads it" in problem.text
    assert problem.hint == "name only one of them in the route's definitions, or send two mails"


def test_lines_that_were_joined_are_counted_where_the_text_is_read(made):
    row = b"A0000%d;Offsite;kept in the vault of the second building, near the rack \nseven, for years\n"
    text = b"Volume;Vault;Comment\n" + row % 1 + row % 2
    mail = b"Subject: x\nContent-Type: text/plain; format=flowed\n\n"
    site = load_site(made.config)

    def notes(body):
        found = mail_report(mail + body, Verdict(Action.PROCESS, ""), site.routes[0], site, now=0)()
        return [note.text for note in found.notes if "joined" in note.text]

    assert notes(text) == ["lines joined to the one before, as format=flowed says: 2"]
    assert notes(row % 1) == []


def test_a_recall_list_is_not_read_by_its_captions_and_the_reply_says_why_and_what_to_do(made, read):
    (made.folder / "definitions/nightly-csv.yaml").unlink()
    made.edit("definitions: [nightly-csv]", "definitions: []")
    report = read(("recall_list.csv", CAPTIONED))
    assert definitions(report) == []
    assert report.notes[0].text.endswith('the name "recall_list.csv" speaks of moves, to the places in it or from them')
    assert "mailsync definitions learn" in report.notes[0].hint


def test_a_subject_that_speaks_of_moves_leaves_open_which_way_they_go(read):
    report = read(("tapes.txt", CAPTIONED), subject="Tapes to come back")
    assert definitions(report) == []
    assert 'the subject "Tapes to come back" speaks of moves' in report.notes[0].text


def test_a_table_in_the_mails_own_text_that_its_captions_leave_open_is_told_and_covering_words_are_not(read):
    report = read(text=b"Please return these:\n\n" + CAPTIONED)
    assert definitions(report) == []
    ((origin, text),) = [(note.origin.attachment, note.text) for note in report.notes]
    assert origin == "(body)"
    assert 'the title "Please return these:" speaks of moves' in text
    assert not any("speaks of moves" in note.text for note in read(text=b"Please return these.\n").notes)


def test_the_captions_of_so_many_attachments_of_a_mail_are_looked_at(read):
    report = read(*((f"r{number}.dat", CAPTIONED.replace(b"A0", b"B%d" % number)) for number in range(22)))
    assert len(report.mapped) == 20
    unread = [one for one in report.notes if "its captions are not looked at" in one.text]
    assert [one.origin.attachment for one in unread] == ["r20.dat", "r21.dat"]


def test_large_pages_are_looked_at_for_captions_until_they_are_too_large_together(read):
    page = b"<table><tr><th>Volume<th>Vault<tr><td>A00001L8<td>OFFS</table><!--" + b"x" * 990_000 + b"-->"
    report = read(*((f"r{number}.html", page) for number in range(7)), ("small.dat", CAPTIONED))
    names = [one.attachment for one in report.mapped]
    assert names == ["r0.html", "r1.html", "r2.html", "r3.html", "r4.html", "small.dat"]


def test_text_and_html_that_do_not_list_the_same_are_not_read_by_their_captions(read):
    row = "<tr><td>{}<td>{}"
    page = "<table><tr><th>Barcode<th>Vault{}</table>"
    same = page.format(row.format("A00001L8", "OFFS") + row.format("A00002L8", "OFFS"))
    assert [one.definition for one in read(text=CAPTIONED, html=same.encode()).mapped] == ["captions"]
    other = page.format(row.format("A00001L8", "LIBR") + row.format("A00002L8", "OFFS"))
    report = read(text=CAPTIONED, html=other.encode())
    assert not report.mapped
    assert [one.text for one in report.notes] == ["its table is not read: its text and its HTML do not list the same"]
    several = same + same
    assert not read(text=CAPTIONED, html=several.encode()).mapped


def test_workbooks_count_as_what_they_unzip_to(read):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("content.xml", "<x>" + " " * 30_000_000 + "</x>")
    report = read(*((f"r{number}.ods", packed.getvalue()) for number in range(2)), ("small.dat", CAPTIONED))
    assert [one.attachment for one in report.mapped] == ["small.dat"]
    unread = [one.origin.attachment for one in report.notes if "its captions are not looked at" in one.text]
    assert unread == ["r1.ods"]


@pytest.mark.parametrize("text", [SAMPLE, CAPTIONED])
def test_the_mails_own_text_is_not_read_in_place_of_an_attachment_that_was_refused(read, text):
    report = read(("list.pdf", b"%PDF-1.4 x"), text=text)
    assert definitions(report) == []
    assert [one.origin.attachment for one in report.problems] == ["list.pdf"]
    assert definitions(read(text=text)) == [("(body)", BUILT_IN if text == SAMPLE else "captions")]
