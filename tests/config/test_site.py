import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailsync.config.limits import HEADER_KEYS, ROW_KEYS, UNPACK_KEYS
from mailsync.config.route import Audience
from mailsync.config.site import Audit, Listen, Server, find_config, load_site, read_site
from mailsync.core.errors import ConfigurationError
from mailsync.core.guard import Guards
from mailsync.core.model import Scope
from mailsync.definition.mapping import RowLimits
from mailsync.mail.headers import HeaderLimits
from mailsync.mail.sender import AllOf, AnyOf, TokenOf
from mailsync.mail.unpack import UnpackLimits

ROOT = Path(__file__).parents[2]
DIGEST, OTHER = "a" * 64, "0123456789abcdef" * 4
SERVER = "server: {address: '127.0.0.1:5000', key: keys/site.key, login: keys/filter.token}\n"
ROUTE = (
    "match: {recipient: 'sync+nightly.*@example.com'}, senders: [backup@example.com], authenticate: {token: nightly}"
)
TOKENS = "tokens: {nightly: {file: nightly.tokens}}\n"
FULL = """\
server: {address: "[::1]:5000", key: keys/site.key, login: /elsewhere/filter.token}
listen: {address: "0.0.0.0:0", store: "sqlite:state/server.db", keys: keys/ring}
routes:
  nightly:
    match: {recipient: "sync+nightly.*@example.com", from: "*@example.com", subject: "*tapes*"}
    senders: ["backup@example.com", "*@tapes.example.com"]
    authenticate: {any: [{token: nightly}, {all: [{token: spare}, {token: nightly}]}]}
    definitions: [nightly-csv, other]
    scope: {customer: US01, media: LTO}
    repositories: {Library: LIBR, Off site: OFFS}
    add_unknown: true
    timezone: Europe/Berlin
    expect_every: 26h
    guards: {max_share_moved: 0.1, max_share_problems: 0.2, min_rows: 3, always_allowed: 7}
    audiences:
      operator: {to: [ops@example.com, tapes@example.com], when: problem}
      courier: {to: courier@example.com}
      boss: {to: [boss@example.com], when: failure, template: short}
      sender: {when: never}
    reply_from: tapes@example.com
    forwarded: refuse
    day_first: false
  last:
    match: {recipient: "*"}
    senders: ["*"]
    authenticate: {token: last}
tokens:
  nightly: {file: keys/nightly.tokens}
  spare: {file: keys/spare.tokens}
  last: {file: keys/spare.tokens}
sendmail: [/usr/bin/msmtp, -t]
audit: {maildir: kept, journal: /var/lib/tapes/journal.db, retention: 2d}
limits: {mail_size: 1MB, give_up: 2h, deadline: 5m, header_bytes: 1KB, header_fields: 9, parts: 8, depth: 7,
  mail_unpacked: 6MB, archive_ratio: 5, archive_members: 4, archive_memory: 70KB,
  rows: 3, cell: 2, problems: 1}
"""


@pytest.fixture
def write(tmp_path):
    """Writes the text as mailsync.yaml beside a token file; the path."""

    def written(text):
        (tmp_path / "keys").mkdir(exist_ok=True)
        for name in ("nightly.tokens", "keys/nightly.tokens", "keys/spare.tokens"):
            (tmp_path / name).write_text(f"# the live ones\n\n{DIGEST}\n{OTHER}\n")
        path = tmp_path / "mailsync.yaml"
        path.write_text(text)
        return path

    return written


def faults_of(path):
    return [str(fault).replace(f"{path.parent}/", "") for fault in read_site(path)[1]]


