"""CSV in and out: a round trip of anything that may be stored, and every fault of a file at once."""

from __future__ import annotations

import gzip
import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.fields import FIELD_NAMES, VOLUME_FIELDS, Kind
from mailsync.core.model import CustomerId, MediaId, Scope, Volume
from mailsync.server.sqlite import SqliteStore
from mailsync.server.store import LoadFault, LoadRow
from mailsync.server.volumes import HEADER, Reading, read_volumes, write_volumes

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
CAPTIONS = ",".join(HEADER) + "\n"
DATES = st.dates().map(str)
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.just("\t"), max_size=10)
VALUES = {
    Kind.TEXT: TEXT,
    Kind.DATE: st.just("") | DATES,
    Kind.TIME: st.just("") | st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")),
    Kind.FLAG: st.sampled_from(["", "yes", "no"]),
    Kind.REPOSITORY: st.sampled_from(["", "LIBR", "OFFS", "R1"]),
}
ROWS = st.dictionaries(
    st.from_regex(r"[A-Z0-9][A-Z0-9-]{1,9}", fullmatch=True),
    st.tuples(*(st.just("") if one.name in ("flags", "container") else VALUES[one.kind] for one in VOLUME_FIELDS)),
    max_size=8,
)


def lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def load(store, text: str, **named):
    reading = read_volumes(lines(text))
    assert isinstance(reading, Reading), reading
    return store.load(reading.fields, reading.rows, **named)


def export(store, scope) -> str:
    return "".join(write_volumes(scope, store.export(scope)))


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_load_of_an_export_exports_the_same_bytes(rows):
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        one, two = (stack.enter_context(SqliteStore(Path(folder, name))) for name in ("one.db", "two.db"))
        one.add_scope(SCOPE)
        one.load(FIELD_NAMES, [LoadRow(SCOPE, name, values, 1) for name, values in rows.items()])
        text = export(one, SCOPE)
        assert load(two, text).added == len(rows)
        assert (export(two, SCOPE) if rows else text) == text
        assert load(one, text)[1:3] == (0, 0)


def test_export_has_the_columns_of_the_contract_and_is_sorted_by_volume(library, scope):
    load(library, 'volume,media,customer,description\nB2,LTO,US01,two\nB10,LTO,US01,"a, ""b"""\n')
    told = export(library, scope).splitlines()
    assert told[0] == (
        "customer,media,volume,description,repository,current_repository,confirmed_repository,home_repository,"
        "container,slot,flags,data_cluster,system,move_date,write_time,expiry_date,scratch,encrypted"
    )
    assert told[1] == "US01,LTO,A1,,LIBR,LIBR,LIBR,,,,,,,,,,,"
    assert [line.split(",")[2] for line in told[10:]] == ["B10", "B2"]
    assert told[10].startswith('US01,LTO,B10,"a, ""b""",LIBR')


def test_places_that_differ_survive_a_round_trip(library, scope):
    moving = Volume("", "OFFS", "LIBR", "RACK", flags="LM")
    load(library, CAPTIONS + "US01,LTO,A1," + ",".join(moving) + "\n")
    assert dict(library.export(scope))["A1"] == moving
    assert load(library, export(library, scope))[1:3] == (0, 0)


def test_empty_unsets_what_a_column_names_and_leaves_the_rest(library, scope):
    load(library, "customer,media,volume,slot,description\nUS01,LTO,A1,7,seven\n")
    load(library, "customer,media,volume,slot\nUS01,LTO,A1,\n")
    assert dict(library.export(scope))["A1"] == Volume("seven", "LIBR", "LIBR", "LIBR")


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_are_read(library, scope):
    assert load(library, "\ufeffcustomer,media,volume,slot\r\n\r\nUS01,LTO,A1,7\r\n").changed == 1


def test_every_fault_of_a_file_is_found_with_its_line():
    text = (
        "customer,media,volume,description,move_date,scratch\n"
        "US01,LTO,A1,fine,2026-01-31,yes\n"
        "US01,LTO,a1,,,\n"
        "US001,LTO,A2,,,\n"
        "US01,LTO,A3,,31.01.2026,may\n"
        '"US01","LTO","A4","two\nlines",,\n'
        "US01,LTO,A5,,\n"
        'US01,LTO,A6,"open" quote,,\n'
        "US01,LTO,A7,\udcff,,\n"
        "US01,LTO,A8,fine,,\n"
    )
    reading = read_volumes(lines(text))
    assert isinstance(reading, Reading)
    rows = list(reading.rows)
    assert [row.volume for row in rows if isinstance(row, LoadRow)] == ["A1", "A8"]
    assert [(row.line, row.text) for row in rows if isinstance(row, LoadFault)] == [
        (3, "'a1' is not a volume: 2 to 10 of A-Z, 0-9 and dash, no dash first"),
        (4, "'US001.LTO' is not a scope: customer and media have 1 to 4 letters or digits"),
        (5, 'move_date: "31.01.2026" is not a date such as 2026-01-31; scratch: "may" is neither yes nor no'),
        (6, "description: holds the character U+000A"),
        (8, "5 columns, where the first line names 6"),
        (9, "not CSV: ',' expected after '\"'"),
        (10, "the line is not UTF-8: save the file as UTF-8"),
    ]


