"""docs/protocol.md is enough to write another client: one that was written from it talks to the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from listening import KEY, TOKEN
from made_volumes import volumes
from second_client import COLUMNS, Refused, SecondClient, new_copy, read_page, read_token

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.ledger import SITE
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.server.access import ADMINISTRATOR, Access
from mailsync.server.store import LoadRow
from mailsync.wire import noise
from mailsync.wire.keys import format_client_key, format_token
from mailsync.wire.passwords import FIPS, MD5, SMALL, md5_of
from mailsync.wire.scram import make_password_verifier

PASSWORD = "tape 9 tra\u0308ger"  # not in NFC
DIGEST = SMALL._replace(prehash=MD5)
TRANSCRIPT = Path(__file__).parents[1] / "wire" / "transcripts" / "nkpsk0.json"


@pytest.fixture
def connected(serve):
    """Connects the other client to a server of ours."""
    clients = []

    def start(user="", secret="", token=TOKEN, **options):
        login = (user, secret) if user else read_token(format_token(token))
        clients.append(SecondClient(serve().address, format_client_key(KEY), *login, **options))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def second(connected):
    """The same, and logs it on."""

    def start(**options):
        client = connected(**options)
        assert client.log_in() == "filter"
        return client

    return start


@pytest.fixture
def ann(library, connected):
    """Makes a user whose password is kept in one way, and connects to log her on."""

    def start(kdf, secret=PASSWORD, name="ann"):
        if library.login("ann")[0] is None:
            text = md5_of(PASSWORD) if kdf.prehash == MD5 else PASSWORD
            kept = make_password_verifier(text, b"s" * 16, kdf)
            library.add_user("ann", kept, 1, email="ann,b=c@example.com", grants=(("*", Access.READ),))
        return connected(name, secret)

    return start


def in_store(store, scope):
    return {name: dict(zip(COLUMNS, (name, *volume), strict=True)) for name, volume in store.export(scope)}


def head_of(store, chain):
    return next((head.seq, head.hash) for head in store.heads() if head.chain == chain)


def batch_of(copy, *moves, **changes):
    return {
        "id": b"i" * 16, "run": b"r" * 32, "plan": b"p" * 32, "epoch": copy["cursor"]["epoch"],
        "base": copy["cursor"]["since"], "asof": 100, "scope": "US01.LTO", "source": "second/csv",
        "sources": [("<m1@example.com>", "a.csv")], "field": "repository", "moves": moves, **changes,
    }  # fmt: skip


def test_it_knows_nothing_of_mailsync():
    files = sorted((Path(__file__).parents[1] / "support").glob("second_*.py"))
    assert [file.stem for file in files] == ["second_bodies", "second_client", "second_login"]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert not [line for line in lines if line.lstrip().startswith(("import", "from")) and "mailsync" in line]


def test_it_follows_applies_once_and_says_goodbye(second, library, scope):
    client, copy = second(), new_copy()
    assert client.follow("US01.LTO", copy, rows=4) == 3
    assert copy["ledger"] == head_of(library, "US01.LTO")
    assert copy["rows"] == in_store(library, scope)
    assert [one[0] for one in copy["repositories"]] == ["LIBR", "OFFS", "RACK"]
    batch = batch_of(copy, ("A1", "OFFS", 0, 1, 2), ("A3", "OFFS", 0, 2, 3), ("NOSUCH", "OFFS", 0, 3, 4))
    done = client.apply(batch)
    assert (done["first"], done["last"], done["replayed"]) == (10, 11, False)
    assert [result for result, _ in done["results"]] == [0, 0, 3]
    again = client.apply(batch)
    assert again == {**done, "replayed": True}
    assert (done["entry"], done["ledger"]) == head_of(library, "US01.LTO")
    with pytest.raises(Refused) as reused:
        client.apply({**batch, "moves": batch["moves"][:1]})
    assert reused.value.code == 604
    assert client.follow("US01.LTO", copy) == 1
    assert copy["ledger"] == head_of(library, "US01.LTO")
    assert copy["kept"] == 2, "their descriptions did not change, and did not travel"
    assert copy["rows"] == in_store(library, scope)
    assert copy["rows"]["A1"]["repository"] == "OFFS"
    assert client.bye() == b""


def test_it_reads_whatever_a_site_holds(second, library, scope):
    rows = volumes(900, "structured")
    library.load(FIELD_NAMES, [LoadRow(scope, name, tuple(values), 0) for name, *values in rows])
    client, copy = second(), new_copy()
    client.follow("US01.LTO", copy, rows=400)
    assert copy["rows"] == in_store(library, scope)
    library.delete(scope, ["A1", rows[7][0]])
    library.load(("slot",), [LoadRow(scope, rows[8][0], ("17",), 0)])
    client.follow("US01.LTO", copy)
    assert copy["rows"] == in_store(library, scope)
    client.bye()


def test_it_begins_a_run_and_ends_it(second, library):
    client, run, me = second(), b"R" * 32, b"m" * 16
    assert client.run(1, run, me) == (1, "yours", [], [])
    assert client.site == head_of(library, SITE)
    library.add_user("bob", make_password_verifier(PASSWORD, b"s" * 16, SMALL), 1)
    assert client.run(1, run, b"o" * 16) == (1, "busy", [], [])
    assert client.run(2, run, me)[1] == "yours"
    assert client.site != head_of(library, SITE), "nobody is told but who begins a run"
    assert client.run(1, run, me) == (1, "yours", [], [])
    assert client.site == head_of(library, SITE)
    assert client.run(2, run, me)[1] == "yours"
    assert client.run(3, run, me, "operator")[1] == "yours"
    assert client.run(4, run, me)[1] == "done"
    assert client.run(1, run, b"o" * 16) == (1, "done", [], ["operator"])
    client.bye()


def test_both_change_their_keys_at_the_same_frames(second, monkeypatch):
    monkeypatch.setattr(noise, "REKEY_FRAMES", 5)
    client, copy = second(rekey=5), new_copy()
    for number in range(23):
        assert client.ping(bytes((number,)))
    client.follow("US01.LTO", copy, rows=1)
    assert len(copy["rows"]) == 9
    assert client.up.count > 25
    assert client.down.count > 25
    client.bye()


def test_a_key_change_too_late_ends_the_connection(second, monkeypatch):
    monkeypatch.setattr(noise, "REKEY_FRAMES", 5)
    client = second(rekey=6)
    with pytest.raises(EOFError):
        [client.ping() for _ in range(9)]


def test_a_wrong_token_is_told_so(connected):
    client = connected(token=TOKEN._replace(secret=b"?" * 32))
    with pytest.raises(Refused) as refused:
        client.log_in()
    assert refused.value.code == 201


@pytest.mark.parametrize("kdf", [SMALL, FIPS, DIGEST, FIPS._replace(prehash=MD5)])
def test_it_logs_on_with_a_password(ann, kdf):
    client = ann(kdf)
    assert client.hello_ok["kdf"]["name"] == kdf.name
    assert client.log_in() == "ann"
    assert [name for name, *_ in client.scopes()] == ["US01.LTO"]


def test_it_logs_on_with_an_address_and_is_told_the_name(ann):
    assert ann(SMALL, name="ann,b=c@example.com").log_in() == "ann"


@pytest.mark.parametrize("login", [{"secret": "another"}, {"name": "nobody"}, {"secret": TOKEN.secret}])
def test_a_wrong_password_or_user_is_told_so(ann, login):
    with pytest.raises(Refused) as refused:
        ann(SMALL, **login).log_in()
    assert refused.value.code == 201


def test_it_replaces_the_digest_by_the_password(ann, library):
    client = ann(DIGEST)
    client.log_in()
    assert client.set_verifier() == {}
    assert library.verifier("ann").kdf == SMALL
    assert ann(SMALL).log_in() == "ann"
    with pytest.raises(Refused) as refused:
        ann(SMALL, secret=md5_of(PASSWORD)).log_in()
    assert refused.value.code == 201


def test_what_would_protect_a_password_less_is_refused(ann, library, connected):
    client = ann(DIGEST)
    client.log_in()
    for worse in (DIGEST, SMALL._replace(memory=19_455), FIPS._replace(iterations=599_999)):
        with pytest.raises(Refused) as refused:
            client.set_verifier(kdf=worse._asdict())
        assert refused.value.code == 302
    assert library.verifier("ann").kdf == DIGEST
    client.set_verifier()
    with pytest.raises(Refused) as again:
        client.set_verifier()
    assert again.value.code == 204, "the password is another than the one that this login proved"


def test_it_asks_which_scopes_there_are_and_what_is_in_one(second, library, scope):
    library.load(("description",), [LoadRow(scope, "A1", ("Grüße",), 0)])
    library.load(("flags",), [LoadRow(scope, "A2", ("QZ",), 0)])
    other = Scope(CustomerId("US01"), MediaId("VHS"))
    library.add_scope(other, default_repository="")
    client = second()
    found = {name: rest for name, *rest in client.scopes()}
    assert list(found) == ["US01.LTO", "US01.VHS"]
    (at,) = (one for one in library.scopes(ADMINISTRATOR) if one.scope == scope)
    assert found["US01.LTO"] == [at.description, at.version, 9, at.repositories_version]
    assert found["US01.VHS"][2] == 0
    stats = client.stats("US01.LTO")
    assert (stats["volumes"], stats["repositories"]["LIBR"]) == (9, 9)
    assert stats["flags"] == {"Q": 1, "Z": 1}
    values = [value for volume in in_store(library, scope).values() for value in volume.values()]
    assert stats["characters"] == sum(map(len, values)), "barcodes are among them"
    with pytest.raises(Refused) as refused:
        client.stats("US01.NONE")
    assert refused.value.code == 301


def test_it_asks_what_was_moved_and_what_is_recorded(second):
    client, copy = second(), new_copy()
    client.follow("US01.LTO", copy)
    now = client.stats("US01.LTO")["time"]
    moves = [(f"A{number}", "OFFS", 0, number, number) for number in (1, 2, 3)]
    client.apply(batch_of(copy, *moves, asof=now))
    assert client.moved("US01.LTO", "second/csv", b"o" * 32) == (3, 1)
    assert client.moved("US01.LTO", "second/csv", b"r" * 32) == (0, 0), "its own run"
    assert client.moved("US01.LTO", "another/csv", b"o" * 32) == (0, 0)
    assert client.recorded("US01.LTO", [b"i" * 16, b"?" * 16]) == (0, [b"?" * 16])
    client.bye()


def test_it_gives_a_sync_up_and_goes_on(second):
    client, copy = second(), new_copy()
    assert client.give_up("US01.LTO") == (1, 107)
    client.follow("US01.LTO", copy)
    assert len(copy["rows"]) == 9
    assert client.bye() == b""


def test_it_reads_the_page_of_the_transcript_that_has_every_encoding():
    recorded = json.loads(TRANSCRIPT.read_text())
    bodies = [bytes.fromhex(one) for one in recorded["pages"]]
    copy = new_copy()
    copy["rows"] = {f"A{number:05}L8": dict.fromkeys(COLUMNS, "kept") for number in range(10, 40)}
    assert not read_page(bodies[1], copy)
    assert copy["rows"]["A00011L8"]["description"] == "kept"
    assert copy["rows"]["A00012L8"]["description"] == "Full 144"
    assert copy["rows"]["A00029L8"]["current_repository"] == "LIBR"
    assert copy["rows"]["A00036L8"]["expiry_date"] == "2031-02-27"
    assert copy["rows"]["A00037L8"]["expiry_date"] == ""
    assert copy["rows"]["A00036L8"]["write_time"] == "2031-01-27T20:36:07Z"
    assert copy["cursor"]["mark"] == bytes(range(8, 16)).hex()
