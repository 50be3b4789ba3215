"""One conformance class for all stores (conftest's `store` is each of them): versions, refusals, the ledger, tokens."""

from __future__ import annotations

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope, Volume
from mailsync.core.outcome import Change, Operation, Result, RowResult
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.store import LoadFault, LoadPolicy, LoadRow, RequestError
from mailsync.wire import limits
from mailsync.wire.errors import Code
from mailsync.wire.scram import make_verifier

HASH, OTHER = b"h" * 32, b"o" * 32
ELSEWHERE = Scope(CustomerId("US01"), MediaId("3592"))


def volumes(store, scope):
    return dict(store.export(scope))


def refused(code, call, *arguments, **named):
    with pytest.raises(RequestError) as caught:
        call(*arguments, **named)
    assert caught.value.code is code
    return caught.value


def followed(store, scope):
    """The cursor of a copy that has everything there is now."""
    return store.sync(scope, Cursor(), 0, limits.PAGE_ROWS, ADMINISTRATOR).cursor


class TestApply:
    def test_changed_rows_get_the_next_versions_and_the_others_none(self, library, who, scope, make_batch, move):
        cursor = followed(library, scope)
        batch = make_batch(move("A3", "OFFS"), move("A1", "LIBR"), move("A2", slot="7"))
        outcome = library.apply(batch, HASH, who, 5)
        assert [result.result for result in outcome.results] == [Result.OK, Result.UNCHANGED, Result.OK]
        assert (outcome.first, outcome.last, outcome.replayed) == (10, 11, False)
        page = library.sync(scope, cursor, 0, 100, ADMINISTRATOR)
        assert [row[0] for row in page.rows] == ["A2", "A3"]
        assert page.cursor.since == 11

    def test_a_batch_sent_twice_is_answered_from_the_record(self, library, who, scope, make_batch, move):
        batch = make_batch(move("A1", "OFFS"), move("A1", "LIBR"), move("ZZ", "OFFS"))
        first = library.apply(batch, HASH, who, 5)
        before = (library.scopes(ADMINISTRATOR), volumes(library, scope), list(library.ledger(scope)))
        assert library.apply(batch, HASH, who, 6) == first._replace(replayed=True)
        assert (library.scopes(ADMINISTRATOR), volumes(library, scope), list(library.ledger(scope))) == before

    def test_an_empty_batch_is_recorded_and_changes_no_version(self, library, who, scope, make_batch):
        outcome = library.apply(make_batch(), HASH, who, 5)
        assert (outcome.first, outcome.last, outcome.results) == (9, 9, ())
        assert [record.id for record in library.batches(scope)] == [outcome.batch]

    def test_the_same_id_with_other_contents_is_refused_with_the_recorded_outcome(
        self, library, who, scope, make_batch, move
    ):
        first = library.apply(make_batch(move("A1", "OFFS")), HASH, who, 5)
        error = refused(Code.BATCH_ID_REUSED, library.apply, make_batch(move("A2", "OFFS")), OTHER, who, 6)
        assert error.outcome == first
        assert volumes(library, scope)["A2"].repository == "LIBR"

    def test_a_lost_acknowledgement_is_answered_even_after_the_epoch_changed(self, library, who, make_batch, move):
        batch = make_batch(move("A1", "OFFS"))
        library.apply(batch, HASH, who, 5)
        library.renew_epoch(b"e" * 16)
        assert library.apply(batch, HASH, who, 6).replayed

    def test_another_epoch_is_refused_and_nothing_is_recorded(self, library, who, scope, make_batch, move):
        refused(Code.EPOCH_CHANGED, library.apply, make_batch(move("A1", "OFFS"), epoch=b"x" * 16), HASH, who, 5)
        assert library.batches(scope) == ()

    def test_a_base_from_the_future_or_below_the_floor_is_refused(self, library, who, scope, make_batch, move):
        refused(Code.BASE_TOO_OLD, library.apply, make_batch(move("A1", "OFFS"), base=10), HASH, who, 5)
        library.delete(scope, ["A9"])
        library.expire(scope, 10)
        refused(Code.BASE_TOO_OLD, library.apply, make_batch(move("A1", "OFFS"), base=9), HASH, who, 5)
        assert library.apply(make_batch(move("A1", "OFFS"), base=10), HASH, who, 5).last == 11

    def test_a_volume_changed_since_by_another_run_is_a_conflict(self, library, who, make_batch, move):
        library.apply(make_batch(move("A1", "OFFS")), HASH, who, 5)
        second = make_batch(move("A1", "RACK"), move("A2", "RACK"), id=b"batch-0000000002", run=b"s" * 32, base=9)
        results = library.apply(second, OTHER, who, 6).results
        assert [result.result for result in results] == [Result.CONFLICT, Result.OK]

    def test_parts_of_one_run_do_not_conflict_with_each_other(self, library, who, scope, make_batch, move):
        library.apply(make_batch(move("A1", "OFFS")), HASH, who, 5)
        second = make_batch(move("A1", slot="7"), id=b"batch-0000000002", base=9)
        assert library.apply(second, OTHER, who, 6).results[0].result is Result.OK
        assert volumes(library, scope)["A1"].slot == "7"

    def test_a_volume_changed_by_a_load_is_a_conflict_for_every_run(self, library, who, scope, make_batch, move):
        library.load(("slot",), [LoadRow(scope, "A1", ("9",), 1)])
        results = library.apply(make_batch(move("A1", slot="7"), base=9), HASH, who, 5).results
        assert results[0].result is Result.CONFLICT

    def test_operations_on_one_volume_build_on_each_other_and_cost_one_version(
        self, library, who, scope, make_batch, move
    ):
        confirm = Operation(Change.CONFIRM, "A1", ("confirmed_repository",), ("OFFS",), 0, 3, 4)
        outcome = library.apply(make_batch(move("A1", "OFFS"), confirm), HASH, who, 5)
        assert (outcome.first, outcome.last) == (10, 10)
        assert volumes(library, scope)["A1"] == Volume("", "OFFS", "OFFS", "OFFS")

    def test_a_created_volume_has_its_target_and_was_seen_nowhere(self, library, who, scope, make_batch):
        create = Operation(Change.CREATE, "B1", ("description",), ("new",), 0, 1, 1)
        library.apply(make_batch(create), HASH, who, 5)
        assert volumes(library, scope)["B1"] == Volume("new", "LIBR")

    def test_creating_over_a_newer_deletion_is_a_conflict_and_over_an_older_one_takes_the_tombstone(
        self, library, who, scope, make_batch
    ):
        cursor = followed(library, scope)
        library.delete(scope, ["A1"])
        create = Operation(Change.CREATE, "A1", (), (), 0, 1, 1)
        outcome = library.apply(make_batch(create, base=9), HASH, who, 5)
        assert outcome.results[0].result is Result.CONFLICT
        later = make_batch(create, id=b"batch-0000000002")
        assert library.apply(later, OTHER, who, 6).results == (RowResult(Result.OK),)
        page = library.sync(scope, cursor, 0, 100, ADMINISTRATOR)
        assert (page.tombstones, [row[0] for row in page.rows]) == ((), ["A1"])

    def test_a_revoked_user_applies_nothing(self, library, who, scope, make_batch, move):
        library.revoke_token(who.user, 4)
        refused(Code.FORBIDDEN, library.apply, make_batch(move("A1", "OFFS")), HASH, who, 5)
        assert library.batches(scope) == ()

    def test_an_unknown_scope_is_refused(self, library, who, make_batch):
        refused(Code.NO_SUCH_SCOPE, library.apply, make_batch(scope=ELSEWHERE), HASH, who, 5)

    @pytest.mark.parametrize(
        "changes",
        [{"id": b"short"}, {"run": b""}, {"plan": b"p"}, {"asof": -1}, {"asof": limits.VERSION + 1}],
    )
    def test_a_batch_that_is_out_of_shape_is_refused(self, library, who, make_batch, changes):
        refused(Code.INVALID, library.apply, make_batch(**changes), HASH, who, 5)

    @pytest.mark.parametrize("changes", [{"source": 2}, {"source": -1}, {"row": -1}, {"line": 2**60}, {"values": ()}])
    def test_an_operation_that_is_out_of_shape_is_refused(self, library, who, make_batch, move, changes):
        refused(Code.INVALID, library.apply, make_batch(move("A1", "OFFS")._replace(**changes)), HASH, who, 5)

    def test_the_ledger_says_who_changed_what_from_which_row(self, library, who, scope, make_batch, move):
        library.apply(make_batch(move("A2", slot="1"), move("A1", "OFFS")), HASH, who, 5)
        entries = list(library.ledger(scope, "A1"))
        assert [(one.field, one.before, one.after) for one in entries] == [
            ("flags", "", "M"),
            ("repository", "LIBR", "OFFS"),
        ]
        one = entries[0]
        assert (one.user, one.key_id, one.time, one.version, one.run) == ("filter", "site", 5, 11, b"r" * 32)
        assert (one.mail, one.attachment, one.row, one.line) == ("m1@example.com", "b.zip!/b.csv", 7, 8)
        assert {entry.volume for entry in library.ledger(scope)} == {"A1", "A2"}

    def test_a_created_volume_is_in_the_ledger_even_without_a_field(self, library, who, scope, make_batch):
        library.apply(make_batch(Operation(Change.CREATE, "B1", (), (), 0, 1, 1)), HASH, who, 5)
        assert [(one.field, one.after) for one in library.ledger(scope, "B1")] == [
            ("repository", "LIBR"),
            ("volume", "B1"),
        ]

    def test_a_batch_is_recorded_with_what_it_was_made_from(self, library, who, scope, make_batch, move):
        batch = make_batch(move("A1", "NONE"))
        outcome = library.apply(batch, HASH, who, 5)
        (record,) = library.batches(scope)
        assert record.outcome == outcome
        assert (record.source, record.asof, record.base, record.request_hash) == (batch.source, 100, 9, HASH)
        assert (record.plan, record.user, record.time) == (batch.plan, "filter", 5)

    def test_ten_thousand_operations_are_one_batch_and_one_more_is_refused(self, library, who, scope, make_batch):
        creates = [Operation(Change.CREATE, f"B{number:05}", (), (), 0, number, number) for number in range(10_001)]
        refused(Code.INVALID, library.apply, make_batch(*creates), HASH, who, 5)
        assert library.apply(make_batch(*creates[:-1]), HASH, who, 5).last == 10_009
        assert len(volumes(library, scope)) == 10_009


