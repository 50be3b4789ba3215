"""Pages, batches, outcomes and the small JSON bodies: round trips, truncation, arbitrary bytes, limits."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.cursor import Cursor, Page
from mailsync.core.fields import FIELD_NAMES, VOLUME_FIELDS
from mailsync.core.guard import Earlier
from mailsync.core.model import CustomerId, MediaId, Repository, RepositoryId, Scope
from mailsync.core.outcome import Batch, Carried, Change, Operation, Outcome, Result, RowResult
from mailsync.wire import batches, columns, encodings, figures, ledger, limits, messages, pages, runs
from mailsync.wire.errors import Code, LocalProtocolError, RemoteProtocolError
from mailsync.wire.passwords import Kdf

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
NUMBER = st.integers(0, limits.VERSION)
EPOCH = st.binary(min_size=16, max_size=16)
ID32 = st.binary(min_size=32, max_size=32)
SHORT_ID = st.from_regex(r"[A-Za-z0-9]{1,4}", fullmatch=True)
SCOPE = st.builds(Scope, SHORT_ID.map(CustomerId), SHORT_ID.map(MediaId))
MARK = st.binary(min_size=8, max_size=8)
CURSOR = st.builds(Cursor, EPOCH, NUMBER, NUMBER, NUMBER, MARK, NUMBER)
REST = st.binary(min_size=24, max_size=24)
COLUMNS = ("volume", *FIELD_NAMES)
PLACES = ("repository", "current_repository", "confirmed_repository", "home_repository")
PLACE = st.sampled_from(["LIBR", "OFFS", ""])
DATE = st.dates().map(str)
TIME = st.datetimes().map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"))
SERIAL = st.integers(0, 999).map(lambda number: f"BOX{number:05}")
CELL = TEXT | PLACE | DATE | TIME | SERIAL
ROW = st.tuples(*[CELL] * (1 + len(VOLUME_FIELDS)))
ALIKE = 40
LEANING = [
    COLUMNS.index(name) for name in ("current_repository", "confirmed_repository", "home_repository", "expiry_date")
]
OTHERS = st.integers(1, len(COLUMNS) - 1)
ANY_ROWS = st.lists(ROW, max_size=8, unique_by=lambda row: row[0])
REPOSITORY = st.builds(Repository, SHORT_ID.map(RepositoryId), TEXT, TEXT, st.booleans())
TABLE = st.lists(REPOSITORY, max_size=4).map(tuple)


@st.composite
def alike(draw):
    """Rows mostly alike, as a library's are, so that columns lean on others; and what sets some apart."""
    usual = dict(zip(COLUMNS, draw(ROW), strict=True)) | dict.fromkeys(PLACES, draw(PLACE))
    rows = []
    for number in range(ALIKE):
        written, expires = (date(2031, 1, 1) + timedelta(days=number + later) for later in (0, 30))
        dates = {"write_time": f"{written}T20:30:00Z", "expiry_date": str(expires)}
        rows.append([*(usual | {"volume": f"A{number:05}"} | dates).values()])
    for column in draw(st.sets(st.sampled_from(LEANING), min_size=1)) | draw(st.sets(OTHERS, max_size=2)):
        for row, value in draw(st.dictionaries(st.integers(0, ALIKE - 1), CELL, max_size=5)).items():
            rows[row][column] = value
    return [tuple(row) for row in rows]


@st.composite
def page(draw, rows=ANY_ROWS):
    reset, rows = draw(st.booleans()), draw(rows)
    kept = draw(st.sets(st.sampled_from([row[0] for row in rows]))) if rows else set()
    rows = [(name, "" if name in kept else text, *others) for name, text, *others in rows]
    named = {row[0] for row in rows}
    cursor = draw(CURSOR)
    return Page(
        reset=reset,
        more=draw(st.booleans()),
        cursor=cursor,
        tombstones=tuple(one for one in draw(st.lists(TEXT, max_size=5, unique=True)) if one not in named),
        rows=tuple(rows),
        repositories_version=draw(NUMBER),
        repositories=draw(TABLE if reset else st.none() | TABLE),
        texts_kept=tuple(row[0] for row in rows if row[0] in kept),
        entry=draw(NUMBER),
        ledger=cursor.mark + draw(REST),
    )


