"""Logins by another name, digests whose day is over, new passwords, and tokens that follow others: in every store."""

from __future__ import annotations

import json

import pytest
from listening import KEY, RING, TOKEN

from mailsync.core.cursor import Cursor
from mailsync.core.errors import RefusedError
from mailsync.server.access import GROUP_KIND, Access, Grant
from mailsync.server.administration import Login
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code
from mailsync.wire.events import ErrorReceived, VerifierSet
from mailsync.wire.keys import Token, format_ring, new_client_key, with_key, with_static, with_terms, without_key
from mailsync.wire.passwords import MD5, SMALL, Password, md5_of
from mailsync.wire.scram import make_password_verifier, make_verifier

ADDRESS = "ann,b=c@example.com"
ANN = Password("ann", "correct horse")
OLD = make_password_verifier(md5_of(ANN.text), b"s" * 16, SMALL._replace(prehash=MD5))
NEW = make_password_verifier("another", b"n" * 16, SMALL)
FAR = 2**40  # a time that is not over


def refusal(served, login):
    """The code that a login is refused with."""
    with served.link(token=login) as link, pytest.raises(RefusedError) as refused:
        link.ping()
    return str(refused.value)


def test_an_address_is_another_name_of_its_user(serve, library, scope):
    library.add_user("ann", NEW, 1, email=ADDRESS, grants=(("*", Access.READ),))
    served = serve()
    with served.link(token=Password(ADDRESS, "another")) as link:
        assert list(link.sync(scope, Cursor(), 0))
    served.stop()
    assert " user=ann " in served.log[-1]
    assert library.login(ADDRESS) == library.login("ann") == (Login("ann", NEW, 0, 1), (NEW.kdf,))
    for nobody in ("", "an", "ann,b=c@example.net", "ANN,b=c@example.com"):
        assert library.login(nobody)[0] is None
    library.revoke_user("ann", 2)
    assert library.login(ADDRESS) == (None, ())


def test_a_digest_whose_day_is_over_is_refused_after_a_right_proof_and_only_then(serve, library):
    library.add_user("ann", OLD, 1, upgrade_by=1, grants=(("*", Access.WRITE),))
    served = serve(hold=0)
    for right in (ANN, ANN._replace(text=md5_of(ANN.text))):
        assert "the imported MD5 of this password is not enough any more" in refusal(served, right)
    wrong = refusal(served, ANN._replace(text="wrong"))
    assert wrong == refusal(served, Password("nobody", "wrong"))
    assert library.verifier("ann") == OLD, "who knows the digest alone knows as much as who knows the password"
    library.set_password("ann", NEW)
    with served.link(token=ANN._replace(text="another")) as link:
        assert list(link.scopes())
    assert library.login("ann")[0].upgrade_by == 0


def test_a_digest_is_enough_until_its_day_is_over(serve, library):
    library.add_user("ann", OLD, 1, upgrade_by=FAR, grants=(("*", Access.WRITE),))
    (user,) = (one for one in library.users() if one.name == "ann")
    assert (user.digest, user.upgrade_by) == (True, FAR)
    with serve().link(token=ANN) as link:
        assert list(link.scopes())
        link.ping()
    (user,) = (one for one in library.users() if one.name == "ann")
    assert (user.digest, user.upgrade_by) == (False, 0)


def test_who_logged_on_before_a_new_password_was_given_cannot_replace_it(serve, talk, library):
    """Somebody has the digest of an imported table, and an administrator hears of it."""
    library.add_user("ann", OLD, 1, grants=(("*", Access.WRITE),))
    thief = talk(serve(), token=ANN).log_in()
    library.set_password("ann", NEW)
    thief.socket.sendall(thief.session.send_upgrade(b"u" * 16)[1])
    event = thief.event()
    assert isinstance(event, ErrorReceived)
    assert event.failure.code == Code.FORBIDDEN
    assert library.verifier("ann") == NEW


def test_a_password_is_replaced_by_who_logged_on_with_it(serve, talk, library):
    library.add_user("ann", OLD, 1, upgrade_by=FAR)
    talker = talk(serve(), token=ANN).log_in()
    talker.socket.sendall(talker.session.send_upgrade(b"u" * 16)[1])
    assert isinstance(talker.event(), VerifierSet)
    assert library.verifier("ann").salt == b"u" * 16


def test_a_new_password_ends_no_open_connection_and_a_revocation_does(serve, library, scope):
    """Also of whoever gave it by logging on with a digest."""
    library.add_user("ann", OLD, 1, upgrade_by=FAR, grants=(("*", Access.READ),))
    served = serve()
    with served.link(token=ANN) as first, served.link(token=ANN) as second:
        for link in (first, second):
            assert list(link.scopes())
            link.ping()  # what the login replaces is replaced by then
        assert library.verifier("ann") != OLD
        library.set_password("ann", NEW)
        for link in (first, second):
            assert list(link.sync(scope, Cursor(), 0))
        library.revoke_user("ann", 2)
        library.add_user("ann", NEW, 2)
        for link in (first, second):
            with pytest.raises(RefusedError, match="ann may not read"):
                list(link.sync(scope, Cursor(), 0))


