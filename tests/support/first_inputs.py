"""What fuzzing the protocol begins with: what both ends really say to each other, and what must be refused.

The same at every call. Each input is as the harness of its name takes it (tests/support/harnesses_*.py).
"""

from __future__ import annotations

from collections.abc import Callable

from mailsync.core.cursor import Cursor, Page
from mailsync.core.guard import Earlier
from mailsync.core.model import Repository, RepositoryId, parse_scope
from mailsync.core.outcome import Batch, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import ledger, limits, messages, scram, verifiers
from mailsync.wire.batches import encode_apply, encode_outcome
from mailsync.wire.columns import encode_derived, encode_relative, encode_table
from mailsync.wire.compression import Method, compress
from mailsync.wire.encodings import encode_numbers, encode_texts, encode_values
from mailsync.wire.figures import ScopeFigures, ScopeList, ScopeStats, encode_scopes, encode_stats
from mailsync.wire.forms import Form
from mailsync.wire.keys import (
    format_client_key,
    format_ring,
    format_token,
    new_client_key,
    new_ring,
    new_token,
    with_key,
)
from mailsync.wire.pages import encode_page
from mailsync.wire.passwords import DEFAULT, FIPS, MD5, OF_TOKENS, Kdf
from mailsync.wire.runs import RunLease, RunStep, RunWord, encode_lease, encode_run

SCOPE = parse_scope("US01.LTO")
assert SCOPE is not None
EPOCH, MARK = bytes(range(200, 216)), bytes(range(8))
PLACES = (
    Repository(RepositoryId("LIBR"), "Library", "Library"),
    Repository(RepositoryId("OFFS"), "", "V", offsite=True),
)
RING = new_ring(bytes(range(32)))
KEY = new_client_key(RING, "site-1", bytes(range(32, 64)))
TOKEN = new_token("filter", bytes(range(64, 96)))


def _row(number: int, **fields: str) -> tuple[str, ...]:
    plain = {"description": f"Weekly {number % 3}", "repository": "LIBR", "current": "LIBR", "confirmed": "LIBR"}
    day = f"2031-05-{number % 28 + 1:02}"
    plain |= {"home": "OFFS", "container": "", "slot": str(number), "flags": "", "cluster": "daily" * (number % 2)}
    plain |= {"system": "", "move": day * (number % 5 == 0), "written": f"{day}T06:30:0{number % 10}Z", "expires": day}
    plain |= {"scratch": "no", "encrypted": "yes" if number % 2 else ""}
    return (f"A{number:05}L8", *(plain | fields).values())


