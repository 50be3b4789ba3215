"""What the tests of the server share: an empty store, a scope with volumes in it, and batches against it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from listening import KEY, RING, Served, Talker
from listening import TOKEN as LOGIN
from postgres import Cluster
from served import Site
from sites import free_port as find_port

from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Change, Operation
from mailsync.server.access import ADMINISTRATOR, Access, Principal
from mailsync.server.admission import Limits
from mailsync.server.ring import RingFile
from mailsync.server.store import LoadRow, Store
from mailsync.server.stores import open_url
from mailsync.wire.keys import Token, format_ring, with_key
from mailsync.wire.scram import make_verifier

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
WHO = Principal("filter", "site", 1)
TOKEN = b"t" * 32
REPOSITORIES = tuple(Repository(RepositoryId(name), name) for name in ("LIBR", "OFFS", "RACK"))
PLACES = (("m1@example.com", "a.csv"), ("m1@example.com", "b.zip!/b.csv"))


@pytest.fixture
def scope() -> Scope:
    return SCOPE


@pytest.fixture
def who() -> Principal:
    return WHO


ON_POSTGRES = pytest.param("postgres", marks=[pytest.mark.system, pytest.mark.xdist_group("postgres")])


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of our own, for all tests of one process."""
    started = Cluster()
    yield started
    started.remove()


@pytest.fixture
def make_cluster() -> Iterator[Callable[..., Cluster]]:
    """Starts further clusters: new ones, or promoted replicas of one as it is now."""
    made: list[Cluster] = []

    def make(primary: Cluster | None = None) -> Cluster:
        made.append(Cluster(primary))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture
def free_port() -> int:
    return find_port()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture(params=["sqlite", ON_POSTGRES])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store of each kind may be."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'server.db'}"
    cluster = request.getfixturevalue("cluster")
    cluster.empty()
    return cluster.url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind there is."""
    with open_url(store_url) as opened:
        yield opened


@pytest.fixture
def behind(store_url: str, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Changes the tables behind the store's back."""

    def change(statement: str) -> None:
        if store_url.startswith("sqlite:"):
            with closing(sqlite3.connect(store_url.removeprefix("sqlite:"), isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.executescript(statement)
        else:
            request.getfixturevalue("cluster").query(
                f"SET search_path = mailsync; SET session_replication_role = replica; {statement}; "
                "RESET search_path; RESET session_replication_role"
            )

    return change


@pytest.fixture
def library(store: Store) -> Store:
    """A store with one scope, three repositories, a token user, and volumes A1 to A9, settled in LIBR."""
    store.add_scope(SCOPE, repositories=REPOSITORIES, default_repository="LIBR")
    store.add_token(WHO.user, make_verifier(TOKEN, b"s" * 16), 1, grants=(("*", Access.WRITE),))
    store.load(("repository",), [LoadRow(SCOPE, f"A{number}", ("LIBR",), 0) for number in range(1, 10)])
    return store


@pytest.fixture
def make_batch(library: Store) -> Callable[..., Batch]:
    """Makes a batch of operations against the library as it stands, unless it is told otherwise."""

    def make(*operations: Operation, **changes: object) -> Batch:
        at = library.scopes(ADMINISTRATOR)[0]
        batch = Batch(
            id=b"batch-0000000001",
            run=b"r" * 32,
            plan=b"p" * 32,
            scope=SCOPE,
            epoch=at.epoch,
            base=at.version,
            source="",
            asof=100,
            sources=PLACES,
            operations=operations,
        )
        return batch._replace(**changes)

    return make


@pytest.fixture
def move() -> Callable[..., Operation]:
    """Makes the operation that sends a volume to a repository, or sets other fields."""

    def make(volume: str, repository: str = "", **fields: str) -> Operation:
        said = {**({"repository": repository} if repository else {}), **fields}
        return Operation(Change.UPDATE, volume, tuple(said), tuple(said.values()), 1, 7, 8)

    return make


@pytest.fixture
def ring_path(tmp_path):
    path = tmp_path / "ring"
    path.write_text(format_ring(with_key(RING, KEY)))
    path.chmod(0o600)
    return path


@pytest.fixture
def serve(library, ring_path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(outside=None, **limits: float) -> Served:
        running.append(Served(library, RingFile(ring_path), Limits(**limits), outside))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def talk() -> Iterator[Callable[..., Talker]]:
    talking: list[Talker] = []

    def start(served: Served, token: Token | None = LOGIN) -> Talker:
        talking.append(Talker(served, token))
        return talking[-1]

    yield start
    for talker in talking:
        talker.socket.close()
