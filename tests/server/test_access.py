"""Grants and their filters: what a user without one sees and may do, on every store."""

from __future__ import annotations

import pytest

from mailsync.core.cursor import Cursor
from mailsync.core.ledger import SITE
from mailsync.core.model import CustomerId, MediaId, Scope
from mailsync.core.outcome import Result
from mailsync.server.access import GROUP_KIND, USER_KIND, Access, Grant, Principal, is_filter, matches, parse_grant
from mailsync.server.administration import PASSWORD
from mailsync.server.pages import PageCache
from mailsync.server.store import YOURS, LoadRow, RequestError
from mailsync.wire.compression import Method
from mailsync.wire.errors import Code
from mailsync.wire.messages import Sync
from mailsync.wire.pages import encode_page
from mailsync.wire.passwords import DEFAULT, MD5, OF_TOKENS
from mailsync.wire.scram import make_verifier, verifier_of

HASH = b"h" * 32
RUN, HOLDER = b"r" * 32, b"h" * 16
NOWHERE = Scope(CustomerId("ZZ01"), MediaId("LTO"))
VERIFIER = make_verifier(b"u" * 32, b"v" * 16)
WHO, GUEST = Principal("filter", "site", 1), Principal("guest", "site", 2)


def refused(code, call, *arguments, **named):
    with pytest.raises(RequestError) as caught:
        call(*arguments, **named)
    assert caught.value.code is code
    return str(caught.value)


@pytest.mark.parametrize(
    ("filters", "name", "matched"),
    [
        ("US01", "US01", True),
        ("US01", "US0", False),
        ("US01", "us01", False),
        ("US*", "US", True),
        ("US*", "AUS1", False),
        ("*", "X", True),
        ("?", "", False),
        ("U?01", "US01", True),
        ("*1", "U111", True),
        ("*01*01", "0101", True),
        ("*01*01", "010", False),
        ("A*B*C", "AXBYBZC", True),
        ("A*B*C", "AXBYBZ", False),
        ("DE*,US*", "US01", True),
        ("DE*,US*", "FR01", False),
        ("**", "", True),
    ],
)
def test_a_filter_names_whole_names(filters, name, matched):
    assert matches(filters, name) is matched


def test_a_filter_of_many_stars_is_matched_at_once():
    assert not matches("*" + "A*" * 31 + "B", "A" * 10)


@pytest.mark.parametrize(
    "text", ["", "US*", ":write", "US*:", "US*:own", "US*:none", "US .:read", "a,,b:read", "*" * 65 + ":read"]
)
def test_what_is_no_grant_is_none(text):
    assert parse_grant(text) is None


def test_a_grant_is_a_filter_and_an_access():
    assert parse_grant("US*,DE??:alter") == ("US*,DE??", Access.ALTER)
    assert is_filter("A-1*")


