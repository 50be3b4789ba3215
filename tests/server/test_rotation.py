"""Rotation as a person does it: commands beside a running server that is never restarted, step by step."""

from __future__ import annotations

import json
import subprocess

import pytest
from served import MAILSYNC

from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.sqlite import SqliteStore

SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
WHEN = "mailsync: next, 3: when"
FIRST = "mailsync: next, 1: mailsync server"


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


def out(site, name):
    return ("--out", str(site.folder / "keys" / name))


def test_a_token_a_key_and_the_servers_static_key_are_changed_over_while_the_server_runs(site):
    with site.running() as process:
        assert works(site, process)
        # a token: both work until the old one is revoked
        assert "filter.2.token made: keep it secret" in site.server(
            "token", "rotate", "filter", *out(site, "filter.2.token")
        )
        assert works(site, process)
        assert works(site, process, token="filter.2.token")
        site.server("token", "revoke", "filter")
        assert not works(site, process)
        assert works(site, process, token="filter.2.token")
        # a key, for one user: likewise
        site.server("key", "set", "site", "--user", "filter.2", "--address", "127.0.0.1")
        site.server("key", "rotate", "site", *out(site, "second.key"))
        assert works(site, process, "site.key", "filter.2.token")
        assert works(site, process, "second.key", "filter.2.token")
        site.server("key", "revoke", "site")
        assert not works(site, process, "site.key", "filter.2.token")
        # the server's own static key, with the key of its one client
        site.server("key", "static")
        assert works(site, process, "second.key", "filter.2.token")
        assert "for an earlier static key" in site.server("key", "list")
        site.server("key", "rotate", "site.2", "--as", "third", *out(site, "third.key"))
        assert works(site, process, "third.key", "filter.2.token")
        site.server("key", "revoke", "site.2")
        assert not works(site, process, "second.key", "filter.2.token")
        assert works(site, process, "third.key", "filter.2.token")
        assert process.poll() is None
    listed = json.loads(site.server("key", "list", "--json"))["keys"]
    assert listed == [{"id": "third", "users": ["filter.2"], "addresses": ["127.0.0.1"], "earlier_static": False}]
    assert "static=" not in (site.folder / "keys" / "ring").read_text()
    assert noted(site) == [
        *("token rotated", "token revoked"),
        *("key set", "key rotated", "key revoked"),
        *("static key added", "key rotated", "key revoked"),
    ]


def test_a_key_for_somebody_else_or_from_elsewhere_opens_nothing(site):
    site.server("token", "add", "other", "--grant", "*:read", *out(site, "other.token"))
    site.server("key", "new", "narrow", "--user", "other", "--address", "127.0.0.0/8", *out(site, "narrow.key"))
    site.server("key", "new", "far", "--address", "192.0.2.0/24", "--address", "2001:db8::/32", *out(site, "far.key"))
    with site.running() as process:
        assert works(site, process, "narrow.key", "other.token")
        assert not works(site, process, "narrow.key", "filter.token")
        assert not works(site, process, "far.key", "filter.token")
        site.server("key", "set", "far")
        assert works(site, process, "far.key", "filter.token")


def run(site, *words):
    """What a command said on stderr."""
    command = [*MAILSYNC, "server", *words, "--config", str(site.folder / "mailsync.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_who_rotates_is_told_what_is_left_to_do(site):
    site.server("key", "set", "site", "--user", "filter", "--address", "127.0.0.1", "--address", "::1")
    assert run(site, "token", "rotate", "filter") == [
        "mailsync: filter.2 may *:write",
        f"{FIRST} key set site --user filter --user filter.2 --address 127.0.0.1 --address ::1",
        "mailsync: next, 2: on each host that logs on as filter, put it where server.login is",
        f"{WHEN} none does any more (user=filter in the server's log): mailsync server token revoke filter",
    ]
    assert run(site, "key", "rotate", "site") == [
        "mailsync: next, 1: on each host with key site, put it where server.key is",
        "mailsync: next, 2: when none has it any more (key=site in the server's log): mailsync server key revoke site",
    ]
    assert run(site, "key", "static") == [
        "mailsync: next, 1: mailsync server key rotate site",
        "mailsync: next, 2: mailsync server key rotate site.2",
        "mailsync: next, 3: the old static key is gone from the ring when the last key made for it is revoked",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("token", "rotate", "nobody"), "rotate token: nobody has no live one"),
        (("token", "rotate", "filter", "--as", "filter"), "there is, or was, a user filter"),
        (("token", "rotate", "filter", "--as", "no body"), '"no body" is not a user'),
        (("key", "rotate", "nobody"), 'rotate key: key "nobody" is not in the ring'),
        (("key", "rotate", "site", "--as", "site"), 'key "site" is in the ring already'),
        (("key", "new", "a", "--address", "vault"), '"vault" is not an address or a network'),
        (("key", "set", "site", "--user", "no body"), '"no body" is not a user'),
    ],
)
def test_what_cannot_be_rotated_changes_nothing_and_leaves_no_file(site, words, told, tmp_path):
    path = tmp_path / "new"
    before = site.server("key", "list"), site.server("user", "list"), noted(site)
    status = 1 if told.startswith(("rotate token", "there is")) else 2
    assert told in site.server(*words, *(("--out", str(path)) if words[1] != "set" else ()), status=status)
    assert not path.exists()
    assert (site.server("key", "list"), site.server("user", "list"), noted(site)) == before


def test_a_stolen_key_is_revoked_even_while_the_store_cannot_be_asked(site, tmp_path):
    gone = f"sqlite:{tmp_path / 'nowhere' / 'server.db'}"
    assert site.server("key", "revoke", "site", "--store", gone) == "key site revoked\n"
    assert site.server("key", "list") == ""
