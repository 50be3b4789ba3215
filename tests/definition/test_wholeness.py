"""What an inventory's records lack: the volumes its problems name, and why it may not be whole."""

import pytest

from mailsync.core.model import Gaps, Scope
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


def test_a_row_that_is_skipped_is_no_part_of_the_list(mapped):
    skipping = LIST.replace("fields:", 'skip: [{field: slot, matches: "X"}]\nfields:')
    assert mapped(skipping, f"{HEAD}A00001,1\nA00002,X\nTOTAL 2\n").gaps == Gaps()


def test_a_definition_that_is_no_inventory_keeps_no_gaps(mapped):
    plain = LIST.replace("inventory_of: OFFS\n", "")
    assert mapped(plain, f"{HEAD}A00001,\n!,1\n").gaps == Gaps()
