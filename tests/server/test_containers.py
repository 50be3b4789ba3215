"""Volumes that hold volumes, in one scope and across scopes, on every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR, USER_KIND, Access, Grant, Principal
from mailsync.server.store import LoadRow, RequestError
from mailsync.server.stores import open_url
from mailsync.wire.errors import Code
from mailsync.wire.scram import make_verifier

HASH = b"h" * 32
BOXES = Scope(CustomerId("US01"), MediaId("BOX"))
ABROAD = Scope(CustomerId("DE01"), MediaId("LTO"))


def create(volume, **fields):
    return Operation(Change.CREATE, volume, tuple(fields), tuple(fields.values()), 0, 1, 2)


def confirm(volume, place):
    return Operation(Change.CONFIRM, volume, ("confirmed_repository",), (place,), 0, 1, 2)


def results(outcome):
    return [(result.result, result.text) for result in outcome.results]


OK, UNCHANGED = (Result.OK, ""), (Result.UNCHANGED, "")


class TestContainers:
    @pytest.fixture
    def boxes(self, library, scope):
        """Box B1 with A1 to A3, box B2 with nothing yet, crate C1 with B1; boxes and crates are of another media."""
        places = tuple(Repository(RepositoryId(name)) for name in ("LIBR", "OFFS"))
        for one in (BOXES, ABROAD):
            library.add_scope(one, repositories=places, default_repository="LIBR")
        rows = [LoadRow(scope, f"A{number}", ("US01.BOX.B1",), number) for number in (1, 2, 3)]
        rows += [LoadRow(BOXES, "B1", ("US01.BOX.C1",), 4), LoadRow(BOXES, "B2", ("",), 5)]
        rows += [LoadRow(BOXES, "C1", ("",), 6), LoadRow(ABROAD, "X1", ("",), 7)]
        assert library.load(("container",), rows).faults == ()
        return library

    @pytest.fixture
    def apply(self, boxes, make_batch, who):
        """Applies operations in a scope, as it stands; the outcome."""
        count = iter(range(100))

        def apply(in_scope, *operations, by=who, **changes):
            at = {one.scope: one for one in boxes.scopes(ADMINISTRATOR)}[in_scope]
            number = next(count)
            said = {"id": number.to_bytes(16, "big"), "run": number.to_bytes(32, "big"), "base": at.version, **changes}
            return boxes.apply(make_batch(*operations, scope=in_scope)._replace(**said), HASH, by, 50)

        return apply

    def where(self, library, in_scope):
        return {
            name: (volume.repository, volume.current_repository, volume.flags)
            for name, volume in library.export(in_scope)
        }

    def test_a_load_makes_containers_of_what_it_names(self, boxes, scope):
        assert {name: flags for name, (_, _, flags) in self.where(boxes, BOXES).items()} == {
            "B1": "B",
            "B2": "",
            "C1": "B",
        }
        assert boxes.load(("flags",), [LoadRow(BOXES, "B1", ("l",), 2)]).changed == 1
        assert self.where(boxes, BOXES)["B1"][2] == "Bl"
        assert self.where(boxes, scope)["A1"] == ("LIBR", "LIBR", "")

    def test_moving_a_container_moves_what_is_in_it_however_deep(self, boxes, scope, apply, move):
        cursor = boxes.sync(scope, Cursor(), 0, 100, ADMINISTRATOR).cursor
        outcome = apply(BOXES, move("C1", "OFFS"))
        assert results(outcome) == [OK]
        assert (outcome.first, outcome.last) == (6, 7)  # C1 and B1; the tapes have versions of their own scope
        assert self.where(boxes, BOXES) == {
            "B1": ("OFFS", "LIBR", "BM"),
            "B2": ("LIBR", "LIBR", ""),
            "C1": ("OFFS", "LIBR", "BM"),
        }
        moved = {name for name, place in self.where(boxes, scope).items() if place == ("OFFS", "LIBR", "M")}
        assert moved == {"A1", "A2", "A3"}
        page = boxes.sync(scope, cursor, 0, 100, ADMINISTRATOR)
        assert ([row[0] for row in page.rows], page.cursor.since) == (["A1", "A2", "A3"], cursor.since + 3)
        changes = [(one.field, one.before, one.after, one.line) for one in boxes.ledger(scope, "A2")]
        assert sorted(changes) == [("flags", "", "M", 8), ("repository", "LIBR", "OFFS", 8)]
        assert [entry.kind for entry, _ in boxes.chain(str(scope))][-1] == "contents"
        assert list(boxes.verify()) == []

    def test_a_batch_sent_again_moves_nothing_twice(self, boxes, apply, move):
        base = {one.scope: one for one in boxes.scopes(ADMINISTRATOR)}[BOXES].version
        said = {"id": b"i" * 16, "run": b"j" * 32, "base": base}
        first = apply(BOXES, move("B1", "OFFS"), **said)
        versions = [one.version for one in boxes.scopes(ADMINISTRATOR)]
        again = apply(BOXES, move("B1", "OFFS"), **said)
        assert again == first._replace(replayed=True)
        assert [one.version for one in boxes.scopes(ADMINISTRATOR)] == versions

    def test_a_confirmed_container_confirms_what_is_in_it(self, boxes, scope, apply, move):
        apply(BOXES, move("B1", "OFFS"))
        assert results(apply(BOXES, confirm("B1", "OFFS"))) == [OK]
        assert self.where(boxes, scope)["A1"] == ("OFFS", "OFFS", "")
        assert dict(boxes.export(scope))["A1"].confirmed_repository == "OFFS"

    def test_a_container_is_not_confirmed_where_something_in_it_should_not_be(self, boxes, scope, apply, move):
        apply(BOXES, move("B1", "OFFS"))
        apply(scope, move("A2", "RACK"))
        before = self.where(boxes, BOXES), self.where(boxes, scope)
        text = "it holds US01.LTO.A2: seen in OFFS, but should be in RACK"
        assert results(apply(BOXES, confirm("B1", "OFFS"))) == [(Result.INVALID, text)]
        assert (self.where(boxes, BOXES), self.where(boxes, scope)) == before

    def test_a_container_moved_back_brings_its_contents_back_with_a_warning(self, boxes, scope, apply, move):
        apply(BOXES, move("B1", "OFFS"))
        apply(BOXES, move("B1", "LIBR"))
        assert self.where(boxes, scope)["A1"] == ("LIBR", "LIBR", "W")

    @pytest.mark.parametrize(("flags", "text"), [("L", "the volume is locked"), ("l", "the volume may not be moved")])
    def test_a_container_stays_when_something_in_it_must(self, boxes, scope, apply, move, flags, text):  # noqa: PLR0917
        boxes.load(("flags",), [LoadRow(scope, "A3", (flags,), 2)])
        before = self.where(boxes, scope)
        assert results(apply(BOXES, move("C1", "OFFS"))) == [(Result.FORBIDDEN, f"it holds US01.LTO.A3: {text}")]
        assert self.where(boxes, scope) == before
        assert self.where(boxes, BOXES)["C1"] == ("LIBR", "LIBR", "B")

    def test_a_container_goes_only_where_the_media_of_its_contents_have_a_place(self, boxes, apply, move):
        boxes.add_repository(BOXES, Repository(RepositoryId("CAVE")))
        text = 'it holds US01.LTO.A1: repository: repository "CAVE" is unknown'
        assert results(apply(BOXES, move("B1", "CAVE"))) == [(Result.INVALID, text)]

    def test_what_is_put_in_goes_along_from_the_next_move_on(self, boxes, scope, apply, move):
        assert results(apply(scope, move("A9", container="US01.BOX.B2"), move("A8", container="US01.BOX.B2"))) == [
            OK,
            OK,
        ]
        assert self.where(boxes, BOXES)["B2"] == ("LIBR", "LIBR", "B")
        apply(BOXES, move("B2", "OFFS"))
        assert self.where(boxes, scope)["A9"][0] == self.where(boxes, scope)["A8"][0] == "OFFS"
        apply(scope, move("A8", container=""))
        apply(BOXES, move("B2", "LIBR"))
        assert self.where(boxes, scope)["A9"][0] == "LIBR"
        assert self.where(boxes, scope)["A8"][0] == "OFFS"
        assert list(boxes.verify()) == []

    def test_within_a_batch_each_operation_sees_what_the_earlier_ones_left(self, boxes, apply, move):
        outcome = apply(
            BOXES,
            create("B7", repository="LIBR"),
            move("B2", container="US01.BOX.B7"),
            move("B1", container=""),
            move("B7", "OFFS"),
            move("C1", "OFFS"),
        )
        assert results(outcome) == [OK] * 5
        where = self.where(boxes, BOXES)
        assert {name: place[0] for name, place in where.items()} == {
            "B1": "LIBR",
            "B2": "OFFS",
            "B7": "OFFS",
            "C1": "OFFS",
        }

    def test_a_container_must_be_there(self, boxes, scope, apply, move):
        outcome = apply(
            scope,
            move("A9", container="US01.BOX.B9"),
            move("A9", container="XX01.BOX.B1"),
            move("A9", container="B1"),
            create("N1", container="US01.BOX.B9"),
        )
        assert results(outcome) == [
            (Result.INVALID, 'container: volume "US01.BOX.B9" is unknown'),
            (Result.INVALID, 'container: volume "XX01.BOX.B1" is unknown'),
            (Result.INVALID, 'container: "B1" is not a barcode such as US01.BOX.BOX001'),
            (Result.INVALID, 'container: volume "US01.BOX.B9" is unknown'),
        ]
        faults = boxes.load(("container",), [LoadRow(scope, "A9", ("US01.BOX.B9",), 2)]).faults
        assert [fault[:] for fault in faults] == [(2, 'container: volume "US01.BOX.B9" is unknown')]

    def test_nothing_is_in_itself(self, boxes, apply, move):
        itself = (Result.INVALID, "container: the volume would be in itself")
        outcome = apply(BOXES, move("C1", container="US01.BOX.B1"), move("B2", container="US01.BOX.B2"))
        assert results(outcome) == [itself, itself]
        rows = [LoadRow(BOXES, "C1", ("US01.BOX.B1",), 2), LoadRow(BOXES, "B2", ("US01.BOX.B2",), 3)]
        faults = boxes.load(("container",), rows).faults
        assert [fault[:] for fault in faults] == [
            (2, "container: US01.BOX.B1 would be in itself"),
            (3, "container: US01.BOX.B2 would be in itself"),
        ]

    def test_containers_stand_in_each_other_four_deep_and_no_deeper(self, boxes, apply, move):
        deep = (Result.INVALID, "container: more than 4 containers would stand in each other")
        outcome = apply(
            BOXES,
            create("D1"),
            create("E1"),
            create("F1"),
            move("C1", container="US01.BOX.D1"),
            move("D1", container="US01.BOX.E1"),
            move("E1", container="US01.BOX.F1"),
            move("B2", container="US01.BOX.B1"),
            move("B2", slot="7"),
        )
        assert results(outcome) == [OK] * 5 + [deep, OK, OK]
        refused = boxes.load(("container",), [LoadRow(BOXES, "E1", ("US01.BOX.F1",), 2)]).faults
        assert [fault.text for fault in refused] == [deep[1]]

    def test_write_is_needed_wherever_something_is(self, boxes, scope, apply, move):
        boxes.add_token("courier", make_verifier(b"c" * 32, b"v" * 16), 1, grants=(("US01", Access.WRITE),))
        courier = Principal("courier", "site", 1)
        assert boxes.load(("container",), [LoadRow(ABROAD, "X1", ("US01.BOX.B1",), 2)]).changed == 1
        text = "it holds volumes of a customer that may not be written"
        assert results(apply(BOXES, move("C1", "OFFS"), by=courier)) == [(Result.FORBIDDEN, text)]
        boxes.add_grant(Grant(USER_KIND, "courier", "DE*", Access.READ))
        assert results(apply(BOXES, move("C1", "OFFS"), by=courier)) == [(Result.FORBIDDEN, text)]
        boxes.add_grant(Grant(USER_KIND, "courier", "DE*", Access.WRITE))
        assert results(apply(BOXES, move("C1", "OFFS"), by=courier)) == [OK]
        assert self.where(boxes, ABROAD)["X1"][0] == self.where(boxes, scope)["A1"][0] == "OFFS"

    def test_a_container_of_a_customer_that_may_not_be_read_is_unknown(self, boxes, scope, apply, move):
        boxes.add_token("courier", make_verifier(b"c" * 32, b"v" * 16), 1, grants=(("US01", Access.WRITE),))
        courier = Principal("courier", "site", 1)
        unknown = (Result.INVALID, 'container: volume "DE01.LTO.X1" is unknown')
        assert results(apply(scope, move("A1", container="DE01.LTO.X1"), by=courier)) == [unknown]
        boxes.add_grant(Grant(USER_KIND, "courier", "DE*", Access.READ))
        told = "container: DE01.LTO.X1 is not one yet, and may not be changed"
        assert results(apply(scope, move("A1", container="DE01.LTO.X1"), by=courier)) == [(Result.FORBIDDEN, told)]
        boxes.load(("flags",), [LoadRow(ABROAD, "X1", ("B",), 2)])
        assert results(apply(scope, move("A1", container="DE01.LTO.X1"), by=courier)) == [OK]

    def test_two_that_put_each_into_the_other_at_once_do_not_both(self, boxes, store_url, make_batch, who):
        boxes.load(("flags",), [LoadRow(ABROAD, "X1", ("B",), 2), LoadRow(BOXES, "B2", ("B",), 3)])
        blank = make_batch()  # it asks the one store, which only one thread at a time may

        def put(store, number, in_scope, volume, container):
            at = {one.scope: one for one in store.scopes(ADMINISTRATOR)}[in_scope]
            operation = Operation(Change.UPDATE, volume, ("container",), (container,), 0, 1, 2)
            said = {"id": bytes((number,)) * 16, "run": bytes((number,)) * 32, "base": at.version}
            batch = blank._replace(scope=in_scope, operations=(operation,), **said)
            return store.apply(batch, HASH, who, 5).results[0].result

        with open_url(store_url) as other, ThreadPoolExecutor(2) as pool:
            for number in range(0, 12, 3):
                one = pool.submit(put, boxes, number, ABROAD, "X1", "US01.BOX.B2")
                two = pool.submit(put, other, number + 1, BOXES, "B2", "DE01.LTO.X1")
                assert sorted((one.result(), two.result())) == [Result.OK, Result.INVALID]
                for in_scope, volume in ((ABROAD, "X1"), (BOXES, "B2")):
                    boxes.load(("container",), [LoadRow(in_scope, volume, ("",), 2)])
        assert list(boxes.verify()) == []

    def test_a_full_container_is_not_deleted(self, boxes):
        with pytest.raises(RequestError) as caught:
            boxes.delete(BOXES, ["B1"])
        assert caught.value.code is Code.INVALID
        assert boxes.delete(BOXES, ["B2"]) == ("B2",)

    def test_one_batch_moves_no_more_volumes_than_its_bound(self, apply, move, monkeypatch):
        monkeypatch.setattr("mailsync.server.sql_contents.MOST_CARRIED", 3)
        text = "it holds more than may move in one batch: 3 volumes"
        assert results(apply(BOXES, move("C1", "OFFS"))) == [(Result.INVALID, text)]
        assert results(apply(BOXES, move("B1", "OFFS"))) == [OK]

    def test_what_was_moved_along_is_not_altered_unseen(self, boxes, apply, move):
        apply(BOXES, move("B1", "OFFS"))
        query = "UPDATE changes SET after = 'RACK' WHERE volume = 'A1' AND field = 'repository'"
        boxes._database.write(lambda connection: connection.execute(query))
        assert [(flaw.chain, flaw.text) for flaw in boxes.verify()] == [
            ("US01.BOX", f"batch {bytes(16).hex()}: what was recorded of it was altered"),
            ("US01.LTO", "what was recorded of the volumes that moved in a container was altered"),
        ]
