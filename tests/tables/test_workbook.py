from __future__ import annotations

import io
import zipfile
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.definition.filters import compile_filter
from mailsync.tables import package, sheet, workbook
from mailsync.tables.package import MOST_SMALL_BYTES, Package
from mailsync.tables.reader import read_table

STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\\-mm\\-yyyy"/><numFmt numFmtId="165" '
    'formatCode="&quot;days&quot; 0.0"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/></cellXfs></styleSheet>'
)
STRINGS = "<sst><si><t>volume</t></si><si><r><t>A0</t></r><r><t>0001</t></r><rPh><t>no</t></rPh></si></sst>"


def xlsx(*sheets, workbook_more=""):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        named = "".join(f'<sheet name="S{at}" r:id="r{at}"/>' for at in range(1, len(sheets) + 1))
        archive.writestr("xl/workbook.xml", f'<workbook xmlns:r="r">{workbook_more}<sheets>{named}</sheets></workbook>')
        links = "".join(
            f'<Relationship Id="r{at}" Target="{"/xl/" if at == 1 else ""}worksheets/sheet{at}.xml"/>'
            for at in range(1, len(sheets) + 1)
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        archive.writestr("xl/styles.xml", STYLES)
        archive.writestr("xl/sharedStrings.xml", STRINGS)
        for at, sheet in enumerate(sheets, 1):
            archive.writestr(
                f"xl/worksheets/sheet{at}.xml", f"<x:worksheet xmlns:x='x'><sheetData>{sheet}</sheetData></x:worksheet>"
            )
    return packed.getvalue()


def ods(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", content)
    return packed.getvalue()


def read(content, **more):
    return read_table(Attachment("a", content, "", "", depth=0, body=False), Layout(kind="workbook", **more), 50)


def rows(table):
    return [
        (line, list(cells) if cells else dict(chunk.broken).get(index, ""))
        for chunk in table.chunks
        for index, (line, cells) in enumerate(zip(chunk.lines, chunk.cells, strict=True))
    ]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("<c><v>12</v></c>", "12"),
        ("<c><v>12.0</v></c>", "12"),
        ("<c><v>1.5</v></c>", "1.5"),
        ("<c><v>1E3</v></c>", "1000"),
        ("<c><v>9007199254740993123</v></c>", "9007199254740993123"),
        ('<c t="b"><v>1</v></c>', "TRUE"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="str"><f>A1</f><v>x</v></c>', "x"),
        ('<c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>', "ab"),
        ('<c t="s"><v>1</v></c>', "A00001"),
        ('<c t="d"><v>2031-01-31T00:00:00</v></c>', "2031-01-31"),
        ('<c s="1"><v>47878</v></c>', "2031-01-30"),
        ('<c s="3"><v>47878.5</v></c>', "2031-01-30 12:00:00"),
        ('<c s="3"><v>0.25</v></c>', "06:00:00"),
        ('<c s="2"><v>47878</v></c>', "47878"),
        ('<c s="0"><v>47878</v></c>', "47878"),
        ('<c s="1"><v>1e300</v></c>', "1e300"),
        ('<c s="99999999999999"><v>1</v></c>', "1"),
    ],
)
def test_a_cell_is_what_it_says(cell, said):
    assert rows(read(xlsx(f"<row>{cell}</row>"))) == [(1, [said])]


def test_dates_may_count_from_1904():
    content = xlsx('<row><c s="1"><v>0</v></c><c s="1"><v>1</v></c></row>', workbook_more='<workbookPr date1904="1"/>')
    assert rows(read(content)) == [(1, ["00:00:00", "1904-01-02"])]


def test_cells_stand_where_their_references_say_and_rows_know_their_numbers():
    sheet = '<row r="3"><c r="B3"><v>1</v></c><c><v>2</v></c></row><row><c r="A4"><v>3</v></c></row><row r="9"/>'
    assert rows(read(xlsx(sheet))) == [(3, ["", "1", "2"]), (4, ["3"])]


def test_rows_are_as_wide_as_the_captions():
    head = '<row><c t="s"><v>0</v></c><c t="str"><v>b</v></c></row>'
    assert rows(read(xlsx(f'{head}<row><c t="s"><v>1</v></c></row>'), wanted=("Volume",))) == [(2, ["A00001", ""])]


def test_the_sheet_is_the_first_with_the_captions_wanted():
    other = '<row><c t="str"><v>x</v></c></row>'
    table = read(xlsx(other, f'{other}<row><c t="s"><v>0</v></c></row><row><c><v>1</v></c></row>'), wanted=("volume",))
    assert (table.name, table.captions, table.header_line) == ("S2", ("volume",), 2)
    assert rows(table) == [(3, ["1"])]


def test_a_sheet_is_chosen_by_its_name_or_number():
    content = xlsx("<row><c><v>1</v></c></row>", "<row><c><v>2</v></c></row>")
    assert rows(read(content, number=2)) == [(1, ["2"])]
    assert rows(read(content, title=(compile_filter("s2", fold=True),))) == [(1, ["2"])]
    assert read(content, number=3).fault == 'no sheet has the number or title asked for; sheets are "S1", "S2"'


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        ('<row><c r="C1"><v>1</v></c><c r="B1"><v>2</v></c></row>', "its cells are not in order"),
        ('<row><c r="BA1"><v>1</v></c></row>', "more than 50 cells"),
        (f'<row><c t="str"><v>{"x" * 40_000}</v></c></row>', "a cell of more than 32767 characters"),
    ],
)
def test_a_row_that_cannot_be_is_broken(sheet, reason):
    assert rows(read(xlsx(f"{sheet}<row><c><v>1</v></c></row>"))) == [(1, reason), (2, ["1"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "damaged, or cut short"),
        (b"volume,place\n", "not a workbook"),
        (xlsx("<row/>")[:300], "not a workbook"),
        (ods("<a>")[:-1], "not a workbook"),
        (ods("<a>"), "content.xml is damaged"),
        (xlsx('<row><c t="s"><v>7</v></c></row>'), "refers to a text that is not there"),
        (xlsx("</row>"), "is damaged"),
    ],
)
def test_what_is_no_workbook_says_so_and_what_to_send(content, said):
    table = read(content)
    assert said in table.fault
    assert table.hint


