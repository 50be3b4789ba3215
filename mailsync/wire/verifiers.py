"""What proves a password, as JSON: the parameters that a hello_ok tells, and the body of a SET_VERIFIER."""

from __future__ import annotations

import base64
from typing import NamedTuple

from mailsync.wire.control import Members, encode_object
from mailsync.wire.errors import RemoteProtocolError
from mailsync.wire.passwords import NO_PREHASH, Kdf
from mailsync.wire.scram import Verifier


class SetVerifier(NamedTuple):
    """Replaces what proves the user's password; the password itself never travels."""

    verifier: Verifier


def encode_set_verifier(said: SetVerifier) -> bytes:
    """The JSON body of a SET_VERIFIER."""
    salt, stored_key, server_key, kdf = said.verifier
    keys = {"salt": salt, "stored_key": stored_key, "server_key": server_key}
    texts = {name: base64.b64encode(value).decode() for name, value in keys.items()}
    return encode_object({**texts, "kdf": kdf_members(kdf)})


def decode_set_verifier(body: bytes) -> SetVerifier:
    """The SET_VERIFIER in a JSON body. RemoteProtocolError when it is not one."""
    members = Members(body)
    inner = members.inner("kdf")
    salt, stored_key, server_key = (members.base64(name) for name in ("salt", "stored_key", "server_key"))
    if inner is None or not 16 <= len(salt) <= 64 or not len(stored_key) == len(server_key) == 32:
        raise RemoteProtocolError("not a verifier")
    return SetVerifier(Verifier(salt, stored_key, server_key, read_kdf(inner)))


def kdf_members(kdf: Kdf) -> dict[str, object]:
    """The JSON object of it."""
    return kdf._asdict()


def read_kdf(members: Members) -> Kdf:
    """What is in such an object. RemoteProtocolError when it is none."""
    iterations, memory, lanes = (members.number(name, 0) for name in ("iterations", "memory", "lanes"))
    return Kdf(members.text("name"), iterations, memory, lanes, members.text("prehash", NO_PREHASH))
