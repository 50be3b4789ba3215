"""Another client of MSYN/1, written from docs/protocol.md and the standards it names: it knows nothing of mailsync.

Small rather than complete: suite 2, tokens, deflate, and the encodings 0, 2 and 4 when it writes. It reads them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import zlib
from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NOISE = b"Noise_NKpsk0_25519_AESGCM_SHA256"
AUTH, AUTH_OK, SYNC, PAGE, APPLY, APPLY_OK, RUN, RUN_OK = 0x03, 0x04, 0x12, 0x13, 0x22, 0x23, 0x24, 0x25
PING, PONG, ERROR, BYE = 0x40, 0x41, 0x50, 0x5F
COLUMNS = [
    *("volume", "description", "repository", "current_repository", "confirmed_repository", "home_repository"),
    *("container", "slot", "flags", "data_cluster", "system", "move_date", "write_time", "expiry_date", "scratch"),
    "encrypted",
]
DATES, TIMES = {11, 13}, {12}
DAY_ZERO, TIME_ZERO = date(1970, 1, 1), datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC


class Refused(Exception):  # noqa: N818 - what the server said
    """An ERROR of the server."""

    def __init__(self, said):
        super().__init__(said)
        self.code = said["code"]


def hkdf(salt, material, count):
    """Noise's HKDF, and RFC 5869's with an empty info."""
    secret, last, out = hmac.digest(salt, material, "sha256"), b"", []
    for number in range(1, count + 1):
        last = hmac.digest(secret, last + bytes((number,)), "sha256")
        out.append(last)
    return out


def read_file(text):
    """The `name: value` lines of a key or token file."""
    lines = [line for line in text.splitlines()[1:] if line.strip() and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Cipher:
    """One direction."""

    def __init__(self, key, rekey):
        self.key, self.count, self.rekey = key, 0, rekey

    def _next(self):
        if self.count and self.count % self.rekey == 0:
            self.key = AESGCM(self.key).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
        nonce = bytes(4) + self.count.to_bytes(8, "big")
        self.count += 1
        return nonce

    def seal(self, plain):
        nonce = self._next()
        return AESGCM(self.key).encrypt(nonce, plain, b"")

    def open(self, sealed):
        nonce = self._next()
        return AESGCM(self.key).decrypt(nonce, sealed, b"")


class SecondClient:
    """A connection. `rekey` is after how many frames a direction has another key."""

    def __init__(self, address, key_file, token_file, *, rekey=16_384):
        key, token = read_file(key_file), read_file(token_file)
        self.id, self.secret = key["id"], base64.b64decode(key["secret"])
        self.server = base64.b64decode(key["server"])
        self.user = token["user"]
        self.token = base64.b32decode(token["token"].upper() + "=" * (-len(token["token"]) % 8))
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.frames = self.socket.makefile("rb")
        self.rekey, self.last = rekey, 0
        self.compressed = False
        self._shake_hands()

    def _exactly(self, count):
        data = self.frames.read(count)
        if len(data) != count:
            raise EOFError("the server hung up")
        return data

    def _shake_hands(self):
        info = b"mailsync/1 noise psk " + self.id.encode()
        psk = hmac.digest(hmac.digest(bytes(32), self.secret, "sha256"), info + b"\1", "sha256")
        preamble = b"MSYN" + bytes((1, 2, len(self.id))) + self.id.encode()
        state = {"h": NOISE, "ck": NOISE, "k": b"", "n": 0}

        def mix_hash(data):
            state["h"] = hashlib.sha256(state["h"] + data).digest()

        def mix_key(data):
            state["ck"], state["k"] = hkdf(state["ck"], data, 2)
            state["n"] = 0

        def nonce():
            state["n"] += 1
            return bytes(4) + (state["n"] - 1).to_bytes(8, "big")

        mix_hash(b"mailsync/1\0" + preamble)
        mix_hash(self.server)
        state["ck"], mixed, state["k"] = hkdf(state["ck"], psk, 3)
        mix_hash(mixed)
        ephemeral = X25519PrivateKey.generate()
        public = ephemeral.public_key().public_bytes_raw()
        mix_hash(public)
        mix_key(public)
        mix_key(ephemeral.exchange(X25519PublicKey.from_public_bytes(self.server)))
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first = f"n={self.user},r={self.nonce}"
        hello = {"versions": [1, 1], "compress": ["deflate"], "client": "second 1", "login": "token"}
        hello["scram"] = "p=mailsync-noise,," + self.first
        sealed = AESGCM(state["k"]).encrypt(nonce(), json.dumps(hello).encode(), state["h"])
        mix_hash(sealed)
        self.socket.sendall(preamble + struct.pack(">H", 32 + len(sealed)) + public + sealed)
        (length,) = struct.unpack(">H", self._exactly(2))
        if length == 0:
            raise Refused({"code": self._exactly(1)[0]})
        message = self._exactly(length)
        mix_hash(message[:32])
        mix_key(message[:32])
        mix_key(ephemeral.exchange(X25519PublicKey.from_public_bytes(message[:32])))
        self.hello_ok = json.loads(AESGCM(state["k"]).decrypt(nonce(), message[32:], state["h"]))
        mix_hash(message[32:])
        up, down = hkdf(state["ck"], b"", 2)
        self.binding, self.up, self.down = state["h"], Cipher(up, self.rekey), Cipher(down, self.rekey)

    def send(self, kind, body, *, request=None):
        """Sends a message, and returns its number."""
        if request is None:
            self.last += 1
            request = self.last
        flags, wire = 0, body
        if self.compressed and len(packed := zlib.compress(body, 9)) < len(body):
            flags, wire = 1, packed
        plain = struct.pack(">BBIII", kind, flags, request, len(wire), len(body)) + wire
        if kind not in (BYE, RUN):
            plain = plain.ljust(padded(len(plain)), b"\0")
        for start in range(0, len(plain), 65_519):
            frame = self.up.seal(plain[start : start + 65_519])
            self.socket.sendall(struct.pack(">H", len(frame)) + frame)
        return request

    def receive(self):
        """The next message: its type, request and body. PINGs are answered."""
        plain = self._frame()
        kind, flags, request, wire, inflated = struct.unpack_from(">BBIII", plain)
        total = 14 + wire if kind in (BYE, RUN_OK) else padded(14 + wire)
        while len(plain) < total:
            plain += self._frame()
        if len(plain) != total or any(plain[14 + wire :]):
            raise ValueError("the padding is not as it should be")
        body = plain[14 : 14 + wire]
        if flags == 1:
            body = zlib.decompress(body)
        if flags > 1 or len(body) != inflated:
            raise ValueError("the body is not as it should be")
        if kind == ERROR:
            raise Refused(json.loads(body))
        if kind == PING:
            self.send(PONG, body, request=request)
            return self.receive()
        return kind, request, body

    def _frame(self):
        (length,) = struct.unpack(">H", self._exactly(2))
        return self.down.open(self._exactly(length))

    def expect(self, kind, request):
        """The body of the answer of this type to this request."""
        found = self.receive()
        if found[:2] != (kind, request):
            raise ValueError(f"{found[:2]} came where {(kind, request)} was due")
        return found[2]

    def log_in(self):
        """AUTH, and the check of what comes back."""
        said = dict(part.split("=", 1) for part in self.hello_ok["scram"].split(","))
        if not said["r"].startswith(self.nonce) or said["i"] != "1":
            raise ValueError("the challenge is not for this client")
        salted = hmac.digest(self.token, base64.b64decode(said["s"]) + b"\0\0\0\1", "sha256")
        bound = base64.b64encode(b"p=mailsync-noise,," + self.binding).decode()
        without = f"c={bound},r={said['r']}"
        covered = f"{self.first},{self.hello_ok['scram']},{without}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), covered, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        text = f"{without},p={base64.b64encode(proof).decode()}"
        self.send(AUTH, json.dumps({"scram": text}).encode(), request=0)
        answer = json.loads(self.expect(AUTH_OK, 0))
        expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), covered, "sha256")
        if answer["scram"] != f"v={base64.b64encode(expected).decode()}":
            raise ValueError("the server does not know the token")
        self.compressed = True
        return answer["user"]

    def ping(self, payload=b""):
        """True when the payload comes back."""
        return self.expect(PONG, self.send(PING, payload)) == payload

    def run(self, step, run, holder, audience=""):
        """What a RUN is answered: the state, the batches by scope, the audiences."""
        body = bytes((1, step)) + run + holder + (_text(audience) if audience else b"")
        reader = Reader(self.expect(RUN_OK, self.send(RUN, body)))
        form, state = reader.take(2)
        batches = [(reader.take(16), reader.text()) for _ in range(reader.number(2))]
        audiences = [reader.text() for _ in range(reader.number(2))]
        reader.finish()
        return form, ("", "yours", "busy", "done")[state], batches, audiences

    def follow(self, scope, copy, *, rows=4096):
        """Brings a copy (`new_copy`) up to the scope as it is, and returns the pages it took."""
        taken, more = 0, True
        while more:
            asked = {**copy["cursor"], "scope": scope, "repositories": copy["repositories version"]}
            request = self.send(SYNC, json.dumps({**asked, "rows": rows, "pages": 4}).encode())
            for _ in range(4):
                more = read_page(self.expect(PAGE, request), copy)
                taken += 1
                if not more:
                    break
        return taken

    def apply(self, batch):
        """Sends a batch (a dict, see `encode_apply`); what became of it."""
        reader = Reader(self.expect(APPLY_OK, self.send(APPLY, encode_apply(batch))))
        form, id_ = reader.take(1), reader.take(16)
        first, last, replayed, entry, ledger = *(reader.number(8) for _ in range(2)), *reader.take(1), 0, b""
        entry, ledger = reader.number(8), reader.take(32)
        count, columns = reader.table()
        along, barcodes = reader.table()
        reader.finish()
        results = numbers_of(columns[0], count)
        texts = texts_of(columns, 1, count, {})
        carried = zip(numbers_of(barcodes[0], along), texts_of(barcodes, 1, along, {}), strict=True) if along else ()
        return {
            "form": form[0], "id": id_, "first": first, "last": last, "replayed": bool(replayed),
            "entry": entry, "ledger": ledger, "results": list(zip(results, texts, strict=True)),
            "carried": list(carried),
        }  # fmt: skip

    def bye(self):
        """The end, on purpose."""
        self.send(BYE, b"{}", request=0)
        rest = self.frames.read()
        self.close()
        return rest

    def close(self):
        """Closes the socket; safe to call twice."""
        self.frames.close()
        self.socket.close()


def padded(length):
    """Up to where a message is filled up with zeros."""
    if length <= 65_536:
        return -(-length // 256) * 256
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def new_copy():
    """Nothing yet."""
    cursor = {"epoch": "", "since": 0, "snap": 0, "done": 0, "mark": "", "at": 0}
    return {"cursor": cursor, "repositories version": 0, "repositories": [], "rows": {}, "kept": 0}


def read_page(body, copy):
    """Takes a page into the copy; True while there are more."""
    reader = Reader(body)
    form, flags = reader.take(2)
    if form != 1:
        raise ValueError("not a page of version 1")
    epoch = reader.take(16).hex()
    since, snap, done, at = (reader.number(8) for _ in range(4))
    mark = reader.take(8).hex()
    version = reader.number(8)
    if flags & 1:
        copy["rows"].clear()
    count, columns = reader.table()
    gone, tombstones = reader.table()
    for name in texts_of(tombstones, 0, gone, {}):
        copy["rows"].pop(name, None)
    values = [texts_of(columns, number, count, columns) for number in range(len(COLUMNS))]
    for row in zip(*values, strict=True):
        volume = dict(zip(COLUMNS, row, strict=True))
        if volume["description"] is None:
            volume["description"] = copy["rows"][volume["volume"]]["description"]
            copy["kept"] += 1
        copy["rows"][volume["volume"]] = {name: value or "" for name, value in volume.items()}
    if flags & 4:
        count, columns = reader.table()
        parts = [texts_of(columns, number, count, {}) for number in range(4)]
        copy["repositories"] = [tuple(text or "" for text in row) for row in zip(*parts, strict=True)]
    reader.finish()
    copy["cursor"] = {"epoch": epoch, "since": since, "snap": snap, "done": done, "mark": mark, "at": at}
    copy["repositories version"] = version
    return bool(flags & 2)


class Reader:
    """Takes values off the front of a body."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, count):
        data = self.body[self.at : self.at + count]
        if len(data) != count:
            raise ValueError("the body ends early")
        self.at += count
        return data

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2)).decode()

    def table(self):
        rows, columns = self.number(4), {}
        for _ in range(self.number(1)):
            number, encoding, length = self.number(1), self.number(1), self.number(4)
            columns[number] = (encoding, self.take(length))
        return rows, columns

    def planes(self, rows, width):
        data = self.take(rows * width)
        return [int.from_bytes(data[row::rows], "big") for row in range(rows)]

    def integers(self, rows):
        numbers, last = [], 0
        for zigzag in self.planes(rows, self.number(1)):
            last += -(zigzag + 1) // 2 if zigzag & 1 else zigzag // 2
            numbers.append(last)
        return numbers

    def indexes(self, rows, count):
        return self.planes(rows, 1 if count <= 256 else 2)

    def finish(self):
        if self.at != len(self.body):
            raise ValueError("the body goes on after its end")