@st.composite
def operation(draw, sources):
    fields = tuple(draw(st.lists(st.sampled_from(FIELD_NAMES), unique=True, max_size=3)))
    values = tuple(draw(TEXT) for _ in fields)
    change = draw(st.sampled_from(list(Change)))
    return Operation(change, draw(TEXT), fields, values, draw(st.integers(0, sources - 1)), draw(NUMBER), draw(NUMBER))


@st.composite
def batch(draw):
    sources = tuple(draw(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3)))
    return Batch(
        id=draw(EPOCH),
        run=draw(ID32),
        plan=draw(ID32),
        scope=draw(SCOPE),
        epoch=draw(EPOCH),
        base=draw(NUMBER),
        source=draw(TEXT),
        asof=draw(NUMBER),
        sources=sources,
        operations=tuple(draw(st.lists(operation(len(sources)), max_size=12))),
    )


RESULT = st.builds(RowResult, st.sampled_from(list(Result)), TEXT)
RESULTS = st.lists(RESULT, max_size=9).map(tuple)
# One that was overtaken travels as an ERROR.
BARCODES = st.from_regex(r"[A-Z]{2}01\.LTO\.[A-Z0-9]{2,10}", fullmatch=True)


@st.composite
def outcomes(draw):
    """Outcomes, of which some operations took volumes along."""
    results = draw(RESULTS)
    along = st.builds(Carried, st.integers(0, max(0, len(results) - 1)), BARCODES)
    carried = tuple(draw(st.lists(along, max_size=5 if results else 0)))
    return Outcome(
        draw(EPOCH), draw(NUMBER), draw(NUMBER), results, draw(st.booleans()), entry=draw(NUMBER), ledger=draw(ID32),
        carried=carried,
    )  # fmt: skip


OUTCOME = outcomes()
SYNC = st.builds(messages.Sync, SCOPE, CURSOR, NUMBER, st.integers(1, limits.PAGE_ROWS), st.integers(1, limits.PAGES))
FAILURE = st.builds(messages.Failure, st.integers(0, 999), TEXT, NUMBER, st.none() | OUTCOME)

KDF = st.builds(Kdf, TEXT, NUMBER, NUMBER, NUMBER, TEXT)
AUDIENCE = TEXT.filter(bool)
WORD = st.builds(
    runs.RunWord,
    st.sampled_from([step for step in runs.RunStep if step is not runs.RunStep.REPLIED]),
    ID32,
    EPOCH,
    st.just(""),
)
LEASE = st.builds(
    runs.RunLease,
    st.sampled_from(runs.STATES),
    st.lists(st.tuples(SCOPE, EPOCH), max_size=4).map(tuple),
    st.lists(TEXT, max_size=3).map(tuple),
    st.just(0),
    st.just(b""),
)
LEASE |= st.builds(lambda lease, entry, ledger: lease._replace(entry=entry, ledger=ledger), LEASE, NUMBER, ID32)
FIGURES = st.builds(figures.ScopeFigures, SCOPE, TEXT, NUMBER, NUMBER, NUMBER)
COUNTS = st.lists(st.tuples(TEXT, NUMBER), max_size=4).map(tuple)

