"""Rotation as a person does it: commands beside a running server that is never restarted, step by step."""

from __future__ import annotations

import json

import pytest

from mailsync.cli.main import main
from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.sqlite import SqliteStore

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
FIRST = "mailsync: next, 1: mailsync server"
WHEN = "mailsync: next, 3: when"


@pytest.fixture
def said(site, capsys):
    """The exit status of a server command of the site, what it printed, and its lines on stderr."""

    def run(*words, out=""):
        place = ("--out", str(site.folder / "keys" / out)) if out else ()
        status = main(["server", *words, *place, "--config", str(site.folder / "mailsync.yaml")])
        printed = capsys.readouterr()
        return status, printed.out, printed.err.splitlines()

    return run


def works(site, process, key="site.key", token="filter.token"):
    """True when the pair of files gets pages."""
    try:
        with site.link(process, key, token) as link:
            return bool(list(link.sync(SCOPE, Cursor(), 0)))
    except RefusedError:
        return False


def noted(site):
    """What the site's chain says of keys and tokens, in order, after what `init` did."""
    with SqliteStore(site.folder / "state" / "server.db") as store:
        assert list(store.verify()) == []
        kinds = [entry.kind for entry, _ in store.chain("site")]
    return [kind for kind in kinds if "key" in kind or "token" in kind][1:]


def test_a_token_a_key_and_the_servers_static_key_are_changed_over_while_the_server_runs(site, said):
    with site.running() as process:
        assert works(site, process)
        # a token: both work until the old one is revoked
        assert "filter.2.token made: keep it secret" in said("token", "rotate", "filter", out="filter.2.token")[1]
        assert works(site, process)
        assert works(site, process, token="filter.2.token")
        said("token", "revoke", "filter")
        assert not works(site, process)
        assert works(site, process, token="filter.2.token")
        # a key, for one user: likewise
        said("key", "set", "site", "--user", "filter.2", "--address", "127.0.0.1")
        said("key", "rotate", "site", out="second.key")
        assert works(site, process, "site.key", "filter.2.token")
        assert works(site, process, "second.key", "filter.2.token")
        said("key", "revoke", "site")
        assert not works(site, process, "site.key", "filter.2.token")
        # the server's own static key, with the key of its one client
        said("key", "static")
        assert works(site, process, "second.key", "filter.2.token")
        assert "for an earlier static key" in said("key", "list")[1]
        said("key", "rotate", "site.2", "--as", "third", out="third.key")
        assert works(site, process, "third.key", "filter.2.token")
        said("key", "revoke", "site.2")
        assert not works(site, process, "second.key", "filter.2.token")
        assert works(site, process, "third.key", "filter.2.token")
        assert process.poll() is None
    listed = json.loads(said("key", "list", "--json")[1])["keys"]
    assert listed == [{"id": "third", "users": ["filter.2"], "addresses": ["127.0.0.1"], "earlier_static": False}]
    assert "static=" not in (site.folder / "keys" / "ring").read_text()
    assert noted(site) == [
        *("token rotated", "token revoked"),
        *("key set", "key rotated", "key revoked"),
        *("static key added", "key rotated", "key revoked"),
    ]


def test_a_key_for_somebody_else_or_from_elsewhere_opens_nothing(site, said):
    said("token", "add", "other", "--grant", "*:read", out="other.token")
    said("key", "new", "narrow", "--user", "other", "--address", "127.0.0.0/8", out="narrow.key")
    said("key", "new", "far", "--address", "192.0.2.0/24", "--address", "2001:db8::/32", out="far.key")
    with site.running() as process:
        assert works(site, process, "narrow.key", "other.token")
        assert not works(site, process, "narrow.key", "filter.token")
        assert not works(site, process, "far.key", "filter.token")
        said("key", "set", "far")
        assert works(site, process, "far.key", "filter.token")