ROWS = tuple(map(_row, range(30)))
KEPT = tuple(_row(number, description="") for number in range(3))
EMPTY_PAGE = Page(
    reset=False,
    more=False,
    cursor=Cursor(EPOCH, 9, 0, 9, MARK, 9),
    tombstones=(),
    rows=(),
    repositories_version=2,
    repositories=None,
    entry=3,
    ledger=MARK * 4,
)
PAGES = (
    EMPTY_PAGE,
    EMPTY_PAGE._replace(rows=ROWS[:1], tombstones=("B00001", "B00002")),
    EMPTY_PAGE._replace(
        reset=True, more=True, rows=ROWS, repositories=PLACES, cursor=Cursor(EPOCH, 9, 90, 0, MARK, 90)
    ),
    EMPTY_PAGE._replace(rows=(*KEPT, *ROWS[3:5]), texts_kept=tuple(row[0] for row in KEPT)),
    EMPTY_PAGE._replace(rows=(_row(1, repository="Ö", move="unknown"), _row(2, written="", expires="2031-05-04"))),
)
MOVES = tuple(Operation(Change.UPDATE, f"A{n:05}L8", ("repository",), ("OFFS",), 0, n + 1, n + 2) for n in range(12))
CREATE = Operation(Change.CREATE, "N1", ("description", "expiry_date"), ("new", "2031-05-04"), 1, 3, 4)
CONFIRM = Operation(Change.CONFIRM, "A00003L8", ("confirmed_repository",), ("LIBR",), 1, 5, 5)
EMPTY_BATCH = Batch(
    id=b"b" * 16,
    run=b"r" * 32,
    plan=b"p" * 32,
    scope=SCOPE,
    epoch=EPOCH,
    base=9,
    source="",
    asof=0,
    sources=(),
    operations=(),
)
SOURCES = (("<1@example.com>", "a.csv"), ("<1@example.com>", "b.zip!/c.csv"))
BATCHES = (
    EMPTY_BATCH,
    EMPTY_BATCH._replace(source="nightly/csv", asof=1795428900, sources=SOURCES[:1], operations=MOVES),
    EMPTY_BATCH._replace(sources=SOURCES, operations=(MOVES[0], CREATE, MOVES[1], CONFIRM)),
)
_NO = RowResult(Result.CONFLICT, "changed since the plan was made")
OUTCOMES = (
    Outcome(b"b" * 16, 9, 9, (), entry=3, ledger=b"h" * 32),
    Outcome(b"b" * 16, 10, 21, (*[RowResult(Result.OK)] * 11, _NO), replayed=True, entry=4, ledger=b"h" * 32),
)
LEASES = (
    RunLease("yours"),
    RunLease("yours", ((SCOPE, b"b" * 16),), ("operator",), 3, b"h" * 32),
    RunLease("done", ((SCOPE, b"b" * 16),) * 2, ("operator", "team")),
)
WORDS = tuple(RunWord(step, b"r" * 32, b"h" * 16, "team" * (step is RunStep.REPLIED)) for step in RunStep)
SCOPES = ScopeList(EPOCH, (ScopeFigures(SCOPE, "Tapes", 4, 1, 2),), more=True)
STATS = ScopeStats(1795428900, 3, 170, (("LIBR", 2), ("OFFS", 1)), (("M", 1),))
FIRST = scram.GS2 + scram.client_first("filter", b"n" * 18)
VERIFIER = scram.make_verifier(TOKEN.secret, b"s" * 16)
CHALLENGE = scram.server_first("bm9u", b"m" * 18, VERIFIER)
SYNC = messages.Sync(SCOPE, Cursor(EPOCH, 3, 0, 3, MARK, 3), 2, rows=8, pages=2)
QUESTIONS = (
    ledger.MovedAsked(SCOPE, "nightly/nightly-csv", WORDS[0].run),
    ledger.RecordedAsked(SCOPE, (b"1" * 16, b"2" * 16)),
)
RECALLED = (Earlier(190, 10), ledger.Missing(7, (b"2" * 16,)))
CONTROL = (
    (0, messages.encode_hello(messages.Hello((1, 1), ("zstd", "deflate"), "mailsync", "token", FIRST))),
    (1, messages.encode_hello_ok(messages.HelloOk(1, "zstd", CHALLENGE))),
    (1, messages.encode_hello_ok(messages.HelloOk(1, "deflate", CHALLENGE, Kdf("argon2id", 3, 65_536, 1, MD5)))),
    (2, messages.encode_auth(messages.Auth("c=bm8=,r=bm9u,p=bm8="))),
    (3, messages.encode_auth_ok(messages.AuthOk("v=bm8=", "filter"))),
    (4, messages.encode_sync(SYNC)),
    (4, messages.encode_sync(messages.Sync(SCOPE, Cursor()))),
    (5, b"{}"),
    (5, messages.encode_scopes_asked(messages.Scopes("US01.LTO"))),
    (6, messages.encode_stats_asked(messages.Stats(SCOPE))),
    (7, messages.encode_cancel(messages.Cancel(7))),
    (8, messages.encode_failure(messages.Failure(502, "later", 5000))),
    (8, messages.encode_failure(messages.Failure(604, "another", 0, OUTCOMES[1]))),
    (9, messages.encode_bye(messages.Bye("done"))),
    (10, verifiers.encode_set_verifier(verifiers.SetVerifier(VERIFIER._replace(kdf=DEFAULT)))),
    (10, verifiers.encode_set_verifier(verifiers.SetVerifier(VERIFIER._replace(kdf=FIPS)))),
    (5, b'{"after":"x","more":[1.5,-2,1e9,null,true,{"a":"\\u00e9\\ud83d\\ude00"}]}'),
)


_REFUSED = (
    (5, b'{"after":"x","after":"y"}'),
    (5, b'{"after":"x","b":' + b"[" * 9 + b"]" * 9 + b"}"),
    (5, b'{"after":"x","b":NaN}'),
    (9, b'{"reason":"\\ud800"}'),
    (7, b'{"request":9007199254740992}'),
    (7, b'{"request":-1}'),
)


def _pages() -> list[bytes]:
    head = encode_page(EMPTY_PAGE)[: -2 * len(encode_table(0, {0: encode_texts([])}))]
    tables = [encode_table(count, {0: encode_texts(["A1"] * count)}) for count in range(3)]
    twins = [head + tables[rows] + tables[gone] for rows, gone in ((2, 0), (0, 2), (1, 1))]
    return [*map(encode_page, PAGES), *twins]


