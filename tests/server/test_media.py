"""What a media type, its repositories and the data clusters allow, for batches and loads, on every store."""

from __future__ import annotations

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.model import Repository, RepositoryId
from mailsync.core.outcome import Change, Operation, Result
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.administration import Cluster, RepositoryChange, RepositoryState, ScopeChange
from mailsync.server.store import LoadPolicy, LoadRow, RequestError
from mailsync.wire.errors import Code

HASH = b"h" * 32


def refused(call, *arguments, **named):
    with pytest.raises(RequestError) as caught:
        call(*arguments, **named)
    assert caught.value.code is Code.INVALID
    return str(caught.value)


def create(volume, **fields):
    return Operation(Change.CREATE, volume, tuple(fields), tuple(fields.values()), 0, 1, 2)


def results(outcome):
    return [(result.result, result.text) for result in outcome.results]


class TestScope:
    def test_a_scope_is_changed_and_what_is_not_named_stays(self, library, scope):
        library.set_scope(scope, ScopeChange(description="Library tapes", cap=20, locked=True))
        library.set_scope(scope, ScopeChange(customer_description="Example Incorporated", default_repository="RACK"))
        library.set_scope(scope, ScopeChange(volume_filter="A*"))
        (state,) = library.scopes(ADMINISTRATOR)
        assert state[1:3] == ("Library tapes", "RACK")
        assert state[7:] == (9, "Example Incorporated", "A*", 20, True)
        assert [entry.kind for entry, _ in library.chain(str(scope))][-3:] == ["scope set"] * 3
        assert list(library.verify()) == []

    @pytest.mark.parametrize(
        "change",
        [
            {"description": "x" * 21},
            {"customer_description": "x" * 41},
            {"default_repository": "NONE"},
            {"volume_filter": "A 1"},
            {"cap": -1},
        ],
    )
    def test_what_a_scope_cannot_be_is_refused(self, library, scope, change):
        before = library.scopes(ADMINISTRATOR)
        refused(library.set_scope, scope, ScopeChange(**change))
        assert library.scopes(ADMINISTRATOR) == before

    def test_new_volumes_must_be_called_as_the_filter_says(self, library, who, scope, make_batch, move):
        library.set_scope(scope, ScopeChange(volume_filter="B*,C?"))
        outcome = library.apply(make_batch(create("B1"), create("D1"), create("C1"), move("A1", "OFFS")), HASH, who, 5)
        assert results(outcome) == [
            (Result.OK, ""),
            (Result.INVALID, "the media type takes only volumes like B*,C?"),
            (Result.OK, ""),
            (Result.OK, ""),
        ]
        loaded = library.load(("slot",), [LoadRow(scope, "A1", ("1",), 2), LoadRow(scope, "D1", ("1",), 3)])
        assert [fault[:] for fault in loaded.faults] == [
            (3, "volume US01.LTO.D1: the media type takes only volumes like B*,C?")
        ]

    def test_a_full_media_type_takes_no_more_volumes(self, library, who, scope, make_batch):
        library.set_scope(scope, ScopeChange(cap=10))
        outcome = library.apply(make_batch(create("B1"), create("B2"), create("B1")), HASH, who, 5)
        full = "the media type is full: it has at most 10 volumes"
        assert results(outcome) == [(Result.OK, ""), (Result.INVALID, full), (Result.EXISTS, "already there")]
        loaded = library.load(("slot",), [LoadRow(scope, "A1", ("1",), 2), LoadRow(scope, "B2", ("1",), 3)])
        assert [fault.line for fault in loaded.faults] == [3]
        library.delete(scope, ["A1"])
        assert library.scopes(ADMINISTRATOR)[0].volumes == 9
        assert library.load(("slot",), [LoadRow(scope, "B2", ("1",), 3)]).added == 1
        assert library.scopes(ADMINISTRATOR)[0].volumes == 10 == len(list(library.export(scope)))

    def test_a_locked_media_type_is_changed_by_loads_only(self, library, who, scope, make_batch, move):
        library.set_scope(scope, ScopeChange(locked=True))
        batch = make_batch(move("A1", "OFFS"), move("A2", "LIBR"), create("B1"))
        locked = "the media type is locked"
        assert results(library.apply(batch, HASH, who, 5)) == [
            (Result.FORBIDDEN, locked),
            (Result.UNCHANGED, ""),
            (Result.FORBIDDEN, locked),
        ]
        assert library.load(("slot",), [LoadRow(scope, "A1", ("1",), 2)]).changed == 1


class TestRepository:
    def test_a_repository_is_changed_and_clients_hear_of_it(self, library, scope):
        version = library.scopes(ADMINISTRATOR)[0].repositories_version
        library.set_repository(scope, "OFFS", RepositoryChange(kind="Vault", offsite=True))
        vault = Repository(RepositoryId("OFFS"), "OFFS", "Vault", offsite=True)
        assert library.repositories(scope)[1] == vault
        page = library.sync(scope, Cursor(), version, 10, ADMINISTRATOR)
        assert page.repositories_version == version + 1

    def test_the_next_repository_is_kept_when_the_others_change(self, library, scope):
        library.set_repository(scope, "OFFS", RepositoryChange(next="LIBR"))
        library.add_repository(scope, Repository(RepositoryId("OFFS"), "Vault"))
        library.set_repository(scope, "OFFS", RepositoryChange(description="Cave"))
        cave = Repository(RepositoryId("OFFS"), "Cave")
        assert library.places(scope)[1] == RepositoryState(cave, "LIBR", 0)
        assert library.places(scope)[0].volumes == 9
        library.set_repository(scope, "OFFS", RepositoryChange(next=""))
        assert library.places(scope)[1].next == ""

    def test_what_a_repository_cannot_be_is_refused(self, library, scope):
        refused(library.set_repository, scope, "NONE", RepositoryChange(description="x"))
        refused(library.set_repository, scope, "OFFS", RepositoryChange(kind="Cave"))
        refused(library.set_repository, scope, "OFFS", RepositoryChange(next="NONE"))
        refused(library.set_repository, scope, "OFFS", RepositoryChange(next="OFFS"))


class TestClusters:
    def test_a_cluster_must_be_there_before_a_report_names_it(self, library, who, make_batch, move):
        library.add_cluster(Cluster("north", "Building 1"))
        batch = make_batch(
            move("A1", data_cluster="north"), move("A2", data_cluster="south"), create("B1", data_cluster="south")
        )
        unknown = 'data_cluster: data cluster "south" is unknown'
        assert results(library.apply(batch, HASH, who, 5)) == [
            (Result.OK, ""),
            (Result.INVALID, unknown),
            (Result.INVALID, unknown),
        ]

    def test_a_load_adds_clusters_unless_it_is_strict(self, library, scope):
        rows = [LoadRow(scope, "A1", ("east",), 2), LoadRow(scope, "A2", ("",), 3), LoadRow(scope, "A3", ("east",), 4)]
        strict = library.load(("data_cluster",), rows, policy=LoadPolicy.STRICT)
        assert [fault[:] for fault in strict.faults] == [(2, 'data cluster "east" is unknown')]
        assert library.clusters() == ()
        assert library.load(("data_cluster",), rows).clusters_added == ("east",)
        assert library.load(("data_cluster",), rows).clusters_added == ()
        assert library.clusters() == (Cluster("east"),)

    @pytest.mark.parametrize("name", ["", "a\nb", "x" * 257])
    def test_a_cluster_has_a_name(self, library, name):
        refused(library.add_cluster, Cluster(name))