def test_a_faulty_file_loads_nothing(library, scope):
    before = export(library, scope)
    loaded = load(library, "customer,media,volume,slot\nUS01,LTO,A1,7\nUS01,LTO,A2,12345678901\n")
    assert (loaded.faulty, loaded.faults[0].line) == (1, 3)
    assert export(library, scope) == before


def test_faults_beyond_the_bound_are_counted(library):
    text = "customer,media,volume,slot\n" + "US01,LTO,a,\n" * 1500
    loaded = load(library, text)
    assert (loaded.faulty, len(loaded.faults)) == (1500, 1000)


def faults_of(text: str) -> list[tuple[int, str]]:
    """The faults of a text: those of its first line, then those of its rows."""
    reading = read_volumes(lines(text))
    return [tuple(one) for one in (*reading.faults, *reading.rows) if isinstance(one, LoadFault)]


KNOWN = (1, f"known columns are: {', '.join(HEADER)}, and attribute_1 to attribute_200")


def test_all_that_is_wrong_with_the_caption_line_is_told_and_the_columns_are_listed_once():
    assert faults_of("volume,volume,colour,slots\nA1,A1,red,1\n") == [
        (1, 'no column "customer": the first line names the columns'),
        (1, 'no column "media": the first line names the columns'),
        (1, "column 2: 'volume' is there twice"),
        (1, "column 3: 'colour' is unknown"),
        (1, "column 4: 'slots' is unknown; did you mean \"slot\"?"),
        KNOWN,
    ]


def test_a_caption_that_is_nearly_right_is_told_once_and_its_column_is_read_as_meant():
    assert faults_of("customer,media, Volume ,Move Date\nUS01,LTO,a1,\nUS01,LTO,A2,tomorrow\n") == [
        (1, "column 3: ' Volume ' is unknown; did you mean \"volume\"?"),
        (1, "column 4: 'Move Date' is unknown; did you mean \"move_date\"?"),
        (2, "'a1' is not a volume: 2 to 10 of A-Z, 0-9 and dash, no dash first"),
        (3, 'move_date: "tomorrow" is not a date such as 2026-01-31'),
    ]


def test_a_missing_column_does_not_hide_the_faults_of_the_others():
    assert faults_of("volume,customer,scratch\nA1,US01,yes\nA2,US001,yes\nA3,US01,may\n") == [
        (1, 'no column "media": the first line names the columns'),
        KNOWN,
        (3, "'US001.X' is not a scope: customer and media have 1 to 4 letters or digits"),
        (4, 'scratch: "may" is neither yes nor no'),
    ]


@pytest.mark.parametrize(("sign", "shown"), [(";", '";"'), ("\t", "tabs"), ("|", '"|"')])
def test_columns_that_are_cut_otherwise_are_told_once(sign, shown):
    text = "customer,media,Volume\nUS01,LTO,A1\nUS01,LTO,A2\n".replace(",", sign)
    assert faults_of(text) == [(1, f'the line looks cut by {shown}: columns must be cut by ","')]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (gzip.compress(CAPTIONS.encode()), "gzip: uncompress it first"),
        (CAPTIONS.encode("utf-16"), "UTF-16: convert it to UTF-8 first"),
        (b"\xfe\xff" + CAPTIONS.encode("utf-16-be"), "UTF-16: convert it to UTF-8 first"),
        (CAPTIONS.encode("utf-16-le"), "UTF-16, or no text at all: convert it to UTF-8 first"),
        (b"PK\x03\x04" + bytes(30), "a zip archive or a spreadsheet: save it as CSV first"),
    ],
)
def test_a_file_that_is_no_csv_is_told_by_what_it_is(content, shown):
    assert faults_of(content.decode("utf-8", "surrogateescape")) == [(1, f"the file is {shown}")]


def test_an_empty_file_lacks_its_columns():
    assert [fault for _, fault in faults_of("")][:3] == [
        f'no column "{name}": the first line names the columns' for name in ("customer", "media", "volume")
    ]
