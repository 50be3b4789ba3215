"""The server's end of MSYN/1: asks its caller for keys and verifiers, and hands out requests with numbers to answer.

It stops reading at a question until that is answered, so a request behind an AUTH is never seen before the login
holds. Keys and users that do not exist take the same path as those that do, with values made from the static key.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.core.cursor import Page
from mailsync.core.outcome import Outcome
from mailsync.wire import events as seen
from mailsync.wire import limits, messages, verifiers
from mailsync.wire.batches import decode_apply, encode_outcome, request_hash
from mailsync.wire.challenge import Challenge
from mailsync.wire.channel import Inbound
from mailsync.wire.compression import Method, Packed, available, choose
from mailsync.wire.end import End, Request
from mailsync.wire.errors import Code, LocalProtocolError, Refusal, RemoteProtocolError
from mailsync.wire.events import ServerEvent
from mailsync.wire.figures import ScopeList, ScopeStats, encode_scopes, encode_stats
from mailsync.wire.ledger import Answer, decode_question, encode_answer
from mailsync.wire.messages import Failure, Kind
from mailsync.wire.noise import KEY_BYTES, Handshake, Keys, derive_psk, unknown_psk
from mailsync.wire.pages import pack_page
from mailsync.wire.passwords import OF_TOKENS, Kdf
from mailsync.wire.preamble import SUITES, Preamble, announce, read_announced, read_preamble
from mailsync.wire.runs import RunLease, decode_run, encode_lease
from mailsync.wire.scram import Verifier
from mailsync.wire.states import Role, State, Step


class ServerSession(End[ServerEvent]):
    """A server's end. `static` is its 32-byte private key, which also makes up users and keys that do not exist."""

    def __init__(self, *, static: bytes, random: bytes, compress: Sequence[str] | None = None) -> None:
        super().__init__(random)
        self.key_id = ""
        self.user = ""
        self._static = static
        self._compress = tuple(available() if compress is None else compress)
        self._preamble: Preamble | None = None
        self._message = b""
        self._handshake: Handshake | None = None
        self._hello: messages.Hello | None = None
        self._challenge: Challenge | None = None
        self._waiting = False
        self._pings = 0
        self._requests: dict[int, Request] = {}
        self._last = 0
        self._pinged = self._ponged = 0

    @property
    def login(self) -> str:
        """How the client means to log on (`token` or `password`); empty before it says so, and when it only pings."""
        return self._hello.login if self._hello else ""

    @property
    def stored_key(self) -> bytes:
        """Of the verifier that the client proved: what its SET_VERIFIER may replace, and nothing that came since."""
        return self._challenge.stored_key if self._challenge else b""

    @property
    def method(self) -> Method:
        """How bodies are compressed on this connection."""
        return self._channel.method if self._channel else Method.NONE

    def accept_key(self, secret: bytes | None, static: bytes = b"") -> None:
        """Answers KeyAsked with the key's secret, None for an id nobody has; both fail alike: RemoteProtocolError.

        `static` is the private key that the client's key was made for, where that is an earlier one.
        """
        if self._preamble is None or not self._waiting or self._handshake is not None:
            raise LocalProtocolError("no key was asked for")
        key_id = self._preamble.key_id
        psk = unknown_psk(self._static, key_id) if secret is None else derive_psk(secret, key_id)
        keys = Keys(self._ephemeral, psk, static or self._static)
        pattern = SUITES[self._preamble.suite]
        self._handshake = Handshake(pattern, self._preamble.prologue(), keys, initiator=False)
        try:
            self._hello = self._checked(messages.decode_hello(self._handshake.read(self._message)))
        except RemoteProtocolError as error:
            self._error = error
            raise
        self._waiting = False

    def offer_login(
        self, verifier: Verifier | None, mix: Sequence[Kdf] = (), account: str = "", overdue: Failure | None = None
    ) -> bytes:
        """Answers LoginAsked with what is stored for the user, None for a user nobody knows: Noise message 2.

        `mix` has how each of the site's passwords is protected, for users that do not exist to look like them.
        `account` is the user's name where the client may have given its e-mail address, and `overdue` is what a right
        proof is answered with instead of AUTH_OK.
        """
        if self._hello is None or self._handshake is None or not self._waiting or self._channel is not None:
            raise LocalProtocolError("no login was asked for")
        said = ""
        kdf = OF_TOKENS
        if self._challenge is not None:
            said = self._challenge.put(self._nonce, verifier, mix, account, overdue)
            kdf = self._challenge.kdf
        method = choose(self._hello.compress, self._compress)
        hello = messages.HelloOk(1, method.name.lower(), said, kdf)
        self._greet(Step.HELLO_OK, Role.SERVER)
        data = announce(self._handshake.write(messages.encode_hello_ok(hello)))
        self._open(Role.SERVER, self._handshake.transport(), method)
        self._waiting = False
        return data

    def answer_login(self) -> bytes:
        """Answers LoginProved: AUTH_OK, or ERROR 201 or 203 and the session is closed."""
        if self._challenge is None or self._state is not State.PROVING or not self._waiting:
            raise LocalProtocolError("no login was proved")
        self._waiting = False
        if self._challenge.refusal is not None:
            return self.send_error(0, self._challenge.refusal)
        self.user = self._challenge.account
        said = messages.AuthOk(self._challenge.signature(), self.user)
        return self._send(Kind.AUTH_OK, 0, messages.encode_auth_ok(said))

    def send_page(self, request: int, page: Page) -> bytes:
        """One page of the answer to a SYNC: send them until `more` is False or as many as it asked for are sent."""
        return self.send_packed(request, pack_page(page, self.method), more=page.more)

    def send_packed(self, request: int, packed: Packed, *, more: bool) -> bytes:
        """The same of a page packed before by `pages.pack_page`, for this connection's `method`."""
        asked = self._asked(request, Kind.PAGE)
        data = self._send(Kind.PAGE, request, packed)
        if more and asked.pages > 1:
            self._requests[request] = asked._replace(pages=asked.pages - 1)
        else:
            del self._requests[request]
        return data

    def send_outcome(self, request: int, outcome: Outcome) -> bytes:
        """The answer to an APPLY."""
        return self._reply(request, Kind.APPLY_OK, encode_outcome(outcome))

    def send_lease(self, request: int, lease: RunLease) -> bytes:
        """The answer to a RUN."""
        return self._reply(request, Kind.RUN_OK, encode_lease(lease))

    def send_scopes(self, request: int, found: ScopeList) -> bytes:
        """The answer to a SCOPES."""
        return self._reply(request, Kind.SCOPES_OK, encode_scopes(found))

    def send_stats(self, request: int, stats: ScopeStats) -> bytes:
        """The answer to a STATS."""
        return self._reply(request, Kind.STATS_OK, encode_stats(stats))

    def send_ledger(self, request: int, answer: Answer) -> bytes:
        """The answer to a LEDGER."""
        return self._reply(request, Kind.LEDGER_OK, encode_answer(answer))

    def send_verifier_set(self, request: int) -> bytes:
        """The answer to a SET_VERIFIER."""
        return self._reply(request, Kind.SET_VERIFIER_OK, b"{}")

    def send_pong(self, request: int, payload: bytes) -> bytes:
        """The answer to a PING."""
        return self._reply(request, Kind.PONG, payload)

    def send_ping(self) -> bytes:
        """A PING of the server's own, to a client that has been silent."""
        if not self.logged_in:
            raise LocalProtocolError("a client is not pinged before it has logged on")
        self._pinged += 1
        return self._send(Kind.PING, self._pinged, b"")

    def send_error(self, request: int, failure: Failure) -> bytes:
        """An ERROR instead of an answer; request 0 is the connection's own and closes it."""
        self._requests.pop(request, None)
        step = Step.ERROR if request else Step.FATAL
        return self._send(Kind.ERROR, request, messages.encode_failure(failure), step=step)

    def refuse(self, error: RemoteProtocolError) -> bytes:
        """The last bytes after an error of the peer, or before any key exists; often none. Then close."""
        self._error, earlier = None, self._error
        try:
            return self._refusal(earlier or error)
        finally:
            self._error = earlier or error

    def _refusal(self, error: RemoteProtocolError) -> bytes:
        if self._channel is None:
            refusals = {Code.VERSION: Refusal.VERSION, Code.BUSY: Refusal.BUSY}
            refusal = refusals.get(error.code, Refusal.NO if self._handshake else None)
            return bytes((0, 0, refusal)) if refusal else b""
        if error.code is Code.SILENT or self.closed:
            return b""
        return self.send_error(0, Failure(error.code, str(error)))

    def _asked(self, request: int, reply: Kind) -> Request:
        found = self._requests.get(request)
        if found is None or found.reply is not reply:
            raise LocalProtocolError(f"request {request} does not wait for {reply.name}")
        return found

    def _reply(self, request: int, kind: Kind, body: bytes) -> bytes:
        self._asked(request, kind)
        data = self._send(kind, request, body)
        del self._requests[request]
        return data

    def _next(self) -> ServerEvent | None:
        if self._waiting:
            return None
        if self._hello is None:
            return self._read_start()
        if self._channel is None:
            self._waiting = True
            return seen.LoginAsked(self._challenge.user if self._challenge else "")
        message = self._channel.receive()
        return self._event(message) if message else None

    def _read_start(self) -> ServerEvent | None:
        if self._preamble is None:
            self._preamble = read_preamble(bytes(self._buffer))
            if self._preamble is None:
                return None
            self.key_id = self._preamble.key_id
            del self._buffer[: len(self._preamble.encode())]
        message = read_announced(bytes(self._buffer))
        if message is None:
            return None
        if isinstance(message, Refusal):
            raise RemoteProtocolError("a client does not refuse", Code.SILENT)
        self._greet(Step.HELLO, Role.CLIENT)
        self._message = message
        del self._buffer[: 2 + len(message)]
        self._waiting = True
        return seen.KeyAsked(self.key_id, message[:KEY_BYTES])

    def _checked(self, hello: messages.Hello) -> messages.Hello:
        if not hello.versions[0] <= 1 <= hello.versions[1]:
            raise RemoteProtocolError("client does not speak version 1", Code.VERSION)
        if hello.scram:
            self._challenge = Challenge(self._static, hello.login, hello.scram)
        return hello

    def _event(self, message: Inbound) -> ServerEvent:
        kind, number, body = message
        if kind == Kind.AUTH:
            return self._prove(messages.decode_auth(body))
        if kind == Kind.BYE:
            return seen.ByeReceived(messages.decode_bye(body).reason)
        if kind == Kind.CANCEL:
            return seen.CancelAsked(messages.decode_cancel(body).request)
        if kind == Kind.PONG:
            return self._pong(number, body)
        if number <= self._last or len(self._requests) >= limits.OUTSTANDING:
            raise RemoteProtocolError("requests are not numbered upwards, or too many are under way", Code.TOO_LARGE)
        self._last = number
        return self._request(kind, number, body)

    def _request(self, kind: int, number: int, body: bytes) -> ServerEvent:
        event: ServerEvent
        match kind:
            case Kind.SYNC:
                sync = messages.decode_sync(body)
                event, request = seen.SyncAsked(number, sync), Request(Kind.PAGE, sync.pages)
            case Kind.APPLY:
                event = seen.ApplyAsked(number, decode_apply(body), request_hash(body))
                request = Request(Kind.APPLY_OK)
            case Kind.RUN:
                event, request = seen.RunAsked(number, decode_run(body)), Request(Kind.RUN_OK)
            case Kind.SCOPES:
                after = messages.decode_scopes_asked(body).after
                event, request = seen.ScopesAsked(number, after), Request(Kind.SCOPES_OK)
            case Kind.STATS:
                scope = messages.decode_stats_asked(body).scope
                event, request = seen.StatsAsked(number, scope), Request(Kind.STATS_OK)
            case Kind.LEDGER:
                event, request = seen.LedgerAsked(number, decode_question(body)), Request(Kind.LEDGER_OK)
            case Kind.SET_VERIFIER:
                verifier = verifiers.decode_set_verifier(body).verifier
                event, request = seen.SetVerifierAsked(number, verifier), Request(Kind.SET_VERIFIER_OK)
            case Kind.PING:
                return self._ping(number, body)
            case _:
                return seen.UnknownAsked(number, kind)
        self._requests[number] = request
        return event

    def _ping(self, number: int, payload: bytes) -> ServerEvent:
        self._pings += not self.logged_in
        if len(payload) > limits.PING_BYTES or self._pings > limits.LOGIN_PINGS:
            raise RemoteProtocolError("a ping is too long, or one too many before the login", Code.TOO_LARGE)
        self._requests[number] = Request(Kind.PONG)
        return seen.PingAsked(number, payload)

    def _pong(self, number: int, payload: bytes) -> ServerEvent:
        if not self._ponged < number <= self._pinged or payload:
            raise RemoteProtocolError("a pong answers no ping", Code.BAD_STATE)
        self._ponged = number
        return seen.PongReceived(number, payload)

    def _prove(self, auth: messages.Auth) -> ServerEvent:
        if self._challenge is None:
            raise RemoteProtocolError("no login was announced", Code.BAD_STATE)
        accepted = self._challenge.take(auth.scram, self._binding)
        self._waiting = True
        return seen.LoginProved(self._challenge.account, accepted)