def test_every_key_is_read(write, tmp_path):
    site = load_site(write(FULL))

    assert site.server == Server("[::1]:5000", tmp_path / "keys/site.key", Path("/elsewhere/filter.token"))
    assert site.listen == Listen("0.0.0.0:0", f"sqlite:{tmp_path}/state/server.db", tmp_path / "keys/ring")
    assert site.tokens == dict.fromkeys(("nightly", "spare", "last"), (DIGEST, OTHER))
    assert site.sendmail == ("/usr/bin/msmtp", "-t")
    assert site.audit == Audit(tmp_path / "kept", Path("/var/lib/tapes/journal.db"), 2 * 86_400)
    assert site.state == Path("/var/lib/tapes")
    assert (site.folder, site.definitions, site.templates) == (
        tmp_path,
        tmp_path / "definitions",
        tmp_path / "templates",
    )
    assert site.limits[:3] == (1_000_000, 7200, 300)
    assert site.limits.headers == HeaderLimits(1000, 9)
    assert site.limits.unpack == UnpackLimits(
        parts=8, depth=7, mail_unpacked=6_000_000, archive_ratio=5, archive_members=4, archive_memory=70_000
    )
    assert site.limits.rows == RowLimits(rows=3, cell=2, problems=1)


def test_every_key_of_a_route_is_read(write):
    route, last = load_site(write(FULL)).routes

    assert (route.name, last.name) == ("nightly", "last")
    assert route.definitions == ("nightly-csv", "other")
    assert route.scope == Scope("US01", "LTO")
    assert route.repositories == {"Library": "LIBR", "Off site": "OFFS"}
    assert (route.add_unknown, route.timezone, route.expect_every) == (True, "Europe/Berlin", 26 * 3600)
    assert route.guards == Guards(max_share_moved=0.1, max_share_problems=0.2, min_rows=3, always_allowed=7)
    assert (route.forwarded, last.forwarded) == ("refuse", "read")
    assert (route.day_first, last.day_first) == (False, None)
    assert route.reply_from == "tapes@example.com"
    assert route.audiences == (
        Audience("operator", ("ops@example.com", "tapes@example.com"), "problem", "operator"),
        Audience("courier", ("courier@example.com",), "always", "courier"),
        Audience("boss", ("boss@example.com",), "failure", "short"),
        Audience("sender", (), "never", "operator"),
    )
    assert route.rule.authenticate == AnyOf(
        (
            TokenOf("nightly", (DIGEST, OTHER)),
            AllOf((TokenOf("spare", (DIGEST, OTHER)), TokenOf("nightly", (DIGEST, OTHER)))),
        )
    )


def test_what_is_not_given_has_its_default(write, tmp_path):
    site = load_site(write(f"{SERVER}routes:\n  nightly: {{{ROUTE}}}\n{TOKENS}"))
    route = site.routes[0]

    assert site.listen is None
    assert site.sendmail == ("/usr/sbin/sendmail", "-t", "-i")
    assert site.audit == Audit(tmp_path / "audit", tmp_path / "state/journal.db", 7 * 365 * 86_400)
    assert site.limits[:3] == (50_000_000, 86_400, 100)
    assert (site.limits.headers, site.limits.unpack, site.limits.rows) == (HeaderLimits(), UnpackLimits(), RowLimits())
    assert route.guards == Guards()
    assert route[2:5] == ((), None, {})
    assert (route.add_unknown, route.timezone, route.expect_every, route.audiences) == (False, "UTC", 0, ())
    assert route.rule.from_ is None
    assert route.rule.subject is None


def test_what_is_looked_at_later_knows_its_place(write):
    site = load_site(write(FULL))

    assert site.places == {"server.key": (1, 38), "server.login": (1, 60), "listen.keys": (2, 71)}
    places = {key: place for key, place in site.routes[0].places.items() if key.startswith("audiences.")}
    assert places == {
        "audiences.operator": (16, 17),
        "audiences.courier": (17, 16),
        "audiences.boss": (18, 63),
        "audiences.sender": (19, 15),
    }


def test_a_file_that_is_not_utf8_or_not_there_is_told_with_what_to_do(write):
    path = write("")
    path.write_bytes(b"# \xe4\n")
    assert faults_of(path) == ["mailsync.yaml: cannot be read: not UTF-8 text (save it as UTF-8)"]
    path.unlink()
    assert faults_of(path) == [
        "mailsync.yaml: cannot be read: No such file or directory (mailsync init DIR makes a site)"
    ]