CODECS = {
    "page": (page(), pages.encode_page, pages.decode_page),
    "batch": (batch(), batches.encode_apply, batches.decode_apply),
    "outcome": (OUTCOME, batches.encode_outcome, batches.decode_outcome),
    "sync": (SYNC, messages.encode_sync, messages.decode_sync),
    "run": (WORD, runs.encode_run, runs.decode_run),
    "replied": (
        st.builds(runs.RunWord, st.just(runs.RunStep.REPLIED), ID32, EPOCH, AUDIENCE),
        runs.encode_run,
        runs.decode_run,
    ),
    "moved": (st.builds(ledger.MovedAsked, SCOPE, TEXT, ID32), ledger.encode_question, ledger.decode_question),
    "recorded": (
        st.builds(ledger.RecordedAsked, SCOPE, st.lists(EPOCH, max_size=4).map(tuple)),
        ledger.encode_question,
        ledger.decode_question,
    ),
    "earlier": (st.builds(Earlier, NUMBER, NUMBER), ledger.encode_answer, ledger.decode_answer),
    "missing": (
        st.builds(ledger.Missing, NUMBER, st.lists(EPOCH, max_size=4).map(tuple)),
        ledger.encode_answer,
        ledger.decode_answer,
    ),
    "lease": (LEASE, runs.encode_lease, runs.decode_lease),
    "scopes": (
        st.builds(figures.ScopeList, EPOCH, st.lists(FIGURES, max_size=5).map(tuple), st.booleans()),
        figures.encode_scopes,
        figures.decode_scopes,
    ),
    "stats": (
        st.builds(figures.ScopeStats, NUMBER, NUMBER, NUMBER, COUNTS, COUNTS),
        figures.encode_stats,
        figures.decode_stats,
    ),
    "scopes_asked": (st.builds(messages.Scopes, TEXT), messages.encode_scopes_asked, messages.decode_scopes_asked),
    "stats_asked": (st.builds(messages.Stats, SCOPE), messages.encode_stats_asked, messages.decode_stats_asked),
    "cancel": (st.builds(messages.Cancel, NUMBER), messages.encode_cancel, messages.decode_cancel),
    "error": (FAILURE, messages.encode_failure, messages.decode_failure),
    "bye": (st.builds(messages.Bye, TEXT), messages.encode_bye, messages.decode_bye),
    "auth": (st.builds(messages.Auth, TEXT), messages.encode_auth, messages.decode_auth),
    "auth_ok": (st.builds(messages.AuthOk, TEXT, TEXT), messages.encode_auth_ok, messages.decode_auth_ok),
    "hello": (
        st.builds(messages.Hello, st.tuples(NUMBER, NUMBER), st.lists(TEXT, max_size=3).map(tuple), TEXT, TEXT, TEXT),
        messages.encode_hello,
        messages.decode_hello,
    ),
    "hello_ok": (
        st.builds(messages.HelloOk, NUMBER, TEXT, TEXT, KDF),
        messages.encode_hello_ok,
        messages.decode_hello_ok,
    ),
}
codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@codecs
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_what_is_encoded_comes_back(codec, data):
    values, encode, decode = codec
    value = data.draw(values)
    assert decode(encode(value)) == value
    assert encode(value) == encode(decode(encode(value)))


@settings(deadline=None, max_examples=60)
@given(page(alike()))
def test_rows_that_are_mostly_alike_come_back(value):
    assert pages.decode_page(pages.encode_page(value)) == value


@codecs
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_every_truncation_is_refused(codec, data):
    values, encode, decode = codec
    body = encode(data.draw(values))
    for length in range(len(body)):
        with pytest.raises(RemoteProtocolError):
            decode(body[:length])


@codecs
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_whatever_follows_is_refused(codec, data):
    values, encode, decode = codec
    with pytest.raises(RemoteProtocolError):
        decode(encode(data.draw(values)) + b"\1")


@codecs
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_changed_bytes_are_another_value_or_refused(codec, data):
    values, encode, decode = codec
    body = bytearray(encode(data.draw(values)))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(body))
    except RemoteProtocolError:
        return


@codecs
@settings(deadline=None, max_examples=40)
@given(body=st.binary(max_size=80))
def test_any_bytes_are_a_body_or_refused(codec, body):
    try:
        codec[2](body)
    except RemoteProtocolError:
        return