def _batches() -> list[bytes]:
    one, two = (encode_table(n, {0: encode_texts(["m"] * n), 1: encode_texts(["a"] * n)}) for n in (1, 2))
    wide = encode_apply(BATCHES[2]._replace(sources=(("m", "a"),) * 2))
    order = encode_table(4, {0: encode_numbers([0, 1, 0, 2])})
    assert wide.endswith(order)
    other = [encode_table(4, {0: encode_numbers(said)}) for said in ([0, 1, 1, 2], [0, 1, 0, 3])]
    refused = [wide.replace(two, one), *(wide.removesuffix(order) + said for said in other)]
    outcomes = [b"\1" + encode_outcome(one) for one in OUTCOMES]
    return [b"\0" + body for body in (*map(encode_apply, BATCHES), *refused)] + outcomes


def _columns() -> list[bytes]:
    texts = [row[0] for row in ROWS]
    times, days = [row[12] for row in ROWS], [row[13] for row in ROWS]
    derived = encode_derived(["X", *texts[1:]], 0, texts)
    assert derived is not None
    tables = [
        {0: encode_texts(texts), 6: encode_values([None, *texts[1:]])},
        {0: encode_texts(texts), 5: derived},
        {1: encode_numbers([7] * 10 + [9] * 20), 2: encode_relative(range(30), 1, [7] * 10 + [9] * 20)},
        {12: encode_texts(times, Form.TIME), 13: encode_texts(days, Form.DATE), 1: encode_texts(["x", "y", "z"] * 10)},
        {11: encode_texts(["", *days[1:]], Form.DATE), 13: encode_relative([None, *range(29)], 11, [0] * 30)},
        {0: encode_texts([f"{text} {'é' * number}" for number, text in enumerate(texts)])},
    ]
    backward = {0: derived, 5: encode_texts(texts)}
    long = encode_texts(["x" * 600] * limits.PAGE_ROWS)
    return [
        *(bytes((number % 4,)) + encode_table(30, table) for number, table in enumerate(tables, 1)),
        b"\3" + encode_table(limits.PAGE_ROWS, dict.fromkeys(range(4), long)),
        b"\1" + encode_table(30, backward),
    ]


def _compressed() -> list[bytes]:
    body = encode_page(PAGES[2])
    packed = [(method, compress(method, body)[1]) for method in Method]
    return [
        b"\x41\x00\x00\x02abc",
        b"\x42\x00\x00\x0aabc",
        b"\x82\x00\x00\x0aabc",
        *(bytes((method,)) + len(body).to_bytes(3, "big") + data for method, data in packed),
        *(bytes((method,)) + len(body).to_bytes(3, "big") + data + b"more" for method, data in packed),
        *(bytes((method,)) + (len(body) - 1).to_bytes(3, "big") + data for method, data in packed),
    ]


def _secrets() -> list[bytes]:
    files = (format_client_key(KEY), format_ring(with_key(RING, KEY)), format_token(TOKEN))
    return [bytes((number,)) + b"# a file\n\n" * number + text.encode() for number, text in enumerate(files)]


def _figures() -> list[bytes]:
    bodies = [(0, encode_run(word)) for word in WORDS] + [(1, encode_lease(lease)) for lease in LEASES]
    bodies += [(2, encode_scopes(SCOPES)), (3, encode_stats(STATS))]
    bodies += [(4, ledger.encode_question(one)) for one in QUESTIONS]
    bodies += [(5, ledger.encode_answer(one)) for one in RECALLED]
    return [bytes((number,)) + body for number, body in bodies]


def _stock(words: int) -> list[bytes]:
    """Each word of the stock in each state, as it is, then damaged and compressed; and what is no message at all."""
    alone = [bytes((state, state, 1, word, 0, 0)) for state in range(4) for word in range(words)]
    damaged = [bytes((3, 9, 1, word, 0x41, 0, 0, 9, 1, 1, 1, (word + 1) % words, 0, 0)) for word in range(words)]
    logged_in = [bytes((1, 5, 1, 0, 0, 0, 1, word, 0, 0, 1, (word + 5) % words, 1, 0)) for word in range(words)]
    odd = [
        b"\0\0\3\xff",
        b"\3\0\2\0\x10" + bytes(16),
        b"\3\7\3\4\0\2ab",
        b"\3\1\4\x22\0\0x\x10\0",
        b"\1\1\4\x40\0\0x\1\0",
    ]
    # A letter of a signature, and of a proof, is another.
    forged = [
        bytes((state, 5, 1, 0, 0x40, 0, 0, at, 4, letter)) for state, at in ((2, 14), (1, 140)) for letter in b"AB"
    ]
    return [*alone, *damaged, *logged_in, *odd, *forged]


