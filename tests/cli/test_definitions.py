"""`mailsync definitions`: what there is, what it makes of a sample, and .ttidef as YAML."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mailsync.cli import definitions_samples
from mailsync.cli.main import main
from mailsync.config.catalogue import Catalogue
from mailsync.definition.load import load_definition

BUILT_IN = "mtx-status"
TTIDEF = """\
SetFile("inventory.csv");
SetCSVDelimiter(",");
SetLiteral(CUSTOMER, "US01"); SetLiteral(MEDIA, "LTO");
Extract(VOLUME, 1, 10, 0);
AddExclusionOnValue(VOLUME, "CLN*");
Extract(REPOSITORY, 2, 20, 0);
AddTranslation(REPOSITORY, "Off*", "OFFS");
Extract(MOVEDATE, 3, 10, 0);
SetMoveDateFormat("%d/%m/%Y");
AddMoveDateAdjustment(VOLUME, "*", 0, 1, 0);
"""
REPORT = "A00001,Offsite,31/01/2031\nCLN001,,\nA00002,LIBR,soon\n"


@pytest.fixture
def folder(made):
    return Path(made["config"]).parent / "definitions"


@pytest.fixture
def ask(made, capsys):
    """Runs `definitions` with the words; (status, stdout, stderr)."""

    def run(*words):
        capsys.readouterr()
        status = main(["definitions", *words, *([] if words[0] == "convert" else ["--config", made["config"]])])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def ttidef(tmp_path):
    (tmp_path / "inventory.ttidef").write_text(TTIDEF)
    (tmp_path / "report.csv").write_text(REPORT)
    return "inventory.ttidef"


def test_the_definitions_are_listed_with_the_routes_that_name_them(ask, folder):
    (folder / "other.ttidef").write_text(TTIDEF)
    status, told, _ = ask("list")
    assert status == 0
    assert [line.split()[:2] for line in told.splitlines()[:2]] == [
        ["nightly-csv", "delimited"],
        ["other", "delimited"],
    ]
    assert "(routes: nightly)" in told
    listed = json.loads(ask("list", "--json")[1])
    assert [one["routes"] for one in listed[:2]] == [["nightly"], []]
    assert {"name", "description", "from", "file", "kind", "digest", "routes"} == set(listed[0])
    assert [one["from"] for one in listed[:3]] == ["site", "site", "catalogue"]


def test_the_built_in_definitions_are_listed_but_for_those_the_site_has_itself(ask, folder):
    (folder / f"{BUILT_IN}.yaml").write_text(ask("show", BUILT_IN)[1])
    listed = {one["name"]: one for one in json.loads(ask("list", "--json")[1])}
    assert set(Catalogue().names) < set(listed)
    assert listed.pop(BUILT_IN)["from"] == "site"
    assert {one["from"] for name, one in listed.items() if name in Catalogue().names} == {"catalogue"}
    (line,) = (line for line in ask("list")[1].splitlines() if line.startswith("netbackup-vmquery-w "))
    assert line.split()[2:] == ["built", "in"]


def test_without_a_site_there_are_the_built_in_definitions(capsys):
    assert main(["definitions", "list", "--json"]) == 0
    told = capsys.readouterr()
    assert [one["name"] for one in json.loads(told.out)] == list(Catalogue().names)
    assert told.err == "mailsync: note: no configuration found: these are the built-in definitions\n"
    assert main(["definitions", "show", BUILT_IN]) == 0
    assert capsys.readouterr().out == Catalogue().file(BUILT_IN).read_text()
    assert main(["definitions", "show", "mtx-statsu"]) == 2
    assert "no configuration found" in capsys.readouterr().err


def test_a_built_in_definition_is_kept_by_sending_what_is_shown_to_a_file_of_its_name(made, folder):
    """The shell has made the empty file before mailsync looks at the site."""
    program = "import sys; from mailsync.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = (program, "definitions", "show", BUILT_IN, "--config", made["config"])
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$@" > {folder}/{BUILT_IN}.yaml', sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / f"{BUILT_IN}.yaml").read_text() == Catalogue().file(BUILT_IN).read_text()


def test_a_built_in_definition_is_shown_whatever_the_sites_others_are_like(ask, folder):
    (folder / "broken.yaml").write_text("name: [\n")
    assert ask("show", BUILT_IN)[:2] == (0, Catalogue().file(BUILT_IN).read_text())
    # One of its own name is the one that is asked for.
    (folder / f"{BUILT_IN}.yaml").write_text("name: [\n")
    status, told, said = ask("show", BUILT_IN)
    assert (status, told) == (2, "")
    assert f"{BUILT_IN}.yaml:2:1: not YAML" in said


def test_a_built_in_definition_reads_its_samples_by_name(ask):
    sample = Catalogue().file(BUILT_IN).with_name(f"{BUILT_IN}.sample.txt")
    assert ask("test", BUILT_IN, str(sample))[0] == 0
    status, told, _ = ask("explain", BUILT_IN, str(sample), "--row", "1")
    assert status == 0
    assert f"{BUILT_IN}.yaml:" in told


def test_a_definition_is_shown_as_yaml_whatever_its_notation(ask, folder, ttidef):
    assert ask("show", "nightly-csv")[1] == (folder / "nightly-csv.yaml").read_text()
    status, told, noted = ask("show", ttidef)
    assert status == 0
    assert load_definition("x.yaml", told, []) is not None
    assert noted.startswith("mailsync: note: inventory.ttidef:1:1: SetFile")


def test_a_definition_is_shown_as_json_with_where_its_fields_come_from(ask, ttidef):
    shown = json.loads(ask("show", ttidef, "--json")[1])
    assert {one["name"]: one["from"] for one in shown["fields"]} == {
        "volume": "column 1",
        "repository": "column 2",
        "move_date": "column 3",
    }


def test_a_sample_gives_the_records_as_the_expected_file_has_them(ask, ttidef):
    status, told, _ = ask("test", ttidef, "report.csv")
    found = json.loads(told)
    assert status == 1
    assert found["records"] == {
        "US01.LTO": [{"volume": "A00001", "line": 1, "repository": "OFFS", "move_date": "2031-02-28"}]
    }
    assert (found["read"], found["refused"], len(found["problems"])) == (3, 1, 1)


def test_the_sample_beside_a_definition_is_compared(ask, folder):
    (sample,) = folder.glob("nightly-csv.sample.*")
    assert ask("test", "nightly-csv", str(sample))[0] == 0
    expected = folder / "nightly-csv.expected.json"
    expected.write_text(expected.read_text().replace("OFFS", "RACK"))
    status, told, differences = ask("test", "nightly-csv", str(sample))
    assert status == 1
    assert json.loads(told)["refused"] == 0
    assert 'expected "RACK", got "OFFS"' in differences


def test_the_scope_comes_from_the_route_or_from_the_option(ask, tmp_path):
    (tmp_path / "report.csv").write_text("volume,repository\nA00001,OFFS\n")
    assert list(json.loads(ask("test", "nightly-csv", "report.csv")[1])["records"]) == ["US01.LTO"]
    words = ("test", "nightly-csv", "report.csv", "--scope", "US02.LTO")
    assert list(json.loads(ask(*words)[1])["records"]) == ["US02.LTO"]


def test_a_row_is_explained_step_by_step_with_the_statements_about_it(ask, ttidef):
    status, told, _ = ask("explain", ttidef, "report.csv", "--row", "1")
    assert status == 0
    lines = [line.strip() for line in told.splitlines()]
    assert lines[:2] == ['report.csv:1: "A00001,Offsite,31/01/2031"', "recorded as US01.LTO.A00001"]
    assert 'inventory.ttidef:7: AddTranslation(REPOSITORY, "Off*", "OFFS")' in lines
    steps = [line.split(None, 1) for line in lines if line.startswith(("translate", "value", "adjust"))]
    assert steps == [["translate", '"OFFS"'], ["value", '"2031-01-31"'], ["adjust", '"2031-02-28"']]


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ("2", 'left out: volume matches "CLN*"'),
        ("3", 'a problem: move_date (column 3): "soon" is not a date of the form %d/%m/%Y'),
    ],
)
def test_a_row_that_is_not_recorded_says_why(ask, ttidef, row, outcome):
    assert ask("explain", ttidef, "report.csv", "--row", row)[1].splitlines()[1] == outcome


def test_yaml_is_explained_by_its_keys(ask, tmp_path):
    (tmp_path / "report.csv").write_text("volume,repository\nA00001,OFFS\n")
    told = ask("explain", "nightly-csv", "report.csv", "--row", "1")[1]
    assert any(line.strip().startswith("nightly-csv.yaml:") and "column: volume" in line for line in told.splitlines())


def test_a_ttidef_is_converted_to_yaml_that_reads_the_same(ask, ttidef, tmp_path):
    status, told, _ = ask("convert", ttidef)
    assert status == 0
    (tmp_path / "again.yaml").write_text(told)
    assert json.loads(ask("test", "again.yaml", "report.csv")[1]) == json.loads(ask("test", ttidef, "report.csv")[1])
    digests = {json.loads(ask("show", name, "--json")[1])["digest"] for name in (ttidef, "again.yaml")}
    assert len(digests) == 1


def test_the_expected_file_of_a_further_sample_goes_by_its_word(ask, folder):
    sample, expected = folder / "nightly-csv.sample-more.txt", folder / "nightly-csv.expected-more.json"
    sample.write_text("volume,repository\nA00009,OFFS\n")
    given = '"given": {"scope": "US09.LTO"}'
    expected.write_text(
        f'{{{given}, "records": {{"US09.LTO": [{{"volume": "A00009", "line": 2, "repository": "OFFS"}}]}}}}'
    )
    assert ask("test", "nightly-csv", str(sample))[0] == 0
    expected.write_text(f'{{{given}, "records": {{}}}}')
    status, _, told = ask("test", "nightly-csv", str(sample))
    assert status == 1
    assert "nightly-csv.expected-more.json: records.US09.LTO: expected nothing" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nihgtly-csv"), 'no definition is named "nihgtly-csv"'),
        (("show", "mtx-statsu"), 'did you mean "mtx-status"?'),
        (("test", "inventory.ttidef", "gone.csv"), "gone.csv"),
        (("test", "gone.ttidef", "report.csv"), "cannot be read: No such file"),
        (("explain", "inventory.ttidef", "report.csv", "--row", "9"), "has no row 9"),
        (("test", "inventory.ttidef", "report.csv", "--scope", "US01"), '"US01" is not a scope'),
        (("test", "nightly-csv", "report.csv", "--route", "nigthly"), 'no route is named "nigthly"'),
        (("convert", "report.csv"), "does not end in .ttidef"),
        (("convert", "broken.ttidef"), "broken.ttidef:1:1: AddRepositoryOnMoveDate is not supported"),
    ],
)
def test_what_cannot_be_done_is_told(ask, ttidef, tmp_path, words, said):
    (tmp_path / "broken.ttidef").write_text("AddRepositoryOnMoveDate(VOLUME);\n")
    ended, _, told = ask(*words)
    assert ended == 2
    assert said in told


@pytest.mark.parametrize("words", [["test", "inventory.ttidef"], ["learn"]])
def test_a_sample_that_is_too_large_is_no_matter_of_the_sites_limits(tmp_path, capsys, monkeypatch, ttidef, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(definitions_samples, "_MOST_SAMPLE", len(REPORT) - 1)
    assert main(["definitions", *words, "report.csv"]) == 2
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f"mailsync: report.csv is larger than {len(REPORT) - 1} bytes",
        "mailsync: hint: a part of the report will do",
    ]
