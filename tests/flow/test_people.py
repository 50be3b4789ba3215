"""People's passwords, whole: a site with user and password_file, the real server, and what an imported MD5 becomes."""

from __future__ import annotations

import json

import pytest
from sites import extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.core.model import parse_scope
from mailsync.server.sqlite import SqliteStore
from mailsync.wire.passwords import DEFAULT, FIPS, MD5, NO_PREHASH, md5_of

PASSWORD = "Büro, 7 = correct horse"
DIGEST = md5_of(PASSWORD)
KINDS = {"argon2id": (), "pbkdf2": ("--fips",)}


@pytest.fixture
def site(tmp_path):
    """A site whose login is ann's password."""
    made = make_site(tmp_path / "site")
    load(made, library_csv(20))
    made.edit("login: keys/filter.token", "user: ann\n  password_file: keys/ann.password")
    write_password(made, PASSWORD)
    return made


def write_password(site, text, mode=0o600):
    path = site.folder / "keys" / "ann.password"
    path.write_text(f"{text}\n")
    path.chmod(mode)


def add_ann(site, *options):
    words = ("server", "user", "add", "ann", "--email", "ann=x@example.com", "--grant", "*:write", *options)
    done = site.run(*words, stdin=f"{PASSWORD}\n".encode())
    assert done.returncode == 0, done.stderr


def move(site, repository="OFFS", number=1):
    """A mail that sends every volume to a repository."""
    rows = [(name, repository) for name in volume_names(5)]
    return report_mail(site, extract(rows), number=number)


def users_in_ledger(site):
    with SqliteStore(site.folder / "state" / "server.db") as store:
        return {entry.user for entry in store.ledger(parse_scope(site.scope))}


def kdf_of(site):
    with SqliteStore(site.folder / "state" / "server.db") as store:
        return store.verifier("ann").kdf


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_is_applied_for_a_person_however_the_password_is_kept(site, kind):
    add_ann(site, *KINDS[kind])
    if kind == "argon2id":
        site.edit("user: ann\n", "user: ann=x@example.com\n")  # another name of the same user
    with served(site):
        done = site.filter(move(site))
        assert done.returncode == 0, done.stderr
        assert {row["repository"] for row in list(site.export().values())[:5]} == {"OFFS"}
    assert users_in_ledger(site) == {"ann"}
    assert kdf_of(site) == (FIPS if kind == "pbkdf2" else DEFAULT)


def test_the_first_login_with_the_password_makes_its_md5_worthless(site):
    add_ann(site, "--md5", DIGEST)
    with served(site):
        write_password(site, DIGEST)
        assert site.run("check").returncode == 0, "the digest logs on, as TapeTrack's logon strings do"
        assert kdf_of(site).prehash == MD5
        write_password(site, PASSWORD)
        assert site.filter(move(site)).returncode == 0
        assert users_in_ledger(site) == {"ann"}
        assert kdf_of(site).prehash == NO_PREHASH
        write_password(site, DIGEST)
        done = site.run("check", "--json")
    findings = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "problem"]
    assert [(one["area"], one["text"]) for one in findings] == [
        ("server", "the server refused the login: user, token or password is wrong")
    ]


def test_every_command_that_logs_on_does_so_by_password_and_none_shows_it(site, tmp_path):
    add_ann(site)
    report = tmp_path / "extract.csv"
    report.write_bytes(extract([("A00000L8", "RACK")]))
    with served(site) as server:
        done = [
            site.run("check"),
            site.run("ping"),
            site.run("explain", "--recipient", site.recipient, stdin=move(site, "RACK")),
            site.run("push", "--definition", "nightly-csv", str(report)),
            site.filter(move(site, "RACK", number=2)),
        ]
        server.terminate()
        said = server.stdout.read()
    assert [one.returncode for one in done] == [0] * 5, [one.stderr for one in done]
    printed = said + b"".join(one.stdout + one.stderr for one in done) + b"".join(site.replies())
    assert PASSWORD.encode() not in printed
    assert DIGEST.encode() not in printed


def test_a_password_that_others_can_read_is_refused_and_the_mail_waits(site):
    add_ann(site)
    write_password(site, PASSWORD, 0o640)
    with served(site):
        done = site.filter(move(site))
    assert done.returncode == 75
    assert b"ann.password: mode 0640 lets others at a secret" in done.stderr
    assert b"chmod 600" in done.stderr
    assert PASSWORD.encode() not in done.stderr


def test_an_md5_whose_day_is_over_keeps_the_mail_until_an_administrator_helps(site):
    add_ann(site, "--md5", DIGEST)
    with SqliteStore(site.folder / "state" / "server.db") as store:
        store._database.write(lambda connection: connection.execute("UPDATE users SET upgrade_by = 1"))
    with served(site):
        done = site.filter(move(site))
        assert done.returncode == 75
        assert b"the imported MD5 of this password is not enough any more" in done.stderr
        assert b"mailsync server user password" in done.stderr
        listed = site.run("server", "user", "list").stdout.decode()
        assert "by an MD5 until 1969-12-31, which is over" in listed
        assert site.run("server", "user", "password", "ann", stdin=f"{PASSWORD}\n".encode()).returncode == 0
        assert site.filter(move(site)).returncode == 0
    assert "MD5" not in site.run("server", "user", "list").stdout.decode()
    assert users_in_ledger(site) == {"ann"}
