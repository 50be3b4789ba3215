"""Who reads what of a mail, tier by tier: the site's definitions, the built-in ones, the captions."""

from __future__ import annotations

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

    def report(*attachments: tuple[str, bytes], text: bytes = b"The report is attached.\n", html: bytes = b""):
        message = EmailMessage()
        if text:
            message.set_content(text.decode())
        if html:
            (message.add_alternative if text else message.set_content)(html.decode(), subtype="html")
        for name, content in attachments:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        site = load_site(made.config)
        return mail_report(message.as_bytes(), Verdict(Action.PROCESS, ""), site.routes[0], site, now=0)()

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
    assert [note.text for note in read(("tapes.txt", b"no table")).notes] == [
        f"ignored, no definition claims it; {nearest}"
    ]
    made.edit("definitions: [nightly-csv]", "definitions: []")
    (made.folder / "definitions/nightly-csv.yaml").unlink()
    assert [note.text for note in read(("tapes.txt", b"no table")).notes] == [
        "ignored, no definition claims it; the site has no definition of its own, and no built-in one knows it"
    ]