SOME_SCOPE = Scope(CustomerId("US01"), MediaId("LTO"))
SOME_CURSOR = Cursor(bytes(16), 7, 0, 7, bytes(8), 7)
SOME_PAGE = Page(False, False, SOME_CURSOR, (), (), 1, None, ledger=bytes(32))  # noqa: FBT003 - no, and no
MOVE = Operation(Change.UPDATE, "A00001", ("repository",), ("OFFS",), 0, 1, 1)
BATCH = Batch(
    bytes(16),
    bytes(32),
    bytes(32),
    SOME_SCOPE,
    bytes(16),
    7,
    "nightly/csv",
    1,
    (("<m@example.com>", "a.csv"),),
    (MOVE,),
)
BLANK = ("",) * len(VOLUME_FIELDS)


def rows(count):
    return tuple((f"V{n:05}", *BLANK) for n in range(count))


def test_a_page_has_at_most_8192_rows_and_tombstones():
    most = Page(
        reset=False,
        more=False,
        cursor=SOME_CURSOR,
        tombstones=("GONE01",),
        rows=rows(limits.PAGE_ROWS - 1),
        repositories_version=1,
        repositories=None,
        ledger=bytes(32),
    )
    assert pages.decode_page(pages.encode_page(most)) == most
    with pytest.raises(LocalProtocolError):
        pages.encode_page(most._replace(rows=rows(limits.PAGE_ROWS)))
    one, two = (columns.encode_table(count, {0: encodings.encode_texts(["GONE01"])}) for count in (1, 2))
    with pytest.raises(RemoteProtocolError) as caught:
        pages.decode_page(pages.encode_page(most).removesuffix(one) + two)
    assert caught.value.code is Code.TOO_LARGE


def test_a_page_that_resets_has_the_repositories():
    page = Page(
        reset=True,
        more=False,
        cursor=SOME_CURSOR,
        tombstones=(),
        rows=(),
        repositories_version=1,
        repositories=None,
        ledger=bytes(32),
    )
    with pytest.raises(LocalProtocolError):
        pages.encode_page(page)
    body = bytearray(pages.encode_page(page._replace(reset=False)))
    body[1] |= 1
    with pytest.raises(RemoteProtocolError):
        pages.decode_page(bytes(body))


def test_a_row_has_a_value_for_each_field():
    with pytest.raises(LocalProtocolError):
        pages.encode_page(
            Page(
                reset=False,
                more=False,
                cursor=SOME_CURSOR,
                tombstones=(),
                rows=(("A1", "x"),),
                repositories_version=1,
                repositories=None,
                ledger=bytes(32),
            )
        )


def test_a_batch_has_at_most_10000_operations():
    most = BATCH._replace(operations=(MOVE,) * limits.BATCH_OPERATIONS)
    assert batches.decode_apply(batches.encode_apply(most)) == most
    with pytest.raises(LocalProtocolError):
        batches.encode_apply(most._replace(operations=(*most.operations, MOVE)))
    body = batches.encode_apply(most).replace((10_000).to_bytes(4, "big"), (10_001).to_bytes(4, "big"), 1)
    with pytest.raises(RemoteProtocolError) as caught:
        batches.decode_apply(body)
    assert caught.value.code is Code.TOO_LARGE


def test_groups_together_have_at_most_10000_operations():
    half = (MOVE,) * 5000 + (MOVE._replace(change=Change.CREATE),) * 5000
    body = batches.encode_apply(BATCH._replace(operations=half))
    one = body.index((5000).to_bytes(4, "big"))
    with pytest.raises(RemoteProtocolError) as caught:
        batches.decode_apply(body[:one] + (5001).to_bytes(4, "big") + body[one + 4 :])
    assert caught.value.code in (Code.TOO_LARGE, Code.MALFORMED)


