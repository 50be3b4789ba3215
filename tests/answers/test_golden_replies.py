"""Replies as whole messages, beside files that were read by people: `MAILSYNC_WRITE_GOLDEN=1 pytest tests/answers`.

The clock and the ids are given, so nothing in the files is scrubbed. Beside each `NAME.eml` lie its decoded bodies.
"""

import os
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mailsync.core.guard import Objection
from mailsync.core.merge import Merged
from mailsync.core.model import Count, Mapped, Origin, Problem, Repository, Scope
from mailsync.core.outcome import Change, Result, RowResult
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summarise import summarise
from mailsync.core.summary import Along, Applied, Context, Facts, Moving, Unfinished
from mailsync.core.tally import foreseen
from mailsync.mail.render import environment, render
from mailsync.mail.reply import Envelope, OriginalMail, build_reply
from mailsync.mail.view import ReplyFacts

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("MAILSYNC_WRITE_GOLDEN") == "1"
LTO, DISK = Scope("US01", "LTO"), Scope("US01", "3592")
PLACES = (
    Repository("LIBR", "Robot library", "Library"),
    Repository("OFFS", "Offsite vault", "Vault", offsite=True),
    Repository("RACK", "Rack in room 2", "Rack"),
)
ENVELOPE = Envelope(
    "sync@example.com", ("ops@example.com", "desk@example.com"), "<mailsync.1@example.com>", 1_772_589_060, "sync"
)
ORIGINAL = OriginalMail(
    "<extract-5@backup.example.com>", "<extract-3@backup.example.com> <extract-4@backup.example.com>"
)
MAIL = ReplyFacts(
    message_id=ORIGINAL.message_id,
    subject="Nightly tapes",
    sender="backup@example.com",
    received=1_772_589_000,
    answered=1_772_589_060,
    method="token nightly",
    kept=f"{'5a' * 32}:2,S",
)


def at(line):
    return Origin(ORIGINAL.message_id, "nightly.csv", "", line, line)


def move(number, before="LIBR", after="OFFS"):
    return Step(f"{number:06d}L5", "repository", Action.MOVE, before, after, "differs", at(number + 1))


def plan(steps=(), *, scope=LTO, listed=104, problems=(), alerts=()):
    return Plan(scope, bytes(16), 41, 200, listed, 0, tuple(steps), tuple(problems), tuple(alerts))


def mapped(read=106, problems=(), refused=0, notes=()):
    skipped = (Count("cleaning tape", 2),)
    return Mapped(
        "nightly.csv",
        "delimited text",
        "nightly-csv",
        "d1" * 32,
        read,
        refused,
        skipped,
        (),
        tuple(problems),
        tuple(notes),
    )


def facts(*rounds, **said):
    described = tuple(Moving(f"{number:06d}L5", f"Payroll, week {number}") for number in range(1, 41))
    given = {"mapped": (mapped(),), "contexts": (Context(LTO, PLACES, described),)} | said
    return Facts(route="nightly", run="5a" * 32, plan="3c" * 32, rounds=tuple(rounds), **given)


def case_done():
    steps = [
        move(1),
        move(2),
        move(3, "OFFS", "LIBR"),
        Step("000004L5", "move_date", Action.SET, "2026-03-01", "2026-04-01", "differs", at(5)),
        Step("000005L5", "description", Action.ADD, "", "Archive 2026", "unknown volume", at(6)),
        Step("000005L5", "repository", Action.ADD, "", "RACK", "unknown volume", at(6)),
    ]
    return facts(foreseen(plan(steps))._replace(first=42, last=46))


def case_no_change():
    return facts(foreseen(plan()))


def case_problems():
    steps = [
        move(1),
        move(2),
        Step("000003L5", "repository", Action.SKIP, "LIBR", "OFFS", "the volume may not be moved", at(4)),
    ]
    unknown = Problem(at(9), "volume US01.LTO.000099L5 is unknown to the server", "add it there")
    alert = Problem(
        Origin("", "nightly.csv"), "volume US01.LTO.000050L5 is missing: it should be in LIBR and is not listed"
    )
    made = plan(steps, listed=102, problems=[unknown], alerts=[alert])
    results = (("000001L5", RowResult(Result.OK)), ("000002L5", RowResult(Result.CONFLICT)))
    unusable = Problem(
        at(12), 'column 1: "???" is not a volume', "a volume has 2 to 10 characters of A-Z, 0-9 and dash"
    )
    note = Problem(at(1), "the first line has captions: volume, repository", "")
    read = mapped(problems=[unusable], refused=2, notes=[note])._replace(unlisted=1)
    return facts(Applied(made, results, 42, 42), mapped=(read,))


def case_refused():
    text = "40 of the 100 volumes of US01.LTO would get another target, more than max_share_moved: 0.3"
    made = Applied(plan([move(number) for number in range(1, 41)]), (), 0, 0)
    return facts(made, objections=(Objection("max_share_moved", text),))


def case_given_up():
    first = foreseen(plan([move(1), move(2)], listed=50))._replace(first=42, last=43)
    return facts(first, unfinished=(Unfinished(DISK, "the server did not answer for 24 h"),))


def case_forty_moves():
    out = [move(number) for number in range(1, 26)]
    back = [move(number, "OFFS", "LIBR") for number in range(26, 41)]
    return facts(foreseen(plan(out + back))._replace(first=42, last=81))


