"""`mailsync filter` from outside: every way a mail can end, with a real server and the installed program."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sites import FAULTY, Site, extract, library_csv, load, make_site, report_mail, served, volume_names

SUPPORT = Path(__file__).resolve().parents[1] / "support"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A served site; tests use volumes of their own."""
    made = make_site(tmp_path_factory.mktemp("filter") / "site")
    load(made, library_csv(2000))
    with served(made):
        yield made


@pytest.fixture
def site(tmp_path):
    """A loaded site of the test's own, not served."""
    made = make_site(tmp_path / "site")
    load(made, library_csv(20))
    return made


def other_place(site: Site, volume: str) -> str:
    return "OFFS" if site.export()[volume]["repository"] != "OFFS" else "RACK"


def messages(site: Site, number: int) -> list[email.message.EmailMessage]:
    """The replies to a mail."""
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in site.replies()]
    return [one for one in parsed if one["In-Reply-To"] == f"<report-{number}@backup.example.com>"]


def held(site: Site) -> list[dict]:
    return json.loads(site.run("held", "list", "--json").stdout)["held"]


def kept(site: Site) -> list[Path]:
    return [path for path in (site.folder / "audit").rglob("*") if path.is_file() and path.parent.name != "tmp"]


def test_a_mail_moves_its_volumes_and_is_answered(shared):
    volume = volume_names(2000)[100]
    target = other_place(shared, volume)
    mail = report_mail(shared, extract([(volume, target)]), number=100)
    done = shared.filter(mail)
    assert done.returncode == 0, done.stderr.decode()
    assert shared.export()[volume]["repository"] == target
    (reply,) = messages(shared, 100)
    assert reply["Subject"] == "[mailsync] done: US01.LTO 1 moved (nightly)"
    assert reply["References"] == "<report-100@backup.example.com>"
    assert volume in reply.get_body(("plain",)).get_content()
    assert volume in reply.get_body(("html",)).get_content()
    assert mail in [path.read_bytes() for path in kept(shared)]


def test_the_target_changes_and_the_volume_is_on_its_way(shared):
    volume = volume_names(2000)[101]
    before = shared.export()[volume]
    target = other_place(shared, volume)
    shared.filter(report_mail(shared, extract([(volume, target)]), number=101))
    after = shared.export()[volume]
    assert (after["repository"], after["current_repository"]) == (target, before["current_repository"])
    assert "M" in after["flags"]


def test_the_same_mail_again_changes_nothing_and_answers_nobody(shared):
    volume = volume_names(2000)[102]
    mail = report_mail(shared, extract([(volume, other_place(shared, volume))]), number=102)
    shared.filter(mail)
    before = shared.export()
    again = shared.filter(mail)
    assert again.returncode == 0
    assert b"duplicate" in again.stderr
    assert shared.export() == before
    assert len(messages(shared, 102)) == 1


def test_line_ends_and_the_from_line_do_not_make_another_mail(shared):
    volume = volume_names(2000)[103]
    mail = report_mail(shared, extract([(volume, other_place(shared, volume))]), number=103)
    shared.filter(mail)
    again = shared.filter(mail.partition(b"\n")[2].replace(b"\n", b"\r\n"))
    assert b"duplicate" in again.stderr


def test_there_and_back_and_there_again_is_three_mails_worth_of_work(shared):
    volume = volume_names(2000)[104]
    home = shared.export()[volume]["repository"]
    away = other_place(shared, volume)
    for number, target in ((1041, away), (1042, home), (1043, away)):
        shared.filter(report_mail(shared, extract([(volume, target)]), number=number))
        assert shared.export()[volume]["repository"] == target


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            lambda s, m: (m.replace(s.sender.encode(), b"eve@example.net"), s.recipient), "not among", id="sender"
        ),
        pytest.param(lambda s, m: (m, s.recipient.replace("nightly.", "nightly.x")), "not authenticated", id="token"),
        pytest.param(lambda _, m: (m, "somebody@example.com"), "no route", id="recipient"),
        pytest.param(
            lambda s, m: (m.replace(b"auto-generated", b"auto-replied"), s.recipient),
            "automatic reply",
            id="auto-reply",
        ),
    ],
)
def test_a_mail_that_may_not_move_tapes_is_held_and_nobody_is_answered(shared, change, reason):
    mail = report_mail(shared, extract([(volume_names(2000)[105], "RACK")]), number=105 + len(reason))
    before, replies = shared.export(), len(shared.replies())
    changed, recipient = change(shared, mail)
    done = shared.filter(changed, recipient=recipient)
    assert done.returncode == 0
    assert shared.export() == before
    assert len(shared.replies()) == replies
    found = [one for one in held(shared) if reason in one["reason"]]
    assert found
    shown = shared.run("held", "show", found[-1]["id"][:12], "--json")
    assert json.loads(shown.stdout)["reason"] == found[-1]["reason"]
    raw = shared.run("held", "show", found[-1]["id"], "--raw").stdout
    assert raw == changed
    token = shared.recipient.partition("nightly.")[2].partition("@")[0]
    assert token not in shared.run("held", "list", "--json").stdout.decode()


def test_a_held_mail_that_may_pass_after_a_change_is_done_when_it_comes_again(site):
    volume = volume_names(20)[3]
    target = other_place(site, volume)
    mail = report_mail(site, extract([(volume, target)]))
    site.edit(f'senders: ["{site.sender}"]', "senders: [somebody@example.com]")
    site.filter(mail)
    assert len(held(site)) == 1
    site.edit("senders: [somebody@example.com]", f'senders: ["{site.sender}"]')
    with served(site):
        assert site.filter(mail).returncode == 0
    assert site.export()[volume]["repository"] == target
    assert held(site) == []


