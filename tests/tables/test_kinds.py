"""What every kind of table has in common: lines, reasons, blocks, bounds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsync.core.layout import Layout, Split, Total
from mailsync.core.model import Attachment
from mailsync.definition.expression import compile_expression
from mailsync.definition.filters import compile_filter
from mailsync.tables import text as text_module
from mailsync.tables.reader import read_table

SECTION = compile_expression(r"^TO (?P<to>\w+)")
TOTAL = Total(compile_expression(r"^TOTAL (\d+)"))
LAYOUTS = {
    "delimited": Layout(header=1, delimiter=","),
    "fixed": Layout(kind="fixed"),
    "ruled": Layout(kind="ruled", wanted=("volume",)),
    "wrapped": Layout(kind="ruled", wanted=("volume", "place"), wrapped="place"),
    "boxed": Layout(kind="boxed", wanted=("volume",)),
    "records": Layout(kind="records", wanted=("volume",), welcome=("place",)),
    "begun": Layout(kind="records", begins=(compile_filter("volume*"),), wanted=("volume",), welcome=("place",)),
    "lines": Layout(kind="lines", patterns=(compile_expression(r"(?P<volume>A\d+)(?:\W+(?P<place>\w+))?"),)),
}
PIECES = {
    "delimited": ["volume,place", "A00001,X", '"A2', 'B",Y', "", "TO OFFS", "TOTAL 2"],
    "fixed": ["A00001 X", "", "TO OFFS", "TOTAL 1", "\f"],
    "ruled": [
        "volume  place",
        "------  -----",
        "A00001  X",
        "A000011 XY",
        "",
        "------",
        "TO OFFS",
        "TOTAL 3",
        "\fpage",
    ],
    "wrapped": ["volume  place", "------  -----", "A00001  X", "cont-", "more", "", "TO OFFS", "TOTAL 3"],
    "boxed": ["+------+---+", "|volume|pl |", "|A00001|x|y|", "|A00002| x |", "| broken", "", "TO OFFS", "TOTAL 1"],
    "records": ["volume: A1", "place: X", "place . . : X", "", "====", "no label", "TO OFFS", "TOTAL 1"],
    "begun": ["volume: A1", "place: X", "", "====", "no label", "TO OFFS", "TOTAL 1"],
    "lines": ["x A00001 / X", "A2", "", "other", "TO OFFS", "TOTAL 1"],
}


def attach(content):
    return Attachment("a", content.encode() if isinstance(content, str) else content, "", "", depth=0, body=False)


def read(text, layout, cells=50):
    return read_table(attach(text), layout, cells)


def rows(table):
    return [
        (line, list(cells) if cells else dict(chunk.broken).get(index, ""), raw)
        for chunk in table.chunks
        for index, (line, cells, raw) in enumerate(zip(chunk.lines, chunk.cells, chunk.raw, strict=True))
    ]


def everything(table):
    """Rows with their sources, what was left out, and totals with the number of rows before them."""
    found, left_out, totals = [], {}, []
    for chunk in table.chunks:
        broken = dict(chunk.broken)
        assert len(chunk.cells) == len(chunk.raw) == len(chunk.lines)
        assert all(len(texts) == len(chunk.raw) for texts in chunk.sources.values())
        assert all(not chunk.cells[index] for index in broken)
        for index, (cells, raw, line) in enumerate(zip(chunk.cells, chunk.raw, chunk.lines, strict=True)):
            said = {name: texts[index] for name, texts in chunk.sources.items()}
            found.append((line, list(cells), raw, said, broken.get(index, "")))
        for reason, count in chunk.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
        totals += [(len(found), one.number, one.line) for one in chunk.totals]
    return table.captions, found, left_out, totals


@given(st.data(), st.sampled_from(sorted(LAYOUTS)))
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_where_the_text_is_cut_into_blocks_does_not_matter(monkeypatch_block, data, kind):
    lines = data.draw(st.lists(st.sampled_from(PIECES[kind]), max_size=30))
    text = "\n".join([*PIECES[kind][:3], *lines])
    layout = LAYOUTS[kind]._replace(sections=(SECTION,), totals=(TOTAL,))
    monkeypatch_block(1 << 14)
    whole = everything(read(text, layout))
    monkeypatch_block(data.draw(st.sampled_from([1, 20, 60])))
    cut = everything(read(text, layout))
    if kind == "delimited":
        # A record that goes on behind a block is not cut at the total within it.
        assert cut[0] == whole[0]
    else:
        assert cut == whole


@given(st.data(), st.sampled_from(sorted(LAYOUTS)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_with_something_on_it_is_in_a_row_or_counted(data, kind):
    lines = data.draw(st.lists(st.sampled_from(PIECES[kind]), max_size=30))
    table = read("\n".join(lines), LAYOUTS[kind]._replace(sections=(SECTION,)))
    if table.fault:
        return
    captions, found, left_out, _ = everything(table)
    volumes = sum("A0" in line or "A1" in line or "A2" in line for line in lines)
    told = "\n".join(raw for _, _, raw, _, _ in found)
    there = sum("A0" in line or "A1" in line or "A2" in line for line in told.split("\n"))
    # A line that names a volume is in a row, unless it is counted as left out, or stands where captions do.
    assert volumes - there <= sum(left_out.values()) + (3 if captions or kind in ("ruled", "wrapped", "boxed") else 0)


@pytest.fixture
def monkeypatch_block(monkeypatch):
    return lambda size: monkeypatch.setattr(text_module, "_BLOCK", size)


def test_a_section_is_a_source_of_the_rows_behind_its_title():
    layout = Layout(kind="fixed", sections=(SECTION,))
    _, found, left_out, _ = everything(read("A\nTO OFFS\nB\nC\nTO LIBR\nD\n", layout))
    assert [(line, raw, said["to"]) for line, _, raw, said, _ in found] == [
        (1, "A", ""),
        (3, "B", "OFFS"),
        (4, "C", "OFFS"),
        (6, "D", "LIBR"),
    ]
    assert left_out == {"section title": 2}


def test_a_total_comes_with_the_rows_before_it():
    layout = LAYOUTS["records"]._replace(totals=(TOTAL,))
    _, found, _, totals = everything(read("volume: A1\nTOTAL 1\nvolume: A2\n\nvolume: A3\nTOTAL 2", layout))
    assert [line for line, *_ in found] == [1, 3, 5]
    assert totals == [(1, 1, 2), (3, 2, 6)]


def test_pages_lose_their_header_wherever_they_begin():
    layout = Layout(kind="fixed", page_lines=1)
    assert [raw for _, _, raw in rows(read("top\nA\n\ftop\nB\f\ntop\nC\n\f\f\nD", layout))] == ["A", "B", "C", "D"]


def test_carriage_control_begins_pages_and_prints_over():
    layout = Layout(kind="fixed", control=True, page_lines=1)
    _, found, left_out, _ = everything(read("1top\n A\n+A\n0B\n-C\n1top\n D\n\n", layout))
    assert [(line, raw) for line, _, raw, *_ in found] == [(2, "A"), (4, "B"), (5, "C"), (7, "D"), (8, "")]
    assert left_out == {"page header": 2, "printed over another line": 1}


def test_captions_that_come_again_are_the_header_of_a_page():
    found = read("a,b\n1,2\na,b\n3,4\n", Layout(header=1, delimiter=","))
    assert [cells for _, cells, _ in rows(found)] == [["1", "2"], ["3", "4"]]


def test_a_cell_of_several_values_gives_a_row_for_each():
    layout = Layout(header=1, delimiter=";", split=Split(0, "Tapes", ","))
    found = rows(read('tapes;x\n"A1, A2,";1\nA3;2\n,;3\n;4\n"' + "A," * 1002 + '";5\n', layout))
    assert [(line, cells) for line, cells, _ in found] == [
        (2, ["A1", "1"]),
        (2, ["A2", "1"]),
        (3, ["A3", "2"]),
        (4, ["", "3"]),
        (5, ["", "4"]),
        (6, "more than 1000 values in one cell"),
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_a_column_to_split_may_be_given_by_number(number):
    layout = Layout(delimiter=";", split=Split(number, "", "/"))
    assert len(rows(read("a/b/c;d/e\n", layout))) == 4 - number


def test_tables_that_lack_a_caption_are_others_and_columns_may_come_in_any_order():
    text = """