@pytest.mark.parametrize(
    "broken",
    [
        BATCH._replace(id=bytes(15)),
        BATCH._replace(run=b""),
        BATCH._replace(epoch=b""),
        BATCH._replace(base=-1),
        BATCH._replace(sources=()),
        BATCH._replace(operations=(MOVE._replace(source=1),)),
        BATCH._replace(operations=(MOVE._replace(fields=("colour",)),)),
        BATCH._replace(operations=(MOVE._replace(values=()),)),
        BATCH._replace(operations=(MOVE._replace(fields=("slot", "slot"), values=("1", "2")),)),
        BATCH._replace(operations=(MOVE._replace(volume="A\0"),)),
        BATCH._replace(source="\udc80"),
    ],
)
def test_a_batch_that_cannot_travel_is_refused_here(broken):
    with pytest.raises(LocalProtocolError):
        batches.encode_apply(broken)


def group(*, change=b"\2", fields=b"\1\1", count=1, source=0):
    """The bytes of a group, which may be none of ours."""
    integers = {number: encodings.encode_numbers([source if number == 1 else 1] * count) for number in (1, 2, 3)}
    texts = {0: encodings.encode_texts(["A00001"] * count), 16: encodings.encode_texts(["OFFS"] * count)}
    return change + fields + columns.encode_table(count, texts | integers)


def order(*numbers):
    return columns.encode_table(len(numbers), {0: encodings.encode_numbers(numbers)})


HEAD = batches.encode_apply(BATCH._replace(operations=()))[:-2]


def test_the_groups_of_the_next_test_are_right_but_for_what_it_breaks():
    other = MOVE._replace(change=Change.CREATE)
    assert batches.decode_apply(HEAD + b"\0\1" + group()).operations == (MOVE,)
    both = HEAD + b"\0\2" + group() + group(change=b"\1") + order(1, 0)
    assert batches.decode_apply(both).operations == (other, MOVE)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\0\1" + group(change=b"\0"), "change 0"),
        (b"\0\1" + group(change=b"\4"), "change 4"),
        (b"\0\1" + group(fields=b"\1\x0f"), "unknown or repeated"),
        (b"\0\1" + group(fields=b"\2\1\1"), "unknown or repeated"),
        (b"\0\1" + group(fields=b"\2\1\2"), "column 17 is missing"),
        (b"\0\1" + group(count=0), "without operations"),
        (b"\0\1" + group(source=1), "none of the sources"),
        (b"\0\2" + group() + group(change=b"\1") + order(0, 2), "none of the groups"),
        (b"\0\2" + group() + group(change=b"\1") + order(0, 0), "each operation once"),
        (b"\0\2" + group() + group(change=b"\1") + order(0), "each operation once"),
    ],
)
def test_groups_that_do_not_add_up_are_refused(body, why):
    with pytest.raises(RemoteProtocolError, match=why):
        batches.decode_apply(HEAD + body)


def test_a_batch_for_no_scope_is_refused():
    body = batches.encode_apply(BATCH).replace(b"US01.LTO", b"US01/LTO")
    with pytest.raises(RemoteProtocolError, match="scope"):
        batches.decode_apply(body)


def test_an_outcome_is_replayed_or_not():
    body = bytearray(batches.encode_outcome(Outcome(bytes(16), 1, 1, (), ledger=bytes(32))))
    body[33] = 2
    with pytest.raises(RemoteProtocolError, match="replayed"):
        batches.decode_outcome(bytes(body))


def test_an_outcome_and_a_page_that_cannot_travel_are_refused_here():
    with pytest.raises(LocalProtocolError):
        batches.encode_outcome(Outcome(b"short", 1, 1, ()))
    repositories = (Repository(RepositoryId("LIBR")),) * (limits.REPOSITORIES + 1)
    page = Page(
        reset=False,
        more=False,
        cursor=SOME_CURSOR,
        tombstones=(),
        rows=(),
        repositories_version=1,
        repositories=repositories,
        ledger=bytes(32),
    )
    with pytest.raises(LocalProtocolError):
        pages.encode_page(page)


