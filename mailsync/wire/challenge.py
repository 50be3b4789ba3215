"""A login at the server's end: what a client announced, what it is challenged with, and whether its proof is enough.

asked for                          challenged with            a right proof is answered with
a live user, by name or address    its own salt and kdf       AUTH_OK
an imported MD5 beyond its day     its own salt and kdf       what `overdue` says, ERROR 203
nobody, or by the wrong way        made up, always the same   there is none: ERROR 201, as for a wrong proof

The made-up values are computed for everybody, so that whoever asks costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.wire import scram
from mailsync.wire.errors import Code
from mailsync.wire.messages import Failure
from mailsync.wire.passwords import OF_TOKENS, TOKEN, Kdf
from mailsync.wire.scram import Exchange, Verifier

_WRONG = Failure(Code.AUTH_FAILED, "user, token or password is wrong")


class Challenge:
    """One login, from the client's announcement on. `secret` makes up users that do not exist.

    Raises RemoteProtocolError for an announcement that is none.
    """

    def __init__(self, secret: bytes, login: str, said: str) -> None:
        self.user, self._nonce = scram.read_login(login, said)
        self.account = self.user
        self._secret, self._by_token = secret, login == TOKEN
        self._first = said.removeprefix(scram.GS2)
        self._verifier = Verifier(b"", b"", b"")  # until `put`: nothing proves it
        self._overdue: Failure | None = None
        self._exchange = Exchange("", "")
        self._proof, self._proved = "", False

    @property
    def kdf(self) -> Kdf:
        """What the client's secret goes through."""
        return self._verifier.kdf

    @property
    def stored_key(self) -> bytes:
        """Of the verifier that is proved."""
        return self._verifier.stored_key

    def put(
        self, nonce: bytes, verifier: Verifier | None, mix: Sequence[Kdf], account: str, overdue: Failure | None
    ) -> str:
        """The server's first message; the arguments are those of ServerSession.offer_login, and a fresh nonce."""
        # Made for those who exist, too: whoever asks costs the same.
        unknown = scram.unknown_verifier(self._secret, self.user, (OF_TOKENS,) if self._by_token else mix)
        # A token is never taken for a password, nor the other way.
        known = verifier is not None and (verifier.kdf.name == TOKEN) is self._by_token
        self._verifier = verifier if verifier is not None and known else unknown
        self.account, self._overdue = account or self.user, overdue
        said = scram.server_first(self._nonce, nonce, self._verifier)
        self._exchange = Exchange(self._first, said)
        return said

    def take(self, proof: str, binding: bytes) -> bool:
        """True when the client's proof holds, and is enough. RemoteProtocolError when it is no proof."""
        self._proof = proof
        self._proved = scram.proof_holds(proof, self._exchange, self._verifier, binding)
        return self.refusal is None

    @property
    def refusal(self) -> Failure | None:
        """Why the client is not let in; None once it is."""
        return self._overdue if self._proved else _WRONG

    def signature(self) -> str:
        """The server's own proof."""
        return scram.server_final(self._verifier, self._exchange, self._proof)
