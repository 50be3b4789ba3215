import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailsync.config.catalogue import FOLDER, Catalogue
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


def test_a_route_may_name_a_built_in_definition_and_that_one_alone_is_read(made, folder):
    config = Path(made["config"])
    config.write_text(config.read_text().replace("[nightly-csv]", "[mtx-status, nightly-csv]"))
    site = load_site(config)
    definitions = load_definitions(site)

    named, others = definitions.tiers(site.routes[0])
    assert [one.name for one in named] == ["mtx-status", "nightly-csv"]
    assert others == ()
    assert definitions.file("mtx-status") == FOLDER / "mtx-status.yaml"
    assert [file.name for file in (site.state / "cache/trees").glob("catalogue.*")] == [
        "catalogue.mtx-status.yaml.tree"
    ]
    built_in = [one.name for one in definitions.built_in(site.routes[0])]
    assert built_in == [name for name in Catalogue().names if name != "mtx-status"]


def test_the_sites_own_definition_stands_for_the_built_in_one_of_its_name(made, folder):
    (folder / "mtx-status.yaml").write_text(OTHER.format(name="mtx-status"))
    config = Path(made["config"])
    config.write_text(config.read_text().replace("[nightly-csv]", "[mtx-status]"))
    site = load_site(config)
    definitions = load_definitions(site)

    assert definitions.tiers(site.routes[0])[0][0].claim.attachment[0].text == "*.txt"
    assert definitions.file("mtx-status") == folder / "mtx-status.yaml"
    assert "mtx-status" not in [one.name for one in definitions.built_in(site.routes[0])]


def test_a_route_that_names_no_definition_has_the_built_in_ones(made, folder):
    (folder / "nightly-csv.yaml").unlink()
    for none in ("definitions: []", ""):
        config = Path(made["config"])
        config.write_text(
            config.read_text().replace("definitions: [nightly-csv]", none).replace("definitions: []", none)
        )
        site = load_site(config)
        definitions = load_definitions(site)
        assert definitions.tiers(site.routes[0]) == ((), ())
        assert [one.name for one in definitions.built_in(site.routes[0])] == list(Catalogue().names)


def test_a_misspelt_name_is_looked_for_among_the_sites_definitions_and_then_the_built_in_ones(made):
    config = Path(made["config"])
    text = config.read_text()
    config.write_text(text.replace("[nightly-csv]", "[nigthly-csv, mtx-statsu, something-else]"))
    with pytest.raises(ConfigurationError) as raised:
        load_definitions(load_site(config))
    hints = [fault.rpartition("(")[2] for fault in raised.value.faults]
    assert hints == ['did you mean "nightly-csv"?)', 'did you mean "mtx-status"?)', "known here: nightly-csv)"]


@pytest.fixture
def shelf(tmp_path):
    """A catalogue of one definition."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "one.yaml").write_text(OTHER.format(name="one"))
    return folder


def test_a_catalogue_is_read_with_and_without_a_place_to_remember_it(shelf, tmp_path):
    kept = Catalogue(tmp_path, shelf).definition("one")
    assert (tmp_path / "cache/trees/catalogue.one.yaml.tree").exists()
    again = Catalogue(tmp_path, shelf).definition("one")
    nowhere = Catalogue(tmp_path / "missing", shelf).definition("one")
    assert kept == again == nowhere == Catalogue(None, shelf).definition("one")
    (shelf / "one.yaml").write_text(OTHER.format(name="one").replace("*.txt", "*.lst"))
    assert Catalogue(tmp_path, shelf).definition("one").claim.attachment[0].text == "*.lst"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"name: one\nclaims: {}\n", 'unknown key "claims"'),
        (b"\xff", "one.yaml: cannot be read"),
        (OTHER.format(name="two").encode(), 'its name is not "one"'),
    ],
)
def test_a_damaged_catalogue_is_told_as_such(shelf, text, said):
    (shelf / "one.yaml").write_bytes(text)
    with pytest.raises(ConfigurationError, match=said) as raised:
        Catalogue(None, shelf).definition("one")
    assert raised.value.hint == "a built-in definition is damaged: install mailsync again"


def test_all_are_asked_by_their_claims_which_are_remembered_as_one(shelf, tmp_path):
    (shelf / "two.yaml").write_text(
        "name: two\nclaim: {content: 'TWO*'}\n"
        "table: {kind: fixed, encoding: cp037}\nfields: {volume: {column: [1, 6]}}\n"
    )
    for state in (tmp_path, tmp_path, None):
        one, two = Catalogue(state, shelf).claims
        assert (one.name, one.claim) == ("one", Catalogue(None, shelf).definition("one").claim)
        assert (two.name, two.claim) == ("two", Catalogue(None, shelf).definition("two").claim)
        assert (one.layout.kind, two.layout.kind, two.layout.encoding, two.fields) == (
            "delimited",
            "fixed",
            "cp037",
            (),
        )
    assert [file.name for file in (tmp_path / "cache/trees").iterdir()] == ["catalogue.claims.tree"]
    (shelf / "two.yaml").write_text("claim: [")
    with pytest.raises(ConfigurationError, match="two: not YAML"):
        _ = Catalogue(tmp_path, shelf).claims


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
    assert "definitions/latin.yaml: cannot be read: not UTF-8 text (save it as UTF-8)" in faults
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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_ttidef_may_begin_with_a_mark_of_its_encoding(made, folder, encoding):
    text = 'Extract(VOLUME, 1, 9, 0); AddString(EXCLUSION, 0, "B\u00e4nder*");\n'
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (folder / "inventory.ttidef").write_bytes((mark + text).encode(encoding))
    definition = load_definitions(load_site(Path(made["config"]))).by_name["inventory"]
    assert definition.skips[0].filters[0].text == "B\u00e4nder*"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32"])
def test_a_ttidef_that_is_no_such_text_is_one_fault(made, folder, encoding):
    (folder / "inventory.ttidef").write_bytes("SetHeaderCount(1);\nExtract(VOLUME, 1, 9, 0);\n".encode(encoding))
    with pytest.raises(ConfigurationError) as raised:
        load_definitions(load_site(Path(made["config"])))
    (fault,) = raised.value.faults
    assert fault.endswith("inventory.ttidef: cannot be read: not UTF-8 text (save it as UTF-8)")


@pytest.mark.parametrize("name", ["empty.yaml", "empty.ttidef"])
def test_an_empty_definition_is_told_as_such(made, folder, name):
    (folder / name).write_text("\n \n")
    with pytest.raises(ConfigurationError) as raised:
        load_definitions(load_site(Path(made["config"])))
    hint = "remove it, or write the definition: docs/definitions.md"
    assert raised.value.faults == (f"{folder / name}: the file is empty ({hint})",)
