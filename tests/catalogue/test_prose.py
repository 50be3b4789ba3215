"""Prose that speaks of a product, a report or a list is claimed by no built-in definition; nor are other tables."""

from __future__ import annotations

import pytest

from mailsync.config.catalogue import Catalogue
from mailsync.core.model import Attachment
from mailsync.definition.claim import MailFacts, Unclaimed, claim
from mailsync.tables.reader import first_lines

PROSE = [
    "MOVEMENT: LIBRARY TO VAULT1 was late.",
    "See the attached. We ran TLMS042 last night.\nA00001\nregards",
    "TLMS042 will be late because\n TO OFFS the courier A00001 is ill\n A00002 was found",
    "TMS REPORT-25 is attached.",
    "The DISTRIBUTION LIST FOR OFFSITE (VLT1) is wrong.\nPICKING LIST FOR LIBR (LIBR) too",
    "Here is the Picking List for Robot TLD(0), and the Distribution List for Vault VAULT1:",
    "PROFILE: operator on duty",
    "media ID: A00001 cannot be found",
    "The Medium identifier : of A00001 is wrong",
    "What is Approx. Date Last Written: for A00001?",
    "Hello,\nTape(s) to export are on the desk, Tape(s) that can be imported are not",
    "There was No tape to export today, and No tape to import",
    "<p>The Vault Tracker report is late</p>",
    "Our VaultTracker <b>licence</b> is over",
    "the slot, the volume, the pool, the barcode of A00001",
    "We use BMC SOFTWARE, INC. CONTROL-M/TAPE here",
    "From location COMPROOM to location VAULT",
]
TABLES = [
    "volume,location,description,expires\nA00001,Offsite,weekly,2031-12-24\n",
    "volume,location,new location,expires\nA00001,Offsite,Library,12/24/31\n",
    "volume;direction;location;expires\nA00001;return;Offsite;12/24/31\n",
    "volume~customer~expires\nA00001~US01~12/24/31\n",
    "barcode|status|expires\nA00001|gone|12/24/31\n",
]


def claimed(text: str, kind: str, *, body: bool) -> list[str]:
    catalogue = Catalogue()
    attachment = Attachment("(body)" if body else "list.txt", text.encode(), kind, "utf-8", 0, body=body)
    found = claim(attachment, MailFacts(), [catalogue.claims], first_lines=first_lines)
    return [] if isinstance(found, Unclaimed) else [str(found)]


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
@pytest.mark.parametrize("text", PROSE)
def test_prose_that_mentions_a_report_is_claimed_by_nobody(text, kind):
    assert claimed(text, kind, body=True) == []


@pytest.mark.parametrize("text", TABLES)
def test_a_table_that_shares_some_captions_with_a_report_is_claimed_by_nobody(text):
    assert claimed(text, "text/csv", body=False) == []


@pytest.mark.parametrize(
    "line",
    ["volume,expires", "expires,volume", "pool;volume;family;location;written;expires", "barcode|volume|expires|pool"],
)
def test_a_line_of_mminfos_captions_alone_is_claimed(line):
    found = claimed(f"{line}\n", "text/csv", body=False)
    assert found
    assert "networker-mminfo-csv" in found[0]