def test_a_sheet_that_is_damaged_behind_rows_is_a_flaw_of_all_of_them():
    sheet = "<row><c><v>1</v></c></row>" * 20_000 + "<row></c>"
    chunks = list(read(xlsx(sheet)).chunks)
    assert chunks[1].cells[0] == ["1"]
    (flaw,) = [chunk.flaw for chunk in chunks if chunk.flaw]
    assert "is damaged" in flaw.text
    assert 10_000 < flaw.line <= 20_000


def left_out(table):
    return dict(sum((Counter(chunk.left_out) for chunk in table.chunks), Counter()))


def test_sheets_that_are_not_read_are_counted_but_for_the_empty_ones():
    row = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
    assert left_out(read(xlsx("", row, row, "<row/>", "</row>"), wanted=("volume",))) == {"another sheet": 2}
    assert left_out(read(xlsx(row), wanted=("volume",))) == {}


def test_what_sheets_share_is_read_once(monkeypatch):
    opened = []
    plain = Package.stream

    def stream(package, name, *rest):
        opened.append(name)
        return plain(package, name, *rest)

    monkeypatch.setattr(Package, "stream", stream)
    sheets = ['<row><c t="s"><v>1</v></c></row>'] * 5
    assert rows(read(xlsx(*sheets), wanted=("place",))) == []
    assert opened.count("xl/sharedStrings.xml") == 1
    assert opened.count("xl/worksheets/sheet5.xml") == 1


def test_looking_for_a_sheet_in_many_is_bounded(monkeypatch):
    rows = "<table-row><table-cell><p>x</p></table-cell></table-row>" * 5_000
    content = ods(f'<d><table name="S">{rows}</table>' + '<table name="T"/>' * 100 + "</d>")
    assert not read(content, wanted=("volume",)).fault
    monkeypatch.setattr(package, "MOST_READ", 5_000_000)
    assert "more than 5000000 bytes" in read(content, wanted=("volume",)).fault


@pytest.mark.parametrize(
    ("module", "bound", "most", "said"),
    [
        (package, "MOST_FILES", 6, "it holds more than 5 files"),
        (workbook, "MOST_SHEETS", 2, "it has more than 1 sheets"),
        (sheet, "MOST_ROWS", 3, "it has more than 2 rows"),
        (sheet, "MOST_CELLS", 6, "it has more than 5 cells"),
    ],
)
def test_a_bound_of_workbooks_is_exact(monkeypatch, module, bound, most, said):
    content = xlsx(*["<row><c><v>7</v></c><c/></row>" * 3] * 2)
    monkeypatch.setattr(module, bound, most)
    assert len(rows(read(content))) == 3
    monkeypatch.setattr(module, bound, most - 1)
    assert read(content).fault == said


def test_a_file_that_unzips_to_more_than_it_may_is_not_opened():
    content = xlsx("<row><c><v>7</v></c></row>", workbook_more=" " * MOST_SMALL_BYTES)
    assert read(content).fault == f"xl/workbook.xml has more than {MOST_SMALL_BYTES} bytes"


def test_an_open_document_has_values_repeats_and_asides():
    content = """<d><table name="One"><table-row><table-cell value-type="float" value="12.0"><p>12,0</p></table-cell>
<table-cell value-type="date" date-value="2031-01-31T08:10:00"/><table-cell number-columns-repeated="2"><p>a</p><p>b</p>
</table-cell><covered-table-cell/><table-cell value-type="boolean" boolean-value="true"/><table-cell><annotation>
<p>no</p></annotation><p>c<s/>d</p><frame><p>no</p></frame></table-cell></table-row>
<table-row number-rows-repeated="7"><table-cell number-columns-repeated="1024"/></table-row>
<table-row number-rows-repeated="2"><table-cell><p>x</p></table-cell></table-row></table><table name="Two"/></d>"""
    assert rows(read(ods(content))) == [
        (1, ["12", "2031-01-31 08:10:00", "a\nb", "a\nb", "", "TRUE", "c d"]),
        (9, ["x"]),
        (10, ["x"]),
    ]