def test_the_names_of_the_limits_are_those_of_the_parts_they_bound():
    assert (HeaderLimits._fields, UnpackLimits._fields, RowLimits._fields) == (HEADER_KEYS, UNPACK_KEYS, ROW_KEYS)


def test_filters_match_addresses_and_extensions_in_any_case(write):
    rule = load_site(write(FULL)).routes[0].rule

    assert rule.recipient("sync+nightly.abc@example.com")
    assert rule.recipient("SYNC+Nightly.abc@Example.com")
    assert not rule.recipient("sync+nightly.abc@example.net")
    assert rule.extension("nightly.abc")
    assert not rule.extension("weekly.abc")
    assert rule.from_("x@example.com")
    assert rule.subject("our TAPES today")
    assert [matches("x@tapes.example.com") for matches in rule.senders] == [False, True]


@pytest.mark.parametrize(
    ("recipient", "extension", "taken"),
    [("*", "anything", True), ("tapes@example.com", "nightly.x", None), ("*+a.*@*", "a.b", True), ("+b@x", "a", False)],
)
def test_the_extension_is_what_the_filter_has_between_plus_and_at(write, recipient, extension, taken):
    route = ROUTE.replace("sync+nightly.*@example.com", recipient)
    rule = load_site(write(f"{SERVER}routes:\n  nightly: {{{route}}}\n{TOKENS}")).routes[0].rule

    assert (rule.extension(extension) if rule.extension else None) == taken


@pytest.mark.parametrize(
    ("match", "address"),
    [
        ("recipient: 'sync+nightly.*@example.com'", "sync@example.com"),
        ("recipient: 'tapes@example.com'", "tapes@example.com"),
        ("recipient: '*+nightly.*@example.com'", "mailsync@example.com"),
        ("recipient: 'sync+nightly.*@*'", "sync@localhost"),
        ("subject: '*'", "mailsync@localhost"),
    ],
)
def test_replies_come_from_the_recipient_without_its_extension(write, match, address):
    route = re.sub("recipient: '[^']*'", match, ROUTE)

    assert load_site(write(f"{SERVER}routes:\n  nightly: {{{route}}}\n{TOKENS}")).routes[0].reply_from == address


def test_a_maildir_may_stand_in_for_sendmail(write, tmp_path):
    assert load_site(write(f"{SERVER}sendmail: maildir:outbox\n")).sendmail == tmp_path / "outbox"


def test_a_person_logs_on_with_a_password_instead_of_a_token(write, tmp_path):
    text = "server: {address: 'h:1', key: k, user: ann@example.com, password_file: keys/ann}\n"
    site = load_site(write(text))
    assert (site.server.user, site.server.login) == ("ann@example.com", tmp_path / "keys/ann")
    assert site.places["server.login"] == (1, 72)


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ("user: ann", ['"password_file" is missing']),
        ("password_file: keys/ann", ['"user" is missing']),
        ("user: no body, password_file: f", ['"no body" is neither a user nor an e-mail address']),
        ("user: ann, password_file: f, login: t", ["a token, and a user with a password: one of them"]),
        ("key2: 1", ['"login" is missing', 'unknown key "key2"']),
    ],
)
def test_half_a_login_and_two_of_them_are_told(write, given, faults):
    told = faults_of(write(f"server: {{address: 'h:1', key: k, {given}}}\n"))
    assert [text.split(": ", 1)[1][: len(fault)] for text, fault in zip(told, faults, strict=True)] == faults


