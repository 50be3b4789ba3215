from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.layout import Layout
from mailsync.core.model import Attachment
from mailsync.tables.reader import read_table


def read(text, path=(), **more):
    layout = Layout(kind="json", path=path, **more)
    return read_table(Attachment("a", text.encode(), "", "", depth=0, body=False), layout, 50)


def rows(table):
    return [
        (line, list(cells) if cells else dict(chunk.broken).get(index, ""))
        for chunk in table.chunks
        for index, (line, cells) in enumerate(zip(chunk.lines, chunk.cells, strict=True))
    ]


def test_keys_are_columns_and_values_are_as_written():
    table = read('[{"a": 1.50, "b": null, "c": true},\n\n{"b": {"x": "y"}, "a": [1, "z", {}]}]')
    assert table.captions == ("a", "b", "c", "b.x")
    assert rows(table) == [(1, ["1.50", "", "true", ""]), (3, ["1, z", "", "", "y"])]


def test_a_path_leads_past_anything_to_the_rows():
    text = '{"x": [{"v": [1]}], "a": {"n": "]", "b": [{"v": 7}], "c": 1}}'
    assert rows(read(text, ("a", "b"))) == [(1, ["7"])]


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("", (), "there is no array of rows at the top"),
        ('{"a": 1}', (), "there is no array of rows at the top"),
        ('{"a": 1}', ("a",), 'there is no array of rows at "a"'),
        ('{"a": {}}', ("a", "b"), 'there is no "a.b"'),
        ("[]", ("a",), 'there is no "a"'),
        ('{"x": tru, "a": []}', ("a",), "not JSON in line 1"),
        ('{"x" 1}', ("a",), 'there is no "a"'),
        ('{"x": ' + "[" * 100_000, ("a",), "not JSON: nested too deep"),
    ],
)
def test_without_an_array_there_is_no_table(text, path, said):
    assert said in read(text, path).fault


def flaws(table):
    return [(one.line, one.text) for one in [chunk.flaw for chunk in table.chunks] if one]


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("", (2, "the JSON breaks off in line 2")),
        (",", (2, "the JSON breaks off in line 2")),
        (',\n{"a": ', (3, "the JSON breaks off in line 3")),
        (', {"a": "b', (2, "the JSON breaks off in line 2")),
        (', {"a": 2} {', (2, "not JSON in line 2")),
        (', {"a": 2}; ', (2, "not JSON in line 2")),
        (", nul]", (2, "not JSON in line 2: expecting value")),
        ("]\n[]", (3, "there is more behind the end of the JSON")),
        ("] x", (2, "there is more behind the end of the JSON")),
        (", " + "[" * 100_000, (2, "not JSON: nested too deep")),
    ],
)
def test_what_is_no_json_up_to_its_end_is_a_flaw_of_the_whole_table(rest, said):
    text = '[\n{"a": 1}' + rest
    assert rows(read(text))[0] == (2, ["1"])
    assert flaws(read(text)) == [said]


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("", (2, "the JSON breaks off in line 2")),
        ("}", (2, "the JSON breaks off in line 2")),
        (', "x"}}', (2, "not JSON in line 2")),
        (', "x": [1', (2, "the JSON breaks off in line 2")),
        (", 1: 2}}", (2, "not JSON in line 2")),
        (', "b": []}}', (2, 'the key "b" is there twice')),
        ('}, "a": {}}', (2, 'the key "a" is there twice')),
        ("}}}", (2, "there is more behind the end of the JSON")),
    ],
)
def test_what_is_around_the_rows_is_read_to_its_end(rest, said):
    assert flaws(read('{"a": {"b": [{"v": 7}]\n' + rest, ("a", "b"))) == [said]


def test_a_whole_text_has_no_flaw():
    assert flaws(read('{"a": {"b": [{"v": 7}], "c": {"b": [1]}}, "b": []}\n ', ("a", "b"))) == []
    assert flaws(read("[]")) == []
    assert flaws(read('[{"a": 1}]\r\n\x1a\0')) == []


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.integers() | st.text(max_size=3), max_size=3)), st.data())
@settings(max_examples=200, deadline=None)
def test_a_text_cut_anywhere_is_a_fault_or_a_flaw(objects, data):
    whole = json.dumps({"n": 1, "r": objects, "z": "]}"}, indent=1)
    table = read(whole[: data.draw(st.integers(0, len(whole) - 1))], ("r",))
    assert table.fault or len(flaws(table)) == 1


def test_a_key_that_is_there_twice_breaks_its_row_only():
    assert rows(read('[{"a": 1, "a": 2}, {"a": {"b": 1, "b": 1}}, {"a": 3}]')) == [
        (1, "a key is there twice"),
        (1, "a key is there twice"),
        (1, ["3"]),
    ]


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=5) | st.booleans(), max_size=4)))
@settings(max_examples=200, deadline=None)
def test_every_object_is_a_row_with_its_values(objects):
    table = read(json.dumps(objects, indent=1))
    if not table.captions:
        return
    found = [dict(zip(table.captions, cells, strict=True)) for _, cells in rows(table)]
    wanted = [{key: str(one).lower() if isinstance(one, bool) else one for key, one in row.items()} for row in objects]
    assert [{key: row[key] for key in one} for row, one in zip(found, wanted, strict=True)] == wanted