class TestGrants:
    @pytest.fixture
    def guest(self, library):
        library.add_token("guest", VERIFIER, 2)
        return GUEST

    def grant(self, library, access, customers="US*"):
        library.add_grant(Grant(USER_KIND, "guest", customers, access))

    def test_a_token_without_a_grant_may_do_nothing(self, library, guest, scope, make_batch, move):
        unknown = refused(Code.NO_SUCH_SCOPE, library.sync, NOWHERE, Cursor(), 0, 10, GUEST)
        told = refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        assert told == unknown.replace(str(NOWHERE), str(scope))
        refused(Code.NO_SUCH_SCOPE, library.stats, scope, GUEST)
        refused(Code.NO_SUCH_SCOPE, library.apply, make_batch(move("A1", "OFFS")), HASH, guest, 5)
        assert library.scopes(GUEST) == ()
        assert library.batches(scope) == ()

    def test_read_follows_and_does_not_write(self, library, guest, scope, make_batch, move):
        self.grant(library, Access.READ)
        assert len(library.sync(scope, Cursor(), 0, 10, GUEST).rows) == 9
        assert library.stats(scope, GUEST).volumes == 9
        assert [one.scope for one in library.scopes(GUEST)] == [scope]
        refused(Code.FORBIDDEN, library.apply, make_batch(move("A1", "OFFS")), HASH, guest, 5)

    def test_a_grant_is_for_the_customers_its_filter_names(self, library, guest, scope, make_batch, move):
        self.grant(library, Access.WRITE, "DE*")
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        self.grant(library, Access.WRITE, "DE*,US01")
        assert library.apply(make_batch(move("A1", "OFFS")), HASH, guest, 5).results[0].result is Result.OK

    def test_a_grant_taken_back_ends_at_once(self, library, guest, scope, make_batch, move):
        self.grant(library, Access.WRITE)
        library.apply(make_batch(move("A1", "OFFS")), HASH, guest, 5)
        library.add_grant(Grant(USER_KIND, "guest", "US*", Access.READ))
        refused(Code.FORBIDDEN, library.apply, make_batch(move("A2", "OFFS"), id=b"batch-0000000002"), HASH, guest, 5)
        library.remove_grant(USER_KIND, "guest", "US*")
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        refused(Code.INVALID, library.remove_grant, USER_KIND, "guest", "US*")

    def test_who_sent_a_batch_hears_its_outcome_whatever_was_granted_since(self, library, who, guest, make_batch, move):
        """The first answer may have been lost: a refusal would let its run say that nothing was done."""
        self.grant(library, Access.WRITE)
        batch = make_batch(move("A1", "OFFS"))
        outcome = library.apply(batch, HASH, guest, 5)
        library.remove_grant(USER_KIND, "guest", "US*")
        assert library.apply(batch, HASH, guest, 6) == outcome._replace(replayed=True)
        refused(Code.BATCH_ID_REUSED, library.apply, batch, b"i" * 32, guest, 6)
        library.add_token("other", VERIFIER, guest.created, grants=())
        refused(Code.NO_SUCH_SCOPE, library.apply, batch, HASH, guest._replace(user="other"), 6)
        library.add_grant(Grant(USER_KIND, "other", "US*", Access.READ))
        refused(Code.FORBIDDEN, library.apply, batch, HASH, guest._replace(user="other"), 6)
        assert library.apply(batch, HASH, who, 6).replayed
        library.revoke_token("guest", 7)
        refused(Code.FORBIDDEN, library.apply, batch, HASH, guest, 8)

    @pytest.mark.usefixtures("guest")
    def test_a_group_grants_to_its_members(self, library, scope):
        library.add_group("couriers", "who carries")
        library.add_grant(Grant(GROUP_KIND, "couriers", "US*", Access.READ))
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        library.join_group("couriers", "guest")
        library.join_group("couriers", "guest")
        assert library.sync(scope, Cursor(), 0, 10, GUEST).rows
        assert [(one.name, one.members) for one in library.groups()] == [("couriers", ("guest",))]
        assert [one.groups for one in library.users() if one.name == "guest"] == [("couriers",)]
        library.leave_group("couriers", "guest")
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        refused(Code.INVALID, library.leave_group, "couriers", "guest")

    @pytest.mark.usefixtures("guest")
    def test_a_group_that_goes_takes_its_grants_along(self, library, scope):
        library.add_group("couriers")
        library.add_grant(Grant(GROUP_KIND, "couriers", "*", Access.ALTER))
        library.join_group("couriers", "guest")
        library.remove_group("couriers")
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)
        library.add_group("couriers")
        library.join_group("couriers", "guest")
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)

    @pytest.mark.usefixtures("guest")
    def test_a_user_named_like_a_group_has_none_of_its_grants(self, library, scope):
        library.add_group("guest")
        library.add_grant(Grant(GROUP_KIND, "guest", "*", Access.READ))
        refused(Code.NO_SUCH_SCOPE, library.sync, scope, Cursor(), 0, 10, GUEST)

    def test_a_revoked_user_is_forbidden_whatever_was_granted(self, library, guest, scope, make_batch, move):
        self.grant(library, Access.ALTER)
        library.revoke_token("guest", 3)
        refused(Code.FORBIDDEN, library.sync, scope, Cursor(), 0, 10, GUEST)
        refused(Code.FORBIDDEN, library.apply, make_batch(move("A1", "OFFS")), HASH, guest, 5)
        refused(Code.FORBIDDEN, library.scopes, GUEST)

    @pytest.mark.parametrize("again", [2, 1, 9])
    def test_who_was_revoked_has_no_rights_of_whoever_gets_the_name_next(self, library, guest, make_batch, move, again):
        """Also when that is in the same second, or the clock was set back, and however often."""
        self.grant(library, Access.WRITE)
        pages, batch = PageCache(), make_batch(move("A1", "OFFS"))
        scope = batch.scope

        def requests(who):
            return (
                lambda: library.apply(batch, HASH, who, 5),
                lambda: library.sync(scope, Cursor(), 0, 10, who),
                lambda: library.footing(scope, Cursor(), who),
                lambda: pages.step(library, Sync(scope, Cursor(), 0, 10), Method.NONE, who),
                lambda: library.begin_run(RUN, HOLDER, 5, who),
                lambda: library.renew_run(RUN, HOLDER, 5, who),
                lambda: library.mark_replied(RUN, HOLDER, "operator", 5, who),
                lambda: library.release_run(RUN, HOLDER, 5, who),
                lambda: library.end_run(RUN, HOLDER, 5, who),
                lambda: library.earlier(scope, "job1", RUN, 5, who),
                lambda: library.missing(scope, (batch.id,), who),
                lambda: library.stats(scope, who),
                lambda: library.scopes(who),
            )

        gone = []
        for _ in range(3):
            now = guest._replace(created=library.login("guest")[0].created)
            for request in requests(now):
                request()
            for request in (one for before in gone for one in requests(before)):
                assert "guest may not" in refused(Code.FORBIDDEN, request)
            gone.append(now)
            library.revoke_token("guest", again)
            library.add_token("guest", VERIFIER, again)

    def test_a_run_is_lent_to_whoever_may_write_anywhere(self, library, guest):
        calls = (
            (library.begin_run, RUN, HOLDER, 5),
            (library.renew_run, RUN, HOLDER, 5),
            (library.mark_replied, RUN, HOLDER, "operator", 5),
            (library.end_run, RUN, HOLDER, 5),
        )
        for access in (Access.NONE, Access.READ):
            if access:
                self.grant(library, access)
            for call, *arguments in calls:
                refused(Code.FORBIDDEN, call, *arguments, guest)
        self.grant(library, Access.WRITE, "ZZ*")
        assert library.begin_run(RUN, HOLDER, 5, guest).state == YOURS
        library.revoke_token("guest", 6)
        refused(Code.FORBIDDEN, library.renew_run, RUN, HOLDER, 7, guest)

    def test_who_may_write_nowhere_is_told_nothing_of_the_sites_chain(self, library, guest, scope):
        def head():
            return next((head.seq, head.hash) for head in library.heads() if head.chain == SITE)

        self.grant(library, Access.READ)
        assert head()[1][:8] not in encode_page(library.sync(scope, Cursor(), 0, 100, guest))
        refused(Code.FORBIDDEN, library.begin_run, RUN, HOLDER, 5, guest)
        self.grant(library, Access.WRITE)
        assert library.begin_run(RUN, HOLDER, 5, guest)[3:] == head()

    def test_of_a_runs_batches_those_are_listed_that_the_user_may_read(self, library, guest, scope, make_batch):
        batch = make_batch(run=RUN)
        library.apply(batch, HASH, WHO, 5)
        self.grant(library, Access.WRITE, "ZZ*")
        assert library.begin_run(RUN, HOLDER, 5, guest).batches == ()
        self.grant(library, Access.READ)
        assert library.begin_run(RUN, HOLDER, 5, guest).batches == ((scope, batch.id),)

    @pytest.mark.usefixtures("guest")
    def test_a_page_kept_for_another_is_given_to_nobody_who_may_not_read_it(self, library, scope):
        pages, asked = PageCache(), Sync(scope, Cursor(), 0, 4)
        first = pages.step(library, asked, Method.NONE, WHO)
        refused(Code.NO_SUCH_SCOPE, pages.step, library, asked, Method.NONE, GUEST)
        refused(Code.NO_SUCH_SCOPE, library.footing, scope, Cursor(), GUEST)
        self.grant(library, Access.READ)
        assert pages.step(library, asked, Method.NONE, GUEST) is first
        library.remove_grant(USER_KIND, "guest", "US*")
        refused(Code.NO_SUCH_SCOPE, pages.step, library, asked, Method.NONE, GUEST)
        library.revoke_token("guest", 3)
        refused(Code.FORBIDDEN, pages.step, library, asked, Method.NONE, GUEST)
        assert pages.reads == 1

    def test_only_alter_changes_what_is_locked(self, library, guest, who, make_batch, move):
        library.load(("flags",), [LoadRow(make_batch().scope, "A1", ("L",), 2)])
        self.grant(library, Access.ALTER)
        batch = make_batch(move("A1", "OFFS"))
        assert library.apply(batch, HASH, who, 5).results[0].result is Result.FORBIDDEN
        again = batch._replace(id=b"batch-0000000002")
        assert library.apply(again, HASH, guest, 6).results[0].result is Result.OK

    @pytest.mark.usefixtures("guest")
    def test_every_grant_is_listed_and_what_is_none_refused(self, library):
        self.grant(library, Access.READ)
        assert [(one.holder, str(one)) for one in library.grants()] == [("filter", "*:write"), ("guest", "US*:read")]
        refused(Code.INVALID, self.grant, library, Access.READ, "U S")
        refused(Code.INVALID, self.grant, library, Access.NONE)
        refused(Code.INVALID, library.add_grant, Grant(USER_KIND, "nobody", "*", Access.READ))
        refused(Code.INVALID, library.add_grant, Grant(GROUP_KIND, "guest", "*", Access.READ))
        refused(Code.INVALID, library.add_grant, Grant("role", "guest", "*", Access.READ))

    def test_a_token_that_cannot_be_granted_is_not_added(self, library):
        refused(Code.INVALID, library.add_token, "next", VERIFIER, 2, grants=(("U S", Access.READ),))
        assert library.verifier("next") is None