a    b
---  ---
1    2

b    c    a
---  ---  ---
3    4    5

c    d
---  ---
6    7
"""
    table = read(text, Layout(kind="ruled", wanted=("A", "b")))
    captions, found, left_out, _ = everything(table)
    assert captions == ("a", "b")
    assert [[cell.strip() for cell in cells] for _, cells, raw, *_ in found if raw.strip()] == [["1", "2"], ["5", "3"]]
    assert left_out["another table"] == 1


def test_a_table_is_chosen_by_its_number():
    text = "a    b\n---  ---\n1    2\n\nc     d\n----  ---\n3    4\n"
    assert [raw for _, _, raw in rows(read(text, Layout(kind="ruled", number=2)))] == ["3    4"]
    assert "no table has the number" in read(text, Layout(kind="ruled", number=3)).fault


def test_a_rule_directly_under_a_row_does_not_make_captions_of_it():
    text = "A     B\n----  ----\n1     2\n---  -----\n3     4\n\nC    D\n---  -----\n5    6\n"
    found = [raw for _, _, raw in rows(read(text, Layout(kind="ruled", number=1))) if raw.strip()]
    assert found == ["1     2", "3     4"]
    assert [raw for _, _, raw in rows(read(text, Layout(kind="ruled", number=2)))] == ["5    6"]


def test_a_single_row_above_a_rule_is_read():
    text = "volume    place\n--------  -----\nA00001L5  VAULT\n---------------\n1 volume\n"
    for layout in (Layout(kind="ruled"), Layout(kind="ruled", wanted=("volume",))):
        line, cells, _ = rows(read(text, layout))[0]
        assert (line, [cell.strip() for cell in cells]) == (3, ["A00001L5", "VAULT"])


def test_captions_right_under_an_empty_table_are_captions_where_they_are_wanted():
    text = "a  b\n-- --\nvolume  place\n------  -----\nA00001  X\n"
    assert [raw for _, _, raw in rows(read(text, Layout(kind="ruled", wanted=("volume",))))] == ["A00001  X"]


def test_without_a_table_that_fits_the_nearest_one_says_its_captions():
    table = read("a    b\n---  ---\n1    2\n", Layout(kind="ruled", wanted=("volume",)))
    assert (table.captions, table.header_line) == (("a", "b"), 1)
    assert everything(table)[2] == {"another table": 1}


def test_a_ruler_under_the_last_row_takes_no_row_for_captions():
    for row in ("A1", "A1\nA2", "A1\n\nA2"):
        found = read(f"vol  at\n---  --\n{row}\n---  --\nsum\n--------\n", LAYOUTS["ruled"]._replace(wanted=("vol",)))
        captions, rows_found, left_out, _ = everything(found)
        assert captions == ("vol", "at")
        assert [raw for _, _, raw, *_ in rows_found] == [*row.split("\n"), "sum"]
        assert left_out == {"ruler": 2}


def test_a_ruler_of_one_piece_has_words_as_cells():
    found = read("a b\nc\n-----------\n1 2  3\n\fa b\nc\n-----------\n4 5\n", Layout(kind="ruled", header=2))
    assert [(line, cells) for line, cells, _ in rows(found)] == [(4, ["1", "2", "3"]), (8, ["4", "5"])]


def test_a_box_with_more_columns_than_allowed_is_no_table():
    text = "+-" * 60 + "+\n" + "|x" * 60 + "|\n" + "+-" * 60 + "+\n" + "|1" * 60 + "|\n"
    assert everything(read(text, Layout(kind="boxed")))[1] == []


def test_labels_after_the_first_thousand_records_are_still_found_when_they_may_be_missing():
    text = "volume: A\n\n" * 1500 + "volume: B\nplace: X\n"
    table = read(text, LAYOUTS["records"])
    assert table.captions == ("volume", "place")
    assert everything(table)[1][-1][1] == ["B", "X"]


def test_more_labels_than_allowed_are_a_fault():
    text = "\n".join(f"l{number}: x" for number in range(60))
    assert read(text, Layout(kind="records")).fault == "more than 50 labels"


def test_a_record_of_too_many_lines_is_broken():
    text = "volume: A1\n" + "x: y\n" * 600 + "\nvolume: A2\n"
    assert [cells for _, cells, _ in rows(read(text, LAYOUTS["records"]))] == ["more than 500 lines", ["A2", "", ""]]


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        pytest.param(
            "boxed", ["+------+---+", "+------+---+", "|A00001|x|y|", "+------+---+"], id="a box without rows"
        ),
        pytest.param(
            "ruled",
            ["volume  place", "------", *["volume  place"] * 3, "A00001  X", "------  -----"],
            id="a ruler under rows that end a block",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 20, 60])
def test_a_block_that_ends_where_a_table_begins_changes_nothing(monkeypatch_block, kind, lines, size):
    text = "\n".join([*PIECES[kind][:3], *lines])
    whole = everything(read(text, LAYOUTS[kind]))
    monkeypatch_block(size)
    assert everything(read(text, LAYOUTS[kind])) == whole


@pytest.mark.parametrize("end", [[], ["+------+---+"], ["no bars"]])
def test_rows_of_a_box_without_captions_are_counted(end):
    box = ["+------+---+", *["|A00001|x|"] * 4, *end]
    _, found, left_out, _ = everything(read("\n".join(box), LAYOUTS["boxed"]))
    assert found == []
    assert sum(left_out.values()) >= 4
