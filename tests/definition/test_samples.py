from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsync.definition.load import load_definition
from mailsync.definition.samples import expected_name, pair_samples, sample_differences
from mailsync.tables.reader import read_table

SAMPLES = Path(__file__).parent / "samples"


def load(file: Path):
    faults = []
    definition = load_definition(file.name, file.read_text(), faults)
    assert definition is not None, faults
    return definition


def expected_of(file: Path) -> str:
    return file.with_name(f"{file.stem}.expected.json").read_text()


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_definition_makes_of_its_samples_what_is_expected(file):
    samples = sorted(SAMPLES.glob(f"{file.stem}.sample.*"))
    assert samples
    for sample in samples:
        found = sample_differences(load(file), sample.name, sample.read_bytes(), expected_of(file), read=read_table)
        assert found == ()


@pytest.fixture
def differences():
    file = SAMPLES / "captions.yaml"
    definition, content = load(file), (SAMPLES / "captions.sample.csv").read_bytes()
    return lambda expected: sample_differences(definition, "x.csv", content, expected, read=read_table)


def test_each_difference_names_its_place(differences):
    wanted = json.loads(expected_of(SAMPLES / "captions.yaml"))
    wanted["records"]["US01.LTO"][0]["repository"] = "RACK"
    wanted["records"]["US01.LTO"].append({"volume": "A9"})
    wanted["skipped"] = {"blank": 2}
    assert differences(json.dumps(wanted)) == (
        "skipped.blank: expected 2, got nothing",
        'records.US01.LTO[0].repository: expected "RACK", got "OFFS"',
        'records.US01.LTO[2]: expected {"volume": "A9"}, got nothing',
    )


def test_only_the_keys_of_the_expected_file_are_compared(differences):
    wanted = json.loads(expected_of(SAMPLES / "captions.yaml"))
    assert differences(json.dumps({key: wanted[key] for key in ("given", "records")})) == ()


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", 'not an object with "records"'),
        ('{"read": 1}', 'not an object with "records"'),
        ('{"records": {}, "recrods": {}}', 'unknown key "recrods"'),
        ('{"records": {}, "given": {"scope": 1}}', '"given" is not'),
        ('{"records": {}, "given": {"scope": "x"}}', '"given" is not'),
        ('{"records": {}, "given": {"repositories": ["a"]}}', '"given" is not'),
        ('{"records": {}, "given": {"zone": "UTC"}}', '"given" is not'),
    ],
)
def test_an_expected_file_that_is_off_is_told(differences, expected, said):
    found = differences(expected)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("list.sample.txt", "list.expected.json"),
        ("list.sample-two-pages.csv", "list.expected-two-pages.json"),
        ("list.sample-x.tar.gz", "list.expected-x.json"),
        ("list.sample", ""),
        ("list.sample-.txt", ""),
        ("list.sample-a_b.txt", ""),
        ("list.samples.txt", ""),
        ("lists.sample.txt", ""),
        ("list.expected.json", ""),
    ],
)
def test_a_samples_name_says_what_its_expected_file_is_called(sample, expected):
    assert expected_name("list", sample) == expected


def test_samples_are_paired_and_expected_files_without_one_are_told():
    files = ["a.yaml", "a.sample-b.txt", "a.sample.txt", "a.expected-c.json", "a.expected.json", "ab.sample.txt"]
    paired = pair_samples("a", files)
    assert paired.samples == (("a.sample-b.txt", "a.expected-b.json"), ("a.sample.txt", "a.expected.json"))
    assert paired.alone == ("a.expected-c.json",)