def numbers_of(column, rows):
    """The numbers of a column that is none of texts."""
    encoding, data = column
    reader = Reader(data)
    if encoding == 4:
        return reader.integers(rows)
    count, inner, length = reader.number(2), reader.number(1), reader.number(4)
    words = numbers_of((inner, reader.take(length)), count)
    return [words[index] for index in reader.indexes(rows, count)]


def texts_of(columns, number, rows, others):
    """The texts of a column, None where a row has none."""
    if number not in columns:
        return [""] * rows
    encoding, data = columns[number]
    reader, nulls = Reader(data), [False] * rows
    if encoding & 128:
        bits = reader.take(-(-rows // 8))
        nulls = [bool(bits[row // 8] & 128 >> row % 8) for row in range(rows)]
    found = iter(_texts(reader, encoding & 127, nulls.count(False), (number, rows, nulls, others)))
    return [None if null else next(found) for null in nulls]


def _texts(reader, encoding, rows, place):
    number, all_rows, nulls, others = place
    if encoding == 0:
        return [reader.take(len(reader.body) - reader.at).decode()] * rows
    if encoding == 2:
        return reader.take(len(reader.body) - reader.at).decode().split("\0") if rows else []
    if encoding == 4:
        return [written(number, value) for value in reader.integers(rows)]
    if encoding == 1:
        count, inner, length = reader.number(2), reader.number(1), reader.number(4)
        words = _texts(Reader(reader.take(length)), inner, count, place)
        return [words[index] for index in reader.indexes(rows, count)]
    if encoding == 3:
        frames, length = reader.number(2), reader.number(4)
        words, digits = reader.take(length).decode().split("\0"), reader.take(frames)
        which = reader.indexes(rows, frames) if frames > 1 else [0] * rows
        return [
            words[2 * index] + (str(value).zfill(digits[index]) if digits[index] else "") + words[2 * index + 1]
            for index, value in zip(which, reader.integers(rows), strict=True)
        ]
    if encoding == 5:
        other, inner = reader.number(1), reader.number(1)
        bases = [
            value for value, null in zip(texts_of(others, other, all_rows, others), nulls, strict=True) if not null
        ]
        apart = numbers_of((inner, reader.take(len(reader.body) - reader.at)), rows)
        return [written(number, counted(number, base) + one) for base, one in zip(bases, apart, strict=True)]
    other, count, inner, length = reader.number(1), reader.number(4), reader.number(1), reader.number(4)
    values = _texts(Reader(reader.take(length)), inner, count, place)
    texts = texts_of(others, other, all_rows, others)
    for row, value in zip(reader.integers(count), values, strict=True):
        texts[row] = value
    return texts


def written(number, value):
    """The date or time that a number stands for."""
    if number in DATES:
        return str(DAY_ZERO + timedelta(days=value))
    return f"{TIME_ZERO + timedelta(seconds=value):%Y-%m-%dT%H:%M:%SZ}"


def counted(number, text):
    """What a column's differences are added to: days of dates, seconds of times."""
    if not text:
        return 0
    days = (date.fromisoformat(text[:10]) - DAY_ZERO).days
    if number in DATES:
        return days
    return days * 86_400 + (sum(int(text[at : at + 2]) * unit for at, unit in ((11, 3600), (14, 60), (17, 1))))


def encode_apply(batch):
    """A body of one group: updates of one field. `moves` are (volume, value, source, row, line)."""
    moves = batch["moves"]
    body = b"\1" + batch["id"] + batch["run"] + batch["plan"] + bytes.fromhex(batch["epoch"])
    body += struct.pack(">QQ", batch["base"], batch["asof"]) + _text(batch["scope"]) + _text(batch["source"])
    body += _table(len(batch["sources"]), {0: _column(batch["sources"], 0), 1: _column(batch["sources"], 1)})
    if not moves:
        return body + bytes(2)
    columns = {0: _column(moves, 0), 16: _column(moves, 1)}
    columns |= {number: _integers([move[number + 1] for move in moves]) for number in (1, 2, 3)}
    return body + b"\0\1" + bytes((2, 1, COLUMNS.index(batch["field"]) - 1)) + _table(len(moves), columns)


def _text(text):
    return struct.pack(">H", len(text.encode())) + text.encode()


def _column(rows, part):
    return 2, "\0".join(row[part] for row in rows).encode()


def _integers(numbers):
    apart = [number - before for number, before in zip(numbers, [0, *numbers[:-1]], strict=True)]
    packed = b"".join((2 * one if one >= 0 else -2 * one - 1).to_bytes(8, "big") for one in apart)
    return 4, b"\x08" + b"".join(packed[plane::8] for plane in range(8))


def _table(rows, columns):
    parts = [struct.pack(">IB", rows, len(columns))]
    parts += [struct.pack(">BBI", number, code, len(data)) + data for number, (code, data) in columns.items()]
    return b"".join(parts)
