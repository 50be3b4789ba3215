import os
import shutil
from contextlib import contextmanager
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
    assert f'mailsync.yaml:17:18: route "nightly": {unknown}' in faults


@pytest.fixture
def ordinary_user():
    """Makes this process somebody's who may not read everything, for as long as it is asked."""

    @contextmanager
    def become():
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(before)

    return become


def test_a_folder_of_definitions_that_cannot_be_read_is_told(made, folder, ordinary_user):
    site = load_site(Path(made["config"]))
    folder.chmod(0)
    with ordinary_user(), pytest.raises(ConfigurationError, match=r"definitions: cannot be read: Permission denied"):
        load_definitions(site)
    folder.chmod(0o700)


def test_a_file_in_the_place_of_the_definitions_is_told(made, folder):
    shutil.rmtree(folder)
    folder.touch()

    with pytest.raises(ConfigurationError, match=r"definitions: cannot be read: Not a directory"):
        load_definitions(load_site(Path(made["config"])))


def test_a_site_without_definitions_says_which_one_is_missing(made, folder):
    (folder / "nightly-csv.yaml").unlink()

    with pytest.raises(ConfigurationError, match=r"put nightly-csv\.yaml there"):
        load_definitions(load_site(Path(made["config"])))


TTIDEF = 'SetCSVDelimiter(","); Extract(VOLUME, 1, 9, 0); AddExclusionOnValue(VOLUME, "*LIST:{0}");\n'


def test_a_ttidef_is_found_by_its_name_and_asked_only_where_a_route_names_it(made, folder):
    (folder / "lists.txt").write_text("CLN*\n")
    (folder / "inventory.ttidef").write_text(TTIDEF.format("lists.txt"))
    config = Path(made["config"])
    site = load_site(config)
    assert [[one.name for one in tier] for tier in load_definitions(site).tiers(site.routes[0])] == [
        ["nightly-csv"],
        [],
    ]
    config.write_text(config.read_text().replace("definitions: [nightly-csv]", "definitions: [inventory]"))
    site = load_site(config)
    assert [[one.name for one in tier] for tier in load_definitions(site).tiers(site.routes[0])] == [
        ["inventory"],
        ["nightly-csv"],
    ]


@pytest.mark.parametrize("name", ["../mailsync.yaml", "/etc/passwd", "gone.txt"])
def test_a_list_lies_beside_its_definition(made, folder, name):
    (folder / "inventory.ttidef").write_text(TTIDEF.format(name))
    with pytest.raises(ConfigurationError, match="there is no such file beside the definition"):
        load_definitions(load_site(Path(made["config"])))


def test_an_old_ttidef_may_be_in_windows_1252(made, folder):
    text = 'Extract(VOLUME, 1, 9, 0); AddString(EXCLUSION, 0, "B\u00e4nder*");\n'
    (folder / "inventory.ttidef").write_bytes(text.encode("cp1252"))
    definition = load_definitions(load_site(Path(made["config"]))).by_name["inventory"]
    assert definition.skips[0].filters[0].text == "B\u00e4nder*"
