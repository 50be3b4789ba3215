from __future__ import annotations

from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsync.core.model import Attachment, Scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.tables.reader import read_table

TEXTS = {
    "captions": """
claim: {attachment: "*"}
table: {header: first}
skip: [{record: "#*"}, {field: volume, matches: "CLN*"}]
fields:
  volume: {column: volume}
  repository: {column: repository}
  move_date: {column: move_date, optional: true, never: [never]}
""",
    "numbers": """
claim: {attachment: "*"}
table: {header: none, delimiter: ",", encoding: cp437}
duplicates: last
fields:
  barcode: {column: 1}
  user1: {column: 2}
  description: {column: 2, extract: {regex: "(.*)x"}, pad: 3, max: 5}
  repository: {column: 3, translate: [["?*", "~~*^"]], translate_from: {field: user1, table: [["[a-m]*", LIBR]]}}
  write_time: {column: 4, date: ["%s", "%Y-%m-%d"]}
""",
    "fixed": """
claim: {attachment: "*"}
table: {kind: fixed}
duplicates: error
fields: {volume: {column: [1, 6]}, slot: {column: [8, 12], empty: unset}}
""",
    "whole": """
claim: named
table: {header: none, delimiter: ","}
heading: {record: "A00003*", rows: 2}
rows: {start: ["x*", "A*"], end: "never*", terminate: "US01*"}
skip: [{unless: "!(CLN*)"}]
duplicates: last
min_rows: 2
fields:
  volume: {column: 1}
  user1: {column: 2}
  description: {join: [{column: 2}, {column: 3, optional: true}]}
  slot: {column: {heading: 2, start: 2, length: 3}}
  move_date: {column: 4, optional: true, never: [never], adjust: [{months: 1}, {field: user1, matches: "x*", days: 3}]}
  write_time: {column: 5, optional: true}
by_date:
  - {move_date: {within: 7d}, repository: LIBR}
  - {write_time: {beyond: 7d}, repository: OFFS, field: user1, matches: "*", move_after: 7d}
""",
}
DEFINITIONS = {name: load_definition("x.yaml", text, []) for name, text in TEXTS.items()}
CONTEXT = Context(
    read_table,
    scope=Scope("US01", "LTO"),
    repositories={"Library": "LIBR"},
    timezone="Europe/Berlin",
    today=date(2030, 12, 30),
)
CELLS = st.sampled_from(
    [
        "A00001",
        "A00002",
        "A00003",
        "CLN001",
        "US01.LTO.A1",
        "x",
        "",
        "Library",
        "never",
        "2031-01-01",
        '"',
        '"a\nb"',
        "é",
        "#",
    ]
)
ROWS = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=25)
CALM = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mapped(name: str, content: bytes, charset: str = ""):
    return map_attachment(Attachment("x", content, "", charset, depth=0, body=False), DEFINITIONS[name], CONTEXT)


def assert_counts_add_up(found):
    recorded = sum(len(records.volumes) for records in found.records)
    assert found.read == recorded + sum(count.rows for count in found.skipped) + found.refused
    assert all(problem.text and problem.hint for problem in found.problems)
    for records in found.records:
        columns = (records.volumes, records.values, records.rows, records.lines, records.which)
        assert len({len(column) for column in columns}) == 1
        assert len(set(records.volumes)) == len(records.volumes)
        assert all(len(values) == len(records.fields) for values in records.values)
        assert all(value is None or isinstance(value, str) for values in records.values for value in values)


@given(st.sampled_from(sorted(TEXTS)), ROWS, st.sampled_from(["utf-8", "utf-16", "cp437", "utf-16-le"]))
@CALM
def test_every_row_is_recorded_skipped_or_refused(name, rows, encoding):
    text = "\n".join(["volume,repository,move_date", *rows])
    found = mapped(name, text.encode(encoding, "replace"))
    assert_counts_add_up(found)


@given(
    st.sampled_from(sorted(TEXTS)), st.binary(max_size=400), st.sampled_from(["", "us-ascii", "iso-8859-1", "x-evil"])
)
@CALM
def test_any_bytes_give_an_outcome(name, content, charset):
    assert_counts_add_up(mapped(name, content, charset))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A00001", "A00002", "A00003", "CLN001", "bad volume"]),
            st.sampled_from(["Library", "Offsite", "", "RACK"]),
            st.sampled_from(["never", "2031-01-01", "no date", ""]),
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
@CALM
def test_the_order_of_the_rows_does_not_matter(rows, random):
    def said(ordered):
        found = mapped("captions", "\n".join(["volume,repository,move_date", *map(",".join, ordered)]).encode())
        pairs = [pair for records in found.records for pair in zip(records.volumes, records.values, strict=True)]
        return sorted(pairs, key=repr), found.refused, found.skipped

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert said(shuffled) == said(rows)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30))
@CALM
def test_the_table_of_a_report_is_the_same_in_every_delimiter(rows):
    def said(delimiter):
        cells = [[cell.replace('"', "").replace("\n", "") for cell in row] for row in rows]
        lines = [delimiter.join(row) for row in [["volume", "repository"], *cells]]
        found = mapped("captions", "\n".join(lines).encode())
        return [(records.volumes, records.values, list(records.lines)) for records in found.records], found.refused

    assert said(";") == said(",") == said("\t") == said("|")
