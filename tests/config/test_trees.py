"""The kept trees of YAML files: a saving that can be old or gone, and never wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.config import trees
from mailsync.config.trees import remembering
from mailsync.definition.tree import Flaw, compose

TEXT = "a: 1\nb: [x, 'y z']\nc:\n  d: {e: ''}\n"


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def uncomposed(monkeypatch):
    """Composing anew fails from now on."""

    def refuse(_text):
        raise AssertionError("was composed anew")

    return lambda: monkeypatch.setattr(trees, "compose", refuse)


def kept(state):
    return sorted(path.name for path in (state / "cache" / "trees").glob("*"))


def test_a_text_is_composed_once(state, uncomposed):
    first = remembering(state, "site.yaml")(TEXT)
    assert first == compose(TEXT)
    uncomposed()
    assert remembering(state, "site.yaml")(TEXT) == first


def test_a_changed_text_is_composed_anew_and_kept_in_the_same_file(state):
    remembering(state, "site.yaml")(TEXT)
    assert remembering(state, "site.yaml")(TEXT + "f: 2\n") == compose(TEXT + "f: 2\n")
    assert kept(state) == ["site.yaml.tree"]


def test_a_text_with_a_flaw_is_not_kept(state):
    assert isinstance(remembering(state, "site.yaml")("a: ["), Flaw)
    assert not (state / "cache").exists()


def test_a_folder_that_others_may_write_is_not_used(state):
    remembering(state, "site.yaml")(TEXT)
    path = state / "cache" / "trees" / "site.yaml.tree"
    before = path.read_bytes()
    path.parent.chmod(0o777)
    remembering(state, "site.yaml")(TEXT + "f: 2\n")
    assert path.read_bytes() == before


def test_without_a_state_folder_nothing_is_made(tmp_path):
    remembering(tmp_path / "state", "site.yaml")(TEXT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda _: b"", lambda data: data[:-3], lambda data: b"junk" + data])
def test_a_damaged_file_is_made_anew(state, damage):
    remembering(state, "site.yaml")(TEXT)
    path = state / "cache" / "trees" / "site.yaml.tree"
    path.write_bytes(damage(path.read_bytes()))
    assert remembering(state, "site.yaml")(TEXT) == compose(TEXT)


@settings(deadline=None)
@given(text=st.text(alphabet="ab:-[]{}, \n'\"é#1", max_size=60))
def test_what_is_kept_is_what_was_composed(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("trees") / "state"
    folder.mkdir(mode=0o700)
    assert remembering(folder, "a.yaml")(text) == compose(text)
    assert remembering(folder, "a.yaml")(text) == compose(text)