class TestUsers:
    OF_ANN = verifier_of(b"v" * 16, b"p" * 32, DEFAULT._replace(prehash=MD5))

    def test_a_password_user_is_kept_with_what_its_login_needs(self, library):
        library.add_user("ann", self.OF_ANN, 2, email="ann@example.com")
        assert library.verifier("ann") == self.OF_ANN
        assert library.verifier("filter").kdf == OF_TOKENS
        (ann, _) = library.users()
        assert ann[:5] == ("ann", PASSWORD, "ann@example.com", 2, 0)

    def test_a_password_is_never_taken_for_a_token(self, library):
        library.add_user("ann", self.OF_ANN, 2)
        assert [one.name for one in library.tokens()] == ["filter"]
        assert not library.revoke_token("ann", 3)
        refused(Code.INVALID, library.add_token, "bob", self.OF_ANN, 2)

    def test_a_name_and_an_address_belong_to_one_user(self, library):
        refused(Code.INVALID, library.add_user, "filter", self.OF_ANN, 2)
        library.add_user("ann", self.OF_ANN, 2, email="ann@example.com")
        refused(Code.INVALID, library.add_user, "bob", self.OF_ANN, 2, email="ann@example.com")
        refused(Code.INVALID, library.add_user, "bob", self.OF_ANN, 2, email="no address")
        library.add_user("bob", self.OF_ANN, 2)

    def test_a_new_password_takes_the_place_of_the_old_one(self, library):
        library.add_user("ann", self.OF_ANN, 2)
        ann, better = Principal("ann", "site", 2), verifier_of(b"x" * 16, b"q" * 32, DEFAULT)
        old, new = self.OF_ANN.stored_key, better.stored_key
        library.set_verifier(better, ann, 3, instead_of=old)
        assert library.verifier("ann") == better
        refused(Code.FORBIDDEN, library.set_verifier, self.OF_ANN, ann, 3, instead_of=old)
        refused(Code.INVALID, library.set_verifier, VERIFIER, ann, 3, instead_of=new)
        machine = library.verifier("filter").stored_key
        refused(Code.FORBIDDEN, library.set_verifier, better, WHO, 3, instead_of=machine)
        library.revoke_user("ann", 4)
        refused(Code.FORBIDDEN, library.set_verifier, better, ann, 5, instead_of=new)
        assert library.verifier("ann") is None

    def test_who_was_revoked_replaces_no_password_of_whoever_gets_the_name_next(self, library):
        """Also when that is the same person, with what was proved before: an imported digest, say."""
        better, old = verifier_of(b"x" * 16, b"q" * 32, DEFAULT), self.OF_ANN.stored_key
        library.add_user("ann", self.OF_ANN, 2, email="ann@example.com")
        library.revoke_user("ann", 2)
        library.add_user("ann", self.OF_ANN, 2, email="ann@example.com")
        refused(Code.FORBIDDEN, library.set_verifier, better, Principal("ann", "site", 2), 3, instead_of=old)
        login, _ = library.login("ann@example.com")
        assert login.verifier == self.OF_ANN
        library.set_verifier(better, Principal("ann", "site", login.created), 3, instead_of=old)
        assert library.verifier("ann") == better

    def test_what_is_administered_is_in_the_sites_chain(self, library):
        library.add_group("couriers")
        library.add_grant(Grant(GROUP_KIND, "couriers", "US*", Access.READ))
        library.remove_grant(GROUP_KIND, "couriers", "US*")
        kinds = [entry.kind for entry, _ in library.chain("site")]
        assert kinds[-3:] == ["group", "grant", "grant removed"]
        assert list(library.verify()) == []