@given(st.binary(max_size=60), st.integers(0, 1500), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_damage_to_a_workbook_is_a_fault_or_a_row(damage, place, sheet_damaged):
    sheet = '<row><c t="s"><v>0</v></c></row>' + '<row><c t="s"><v>1</v></c></row>' * 5
    if sheet_damaged:
        cut = place % len(sheet)
        content = xlsx(sheet[:cut] + damage.decode("latin-1") + sheet[cut + len(damage) :])
    else:
        whole = xlsx(sheet)
        content = whole[:place] + damage + whole[place + len(damage) :]
    table = read(content, wanted=("volume",))
    assert table.fault or all(len(chunk.cells) == len(chunk.lines) for chunk in table.chunks)


def listed(table):
    chunks = list(table.chunks)
    counted = sum((Counter(chunk.left_out) for chunk in chunks), Counter())
    numbers = [line for chunk in chunks for line in chunk.lines]
    return numbers, dict(counted), [chunk.flaw.text for chunk in chunks if chunk.flaw]


HEAD = '<row><c t="s"><v>0</v></c></row>'
SEEN = '<row><c t="s"><v>1</v></c></row>'
GONE = '<row hidden="1"><c t="s"><v>1</v></c></row>'


def test_hidden_rows_of_an_xlsx_are_left_out_and_counted():
    sheet = HEAD + SEEN + GONE + GONE.replace('"1"', '"true"', 1) + GONE.replace('"1"', '"0"', 1)
    assert listed(read(xlsx(sheet), wanted=("volume",))) == ([2, 5], {"hidden row": 2}, [])


def test_a_hidden_row_never_gives_the_captions():
    old = '<row hidden="1"><c t="s"><v>0</v></c><c t="str"><v>from</v></c></row>'
    now = '<row><c t="str"><v>from</v></c><c t="s"><v>0</v></c></row>'
    table = read(xlsx(old + now + SEEN), wanted=("volume", "from"))
    assert (table.captions, table.header_line) == (("from", "volume"), 2)


@pytest.mark.parametrize("wanted", [("volume",), ()])
def test_a_list_that_shows_none_of_its_rows_is_a_flaw(wanted):
    head = HEAD if wanted else ""
    assert listed(read(xlsx(head + GONE * 3), wanted=wanted)) == ([], {"hidden row": 3}, ["all its rows are hidden"])


def hiding(content, state):
    """The workbook with its first sheet hidden."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            said = old.read(name).replace(b'<sheet name="S1"', f'<sheet name="S1" state="{state}"'.encode())
            new.writestr(name, said)
    return packed.getvalue()


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_of_an_xlsx_are_not_read_have_no_number_and_are_counted(state):
    content = hiding(xlsx(HEAD + SEEN * 2, HEAD + SEEN, HEAD), state)
    for asked in ({"wanted": ("volume",)}, {"number": 1, "header": 1}):
        table = read(content, **asked)
        assert table.name == "S2"
        assert listed(table) == ([2], {"hidden sheet": 1, "another sheet": 1}, [])
    table = read(content, title=(compile_filter("S1", fold=True),))
    assert table.fault == 'no sheet has the number or title asked for; sheets are "S2", "S3"; 1 more are hidden'
    assert "have it shown" in table.hint
    assert read(hiding(xlsx(HEAD), "visible"), wanted=("volume",)).name == "S1"


def test_hidden_rows_and_sheets_of_an_open_document_are_left_out_and_counted():
    def row(text, more=""):
        return f"<t:table-row {more}><t:table-cell><p>{text}</p></t:table-cell></t:table-row>"

    styles = "".join(
        f'<s:style s:name="ta{at}"><s:table-properties t:display="{shown}"/></s:style>'
        for at, shown in enumerate(("false", "true"))
    )
    one = f'<t:table t:name="Old" t:style-name="ta0">{row("volume")}{row("A00009")}</t:table>'
    hidden = row("A00002", 't:visibility="filter"') + row("A", 't:visibility="collapse" t:number-rows-repeated="2"')
    rows_of = row("volume") + row("A00001") + hidden + row("A00003", 't:visibility="visible"')
    two = f'<t:table t:name="Now" t:style-name="ta1">{rows_of}</t:table>'
    table = read(ods(f'<d xmlns:t="t" xmlns:s="s">{styles}{one}{two}</d>'), wanted=("volume",))
    assert table.name == "Now"
    assert listed(table) == ([2, 6], {"hidden row": 3, "hidden sheet": 1}, [])


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_is_compressed_as_no_workbook_is_is_not_opened(method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("content.xml", "<x/>" * 100)
    assert read(packed.getvalue()).fault == "content.xml is compressed in a way that no workbook is"
