"""The `mailsync server` commands for users, grants, groups, settings and moves, as a person types them."""

from __future__ import annotations

import io
import json
import sys
import time
from datetime import UTC, date, datetime

import pytest

from mailsync.cli.main import main
from mailsync.server.sqlite import SqliteStore
from mailsync.wire.passwords import DEFAULT, FIPS, MD5
from mailsync.wire.scram import make_password_verifier


@pytest.fixture
def said(tmp_path, capsys):
    """The exit status of a server command on a store, what it printed, and its lines on stderr."""
    url = f"sqlite:{tmp_path / 'server.db'}"

    def run(*words):
        status = main(["server", *words, "--store", url])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), [line.removeprefix("mailsync: ") for line in printed.err.splitlines()]

    run("scope", "add", "US01.LTO", "--default", "LIBR")
    run("repository", "add", "US01.LTO", "OFFS")
    return run


@pytest.fixture
def listed(said):
    """The JSON of a command."""
    return lambda *words: json.loads("".join(said(*words, "--json")[1]))


def typed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_token_is_made_with_its_grants_and_told_what_it_may(said, listed, tmp_path):
    token = str(tmp_path / "a.token")
    status, _, told = said("token", "add", "a", "--grant", "US*:write", "--grant", "DE01:read", "--out", token)
    assert (status, told) == (0, ["a may DE01:read, US*:write"])
    assert listed("grant", "list") == {
        "grants": [
            {"kind": "user", "holder": "a", "customers": "DE01", "access": "read"},
            {"kind": "user", "holder": "a", "customers": "US*", "access": "write"},
        ]
    }


def test_a_token_without_a_grant_is_told_that_it_may_do_nothing(said, tmp_path):
    _, _, told = said("token", "add", "a", "--out", str(tmp_path / "a.token"))
    assert told == ["a has no grant and may do nothing", "hint: mailsync server grant add a 'US*:write'"]


def test_what_is_no_grant_is_wrong_usage(said):
    status, _, told = said("token", "add", "a", "--grant", "US*:own")
    assert status == 2
    assert '"US*:own" is not FILTER:ACCESS' in " ".join(told)


def test_a_group_is_granted_something_for_its_members(said, listed, tmp_path):
    said("token", "add", "a", "--out", str(tmp_path / "a.token"))
    assert said("group", "add", "couriers", "--description", "Who carries")[0] == 0
    assert said("group", "join", "couriers", "a") == (0, ["a is in couriers"], [])
    assert said("grant", "add", "--group", "couriers", "US*:read")[1] == ["group couriers may US*:read"]
    group = {"group": "couriers", "description": "Who carries", "members": ["a"]}
    assert listed("group", "list") == {"groups": [group]}
    assert said("group", "list")[1] == [f"{'couriers':17} {'Who carries':41} a"]
    assert said("grant", "list")[1] == ["group couriers          US*:read"]
    status, _, told = said("grant", "remove", "--group", "couriers", "US*:read")
    assert (status, told[0]) == (
        2,
        'argument FILTER: name the filter alone, "US*": all that it grants is taken back',
    )
    assert said("grant", "remove", "--group", "couriers", "US*")[0] == 0
    assert said("group", "leave", "couriers", "a")[0] == 0
    assert said("group", "remove", "couriers") == (0, ["group couriers removed"], [])
    assert said("group", "join", "couriers", "a")[2] == [
        "no group couriers",
        "hint: what is there: mailsync server group list",
    ]


def test_a_user_with_a_password_is_added_and_revoked(said, listed, monkeypatch, tmp_path):
    typed(monkeypatch, "correct horse\nmore\n")
    status, printed, told = said("user", "add", "ann", "--email", "ann@example.com", "--grant", "*:read")
    assert (status, printed, told) == (0, ["user ann added"], ["ann may *:read"])
    with SqliteStore(tmp_path / "server.db") as store:
        verifier = store.verifier("ann")
    assert verifier == make_password_verifier("correct horse", verifier.salt, DEFAULT)
    (ann,) = listed("user", "list")["users"]
    assert (ann["name"], ann["kind"], ann["email"], ann["revoked"]) == ("ann", "password", "ann@example.com", "")
    assert said("user", "revoke", "ann") == (0, ["user ann revoked"], [])
    assert said("user", "revoke", "ann")[0] == 2
    assert "revoked 20" in said("user", "list")[1][0]