def case_elsewhere():
    """A move redirected, one called off, one seen where nobody expected it, and a day to move on."""
    steps = [
        move(1, "OFFS", "RACK")._replace(current="LIBR"),
        move(2, "OFFS", "LIBR")._replace(action=Action.CANCEL, current="LIBR"),
        move(3, "LIBR", "OFFS")._replace(action=Action.SEEN, current="LIBR"),
        Step("000003L5", "confirmed_repository", Action.CONFIRM, "LIBR", "OFFS", "listed there", at(4)),
        Step("000004L5", "move_date", Action.SET, "", "2026-04-01", "differs", at(5)),
        move(4)._replace(current="LIBR"),
    ]
    alert = Problem(at(4), "volume US01.LTO.000003L5 is unexpected in OFFS: it should be in LIBR")
    return facts(foreseen(plan(steps, alerts=[alert]))._replace(first=42, last=45))


def case_containers():
    """A box that is sent with what is in it, another that was scanned, and a scope that may not be written."""
    steps = [
        move(1),
        move(2),
        Step("000003L5", "confirmed_repository", Action.CONFIRM, "LIBR", "OFFS", "listed there", at(4)),
    ]
    inside = [Along("000001L5", Change.UPDATE, f"DE01.LTO.B{number:05d}") for number in range(1, 24)]
    inside += [Along("000003L5", Change.CONFIRM, f"US01.LTO.C{number:05d}") for number in (1, 2)]
    done = foreseen(plan(steps))._replace(first=42, last=69, along=tuple(inside))
    disk = Applied(plan([move(9)], scope=DISK, listed=1), (), 0, 0)
    objection = Objection("grants", f"{DISK} is not this site's to write: apply: filter may not write to {DISK}", DISK)
    return facts(done, disk, objections=(objection,), mapped=(mapped(read=107),))


def case_nothing_read():
    fault = Problem(
        Origin("", "nightly.csv", "", 0, 1),
        'the line looks cut by ";", the definition says ","',
        'set delimiter: ";" in the definition, or leave it out',
    )
    read = mapped(read=9, problems=[fault], refused=7)
    objection = Objection("min_rows", "the report has 0 usable rows, fewer than min_rows: 1")
    return facts(mapped=(read,), objections=(objection,))


def case_hostile():
    evil = '<script>alert("1")</script><img src=x onerror=alert(1)>'
    steps = [
        move(1),
        Step(
            "000002L5", "description", Action.SET, "=HYPERLINK(1)", f"{evil}\r\nBcc: all@example.com\x1b[2J", "", at(3)
        ),
        Step("000003L5", "description", Action.SET, "", "\u202egnp.exe {{ 7 * 7 }} {% raw %}", "", at(4)),
    ]
    problem = Problem(at(7)._replace(attachment='a"><b>\n.csv'), f"row 7: {evil}\n\nDone: no problems.\n", "x\ny")
    note = Problem(Origin("", "x"), "a" * 2_000)
    context = Context(LTO, PLACES, (Moving("000001L5", "=cmd|' /C calc'!A0\n[ ] 999999L5", "1\n2"),))
    read = mapped(problems=[problem], refused=1, notes=[note], read=107)
    return facts(foreseen(plan(steps)), mapped=(read,), contexts=(context,))


def case_many_moves():
    steps = [move(number) for number in range(1, 252)]
    steps[0] = steps[0]._replace(origin=at(2)._replace(attachment="=1+1.csv"))
    return facts(foreseen(plan(steps, listed=1104)), mapped=(mapped(read=1106),), merged=Merged())


CASES = {name.removeprefix("case_"): made for name, made in sorted(globals().items()) if name.startswith("case_")}
REPLIES = [(name, "operator") for name in CASES] + [
    (name, template)
    for name in ("done", "containers", "elsewhere", "refused", "hostile", "forty_moves")
    for template in ("courier", "auditor")
]


def reply(name, template):
    mail = MAIL
    if name == "hostile":
        mail = MAIL._replace(subject="Nightly\r\nBcc: all@example.com", sender="<b>backup</b>@example.com")
    rendered = render(environment(), template, summary=summarise(CASES[name]()), facts=mail)
    return build_reply(ENVELOPE, ORIGINAL, rendered)


@pytest.mark.parametrize(("name", "template"), REPLIES)
def test_a_reply_is_what_was_agreed_to_byte_for_byte(name, template):
    message = reply(name, template)
    bodies = message_from_bytes(message, policy=policy.default)
    files = {
        f"{name}-{template}.eml": message,
        f"{name}-{template}.txt": bodies.get_body(("plain",)).get_content().encode(),
        f"{name}-{template}.html": bodies.get_body(("html",)).get_content().encode(),
    }
    for file, content in files.items():
        if WRITE:
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / file).write_bytes(content)
        assert content == (GOLDEN / file).read_bytes(), f"{file} differs; look at it, then MAILSYNC_WRITE_GOLDEN=1"


def test_no_golden_file_is_left_over():
    expected = {f"{name}-{template}.{kind}" for name, template in REPLIES for kind in ("eml", "txt", "html")}
    assert {file.name for file in GOLDEN.iterdir()} == expected