class TestSync:
    def test_a_snapshot_of_many_pages_is_the_whole_scope(self, library, scope):
        cursor, rows, pages, more = Cursor(), [], 0, True
        while more:
            page = library.sync(scope, cursor, 1, 4, ADMINISTRATOR)
            assert page.reset is (pages == 0)
            rows += page.rows
            cursor, more, pages = page.cursor, page.more, pages + 1
        assert pages == 3
        assert {row[0]: Volume(*row[1:]) for row in rows} == volumes(library, scope)
        assert (cursor.since, cursor.snap) == (9, 0)

    def test_rows_of_a_page_are_sorted_by_volume_though_pages_follow_versions(
        self, library, who, scope, make_batch, move
    ):
        cursor = followed(library, scope)
        library.apply(make_batch(move("A9", "OFFS"), move("A1", "OFFS"), move("A5", "OFFS")), HASH, who, 5)
        page = library.sync(scope, cursor, 1, 2, ADMINISTRATOR)
        assert ([row[0] for row in page.rows], page.more, page.cursor.since) == (["A1", "A9"], True, 11)

    def test_nothing_new_is_an_empty_page(self, library, scope):
        cursor = followed(library, scope)
        known = library.scopes(ADMINISTRATOR)[0].repositories_version
        page = library.sync(scope, cursor, known, 4, ADMINISTRATOR)
        head = next(head for head in library.heads() if head.chain == str(scope))
        assert page == (False, False, cursor, (), (), known, None, (), head.seq, head.hash)
        assert (cursor.since, cursor.snap, cursor.done, cursor.at) == (9, 0, 9, 9)

    def test_a_description_comes_only_to_a_copy_that_does_not_have_it(self, library, who, scope, make_batch, move):
        cursor = followed(library, scope)
        library.apply(make_batch(move("A1", description="dog"), move("A2", "OFFS")), HASH, who, 5)
        page = library.sync(scope, cursor, 0, 100, ADMINISTRATOR)
        assert [row[:2] for row in page.rows] == [("A1", "dog"), ("A2", "")]
        assert page.texts_kept == ("A2",)
        library.apply(make_batch(move("A1", "OFFS"), id=b"x" * 16), OTHER, who, 6)
        later = library.sync(scope, page.cursor, 0, 100, ADMINISTRATOR)
        assert ([row[:3] for row in later.rows], later.texts_kept) == ([("A1", "", "OFFS")], ("A1",))
        # A copy that was never complete since has none of the texts, however far it came.
        again = library.sync(scope, cursor, 0, 100, ADMINISTRATOR)
        assert ([row[:2] for row in again.rows], again.texts_kept) == ([("A1", "dog"), ("A2", "")], ("A2",))

    def test_a_page_in_the_middle_does_not_count_as_having_the_texts(self, library, who, scope, make_batch, move):
        cursor = followed(library, scope)
        library.apply(make_batch(move("A1", description="dog"), move("A2", description="cat")), HASH, who, 5)
        first = library.sync(scope, cursor, 0, 1, ADMINISTRATOR)
        assert (first.more, first.cursor.done) == (True, 9)
        library.apply(make_batch(move("A1", "OFFS"), id=b"x" * 16), OTHER, who, 6)
        assert [row[:2] for row in library.sync(scope, first.cursor, 0, 9, ADMINISTRATOR).rows] == [
            ("A1", "dog"),
            ("A2", "cat"),
        ]

    def test_a_copy_of_another_history_of_the_same_epoch_starts_over(self, library, who, scope, make_batch, move):
        cursor = followed(library, scope)
        assert library.sync(scope, cursor._replace(mark=b"x" * 8), 0, 100, ADMINISTRATOR).reset
        assert library.sync(scope, cursor._replace(mark=b""), 0, 100, ADMINISTRATOR).reset
        assert library.sync(scope, cursor._replace(at=10), 0, 100, ADMINISTRATOR).reset
        assert library.sync(scope, cursor._replace(at=8), 0, 100, ADMINISTRATOR).reset
        library.apply(make_batch(move("A1", "OFFS")), HASH, who, 5)
        assert not library.sync(scope, cursor, 0, 100, ADMINISTRATOR).reset
        assert library.sync(scope, cursor._replace(since=10, at=10), 0, 100, ADMINISTRATOR).reset

    def test_tombstones_count_towards_the_page_like_rows(self, library, who, scope, make_batch, move):
        cursor = followed(library, scope)
        library.delete(scope, ["A1", "A2"])
        library.apply(make_batch(move("A3", "OFFS")), HASH, who, 5)
        page = library.sync(scope, cursor, 0, 2, ADMINISTRATOR)
        assert (page.tombstones, page.rows, page.more) == (("A1", "A2"), (), True)
        page = library.sync(scope, page.cursor, 0, 2, ADMINISTRATOR)
        assert (page.tombstones, [row[0] for row in page.rows], page.more) == ((), ["A3"], False)

    def test_a_snapshot_hears_of_what_is_deleted_while_it_runs_and_of_nothing_before(self, library, scope):
        library.delete(scope, ["A1"])
        page = library.sync(scope, Cursor(), 0, 4, ADMINISTRATOR)
        library.delete(scope, ["A2"])
        rest = library.sync(scope, page.cursor, 0, 100, ADMINISTRATOR)
        assert (page.tombstones, rest.tombstones, rest.reset) == ((), ("A2",), False)

    def test_a_running_snapshot_goes_on_after_older_tombstones_expired(self, library, scope):
        library.delete(scope, ["A1"])
        page = library.sync(scope, Cursor(), 0, 4, ADMINISTRATOR)
        library.expire(scope, 10)
        assert not library.sync(scope, page.cursor, 0, 4, ADMINISTRATOR).reset

    @pytest.mark.parametrize(
        "change",
        [{"epoch": b"x" * 16}, {"since": 10}, {"since": 3, "snap": 10}, {"since": limits.VERSION}, {"epoch": b""}],
    )
    def test_a_cursor_of_another_life_or_from_the_future_starts_over(self, library, scope, change):
        page = library.sync(scope, followed(library, scope)._replace(**change), 0, 100, ADMINISTRATOR)
        assert page.reset
        assert len(page.rows) == 9

    def test_a_cursor_below_the_floor_starts_over(self, library, scope):
        below = followed(library, scope)
        library.delete(scope, ["A1"])
        at = followed(library, scope)
        library.delete(scope, ["A2"])
        library.expire(scope, 10)
        assert library.sync(scope, below, 0, 100, ADMINISTRATOR).reset
        assert not library.sync(scope, at, 0, 100, ADMINISTRATOR).reset

    def test_the_table_of_repositories_comes_when_its_version_differs_or_the_copy_starts_over(self, library, scope):
        cursor = followed(library, scope)
        version = library.scopes(ADMINISTRATOR)[0].repositories_version
        assert library.sync(scope, cursor, version, 10, ADMINISTRATOR).repositories is None
        assert library.sync(scope, Cursor(), version, 10, ADMINISTRATOR).repositories == library.repositories(scope)
        library.add_repository(scope, Repository(RepositoryId("SCRA"), "Scratch pool", "Scratch", offsite=False))
        page = library.sync(scope, cursor, version, 10, ADMINISTRATOR)
        assert page.repositories_version == version + 1
        assert [place.id for place in page.repositories] == ["LIBR", "OFFS", "RACK", "SCRA"]

    def test_an_unknown_scope_is_refused(self, library):
        refused(Code.NO_SUCH_SCOPE, library.sync, ELSEWHERE, Cursor(), 0, 10, ADMINISTRATOR)


