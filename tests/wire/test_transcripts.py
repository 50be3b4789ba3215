"""Golden transcripts: a whole session of each suite, byte for byte, for this version and for other implementations.

Keys, token and randomness are fixed in the file, so the bytes follow from docs/protocol.md alone. Rewritten, after a
deliberate change of the protocol only, by `python tests/wire/test_transcripts.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsync.core.cursor import Cursor, Page
from mailsync.core.model import Repository, RepositoryId, parse_scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import events as seen
from mailsync.wire.batches import encode_apply
from mailsync.wire.client_session import ClientSession
from mailsync.wire.keys import (
    format_client_key,
    format_ring,
    format_token,
    new_client_key,
    new_ring,
    new_token,
    parse_client_key,
    parse_ring,
    parse_token,
    with_key,
)
from mailsync.wire.messages import Sync
from mailsync.wire.scram import make_verifier
from mailsync.wire.server_session import ServerSession

FOLDER = Path(__file__).parent / "transcripts"
NAMES = {1: "nnpsk0.json", 2: "nkpsk0.json"}
SCOPE = parse_scope("US01.LTO")
assert SCOPE is not None
EPOCH = bytes(range(200, 216))
ROWS = tuple((f"A0000{n}", f"Weekly {n}", "LIBR", "LIBR", "LIBR", *[""] * 10, "no") for n in range(3))
PAGE = Page(
    reset=True,
    more=False,
    cursor=Cursor(EPOCH, 3, 0),
    tombstones=("A00009",),
    rows=ROWS,
    repositories_version=1,
    repositories=(
        Repository(RepositoryId("LIBR"), "Library", "Library"),
        Repository(RepositoryId("OFFS"), "", "Vault", offsite=True),
    ),
)
MOVES = tuple(Operation(Change.UPDATE, f"A0000{n}", ("repository",), ("OFFS",), 0, n + 1, n + 2) for n in range(3))
BATCH = Batch(
    id=bytes(range(16)),
    run=bytes(range(32)),
    plan=bytes(range(32, 64)),
    scope=SCOPE,
    epoch=EPOCH,
    base=3,
    source="nightly/nightly-csv",
    asof=1795428900,
    sources=(("<1@example.com>", "report.csv"),),
    operations=MOVES,
)
OUTCOME = Outcome(
    BATCH.id, 4, 5, (RowResult(Result.OK), RowResult(Result.OK), RowResult(Result.CONFLICT, "changed since"))
)


def site(suite):
    """The files and random bytes both ends begin with."""
    ring = new_ring(bytes(range(1, 33)))
    key = new_client_key(ring, "site-1", bytes(range(33, 65)))
    ring = with_key(ring, key)
    return {
        "client_key": format_client_key(key if suite == 2 else key._replace(server=b"")),
        "ring": format_ring(ring),
        "token": format_token(new_token("filter", bytes(range(65, 97)))),
        "salt": bytes(range(97, 113)).hex(),
        "client_random": bytes(range(113, 163)).hex(),
        "server_random": bytes(range(163, 213)).hex(),
    }


def ends(given):
    key, token = parse_client_key(given["client_key"], "key"), parse_token(given["token"], "token")
    random = {end: bytes.fromhex(given[f"{end}_random"]) for end in ("client", "server")}
    static = parse_ring(given["ring"], "ring").static
    client = ClientSession(key=key, token=token, random=random["client"], client="golden 1", compress=("deflate",))
    return client, ServerSession(static=static, random=random["server"], compress=("deflate",))


def script(client, server, given):
    """What each end says, in order, as (end, what it means, how it is made once the other has read the rest)."""
    ring, token = parse_ring(given["ring"], "ring"), parse_token(given["token"], "token")
    verifier = make_verifier(token.secret, bytes.fromhex(given["salt"]))

    def greet():
        server.accept_key(ring.secrets["site-1"])
        assert server.next_events() == [seen.LoginAsked("filter")]
        return server.offer_login(verifier)

    return [
        ("client", "preamble, hello", client.start),
        ("server", "hello_ok", greet),
        ("client", "AUTH", client.send_auth),
        ("client", "SYNC", lambda: client.send_sync(Sync(SCOPE, Cursor()))[1]),
        ("server", "AUTH_OK", server.answer_login),
        ("server", "PAGE", lambda: server.send_page(1, PAGE)),
        ("client", "APPLY", lambda: client.send_apply(encode_apply(BATCH))[1]),
        ("server", "APPLY_OK", lambda: server.send_outcome(2, OUTCOME)),
        ("client", "PING", lambda: client.send_ping(b"tape")[1]),
        ("server", "PONG", lambda: server.send_pong(3, b"tape")),
        ("client", "BYE", lambda: client.send_bye("done")),
    ]


def record(suite):
    """A transcript as it is stored."""
    given = site(suite)
    client, server = ends(given)
    said, events = [], []
    for end, means, make in script(client, server, given):
        data = make()
        said.append({"from": end, "means": means, "bytes": data.hex()})
        reader = server if end == "client" else client
        events += [repr(event) for event in reader.receive_data(data)]
        if means == "AUTH_OK":
            events += [repr(event) for event in server.next_events()]
    return {**given, "handshake_hash_id": client.log_id, "said": said, "events": events}


@pytest.mark.parametrize("suite", NAMES)
def test_a_session_is_the_recorded_one_byte_for_byte(suite):
    recorded = json.loads((FOLDER / NAMES[suite]).read_text())
    assert record(suite) == recorded


@pytest.mark.parametrize("suite", NAMES)
def test_every_message_was_recorded_and_understood(suite):
    recorded = json.loads((FOLDER / NAMES[suite]).read_text())
    meant = [one["means"] for one in recorded["said"]]
    assert meant == [
        "preamble, hello",
        "hello_ok",
        "AUTH",
        "SYNC",
        "AUTH_OK",
        "PAGE",
        "APPLY",
        "APPLY_OK",
        "PING",
        "PONG",
        "BYE",
    ]
    assert len(recorded["events"]) == len(meant)
    assert repr(seen.PageReceived(1, PAGE, last=True)) in recorded["events"]
    assert any(repr(BATCH) in event for event in recorded["events"])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for number, name in NAMES.items():
        (FOLDER / name).write_text(json.dumps(record(number), indent=1) + "\n")
