import os
from pathlib import Path

import pytest

from mailsync.config.keys import read_client_key, read_password, read_ring, read_token
from mailsync.config.ownership import read_secret, require_owner, secret_hint, user_name
from mailsync.core.errors import ConfigurationError, UsageError
from mailsync.wire.keys import public_key


@pytest.fixture
def keys(made):
    return Path(made["config"]).parent / "keys"


def test_the_secrets_of_a_new_site_are_read_and_fit(keys):
    key, ring, token = (
        read_client_key(keys / "site.key"),
        read_ring(keys / "ring"),
        read_token(keys / "filter.token"),
    )

    assert ring.secrets == {"site": key.secret}
    assert key.server == public_key(ring.static)
    assert (key.id, token.user, len(token.secret)) == ("site", "filter", 32)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_secret_that_others_can_reach_is_refused(keys, mode):
    (keys / "site.key").chmod(mode)

    with pytest.raises(ConfigurationError, match=f"site.key: mode {mode:04o} lets others at a secret") as raised:
        read_client_key(keys / "site.key")
    assert raised.value.hint == f"chmod 600 {keys / 'site.key'}"


def test_a_secret_of_somebody_else_is_refused_unless_root_asks(keys, monkeypatch):
    owner = (keys / "site.key").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    if owner:
        with pytest.raises(ConfigurationError, match=f"belongs to {user_name(owner)}, not to 54321"):
            read_client_key(keys / "site.key")
    else:
        assert read_client_key(keys / "site.key").id == "site"  # what root gave away may be read
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_client_key(keys / "site.key").id == "site"


def test_a_secret_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="none: cannot be read: No such file or directory"):
        read_secret(tmp_path / "none")
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="folder: is not a file"):
        read_secret(tmp_path / "folder")
    (tmp_path / "binary").touch(mode=0o600)
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="binary: not plain ASCII text"):
        read_secret(tmp_path / "binary")


def test_what_to_do_about_a_secret_fits_what_is_wrong_with_it(keys, tmp_path, monkeypatch):
    path = keys / "site.key"
    assert secret_hint(tmp_path / "gone") == "mailsync init makes a site with its keys"
    assert secret_hint(keys) == "name the file"
    path.chmod(0o644)
    assert secret_hint(path) == f"chmod 600 {path}"
    path.chmod(0o600)
    owner = user_name(os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert secret_hint(path) == f"run this as {owner}"


def test_no_text_of_a_secret_is_in_its_faults(keys):
    path = keys / "site.key"
    text = path.read_text()
    secret = text.partition("secret: ")[2].split()[0]
    path.write_text(text.replace(secret, secret[:-6]))

    with pytest.raises(ConfigurationError) as raised:
        read_client_key(path)
    assert f"{path}:3" in str(raised.value)
    assert secret[:8] not in str(raised.value)


def test_only_the_owner_of_a_folder_may_write_there(tmp_path, monkeypatch):
    require_owner(tmp_path)
    require_owner(tmp_path / "state" / "journal.db")
    owner = user_name(os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)

    for path in (tmp_path, tmp_path / "state" / "journal.db"):
        with pytest.raises(UsageError, match=f"{tmp_path} belongs to {owner}; 54321 would leave files") as raised:
            require_owner(path)
        assert raised.value.hint == f"sudo -u {owner} mailsync ... (or: runuser -u {owner} -- mailsync ...)"
        assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("correct horse\n", "correct horse"),
        (" 7 \r\nmore\n", " 7 "),
        ("Büro", "Büro"),
        ("\ufeffpencil\n", "pencil"),
    ],
)
def test_a_password_is_the_first_line_of_its_file(tmp_path, content, text):
    path = tmp_path / "ann.password"
    path.touch(mode=0o600)
    path.write_bytes(content.encode())
    password = read_password("ann", path)
    assert (password.user, password.text) == ("ann", text)
    assert text not in repr(password)


@pytest.mark.parametrize("content", [b"", b"\nsecret\n", b"s" * 1025, b"secret\xff\n"])
def test_a_file_without_a_password_is_refused_and_not_shown(tmp_path, content):
    path = tmp_path / "ann.password"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="ann") as raised:
        read_password("ann", path)
    assert "sss" not in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