class TestLoad:
    def test_a_new_volume_is_settled_and_a_known_one_sent_on_its_way(self, library, scope):
        loaded = library.load(("repository",), [LoadRow(scope, "A1", ("OFFS",), 2), LoadRow(scope, "B1", ("OFFS",), 3)])
        assert loaded[:3] == (2, 1, 1)
        assert volumes(library, scope)["A1"] == Volume("", "OFFS", "LIBR", "LIBR", flags="M")
        assert volumes(library, scope)["B1"] == Volume("", "OFFS", "OFFS", "OFFS")

    def test_a_new_volume_without_a_repository_is_settled_at_the_default_one(self, library, scope):
        library.load(("slot",), [LoadRow(scope, "B1", ("7",), 2)])
        assert volumes(library, scope)["B1"] == Volume("", "LIBR", "LIBR", "LIBR", slot="7")

    def test_what_is_there_already_gets_no_version(self, library, scope):
        loaded = library.load(("repository",), [LoadRow(scope, "A1", ("LIBR",), 2)])
        assert (loaded.rows, loaded.changed, library.scopes(ADMINISTRATOR)[0].version) == (1, 0, 9)

    def test_scopes_and_repositories_that_are_new_are_made_and_told(self, library):
        rows = [LoadRow(ELSEWHERE, "B1", ("LIBR", "HOME"), 2), LoadRow(ELSEWHERE, "B2", ("LIBR", ""), 3)]
        loaded = library.load(("repository", "home_repository"), rows)
        assert loaded.scopes_added == (ELSEWHERE,)
        assert loaded.repositories_added == ((ELSEWHERE, "HOME"), (ELSEWHERE, "LIBR"))
        assert [(one.id, one.description) for one in library.repositories(ELSEWHERE)] == [
            ("HOME", "HOME"),
            ("LIBR", "LIBR"),
        ]

    def test_strict_finds_every_unknown_name_and_loads_nothing(self, library, scope):
        before = (library.scopes(ADMINISTRATOR), volumes(library, scope))
        rows = [
            LoadRow(scope, "A1", ("OFFS",), 2),
            LoadRow(scope, "A2", ("NONE",), 3),
            LoadFault(4, "not a row"),
            LoadRow(ELSEWHERE, "B1", ("LIBR",), 5),
            LoadRow(scope, "A1", ("RACK",), 6),
        ]
        loaded = library.load(("repository",), rows, policy=LoadPolicy.STRICT)
        assert [(fault.line, fault.text) for fault in loaded.faults] == [
            (3, 'repository "NONE" is unknown in US01.LTO'),
            (4, "not a row"),
            (5, "no scope US01.3592"),
            (6, "volume US01.LTO.A1 is in line 2 already"),
        ]
        assert (library.scopes(ADMINISTRATOR), volumes(library, scope)) == before

    def test_a_load_after_a_refused_one_starts_afresh(self, library, scope):
        library.load(("slot",), [LoadRow(scope, "A1", ("1",), 2), LoadFault(3, "not a row")])
        assert library.load(("slot",), [LoadRow(scope, "A2", ("2",), 2)]).rows == 1
        assert (volumes(library, scope)["A1"].slot, volumes(library, scope)["A2"].slot) == ("", "2")

    def test_a_source_that_breaks_leaves_the_store_as_it_was(self, library, scope):
        def broken():
            yield LoadRow(scope, "A1", ("1",), 2)
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="gone"):
            library.load(("slot",), broken())
        assert volumes(library, scope)["A1"].slot == ""
        assert library.load(("slot",), [LoadRow(scope, "A1", ("2",), 2)]).changed == 1

    def test_loading_a_deleted_volume_takes_its_tombstone(self, library, scope):
        cursor = followed(library, scope)
        library.delete(scope, ["A1"])
        library.load(("slot",), [LoadRow(scope, "A1", ("2",), 2)])
        page = library.sync(scope, cursor, 0, 10, ADMINISTRATOR)
        assert (page.tombstones, [row[0] for row in page.rows]) == ((), ["A1"])