def test_the_same_batch_is_the_same_bytes_and_another_has_another_hash():
    other = BATCH._replace(operations=(MOVE._replace(line=2),))
    assert batches.encode_apply(BATCH) == batches.encode_apply(BATCH._replace())
    hashes = {batches.request_hash(batches.encode_apply(one)) for one in (BATCH, other)}
    assert len(hashes) == 2
    assert {len(one) for one in hashes} == {32}


def test_operations_keep_their_order_among_groups():
    mixed = tuple(
        MOVE._replace(
            volume=f"A{n:05}", change=list(Change)[n * n % 3], fields=("slot",) * (n % 2), values=("1",) * (n % 2)
        )
        for n in range(50)
    )
    assert batches.decode_apply(batches.encode_apply(BATCH._replace(operations=mixed))).operations == mixed


def sync(**changed):
    members = json.loads(messages.encode_sync(messages.Sync(SOME_SCOPE, SOME_CURSOR)))
    return json.dumps(members | changed).encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scope", "US01"),
        ("scope", "US01.LTO\n"),
        ("epoch", None),
        ("epoch", "00"),
        ("epoch", "AB" * 16),
        ("epoch", "no hex at all"),
        ("since", -1),
        ("since", 1.0),
        ("since", True),
        ("since", "1"),
        ("since", 2**53),
        ("snap", [1]),
        ("repositories", None),
    ],
)
def test_a_member_of_another_kind_is_refused(name, value):
    with pytest.raises(RemoteProtocolError):
        messages.decode_sync(sync(**{name: value}))


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("rows", 8193), ("pages", 0), ("pages", 5)])
def test_a_sync_asks_for_at_most_8192_rows_and_4_pages(name, value):
    with pytest.raises(RemoteProtocolError) as caught:
        messages.decode_sync(sync(**{name: value}))
    assert caught.value.code is Code.TOO_LARGE


def test_a_member_nobody_knows_is_ignored():
    found = messages.decode_sync(sync(colour="blue", nested={"a": [1, 2.5, None]}))
    assert found == messages.Sync(SOME_SCOPE, SOME_CURSOR)


def nested(depth):
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_body_is_at_most_8_deep():
    assert messages.decode_bye(json.dumps({"reason": "", "more": nested(7)}).encode()) == messages.Bye("")
    with pytest.raises(RemoteProtocolError, match="depth"):
        messages.decode_bye(json.dumps({"reason": "", "more": nested(8)}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b'{"reason":"a","reason":"b"}',
        b'{"reason":"a","x":{"y":1,"y":2}}',
        b'{"reason":"","x":NaN}',
        b'{"reason":"","x":-Infinity}',
        b'{"reason":"\xff"}',
        b'\xef\xbb\xbf{"reason":""}',
        b'{"reason":""',
        b'{"reason":"","x":' + b"1" * 5000 + b"}",
        b'{"reason":"","x":' + b"[" * 100_000,
        b'{"reason":"' + b"x" * (limits.TEXT + 1) + b'"}',
    ],
)
def test_a_body_that_is_no_object_of_this_protocol_is_refused(body):
    with pytest.raises(RemoteProtocolError):
        messages.decode_bye(body)


def test_a_control_body_has_at_most_a_mebibyte():
    with pytest.raises(RemoteProtocolError) as caught:
        messages.decode_bye(b" " * limits.CONTROL_BYTES + b"{}")
    assert caught.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("outcome", ["***", "AAA", "ä"])
def test_an_outcome_that_is_no_base64_is_refused(outcome):
    with pytest.raises(RemoteProtocolError, match="base64"):
        messages.decode_failure(json.dumps({"code": 604, "text": "", "outcome": outcome}).encode())


def test_a_lone_surrogate_does_not_leave():
    with pytest.raises(LocalProtocolError):
        messages.encode_bye(messages.Bye("\udcff"))


