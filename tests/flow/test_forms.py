"""The forms a report comes in, from the mail to its rows: text or HTML, forwarded or not, in any charset."""

from __future__ import annotations

import base64

import pytest
from mailparts import CSV, file, forward, leaf, multipart
from sites import make_site

from mailsync.config.site import load_site
from mailsync.flow.reading import mail_report
from mailsync.mail.verdict import Action, Verdict

HTML_DEFINITION = """name: in-html
claim: {attachment: "(html)"}
table: {kind: html}
fields: {volume: {column: Volume}, repository: {column: Location}}
"""
TEXT_DEFINITION = """name: in-text
claim: {attachment: "(body)"}
table: {kind: lines, pattern: "^(?P<volume>A[0-9]{5}) (?P<place>[A-Z]+)"}
fields: {volume: {column: volume}, repository: {column: place}}
"""
SUBJECT_DEFINITION = """name: by-subject
claim: {subject: "tapes"}
table: {kind: html}
fields: {volume: {column: Volume}, repository: {column: Location}}
"""
SPOOL_DEFINITION = """name: spool
claim: {attachment: "spool*"}
table: {kind: fixed, encoding: ENCODING}
skip: [{unless: "A[0-9]*"}]
fields: {volume: {column: [1, 6]}, repository: {column: [8, 11]}, description: {column: [13, 30]}}
"""
ROWS = b"<table><tr><th>Volume<th>Location<tr><td>A00001<td>OFFS<tr><td>A00002<td>LIBR</table>"
HTML = leaf(ROWS, "Content-Type: text/html")
VERDICT = Verdict(Action.PROCESS, "", subject="tapes")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("forms") / "site")


@pytest.fixture
def read(made):
    """What a mail is read as by the definitions: (definition, attachment, volumes) each, problems, notes."""
    text = made.config.read_text()

    def reader(mail, *definitions, more=""):
        names = []
        for definition in definitions:
            names.append(definition.partition("\n")[0].removeprefix("name: "))
            (made.folder / f"definitions/{names[-1]}.yaml").write_text(definition)
        said = f"definitions: [{', '.join(names)}]{more}" if names else f"definitions: [nightly-csv]{more}"
        made.config.write_text(text.replace("definitions: [nightly-csv]", said))
        site = load_site(made.config)
        report = mail_report(mail, VERDICT, site.routes[0], site, now=0)()
        mapped = [
            (one.definition, one.attachment, [volume for records in one.records for volume in records.volumes])
            for one in report.mapped
        ]
        return mapped, [str(one) for one in report.problems], [str(one) for one in report.notes], report.mapped

    yield reader
    made.config.write_text(text)
    for path in (made.folder / "definitions").glob("*.yaml"):
        if path.stem != "nightly-csv":
            path.unlink()


def test_a_list_in_html_is_read_by_a_definition_of_that_kind_beside_words(read):
    for mail in (
        multipart(leaf(b"Your report is below."), HTML, kind="alternative"),
        multipart(leaf(b""), HTML, kind="alternative"),
        multipart(HTML),
    ):
        for definition in (HTML_DEFINITION, SUBJECT_DEFINITION, HTML_DEFINITION.replace("(html)", "(body)")):
            mapped, problems, _, _ = read(mail, definition)
            assert [one[1:] for one in mapped] == [("(html)", ["A00001", "A00002"])]
            assert problems == []


def test_text_and_html_of_one_report_are_read_once(read):
    mail = multipart(leaf(b"A00001 OFFS\nA00002 LIBR\n"), HTML, kind="alternative")
    assert read(mail, TEXT_DEFINITION)[0] == [("in-text", "(body)", ["A00001", "A00002"])]
    assert read(mail, HTML_DEFINITION)[0] == [("in-html", "(html)", ["A00001", "A00002"])]


def test_two_definitions_for_the_two_forms_of_one_report_are_an_error_that_names_both(read):
    mail = multipart(leaf(b"A00001 OFFS\nA00002 LIBR\n"), HTML, kind="alternative")
    mapped, problems, _, _ = read(mail, TEXT_DEFINITION, HTML_DEFINITION)
    assert mapped == []
    assert problems == ["(body): claimed by in-html and in-text: nobody reads it"]


def test_a_forwarded_report_is_read_unless_the_route_refuses_it(read):
    mail = multipart(leaf(b"fyi"), forward(multipart(file(CSV.replace(b"Offsite", b"OFFS"), "x.csv"), boundary="YY")))
    mapped, problems, _, _ = read(mail)
    assert ([one[1] for one in mapped], problems) == (["part-2!/x.csv"], [])
    mapped, problems, notes, _ = read(mail, more="\n    forwarded: refuse")
    assert (mapped, notes) == ([], [])
    assert problems == ["part-2!/x.csv: it is in a forwarded mail, which route nightly refuses"]
    direct = multipart(file(CSV.replace(b"Offsite", b"OFFS"), "x.csv"))
    assert [one[1] for one in read(direct, more="\n    forwarded: refuse")[0]] == ["x.csv"]


SPOOL = "VOLSER LOC  TEXT\nA00001 OFFS Bänder [A]\nA00002 LIBR Größe!\n"


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp273"])
@pytest.mark.parametrize("end", ["\n", "\x85"])
def test_an_ebcdic_spool_file_is_read_by_setting(read, encoding, end):
    content = SPOOL.replace("\n", end).encode(encoding)
    mail = multipart(leaf(b"attached"), file(content, "spool.txt"))
    mapped, problems, _, found = read(mail, SPOOL_DEFINITION.replace("ENCODING", encoding))
    assert ([one[2] for one in mapped], problems) == ([["A00001", "A00002"]], [])
    assert found[0].problems == ()
    assert "Bänder [A]" in repr(found[0].records[0].values)


@pytest.mark.parametrize(
    ("encoding", "label", "guessed"),
    [
        ("utf-8", "", False),
        ("utf-8-sig", "", False),
        ("utf-16", "", False),
        ("utf-16-le", "", False),
        ("utf-16-be", "", False),
        ("cp1252", "; charset=windows-1252", False),
        ("latin-1", "; charset=iso-8859-1", False),
        ("cp437", "; charset=cp437", False),
        ("cp850", "; charset=cp850", False),
        ("cp1252", "", True),
        ("cp437", "", True),
    ],
)
def test_every_charset_is_read_without_a_replaced_character_and_a_guess_is_told(read, encoding, label, guessed):
    rows = "volume,repository,description\r\nA00001,OFFS,Bänder für Köln\r\nA00002,LIBR,\r\n"
    content = base64.encodebytes(rows.encode(encoding))
    mail = multipart(leaf(content, f"Content-Type: text/csv{label}; name=a.csv", encoding="base64"))
    mapped, problems, _, (found,) = read(mail)
    assert ([one[2] for one in mapped], problems, found.problems) == ([["A00001", "A00002"]], [], ())
    assert "Bänder für Köln" in repr(found.records)
    assert any("read as" in one.text for one in found.notes) == guessed