class TestAdministration:
    def test_a_scope_is_added_once(self, library, scope):
        refused(Code.INVALID, library.add_scope, scope)
        library.add_scope(ELSEWHERE, description="Jaguar")
        assert [(one.scope, one.volumes) for one in library.scopes(ADMINISTRATOR)] == [(ELSEWHERE, 0), (scope, 9)]

    def test_a_default_repository_must_be_one_of_the_scope(self, store, scope):
        refused(Code.INVALID, store.add_scope, scope, default_repository="LIBR")
        assert store.scopes(ADMINISTRATOR) == ()

    @pytest.mark.parametrize("description", ["x" * 21, "a\nb"])
    def test_a_description_is_short_and_printable(self, library, scope, description):
        refused(Code.INVALID, library.add_repository, scope, Repository(RepositoryId("NEW"), description))
        refused(Code.INVALID, library.add_scope, ELSEWHERE, description=description)

    def test_a_repository_is_changed_by_adding_it_again(self, library, scope):
        library.add_repository(scope, Repository(RepositoryId("OFFS"), "Vault", "Vault", offsite=True))
        assert library.repositories(scope)[1] == Repository(RepositoryId("OFFS"), "Vault", "Vault", offsite=True)
        refused(Code.INVALID, library.add_repository, scope, Repository(RepositoryId("TOOLONG")))
        refused(Code.INVALID, library.add_repository, scope, Repository(RepositoryId("X"), "", "Cave"))

    def test_a_scope_has_no_more_repositories_than_a_page_may_carry(self, library, scope, monkeypatch):
        monkeypatch.setattr(limits, "REPOSITORIES", 4)
        library.add_repository(scope, Repository(RepositoryId("R4")))
        refused(Code.INVALID, library.add_repository, scope, Repository(RepositoryId("R5")))
        assert len(library.repositories(scope)) == 4

    def test_deleting_what_is_not_there_is_nothing(self, library, scope):
        assert library.delete(scope, ["A1", "NONE", "A1"]) == ("A1",)
        assert library.scopes(ADMINISTRATOR)[0].version == 10

    def test_a_token_is_live_until_revoked_and_may_be_made_anew(self, library, who):
        assert library.verifier("nobody") is None
        other = make_verifier(b"u" * 32, b"v" * 16)
        refused(Code.INVALID, library.add_token, who.user, other, 2)
        assert library.revoke_token(who.user, 3)
        assert not library.revoke_token(who.user, 4)
        assert library.verifier(who.user) is None
        assert [(one.name, one.created, one.revoked) for one in library.tokens()] == [("filter", 1, 3)]
        library.add_token(who.user, other, 5)
        assert library.verifier(who.user) == other

    def test_a_user_has_a_users_name(self, library):
        refused(Code.INVALID, library.add_token, "-x", make_verifier(b"u" * 32, b"v" * 16), 2)
