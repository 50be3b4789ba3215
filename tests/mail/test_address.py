"""Exactly one plain address, or none: From decides who may move tapes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail.address import addresses, decode_words, from_address
from mailsync.mail.headers import HeaderLimits, scan_headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backup@example.com", ("backup@example.com",)),
        ("Backup Server <backup@example.com>", ("backup@example.com",)),
        ('"Server, Backup" <backup@example.com>', ("backup@example.com",)),
        ("backup@example.com (Backup (nested) Server)", ("backup@example.com",)),
        ("(c) Backup (d) <backup@example.com> (e)", ("backup@example.com",)),
        ('"evil@example.net" <backup@example.com>', ("backup@example.com",)),
        ('"a \\" quote" <backup@example.com>', ("backup@example.com",)),
        ("=?utf-8?q?B=C3=A4nder?= <backup@example.com>", ("backup@example.com",)),
        ("<backup@example.com>", ("backup@example.com",)),
        ("a@example.com, b@example.com", ("a@example.com", "b@example.com")),
        ("evil@example.net, Backup <backup@example.com>", ("evil@example.net", "backup@example.com")),
        ("", None),
        ("Backup", None),
        ("backup@example.com evil@example.net", None),
        ("a(x)b@example.com", None),
        ("<a@example.com> <b@example.com>", None),
        ("<a@example.com> b@example.com", None),
        ("<<a@example.com>>", None),
        ("group: a@example.com;", None),
        ("<@relay.example.net:a@example.com>", None),
        ('"quoted local"@example.com', None),
        ('"a"b@example.com', None),
        ("a@[192.0.2.1]", None),
        ("a@b@example.com", None),
        ("a@example.com,", None),
        ('"not closed <a@example.com>', None),
        ("(not closed <a@example.com>", None),
        ("<a@example.com", None),
        ("a@example.com\x00", None),
        ("ä@example.com", None),
        ("<>", None),
    ],
)
def test_an_address_field_is_read_strictly(text, expected):
    assert addresses(text) == expected


def _from(*fields):
    return from_address(
        scan_headers("".join(f"From: {one}\n" for one in fields).encode() + b"X: y\n\n", HeaderLimits())
    )


def test_one_from_field_with_one_address_is_the_sender_in_lower_case():
    assert _from("Backup <Backup@Example.COM>") == ("backup@example.com", "")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((), "it has no From field"),
        (("a@example.com", "a@example.com"), "it has 2 From fields"),
        (("a@example.com, b@example.com",), "its From field has 2 addresses"),
        (("nobody",), "its From field is not an address"),
        (("x" * 5_000 + " <a@example.com>",), "its From field is too long"),
    ],
)
def test_anything_else_is_no_sender_and_says_why(fields, why):
    assert _from(*fields) == ("", why)


@given(st.text(alphabet='ab@.,<>()":;\\ \x00=?', max_size=60))
@settings(max_examples=500, deadline=None)
def test_whatever_is_read_as_an_address_stands_in_the_text(text):
    for one in addresses(text) or ():
        assert one in text
        assert one.count("@") == 1
        assert not set(one) & set('<>(),;:"\\ \x00')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?B=C3=A4nder_heute?=", "Bänder heute"),
        ("=?UTF-8?B?QsOkbmRlcg==?= im Safe", "Bänder im Safe"),
        ("=?utf-8?b?QsM=?=  =?utf-8?b?pG5kZXI=?=", "Bänder"),
        ("=?iso-8859-1?q?B=E4nder?= =?utf-8?q?_=C3=A4?=", "Bänder ä"),
        ("=?utf-8*de?q?ja?=", "ja"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?unicode_escape?q?=5Cx41?=", "\\x41"),
        ("=?nonsense?q?x?=", "x"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?q?a=0D=0ABcc=3A_x?=", "a Bcc: x"),
        ("=?utf-8?q?a=E2=80=AEb?=", "a b"),
        ("Bänder".encode().decode("latin-1"), "Bänder"),
        ("B\xe4nder", "Bänder"),
        ("=?utf-7?q?+2AA-?=", ""),
    ],
)
def test_encoded_words_are_decoded_to_one_harmless_line(text, expected):
    assert decode_words(text) == expected


@given(st.text(max_size=200) | st.from_regex(r"(=\?[a-z0-9-]{1,12}\?[bqBQ]\?[!-~]{0,20}\?= ?){1,5}"))
@settings(max_examples=150, deadline=None)
def test_any_text_decodes_to_text_that_can_be_shown(text):
    shown = decode_words(text)
    shown.encode()
    assert shown == " ".join(shown.split())
    assert not any(ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 for one in shown)
