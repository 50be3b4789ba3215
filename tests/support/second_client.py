"""Another client of MSYN/1, written from docs/protocol.md and the standards it names: it knows nothing of mailsync.

Small rather than complete: suite 2, deflate, and batches of one group. second_login.py has how it logs on,
second_bodies.py how it reads and writes tables.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
import zlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from second_bodies import (
    Reader,
    encode_column,
    encode_integers,
    encode_table,
    encode_text,
    read_table,
    texts_of,
)
from second_login import Login

NOISE = b"Noise_NKpsk0_25519_AESGCM_SHA256"
AUTH, AUTH_OK, SET_VERIFIER, SET_VERIFIER_OK = 0x03, 0x04, 0x05, 0x06
SCOPES, SCOPES_OK, SYNC, PAGE, CANCEL = 0x10, 0x11, 0x12, 0x13, 0x15
APPLY, APPLY_OK, RUN, RUN_OK = 0x22, 0x23, 0x24, 0x25
STATS, STATS_OK, LEDGER, LEDGER_OK = 0x30, 0x31, 0x32, 0x33
PING, PONG, ERROR, BYE = 0x40, 0x41, 0x50, 0x5F
COLUMNS = [
    *("volume", "description", "repository", "current_repository", "confirmed_repository", "home_repository"),
    *("container", "slot", "flags", "data_cluster", "system", "move_date", "write_time", "expiry_date", "scratch"),
    "encrypted",
]


class Refused(Exception):  # noqa: N818 - what the server said
    """An ERROR of the server; `request` is the one that it answers, 0 where it ends the connection."""

    def __init__(self, said, request=0):
        super().__init__(said)
        self.code, self.request = said["code"], request


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


def read_token(text):
    """User and secret of a token file."""
    found = read_file(text)
    return found["user"], base64.b32decode(found["token"].upper() + "=" * (-len(found["token"]) % 8))


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
    """A connection for a user and its secret: a token's bytes or a password's text.

    `rekey` is after how many frames a direction has another key.
    """

    def __init__(self, address, key_file, user, secret, *, rekey=16_384):
        key, self.login = read_file(key_file), Login(user, secret)
        self.id, self.secret = key["id"], base64.b64decode(key["secret"])
        self.server = base64.b64decode(key["server"])
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.frames = self.socket.makefile("rb")
        self.rekey, self.last = rekey, 0
        self.compressed, self.site = False, None
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
        hello = {"versions": [1, 1], "compress": ["deflate"], "client": "second 1", **self.login.announce()}
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
        self.socket.sendall(self._sealed(kind, body, request))
        return request

    def _sealed(self, kind, body, request):
        flags, wire = 0, body
        if self.compressed and kind != SET_VERIFIER and len(packed := zlib.compress(body, 9)) < len(body):
            flags, wire = 1, packed
        plain = struct.pack(">BBIII", kind, flags, request, len(wire), len(body)) + wire
        if kind not in (BYE, RUN):
            plain = plain.ljust(padded(len(plain)), b"\0")
        frames = [self.up.seal(plain[start : start + 65_519]) for start in range(0, len(plain), 65_519)]
        return b"".join(struct.pack(">H", len(frame)) + frame for frame in frames)

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
            raise Refused(json.loads(body), request)
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
        text, expected = self.login.prove(self.hello_ok, self.binding)
        self.send(AUTH, json.dumps({"scram": text}).encode(), request=0)
        answer = json.loads(self.expect(AUTH_OK, 0))
        if answer["scram"] != expected:
            raise ValueError("the server does not know the secret")
        self.compressed = True
        return answer["user"]

    def set_verifier(self, **changes):
        """Has the server keep the password itself instead of its digest."""
        body = json.dumps({**self.login.new_verifier(), **changes}).encode()
        return json.loads(self.expect(SET_VERIFIER_OK, self.send(SET_VERIFIER, body)))

    def ping(self, payload=b""):
        """True when the payload comes back."""
        return self.expect(PONG, self.send(PING, payload)) == payload

    def run(self, step, run, holder, audience=""):
        """What a RUN is answered: the state, the batches by scope, the audiences; what it says of the site is kept."""
        body = bytes((1, step)) + run + holder + (encode_text(audience) if audience else b"")
        reader = Reader(self.expect(RUN_OK, self.send(RUN, body)))
        form, state = reader.take(2)
        if state & 128:
            self.site = reader.number(8), reader.take(32)
        batches = [(reader.take(16), reader.text()) for _ in range(reader.number(2))]
        audiences = [reader.text() for _ in range(reader.number(2))]
        reader.finish()
        return form, ("", "yours", "busy", "done")[state & 127], batches, audiences

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

    def give_up(self, scope):
        """Asks for a copy a row at a time and gives it up in the same breath; the pages that came, and why no more."""
        asked = {**new_copy()["cursor"], "scope": scope, "repositories": 0, "rows": 1, "pages": 4}
        self.last += 1
        request = self.last
        sync = self._sealed(SYNC, json.dumps(asked).encode(), request)
        self.socket.sendall(sync + self._sealed(CANCEL, json.dumps({"request": request}).encode(), 0))
        copy, more, taken = new_copy(), True, 0
        try:
            while more and taken < 4:
                more, taken = read_page(self.expect(PAGE, request), copy), taken + 1
        except Refused as refused:
            if refused.request != request:
                raise
            return taken, refused.code
        return taken, 0

    def scopes(self):
        """Every scope: its name, description, version, volumes, and the version of its repositories."""
        found, more = [], 1
        while more:
            body = json.dumps({"after": found[-1][0]} if found else {}).encode()
            reader = Reader(self.expect(SCOPES_OK, self.send(SCOPES, body)))
            form, more = reader.take(2)
            reader.take(16)
            if form != 1:
                raise ValueError("not scopes of version 1")
            found += read_table(reader, "ttnnn")
            reader.finish()
        return found

    def stats(self, scope):
        """Figures of a scope: time, volumes, characters, volumes by repository and by flag."""
        reader = Reader(self.expect(STATS_OK, self.send(STATS, json.dumps({"scope": scope}).encode())))
        if reader.take(1) != b"\1":
            raise ValueError("not figures of version 1")
        time, volumes, characters = (reader.number(8) for _ in range(3))
        repositories, flags = (dict(read_table(reader, "tn")) for _ in range(2))
        reader.finish()
        return {
            "time": time, "volumes": volumes, "characters": characters, "repositories": repositories, "flags": flags,
        }  # fmt: skip

    def moved(self, scope, source, run):
        """How many volumes the source's other runs moved within a day, and how many such runs there were."""
        reader = self._ledger(1, encode_text(scope) + encode_text(source) + run)
        found = reader.number(8), reader.number(8)
        reader.finish()
        return found

    def recorded(self, scope, batches):
        """Up to which entry the ledger was pruned, and which of the batches the server does not have."""
        reader = self._ledger(2, encode_text(scope) + struct.pack(">H", len(batches)) + b"".join(batches))
        pruned = reader.number(8)
        missing = [reader.take(16) for _ in range(reader.number(2))]
        reader.finish()
        return pruned, missing

    def _ledger(self, kind, body):
        asked = bytes((1, kind))
        reader = Reader(self.expect(LEDGER_OK, self.send(LEDGER, asked + body)))
        if reader.take(2) != asked:
            raise ValueError("something else is answered")
        return reader

    def apply(self, batch):
        """Sends a batch (a dict, see `encode_apply`); what became of it."""
        reader = Reader(self.expect(APPLY_OK, self.send(APPLY, encode_apply(batch))))
        form, id_ = reader.take(1), reader.take(16)
        first, last, replayed = reader.number(8), reader.number(8), reader.number(1)
        entry, ledger = reader.number(8), reader.take(32)
        results, carried = read_table(reader, "nt"), read_table(reader, "nt")
        reader.finish()
        return {
            "form": form[0], "id": id_, "first": first, "last": last, "replayed": bool(replayed),
            "entry": entry, "ledger": ledger, "results": results,
            "carried": carried,
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
    since, snap, done, at, entry = (reader.number(8) for _ in range(5))
    ledger = reader.take(32)
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
    copy["cursor"] = {"epoch": epoch, "since": since, "snap": snap, "done": done, "mark": ledger[:8].hex(), "at": at}
    copy["ledger"] = entry, ledger
    copy["repositories version"] = version
    return bool(flags & 2)


def encode_apply(batch):
    """A body of one group: updates of one field. `moves` are (volume, value, source, row, line)."""
    moves = batch["moves"]
    body = b"\1" + batch["id"] + batch["run"] + batch["plan"] + bytes.fromhex(batch["epoch"])
    body += (
        struct.pack(">QQ", batch["base"], batch["asof"]) + encode_text(batch["scope"]) + encode_text(batch["source"])
    )
    body += encode_table(
        len(batch["sources"]), {0: encode_column(batch["sources"], 0), 1: encode_column(batch["sources"], 1)}
    )
    if not moves:
        return body + bytes(2)
    columns = {0: encode_column(moves, 0), 16: encode_column(moves, 1)}
    columns |= {number: encode_integers([move[number + 1] for move in moves]) for number in (1, 2, 3)}
    return body + b"\0\1" + bytes((2, 1, COLUMNS.index(batch["field"]) - 1)) + encode_table(len(moves), columns)
