"""The client's end of MSYN/1: proves a key and a token, asks, and checks that every answer answers something.

Before the server's signature over the login is verified nothing that changes anything leaves here: whoever holds the
same key could pose as a server of suite 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailsync.core.cursor import Page
from mailsync.core.model import Scope
from mailsync.wire import events as seen
from mailsync.wire import limits, messages, scram, verifiers
from mailsync.wire.batches import decode_outcome
from mailsync.wire.channel import Inbound
from mailsync.wire.compression import Method, available
from mailsync.wire.end import End, Request
from mailsync.wire.errors import Code, ImpostorError, LocalProtocolError, Refusal, RemoteProtocolError
from mailsync.wire.events import ClientEvent
from mailsync.wire.figures import decode_scopes, decode_stats
from mailsync.wire.keys import ClientKey, Token
from mailsync.wire.ledger import Question, decode_answer, encode_question
from mailsync.wire.messages import Kind, Sync
from mailsync.wire.noise import Handshake, Keys, derive_psk
from mailsync.wire.pages import decode_page
from mailsync.wire.passwords import MD5, NO_PREHASH, OF_TOKENS, Password, check_kdf, is_digest, salted_password
from mailsync.wire.preamble import SUITES, Preamble, announce, read_announced
from mailsync.wire.runs import RunWord, decode_lease, encode_run
from mailsync.wire.scram import Exchange
from mailsync.wire.states import Role, Step

_ANSWERS: dict[Kind, Callable[[int, bytes], ClientEvent]] = {
    Kind.APPLY_OK: lambda number, body: seen.OutcomeReceived(number, decode_outcome(body)),
    Kind.RUN_OK: lambda number, body: seen.LeaseReceived(number, decode_lease(body)),
    Kind.SCOPES_OK: lambda number, body: seen.ScopesReceived(number, decode_scopes(body)),
    Kind.STATS_OK: lambda number, body: seen.StatsReceived(number, decode_stats(body)),
    Kind.LEDGER_OK: lambda number, body: seen.LedgerReceived(number, decode_answer(body)),
    Kind.SET_VERIFIER_OK: lambda number, _: seen.VerifierSet(number),
    Kind.PONG: seen.PongReceived,
}


class ClientSession(End[ClientEvent]):
    """A client's end, for a machine's token or a person's password. With neither it may only ping."""

    def __init__(
        self,
        *,
        key: ClientKey,
        token: Token | Password | None,
        random: bytes,
        client: str = "mailsync",
        compress: Sequence[str] | None = None,
    ) -> None:
        super().__init__(random)
        self._token = token
        self._preamble = Preamble(2 if key.server else 1, key.id)
        keys = Keys(self._ephemeral, derive_psk(key.secret, key.id), key.server)
        self._handshake = Handshake(SUITES[self._preamble.suite], self._preamble.prologue(), keys, initiator=True)
        self._compress = tuple(available() if compress is None else compress)
        self._client = client
        self._first = scram.client_first(token.user, self._nonce) if token else ""
        self._exchange = Exchange("", "")
        self._challenge: scram.ServerFirst | None = None
        self._proof = ""
        self._kdf = OF_TOKENS
        self._salted = b""
        self._requests: dict[int, Request] = {}
        self._last = 0

    @property
    def has_token(self) -> bool:
        """True when this end can log in."""
        return self._token is not None

    @property
    def upgrade_due(self) -> bool:
        """True when the server keeps an MD5 digest of a password that this end knows: SET_VERIFIER replaces it."""
        return (
            self.logged_in
            and isinstance(self._token, Password)
            and (self._kdf.prehash == MD5 and not is_digest(self._token.text))
        )

    def start(self) -> bytes:
        """The first bytes: preamble and Noise message 1. Call it once."""
        self._greet(Step.HELLO, Role.CLIENT)
        login = {Token: "token", Password: "password"}.get(type(self._token), "")
        said = scram.GS2 + self._first if self._first else ""
        hello = messages.Hello((1, 1), self._compress, self._client, login, said)
        return self._preamble.encode() + announce(self._handshake.write(messages.encode_hello(hello)))

    def send_auth(self) -> bytes:
        """AUTH, with the proof that this end knows the token; after Connected."""
        if self._token is None or self._challenge is None:
            raise LocalProtocolError("there is no login to prove")
        self._salted = self._salt(self._token, self._challenge.salt)
        self._proof = scram.client_final(self._salted, self._exchange, self._challenge.nonce, self._binding)
        return self._send(Kind.AUTH, 0, messages.encode_auth(messages.Auth(self._proof)))

    def send_sync(self, sync: Sync) -> tuple[int, bytes]:
        """A SYNC and its request number; allowed as soon as AUTH is sent."""
        return self._ask(Kind.SYNC, messages.encode_sync(sync), Request(Kind.PAGE, sync.pages))

    def send_apply(self, body: bytes) -> tuple[int, bytes]:
        """An APPLY and its request number; `body` is encode_apply's. Only once LoggedIn was seen."""
        return self._ask(Kind.APPLY, body, Request(Kind.APPLY_OK))

    def send_run(self, word: RunWord) -> tuple[int, bytes]:
        """A RUN and its request number; allowed as soon as AUTH is sent."""
        return self._ask(Kind.RUN, encode_run(word), Request(Kind.RUN_OK))

    def send_scopes(self, after: str = "") -> tuple[int, bytes]:
        """A SCOPES, for the scopes after one by name, and its request number; allowed as soon as AUTH is sent."""
        return self._ask(Kind.SCOPES, messages.encode_scopes_asked(messages.Scopes(after)), Request(Kind.SCOPES_OK))

    def send_stats(self, scope: Scope) -> tuple[int, bytes]:
        """A STATS and its request number."""
        return self._ask(Kind.STATS, messages.encode_stats_asked(messages.Stats(scope)), Request(Kind.STATS_OK))

    def send_ledger(self, question: Question) -> tuple[int, bytes]:
        """A LEDGER and its request number."""
        return self._ask(Kind.LEDGER, encode_question(question), Request(Kind.LEDGER_OK))

    def send_upgrade(self, salt: bytes) -> tuple[int, bytes]:
        """A SET_VERIFIER of the same password without the digest, and its request number; 16 fresh random bytes."""
        if not self.upgrade_due or not isinstance(self._token, Password):
            raise LocalProtocolError("there is no digest to replace")
        kdf = self._kdf._replace(prehash=NO_PREHASH)
        verifier = scram.make_password_verifier(self._token.text, salt, kdf)
        body = verifiers.encode_set_verifier(verifiers.SetVerifier(verifier))
        return self._ask(Kind.SET_VERIFIER, body, Request(Kind.SET_VERIFIER_OK))

    def is_under_way(self, request: int) -> bool:
        """True until the last answer to a request was read."""
        return request in self._requests

    def send_cancel(self, request: int) -> bytes:
        """A CANCEL of a SYNC under way; pages, or an ERROR, may still come for it."""
        under_way = self._requests.get(request)
        if under_way is None or under_way.reply is not Kind.PAGE:
            raise LocalProtocolError(f"request {request} is no sync under way")
        return self._send(Kind.CANCEL, 0, messages.encode_cancel(messages.Cancel(request)))

    def send_pong(self, request: int, payload: bytes) -> bytes:
        """The answer to a PING of the server's."""
        return self._send(Kind.PONG, request, payload)

    def send_ping(self, payload: bytes = b"") -> tuple[int, bytes]:
        """A PING of at most 8 bytes and its request number."""
        return self._ask(Kind.PING, payload[: limits.PING_BYTES], Request(Kind.PONG))

    def _salt(self, token: Token | Password, salt: bytes) -> bytes:
        """SaltedPassword."""
        if isinstance(token, Token):
            return scram.salted_token(token.secret, salt)
        return salted_password(token.text, salt, self._kdf)

    def _ask(self, kind: Kind, body: bytes, request: Request) -> tuple[int, bytes]:
        if len(self._requests) >= limits.OUTSTANDING:
            raise LocalProtocolError(f"at most {limits.OUTSTANDING} requests may be under way")
        data = self._send(kind, self._last + 1, body)
        self._last += 1
        self._requests[self._last] = request
        return self._last, data

    def _next(self) -> ClientEvent | None:
        if self._channel is None:
            return None if self._over else self._read_greeting()
        message = self._channel.receive()
        return self._event(message) if message else None

    def _read_greeting(self) -> ClientEvent | None:
        greeting = read_announced(bytes(self._buffer))
        if greeting is None:
            return None
        if isinstance(greeting, Refusal):
            self._over = True
            return seen.Refused(greeting)
        self._greet(Step.HELLO_OK, Role.SERVER)
        hello = messages.decode_hello_ok(self._handshake.read(greeting))
        if hello.version != 1 or hello.compress not in self._compress:
            raise RemoteProtocolError("the server chose what was not offered", Code.VERSION)
        if self._first:
            self._challenge = scram.read_server_first(hello.scram, self._first)
            self._kdf = hello.kdf
            if self._challenge.iterations != self._kdf.iterations:
                raise RemoteProtocolError("the challenge does not have the iterations it names")
            if isinstance(self._token, Password):
                check_kdf(self._kdf)
                if len(self._challenge.salt) < scram.SALT_BYTES:
                    raise RemoteProtocolError(f"a salt has {scram.SALT_BYTES} bytes at least", Code.INVALID)
            elif self._kdf != OF_TOKENS:
                raise RemoteProtocolError("a token's login has one iteration")
            self._exchange = Exchange(self._first, hello.scram)
        del self._buffer[: 2 + len(greeting)]
        self._open(Role.CLIENT, self._handshake.transport(), Method[hello.compress.upper()])
        return seen.Connected(hello.version, hello.compress)

    def _event(self, message: Inbound) -> ClientEvent:
        kind, number, body = message
        if kind == Kind.AUTH_OK:
            return self._verified(messages.decode_auth_ok(body))
        if kind == Kind.BYE:
            return seen.ByeReceived(messages.decode_bye(body).reason)
        if kind == Kind.ERROR:
            self._requests.pop(number, None)
            return seen.ErrorReceived(number, messages.decode_failure(body))
        if kind == Kind.PING:
            return self._ping(number, body)
        request = self._requests.get(number)
        if request is None or request.reply != kind:
            raise RemoteProtocolError(f"message of type {kind:#04x} answers no request", Code.BAD_STATE)
        if kind == Kind.PAGE:
            return self._page(number, request, decode_page(body))
        del self._requests[number]
        return _ANSWERS[request.reply](number, body)

    def _ping(self, number: int, payload: bytes) -> ClientEvent:
        if not self.logged_in or len(payload) > limits.PING_BYTES:
            raise RemoteProtocolError("a ping is too long, or comes before the login", Code.BAD_STATE)
        return seen.PingAsked(number, payload)

    def _verified(self, said: messages.AuthOk) -> ClientEvent:
        if not scram.signature_holds(said.scram, self._salted, self._exchange, self._proof):
            raise ImpostorError
        return seen.LoggedIn(said.user)

    def _page(self, number: int, request: Request, page: Page) -> ClientEvent:
        last = not page.more or request.pages == 1
        if last:
            del self._requests[number]
        else:
            self._requests[number] = request._replace(pages=request.pages - 1)
        return seen.PageReceived(number, page, last)
