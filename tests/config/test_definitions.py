from pathlib import Path

import pytest

from mailsync.config.definitions import load_definitions
from mailsync.config.site import load_site
from mailsync.core.errors import ConfigurationError

OTHER = 'name: {name}\nclaim: {{attachment: "*.txt"}}\ntable: {{kind: delimited}}\nfields: {{volume: {{column: 1}}}}\n'


@pytest.fixture
def folder(made):
    return Path(made["config"]).parent / "definitions"


def test_a_route_asks_the_definitions_it_names_and_then_the_others(made, folder):
    for name in ("weekly", "aaa"):
        (folder / f"{name}.yaml").write_text(OTHER.format(name=name))
    site = load_site(Path(made["config"]))
    definitions = load_definitions(site)

    tiers = definitions.tiers(site.routes[0])
    assert [[one.name for one in tier] for tier in tiers] == [["nightly-csv"], ["aaa", "weekly"]]
    assert definitions.files["weekly"] == folder / "weekly.yaml"


def test_every_fault_of_every_definition_is_told_at_once(made, folder):
    (folder / "nightly-csv.yaml").rename(folder / "nightly.yaml")
    (folder / "twice.yaml").write_text((folder / "nightly.yaml").read_text())
    (folder / "broken.yaml").write_text("name: broken\nclaims: {}\n")
    (folder / "latin.yaml").write_bytes(b"# \xe4\n")
    config = Path(made["config"])
    config.write_text(config.read_text().replace("definitions: [nightly-csv]", "definitions: [nigthly-csv]  "))

    with pytest.raises(ConfigurationError) as raised:
        load_definitions(load_site(config))
    faults = [fault.replace(f"{config.parent}/", "") for fault in raised.value.faults]
    assert any(fault.startswith('definitions/broken.yaml:2:1: unknown key "claims"') for fault in faults)
    assert "definitions/latin.yaml: cannot be read: not UTF-8 text" in faults
    twice = f'definitions/twice.yaml: definition "nightly-csv" is in {folder}/nightly.yaml too'
    assert twice.replace(f"{config.parent}/", "") in faults
    unknown = 'no definition "nigthly-csv" in definitions (did you mean "nightly-csv"?)'
    assert f'mailsync.yaml:16:18: route "nightly": {unknown}' in faults


def test_a_site_without_definitions_says_which_one_is_missing(made, folder):
    (folder / "nightly-csv.yaml").unlink()

    with pytest.raises(ConfigurationError, match=r"put nightly-csv\.yaml there"):
        load_definitions(load_site(Path(made["config"])))
