"""Rows' values are what was added, however they are kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.model import Scope
from mailsync.definition import row_values
from mailsync.definition.row_values import Values

MANY = 20
COLUMNS = st.sampled_from(
    [
        lambda number: f"2031-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
        lambda number: ("LIBR", "OFFS", None)[number % 3],
        lambda number: None if number % 5 else "",
        lambda number: f"{number:04d}" if number % 7 else ("", None)[number % 2],
        str,
        lambda number: f"é{number:04d}",
        lambda number: f"{number:04d}" if number < 250 else "late",
        lambda number: f"{number:04d}" if number < 250 else "later than all",
        lambda number: "\x7f" * 4 if number == 3 else f"{number:04d}",
    ]
)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(row_values, "_MANY", MANY)
    monkeypatch.setattr(row_values, "_BLOCK", 8)


def filled(kinds, sizes) -> tuple[Values, list[tuple[str | None, ...]]]:
    values, rows = Values(), []
    for size in sizes:
        added = [tuple(kind(len(rows) + number) for kind in kinds) for number in range(size)]
        rows += added
        if size == 1:
            values.append(added[0])
        else:
            values.extend([list(column) for column in zip(*added, strict=True)] or [[] for _ in kinds], size)
    return values, rows


@settings(deadline=None, max_examples=60)
@given(
    kinds=st.lists(COLUMNS, min_size=1, max_size=3),
    sizes=st.lists(st.one_of(st.just(1), st.integers(0, 9), st.just(1200)), max_size=6),
    places=st.lists(st.integers(0, 3000), max_size=20),
)
def test_what_was_added_comes_back(kinds, sizes, places):
    values, rows = filled(kinds, sizes)
    assert len(values) == len(values.plain()) == len(rows)
    assert list(values) == list(values.plain()) == rows
    assert [values[place % len(rows)] for place in places if rows] == [
        rows[place % len(rows)] for place in places if rows
    ]
    assert [values[place] for place in range(len(rows))] == rows
    assert list(values[1:9]) == rows[1:9]


def test_rows_that_hardly_repeat_are_kept_by_columns_and_others_as_a_list():
    times = filled([lambda number: f"{number:08d}", lambda _: "LIBR"], [1500, 1500])[0]
    places = filled([lambda number: ("LIBR", "OFFS")[number % 2]], [1500, 1500])[0]
    assert times.plain() is times
    assert isinstance(places.plain(), list)
    with pytest.raises(IndexError):
        times[3000]
    assert (times[-1], times[2999]) == (("00002999", "LIBR"),) * 2


def test_the_rows_that_count_are_left_of_those_with_duplicates(mapped):
    definition = """
duplicates: last
fields:
  volume: {column: 1}
  write_time: {column: 2, date: "%Y-%m-%d %H:%M:%S"}
"""
    lines = [
        f"A{number % 2500:05d},2031-01-01 {number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
        for number in range(3000)
    ]
    found = mapped(definition, "v,w\n" + "\n".join(lines) + "\n", scope=Scope("US01", "LTO"))
    (records,) = found.records
    assert dict(zip(records.volumes, (time for (time,) in records.values), strict=True)) == {
        line[:6]: line[7:].replace(" ", "T") + "Z" for line in lines
    }
