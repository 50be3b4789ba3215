"""Key, ring and token files: round trips, and every fault cited by line without its secret."""

from __future__ import annotations

import pytest

from mailsync.core.errors import ConfigurationError
from mailsync.wire import keys

RING = keys.new_ring(bytes(range(32)))
KEY = keys.new_client_key(RING, "acme-lib1", b"k" * 32)
TOKEN = keys.new_token("filter", b"t" * 32)


def faults(parse, text):
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "keys/site.key")
    return caught.value.faults


def test_what_is_written_is_read_again():
    ring = keys.with_key(RING, KEY)
    alone = KEY._replace(server=b"")
    assert keys.parse_client_key(keys.format_client_key(KEY), "f") == KEY
    assert keys.parse_client_key(keys.format_client_key(alone), "f") == alone
    assert keys.parse_ring(keys.format_ring(ring), "f") == ring
    assert keys.parse_token(keys.format_token(TOKEN), "f") == TOKEN


def test_a_token_file_is_lower_case_base32():
    text = keys.format_token(TOKEN)
    assert text == text.lower()
    assert text.splitlines()[:2] == ["mailsync-token 1", "user: filter"]


def test_comments_and_blank_lines_say_nothing():
    text = "# made by hand\n\n" + keys.format_client_key(KEY).replace("\n", "\n\n  # note\n")
    assert keys.parse_client_key(text, "f") == KEY


def test_a_key_is_added_once_and_removed_once():
    ring = keys.with_key(RING, KEY)
    assert ring.secrets == {"acme-lib1": KEY.secret}
    assert keys.without_key(ring, "acme-lib1") == RING
    with pytest.raises(ValueError, match="already"):
        keys.with_key(ring, KEY)
    with pytest.raises(ValueError, match="not in the ring"):
        keys.without_key(RING, "acme-lib1")


@pytest.mark.parametrize("key_id", ["", "A", "a b", "x" * 33, "ä", "a\n"])
def test_a_key_id_has_1_to_32_plain_characters(key_id):
    with pytest.raises(ValueError, match="not a key id"):
        keys.new_client_key(RING, key_id, b"k" * 32)


def test_a_user_must_be_one_and_a_secret_has_32_bytes():
    with pytest.raises(ValueError, match="not a user"):
        keys.new_token("no body", b"t" * 32)
    with pytest.raises(ValueError, match="32 random bytes"):
        keys.new_token("filter", b"t" * 31)


def test_no_secret_is_in_a_repr():
    for value in (KEY, keys.with_key(RING, KEY), TOKEN):
        assert "kkk" not in repr(value)
        assert "ttt" not in repr(value)
        assert "\\x" not in repr(value)


def test_every_fault_of_a_client_key_is_cited_at_once():
    text = "mailsync-key 1\nid: Not An Id\nsecret: c2hvcnQ\nsecret: again\ncolour: blue\n"
    assert faults(keys.parse_client_key, text) == (
        "keys/site.key:5: expected one of: id:, secret:, server:",
        'keys/site.key:2: "id" is not 1 to 32 of a-z 0-9 . _ -',
        'keys/site.key:4: "secret" is given twice',
        'keys/site.key:3: "secret" is not 32 bytes in base64',
    )


def test_another_file_is_not_taken_for_a_key():
    assert faults(keys.parse_client_key, keys.format_token(TOKEN)) == (
        'keys/site.key:1: the first line must be "mailsync-key 1"',
    )
    assert faults(keys.parse_ring, "") == ('keys/site.key:1: the first line must be "mailsync-ring 1"',)


def test_every_fault_of_a_ring_is_cited_at_once():
    entry = keys.format_ring(keys.with_key(RING, KEY)).splitlines()[2]
    text = f"mailsync-ring 1\n{entry}\n{entry}\nkey: broken\n"
    assert faults(keys.parse_ring, text) == (
        'keys/site.key:1: "static" is missing',
        'keys/site.key:3: key "acme-lib1" is given twice',
        'keys/site.key:4: "key" is not an id and 32 bytes in base64',
    )


@pytest.mark.parametrize("secret", ["", "abc", "A" * 52, "1" * 52, "ä" * 52, "a" * 48, "a" * 41])
def test_a_token_that_is_none_is_cited_without_its_text(secret):
    found = faults(keys.parse_token, f"mailsync-token 1\nuser: filter\ntoken: {secret}\n")
    assert found == ('keys/site.key:3: "token" is not 32 bytes in lower-case base32',)


TERMS = keys.with_terms(keys.with_key(RING, KEY), "acme-lib1", ("filter", "ann"), ("192.0.2.0/24", "2001:db8::7"))


def test_whom_a_key_is_for_is_read_again_and_stays_with_it_under_a_new_static_key():
    assert keys.parse_ring(keys.format_ring(TERMS), "f") == TERMS
    changed = keys.with_static(TERMS, b"n" * 32)
    assert keys.parse_ring(keys.format_ring(changed), "f") == changed
    assert (changed.static, changed.secrets) == (b"n" * 32, TERMS.secrets)
    assert keys.terms_of(changed, KEY.id) == keys.terms_of(TERMS, KEY.id)._replace(static=RING.static)
    again = keys.with_static(changed, b"m" * 32)
    assert keys.terms_of(again, KEY.id).static == RING.static, "the one it was made for"
    second = keys.new_client_key(changed, "second", b"2" * 32)
    assert second.server == keys.public_key(changed.static) != KEY.server
    assert keys.with_terms(TERMS, KEY.id, (), ()) == keys.with_key(RING, KEY)._replace(terms={KEY.id: keys.ANYBODY})
    assert keys.without_key(changed, KEY.id) == keys.Ring(changed.static, {})


def test_an_earlier_static_key_is_no_more_shown_than_the_newest():
    assert "nnn" not in repr(keys.with_static(TERMS, b"n" * 32)._replace(static=b"o" * 32))
    assert "nnn" not in repr(keys.Terms(static=b"n" * 32))


@pytest.mark.parametrize("terms", [(("no body",), ()), ((), ("192.0.2.7/24",)), ((), ("vault.example.com",))])
def test_what_is_no_user_and_no_network_is_refused(terms):
    with pytest.raises(ValueError, match="is not a"):
        keys.with_terms(TERMS, KEY.id, *terms)
    with pytest.raises(ValueError, match="not in the ring"):
        keys.with_terms(TERMS, "other", (), ())


@pytest.mark.parametrize(
    "word",
    ["users=", "users=a b", "users=no/body", "addresses=x", "static=AAAA", "x=y", "users", "users=a users=b"],
)
def test_terms_that_are_none_are_cited_by_line(word):
    text = keys.format_ring(keys.with_key(RING, KEY)).rstrip()
    (fault,) = faults(keys.parse_ring, f"{text} {word}\n")
    assert fault.startswith('keys/site.key:3: key "acme-lib1" has terms that are none: users=A,B')