def test_only_a_live_users_password_is_set(library):
    library.add_user("ann", OLD, 1)
    library.revoke_user("ann", 2)
    for user in ("ann", "filter", "nobody"):
        with pytest.raises(RequestError) as refused:
            library.set_password(user, NEW)
        assert refused.value.code is Code.FORBIDDEN


class TestRotatedTokens:
    SECOND = Token("filter.2", b"2" * 32)
    PROOF = make_verifier(SECOND.secret, b"v" * 16)

    def test_the_new_one_may_do_what_the_old_one_may_which_stays_until_it_is_revoked(self, serve, library, scope):
        library.add_group("couriers")
        library.add_grant(Grant(GROUP_KIND, "couriers", "DE*", Access.READ))
        library.join_group("couriers", "filter")
        library.rotate_token("filter", "filter.2", self.PROOF, 5)
        served = serve()
        for token in (TOKEN, self.SECOND):
            with served.link(token=token) as link:
                assert list(link.sync(scope, Cursor(), 0))
        library.revoke_token("filter", 6)
        refusal(served, TOKEN)
        with served.link(token=self.SECOND) as link:
            assert list(link.sync(scope, Cursor(), 0))
        groups = {one.name: one.groups for one in library.users()}
        assert groups == {"filter": ("couriers",), "filter.2": ("couriers",)}
        held = {one.holder: str(one) for one in library.grants()}
        assert held == {"filter": "*:write", "filter.2": "*:write", "couriers": "DE*:read"}
        entries = [entry for entry, _ in library.chain("site")]
        (entry,) = (one for one in entries if one.kind == "token rotated")
        assert json.loads(entry.payload) == {"user": "filter", "successor": "filter.2"}
        assert list(library.verify()) == []

    @pytest.mark.parametrize(("user", "new"), [("nobody", "x"), ("gone", "x"), ("ann", "x"), ("filter", "gone")])
    def test_what_cannot_be_rotated_changes_nothing(self, library, user, new):
        library.add_user("ann", NEW, 1)
        library.add_token("gone", self.PROOF, 1, grants=(("DE*", Access.WRITE),))
        library.revoke_token("gone", 2)
        before = library.users(), library.grants()
        with pytest.raises(RequestError):
            library.rotate_token(user, new, self.PROOF, 3)
        assert (library.users(), library.grants()) == before

    def test_a_password_does_not_follow_a_token(self, library):
        with pytest.raises(RequestError):
            library.rotate_token("filter", "x", NEW, 3)


class TestTheRing:
    @pytest.fixture
    def store_url(self, tmp_path):
        """Nothing here is about the kind of store."""
        return f"sqlite:{tmp_path / 'server.db'}"

    def test_a_new_static_key_is_changed_over_to_without_a_restart(self, serve, ring_path):
        served, old = serve(), with_key(RING, KEY)
        changed = with_static(old, b"N" * 32)
        second = new_client_key(changed, "site.2", b"L" * 32)
        assert second.server != KEY.server
        both = with_key(changed, second)
        ring_path.write_text(format_ring(both))
        for key in (KEY, second):
            served.link(key=key).close()
        with pytest.raises(RefusedError, match="refused the key"):
            served.link(key=second._replace(server=KEY.server))
        ring_path.write_text(format_ring(without_key(both, "site")))
        assert "static=" not in ring_path.read_text(), "the old static key is gone with its last key"
        with pytest.raises(RefusedError, match="refused the key"):
            served.link(key=KEY)
        served.link(key=second).close()

    @pytest.mark.parametrize(
        ("networks", "fits"),
        [(("127.0.0.1",), True), (("192.0.2.0/24", "127.0.0.0/8"), True), (("192.0.2.0/24", "2001:db8::/32"), False)],
    )
    def test_a_key_opens_connections_from_its_networks_alone(self, serve, ring_path, networks, fits):
        ring_path.write_text(format_ring(with_terms(with_key(RING, KEY), "site", (), networks)))
        served = serve()
        if fits:
            served.link().close()
        else:
            with pytest.raises(RefusedError, match="refused the key"):
                served.link()

    def test_over_a_key_only_its_users_log_on_by_whatever_name(self, serve, library, ring_path):
        library.add_user("ann", NEW, 1, email=ADDRESS)
        ring_path.write_text(format_ring(with_terms(with_key(RING, KEY), "site", ("ann",), ())))
        served = serve()
        for name in ("ann", ADDRESS):
            with served.link(token=Password(name, "another")) as link:
                assert not list(link.scopes())
        assert refusal(served, TOKEN) == refusal(served, Token("nobody", TOKEN.secret))