def test_a_report_that_moves_too_much_is_refused_and_answered(shared):
    before = shared.export()
    rows = [(name, other) for name, row in before.items() if (other := "OFFS") != row["repository"]]
    done = shared.filter(report_mail(shared, extract(rows), number=107))
    assert done.returncode == 0
    assert shared.export() == before
    (reply,) = messages(shared, 107)
    assert reply["Subject"].startswith("[mailsync] refused: US01.LTO")
    assert "max_share_moved" in reply.get_body(("plain",)).get_content()


def test_an_empty_report_is_refused(shared):
    shared.filter(report_mail(shared, extract([]), number=108))
    (reply,) = messages(shared, 108)
    assert "min_rows" in reply.get_body(("plain",)).get_content()


def test_bad_rows_are_told_with_their_line_and_the_others_go_on(shared):
    volume = volume_names(2000)[109]
    target = other_place(shared, volume)
    rows = [
        ("nonsense!", "OFFS"),
        (volume, target),
        (volume_names(2000)[110], "NOWHERE"),
        (volume_names(2000)[111], "LIBR"),
    ]
    shared.filter(report_mail(shared, extract(rows), number=109))
    assert shared.export()[volume]["repository"] == target
    (reply,) = messages(shared, 109)
    text = " ".join(reply.get_body(("plain",)).get_content().split())
    assert "extract.csv:2:" in text
    assert 'extract.csv:4: repository "NOWHERE" is unknown in US01.LTO' in text


def test_while_the_server_is_down_the_mail_stays_with_the_mta_and_is_done_later(site):
    volume = volume_names(20)[0]
    target = other_place(site, volume)
    mail = report_mail(site, extract([(volume, target)]))
    for _ in range(5):
        refused = site.filter(mail)
        assert refused.returncode == 75
        assert b"hint:" in refused.stderr
    with served(site):
        assert site.filter(mail).returncode == 0
    assert site.export()[volume]["repository"] == target
    assert len(site.replies()) == 1
    assert held(site) == []


def test_a_mail_that_waited_too_long_is_held_and_people_are_told(site):
    mail = report_mail(site, extract([(volume_names(20)[0], "OFFS")]))
    assert site.filter(mail).returncode == 75
    site.edit("give_up: 24h", "give_up: 1s")
    time.sleep(2.1)
    assert site.filter(mail).returncode == 0
    (one,) = held(site)
    assert "not done within" in one["reason"]
    (notice,) = messages(site, 1)
    assert "given up" in notice.get_body(("plain",)).get_content()


def test_a_mail_too_large_is_held_whole_and_not_looked_at(site):
    site.edit("mail_size: 50MB", "mail_size: 10KB")
    mail = report_mail(site, extract((name, "OFFS") for name in volume_names(5000)))
    assert site.filter(mail).returncode == 0
    (one,) = held(site)
    assert "mail_size" in one["reason"]
    assert Path(one["file"]).read_bytes() == mail


def crashing(site: Site, mail: bytes, *, effect: int) -> subprocess.CompletedProcess:
    words = ["filter", "--config", str(site.config), "--recipient", site.recipient]
    command = [sys.executable, str(SUPPORT / "killed.py"), str(effect), *words]
    return subprocess.run(command, input=mail, capture_output=True, timeout=60, check=False)


def test_a_mail_that_kills_three_attempts_is_held_at_the_next_and_the_operator_is_told(site):
    mail = report_mail(site, extract([(volume_names(20)[0], "OFFS")]))
    with served(site):
        # Far enough for the attempt to be counted.
        assert [crashing(site, mail, effect=60).returncode for _ in range(3)] == [-9, -9, -9]
        assert site.filter(mail).returncode == 0
    (one,) = held(site)
    assert "ended from outside" in one["reason"]
    assert any("crashed" in message["Subject"] for message in messages(site, 1))


def test_a_fault_of_the_program_is_tried_twice_then_held_with_its_traceback(site):
    mail = report_mail(site, extract([(volume_names(20)[0], "OFFS")]))
    words = [sys.executable, "-c", FAULTY, "filter", "--config", str(site.config), "--recipient", site.recipient]
    with served(site):
        endings = [subprocess.run(words, input=mail, capture_output=True, check=False).returncode for _ in range(3)]
        assert endings == [75, 75, 0]
        (one,) = held(site)
        assert "RuntimeError: a fault of the program" in one["reason"]
        assert "decide.py" in one["reason"]
        # Once the fault is mended, the same mail is done.
        assert site.filter(mail).returncode == 0
    assert held(site) == []
    assert site.export()[volume_names(20)[0]]["repository"] == "OFFS"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--no-such-option"], id="unknown option"),
        pytest.param(["--recipient"], id="no value"),
        pytest.param(["--config", "/no/such/mailsync.yaml"], id="no configuration"),
        pytest.param(["surplus"], id="surplus word"),
    ],
)
def test_wrong_words_leave_the_mail_with_the_mta(site, words):
    done = subprocess.run(
        [site.program, "filter", *words], input=b"From: a@example.com\n\n", capture_output=True, check=False
    )
    assert done.returncode == 75
    assert done.stderr.startswith(b"mailsync: ")


def test_a_site_of_another_user_is_left_alone(site):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user than the site's")
    os.chown(site.folder / "state", 12345, 12345)
    before = sorted((site.folder / "state").iterdir())
    done = site.filter(report_mail(site, extract([(volume_names(20)[0], "OFFS")])))
    assert done.returncode == 75
    assert b"sudo -u" in done.stderr
    assert sorted((site.folder / "state").iterdir()) == before