def test_an_md5_is_kept_under_a_kdf_and_nothing_else_is_taken_for_one(said, monkeypatch, tmp_path):
    digest = "0123456789ABCDEF" * 2
    typed(monkeypatch, f"{digest}\n")
    assert said("user", "add", "bob", "--md5", "-", "--fips", "--until", "2999-12-31")[1] == [
        "user bob added, by an MD5 until 2999-12-31"
    ]
    assert said("user", "add", "cat", "--md5", digest, "--until", "never")[1] == [
        "user cat added, by an MD5, which no day ends"
    ]
    assert [line.partition(" live ")[2] for line in said("user", "list")[1]] == [
        "by an MD5 until 2999-12-31",
        "by an MD5, which no day ends",
    ]
    with SqliteStore(tmp_path / "server.db") as store:
        bob, cat = store.verifier("bob"), store.verifier("cat")
    assert bob == make_password_verifier(digest, bob.salt, FIPS._replace(prehash=MD5))
    assert cat == make_password_verifier(digest, cat.salt, DEFAULT._replace(prehash=MD5))
    typed(monkeypatch, "secret\n")
    for wrong in ("-", digest.lower(), ""):
        told = said("user", "add", "eve", "--md5", wrong)[2][0]
        assert told == "add user: the MD5 is not 32 upper-case hex digits"
    typed(monkeypatch, "")
    assert said("user", "add", "eve")[2][0] == "add user: a password has 1 to 1024 characters"