@pytest.mark.parametrize(
    ("encode", "value"),
    [
        (runs.encode_run, runs.RunWord(runs.RunStep.BEGIN, bytes(31), bytes(16))),
        (runs.encode_run, runs.RunWord(runs.RunStep.BEGIN, bytes(32), bytes(17))),
        (runs.encode_run, runs.RunWord(runs.RunStep.REPLIED, bytes(32), bytes(16))),
        (runs.encode_run, runs.RunWord(runs.RunStep.BEGIN, bytes(32), bytes(16), "operator")),
        (runs.encode_lease, runs.RunLease("mine")),
        (runs.encode_lease, runs.RunLease("yours", ((SOME_SCOPE, b"short"),))),
        (runs.encode_lease, runs.RunLease("yours", (), ("a",) * (limits.AUDIENCES + 1))),
        (figures.encode_scopes, figures.ScopeList(b"", ())),
        (figures.encode_stats, figures.ScopeStats(1, 1, 1, (("LIBR", 1),) * (limits.REPOSITORIES + 1), ())),
        (runs.encode_lease, runs.RunLease("yours", entry=1)),
        (runs.encode_lease, runs.RunLease("yours", entry=1, ledger=bytes(31))),
        (pages.encode_page, SOME_PAGE._replace(texts_kept=("A1",))),
        (pages.encode_page, SOME_PAGE._replace(ledger=b"")),
        (pages.encode_page, SOME_PAGE._replace(ledger=b"x" * 32)),
    ],
)
def test_what_breaks_a_rule_is_not_encoded(encode, value):
    with pytest.raises(LocalProtocolError):
        encode(value)


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (runs.decode_run, b"\2\1" + bytes(48)),
        (runs.decode_run, b"\1\6" + bytes(48)),
        (ledger.decode_question, b"\1\3\0\x08US01.LTO\0\0"),
        (ledger.decode_question, b"\2\2\0\x08US01.LTO\0\0"),
        (ledger.decode_question, b"\1\2\0\x08US01.LTO\xff\xff"),  # more than one may ask for
        (ledger.decode_answer, b"\1\2" + bytes(8) + b"\3\xe9" + bytes(16 * 1001)),
        (runs.decode_run, b"\1\3" + bytes(50)),  # an audience without a name
        (runs.decode_lease, b"\1\0" + bytes(4)),
        (runs.decode_lease, b"\1\4" + bytes(4)),
        (runs.decode_lease, b"\1\1" + b"\xff\xff"),
        (runs.decode_lease, b"\1\1\0\1" + bytes(16) + b"\0\4US01" + b"\0\0"),
        (figures.decode_scopes, b"\1\2" + bytes(21)),
        (figures.decode_stats, b"\2" + bytes(34)),
    ],
)
def test_what_breaks_a_rule_is_refused(decode, body):
    with pytest.raises(RemoteProtocolError):
        decode(body)


def test_attributes_are_fields_56_to_255_of_an_operation():
    names = ("description", "attribute_1", "attribute_200")
    operation = Operation(Change.UPDATE, "A00001", names, ("a", "b", "c"), 0, 1, 2)
    scope = Scope(CustomerId("US01"), MediaId("LTO"))
    batch = Batch(bytes(16), bytes(32), bytes(32), scope, bytes(16), 1, "", 1, (("m", "a.csv"),), (operation,))
    body = batches.encode_apply(batch)
    assert b"\2\3\x00\x38\xff" in body
    assert batches.decode_apply(body) == batch
    with pytest.raises(RemoteProtocolError, match="unknown or repeated"):
        batches.decode_apply(body.replace(b"\2\3\x00\x38\xff", b"\2\3\x00\x37\xff"))


def test_what_went_along_went_with_one_of_the_operations():
    one = Outcome(bytes(16), 1, 1, (RowResult(Result.OK),), ledger=bytes(32), carried=(Carried(1, "US01.LTO.A00001"),))
    with pytest.raises(RemoteProtocolError, match="none of the operations"):
        batches.decode_outcome(batches.encode_outcome(one))
    many = one._replace(carried=(Carried(0, "US01.LTO.A00001"),) * (limits.CARRIED + 1))
    with pytest.raises(LocalProtocolError, match="at most 10000"):
        batches.encode_outcome(many)
