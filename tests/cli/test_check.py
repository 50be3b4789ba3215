import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from mailsync.cli.main import main
from mailsync.client.journal import Journal
from mailsync.config.ownership import user_name
from mailsync.server.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
GOOD_RECIPES = 'SHELL=/bin/sh\n:0 w\n| mailsync filter --recipient "$1"\n\n:0 e\n{\nEXITCODE=75\nHOST\n}\n'


@pytest.fixture(autouse=True)
def _no_postfix(monkeypatch, tmp_path):
    """The machine's own Postfix is none of the site's business here."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def site(made):
    return Path(made["config"]).parent


@pytest.fixture
def check(made, capsys, site):
    """(exit status, findings as `level area place: text`) of `check --json`, paths as seen from the site."""

    def checked(*words):
        status = main(["check", "--config", made["config"], "--json", *words])
        said = json.loads(capsys.readouterr().out)
        assert said["ok"] == (status == 0)
        told = ["{level} {area} {place}: {text}".format(**finding) for finding in said["findings"]]
        return status, [line.replace(f"{site}/", "") for line in told]

    return checked


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_new_site_has_no_problem_before_its_server_runs(made, capsys):
    assert main(["check", "--config", made["config"]]) == 0
    assert capsys.readouterr().out == (
        "note: server: 127.0.0.1:5000: this host's own server is not running\n"
        f"    hint: mailsync server run --config {made['config']}\n"
        "0 problems, 1 note\n"
    )


def test_a_server_of_this_host_that_hangs_up_is_a_problem_and_not_one_that_does_not_run(check, site):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        def hang_up():
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        path = site / "mailsync.yaml"
        path.write_text(path.read_text().replace("127.0.0.1:5000", address))
        status, findings = check()
        thread.join()

    assert status == 1
    assert findings == [f"problem server {address}: hung up"]


def test_offline_leaves_the_server_alone(check):
    assert check("--offline") == (0, [])


def test_a_server_elsewhere_that_does_not_answer_is_a_problem(check, site):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        edit(site / "mailsync.yaml", "address: 127.0.0.1:5000\n  key", f"address: {address}\n  key")
        status, findings = check()

    assert status == 1
    assert len(findings) == 1
    assert findings == [f"problem server {address}: Connection refused"]


@pytest.fixture
def served(made, site):
    """Runs the site's server on a port of its own, and has the site know it."""
    command = [sys.executable, "-m", "mailsync.cli.main", "server", "run", "--listen", "127.0.0.1:0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*command, "--config", made["config"]]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        address = server.stdout.readline().removeprefix("listening on ").strip()
        edit(site / "mailsync.yaml", "127.0.0.1:5000", address)
        yield address
        server.terminate()
        assert server.wait(30) == 0


def test_with_its_server_running_a_new_site_has_not_even_a_note(check, served):
    assert check() == (0, [])


def test_scopes_and_repositories_that_the_server_lacks_are_problems_with_their_line(check, served, site, capsys):
    edit(site / "mailsync.yaml", "Racking: RACK", "Racking: RAKC")
    assert check() == (1, ['problem server mailsync.yaml:20:7: repository "RAKC" (Racking) is unknown in US01.LTO'])

    edit(site / "mailsync.yaml", "media: LTO", "media: 3592")
    status, findings = check()
    assert status == 1
    assert [line.partition(": ")[0] for line in findings] == ["problem server mailsync.yaml:18:12"]
    main(["check", "--config", str(site / "mailsync.yaml")])
    assert "mailsync server grant list" in capsys.readouterr().out


def test_a_refused_login_is_a_problem(check, served, site, tmp_path, capsys):
    assert main(["init", str(tmp_path / "other"), "--outbox"]) == 0
    capsys.readouterr()
    shutil.copy(tmp_path / "other/keys/filter.token", site / "keys/filter.token")

    status, findings = check()
    assert status == 1
    assert [line.startswith(f"problem server {served}: the server refused the login") for line in findings] == [True]


def test_everything_wrong_with_a_site_is_told_at_once(check, site, tmp_path):
    edit(site / "mailsync.yaml", "timezone: UTC", "timezone: Europe/Berlim")
    edit(site / "mailsync.yaml", "expect_every", "expect_evry")
    edit(site / "mailsync.yaml", "when: always}", "when: always, template: own}")
    edit(site / "mailsync.yaml", "maildir:outbox", "[/no/such/sendmail]")
    edit(site / "definitions/nightly-csv.yaml", "column: volume}", "colunm: volume}")
    (site / "templates").mkdir()
    (site / "templates/own.txt.j2").write_text("line\n{{ no_such_thing }}\n")
    (site / "templates/own.html.j2").write_text("{{ no_such_thing }}\n")
    (site / "keys/site.key").chmod(0o644)
    (site / "keys/filter.token").unlink()
    (site / "keys/nightly.tokens").write_text("x\n")
    (site / "state").chmod(0o755)
    (site / "mailsync.yaml").chmod(0o660)
    (tmp_path / "rc").write_text(GOOD_RECIPES.replace(":0 w\n", ":0\n"))

    status, findings = check("--procmailrc", str(tmp_path / "rc"))

    assert status == 1
    wanted = (
        'problem configuration mailsync.yaml:23:5: unknown key "expect_evry" in route "nightly"',
        "problem configuration keys/nightly.tokens:1:1: not the SHA-256 of a token",
        'problem configuration mailsync.yaml:22:15: route "nightly": time zone "Europe/Berlim" is unknown',
        "problem permissions mailsync.yaml: mode 0660 lets others change it",
        "problem permissions state: mode 0755 lets others at mails and databases",
        "problem keys keys/site.key: mode 0644 lets others at a secret",
        "problem keys mailsync.yaml:6:10: keys/filter.token: cannot be read: No such file or directory",
        "problem definitions definitions/nightly-csv.yaml:",
        "problem templates templates/own.txt.j2:2:1: ",
        "problem sendmail /no/such/sendmail: there is no such program",
        f"problem procmail {tmp_path}/rc:2:1: without the flag w",
    )
    missing = [line for line in wanted if not any(told.startswith(line) for told in findings)]
    assert missing == [], "\n".join(findings)


def test_keys_that_do_not_fit_each_other_are_problems(check, site, tmp_path, capsys):
    assert main(["init", str(tmp_path / "other"), "--outbox"]) == 0
    capsys.readouterr()
    shutil.copy(tmp_path / "other/keys/ring", site / "keys/ring")

    assert check() == (
        1,
        [
            'problem keys keys/ring: the ring does not have the key "site" that this host connects with',
            'problem keys keys/ring: the key "site" is for a server with another static key',
        ],
    )


@pytest.mark.parametrize("name", ["journal.db", "server.db"])
def test_another_file_in_the_place_of_a_database_is_a_problem(check, site, name):
    (site / "state" / name).write_text("garbage\n")
    (site / "state" / name).chmod(0o600)

    assert check("--offline") == (1, [f"problem databases state/{name}: cannot be opened: file is not a database"])
    assert (site / "state" / name).read_text() == "garbage\n"


def test_databases_in_use_are_no_problem_and_nothing_is_made_beside_them(check, site):
    with SqliteStore(site / "state/server.db"), closing(Journal(site / "state/journal.db")):
        before = sorted(path.name for path in (site / "state").iterdir())
        assert "journal.db-wal" in before
        assert check("--offline") == (0, [])
    (site / "state/journal.db").unlink()
    (site / "state/journal.db").touch(mode=0o600)  # killed between making it and writing to it
    assert check("--offline") == (0, [])
    assert "journal.db-wal" not in {path.name for path in (site / "state").iterdir()}


OTHER = "name: {name}\nclaim: {claim}\ntable: {{kind: delimited}}\nfields: {{volume: {{column: 1}}}}\n"


@pytest.mark.parametrize(
    ("claim", "named", "level"),
    [
        ('{attachment: "*.csv"}', "nightly-csv, weekly", "problem"),
        ('{attachment: "*.csv"}', "nightly-csv", ""),  # the named one silences the other
        ('{attachment: "*.txt"}', "nightly-csv, weekly", ""),
        ('{attachment: "*.csv", subject: weekly}', "nightly-csv, weekly", ""),
    ],
)
def test_two_definitions_with_one_claim_that_are_asked_together_are_a_problem(check, site, claim, named, level):
    (site / "definitions/weekly.yaml").write_text(OTHER.format(name="weekly", claim=claim))
    edit(site / "mailsync.yaml", "definitions: [nightly-csv]", f"definitions: [{named}]")

    text = 'claims what "nightly-csv" claims: an attachment that both claim is read by neither'
    told = [f"{level} definitions definitions/weekly.yaml: {text}"] if level else []
    assert check("--offline") == (1 if level == "problem" else 0, told)


def test_two_definitions_with_one_claim_that_no_route_names_are_told_by_how_far_mails_come(check, site):
    for name in ("one", "two"):
        (site / f"definitions/{name}.yaml").write_text(OTHER.format(name=name, claim='{attachment: "*.txt"}'))
    text = (
        'definitions definitions/two.yaml: claims what "one" claims: an attachment that both claim is read by neither'
    )
    assert check("--offline") == (0, [f"note {text}"])

    edit(site / "mailsync.yaml", "definitions: [nightly-csv]", "definitions: []")
    assert check("--offline") == (1, [f"problem {text}"])


def test_two_definitions_with_one_claim_that_a_named_one_has_too_are_asked_by_nobody(check, site):
    for name in ("one", "two"):
        (site / f"definitions/{name}.yaml").write_text(OTHER.format(name=name, claim='{attachment: "*.csv"}'))
    assert check("--offline") == (0, [])


def test_a_sender_whose_address_nothing_proves_is_noted(check, site):
    edit(site / "mailsync.yaml", "    audiences:", "    audiences:\n      sender: {when: problem}\n     ")
    text = 'route "nightly": the sender is never written to, a token does not prove the From address'

    assert check("--offline") == (0, [f"note configuration mailsync.yaml:27:15: {text}"])
    edit(site / "mailsync.yaml", "{when: problem}", "{when: never}")
    assert check("--offline") == (0, [])


def test_a_program_that_sends_is_there_and_not_tried(check, site):
    edit(site / "mailsync.yaml", "maildir:outbox", "[/bin/false]  ")

    assert check("--offline") == (0, ["note sendmail /bin/false: is there; whether it delivers mail was not tried"])


def test_a_template_that_is_missing_is_told_where_it_is_named(check, site):
    edit(site / "mailsync.yaml", "when: always}", "when: always, template: own}")
    text = 'audience "operator": no own.txt.j2 and no own.html.j2 in templates, nor with mailsync'

    lines = (site / "mailsync.yaml").read_text().splitlines()
    line = next(number for number, line in enumerate(lines, 1) if "template: own" in line)
    column = lines[line - 1].index("own") + 1
    assert check("--offline") == (1, [f"problem templates mailsync.yaml:{line}:{column}: {text}"])


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("operator", "{% include 'gone.txt.j2' %}", "templates/gone.txt.j2:1:"),
        ("operator", "\n{{ no_such_thing }}", "templates/operator.txt.j2:2:"),
        ("parts", "", "mailsync's own templates/operator.txt.j2:"),
    ],
)
def test_a_fault_of_a_template_says_whose_it_is(check, site, name, text, place):
    (site / "templates").mkdir()
    (site / f"templates/{name}.txt.j2").write_text(text)

    status, findings = check("--offline")
    assert (status, len(findings)) == (1, 1)
    assert findings[0].startswith(f"problem templates {place}")


