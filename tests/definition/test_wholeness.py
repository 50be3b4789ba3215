"""What an inventory's records lack: the volumes its problems name, and why it may not be whole."""

from io import BytesIO
from zipfile import ZipFile

import pytest

from mailsync.core.model import Count, Gaps, Scope
from mailsync.definition.mapping import RowLimits

LTO, DISK = Scope("US01", "LTO"), Scope("US01", "3592")
LIST = """
inventory_of: OFFS
table: {kind: delimited, delimiter: ",", header: first, totals: {line: "^TOTAL ([0-9]+)", wrong: note}}
fields: {volume: {column: volume}, slot: {column: slot, required: true}}
"""
PER_ROW = """
inventory_of: OFFS
fields: {volume: {column: volume}, media: {column: media}, slot: {column: slot, required: true}}
"""
HEAD = "volume,slot\n"


def test_a_whole_list_lacks_nothing(mapped):
    assert mapped(LIST, f"{HEAD}A00001,1\nTOTAL 1\n").gaps == Gaps()


def test_problems_name_their_volumes_where_these_can_be_read(mapped):
    found = mapped(LIST, f"{HEAD}A00003,\nA00001,1\nA00002,\nTOTAL 3\n")
    assert found.gaps == Gaps(((LTO, ("A00002", "A00003")),), ())


def test_duplicates_that_contradict_each_other_are_named(mapped):
    found = mapped(LIST, f"{HEAD}A00001,1\nA00002,1\nA00002,2\nTOTAL 3\n")
    assert found.gaps == Gaps(((LTO, ("A00002",)),), ())


def test_volumes_are_named_in_their_scope_and_a_row_without_one_makes_doubt(mapped):
    content = "volume,media,slot\nA00001,LTO,1\nA00002,3592,\nA00003,L.,1\n"
    assert mapped(PER_ROW, content).gaps == Gaps(
        ((DISK, ("A00002",)),), ("tapes.csv: 1 of its rows are problems and name no volume",)
    )


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (f"{HEAD}A00001,1\nTOTAL 2\n", "line 3: the report says 2 rows, 1 were found before it"),
        (f"{HEAD}A00001,1\n", "it says no total, as if it were cut off"),
        (f"{HEAD}A00001,1\n!,1\nTOTAL 2\n", "1 of its rows are problems and name no volume"),
        ("tape,slot\nA00001,1\nTOTAL 1\n", "nothing of it could be used"),
        (f"{HEAD}A00001,1\nA00002,1\nA00003,1\nTOTAL 3\n", "nothing of it could be used"),
        (HEAD, "nothing of it could be used"),
    ],
)
def test_why_a_list_may_not_be_whole(mapped, content, doubt):
    assert mapped(LIST, content, limits=RowLimits(rows=2)).gaps.doubts == (f"tapes.csv: {doubt}",)


def test_a_workbook_with_hidden_rows_may_not_be_whole(mapped):
    def row(volume, more=""):
        return f"<row{more}><c t='str'><v>{volume}</v></c><c t='str'><v>slot</v></c></row>"

    packed, hidden = BytesIO(), " hidden='1'"
    with ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<w xmlns:r='r'><sheet name='S' r:id='r1'/></w>")
        archive.writestr("xl/_rels/workbook.xml.rels", "<r><Relationship Id='r1' Target='s.xml'/></r>")
        archive.writestr("xl/s.xml", f"<s>{row('volume')}{row('A00001')}{row('A00002', hidden)}</s>")
    definition = LIST.replace(LIST.split("\n")[2], "table: {kind: workbook}")
    found = mapped(definition, packed.getvalue())
    assert found.gaps.doubts == ("tapes.csv: 1 of its rows are hidden",)
    assert found.skipped == (Count("hidden row", 1),)


def test_a_row_that_is_skipped_is_no_part_of_the_list(mapped):
    skipping = LIST.replace("fields:", 'skip: [{field: slot, matches: "X"}]\nfields:')
    assert mapped(skipping, f"{HEAD}A00001,1\nA00002,X\nTOTAL 2\n").gaps == Gaps()


def test_a_definition_that_is_no_inventory_keeps_no_gaps(mapped):
    plain = LIST.replace("inventory_of: OFFS\n", "")
    assert mapped(plain, f"{HEAD}A00001,\n!,1\n").gaps == Gaps()
