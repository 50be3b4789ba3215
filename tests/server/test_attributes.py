"""Attributes 1 to 200 of volumes, move dates, and what is pending or late, on every store."""

from __future__ import annotations

import io

import pytest

from mailsync.core.model import Volume
from mailsync.core.outcome import Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.rules import attribute_number
from mailsync.server.store import LoadRow
from mailsync.server.stores import open_url
from mailsync.server.volumes import read_volumes, write_attributes

HASH = b"h" * 32


def results(outcome):
    return [(result.result, result.text) for result in outcome.results]


def values(store, scope):
    _, volumes = store.attributes(scope)
    return {name: said for name, _, said in volumes if said}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("attribute_1", 1),
        ("attribute_200", 200),
        ("attribute_201", 0),
        ("attribute_0", 0),
        ("attribute_07", 0),
        ("attribute_", 0),
        ("attribute_\u0661", 0),
        ("attribute_1000", 0),
        ("7", 0),
    ],
)
def test_an_attribute_has_a_number_from_1_to_200(name, number):
    assert attribute_number(name) == number


class TestAttributes:
    def test_a_load_sets_and_unsets_attributes_and_export_gives_them_back(self, library, scope):
        text = "customer,media,volume,attribute_12,attribute_3\nUS01,LTO,A1,deep,\nUS01,LTO,B1,,new\n"
        reading = read_volumes(io.StringIO(text))
        assert library.load(reading.fields, reading.rows)[:3] == (2, 1, 1)
        assert values(library, scope) == {"A1": {12: "deep"}, "B1": {3: "new"}}
        lines = list(write_attributes(scope, *library.attributes(scope)))
        assert lines[0].endswith("encrypted,attribute_3,attribute_12\n")
        assert lines[1].endswith(",,deep\n")
        again = read_volumes(iter(lines))
        assert library.load(again.fields, again.rows)[1:3] == (0, 0)
        library.load(("attribute_12",), [LoadRow(scope, "A1", ("",), 2)])
        assert values(library, scope) == {"B1": {3: "new"}}
        assert library.attributes(scope)[0] == (3,)

    def test_a_volume_whose_attributes_change_gets_a_version_and_the_others_none(self, library, scope):
        before = library.scopes(ADMINISTRATOR)[0].version
        rows = [LoadRow(scope, "A1", ("x",), 2), LoadRow(scope, "A2", ("",), 3)]
        assert library.load(("attribute_7",), rows).changed == 1
        assert library.load(("attribute_7",), rows).changed == 0
        assert library.scopes(ADMINISTRATOR)[0].version == before + 1

    def test_an_operation_sets_an_attribute_and_the_ledger_says_which_row_asked(
        self, library, who, scope, make_batch, move
    ):
        library.load(("flags",), [LoadRow(scope, "A9", ("L",), 2)])
        batch = make_batch(
            move("A1", "OFFS", attribute_7="seven"),
            move("A1", attribute_7="seven"),
            move("A2", attribute_7=""),
            move("A9", attribute_7="locked"),
            move("A3", attribute_201="x"),
            move("A3", attribute_9="x" * 257),
            Operation(Change.CREATE, "N1", ("attribute_1",), ("new",), 0, 1, 2),
            Operation(Change.CONFIRM, "A4", ("attribute_1",), ("new",), 0, 1, 2),
        )
        assert results(library.apply(batch, HASH, who, 5)) == [
            (Result.OK, ""),
            (Result.UNCHANGED, ""),
            (Result.UNCHANGED, ""),
            (Result.FORBIDDEN, "the volume is locked"),
            (Result.INVALID, "attribute_201: not a field that a report may set"),
            (Result.INVALID, "attribute_9: 257 characters, at most 256"),
            (Result.OK, ""),
            (Result.INVALID, "a confirmation names one repository and nothing else"),
        ]
        assert values(library, scope) == {"A1": {7: "seven"}, "N1": {1: "new"}}
        changes = {(one.volume, one.field, one.before, one.after, one.line) for one in library.ledger(scope)}
        assert ("A1", "attribute_7", "", "seven", 8) in changes
        assert list(library.verify()) == []

    def test_a_deleted_volume_loses_its_attributes(self, library, scope):
        library.load(("attribute_7",), [LoadRow(scope, "A1", ("x",), 2)])
        library.delete(scope, ["A1"])
        library.load(("slot",), [LoadRow(scope, "A1", ("1",), 2)])
        assert values(library, scope) == {}

    def test_a_copied_store_has_them(self, library, scope, tmp_path):
        library.load(("attribute_7", "container"), [LoadRow(scope, "A1", ("x", "US01.LTO.A2"), 2)])
        with open_url(f"sqlite:{tmp_path / 'copy.db'}") as copy:
            library.copy_to(copy, b"e" * 16, told=lambda *_: None)
            assert values(copy, scope) == {"A1": {7: "x"}}
            assert copy.grants() == library.grants()
            assert copy.scopes(ADMINISTRATOR)[0].volumes == 9
            assert list(copy.verify()) == []


