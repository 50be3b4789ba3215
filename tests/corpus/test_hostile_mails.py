"""Thousands of broken and hostile mails: each is read to a stated outcome within bounds, and no row is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from definitions_of_kinds import DEFINITIONS
from hostile import KINDS, hostile_mail
from sites import make_site

SUPPORT = Path(__file__).parent.parent / "support"
EACH = 500
SHARDS = 4
# CPython's own test mails, as Debian packages them; tests/run installs them. They are read there, never kept.
CPYTHON = next(iter(sorted(Path("/usr/lib").glob("python3*/test/test_email/data"))), None)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = make_site(tmp_path_factory.mktemp("hostile") / "site")
    names = []
    for kind in KINDS:
        for number, text in enumerate(DEFINITIONS[kind]):
            names.append(f"{kind}-{number}")
            claimed = [f"*{kind}-{name}*" for name in range(4) if name % len(DEFINITIONS[kind]) == number]
            claim = f"claim: {{attachment: {json.dumps(claimed)}}}"
            (made.folder / f"definitions/{kind}-{number}.yaml").write_text(f"name: {kind}-{number}\n{claim}\n{text}\n")
    # What has lost its name is read too.
    other = (
        'name: other\nclaim: {attachment: ["(body)", "part-*"], content: "volume,*"}\n' + DEFINITIONS["delimited"][0]
    )
    (made.folder / "definitions/other.yaml").write_text(other)
    listed = ", ".join([*names, "other"])
    made.edit("definitions: [nightly-csv]", f"definitions: [{listed}]")
    return made


def run(site, folder, *words):
    command = [sys.executable, str(SUPPORT / "hostile_run.py"), str(site.config), *words]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False, cwd=folder, text=True)
    assert done.returncode == 0, f"{folder}/broken.eml: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mails_damaged_anywhere_end_in_a_stated_outcome(site, tmp_path, shard):
    told = run(site, tmp_path, "generated", str(shard * EACH), str(EACH))
    assert told.pop("peak megabytes") < 400
    assert told["mails"] == EACH
    # The damage leaves something to read of every kind, and something to refuse.
    assert all(told.get(f"{kind} recorded", 0) for kind in KINDS), told
    assert sum(told.get(f"{kind} refused", 0) for kind in KINDS) > 100, told


def test_a_number_gives_the_same_mail_again():
    assert [hostile_mail(seed) for seed in range(40)] == [hostile_mail(seed) for seed in range(40)]
    assert len({hostile_mail(seed) for seed in range(40)}) == 40


def test_the_mails_cpython_tests_its_parser_with_end_in_a_stated_outcome(site, tmp_path):
    if CPYTHON is None:
        pytest.skip("CPython's test mails are not here: Debian's libpython3.11-testsuite has them")
    told = run(site, tmp_path, "folder", str(CPYTHON), "12")
    assert told["mails"] > 500
    assert told["peak megabytes"] < 400
