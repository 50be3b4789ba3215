"""docs/protocol.md is enough to write another client: one that was written from it talks to the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from listening import KEY, TOKEN
from made_volumes import volumes
from second_client import COLUMNS, Refused, SecondClient, new_copy, read_page

from mailsync.core.fields import FIELD_NAMES
from mailsync.server.store import LoadRow
from mailsync.wire import noise
from mailsync.wire.keys import format_client_key, format_token

TRANSCRIPT = Path(__file__).parents[1] / "wire" / "transcripts" / "nkpsk0.json"


@pytest.fixture
def connected(serve):
    """Connects the other client to a server of ours."""
    clients = []

    def start(token=TOKEN, **options):
        clients.append(SecondClient(serve().address, format_client_key(KEY), format_token(token), **options))
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


def in_store(store, scope):
    return {name: dict(zip(COLUMNS, (name, *volume), strict=True)) for name, volume in store.export(scope)}


def batch_of(copy, *moves, **changes):
    return {
        "id": b"i" * 16, "run": b"r" * 32, "plan": b"p" * 32, "epoch": copy["cursor"]["epoch"],
        "base": copy["cursor"]["since"], "asof": 100, "scope": "US01.LTO", "source": "second/csv",
        "sources": [("<m1@example.com>", "a.csv")], "field": "repository", "moves": moves, **changes,
    }  # fmt: skip


def test_it_knows_nothing_of_mailsync():
    text = (Path(__file__).parents[1] / "support" / "second_client.py").read_text()
    imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
    assert not [line for line in imports if "mailsync" in line]


def test_it_follows_applies_once_and_says_goodbye(second, library, scope):
    client, copy = second(), new_copy()
    assert client.follow("US01.LTO", copy, rows=4) == 3
    assert copy["rows"] == in_store(library, scope)
    assert [one[0] for one in copy["repositories"]] == ["LIBR", "OFFS", "RACK"]
    batch = batch_of(copy, ("A1", "OFFS", 0, 1, 2), ("A3", "OFFS", 0, 2, 3), ("NOSUCH", "OFFS", 0, 3, 4))
    done = client.apply(batch)
    assert (done["first"], done["last"], done["replayed"]) == (10, 11, False)
    assert [result for result, _ in done["results"]] == [0, 0, 3]
    again = client.apply(batch)
    assert again == {**done, "replayed": True}
    assert (done["ledger"], done["entry"]) == next(
        (head.hash, head.seq) for head in library.heads() if head.chain == "US01.LTO"
    )
    with pytest.raises(Refused) as reused:
        client.apply({**batch, "moves": batch["moves"][:1]})
    assert reused.value.code == 604
    assert client.follow("US01.LTO", copy) == 1
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


def test_it_begins_a_run_and_ends_it(second):
    client, run, me = second(), b"R" * 32, b"m" * 16
    assert client.run(1, run, me) == (1, "yours", [], [])
    assert client.run(1, run, b"o" * 16) == (1, "busy", [], [])
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
    client = connected(TOKEN._replace(secret=b"?" * 32))
    with pytest.raises(Refused) as refused:
        client.log_in()
    assert refused.value.code == 201


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