def test_an_md5_is_enough_for_90_days_unless_another_day_is_given(said, listed, monkeypatch):
    digest, day = "0123456789ABCDEF" * 2, 86_400
    before = int(time.time()) // day
    assert said("user", "add", "bob", "--md5", digest)[0] == 0
    (bob,) = listed("user", "list")["users"]
    over = datetime.strptime(bob["upgrade_by"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() / day
    assert over - 91 in (before, int(time.time()) // day)
    assert bob["digest"] is True
    assert said("user", "list")[1][0].endswith(f"by an MD5 until {date.fromordinal(719_162 + int(over))}")
    today = datetime.now(UTC).date().isoformat()
    assert said("user", "add", "cat", "--md5", digest, "--until", today)[0] == 0
    assert said("user", "add", "eve", "--md5", digest, "--until", "2026-01-31")[2][0] == "add user: 2026-01-31 is over"
    assert said("user", "add", "eve", "--until", "2999-01-31")[2][0] == "add user: --until is about an imported MD5"
    assert said("user", "add", "eve", "--md5", digest, "--until", "soon")[0] == 2


def test_an_administrator_gives_a_user_another_password_and_nothing_else(said, listed, monkeypatch, tmp_path):
    assert said("user", "add", "bob", "--md5", "0123456789ABCDEF" * 2, "--email", "bob@example.com")[0] == 0
    typed(monkeypatch, "correct horse\r\n")
    assert said("user", "password", "bob") == (0, ["user bob has another password"], [])
    with SqliteStore(tmp_path / "server.db") as store:
        verifier = store.verifier("bob")
    assert verifier == make_password_verifier("correct horse", verifier.salt, DEFAULT)
    (bob,) = listed("user", "list")["users"]
    assert (bob["email"], bob["digest"], bob["upgrade_by"]) == ("bob@example.com", False, "")
    said("token", "add", "filter", "--out", str(tmp_path / "filter.token"))
    why = {"nobody": "there is no live nobody", "filter": "filter logs on with a token"}
    for user, text in why.items():
        typed(monkeypatch, "correct horse\n")
        status, _, told = said("user", "password", "--fips", user)
        assert (status, told[0]) == (1, f"user password: {text}")
    typed(monkeypatch, "\n")
    assert said("user", "password", "bob")[2][0] == "user password: a password has 1 to 1024 characters"


def test_a_scope_is_set_and_shown(said, listed):
    words = (
        "--filter",
        "A*",
        "--cap",
        "3",
        "--lock",
        "--customer-description",
        "Example Inc",
        "--description",
        "Tapes",
    )
    assert said("scope", "set", "US01.LTO", *words) == (0, ["scope US01.LTO changed"], [])
    (state,) = listed("scope", "list")["scopes"]
    assert {name: state[name] for name in ("customer", "description", "filter", "cap", "locked")} == {
        "customer": "Example Inc",
        "description": "Tapes",
        "filter": "A*",
        "cap": 3,
        "locked": True,
    }
    assert said("scope", "list")[1][0].endswith("Tapes; A*; at most 3; locked")
    said("scope", "set", "US01.LTO", "--unlock", "--filter", "", "--default", "OFFS")
    (state,) = listed("scope", "list")["scopes"]
    assert (state["locked"], state["filter"], state["cap"], state["default_repository"]) == (False, "", 3, "OFFS")
    assert said("scope", "set", "US01.LTO", "--filter", "A A")[0] == 1


def test_a_repository_is_set_and_shown(said, listed):
    words = ("--type", "Vault", "--offsite", "--next", "LIBR")
    assert said("repository", "set", "US01.LTO", "OFFS", *words) == (0, ["repository US01.LTO.OFFS changed"], [])
    offs = listed("repository", "list", "US01.LTO")["repositories"][1]
    assert offs == {"id": "OFFS", "description": "", "type": "Vault", "offsite": True, "next": "LIBR", "volumes": 0}
    assert said("repository", "list", "US01.LTO")[1][1].split() == ["OFFS", "Vault", "offsite", "then", "LIBR"]
    said("repository", "set", "US01.LTO", "OFFS", "--onsite")
    assert listed("repository", "list", "US01.LTO")["repositories"][1]["offsite"] is False


def test_volumes_are_deleted_and_those_that_are_not_there_are_named(said, tmp_path):
    library = tmp_path / "volumes.csv"
    library.write_text(
        "customer,media,volume,container\nUS01,LTO,B1,\nUS01,LTO,A1,\nUS01,LTO,A2,\nUS01,LTO,A4,\nUS01,LTO,A3,US01.LTO.B1\n"
    )
    said("load", str(library))
    assert said("delete", "US01.LTO", "A1") == (0, ["1 volume deleted"], [])
    assert said("delete", "US01.LTO", "A1", "A2", "A9") == (
        1,
        ["1 volume deleted"],
        ["US01.LTO.A1: no such volume", "US01.LTO.A9: no such volume"],
    )
    status, _, told = said("delete", "US01.LTO", "A4", "B1")
    assert (status, told) == (1, ["delete US01.LTO.B1: it holds volumes", "hint: take them out first"])
    assert [line.split(",")[2] for line in said("export", "--scope", "US01.LTO")[1][1:]] == ["A3", "A4", "B1"]
    assert said("delete", "US01.LTO", "B1", "A3") == (0, ["2 volumes deleted"], [])
    assert [line.split(",")[2] for line in said("export", "--scope", "US01.LTO")[1][1:]] == ["A4"]
    with SqliteStore(tmp_path / "server.db") as store:
        kinds = [entry.kind for entry, _ in store.chain("US01.LTO")]
        assert kinds.count("delete") == 3
        assert list(store.verify()) == []


def test_a_data_cluster_is_added_by_hand_or_by_a_load(said, listed, tmp_path):
    assert said("cluster", "add", "north", "--description", "Building 1") == (0, ["data cluster north added"], [])
    path = tmp_path / "volumes.csv"
    path.write_text("customer,media,volume,data_cluster\nUS01,LTO,A00001,south\n")
    assert said("load", "--strict", str(path))[2][0] == f'{path}:2: data cluster "south" is unknown'
    assert said("load", str(path))[1] == ["1 volume: 1 added, 0 changed, 0 unchanged", "new data clusters: south"]
    assert "        1 volume   version 1 " in f"{said('scope', 'list')[1][0]} "
    north, south = {"id": "north", "description": "Building 1"}, {"id": "south", "description": ""}
    assert listed("cluster", "list") == {"clusters": [north, south]}


def test_attributes_are_loaded_and_exported_when_asked_for(said, tmp_path):
    path = tmp_path / "volumes.csv"
    path.write_text("customer,media,volume,attribute_7\nUS01,LTO,A00001,seven\n")
    said("load", str(path))
    assert said("export", "--scope", "US01.LTO", "--attributes")[1][0].endswith("encrypted,attribute_7")
    assert said("export", "--scope", "US01.LTO", "--attributes")[1][1].endswith(",seven")
    assert said("export", "--scope", "US01.LTO")[1][0].endswith("encrypted")


def test_pending_and_overdue_volumes_are_listed(said, listed, tmp_path):
    path = tmp_path / "volumes.csv"
    head = "customer,media,volume,repository,current_repository,move_date\n"
    path.write_text(
        f"{head}US01,LTO,A00001,OFFS,LIBR,\nUS01,LTO,A00002,LIBR,LIBR,2001-01-31\nUS01,LTO,A00003,LIBR,LIBR,\n"
    )
    said("load", str(path))
    path.write_text("customer,media,volume,repository\nUS01,LTO,A00003,OFFS\n")
    said("load", str(path))
    _, printed, told = said("pending")
    assert ([line.split()[1] for line in printed], told) == (["A00001", "A00003"], ["2 volumes"])
    assert [(one["volume"], one["reason"]) for one in listed("overdue", "--scope", "US01.LTO")["volumes"]] == [
        ("A00001", "moving"),
        ("A00002", "move date"),
    ]
    assert said("overdue", "--scope", "US01.LTO", "--days", "99999")[2] == ["1 volume"]
    assert [one["volume"] for one in listed("overdue", "--days", "0")["volumes"]] == ["A00001", "A00003", "A00002"]
    path.write_text("customer,media,volume,move_date\nUS01,LTO,A00001,2001-02-28\n")
    said("load", str(path))
    _, printed, told = said("overdue", "--days", "0")
    assert [line.split()[1] for line in printed] == ["A00001", "A00003", "A00002", "A00001"]
    assert told == ["3 volumes"]
    assert said("overdue")[1][1].split() == ["US01.LTO", "A00002", "LIBR", "->", "LIBR", "move", "date", "2001-01-31"]


@pytest.mark.parametrize(
    ("words", "listing", "what"),
    [
        (("group", "add", "couriers"), ("group", "list"), "group couriers"),
        (("cluster", "add", "north"), ("cluster", "list"), "data cluster north"),
        (("repository", "add", "US01.LTO", "VLT2"), ("repository", "list", "US01.LTO"), "repository US01.LTO.VLT2"),
    ],
)
def test_what_is_there_is_not_added_again_and_keeps_its_description(said, words, listing, what):
    assert said(*words, "--description", "Building 1") == (0, [f"{what} added"], [])
    before = said(*listing)
    assert "Building 1" in " ".join(before[1])
    status, printed, told = said(*words)
    assert (status, printed, told[0]) == (1, [], f"add {what}: it is there already")
    assert said(*listing) == before


@pytest.mark.parametrize("words", [("group", "add", "couriers"), ("cluster", "add", "north")])
def test_a_group_or_data_cluster_gets_another_description_by_naming_it(said, words):
    said(*words, "--description", "Building 1")
    (told,) = said(*words, "--description", "Building 2")[1]
    assert told.endswith(" changed")
    assert "Building 2" in said(words[0], "list")[1][0]


@pytest.mark.parametrize("days", ["-1", "1.5", "week", "", "999999"])
def test_what_is_no_number_of_days_is_wrong_usage(said, days):
    status, printed, told = said("overdue", f"--days={days}")
    assert (status, printed) == (2, [])
    assert f'"{days}" is not a number of days' in told[0]


@pytest.mark.parametrize("words", [("scope", "set", "US01.LTO"), ("repository", "set", "US01.LTO", "OFFS")])
def test_a_change_of_nothing_is_wrong_usage_and_no_entry_of_the_ledger(said, words, tmp_path):
    with SqliteStore(tmp_path / "server.db") as store:
        before = store.heads()
        text = f"{words[0]} set: nothing is named that is to change"
        assert said(*words) == (2, [], [text, f"hint: mailsync server {words[0]} set --help"])
        assert store.heads() == before


READING = [
    ("scope", "list"),
    ("scope", "set", "US01.LTO", "--cap", "1"),
    ("repository", "add", "US01.LTO", "OFFS"),
    ("repository", "list", "US01.LTO"),
    ("export", "--scope", "US01.LTO"),
    ("user", "list"),
    ("token", "list"),
    ("token", "revoke", "a"),
    ("grant", "add", "a", "US*:write"),
    ("group", "list"),
    ("cluster", "list"),
    ("pending",),
    ("overdue",),
    ("prune",),
    ("restored",),
    ("copy", "--to", "sqlite:there.db"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_reads_or_changes_makes_no_store_and_says_where_it_looked(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(["server", *words, "--store", "sqlite:gone.db"]) == 2
    said = [
        f"mailsync: there is no store at {tmp_path}/gone.db",
        "mailsync: hint: is listen.store, or --store, the right one?",
    ]
    assert capsys.readouterr().err.splitlines() == said
    assert list(tmp_path.iterdir()) == []


def test_nor_does_verifying_a_ledger_and_an_empty_file_is_no_store(tmp_path, capsys):
    (tmp_path / "empty.db").touch()
    assert main(["audit", "verify", "--store", f"sqlite:{tmp_path}/empty.db"]) == 2
    assert f"there is no store at {tmp_path}/empty.db, which is empty\n" in capsys.readouterr().err
    assert (tmp_path / "empty.db").stat().st_size == 0
    assert main(["audit", "verify", "--store", f"sqlite:{tmp_path}/no/such.db"]) == 2
    assert f"there is no store at {tmp_path}/no/such.db\n" in capsys.readouterr().err


ADDING = [
    ("scope", "add", "US01.LTO"),
    ("token", "add", "a"),
    ("group", "add", "couriers"),
    ("cluster", "add", "north"),
    ("load", "/dev/null"),
]


@pytest.mark.parametrize("words", ADDING, ids=" ".join)
def test_what_adds_makes_the_store_it_adds_to(tmp_path, words):
    main(["server", *words, "--store", f"sqlite:{tmp_path}/new.db"])
    with SqliteStore(tmp_path / "new.db", make=False) as store:
        assert store.heads()