def test_a_sample_that_gives_other_records_is_a_problem(check, site):
    sample = site / "definitions/nightly-csv.sample.csv"
    assert check("--offline") == (0, [])

    sample.write_text(sample.read_text().replace("OFFS", "LIBR"))
    status, findings = check("--offline")
    assert status == 1
    assert {line.partition(": ")[0] for line in findings} == {"problem samples definitions/nightly-csv.sample.csv"}
    (site / "definitions/nightly-csv.expected.json").unlink()
    assert check("--offline")[1] == [
        "problem samples definitions/nightly-csv.sample.csv: there is no nightly-csv.expected.json to compare with"
    ]


def test_a_sample_with_a_word_is_compared_and_an_expected_file_without_a_sample_is_a_problem(check, site):
    folder = site / "definitions"
    (folder / "nightly-csv.sample-more.txt").write_text("volume,repository\nA00009,OFFS\n")
    (folder / "nightly-csv.expected-more.json").write_text('{"records": {"US01.LTO": []}}')
    (folder / "nightly-csv.expected-gone.json").write_text('{"records": {}}')
    status, findings = check("--offline")
    assert status == 1
    assert (
        "problem samples definitions/nightly-csv.expected-gone.json: there is no sample to compare with it" in findings
    )
    assert any(one.startswith("problem samples definitions/nightly-csv.sample-more.txt: ") for one in findings)


