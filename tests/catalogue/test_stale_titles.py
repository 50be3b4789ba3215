"""A title that is not understood ends what the titles above it said: its rows are problems, and move nothing."""

from __future__ import annotations

import pytest

from mailsync.config.catalogue import Catalogue
from mailsync.core.model import Attachment, Mapped, parse_scope
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import read_table

CA1 = "TMS REPORT-{number}           SITE                 RUN DATE 2031/010  TIME 06:12:45   PAGE    {page}\n"
CA1_ROW = " {volume}  PROD.PAYROLL.BACKUP.G0123V00                  {vault}         12     2031/345      1  2031/009\n"
CA1_SENT = CA1.format(number=25, page=1) + "         DISTRIBUTION LIST FOR OFFSITE VAULT (VLT1)\n\n"
CA1_SENT += CA1_ROW.format(volume="A00001", vault="LIBR")
CA1_OTHER = CA1_ROW.format(volume="A00002", vault="VLT2")
CA1_PICKED = CA1.format(number=25, page=1) + "         PICKING LIST FOR DATA CENTER LIBRARY (LIBR)\n\n"
CA1_PICKED += CA1_ROW.format(volume="A00001", vault="VLT1")
CA1_PAGE = CA1.format(number=25, page=2)

TLMS = "1CA TLMS  R14.0         VOLUMES TO BE MOVED\n0TLMS042-01     RUN DATE 01/10/31   PAGE    1\n"
TLMS_SENT = TLMS + "0TO   VLT1       OFFSITE\n FROM LIBR       DATA CENTER\n0SERIAL\n A00001\n"
TLMS_TOTAL = "0TOTAL VOLUMES MOVED    1\n"

BRMS = "5770BR1 V7R4M0  190621       Media Movement Report          IBMI01    01/10/31  06:15:22    Page     {page}\n"
BRMS_FROM = " From location  . . . . :  {origin:<12}"
BRMS_ROW = " {volume}               13/01/31    *PERM       *NONE         LTO8        OFFSITE\n"
BRMS_SENT = BRMS.format(page=1) + BRMS_FROM.format(origin="COMPROOM") + "To location  . . . . :  VAULT\n\n"
BRMS_SENT += BRMS_ROW.format(volume="A00001")

RMM_HEAD = "  SERIAL LOCATION BIN #  D A T A S E T   N A M E      DATE       OWNER\n"
RMM_HEAD += "  ------ -------- ------ ---------------------------- ---------- --------\n"
RMM_ROW = "  {volume} LIBRARY         PROD.LEDGER.BACKUP.G0007V00  2031/045   LEDGER\n"
RMM_SENT = "  Report 3   MOVEMENT: LIBRARY TO VAULT1   BY VOLUME SERIAL    2031/010 06:10:31   PAGE    1\n\n" + RMM_HEAD
RMM_SENT += RMM_ROW.format(volume="A00001") + "  Total of 1 volumes to be moved\n"
RMM_OTHER = RMM_HEAD + RMM_ROW.format(volume="A00002")

NSRJB_HEAD = "slot  volume                             used  pool           barcode   volume id        recyclable\n"
NSRJB_ROW = "   1: {volume}                           full  Monthly        {volume}  1204771530       no\n"
NSRJB_SENT = "Jukebox VAULT1: (Ready to accept commands)\n" + NSRJB_HEAD + NSRJB_ROW.format(volume="A00001L5")
NSRJB_OTHER = NSRJB_HEAD + NSRJB_ROW.format(volume="A00002L5")

VAULT_HEAD = "MEDIA    SLOT   EXPIRATION\nID       ID     DATE\n\n"
VAULT_SENT = "          Picking List for Robot\n\nROBOT: TLD(0)\nVAULT: VAULT1\nPROFILE: daily\n" + VAULT_HEAD
VAULT_SENT += "A00001   117    04/14/2031\n\nTotal: 1\n"
VAULT_OTHER = "          Picking List for Robot\n\nROBOT: TLD(0)\nPROFILE: daily\n" + VAULT_HEAD
VAULT_OTHER += "A00002   118    04/14/2031\n"

IRON_SENT = "StartHeaderText~D~1~2~EndHeaderText\nA00001 A00001 01102031\n"