class TestMoves:
    def test_a_move_date_is_a_flag_as_long_as_it_is_set(self, library, who, scope, make_batch, move):
        library.apply(make_batch(move("A1", move_date="2026-02-01")), HASH, who, 5)
        assert dict(library.export(scope))["A1"].flags == "D"
        library.load(
            ("move_date", "flags"), [LoadRow(scope, "A1", ("", "Dl"), 2), LoadRow(scope, "A2", ("2026-03-01", ""), 3)]
        )
        assert dict(library.export(scope))["A1"].flags == "l"
        assert dict(library.export(scope))["A2"] == Volume(
            "", "LIBR", "LIBR", "LIBR", flags="D", move_date="2026-03-01"
        )

    def test_what_is_on_its_way_is_listed_longest_first_until_it_is_confirmed(
        self, library, who, scope, make_batch, move
    ):
        one = make_batch(move("A2", "OFFS"))
        library.apply(one, HASH, who, 500)
        two = make_batch(move("A1", "OFFS"), move("A2", slot="7"), id=b"batch-0000000002")
        library.apply(two, HASH, who, 700)
        assert [(one.volume, one.current, one.target, one.sent) for one in library.moving()] == [
            ("A2", "LIBR", "OFFS", 500),
            ("A1", "LIBR", "OFFS", 700),
        ]
        seen = Operation(Change.CONFIRM, "A2", ("confirmed_repository",), ("OFFS",), 0, 1, 2)
        library.apply(make_batch(seen, id=b"batch-0000000003"), HASH, who, 800)
        assert [one.volume for one in library.moving(scope)] == ["A1"]

    def test_what_is_known_nowhere_is_listed_once_its_target_was_changed(self, library, who, scope, make_batch, move):
        new = Operation(Change.CREATE, "N1", ("repository",), ("LIBR",), 0, 1, 2)
        library.apply(make_batch(new), HASH, who, 500)
        library.load(("repository", "current_repository"), [LoadRow(scope, "N2", ("LIBR", ""), 2)])
        assert list(library.moving()) == []
        sent = make_batch(move("N1", "OFFS"), move("N2", "LIBR"), move("A1", "OFFS"), id=b"batch-0000000002")
        library.apply(sent, HASH, who, 600)
        assert [(one.volume, one.current, one.target, one.sent) for one in library.moving(scope)] == [
            ("A1", "LIBR", "OFFS", 600),
            ("N1", "", "OFFS", 600),
        ]
        seen = Operation(Change.CONFIRM, "N1", ("confirmed_repository",), ("OFFS",), 0, 1, 2)
        library.apply(make_batch(seen, id=b"batch-0000000003"), HASH, who, 700)
        assert [one.volume for one in library.moving()] == ["A1"]

    def test_a_move_date_that_has_passed_is_listed_oldest_first(self, library, scope):
        dates = {"A1": "2026-02-01", "A2": "2026-01-01", "A3": "2026-03-01", "A4": ""}
        library.load(("move_date",), [LoadRow(scope, name, (date,), 2) for name, date in dates.items()])
        assert [one.volume for one in library.dated("2026-03-01")] == ["A2", "A1"]
        assert [one.volume for one in library.dated("2026-03-02", scope)] == ["A2", "A1", "A3"]
