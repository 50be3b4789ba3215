"""Noise against `dissononce`, an implementation that shares no line with ours, in both roles of both patterns."""

from __future__ import annotations

import json
import struct

import pytest
from dissononce.cipher.aesgcm import AESGCMCipher
from dissononce.dh.keypair import KeyPair
from dissononce.dh.x25519.private import PrivateKey
from dissononce.dh.x25519.public import PublicKey
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.NK import NKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.NN import NNHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

from mailsync.wire.errors import Code, RemoteProtocolError
from mailsync.wire.keys import public_key
from mailsync.wire.limits import REKEY_FRAMES
from mailsync.wire.noise import NK, NN, Cipher, Handshake, Keys, derive_psk

PSK = bytes(range(100, 132))
STATIC = bytes(range(1, 33))
PROLOGUE = b"mailsync/1\0MSYN\1\2\6site-1"
PUBLIC = public_key(STATIC)
OURS = b"\7" * 32
PATTERNS = {NN: NNHandshakePattern, NK: NKHandshakePattern}


class Peer:
    """dissononce's end of a handshake."""

    def __init__(self, pattern, *, initiator, psk=PSK, server=PUBLIC):
        dh = X25519DH()
        self.symmetric = SymmetricState(CipherState(AESGCMCipher()), SHA256Hash())
        self.state = HandshakeState(self.symmetric, dh)
        static = KeyPair(PublicKey(server), PrivateKey(STATIC))
        known = {"rs": static.public} if initiator else {"s": static}
        modified = PSKPatternModifier(0).modify(PATTERNS[pattern]())
        self.state.initialize(modified, initiator, PROLOGUE, psks=[psk], **(known if pattern is NK else {}))
        self.ciphers = None

    def write(self, payload):
        buffer = bytearray()
        self.ciphers = self.state.write_message(payload, buffer)
        return bytes(buffer)

    def read(self, message):
        buffer = bytearray()
        self.ciphers = self.state.read_message(message, buffer)
        return bytes(buffer)

    @property
    def hash(self):
        return self.symmetric.get_handshake_hash()


def ours(pattern, *, initiator, psk=PSK):
    static = b"" if pattern is NN else PUBLIC if initiator else STATIC
    return Handshake(pattern, PROLOGUE, Keys(OURS, psk, static), initiator=initiator)


@pytest.mark.parametrize("pattern", [NN, NK], ids=["NNpsk0", "NKpsk0"])
def test_our_client_and_an_independent_server_end_in_the_same_transport(pattern):
    client, server = ours(pattern, initiator=True), Peer(pattern, initiator=False)
    assert server.read(client.write(b"hello")) == b"hello"
    assert client.read(server.write(b"hello_ok")) == b"hello_ok"
    same_transport(client.transport(), server, initiator=True)


@pytest.mark.parametrize("pattern", [NN, NK], ids=["NNpsk0", "NKpsk0"])
def test_an_independent_client_and_our_server_end_in_the_same_transport(pattern):
    client, server = Peer(pattern, initiator=True), ours(pattern, initiator=False)
    assert server.read(client.write(b"hello")) == b"hello"
    assert client.read(server.write(b"")) == b""
    same_transport(server.transport(), client, initiator=False)


def same_transport(transport, peer, *, initiator):
    to_server, to_client = peer.ciphers
    theirs_in, theirs_out = (to_server, to_client) if initiator else (to_client, to_server)
    assert transport.hash == peer.hash
    for text in (b"one", b"two", bytes(65_519)):
        assert theirs_in.decrypt_with_ad(b"", transport.send.seal(text)) == text
        assert transport.receive.open(theirs_out.encrypt_with_ad(b"", text)) == text


def test_a_key_is_renewed_after_16384_frames_and_the_counter_runs_on():
    cipher = Cipher(PSK)
    theirs = CipherState(AESGCMCipher())
    theirs.initialize_key(PSK)
    for number in range(2 * REKEY_FRAMES + 2):
        if number and number % REKEY_FRAMES == 0:
            # dissononce forgets to cut the tag off (section 4.2) and starts its counter anew, which must run on.
            theirs.initialize_key(AESGCMCipher().rekey(theirs._key)[:32])
            theirs.set_nonce(number)
        assert theirs.decrypt_with_ad(b"", cipher.seal(b"x")) == b"x"


@pytest.mark.parametrize("pattern", [NN, NK], ids=["NNpsk0", "NKpsk0"])
def test_a_wrong_key_fails_silently_at_the_first_message(pattern):
    first = ours(pattern, initiator=True, psk=bytes(32)).write(b"hello")
    with pytest.raises(RemoteProtocolError) as caught:
        ours(pattern, initiator=False).read(first)
    assert caught.value.code is Code.SILENT


def test_a_client_with_another_servers_public_key_fails():
    client = Handshake(NK, PROLOGUE, Keys(OURS, PSK, public_key(b"\5" * 32)), initiator=True)
    with pytest.raises(RemoteProtocolError):
        ours(NK, initiator=False).read(client.write(b"hello"))


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)])
def test_a_point_of_low_order_is_refused(point):
    server = ours(NK, initiator=False)
    with pytest.raises(RemoteProtocolError) as caught:
        server.read(point + bytes(16))
    assert caught.value.code is Code.SILENT


def test_a_handshake_message_shorter_than_a_key_is_refused():
    with pytest.raises(RemoteProtocolError):
        ours(NN, initiator=False).read(bytes(47))


def test_the_psk_is_hkdf_of_the_secret_for_its_id_alone():
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    independent = HKDF(SHA256(), 32, salt=b"", info=b"mailsync/1 noise psk site-1").derive(PSK)
    assert derive_psk(PSK, "site-1") == independent
    assert derive_psk(PSK, "site-2") != independent


def test_keys_show_nothing_of_themselves():
    assert repr(Keys(OURS, PSK, STATIC)) == "Keys(...)"


def test_a_client_written_from_the_page_alone_is_answered(pair):
    """Preamble, hello, one padded PING: nothing of ours but the server that answers."""
    end = pair(compress=("deflate",))
    peer = Peer(NK, initiator=True, psk=derive_psk(end.key.secret, "site-1"), server=end.key.server)
    hello = {"versions": [1, 1], "compress": [], "client": "other 1", "login": "", "scram": "", "more": {"new": 1}}
    first = peer.write(json.dumps(hello).encode())
    answer = end.serve(b"MSYN\1\2\6site-1" + struct.pack(">H", len(first)) + first)
    assert struct.unpack(">H", answer[:2]) == (len(answer) - 2,)
    assert json.loads(peer.read(answer[2:])) == {"version": 1, "compress": "deflate", "scram": ""}
    to_server, to_client = peer.ciphers
    ping = struct.pack(">BBIII", 0x40, 0, 1, 4, 4) + b"tape"
    sealed = to_server.encrypt_with_ad(b"", ping.ljust(256, b"\0"))
    pong = end.serve(struct.pack(">H", len(sealed)) + sealed)
    expected = (struct.pack(">BBIII", 0x41, 0, 1, 4, 4) + b"tape").ljust(256, b"\0")
    assert to_client.decrypt_with_ad(b"", pong[2:]) == expected