def test_who_rotates_is_told_what_is_left_to_do(site, said):
    said("key", "set", "site", "--user", "filter", "--address", "127.0.0.1", "--address", "::1")
    assert said("token", "rotate", "filter")[2] == [
        "mailsync: filter.2 may *:write",
        f"{FIRST} key set site --user filter --user filter.2 --address 127.0.0.1 --address ::1",
        "mailsync: next, 2: on each host that logs on as filter, put it where server.login is",
        f"{WHEN} none does any more (user=filter in the server's log): mailsync server token revoke filter",
    ]
    assert said("key", "rotate", "site")[2] == [
        "mailsync: next, 1: on each host with key site, put it where server.key is",
        "mailsync: next, 2: when none has it any more (key=site in the server's log): mailsync server key revoke site",
    ]
    keys = site.folder / "keys"
    steps = [
        f"mailsync: next, 1: mailsync server key rotate site --out {keys}/site.3.key",
        f"mailsync: next, 2: mailsync server key rotate site.2 --out {keys}/site.4.key",
        "mailsync: next, 3: the old static key is gone from the ring when the last key made for it is revoked",
    ]
    assert said("key", "static")[2] == steps
    for step in steps[:2]:  # as they are printed
        words = step.partition(" server ")[2].split()
        assert said(*words)[1] == f"{words[-1]} made: keep it secret\n"
    assert {"site.3", "site.4"} <= {one["id"] for one in json.loads(said("key", "list", "--json")[1])["keys"]}


REFUSED = [
    (("token", "rotate", "nobody"), "rotate token: nobody has no live one"),
    (("token", "rotate", "filter", "--as", "filter"), "rotate token: there is, or was, a user filter"),
    (("token", "rotate", "filter", "--as", "no body"), 'rotate token: "no body" is not a user'),
    (("key", "rotate", "nobody"), 'rotate key: key "nobody" is not in the ring'),
    (("key", "rotate", "site", "--as", "site"), 'new key: key "site" is in the ring already'),
    (("key", "new", "a", "--address", "vault"), 'new key: "vault" is not an address or a network'),
    (("key", "new", "a", "--user", "no body"), 'new key: "no body" is not a user'),
]


def test_what_cannot_be_rotated_changes_nothing_and_leaves_no_file(site, said):
    before = said("key", "list"), said("user", "list"), noted(site)
    for words, told in REFUSED:
        status, printed, lines = said(*words, out="new")
        assert status in (1, 2)
        assert printed == ""
        assert lines[0].startswith(f"mailsync: {told}")
        assert not (site.folder / "keys" / "new").exists()
    assert said("key", "set", "nobody")[0] == 2
    assert (said("key", "list"), said("user", "list"), noted(site)) == before


def test_a_stolen_key_is_revoked_even_while_the_store_cannot_be_asked(said, tmp_path):
    gone = f"sqlite:{tmp_path / 'nowhere' / 'server.db'}"
    status, printed, told = said("key", "revoke", "site", "--store", gone)
    assert (status, printed) == (0, "key site revoked\n")
    assert told[0].startswith("mailsync: done, but not noted in the ledger: ")
    assert said("key", "list")[1] == ""


def test_what_a_killed_command_left_beside_the_ring_is_told_with_what_to_do(said, site):
    left = site.folder / "keys" / "ring.new"
    left.touch()
    status, printed, told = said("key", "revoke", "site")
    assert (status, printed) == (2, "")
    assert told[-1] == f"mailsync: hint: if no other command is at it: rm {left}"
    left.unlink()
    assert said("key", "revoke", "site")[0] == 0


@pytest.mark.parametrize("words", [("key", "new", "other"), ("key", "set", "site")])
def test_a_network_that_is_none_is_told_with_how_one_is_written(said, words):
    status, _, told = said(*words, "--address", "10.0.0.0/88")
    assert (status, told[0]) == (2, f'mailsync: {words[1]} key: "10.0.0.0/88" is not an address or a network')
    assert "192.0.2.0/24; leave either out for any" in told[1]


@pytest.mark.parametrize("words", [("key", "new", "other"), ("token", "add", "other")])
def test_a_secret_for_a_folder_that_is_not_there_is_told_so(said, site, words):
    assert said(*words, out="none/other")[2][-1] == (
        f"mailsync: hint: there is no folder {site.folder}/keys/none: name a file in one that is there"
    )


def test_what_is_left_to_do_after_a_restore_and_a_copy_is_said(said, site):
    status, printed, told = said("restored")
    assert (status, printed) == (0, "every client's copy will be downloaded anew\n")
    assert told[0].endswith("start the server, and mailsync audit verify")
    assert told[1].endswith("mailsync audit lost")
    status, _, told = said("copy", "--to", f"sqlite:{site.folder}/state/other.db")
    assert status == 0
    assert "set listen.store" in told[0]