def _greetings() -> list[bytes]:
    """A hello; a hello_ok to a token and to a password (3), one with a short salt, ones that protect it badly."""
    said = [b"\0" + body for _, body in CONTROL[:2]]
    for first, salt, kdf in (
        (1, b"s" * 16, OF_TOKENS),
        (3, b"s" * 16, DEFAULT),
        (3, b"s" * 16, FIPS),
        (3, b"s" * 15, DEFAULT),
        (3, b"s" * 16, DEFAULT._replace(memory=1024)),
        (3, b"s" * 16, Kdf("pbkdf2", 1000)),
        (1, b"s" * 16, DEFAULT),
        (3, b"s" * 16, OF_TOKENS),
    ):
        challenge = scram.server_first("AQEB" * 6, b"m" * 18, VERIFIER._replace(salt=salt, kdf=kdf))
        said.append(bytes((first,)) + messages.encode_hello_ok(messages.HelloOk(1, "deflate", challenge, kdf)))
    return said


def _requests() -> list[bytes]:
    """Every kind of request; batches that move, create, confirm, are sent twice, or come too late; and noise."""
    move, create, confirm = b"\0\0\1\1", b"\x08\1\1\1", b"\2\2\0\1"
    box = b"\1\0\3\x0b"
    batch = b"\0\0\0\0\4"
    many = [b"\0" + batch + b"\3" + move + create + confirm, b"\0\1\1\0\x0c\1" + move, b"\0\2\1\3\4\2" + box + move]
    kinds = [bytes((0, what)) + bytes((1, 2, 3)) for what in range(6, 15)]
    pages = [b"\0\6\3\0", b"\0\7\3\4\7\3\1", b"\0\6\3\0\x0e\1"]
    odd = [b"\0\x0f\2\0\x14" + bytes(20), b"\0\x0f\0\x2f\0\0\0\1x\x0f\3\5abcde", b"\3" + many[0] + b"\xc0\x41\0\1"]
    return [
        b"\0" + b"".join(many),
        b"\0" + many[0] * 2,
        b"\0" + many[0] + b"\1" + batch + b"\0",
        *kinds,
        *pages,
        *odd,
    ] + [b"\0" + one for one in many]


def _answers() -> list[bytes]:
    """Every call with each honest answer, with damaged ones, and with errors; then many calls of one link."""
    calls = range(7)
    honest = [bytes((0, call, 0, what, 0) * 1) + bytes((0, what, 0)) * 4 for call in calls for what in range(5)]
    damaged = [bytes((0, call, 1, 2, 0x42, 0, 40, 1, 9, 1, 0)) for call in calls]
    errors = [bytes((0, call, 0, 180 + 5 * call, 0)) for call in calls]
    return [*honest, *damaged, *errors, bytes((5, 0, 1, 2, 3, 4, 5)) + bytes((0, 2, 0)) * 20, b"\0\0\0\xf0\0\3\4abcd"]


def _volumes() -> list[bytes]:
    plain = "customer,media,volume,repository,description\nUS01,LTO,A1,OFFS,one\nUS01,LTO,N1,RACK,\n"
    rich = "volume,customer,media,move_date,write_time,scratch,container,attribute_7\r\n"
    rich += 'A2,US01,LTO,2031-05-04,2031-05-04T09:30:00Z,yes,US01.BOX.B1,"a ""b"", c"\r\n"N2","FR01",LTO,,,,,\r\n'
    odd = "customer;media;volume\nUS01;LTO;A1\n", '\ufeffcustomer,media,volume\nUS01,LTO,"A1\n', "Volume,media\nx,y\n"
    return [bytes((at % 2,)) + text.encode() for at, text in enumerate((plain, rich, plain, *odd))]


FIRST_INPUTS: dict[str, Callable[[], list[bytes]]] = {
    "columns": _columns,
    "pages": _pages,
    "batches": _batches,
    "figures": _figures,
    "control": lambda: [bytes((number,)) + body for number, body in (*CONTROL, *_REFUSED)],
    "compressed": _compressed,
    "secrets": _secrets,
    "server_frames": lambda: _stock(17),
    "client_frames": lambda: _stock(20),
    "greetings": _greetings,
    "server": _requests,
    "volumes": _volumes,
    "client": _answers,
}


def first_inputs(name: str) -> list[bytes]:
    """What a harness begins with; none for those of reports, which begin with what is kept."""
    return FIRST_INPUTS[name]() if name in FIRST_INPUTS else []