BROKEN = """\
server:
  adress: 127.0.0.1:5000
  key: keys/site.key
  login: [keys/filter.token]
  kind: tmss10sync
listen: {address: nowhere, store: postgresql://db.example.net/tapes}
routes:
  nightly:
    match: {recipient: "[", form: "*"}
    senders: []
    authenticate: {token: nigthly, dkim: true}
    scope: {customer: US012, media: LTO}
    repositories: {Library: LIBRARY}
    add_unknown: maybe
    expect_every: often
    guards: {max_share_moved: 30, min_row: 1}
    audiences:
      operator: {to: [ops], when: sometimes}
      sender: {to: [ops@example.com]}
      auditor: {when: always}
  empty:
tokens: {nightly: {file: nightly.tokens}, gone: {file: gone.tokens}, BAD: {}}
sendmail: sendmail -t
audit: {retention: 7 years}
limits: {mail_size: big, rows: 0}
lmtp: {listen: 127.0.0.1:2424}
"""
FAULTS = """\
mailsync.yaml:2:3: "address" is missing
mailsync.yaml:2:3: unknown key "adress" in server (did you mean "address"?)
mailsync.yaml:4:10: "login" must be one value, not a list
mailsync.yaml:5:9: "kind" is not in this version
mailsync.yaml:6:9: "keys" is missing
mailsync.yaml:6:19: "nowhere" is not HOST:PORT (such as 127.0.0.1:5000 or [::1]:5000)
mailsync.yaml:9:24: "[" is not a filter: "[" is never closed (end the characters with ]; [[] is a bracket itself)
mailsync.yaml:9:29: unknown key "form" in match of route "nightly" (did you mean "from"?)
mailsync.yaml:10:14: "senders" is missing (who may send these reports: filters on the From address)
mailsync.yaml:11:27: no token "nigthly" under tokens (did you mean "nightly"?)
mailsync.yaml:11:42: "dkim" is not in this version (authenticate: {token: ID})
mailsync.yaml:12:23: "US012" is not a customer (1 to 4 letters or digits)
mailsync.yaml:13:29: "LIBRARY" is not a Repository-ID (1 to 4 letters or digits)
mailsync.yaml:14:18: "add_unknown": "maybe" is not true or false
mailsync.yaml:15:19: "expect_every": "often" is not a duration such as 26h or 7d
mailsync.yaml:16:31: "max_share_moved": "30" is not a share from 0 to 1
mailsync.yaml:16:35: unknown key "min_row" in guards (did you mean "min_rows"?)
mailsync.yaml:18:22: "ops" is not an address
mailsync.yaml:18:35: "sometimes" is not a value of "when" (known here: always, change, failure, never, problem)
mailsync.yaml:19:20: the sender is known by the mail (remove "to", or name the audience otherwise)
mailsync.yaml:20:16: audience "auditor" has nobody to write to (to: [ops@example.com])
mailsync.yaml:21:9: "authenticate" is missing
mailsync.yaml:21:9: "match" is missing
mailsync.yaml:21:9: "senders" is missing (who may send these reports: filters on the From address)
mailsync.yaml:22:56: gone.tokens: cannot be read: No such file or directory (mailsync init makes such a file)
mailsync.yaml:22:75: "BAD" is not a token id (1 to 32 of a-z 0-9 . _ -)
mailsync.yaml:22:75: "file" is missing
mailsync.yaml:23:11: the program must be named with its whole path ([/usr/sbin/sendmail, -t, -i])
mailsync.yaml:24:20: "retention": "7 years" is not a duration such as 26h or 7d
mailsync.yaml:25:21: "mail_size": "big" is not a size such as 50MB
mailsync.yaml:25:32: "rows": "0" is not a whole number from 1
mailsync.yaml:26:7: "lmtp" is not in this version
"""