def test_samples_whose_definition_is_gone_are_problems(check, site):
    folder = site / "definitions"
    for name in ("old.sample.csv", "old.expected.json", "old.sample-more.txt", "README.txt"):
        (folder / name).write_text("{}")
    status, findings = check("--offline")
    text = "there is no definition old beside it, so it is compared with nothing"
    assert (status, findings) == (
        1,
        [
            f"problem samples definitions/{name}: {text}"
            for name in ("old.expected.json", "old.sample-more.txt", "old.sample.csv")
        ],
    )
    (folder / "old.ttidef").write_text("Extract(SLOT, 1, 2, 0);\n")
    assert not any(text in one for one in check("--offline")[1])


def test_the_built_in_definitions_that_routes_name_are_told_and_not_run(check, site):
    edit(site / "mailsync.yaml", "[nightly-csv]", "[nightly-csv, mtx-status, netbackup-vmquery-w]")
    status, findings = check("--offline")
    text = 'route "nightly" names built-in definitions: mtx-status, netbackup-vmquery-w'
    assert (status, findings) == (0, [f"note definitions mailsync.yaml:17:18: {text}"])


def test_a_site_of_somebody_else_is_a_problem_with_the_command_that_works(made, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)

    owner = user_name(Path(made["config"]).stat().st_uid)
    assert main(["check", "--offline", "--config", made["config"]]) == 1
    told = capsys.readouterr().out
    command = f"mailsync check --config {made['config']}"
    for folder in ("state", "audit"):
        place = Path(made["config"]).parent / folder
        assert f"problem: permissions: {place}: belongs to {owner}: run this as {owner}\n" in told
    assert f"    hint: sudo -u {owner} {command} (or: runuser -u {owner} -- {command})\n" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_database_of_root_in_a_site_of_somebody_else_is_a_problem(check, site):
    (site / "state/journal.db").touch(mode=0o600)
    os.chown(site / "state/journal.db", 54_321, -1)

    assert check("--offline") == (
        1,
        ["problem permissions state/journal.db: belongs to 54321, not to root as its folder"],
    )


