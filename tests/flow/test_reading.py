"""What a whole mail is read as: limits that are of all its attachments together."""

from __future__ import annotations

import pytest
from sites import make_site

from mailsync.config.site import load_site
from mailsync.flow.reading import mail_report
from mailsync.mail.verdict import Action, Verdict

PER_ROW = """name: per-row
claim: {attachment: "scopes*.csv"}
table: {kind: delimited, delimiter: ",", header: first}
fields:
  customer: {column: customer}
  media: {column: media}
  volume: {column: volume}
  repository: {column: repository}
"""


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path / "site")
    (made.folder / "definitions/per-row.yaml").write_text(PER_ROW)
    made.config.write_text(made.config.read_text().replace("definitions: [nightly-csv]", "definitions: [per-row]"))
    return load_site(made.config)


def attachment(number: int, customers: range) -> str:
    rows = "".join(f"{customer:04d},LTO,A00001,OFFS\n" for customer in customers)
    head = f"--XX\nContent-Type: text/csv; name=scopes{number}.csv\n\n"
    return f"{head}customer,media,volume,repository\n{rows}\n"


def test_the_attachments_of_a_mail_speak_of_a_hundred_scopes_together(site):
    parts = attachment(1, range(60)) + attachment(2, range(30, 120)) + attachment(3, range(10))
    mail = f"Content-Type: multipart/mixed; boundary=XX\n\n{parts}--XX--\n".encode()
    report = mail_report(mail, Verdict(Action.PROCESS, ""), site.routes[0], site, now=0)()
    assert [(one.read, one.refused, len(one.records)) for one in report.mapped] == [
        (60, 0, 60),
        (90, 20, 70),
        (10, 0, 10),
    ]


def test_the_route_says_which_number_of_a_date_is_its_day(tmp_path):
    made = make_site(tmp_path / "site")
    dated = PER_ROW.replace("  customer: {column: customer}\n  media: {column: media}\n", "")
    dated += '  expiry_date: {column: until, date: ["%m/%d/%Y", "%d/%m/%Y"]}\n'
    (made.folder / "definitions/dated.yaml").write_text(dated.replace("per-row", "dated"))
    made.config.write_text(made.config.read_text().replace("definitions: [nightly-csv]", "definitions: [dated]"))
    mail = b"Content-Type: text/csv; name=scopes.csv\n\nvolume,repository,until\nA00001,OFFS,03/04/2031\n"

    def read():
        site = load_site(made.config)
        (mapped,) = mail_report(mail, Verdict(Action.PROCESS, ""), site.routes[0], site, now=0)().mapped
        return mapped.records[0].values, len(mapped.notes)

    assert read() == ([("OFFS", None)], 1)
    made.edit("timezone: UTC", "timezone: UTC\n    day_first: true")
    assert read() == ([("OFFS", "2031-04-03")], 0)