def test_every_fault_of_a_broken_site_is_told_at_once_with_its_place(write):
    path = write(BROKEN)

    assert faults_of(path) == FAULTS.splitlines()
    with pytest.raises(ConfigurationError) as raised:
        load_site(path)
    assert [fault.replace(f"{path.parent}/", "") for fault in raised.value.faults] == FAULTS.splitlines()
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "mailsync.yaml:1:1: expected keys and values (see docs/configuration.md)"),
        ("server:\n\t- b\n", "mailsync.yaml:2:1: not YAML"),
        ("a: &x 1\nb: *x\n", "mailsync.yaml:1:1: aliases (*name) are not supported (write the value out)"),
        ("routes: {}\n", 'mailsync.yaml:1:1: "server" is missing'),
        (f"{SERVER}server: {{}}\n", 'mailsync.yaml:2:1: "server" is given twice'),
        (f"{SERVER}routes:\n  a b: {{}}\n", 'mailsync.yaml:3:8: "a b" is not a name for a route'),
        (f"{SERVER}routes:\n  x: {{match: {{}}}}\n", "mailsync.yaml:3:14: a route must match something"),
        (f"{SERVER}sendmail: 'maildir:'\n", "mailsync.yaml:2:11: maildir: names no folder"),
        (f"{SERVER}listen: {{store: 'sqlite:'}}\n", "mailsync.yaml:2:17: sqlite: names no file"),
        (f"{SERVER}listen: {{store: /var/db}}\n", 'mailsync.yaml:2:17: "/var/db" is not a store'),
    ],
)
def test_a_fault_is_told_with_its_place(write, text, fault):
    assert any(told.startswith(fault) for told in faults_of(write(text)))


@pytest.mark.parametrize(
    ("authenticate", "fault"),
    [
        ("results", '"results" is not in this version (authenticate: {token: ID})'),
        ("local", '"local" is not in this version (authenticate: {token: ID})'),
        ("password", '"password" is not a way to authenticate (authenticate: {token: ID})'),
        ("{ed25519: k}", '"ed25519" is not in this version (authenticate: {token: ID})'),
        ("{}", "nothing to authenticate by (authenticate: {token: ID})"),
        ("{any: [{tokn: nightly}]}", 'unknown key "tokn" in authenticate (did you mean "token"?)'),
        ("{all: [nightly]}", '"all" must list mappings such as {key: value}'),
        ("{all: " * 9 + "{token: nightly}" + "}" * 9, "nested deeper than 8"),
    ],
)
def test_a_faulty_authentication_is_refused(write, authenticate, fault):
    route = ROUTE.replace("{token: nightly}", authenticate)
    faults = faults_of(write(f"{SERVER}routes:\n  nightly: {{{route}}}\n{TOKENS}"))

    assert any(told.endswith(fault) for told in faults), faults


def test_a_token_is_bound_to_one_route(write):
    faults = faults_of(write(f"{SERVER}routes:\n  one: {{{ROUTE}}}\n  two: {{{ROUTE}}}\n{TOKENS}"))

    hint = "a token of its own for each route keeps each revocable"
    assert faults == [f'mailsync.yaml:4:8: token "nightly" is bound to route "one" ({hint})']


def test_faults_of_a_token_file_are_told_with_its_lines(write, tmp_path):
    path = write(f"{SERVER}{TOKENS}")
    tokens = tmp_path / "nightly.tokens"

    tokens.write_text(f"# old\n{DIGEST}\nsecret\n{OTHER}\n{DIGEST.upper()}\n")
    assert faults_of(path) == [
        "nightly.tokens:3:1: not the SHA-256 of a token: 64 digits of 0-9 a-f",
        "nightly.tokens:4:1: more than 2 live tokens (remove the oldest)",
        "nightly.tokens:5:1: not the SHA-256 of a token: 64 digits of 0-9 a-f",
    ]
    tokens.write_text("# none\n")
    assert faults_of(path) == ["nightly.tokens:1:1: no live token: nobody could use the route"]


@pytest.mark.parametrize(
    "address",
    [
        "vault1",
        "vault1:",
        ":5000",
        "vault1:0",
        "vault1:65536",
        "vault1:5x",
        "va ult:5000",
        "[::1:5000",
        "-a:1",
        "a:\u0665",
    ],
)
def test_what_is_no_address_is_refused(write, address):
    faults = faults_of(write(SERVER.replace("127.0.0.1:5000", address)))

    assert faults == [f'mailsync.yaml:1:19: "{address}" is not HOST:PORT (such as 127.0.0.1:5000 or [::1]:5000)']


