"""Golden transcripts: a whole session of each suite, byte for byte, for this version and for other implementations.

Keys, token and randomness are fixed in the file, so the bytes follow from docs/protocol.md alone. Rewritten, after a
deliberate change of the protocol only, by `python tests/wire/test_transcripts.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsync.core.cursor import Cursor, Page
from mailsync.core.guard import Earlier
from mailsync.core.model import Repository, RepositoryId, parse_scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import events as seen
from mailsync.wire.batches import encode_apply
from mailsync.wire.client_session import ClientSession
from mailsync.wire.figures import ScopeFigures, ScopeList, ScopeStats
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
from mailsync.wire.ledger import Missing, MovedAsked, RecordedAsked
from mailsync.wire.messages import Sync
from mailsync.wire.pages import encode_page
from mailsync.wire.runs import RunLease, RunStep, RunWord
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
    cursor=Cursor(EPOCH, 3, 0, 3, bytes(range(8)), 3),
    tombstones=("A00009",),
    rows=ROWS,
    repositories_version=1,
    repositories=(
        Repository(RepositoryId("LIBR"), "Library", "Library"),
        Repository(RepositoryId("OFFS"), "", "Vault", offsite=True),
    ),
    entry=8,
    ledger=bytes(range(32)),
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
    BATCH.id,
    4,
    5,
    (RowResult(Result.OK), RowResult(Result.OK), RowResult(Result.CONFLICT, "changed since")),
    entry=9,
    ledger=bytes(range(32)),
)
LEASE = RunLease("yours", ((SCOPE, bytes(range(16, 32))),), ("operator",), 7, bytes(range(32, 64)))
# Every encoding of a column is in the first one or in this one: serial, dictionary, dates, relative, derived, null.
DELTA = Page(
    reset=False,
    more=False,
    cursor=Cursor(EPOCH, 45, 0, 45, bytes(range(8, 16)), 45),
    tombstones=("A00009", "A00010"),
    rows=tuple(
        (
            f"A{number:05}L8",
            "" if number % 2 else f"Full {number * number}",
            "OFFS" if number < 30 else "LIBR",
            "OFFS" if number < 29 else "LIBR",
            "OFFS" if number < 28 else "LIBR",
            "LIBR",
            f"BOX{number // 4:03}" if number < 30 else "",
            "",
            "M",
            f"cluster{number % 3}",
            "bkp1",
            "",
            f"2031-01-{number - 9:02}T20:{number:02}:07Z",
            f"2031-02-{number - 9:02}" if number < 37 else "",
            "no",
            "yes",
        )
        for number in range(10, 40)
    ),
    repositories_version=1,
    repositories=None,
    texts_kept=tuple(f"A{number:05}L8" for number in range(11, 40, 2)),
    entry=9,
    ledger=bytes(range(8, 40)),
)
SCOPES = ScopeList(EPOCH, (ScopeFigures(SCOPE, "Tapes", 45, 30, 1),))
STATS = ScopeStats(1795428900, 30, 2345, (("LIBR", 10), ("OFFS", 20)), (("M", 30),))
EARLIER = Earlier(12, 2)
MISSING = Missing(3, (bytes(16),))


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
        ("client", "RUN", lambda: client.send_run(RunWord(RunStep.BEGIN, BATCH.run, bytes(range(16))))[1]),
        ("client", "SYNC", lambda: client.send_sync(Sync(SCOPE, Cursor()))[1]),
        ("server", "AUTH_OK", server.answer_login),
        ("server", "RUN_OK", lambda: server.send_lease(1, LEASE)),
        ("server", "PAGE", lambda: server.send_page(2, PAGE)),
        ("client", "APPLY", lambda: client.send_apply(encode_apply(BATCH))[1]),
        ("server", "APPLY_OK", lambda: server.send_outcome(3, OUTCOME)),
        ("client", "SYNC", lambda: client.send_sync(Sync(SCOPE, PAGE.cursor, 1))[1]),
        ("server", "PAGE", lambda: server.send_page(4, DELTA)),
        ("client", "SCOPES", lambda: client.send_scopes()[1]),
        ("server", "SCOPES_OK", lambda: server.send_scopes(5, SCOPES)),
        ("client", "STATS", lambda: client.send_stats(SCOPE)[1]),
        ("server", "STATS_OK", lambda: server.send_stats(6, STATS)),
        ("client", "LEDGER", lambda: client.send_ledger(MovedAsked(SCOPE, BATCH.source, BATCH.run))[1]),
        ("server", "LEDGER_OK", lambda: server.send_ledger(7, EARLIER)),
        ("client", "LEDGER", lambda: client.send_ledger(RecordedAsked(SCOPE, (BATCH.id, bytes(16))))[1]),
        ("server", "LEDGER_OK", lambda: server.send_ledger(8, MISSING)),
        ("client", "PING", lambda: client.send_ping(b"tape")[1]),
        ("server", "PONG", lambda: server.send_pong(9, b"tape")),
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
        while means == "AUTH_OK" and (behind := server.next_events()):
            events += [repr(event) for event in behind]
    bodies = [encode_page(page).hex() for page in (PAGE, DELTA)]
    return {**given, "pages": bodies, "handshake_hash_id": client.log_id, "said": said, "events": events}


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
        "RUN",
        "SYNC",
        "AUTH_OK",
        "RUN_OK",
        "PAGE",
        "APPLY",
        "APPLY_OK",
        "SYNC",
        "PAGE",
        "SCOPES",
        "SCOPES_OK",
        "STATS",
        "STATS_OK",
        "LEDGER",
        "LEDGER_OK",
        "LEDGER",
        "LEDGER_OK",
        "PING",
        "PONG",
        "BYE",
    ]
    assert len(recorded["events"]) == len(meant)
    assert repr(seen.PageReceived(2, PAGE, last=True)) in recorded["events"]
    assert repr(seen.PageReceived(4, DELTA, last=True)) in recorded["events"]
    assert repr(seen.LeaseReceived(1, LEASE)) in recorded["events"]
    assert repr(seen.LedgerReceived(7, EARLIER)) in recorded["events"]
    assert repr(seen.LedgerReceived(8, MISSING)) in recorded["events"]
    assert any(repr(BATCH) in event for event in recorded["events"])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for number, name in NAMES.items():
        (FOLDER / name).write_text(json.dumps(record(number), indent=1) + "\n")