def test_a_site_that_is_not_yaml_is_told_with_its_line_and_its_definitions_are_still_read(check, site):
    (site / "mailsync.yaml").write_text("server:\n\t- x\n")
    (site / "definitions/nightly-csv.yaml").write_text("nam: x\n")

    status, findings = check()
    assert status == 1
    assert findings[0].startswith("problem configuration mailsync.yaml:2:1: not YAML")
    assert any(
        line.startswith('problem definitions definitions/nightly-csv.yaml:1:1: unknown key "nam"') for line in findings
    )


def test_without_a_site_the_rest_is_looked_at(capsys, tmp_path):
    (tmp_path / "rc").write_text("SHELL=/bin/sh\n")

    assert main(["check", "--procmailrc", "rc"]) == 1
    told = capsys.readouterr().out
    assert "problem: configuration: no configuration found" in told
    assert "problem: procmail: rc:1:1: no recipe runs mailsync filter" in told


@pytest.mark.parametrize(
    ("recipes", "status"),
    [(GOOD_RECIPES, 0), (GOOD_RECIPES.replace(":0 e", ":0"), 1), ("SHELL=/bin/sh\n:0:\nmbox\n", 0), (None, 0)],
)
def test_the_users_own_procmailrc_is_looked_through_where_it_has_to_do_with_mailsync(check, tmp_path, recipes, status):
    (tmp_path / "home").mkdir()
    if recipes:
        (tmp_path / "home/.procmailrc").write_text(recipes)

    assert check("--offline")[0] == status


def test_a_named_procmailrc_that_is_not_there_is_a_problem(check):
    assert check("--offline", "--procmailrc", "gone") == (
        1,
        ["problem procmail gone: cannot be read: No such file or directory"],
    )


@pytest.mark.parametrize(("limit", "notes"), [("51200000", 1), ("0", 0), ("x", 0)])
def test_a_file_size_limit_of_postfix_is_noted(check, tmp_path, limit, notes):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/postconf").write_text(f'#!/bin/sh\n[ "$1 $2" = "-h mailbox_size_limit" ] && echo {limit}\n')
    (tmp_path / "bin/postconf").chmod(0o755)

    status, findings = check("--offline")
    assert status == 0
    assert [line.startswith(f"note postfix main.cf: mailbox_size_limit is {limit}") for line in findings] == [
        True
    ] * notes