def test_the_file_is_looked_for_in_the_documented_order(tmp_path):
    home, here, shared = tmp_path / "home", tmp_path / "here", tmp_path / "shared"
    places = [here / "mailsync.yaml", shared / "mailsync/mailsync.yaml", home / ".config/mailsync/mailsync.yaml"]
    for place in places:
        place.parent.mkdir(parents=True)
        place.touch()
    environ = {"MAILSYNC_CONFIG": "named.yaml", "XDG_CONFIG_HOME": str(shared), "HOME": str(home)}

    assert find_config("option.yaml", environ, here) == here / "option.yaml"
    assert find_config(None, environ, here) == here / "named.yaml"
    del environ["MAILSYNC_CONFIG"]
    assert find_config(None, environ, here) == places[0]
    places[0].unlink()
    assert find_config(None, environ, here) == places[1]
    del environ["XDG_CONFIG_HOME"]
    assert find_config(None, environ, here) == places[2]
    places[2].unlink()
    with pytest.raises(ConfigurationError, match="no configuration found") as raised:
        find_config(None, environ, here)
    assert "mailsync init DIR" in raised.value.hint


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    assert read_site(tmp_path / "none.yaml")[0] is None
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read: No such file"):
        load_site(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"# \xe4\n")
    with pytest.raises(ConfigurationError, match="not UTF-8 text"):
        load_site(tmp_path / "latin.yaml")


HEAVY = ("mailparser", "jinja2", "cryptography", "email.parser", "asyncio", "dataclasses", "zipfile", "re2")


def test_reading_a_site_and_judging_a_mail_imports_nothing_heavy(made):
    program = (
        "import sys; from pathlib import Path; from mailsync.config.site import load_site; "
        "import mailsync.mail.verdict; load_site(Path(sys.argv[1])); "
        "print('yaml' in sys.modules, *(m for m in sys.argv[2:] if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, made["config"], *HEAVY],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.split() == ["True"]


UNKNOWN = """server: {zzzzzzzz: 1, tls: {zzzzzzzz: 1}}
listen: {zzzzzzzz: 1, tls: {zzzzzzzz: 1}}
routes:
  a:
    zzzzzzzz: 1
    match: {zzzzzzzz: 1}
    scope: {zzzzzzzz: 1}
    guards: {zzzzzzzz: 1}
    authenticate: {zzzzzzzz: 1}
    audiences: {a: {zzzzzzzz: 1}}
tokens: {a: {zzzzzzzz: 1}}
audit: {zzzzzzzz: 1}
limits: {zzzzzzzz: 1}
zzzzzzzz: 1
"""


def test_every_key_is_documented(write):
    documented = (ROOT / "docs/configuration.md").read_text()
    hints = [fault.hint for fault in read_site(write(UNKNOWN))[1] if fault.text.startswith('unknown key "zzzzzzzz"')]
    keys = {key for hint in hints for key in hint.removeprefix("known here: ").split(", ")}

    assert len(hints) == UNKNOWN.count("zzzzzzzz")
    assert {"mail_unpacked", "max_share_moved", "template", "retention", "reply_from", "any", "login"} < keys
    headings = {key for key in keys if f"## `{key}`" in documented}
    assert {key for key in keys - headings if f"\n| `{key}` | " not in documented} == set()


def test_the_documented_defaults_of_the_limits_are_the_real_ones():
    documented = (ROOT / "docs/configuration.md").read_text()
    for part in (HeaderLimits, UnpackLimits, RowLimits):
        for name, value in part._field_defaults.items():
            assert f"\n| `{name}` | `{value}` |" in documented


def test_the_documented_example_is_a_site_without_faults(write):
    documented = (ROOT / "docs/configuration.md").read_text()
    example = documented.partition("```yaml\n")[2].partition("```")[0]

    assert faults_of(write(example)) == []
    assert [audience.name for audience in load_site(write(example)).routes[0].audiences] == ["operator", "courier"]
