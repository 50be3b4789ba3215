"""Vectors: single computations of docs/protocol.md, as files that another implementation can run.

columns.json   every encoding of a column, with its values; and columns that a reader must refuse
login.json     what a secret becomes under each kdf, and what a server keeps of it
frames.json    psk, padding, and the cipher on both sides of a rekey
names.json     run id, batch id, request hash and an entry of the ledger

Each is computed here from the inputs in the file, and columns, logins and frames by the second client as well, which
knows docs/protocol.md alone. Written anew, after a deliberate change of the protocol only, by
`PYTHONPATH=tests/support python tests/wire/test_vectors.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import second_bodies
import second_client
import second_login

from mailsync.core.identity import batch_id, run_id
from mailsync.core.model import RunId, parse_scope
from mailsync.server.chain import Entry, entry_hash
from mailsync.wire.batches import request_hash
from mailsync.wire.columns import RELATIVE, encode_derived, encode_relative, encode_table, read_table
from mailsync.wire.encodings import Column, encode_numbers, encode_texts, encode_values
from mailsync.wire.errors import RemoteProtocolError
from mailsync.wire.forms import Form
from mailsync.wire.frames import padded
from mailsync.wire.limits import REKEY_FRAMES
from mailsync.wire.noise import Cipher, derive_psk
from mailsync.wire.passwords import MD5, Kdf, salted_password
from mailsync.wire.reader import Reader
from mailsync.wire.scram import make_verifier, verifier_of

FOLDER = Path(__file__).parent / "vectors"
# The columns of a page that are dates and times; the others are texts.
FORMS = {11: Form.DATE, 12: Form.TIME, 13: Form.DATE}
NIGHTS = [f"2031-01-{day:02}" for day in range(1, 20)]
TIMES = [f"{night}T20:30:0{day % 7}Z" for day, night in enumerate(NIGHTS)]
REFUSED = {
    "a text more than there are rows": (2, 0, 2, b"A\0B\0C"),
    "a lone byte that is no UTF-8": (1, 0, 2, b"\xff"),
    "an index beyond the dictionary": (1, 0, 1, b"\0\1\2\0\0\0\1A\1"),
    "an integer width of three": (1, 11, 4, b"\3\0\0\0"),
    "a date after the year 9999": (1, 11, 4, b"\4\x7f\xff\xff\xff"),
    "bytes after the last value": (1, 11, 4, b"\1\0\0"),
    "a dictionary in a dictionary": (1, 0, 1, b"\0\1\1\0\0\0\1A\0"),
    "sixteen digits": (1, 0, 3, b"\0\1\0\0\0\1\0\x10\1\2"),
    "a relative to itself": (1, 11, 5, b"\x0b\4\1\0"),
    "an unknown encoding": (1, 0, 7, b""),
    "derived and nullable": (1, 0, 134, b"\0\0\0\0\0\2\0\0\0\0\1"),
}


def columns():
    """Columns by what they show: a table of one or two columns, and what the last of them says."""
    names = [f"A{number:05}L8" for number in range(9, 28)]
    sites = ["LIBR" if number % 3 else "OFFS" for number in range(19)]
    expiries = [f"2031-02-{day + 4:02}" for day in range(19)]
    some = ["" if number % 4 else night for number, night in enumerate(NIGHTS)]
    near = [*names[:-1], "Z"]
    relative = encode_relative(_days(expiries), 11, _days(NIGHTS))
    partly = [None if not text else number for text, number in zip(some, _days(expiries), strict=True)]
    derived = encode_derived(near, 0, names)
    assert relative.encoding == RELATIVE
    assert derived is not None
    return {
        "const": {0: encode_texts(["LIBR"] * 19)},
        "dictionary of texts": {0: encode_texts(sites)},
        "text": {0: encode_texts(["Grüße", "", "a,b", "\U0001f4fc"] + [f"x{chr(97 + one)}y" for one in range(15)])},
        "serial": {0: encode_texts(names)},
        "serial of several frames": {0: encode_texts([f"{'AB'[one % 2]}{one * 7:04}" for one in range(19)])},
        "dates as integers": {11: encode_texts(NIGHTS, Form.DATE)},
        "dates, some unset": {11: encode_texts(some, Form.DATE)},
        "times as integers": {12: encode_texts(TIMES, Form.TIME)},
        "not a canonical date": {11: encode_texts(["2031-1-5", *NIGHTS[1:]], Form.DATE)},
        "values, some none": {0: encode_values([None if one % 5 else f"kept {one}" for one in range(19)])},
        "relative": {11: encode_texts(NIGHTS, Form.DATE), 13: relative},
        "relative, some unset": {
            11: encode_texts(NIGHTS, Form.DATE),
            13: encode_relative(partly, 11, _days(NIGHTS)),
        },
        "derived": {0: encode_texts(names), 1: derived},
        "numbers": {20: encode_numbers([0, 1, 2**53 - 1, *range(16)])},
        "dictionary of numbers": {20: encode_numbers([2**40 + one % 2 for one in range(19)])},
    }


def _days(texts):
    return [second_bodies.counted(11, text) for text in texts]


def column_vectors():
    """Every encoding, and what must be refused."""
    found = []
    for name, made in columns().items():
        table = encode_table(19, made)
        number = list(made)[-1]
        values = read(table, number)
        found.append({"shows": name, "column": number, "table": table.hex(), "values": list(values)})
    refused = [
        {"shows": name, "column": number, "table": encode_table(rows, {number: Column(encoding, data)}).hex()}
        for name, (rows, number, encoding, data) in REFUSED.items()
    ]
    return {"read": found, "refused": refused}


def read(table, number):
    """The values of a column of a table, by this implementation."""
    reader = Reader(table)
    found = read_table(reader, 100, FORMS)
    reader.finish()
    return found.integers(number) if number == 20 else found.values(number)


def login_vectors():
    """Secrets, what they become, and what a server keeps."""
    salt = bytes(range(16))
    kdfs = [Kdf("argon2id", 2, 19_456, 1), Kdf("pbkdf2", 600_000), Kdf("argon2id", 2, 19_456, 1, prehash=MD5)]
    texts = ["tape 9 träger", "tra\u0308ger", "B" * 32]
    made = [
        {"password": text, "kdf": kdf._asdict(), "salt": salt.hex(), **kept(salt, salted_password(text, salt, kdf))}
        for kdf in kdfs
        for text in texts
    ]
    token = bytes(range(32))
    verifier = make_verifier(token, salt)
    keys = {"stored_key": verifier.stored_key.hex(), "server_key": verifier.server_key.hex()}
    return {"passwords": made, "token": {"token": token.hex(), "salt": salt.hex(), **keys}}


def kept(salt, salted):
    verifier = verifier_of(salt, salted)
    return {
        "salted": salted.hex(),
        "stored_key": verifier.stored_key.hex(),
        "server_key": verifier.server_key.hex(),
    }


def frame_vectors():
    """Lengths, and the frames about a rekey."""
    key, cipher = bytes(range(32)), Cipher(bytes(range(32)))
    sealed = {number: cipher.seal(b"frame %d" % number).hex() for number in range(REKEY_FRAMES + 2)}
    lengths = (1, 14, 256, 257, 65_535, 65_536, 65_537, 100_000, 1_048_577, 4_194_318)
    return {
        "psk": {"secret": key.hex(), "id": "site-1", "psk": derive_psk(key, "site-1").hex()},
        "padded": {str(length): padded(length) for length in lengths},
        "key": key.hex(),
        "frames": {str(number): sealed[number] for number in (0, 1, REKEY_FRAMES - 1, REKEY_FRAMES, REKEY_FRAMES + 1)},
    }


def name_vectors():
    """Names of runs and batches, and an entry of a ledger."""
    parts = [b"<1@backup.example.com>", hashlib.sha256(b"A00001,OFFS\n").digest()]
    run = run_id("nightly", parts)
    scope = parse_scope("US01.LTO")
    assert scope is not None
    batch = batch_id(RunId(run), 1, scope, 2)
    body = b"any body of an APPLY"
    entry = Entry(str(scope), 3, 17, bytes(16), 1_795_428_900, "filter/site-1", run, batch, "batch", bytes(16), "{}")
    said = entry._asdict() | {name: getattr(entry, name).hex() for name in ("epoch", "run", "batch", "salt")}
    return {
        "run": {"route": "nightly", "parts": [part.hex() for part in parts], "id": run.hex()},
        "batch": {"run": run.hex(), "round": 1, "scope": str(scope), "part": 2, "id": batch.hex()},
        "request": {"body": body.hex(), "hash": request_hash(body).hex()},
        "entry": {"before": bytes(32).hex(), **said, "hash": entry_hash(bytes(32), entry).hex()},
    }


MAKERS = {"columns": column_vectors, "login": login_vectors, "frames": frame_vectors, "names": name_vectors}


def kept_vectors(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", MAKERS)
def test_the_vectors_are_what_is_computed_today(name):
    assert MAKERS[name]() == kept_vectors(name)


def column_that_shows(shows, *, part):
    (found,) = (vector for vector in kept_vectors("columns")[part] if vector["shows"] == shows)
    return found


@pytest.mark.parametrize("shows", columns())
def test_the_second_client_reads_the_same_values(shows):
    vector = column_that_shows(shows, part="read")
    reader = second_bodies.Reader(bytes.fromhex(vector["table"]))
    rows, found = reader.table()
    reader.finish()
    number = vector["column"]
    if number == 20:
        assert second_bodies.numbers_of(found[20], rows) == vector["values"]
    else:
        assert second_bodies.texts_of(found, number, rows, found) == vector["values"]


@pytest.mark.parametrize("shows", REFUSED)
def test_what_is_no_column_is_refused(shows):
    vector = column_that_shows(shows, part="refused")
    with pytest.raises(RemoteProtocolError):
        read(bytes.fromhex(vector["table"]), vector["column"])


def test_every_encoding_is_among_the_columns():
    seen = set()
    for vector in kept_vectors("columns")["read"]:
        _, found = second_bodies.Reader(bytes.fromhex(vector["table"])).table()
        seen |= {encoding for encoding, _ in found.values()}
    assert {encoding & 127 for encoding in seen} == set(range(7))
    assert {encoding & 127 for encoding in seen if encoding & 128} >= {2, 4, 5}


def test_the_second_client_derives_the_same_keys_and_seals_the_same_frames():
    vectors = kept_vectors("frames")
    cipher = second_client.Cipher(bytes.fromhex(vectors["key"]), REKEY_FRAMES)
    sealed = [cipher.seal(b"frame %d" % number).hex() for number in range(REKEY_FRAMES + 2)]
    assert {number: sealed[int(number)] for number in vectors["frames"]} == vectors["frames"]
    assert {length: second_client.padded(int(length)) for length in vectors["padded"]} == vectors["padded"]


def test_the_second_client_makes_the_same_of_passwords_and_tokens():
    vectors = kept_vectors("login")
    for vector in vectors["passwords"]:
        salted = second_login.salted_password(vector["password"], bytes.fromhex(vector["salt"]), vector["kdf"])
        assert salted.hex() == vector["salted"]
        assert [key.hex() for key in second_login.keys_of(salted)[1:]] == [vector["stored_key"], vector["server_key"]]
    token, salt, stored_key, server_key = (bytes.fromhex(value) for value in vectors["token"].values())
    assert second_login.keys_of(second_login.salted_token(token, salt))[1:] == (stored_key, server_key)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in MAKERS.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(make(), indent=1) + "\n")