STALE = [
    (
        "ca-1-report-25",
        CA1_SENT + CA1.format(number=24, page=2) + "    INVENTORY LIST FOR LIBRARY (LIBR)\n" + CA1_OTHER,
    ),
    ("ca-1-report-25", CA1_SENT + "    DISTRIBUTION LIST FOR DATA CENTER LIBRARY\n" + CA1_OTHER),
    ("ca-1-report-25", CA1_PICKED + CA1_PAGE + "    PICKING LIST FOR DATA CENTER LIBRARY\n" + CA1_OTHER),
    ("ca-1-report-25", CA1_SENT + "    RETENTION LIST FOR THE VAULT\n" + CA1_OTHER),
    ("ca-1-report-25", CA1_SENT + CA1_PAGE + "    VAULTS\n" + CA1_OTHER),
    ("ca-1-report-25", CA1_SENT + CA1_ROW.format(volume="A00002", vault="VLT1")),
    ("tlms-tlms042", TLMS_SENT + TLMS_TOTAL + " FROM VLT2       OFFSITE\n0SERIAL\n A00002\n"),
    ("tlms-tlms042", TLMS_SENT + TLMS + "0FROM VLT1       OFFSITE\n0SERIAL\n A00002\n"),
    ("tlms-tlms042", TLMS_SENT + TLMS + "0TO\n FROM VLT2\n0SERIAL\n A00002\n"),
    ("tlms-tlms042", TLMS_SENT + TLMS + "0FROM VLT2    TO\n0SERIAL\n A00002\n"),
    (
        "brms-movement",
        BRMS_SENT + BRMS_FROM.format(origin="VAULT") + "To location  . . . . :\n\n" + BRMS_ROW.format(volume="A00002"),
    ),
    ("brms-movement", BRMS_SENT + BRMS.format(page=2) + BRMS_ROW.format(volume="A00002")),
    ("brms-movement", BRMS_SENT + BRMS_FROM.format(origin="VAULT") + "\n" + BRMS_ROW.format(volume="A00002")),
    (
        "brms-movement",
        BRMS_SENT
        + BRMS_FROM.format(origin="VAULT")
        + "To location  . . . . :  VAULT\n\n"
        + BRMS_ROW.format(volume="A00002"),
    ),
    (
        "dfsmsrmm-movement",
        RMM_SENT + "  Report 3   MOVEMENTS FROM VAULT1    2031/010 06:10:31   PAGE    2\n\n" + RMM_OTHER,
    ),
    ("dfsmsrmm-movement", RMM_SENT + "  Report 3   MOVEMENT: VAULT1 TO     2031/010 06:10:31\n\n" + RMM_OTHER),
    ("dfsmsrmm-movement", RMM_SENT + "  Report 3   MOVEMENT: VAULT1 TO    BY VOLUME SERIAL\n\n" + RMM_OTHER),
    ("dfsmsrmm-movement", RMM_SENT + "  Report 4   VOLUMES             2031/010 06:10:31   PAGE    2\n\n" + RMM_OTHER),
    ("networker-nsrjb", NSRJB_SENT + "\nJukebox `SHELF' is not ready\n" + NSRJB_OTHER),
    ("netbackup-vault-lists", VAULT_SENT + VAULT_OTHER),
    ("netbackup-vault-lists", VAULT_SENT + "Mar 03, 2031 09:01\n" + VAULT_OTHER.replace("ROBOT: TLD(0)\n", "")),
    ("iron-mountain-list", IRON_SENT + "StartHeaderText~~1~2~EndHeaderText\nA00002 A00002 01102031\n"),
    ("iron-mountain-list", IRON_SENT + "StartHeader~1~2\nA00002 A00002 01102031\n"),
]


def read(name: str, text: str) -> Mapped:
    attachment = Attachment("report.txt", text.encode(), "text/plain", "", 0, body=False)
    given = Context(read_table, scope=parse_scope("US01.LTO"), repositories={"Offsite": "VAULT1", "VLT1": "VAULT1"})
    return map_attachment(attachment, Catalogue().definition(name), given)


def places(mapped: Mapped) -> dict[str, object]:
    """Where each volume goes."""
    return {
        volume: values[records.fields.index("repository")]
        for records in mapped.records
        for volume, values in zip(records.volumes, records.values, strict=True)
    }


@pytest.mark.parametrize(("name", "text"), STALE)
def test_a_row_under_a_title_that_is_not_understood_is_a_problem_and_moves_nothing(name, text):
    mapped = read(name, text)
    assert [volume[:6] for volume in places(mapped)] == ["A00001"]
    problems = [one.text for one in mapped.problems if "rows" not in one.text]
    assert len(problems) == 1
    assert "repository" in problems[0]


def test_vaults_are_read_whether_a_lists_title_stands_above_the_names_or_below():
    above = VAULT_SENT
    below = "ROBOT: TLD(0)\nVAULT: VAULT1\nPROFILE: daily\n\n          Picking List for Robot\n\n" + VAULT_HEAD
    below += "A00001   117    04/14/2031\n"
    assert places(read("netbackup-vault-lists", above)) == {"A00001": "VAULT1"}
    assert places(read("netbackup-vault-lists", below)) == {"A00001": "VAULT1"}


def test_where_a_report_names_no_vault_at_all_what_leaves_goes_offsite():
    text = "          Picking List for Robot\n\nROBOT: TLD(0)\nVAULT:\n" + VAULT_HEAD + "A00001   117    04/14/2031\n"
    assert places(read("netbackup-vault-lists", text)) == {"A00001": "VAULT1"}


def test_of_a_mail_that_quotes_a_report_it_is_said_that_it_does():
    report = (
        "Volume Name     State       Last Update     Automated\n--------------  ----------  --------------  ---------\n"
    )
    report += "A00001L5        Vault       01/10/2031      LIB1\n"
    mapped = read("spectrum-protect-drmedia", "".join(f"> {line}\n" for line in report.splitlines()))
    assert not mapped.records
    assert [one.text for one in mapped.notes] == ["most of its lines begin with >: the mail quotes the report"]
